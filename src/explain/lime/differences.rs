//! What a regression in the space of the samples reads of their differences from a row.

use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;
use whylight_kernels::symmetric::{add_lower, mirror};
use whylight_kernels::weighted_gram::Differences;

/// Features of a word.
const WORD: usize = u64::BITS as usize;

/// Words of a sample's mask.
fn words(features: usize) -> usize {
    features.div_ceil(WORD).max(1)
}

fn has(mask: &[u64], feature: usize) -> bool {
    mask[feature / WORD] >> (feature % WORD) & 1 == 1
}

/// The features in which a sample differs from the row, ascending.
pub(super) fn varying(differences: &Differences) -> Vec<usize> {
    match differences {
        Differences::Bits { features, masks } => {
            let mut all = vec![u64::MAX; words(*features)];
            for mask in masks.chunks(all.len()) {
                for (all, word) in all.iter_mut().zip(mask) {
                    *all &= word;
                }
            }
            (0..*features).filter(|&at| !has(&all, at)).collect()
        }
        Differences::Dense { features, cells } => {
            let varies = |&at: &usize| cells[at..].iter().step_by(*features).any(|z| *z != 0.0);
            (0..*features).filter(varies).collect()
        }
    }
}

/// The differences in some features.
pub(super) fn of_features(differences: &Differences, some: &[usize]) -> Differences {
    match differences {
        Differences::Bits { features, masks } => {
            let word = |mask: &[u64], some: &[usize]| {
                let bits = some.iter().enumerate();
                bits.fold(0, |word, (bit, &at)| word | u64::from(has(mask, at)) << bit)
            };
            let all = masks.chunks(words(*features)).flat_map(|mask| {
                let some = (0..words(some.len())).map(|at| some.chunks(WORD).nth(at));
                some.map(move |some| word(mask, some.unwrap_or_default()))
            });
            Differences::Bits {
                features: some.len(),
                masks: all.collect(),
            }
        }
        Differences::Dense { features, cells } => {
            let rows = cells.chunks((*features).max(1));
            let cells = rows.flat_map(|row| some.iter().map(|&feature| row[feature]));
            Differences::Dense {
                features: some.len(),
                cells: cells.collect(),
            }
        }
    }
}

/// By sample, the difference in a feature.
pub(super) fn column(differences: &Differences, feature: usize) -> Vec<f64> {
    match differences {
        Differences::Bits { features, masks } => (masks.chunks(words(*features)))
            .map(|mask| if has(mask, feature) { 0.0 } else { -1.0 })
            .collect(),
        Differences::Dense { features, cells } => cells[feature..]
            .iter()
            .step_by(*features)
            .copied()
            .collect(),
    }
}

/// Σ w z over samples, by feature.
pub(super) fn sum(differences: &Differences, weights: &[f64]) -> Vec<f64> {
    let mut sums = vec![0.0; differences.features()];
    match differences {
        Differences::Bits { features, masks } => {
            for (mask, weight) in masks.chunks(words(*features)).zip(weights) {
                for (sums, &word) in sums.chunks_mut(WORD).zip(mask) {
                    let mut left = !word;
                    while left.trailing_zeros() < sums.len() as u32 {
                        sums[left.trailing_zeros() as usize] -= weight;
                        left &= left - 1;
                    }
                }
            }
        }
        Differences::Dense { features, cells } => {
            for (row, weight) in cells.chunks((*features).max(1)).zip(weights) {
                for (sum, z) in sums.iter_mut().zip(row) {
                    *sum += weight * z;
                }
            }
        }
    }
    sums
}

/// Σ w z² over samples, by feature.
pub(super) fn sum_of_squares(differences: &Differences, weights: &[f64]) -> Vec<f64> {
    match differences {
        Differences::Bits { .. } => sum(differences, weights).iter().map(|sum| -sum).collect(),
        Differences::Dense { features, cells } => {
            let mut sums = vec![0.0; *features];
            for (row, weight) in cells.chunks((*features).max(1)).zip(weights) {
                for (sum, z) in sums.iter_mut().zip(row) {
                    *sum += weight * z * z;
                }
            }
            sums
        }
    }
}

/// z · z of every pair of samples, (samples, samples).
pub(super) fn products(differences: &Differences) -> Vec<f64> {
    match differences {
        Differences::Bits { features, masks } => {
            let masks: Vec<&[u64]> = masks.chunks(words(*features)).collect();
            let count = |mask: &&[u64]| mask.iter().map(|word| word.count_ones()).sum::<u32>();
            let equal: Vec<u32> = masks.iter().map(count).collect();
            let samples = masks.len();
            let mut all = vec![0.0; samples * samples];
            let rows = all.par_chunks_mut(samples.max(1)).enumerate();
            rows.for_each(|(i, row)| {
                for (j, to) in row.iter_mut().enumerate() {
                    let pairs = masks[i].iter().zip(masks[j]);
                    let both: u32 = pairs.map(|(a, b)| (a & b).count_ones()).sum();
                    // Those that neither has.
                    *to = *features as f64 + f64::from(both)
                        - f64::from(equal[i])
                        - f64::from(equal[j]);
                }
            });
            all
        }
        Differences::Dense { features, cells } => {
            let samples = cells.len() / (*features).max(1);
            let mut all = Array2::zeros((samples, samples));
            if let Ok(z) = ArrayView2::from_shape((samples, *features), cells) {
                add_lower(1.0, &z, &z, all.view_mut());
            }
            mirror(all.view_mut());
            all.into_raw_vec_and_offset().0
        }
    }
}

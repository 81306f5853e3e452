//! Weighted sums over samples, and over pairs of their features: the normal equations of a local linear model.
//!
//! A sample is told by its difference z from the explained row, one number per feature: for what is only compared, −1
//! where the sample has another value and 0 where it has the row's; for what is a quantity, the difference of the
//! standardised cells. In these coordinates the row itself is 0, so that sums keep their precision when its neighbours
//! weigh next to nothing.
//!
//! Twin: `shaders/weighted_gram.wgsl`, which weighs the samples of many rows by itself, and adds in pairs of float32.

use crate::binding::{bindings, params};

bindings! {
    cells: Read, compared: Read, answers: Read, rows: Read, own: Read, models: Read, sums: Write,
}

params! {
    /// What one launch works on.
    {
        /// Rows.
        rows,
        /// Samples.
        samples,
        /// Features.
        features,
        /// Outputs.
        outputs,
        /// Numbers of a sample: 1, the differences of the features, and for the sums of answers those of the outputs.
        numbers,
        /// The bits of the kernel width.
        width,
        /// 1 and the output whose squared residuals weigh, too; 0 for none.
        residual,
        /// 0.
        zero,
    }
}

/// Samples whose weights a workgroup holds.
pub const SAMPLES_HELD: u32 = 64;

/// Samples whose bits are turned at a time.
const BLOCK: usize = 64;

/// Dense samples that are added at a time: a cell of the matrix is read and written once for all of them.
const TOGETHER: usize = 4;

/// The differences of samples from a row.
#[derive(Debug, Clone)]
pub enum Differences {
    /// All are 0 or −1: by sample the features that are the row's, 64 to a word.
    Bits {
        /// Features.
        features: usize,
        /// (samples, words of the features).
        masks: Vec<u64>,
    },
    /// Any numbers.
    Dense {
        /// Features.
        features: usize,
        /// (samples, features).
        cells: Vec<f64>,
    },
}

/// Sums over samples with a weight w each, differences z, and targets t.
#[derive(Debug, Clone, Default)]
pub struct Sums {
    /// Σ w.
    pub weight: f64,
    /// Σ w z, by feature.
    pub z: Vec<f64>,
    /// Σ w z zᵀ, (features, features), symmetric.
    pub zz: Vec<f64>,
    /// Σ w t, by output.
    pub t: Vec<f64>,
    /// Σ w t², by output.
    pub tt: Vec<f64>,
    /// Σ w z t, (outputs, features).
    pub zt: Vec<f64>,
}

impl Differences {
    /// Of so many samples whose features are the row's where the bits of `columns`, one list of words per feature with
    /// a bit per sample, are set.
    pub fn of_bits(samples: usize, columns: &[&[u64]]) -> Self {
        let features = columns.len();
        let words = words(features);
        let mut masks = vec![0; samples * words];
        let mut square = [0_u64; BLOCK];
        for (block, masks) in masks.chunks_mut((BLOCK * words).max(1)).enumerate() {
            for (word, columns) in columns.chunks(BLOCK).enumerate() {
                square.fill(0);
                for (to, column) in square.iter_mut().zip(columns) {
                    *to = column.get(block).copied().unwrap_or_default();
                }
                transpose(&mut square);
                for (mask, &bits) in masks[word..].iter_mut().step_by(words).zip(&square) {
                    *mask = bits;
                }
            }
        }
        Self::Bits { features, masks }
    }

    /// Number of features.
    pub fn features(&self) -> usize {
        match self {
            Self::Bits { features, .. } | Self::Dense { features, .. } => *features,
        }
    }

    /// The squares of the lengths of the differences, by sample.
    pub fn squares(&self) -> Vec<f64> {
        match self {
            Self::Bits { features, masks } => {
                let equal = |mask: &[u64]| mask.iter().map(|word| word.count_ones()).sum::<u32>();
                let masks = masks.chunks(words(*features));
                masks
                    .map(|mask| *features as f64 - f64::from(equal(mask)))
                    .collect()
            }
            Self::Dense { features, cells } => {
                let rows = cells.chunks((*features).max(1));
                rows.map(|row| row.iter().map(|z| z * z).sum()).collect()
            }
        }
    }

    /// Σ z β of every sample.
    pub fn times(&self, beta: &[f64]) -> Vec<f64> {
        match self {
            Self::Bits { features, masks } => {
                let none: f64 = -beta.iter().sum::<f64>();
                let mut set = Vec::with_capacity(*features);
                let masks = masks.chunks(words(*features));
                masks
                    .map(|mask| {
                        positions(mask, &mut set);
                        set.iter().fold(none, |sum, &at| sum + beta[at])
                    })
                    .collect()
            }
            Self::Dense { features, cells } => {
                let dot = |row: &[f64]| row.iter().zip(beta).map(|(z, b)| z * b).sum();
                cells.chunks((*features).max(1)).map(dot).collect()
            }
        }
    }

    /// The sums with a weight per sample, and for each output a target per sample.
    pub fn sums(&self, weights: &[f64], targets: &[&[f64]]) -> Sums {
        match self {
            Self::Bits { features, masks } => of_masks(*features, masks, weights, targets),
            Self::Dense { features, cells } => of_cells(*features, cells, weights, targets),
        }
    }
}

/// Words that hold a bit for each of so many features, at least one.
fn words(features: usize) -> usize {
    features.div_ceil(64).max(1)
}

/// The places of the bits that are set.
fn positions(mask: &[u64], set: &mut Vec<usize>) {
    set.clear();
    for (word, &bits) in mask.iter().enumerate() {
        let mut left = bits;
        while left != 0 {
            set.push(word * 64 + left.trailing_zeros() as usize);
            left &= left - 1;
        }
    }
}

/// Sums of targets, which need no differences.
fn of_targets(weights: &[f64], targets: &[&[f64]], features: usize) -> Sums {
    let weighted = |target: &&[f64]| weights.iter().zip(*target).map(|(w, t)| w * t).sum();
    let squared = |target: &&[f64]| weights.iter().zip(*target).map(|(w, t)| w * t * t).sum();
    Sums {
        weight: weights.iter().sum(),
        z: vec![0.0; features],
        zz: vec![0.0; features * features],
        t: targets.iter().map(weighted).collect(),
        tt: targets.iter().map(squared).collect(),
        zt: vec![0.0; features * targets.len()],
    }
}

/// Few bits are set of samples that are drawn like the training rows, so that what is summed is what is equal, b = z + 1,
/// and z follows from it.
fn of_masks(features: usize, masks: &[u64], weights: &[f64], targets: &[&[f64]]) -> Sums {
    let mut sums = of_targets(weights, targets, features);
    let mut set = Vec::with_capacity(features);
    for (sample, mask) in masks.chunks(words(features)).enumerate() {
        let weight = weights[sample];
        positions(mask, &mut set);
        for (end, &i) in set.iter().enumerate() {
            let row = &mut sums.zz[i * features..][..features];
            for &j in &set[..=end] {
                row[j] += weight;
            }
        }
        for (target, zt) in targets.iter().zip(sums.zt.chunks_mut(features.max(1))) {
            let weighted = weight * target[sample];
            for &i in &set {
                zt[i] += weighted;
            }
        }
    }
    for i in 0..features {
        sums.z[i] = sums.zz[i * features + i];
    }
    for i in 0..features {
        for j in 0..=i {
            let both = sums.zz[i * features + j];
            let neither = sums.weight - sums.z[i] - sums.z[j] + both;
            sums.zz[i * features + j] = neither;
            sums.zz[j * features + i] = neither;
        }
    }
    for z in &mut sums.z {
        *z -= sums.weight;
    }
    for (zt, t) in sums.zt.chunks_mut(features.max(1)).zip(&sums.t) {
        for zt in zt {
            *zt -= t;
        }
    }
    sums
}

fn of_cells(features: usize, cells: &[f64], weights: &[f64], targets: &[&[f64]]) -> Sums {
    let mut sums = of_targets(weights, targets, features);
    let none = vec![0.0; features];
    let blocks = cells.chunks((TOGETHER * features).max(1));
    for (block, cells) in blocks.enumerate() {
        // Samples that are not there weigh nothing.
        let mut rows = [&none[..]; TOGETHER];
        let mut weight = [0.0; TOGETHER];
        for (k, row) in cells.chunks(features.max(1)).enumerate() {
            rows[k] = row;
            weight[k] = weights[block * TOGETHER + k];
        }
        let [a, b, c, d] = rows;
        for i in 0..features {
            let [wa, wb, wc, wd] = [
                weight[0] * a[i],
                weight[1] * b[i],
                weight[2] * c[i],
                weight[3] * d[i],
            ];
            sums.z[i] += wa + wb + wc + wd;
            let end = i + 1;
            let row = &mut sums.zz[i * features..][..end];
            let others = a[..end].iter().zip(&b[..end]);
            let others = others.zip(c[..end].iter().zip(&d[..end]));
            for (cell, ((a, b), (c, d))) in row.iter_mut().zip(others) {
                *cell += wa * a + wb * b + (wc * c + wd * d);
            }
        }
        for (target, zt) in targets.iter().zip(sums.zt.chunks_mut(features.max(1))) {
            for (k, row) in rows.iter().enumerate() {
                let target = target.get(block * TOGETHER + k).copied();
                let weighted = weight[k] * target.unwrap_or_default();
                for (zt, z) in zt.iter_mut().zip(*row) {
                    *zt += weighted * z;
                }
            }
        }
    }
    for i in 0..features {
        for j in 0..i {
            sums.zz[j * features + i] = sums.zz[i * features + j];
        }
    }
    sums
}

/// Turns a square of bits about its diagonal: bit j of word i becomes bit i of word j.
fn transpose(square: &mut [u64; BLOCK]) {
    let mut half = BLOCK / 2;
    // The low bits of each pair of squares.
    let mut low = u64::MAX >> half;
    while half > 0 {
        for block in (0..BLOCK).step_by(2 * half) {
            for i in block..block + half {
                let swapped = ((square[i] >> half) ^ square[i + half]) & low;
                square[i] ^= swapped << half;
                square[i + half] ^= swapped;
            }
        }
        half /= 2;
        low ^= low << half;
    }
}

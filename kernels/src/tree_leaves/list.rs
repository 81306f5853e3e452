//! The distinct patterns of a background at a leaf, where a table would be too large.

use super::{Leaf, MOST_FEATURES};

/// Patterns of a list that are looked at together.
const CHUNK: usize = 32;

/// The distinct patterns of a background, ascending, and their weights, filled up to whole chunks with
/// patterns without weight.
#[derive(Default)]
pub(super) struct List {
    rows: Vec<(u32, f64)>,
    patterns: Vec<u32>,
    weights: Vec<f64>,
}

impl Leaf<'_> {
    /// Row by row against the distinct patterns of the background.
    #[inline(always)]
    pub(super) fn by_list(&self, list: &mut List, values: &mut [f64]) {
        list.make(self.others, self.background.weights);
        let shares = self.background.shares;
        let all = u32::MAX >> (MOST_FEATURES - self.features.len());
        let mut sums = [0.0; MOST_FEATURES];
        for (row, &pattern) in self.patterns.iter().enumerate() {
            let sums = &mut sums[..self.features.len()];
            sums.fill(0.0);
            let (patterns, _) = list.patterns.as_chunks::<CHUNK>();
            let (weights, _) = list.weights.as_chunks::<CHUNK>();
            for (others, weights) in patterns.iter().zip(weights) {
                // Few pairs meet all conditions between them: most chunks have none.
                let mut any = false;
                for other in others {
                    any |= pattern | other == all;
                }
                if !any {
                    continue;
                }
                for (&other, weight) in others.iter().zip(weights) {
                    if pattern | other != all {
                        continue;
                    }
                    let (alone, other_alone) = (pattern & !other, other & !pattern);
                    let (k, t) = (
                        alone.count_ones() as usize,
                        other_alone.count_ones() as usize,
                    );
                    let value = weight * self.value;
                    for_bits(alone, |slot| sums[slot] += value * shares.of(k, t));
                    for_bits(other_alone, |slot| sums[slot] -= value * shares.of(t, k));
                }
            }
            for (&feature, sum) in self.features.iter().zip(sums) {
                values[feature as usize * self.patterns.len() + row] += *sum;
            }
        }
    }
}

impl List {
    fn make(&mut self, patterns: &[u32], weights: &[f64]) {
        self.rows.clear();
        self.rows
            .extend(patterns.iter().copied().zip(weights.iter().copied()));
        // Stable, so that the weights of a pattern are added in the order of the rows.
        self.rows.sort_by_key(|&(pattern, _)| pattern);
        self.patterns.clear();
        self.weights.clear();
        for &(pattern, weight) in &self.rows {
            match self.weights.last_mut() {
                Some(sum) if self.patterns.last() == Some(&pattern) => *sum += weight,
                _ => {
                    self.patterns.push(pattern);
                    self.weights.push(weight);
                }
            }
        }
        let len = self.patterns.len().next_multiple_of(CHUNK);
        self.patterns.resize(len, 0);
        self.weights.resize(len, 0.0);
    }
}

#[inline(always)]
fn for_bits(mut bits: u32, mut f: impl FnMut(usize)) {
    while bits != 0 {
        f(bits.trailing_zeros() as usize);
        bits &= bits - 1;
    }
}

//! How often the rows of a background have each decision pattern.

use std::ops::Range;

use super::{Pack, Scratch};
use crate::block::{Block, ROWS};
use crate::forest::Forest;
use crate::simd::{Simd, instances};
use crate::tree_patterns;

instances! {
    /// Adds the weights of a block's rows, one number per row, to the histograms of some trees:
    /// `histograms` has one number per entry of these trees (see [`Pack::entries_of`]).
    ///
    /// `thresholds` has one number per node of the forest. The order of additions is that of the
    /// rows.
    pub fn histogram = histogram_on(
        forest: &Forest,
        thresholds: &[f32],
        pack: &Pack,
        trees: Range<usize>,
        rows: (Block<'_>, &[f64]),
        scratch: &mut Scratch,
        histograms: &mut [f64],
    )
}

#[inline(always)]
fn histogram_on<S: Simd>(
    forest: &Forest,
    thresholds: &[f32],
    pack: &Pack,
    trees: Range<usize>,
    (block, weights): (Block<'_>, &[f64]),
    scratch: &mut Scratch,
    histograms: &mut [f64],
) {
    scratch.slots.resize(pack.slots.max(1), [0; ROWS]);
    let first = pack.entries_of(trees.clone()).start;
    for tree in &pack.trees[trees] {
        let (steps, groups) = pack.parts(tree);
        tree_patterns::run::<S>(forest, thresholds, steps, block, &mut scratch.slots);
        for group in groups {
            let histogram = &mut histograms[group.first as usize - first..][..1 << group.bits];
            let patterns = &scratch.slots[usize::from(group.slot)][..block.rows()];
            for (&pattern, weight) in patterns.iter().zip(weights) {
                histogram[usize::from(pattern)] += weight;
            }
        }
    }
}

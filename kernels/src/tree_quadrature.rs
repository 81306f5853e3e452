//! Path-dependent Shapley values of trees of any depth, by quadrature over a walk of the tree.
//! Twin: `shaders/tree_quadrature.wgsl`
//!
//! With `A_e(z) = z (1 − u) + e u` for a feature whose merged cover fraction on the path is `z` and
//! which the row meets (e = 1) or not (e = 0), the value that a leaf gives to feature i is
//! `value · (e_i − z_i) ∫₀¹ ∏_{j≠i} A_{e_j}(z_j) du`. At one point u of a Gauss–Legendre rule, the
//! product over the features above an edge (`down`) and the weighted sum over the leaves below it
//! (`up`) are shared by all leaves, so one walk gives every edge the value
//!
//! `(e − z) · Σ_u weight · down · up`                     (first occurrence of its feature)
//! `(e z₀ − z) · Σ_u weight · down · up / A₁(z₀)²`        (repeated, met so far, fraction z₀)
//! `0`                                                    (repeated, not met so far)
//!
//! where the factor of a repeated feature is `A_e(z) / A_{e₀}(z₀)`. The first is the second with
//! z₀ = 1. With `whole = down · A_e(z) / A₁(z₀) · up`, which needs no factors on the way back, the
//! second is `Σ_u weight · whole · (z₀ − z) / (A₁(z) A₁(z₀))` where met, and
//! `Σ_u weight · whole · −1 / ((1 − u) A₁(z₀))` where not. All factors lie in (0, 1] for fractions in
//! [0, 1], and the rule is exact for the features of the longest path.
//!
//! [`run`] walks with rows in the lanes and needs a [`Pack`]; [`few`] walks with the points in the
//! lanes, straight from the forest, for too few rows to pay for a pack. The pairs of features are in
//! [`super::tree_quadrature_interactions`].

pub mod few;
mod pack;
mod walk;
pub mod words;

use std::ops::Range;

use crate::binding::{bindings, params};
use crate::block::{Block, ROWS};
use crate::forest::Forest;
use crate::legendre::Index;
use crate::simd::{Simd, instances};
pub use pack::Pack;
use walk::Walk;

bindings! {
    segments: Read,
    leaves: Read,
    conditions: Read,
    rules: Read,
    sets: Read,
    cells: Read,
    high: Write,
    low: Write,
}

params! {
    /// What one launch works on: the segments of one output.
    {
        /// Blocks of rows.
        blocks,
        /// Prepared columns.
        columns,
        /// Features.
        features,
        /// Outputs.
        outputs,
        /// The output.
        output,
        /// First segment.
        first,
        /// End of the segments.
        end,
        /// Tiles of features.
        tiles,
        /// 0; see shaders/common/sum.wgsl.
        zero,
    }
}

/// Most points of one pass; rules with more points take several.
pub(crate) const POINTS: usize = 8;

/// Number of points that a tree takes whose longest path has `features` features: the fewest that
/// are exact, rounded up to passes of equal size.
pub fn points(index: Index, features: usize) -> usize {
    match index.points_for_path(features) {
        0 => 1,
        exact => exact.next_multiple_of(exact.div_ceil(POINTS)),
    }
}

/// Float32 sums of one tree before they move to float64.
#[derive(Debug, Default)]
pub struct Scratch {
    sums: Vec<[f32; ROWS]>,
}

instances! {
    /// Adds the values of some packed trees, all of one output: `values` is laid out (feature,
    /// [`ROWS`]).
    ///
    /// `thresholds` has one number per node of the forest.
    pub fn run = run_on(
        forest: &Forest,
        thresholds: &[f32],
        pack: &Pack,
        trees: Range<usize>,
        block: Block<'_>,
        scratch: &mut Scratch,
        values: &mut [[f64; ROWS]],
    )
}

#[inline(always)]
fn run_on<S: Simd>(
    forest: &Forest,
    thresholds: &[f32],
    pack: &Pack,
    trees: Range<usize>,
    block: Block<'_>,
    scratch: &mut Scratch,
    values: &mut [[f64; ROWS]],
) {
    scratch.sums.resize(forest.features as usize, [0.0; ROWS]);
    for tree in trees {
        let sums = &mut scratch.sums;
        let walk = Walk {
            forest,
            thresholds,
            pack,
            tree,
            block,
        };
        match pack.trees[tree].points_per_pass {
            1 => walk::tree::<S, 1>(walk, sums),
            2 => walk::tree::<S, 2>(walk, sums),
            3 => walk::tree::<S, 3>(walk, sums),
            4 => walk::tree::<S, 4>(walk, sums),
            5 => walk::tree::<S, 5>(walk, sums),
            6 => walk::tree::<S, 6>(walk, sums),
            7 => walk::tree::<S, 7>(walk, sums),
            _ => walk::tree::<S, POINTS>(walk, sums),
        }
        for &feature in pack.features(tree) {
            let sums = &mut scratch.sums[feature as usize];
            for (value, sum) in values[feature as usize].iter_mut().zip(sums) {
                *value += f64::from(*sum);
                *sum = 0.0;
            }
        }
    }
}

//! Interventional Shapley values of trees of any shape, one background row after the other: for few
//! pairs of a row and a background row, and for trees too deep for tables.
//!
//! A row and a background row walk through a tree together for as long as they take the same side.
//! Where they part, the walk goes both ways and notes which of the two the feature follows from
//! there on. A leaf that is reached with k features following the row alone and t following the
//! background row alone gives `value (k−1)! t! / (k+t)!` to each of the k and `−value k! (t−1)! /
//! (k+t)!` to each of the t (Lundberg et al. 2020, Algorithm 3); the sums over the leaves below are
//! shared, so a pair costs the nodes that it visits. [`super::tree_pairs_interactions`] gives the
//! pairs of features.
//!
//! A leaf that is linear in some cells is a sum of such games ([`crate::forest::LinearLeaf::games`]),
//! some over more features than its path; the shader does not know these.
//! Twin: `shaders/tree_pairs.wgsl`

pub(crate) mod walk;
pub mod words;

use crate::binding::{bindings, params};
use crate::block::{Block, ROWS};
use crate::forest::Forest;
use crate::legendre::Index;
use walk::{Given, Gives, Walk, Working};

bindings! {
    members: Read, nodes: Read, sets: Read, shares: Read, others: Read, cells: Read,
    high: Write, low: Write,
}

params! {
    /// What one launch works on.
    {
        /// First row.
        first_row,
        /// Number of rows.
        rows,
        /// Prepared columns.
        columns,
        /// Features.
        features,
        /// Outputs.
        outputs,
        /// The output that the trees add to.
        output,
        /// Where the features of the trees are.
        named,
        /// Number of these features.
        names,
        /// Tiles of these features, or of their pairs.
        tiles,
        /// Where the root of the first pair's tree is.
        root,
        /// Background rows.
        backgrounds,
        /// The background row of the first pair.
        first,
        /// Pairs of a tree and a background row, tree by tree.
        pairs,
        /// 0; see shaders/common/sum.wgsl.
        zero,
    }
}

/// Rows that explained rows are compared with.
#[derive(Debug, Clone, Copy)]
pub struct Background<'a> {
    /// The cells (row, column), as the forest reads them.
    pub cells: &'a [f32],
    /// One number per node of the forest, for the columns of the background.
    pub thresholds: &'a [f32],
    /// One weight per row, summing to 1.
    pub weights: &'a [f64],
    /// The shares of conditions, as many as the longest path has.
    pub shares: &'a Shares,
}

/// Conditions on either side whose weights are looked up.
const KNOWN: usize = 32;

/// What a leaf gives to each of k conditions on one side against t on the other:
/// `∫₀¹ u^(k−1) (1 − u)^t du = (k−1)! t! / (k+t)!`, for Banzhaf values the integrand at ½.
#[derive(Debug, Clone, Default)]
pub struct Shares {
    index: Index,
    /// By k and t.
    known: Vec<f64>,
    /// ln n!, as far as a path of the forest needs.
    logarithms: Vec<f64>,
}

impl Shares {
    /// For paths over so many features.
    pub fn new(index: Index, path_features: usize) -> Self {
        let most = path_features.max(2 * KNOWN);
        let mut logarithms = vec![0.0; most + 1];
        for n in 1..=most {
            logarithms[n] = logarithms[n - 1] + (n as f64).ln();
        }
        let mut known = vec![0.0; KNOWN * KNOWN];
        for k in 1..KNOWN {
            for t in 0..KNOWN {
                known[k * KNOWN + t] = match index {
                    Index::Banzhaf => half_to(k + t - 1),
                    Index::Shapley if t == 0 => 1.0 / k as f64,
                    Index::Shapley => known[k * KNOWN + t - 1] * t as f64 / (k + t) as f64,
                };
            }
        }
        Self {
            index,
            known,
            logarithms,
        }
    }

    /// The share for k ≥ 1, and 0 for k = 0.
    #[inline]
    pub(crate) fn of(&self, k: usize, t: usize) -> f64 {
        if k < KNOWN && t < KNOWN {
            self.known[k * KNOWN + t]
        } else if k == 0 {
            0.0
        } else if self.index == Index::Banzhaf {
            half_to(k + t - 1)
        } else {
            let ln = &self.logarithms;
            (ln[k - 1] + ln[t] - ln[k + t]).exp()
        }
    }
}

/// `2^−n`.
fn half_to(n: usize) -> f64 {
    0.5_f64.powi(n.min(2000) as i32)
}

/// What leaves give to each feature that follows the row alone, and to each that follows the
/// background row alone.
#[derive(Debug, Clone, Copy)]
struct Values {
    row: f64,
    background: f64,
}

impl Given for Values {
    #[inline]
    fn of(value: f64, row: usize, background: usize, shares: &Shares) -> Self {
        Self {
            row: value * shares.of(row, background),
            background: value * shares.of(background, row),
        }
    }

    #[inline]
    fn and(self, other: Self) -> Self {
        Self {
            row: self.row + other.row,
            background: self.background + other.background,
        }
    }
}

/// Working memory of [`run`], reused from block to block.
#[derive(Debug, Default)]
pub struct Scratch(Working<Values>);

/// Adds the values of the given trees, all of one output, which `values` is laid out for: (feature,
/// [`ROWS`]). `thresholds` has one number per node of the forest, for the columns of `block`.
///
/// The order of additions is that of the trees, then of the background rows.
pub fn run(
    forest: &Forest,
    thresholds: &[f32],
    trees: &[u32],
    block: Block<'_>,
    background: Background<'_>,
    scratch: &mut Scratch,
    values: &mut [[f64; ROWS]],
) {
    let mut walk = Walk::new(forest, thresholds, background, &mut scratch.0);
    for &tree in trees {
        for row in 0..block.rows() {
            walk.take(block, row);
            walk.against_all(tree, |weight, gives| match gives {
                Gives::Parted(parting, _, [first, second]) => {
                    let value_of = &mut values[parting.feature as usize];
                    value_of[row] += weight * (first.row - second.background);
                }
                Gives::Beyond(_, with, without, given) => {
                    for &feature in with {
                        values[feature as usize][row] += weight * given.row;
                    }
                    for &feature in without {
                        values[feature as usize][row] -= weight * given.background;
                    }
                }
            });
        }
    }
}

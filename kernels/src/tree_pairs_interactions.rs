//! Interventional interactions of the pairs of features, by the walk of [`super::tree_pairs`].
//! Twin: `shaders/tree_pairs_interactions.wgsl`
//!
//! At a leaf that is reached with k features X following the row alone and t features B following
//! the background row alone, a coalition is paid the leaf's value if it has all of X and none of B:
//! the multilinear extension of this game is `value ∏_X x ∏_B (1 − x)`. An interaction is the
//! integral of its second derivative along the diagonal (Grabisch & Roubens 1999), and half of it
//! goes to each of the two cells (Lundberg et al. 2020):
//!
//! | i, j | ½ value times | |
//! |---|---|---|
//! | both in X | `∫ u^(k−2) (1 − u)^t du` | share of k − 1 against t |
//! | both in B | `∫ u^k (1 − u)^(t−2) du` | share of t − 1 against k |
//! | one in each | `−∫ u^(k−1) (1 − u)^(t−1) du` | share of k against t − 1 |
//!
//! with the [`Shares`] of the values. None depends on which features of X and B the two are,
//! so the sums over the leaves below a parting are shared: a parting gives to the pairs of its
//! feature with those of the partings above it, and a pair of rows costs the nodes that it visits
//! plus, for each parting, the partings above.

use crate::binding::bindings;
use crate::block::{Block, ROWS};
use crate::forest::Forest;
pub use crate::tree_pairs::Params;
use crate::tree_pairs::walk::{Given, Gives, Walk, Working};
use crate::tree_pairs::{Background, Shares};
use crate::tree_tables::pair_cell;

bindings! {
    members: Read, nodes: Read, sets: Read, shares: Read, others: Read, cells: Read,
    high: Write, low: Write,
}

/// What leaves give to each pair of features, by whom the two follow.
#[derive(Debug, Clone, Copy)]
struct Pairs {
    both_row: f64,
    both_background: f64,
    /// One follows the row, one the background row.
    each: f64,
}

impl Given for Pairs {
    #[inline]
    fn of(value: f64, row: usize, background: usize, shares: &Shares) -> Self {
        // Where no pair is of a kind, its number is not read.
        Self {
            both_row: value * shares.of(row.saturating_sub(1), background),
            both_background: value * shares.of(background.saturating_sub(1), row),
            each: value * shares.of(row, background.saturating_sub(1)),
        }
    }

    #[inline]
    fn and(self, other: Self) -> Self {
        Self {
            both_row: self.both_row + other.both_row,
            both_background: self.both_background + other.both_background,
            each: self.each + other.each,
        }
    }
}

impl Pairs {
    /// What goes to a pair of features, by whether each follows the row or the background row.
    #[inline]
    fn to(&self, rows: [bool; 2]) -> f64 {
        match rows {
            [true, true] => self.both_row,
            [false, false] => self.both_background,
            _ => -self.each,
        }
    }
}

/// Working memory of [`run`], reused from block to block.
#[derive(Debug, Default)]
pub struct Scratch {
    walk: Working<Pairs>,
    /// Sums of a row by pair, together where the block has them apart.
    sums: Vec<f64>,
}

/// Adds the interactions of the given trees, all of one output, which `pairs` is laid out for:
/// ([`pair_cell`], [`ROWS`]). `thresholds` has one number per node of the forest, for the columns of
/// `block`.
///
/// The order of additions is that of the trees, then of the background rows.
pub fn run(
    forest: &Forest,
    thresholds: &[f32],
    trees: &[u32],
    block: Block<'_>,
    background: Background<'_>,
    scratch: &mut Scratch,
    pairs: &mut [[f64; ROWS]],
) {
    let Scratch { walk, sums } = scratch;
    let mut walk = Walk::new(forest, thresholds, background, walk);
    for row in 0..block.rows() {
        sums.clear();
        sums.resize(pairs.len(), 0.0);
        walk.take(block, row);
        for &tree in trees {
            walk.against_all(tree, |weight, gives| {
                let half = 0.5 * weight;
                let mut add = |i: u32, j: u32, value: f64| {
                    let cell = pair_cell(i.min(j), i.max(j), forest.features);
                    sums[cell as usize] += value;
                };
                match gives {
                    Gives::Parted(parting, above, [first, second]) => {
                        let with_row = half * (first.both_row - second.each);
                        let with_background = half * (second.both_background - first.each);
                        for other in above {
                            let value = if other.follows_row() {
                                with_row
                            } else {
                                with_background
                            };
                            add(parting.feature, other.feature, value);
                        }
                    }
                    Gives::Beyond(path, with, without, given) => {
                        let with = with.iter().map(|&feature| (feature, true));
                        let without = without.iter().map(|&feature| (feature, false));
                        let beyond = with.chain(without);
                        let on_path = path.iter().map(|p| (p.feature, p.follows_row()));
                        for (at, (i, of_row)) in beyond.clone().enumerate() {
                            for (j, other) in beyond.clone().take(at).chain(on_path.clone()) {
                                add(i, j, half * given.to([of_row, other]));
                            }
                        }
                    }
                }
            });
        }
        for (pair, sum) in pairs.iter_mut().zip(&*sums) {
            pair[row] += sum;
        }
    }
}

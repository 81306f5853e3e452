//! Interventional Shapley values of trees of any shape, one background row after the other: for few
//! pairs of a row and a background row, and for trees too deep for tables.
//!
//! A row and a background row walk through a tree together for as long as they take the same side.
//! Where they part, the walk goes both ways and notes which of the two the feature follows from
//! there on. A leaf that is reached with k features following the row alone and t following the
//! background row alone gives `value (k−1)! t! / (k+t)!` to each of the k and `−value k! (t−1)! /
//! (k+t)!` to each of the t (Lundberg et al. 2020, Algorithm 3); the sums over the leaves below are
//! shared, so a pair costs the nodes that it visits.
//! Twin: `shaders/tree_pairs.wgsl`

pub mod words;

use crate::binding::{bindings, params};
use crate::block::{Block, ROWS};
use crate::forest::Forest;
use crate::legendre::Index;

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
        /// Tiles of these features.
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
    fn of(&self, k: usize, t: usize) -> f64 {
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

/// Whom a feature follows on a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Follows {
    /// Row and background row have taken the same sides so far.
    Both,
    Row,
    Background,
}

/// A node at which the two part.
#[derive(Debug, Clone, Copy)]
struct Parting {
    feature: u32,
    /// The child that the background row goes to.
    child: u32,
    /// Features that follow the row alone, and the background row alone, above.
    row: usize,
    background: usize,
    /// What the leaves below the row's child give, once they have been visited.
    done: Option<Given>,
}

/// What leaves give to each feature that follows the row alone, and to each that follows the
/// background row alone.
#[derive(Debug, Clone, Copy)]
struct Given {
    row: f64,
    background: f64,
}

/// Working memory of [`run`], reused from block to block.
#[derive(Debug, Default)]
pub struct Scratch {
    follows: Vec<Follows>,
    partings: Vec<Parting>,
    row: Vec<f32>,
}

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
    let features = forest.features as usize;
    scratch.follows.resize(features, Follows::Both);
    let Scratch {
        follows,
        partings,
        row: cells,
    } = scratch;
    let mut walk = Walk {
        forest,
        thresholds: [thresholds, background.thresholds],
        shares: background.shares,
        follows,
        partings,
    };
    for &tree in trees {
        let root = forest.roots[tree as usize];
        for row in 0..block.rows() {
            cells.clear();
            cells.extend((0..forest.columns).map(|column| block.column(column)[row]));
            let others = background.cells.chunks(forest.columns.max(1) as usize);
            for (other, &weight) in others.zip(background.weights) {
                if weight != 0.0 {
                    walk.pair(root, [cells, other], |feature, value| {
                        let value_of = &mut values[feature as usize];
                        value_of[row] += weight * value;
                    });
                }
            }
        }
    }
}

/// What all pairs share.
struct Walk<'a> {
    forest: &'a Forest,
    /// For the cells of the row and of the background row.
    thresholds: [&'a [f32]; 2],
    shares: &'a Shares,
    follows: &'a mut [Follows],
    partings: &'a mut Vec<Parting>,
}

impl Walk<'_> {
    /// Gives the values of one pair in one tree to `add`, a part for each parting.
    #[inline]
    fn pair(&mut self, root: u32, cells: [&[f32]; 2], mut add: impl FnMut(u32, f64)) {
        let mut n = root;
        let (mut row, mut background) = (0, 0);
        loop {
            let node = &self.forest.nodes[n as usize];
            if !node.is_leaf() {
                let left = |who: usize| {
                    let cell = cells[who][node.column as usize];
                    let threshold = self.thresholds[who][n as usize];
                    node.test.left(cell, threshold, &self.forest.sets)
                };
                let child = |left| if left { node.left } else { node.right };
                let follows = &mut self.follows[node.feature as usize];
                n = match follows {
                    Follows::Row => child(left(0)),
                    Follows::Background => child(left(1)),
                    Follows::Both => {
                        let side = left(0);
                        if side != left(1) {
                            *follows = Follows::Row;
                            self.partings.push(Parting {
                                feature: node.feature,
                                child: child(!side),
                                row,
                                background,
                                done: None,
                            });
                            row += 1;
                        }
                        child(side)
                    }
                };
                continue;
            }
            let mut given = Given {
                row: node.value * self.shares.of(row, background),
                background: node.value * self.shares.of(background, row),
            };
            // Up to the next parting whose other way is still to go.
            loop {
                let Some(parting) = self.partings.last_mut() else {
                    return;
                };
                let follows = &mut self.follows[parting.feature as usize];
                let Some(first) = parting.done else {
                    parting.done = Some(given);
                    *follows = Follows::Background;
                    (row, background) = (parting.row, parting.background + 1);
                    n = parting.child;
                    break;
                };
                add(parting.feature, first.row - given.background);
                given.row += first.row;
                given.background += first.background;
                *follows = Follows::Both;
                self.partings.pop();
            }
        }
    }
}

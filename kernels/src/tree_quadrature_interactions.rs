//! Path-dependent interactions of the pairs of features, by the walk of [`super::tree_quadrature`], in
//! float64 and straight from the forest.
//! Twin: `shaders/tree_quadrature_interactions.wgsl`
//!
//! The interaction that a leaf gives to features i and j (Grabisch & Roubens 1999, and half of it
//! for each of the two cells, as Lundberg et al. 2020 have it) is
//!
//! `½ value (e_i − z_i) (e_j − z_j) ∫₀¹ ∏_{k≠i,j} A_k du = ½ ∫₀¹ g_i g_j · value ∏_k A_k du`
//!
//! with `A = z (1 − u) + e u` and the effect `g = (e − z) / A`: `(1 − z) / (z (1 − u) + u)` of a
//! feature that the row meets, `−1 / (1 − u)` of another. No effect divides by zero, and where a
//! feature that is not met has no cover (z = 0, e = 0), the product is zero, as is all that the leaf
//! gives.
//!
//! As a path goes on, an edge changes the effect of its own feature alone, by Δg from g = 0 of a
//! feature that has no test yet. So `g_i g_j` of a leaf is the sum of `Δg · g` over the edges of
//! its path, with the effect g that the other feature has there, and the sum over the leaves below
//! an edge is shared: an edge costs the features above it times the points, not a leaf its pairs. The
//! shader reads the paths of [`super::tree_quadrature::words`], and a leaf costs its pairs.

use std::collections::BTreeMap;

use crate::binding::{bindings, params};
use crate::block::{Block, ROWS};
use crate::forest::{Forest, Node};
use crate::legendre::Rule;
use crate::simd::{Simd, instances};
use crate::tree_quadrature::POINTS;
use crate::tree_tables::pair_cell;

bindings! {
    leaves: Read,
    conditions: Read,
    rules: Read,
    sets: Read,
    cells: Read,
    high: Write,
    low: Write,
}

params! {
    /// What one launch works on: some leaves of one output.
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
        /// First leaf.
        first,
        /// End of the leaves.
        end,
        /// Tiles of features.
        tiles,
        /// Features of a tile.
        width,
        /// 0; see shaders/common/sum.wgsl.
        zero,
    }
}

/// Features of a path at most in the shader, which keeps the effect of each.
pub const MOST_FEATURES: u32 = 64;

/// Rows that walk together.
const LANES: usize = 8;

/// A number of each row.
type Lanes = [f64; LANES];

/// A number of each row at the points of a pass.
type Points = [Lanes; POINTS];

/// What the tests of a feature have become on a path.
#[derive(Debug, Clone, Copy)]
struct Condition {
    feature: u32,
    /// z.
    fraction: f64,
    /// e.
    met: [bool; LANES],
    /// g.
    effect: Points,
}

/// An edge of the path.
#[derive(Debug)]
struct Edge {
    /// The split above.
    node: u32,
    /// Whether this is the way to its left child, which is gone first.
    is_left: bool,
    goes_left: [bool; LANES],
    /// Where the feature is among the conditions, whether for the first time, and what it was above.
    place: usize,
    is_first: bool,
    before: Condition,
    /// `∏ A` above.
    product: Points,
    /// What the leaves below the left child give, once they have been visited.
    below_left: Points,
}

/// Working memory of [`run`], reused from block to block of one forest.
#[derive(Debug, Default)]
pub struct Scratch {
    path: Vec<Condition>,
    edges: Vec<Edge>,
    /// By number of points.
    rules: BTreeMap<usize, Rule>,
}

instances! {
    /// Adds the interactions of the given trees, all of one output and each with the features of its
    /// longest path: `pairs` is laid out ([`pair_cell`], [`ROWS`]).
    ///
    /// `thresholds` has one number per node of the forest. The order of additions is that of the
    /// trees, then of their edges, whatever rows there are beside.
    pub fn run = run_on(
        forest: &Forest,
        thresholds: &[f32],
        trees: &[(u32, u32)],
        block: Block<'_>,
        scratch: &mut Scratch,
        pairs: &mut [[f64; ROWS]],
    )
}

#[inline(always)]
fn run_on<S: Simd>(
    forest: &Forest,
    thresholds: &[f32],
    trees: &[(u32, u32)],
    block: Block<'_>,
    scratch: &mut Scratch,
    pairs: &mut [[f64; ROWS]],
) {
    let Scratch { path, edges, rules } = scratch;
    for &(tree, features) in trees {
        let points = forest.index.points_for_path(features as usize);
        let rule = rules.entry(points);
        let rule = rule.or_insert_with(|| forest.index.rule(points));
        let root = forest.roots[tree as usize];
        for first in (0..block.rows()).step_by(LANES) {
            for (points, weights) in (rule.points.chunks(POINTS)).zip(rule.weights.chunks(POINTS)) {
                let mut walk = Walk {
                    forest,
                    thresholds,
                    block,
                    first,
                    points,
                    weights,
                    path,
                    edges,
                    pairs,
                };
                walk.tree(root);
            }
        }
    }
}

/// A walk of some rows, from the first on, at the points of a pass.
struct Walk<'a> {
    forest: &'a Forest,
    thresholds: &'a [f32],
    block: Block<'a>,
    first: usize,
    points: &'a [f64],
    weights: &'a [f64],
    path: &'a mut Vec<Condition>,
    edges: &'a mut Vec<Edge>,
    pairs: &'a mut [[f64; ROWS]],
}

impl Walk<'_> {
    #[inline(always)]
    fn tree(&mut self, root: u32) {
        let mut n = root;
        let mut product = [[1.0; LANES]; POINTS];
        loop {
            let node = &self.forest.nodes[n as usize];
            if !node.is_leaf() {
                let edge = self.edge(n, node, &product);
                product = self.go(&edge);
                self.edges.push(edge);
                n = node.left;
                continue;
            }
            let mut given = product;
            for (given, weight) in given.iter_mut().zip(self.weights) {
                for given in given {
                    *given *= weight * node.value;
                }
            }
            // Up to the next edge that has a sibling still to go.
            loop {
                let Some(mut edge) = self.edges.pop() else {
                    return;
                };
                self.give(&edge, &given);
                if edge.is_left {
                    edge.is_left = false;
                    edge.below_left = given;
                    product = self.go(&edge);
                    n = self.forest.nodes[edge.node as usize].right;
                    self.edges.push(edge);
                    break;
                }
                for (given, left) in given.iter_mut().zip(&edge.below_left) {
                    for (given, left) in given.iter_mut().zip(left) {
                        *given += left;
                    }
                }
                if edge.is_first {
                    self.path.pop();
                } else {
                    self.path[edge.place] = edge.before;
                }
            }
        }
    }

    /// The edge to the left child of a node; its feature has a place on the path from here on.
    #[inline(always)]
    fn edge(&mut self, n: u32, node: &Node, product: &Points) -> Edge {
        let cells = &self.block.column(node.column)[self.first..self.first + LANES];
        let mut goes_left = [false; LANES];
        for (goes_left, &cell) in goes_left.iter_mut().zip(cells) {
            let threshold = self.thresholds[n as usize];
            *goes_left = node.test.left(cell, threshold, &self.forest.sets);
        }
        let known = self.path.iter().position(|on| on.feature == node.feature);
        let place = known.unwrap_or(self.path.len());
        if known.is_none() {
            // No test: the whole cover, met by all.
            self.path.push(Condition {
                feature: node.feature,
                fraction: 1.0,
                met: [true; LANES],
                effect: [[0.0; LANES]; POINTS],
            });
        }
        Edge {
            node: n,
            is_left: true,
            goes_left,
            place,
            is_first: known.is_none(),
            before: self.path[place],
            product: *product,
            below_left: [[0.0; LANES]; POINTS],
        }
    }

    /// Goes down an edge: the condition of its feature, and the product below.
    #[inline(always)]
    fn go(&mut self, edge: &Edge) -> Points {
        let node = &self.forest.nodes[edge.node as usize];
        let child = if edge.is_left { node.left } else { node.right };
        let kept = self.forest.nodes[child as usize].fraction;
        let (before, on) = (&edge.before, &mut self.path[edge.place]);
        let z = before.fraction * kept;
        on.fraction = z;
        for (lane, met) in on.met.iter_mut().enumerate() {
            *met = before.met[lane] && edge.goes_left[lane] == edge.is_left;
        }
        let mut product = edge.product;
        let cells = product.iter_mut().zip(&mut on.effect);
        for (&u, (product, effect)) in self.points.iter().zip(cells) {
            let above = before.fraction * (1.0 - u) + u;
            let below = z * (1.0 - u) + u;
            let (stays, ends) = (below / above, z * (1.0 - u) / above);
            let (met, missed) = ((1.0 - z) / below, -1.0 / (1.0 - u));
            let is_met = before.met.iter().zip(&on.met);
            for ((product, effect), is_met) in product.iter_mut().zip(effect).zip(is_met) {
                // Of a feature that was missed above, A is z times a number that stays.
                (*product, *effect) = match is_met {
                    (true, true) => (*product * stays, met),
                    (true, false) => (*product * ends, missed),
                    (false, _) => (*product * kept, missed),
                };
            }
        }
        product
    }

    /// Gives what the leaves below an edge give to the pairs of its feature with those on the path.
    #[inline(always)]
    fn give(&mut self, edge: &Edge, given: &Points) {
        let points = self.points.len();
        let on = &self.path[edge.place];
        if on.met == [false; LANES] && edge.before.met == [false; LANES] {
            // Its effect stays what it was.
            return;
        }
        let mut change = [[0.0; LANES]; POINTS];
        for q in 0..points {
            for lane in 0..LANES {
                let by = on.effect[q][lane] - edge.before.effect[q][lane];
                change[q][lane] = 0.5 * by * given[q][lane];
            }
        }
        let i = on.feature;
        for other in &*self.path {
            let j = other.feature;
            if i == j {
                continue;
            }
            let mut sums = [0.0; LANES];
            for (change, effect) in change[..points].iter().zip(&other.effect) {
                for lane in 0..LANES {
                    sums[lane] += change[lane] * effect[lane];
                }
            }
            let cell = pair_cell(i.min(j), i.max(j), self.forest.features);
            let cells = &mut self.pairs[cell as usize][self.first..self.first + LANES];
            for (cell, sum) in cells.iter_mut().zip(sums) {
                *cell += sum;
            }
        }
    }
}

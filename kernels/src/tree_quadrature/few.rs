//! The walk with the quadrature points in the lanes, for few rows: no pack, one row at a time.

use std::borrow::Cow;
use std::collections::btree_map::{BTreeMap, Entry};
use std::sync::OnceLock;

use super::POINTS;
use crate::block::{Block, ROWS};
use crate::forest::Forest;
use crate::legendre::{Index, Rule};
use crate::simd::{Simd, instances};

/// Rows that walk through a tree together: they share all that does not depend on the way a row
/// goes, and one row's additions fill the time that another's take.
const TOGETHER: usize = 4;

/// A split on the path of the walk of `R` rows.
///
/// Which way a row goes cannot be predicted, so nothing here branches on it: a feature that does
/// not occur above refers to frame 0, which has met everything with fraction 1, and what does not
/// apply is multiplied with 0. That a row meets something is 1, that it does not is 0.
#[derive(Clone, Copy)]
struct Frame<S: Simd, const R: usize> {
    /// Product of the factors above, and sum over the leaves below.
    down: [S::V; R],
    up: [S::V; R],
    /// down/A₁²(z₀) where the row has met the feature above, else 0.
    scaled: [S::V; R],
    /// 1/A₁(z₀).
    inverse: S::V,
    node: u32,
    /// The frame of the last split above on the same feature.
    previous: u32,
    /// Merged fraction of the feature above the split.
    before: f64,
    /// Whether the row meets all splits above on the feature, and whether it goes left here.
    met_before: [f32; R],
    left: [f32; R],
    /// The edge on which the walk went on.
    edge: Edge<S, R>,
    /// Whether the right child is still to be visited.
    right_waits: bool,
}

/// From a split to one of its children.
#[derive(Clone, Copy)]
struct Edge<S: Simd, const R: usize> {
    /// Merged fraction of the feature, and whether the row meets all splits on it, this included.
    z: f64,
    met: [f32; R],
    /// met z₀ − z.
    difference: [f32; R],
    /// `A_e(z) / A_e(z₀)`.
    factor: [S::V; R],
}

/// [`POINTS`] points of a rule.
struct Pass<S: Simd> {
    u: S::V,
    rest: S::V,
    weight: S::V,
}

instances! {
    /// Adds the values of the given trees: `values` is laid out (output, sum, [`ROWS`]), where the
    /// first sums of an output are its features', its first output is `at.0`, and an output has `at.1`
    /// sums.
    ///
    /// `trees` holds tree numbers with the features of their longest path; `thresholds` has one
    /// number per node of the forest.
    pub fn run = run_on(
        forest: &Forest,
        thresholds: &[f32],
        trees: &[(u32, u32)],
        block: Block<'_>,
        at: (u32, usize),
        values: &mut [[f64; ROWS]],
    )
}

#[inline(always)]
fn run_on<S: Simd>(
    forest: &Forest,
    thresholds: &[f32],
    trees: &[(u32, u32)],
    block: Block<'_>,
    (first, stride): (u32, usize),
    values: &mut [[f64; ROWS]],
) {
    assert_eq!(
        S::LANES,
        POINTS,
        "invariant: a vector holds the points of a pass"
    );
    let features = forest.features as usize;
    let mut rules: BTreeMap<usize, Vec<Pass<S>>> = BTreeMap::new();
    let zero = S::splat(0.0);
    let mut together = Walk::<S, TOGETHER>::new(forest, thresholds, zero);
    let mut alone = Walk::<S, 1>::new(forest, thresholds, zero);
    for &(tree, path_features) in trees {
        let passes = super::points(forest.index, path_features as usize).div_ceil(POINTS);
        let passes = match rules.entry(passes) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(Pass::of(&rule(forest.index, passes))),
        };
        let root = forest.roots[tree as usize];
        let output = (forest.tree_outputs[tree as usize] - first) as usize;
        let values = &mut values[output * stride..][..features];
        let mut row = 0;
        while row < block.rows() {
            if block.rows() - row >= TOGETHER {
                together.tree(root, block, row, passes, values);
                row += TOGETHER;
            } else {
                alone.tree(root, block, row, passes, values);
                row += 1;
            }
        }
    }
}

/// The rule of so many passes. Those that most trees need are computed once.
fn rule(index: Index, passes: usize) -> Cow<'static, Rule> {
    static RULES: [[OnceLock<Rule>; 16]; 2] = [const { [const { OnceLock::new() }; 16] }; 2];
    let new = || index.rule(passes * POINTS);
    match RULES[index as usize].get(passes) {
        Some(rule) => Cow::Borrowed(rule.get_or_init(new)),
        None => Cow::Owned(new()),
    }
}

impl<S: Simd> Pass<S> {
    #[inline(always)]
    fn of(rule: &Rule) -> Vec<Self> {
        let chunks = rule.points.chunks(POINTS).zip(rule.weights.chunks(POINTS));
        let mut passes = Vec::new();
        for (points, weights) in chunks {
            let mut lanes = [[0.0_f32; POINTS]; 3];
            for (lane, (&u, &weight)) in points.iter().zip(weights).enumerate() {
                lanes[0][lane] = u as f32;
                lanes[1][lane] = (1.0 - u) as f32;
                lanes[2][lane] = weight as f32;
            }
            passes.push(Self {
                u: S::load(&lanes[0]),
                rest: S::load(&lanes[1]),
                weight: S::load(&lanes[2]),
            });
        }
        passes
    }

    /// `A₁(z)` at the points.
    #[inline(always)]
    fn a1(&self, z: f64) -> S::V {
        S::mul_add(S::splat(z as f32), self.rest, self.u)
    }
}

impl<S: Simd, const R: usize> Frame<S, R> {
    #[inline(always)]
    fn empty(zero: S::V) -> Self {
        Self {
            down: [zero; R],
            up: [zero; R],
            scaled: [zero; R],
            inverse: zero,
            node: 0,
            previous: 0,
            before: 1.0,
            met_before: [1.0; R],
            left: [0.0; R],
            edge: Edge {
                z: 1.0,
                met: [1.0; R],
                difference: [0.0; R],
                factor: [zero; R],
            },
            right_waits: false,
        }
    }

    /// The edge to the left or right child, which keeps `fraction` of the cover.
    #[inline(always)]
    fn edge(&self, right: bool, fraction: f64, pass: &Pass<S>) -> Edge<S, R> {
        let mut edge = Edge {
            z: self.before * fraction,
            met: self.met_before,
            difference: [0.0; R],
            factor: [self.inverse; R],
        };
        let (side, sign) = if right { (1.0, -1.0) } else { (0.0, 1.0) };
        let a0 = S::mul(S::splat(edge.z as f32), pass.rest);
        for r in 0..R {
            let met_before = self.met_before[r];
            let met = met_before * (side + sign * self.left[r]);
            edge.met[r] = met;
            edge.difference[r] = (self.before * f64::from(met) - edge.z) as f32;
            // Where the row missed the feature above, both are the fractions alone.
            let unmet = (1.0 - met_before) * fraction as f32;
            let a = S::mul_add(pass.u, S::splat(met), a0);
            let inverse = S::mul(self.inverse, S::splat(met_before));
            edge.factor[r] = S::mul_add(a, inverse, S::splat(unmet));
        }
        edge
    }
}

struct Walk<'a, S: Simd, const R: usize> {
    forest: &'a Forest,
    thresholds: &'a [f32],
    /// By depth from 1; longer than any path so far.
    frames: Vec<Frame<S, R>>,
    /// The frame of the last split on each feature on the path; 0 where there is none.
    last: Vec<u32>,
    /// Per feature, one partial sum per row and point.
    sums: Vec<[S::V; R]>,
    used: Vec<u32>,
    is_used: Vec<bool>,
}

impl<'a, S: Simd, const R: usize> Walk<'a, S, R> {
    #[inline(always)]
    fn new(forest: &'a Forest, thresholds: &'a [f32], zero: S::V) -> Self {
        let features = forest.features as usize;
        Self {
            forest,
            thresholds,
            frames: vec![Frame::empty(zero)],
            last: vec![0; features],
            sums: vec![[zero; R]; features],
            used: Vec::new(),
            is_used: vec![false; features],
        }
    }

    /// Adds the values of a tree to those of the rows from `row` on.
    #[inline(always)]
    fn tree(
        &mut self,
        root: u32,
        block: Block<'_>,
        row: usize,
        passes: &[Pass<S>],
        values: &mut [[f64; ROWS]],
    ) {
        if self.forest.nodes[root as usize].is_leaf() {
            return;
        }
        for pass in passes {
            self.walk(root, block, row, pass);
        }
        for feature in self.used.drain(..) {
            let feature = feature as usize;
            self.is_used[feature] = false;
            for r in 0..R {
                let mut lanes = [0.0; POINTS];
                S::store(self.sums[feature][r], &mut lanes);
                values[feature][row + r] += lanes.iter().map(|&lane| f64::from(lane)).sum::<f64>();
                self.sums[feature][r] = S::splat(0.0);
            }
        }
    }

    #[inline(always)]
    fn walk(&mut self, root: u32, block: Block<'_>, row: usize, pass: &Pass<S>) {
        let mut depth = 1;
        if self.frames.len() == 1 {
            self.frames.push(Frame::empty(pass.weight));
        }
        self.frames[1].down = [pass.weight; R];
        let mut next = self.open(1, root, block, row, pass);
        loop {
            if let Some(child) = next {
                depth += 1;
                next = self.open(depth, child, block, row, pass);
                continue;
            }
            // Up to the next split whose right child is still to visit.
            let frame = &self.frames[depth];
            let up = frame.up;
            let feature = self.forest.nodes[frame.node as usize].feature;
            self.last[feature as usize] = frame.previous;
            depth -= 1;
            if depth == 0 {
                return;
            }
            let frame = &mut self.frames[depth];
            let node = &self.forest.nodes[frame.node as usize];
            let sums = &mut self.sums[node.feature as usize];
            for r in 0..R {
                let difference = S::splat(frame.edge.difference[r]);
                let integrand = S::mul(frame.scaled[r], up[r]);
                sums[r] = S::mul_add(integrand, difference, sums[r]);
                frame.up[r] = S::mul_add(up[r], frame.edge.factor[r], frame.up[r]);
            }
            if frame.right_waits {
                frame.right_waits = false;
                next = Some(self.descend(depth, node.right, true, pass));
            }
        }
    }

    /// Comes to a split, above which `down` is set, and takes the children that are leaves; returns
    /// the first child to go on to.
    #[inline(always)]
    fn open(
        &mut self,
        depth: usize,
        n: u32,
        block: Block<'_>,
        row: usize,
        pass: &Pass<S>,
    ) -> Option<u32> {
        let nodes = &self.forest.nodes;
        let node = &nodes[n as usize];
        let feature = node.feature as usize;
        if !self.is_used[feature] {
            self.is_used[feature] = true;
            self.used.push(node.feature);
        }
        let previous = std::mem::replace(&mut self.last[feature], depth as u32);
        let above = &self.frames[previous as usize].edge;
        let (before, met_before) = (above.z, above.met);
        let threshold = self.thresholds[n as usize];
        let x = &block.column(node.column)[row..row + R];
        let frame = &mut self.frames[depth];
        frame.up = [S::splat(0.0); R];
        frame.inverse = S::div(S::splat(1.0), pass.a1(before));
        frame.node = n;
        frame.previous = previous;
        frame.before = before;
        frame.met_before = met_before;
        let square = S::mul(frame.inverse, frame.inverse);
        for r in 0..R {
            let scaled = S::mul(square, S::splat(met_before[r]));
            frame.scaled[r] = S::mul(scaled, frame.down[r]);
            let left = node.test.left(x[r], threshold, &self.forest.sets);
            frame.left[r] = f32::from(u8::from(left));
        }
        let mut splits = [true; 2];
        for (side, child) in [node.left, node.right].into_iter().enumerate() {
            let below = &nodes[child as usize];
            if below.is_leaf() {
                splits[side] = false;
                let edge = frame.edge(side == 1, below.fraction, pass);
                let value = S::splat(below.value as f32);
                for (r, sum) in self.sums[feature].iter_mut().enumerate() {
                    let difference = S::mul(value, S::splat(edge.difference[r]));
                    *sum = S::mul_add(frame.scaled[r], difference, *sum);
                    frame.up[r] = S::mul_add(value, edge.factor[r], frame.up[r]);
                }
            }
        }
        frame.right_waits = splits[0] & splits[1];
        if splits[0] {
            Some(self.descend(depth, node.left, false, pass))
        } else if splits[1] {
            Some(self.descend(depth, node.right, true, pass))
        } else {
            None
        }
    }

    /// Sets the edge of a split to one of its children, and the product of the factors above that.
    #[inline(always)]
    fn descend(&mut self, depth: usize, child: u32, right: bool, pass: &Pass<S>) -> u32 {
        let fraction = self.forest.nodes[child as usize].fraction;
        if depth + 1 == self.frames.len() {
            self.frames.push(Frame::empty(pass.weight));
        }
        let [frame, below] = &mut self.frames[depth..depth + 2] else {
            unreachable!("invariant: a slice of two")
        };
        frame.edge = frame.edge(right, fraction, pass);
        for r in 0..R {
            below.down[r] = S::mul(frame.down[r], frame.edge.factor[r]);
        }
        child
    }
}

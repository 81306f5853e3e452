//! The walk with the quadrature points in the lanes, for few rows: no pack, one row at a time.

use super::POINTS;
use crate::block::{Block, ROWS};
use crate::forest::Forest;
use crate::legendre::Rule;
use crate::simd::{Simd, instances};

/// A split on the path of the walk.
///
/// Which way a row goes cannot be predicted, so nothing here branches on it: a feature that does
/// not occur above refers to frame 0, which has met everything with fraction 1, and what does not
/// apply is multiplied with 0.
#[derive(Clone, Copy)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "four facts about a row and a split, none of which excludes another"
)]
struct Frame<S: Simd> {
    /// Product of the factors above, and sum over the leaves below.
    down: S::V,
    up: S::V,
    /// Factor of the visited edge.
    factor: S::V,
    /// 1/A₁(z₀) where the row has met the feature above, else 0.
    inverse: S::V,
    node: u32,
    /// The frame of the last split above on the same feature.
    previous: u32,
    /// Merged fraction of the feature above the split, and below the visited edge.
    before: f64,
    z: f64,
    /// Whether the row meets all splits so far on the feature: above, and on the visited edge.
    met_before: bool,
    met: bool,
    goes_left: bool,
    /// Whether the child that is being visited is the right one.
    right: bool,
}

/// [`POINTS`] points of a rule.
struct Pass<S: Simd> {
    u: S::V,
    rest: S::V,
    weight: S::V,
}

instances! {
    /// Adds the values of the given trees: `values` is laid out (output, feature, [`ROWS`]).
    ///
    /// `trees` holds tree numbers with the features of their longest path; `thresholds` has one
    /// number per node of the forest.
    pub fn run = run_on(
        forest: &Forest,
        thresholds: &[f32],
        trees: &[(u32, u32)],
        block: Block<'_>,
        values: &mut [[f64; ROWS]],
    )
}

#[inline(always)]
fn run_on<S: Simd>(
    forest: &Forest,
    thresholds: &[f32],
    trees: &[(u32, u32)],
    block: Block<'_>,
    values: &mut [[f64; ROWS]],
) {
    assert_eq!(
        S::LANES,
        POINTS,
        "invariant: a vector holds the points of a pass"
    );
    let features = forest.features as usize;
    let mut rules: Vec<Vec<Pass<S>>> = Vec::new();
    let zero = S::splat(0.0);
    let mut walk = Walk::<S> {
        forest,
        thresholds,
        frames: vec![Frame::empty(zero)],
        last: vec![0; features],
        sums: vec![zero; features],
        used: Vec::new(),
        is_used: vec![false; features],
    };
    for &(tree, path_features) in trees {
        let passes = super::points(path_features as usize).div_ceil(POINTS);
        while rules.len() < passes {
            let points = (rules.len() + 1) * POINTS;
            rules.push(Pass::of(&Rule::new(points)));
        }
        let root = forest.roots[tree as usize];
        let output = forest.tree_outputs[tree as usize] as usize;
        let values = &mut values[output * features..(output + 1) * features];
        for row in 0..block.rows() {
            for pass in &rules[passes - 1] {
                walk.tree(root, block, row, pass);
            }
            walk.flush(row, values);
        }
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

    /// `A_e(z)` at the points.
    #[inline(always)]
    fn a(&self, z: f64, met: bool) -> S::V {
        let u = S::mul(self.u, S::splat(f32::from(u8::from(met))));
        S::mul_add(S::splat(z as f32), self.rest, u)
    }
}

impl<S: Simd> Frame<S> {
    #[inline(always)]
    fn empty(zero: S::V) -> Self {
        Self {
            down: zero,
            up: zero,
            factor: zero,
            inverse: zero,
            node: 0,
            previous: 0,
            before: 1.0,
            z: 1.0,
            met_before: true,
            met: true,
            goes_left: false,
            right: false,
        }
    }
}

struct Walk<'a, S: Simd> {
    forest: &'a Forest,
    thresholds: &'a [f32],
    /// By depth from 1; longer than any path so far.
    frames: Vec<Frame<S>>,
    /// The frame of the last split on each feature on the path; 0 where there is none.
    last: Vec<u32>,
    /// Per feature, one partial sum per point.
    sums: Vec<S::V>,
    used: Vec<u32>,
    is_used: Vec<bool>,
}

impl<S: Simd> Walk<'_, S> {
    #[inline(always)]
    fn tree(&mut self, root: u32, block: Block<'_>, row: usize, pass: &Pass<S>) {
        if self.forest.nodes[root as usize].is_leaf() {
            return;
        }
        let mut depth = 1;
        self.open(1, root, pass.weight, block, row, pass);
        loop {
            let node = &self.forest.nodes[self.frames[depth].node as usize];
            let child = if self.frames[depth].right {
                node.right
            } else {
                node.left
            };
            self.enter(depth, child, pass);
            let below = &self.forest.nodes[child as usize];
            if !below.is_leaf() {
                let frame = &self.frames[depth];
                let down = S::mul(frame.down, frame.factor);
                depth += 1;
                self.open(depth, child, down, block, row, pass);
                continue;
            }
            // Up to the next split whose right child is still to visit.
            let mut up = S::splat(below.value as f32);
            loop {
                self.leave(depth, up);
                let frame = &mut self.frames[depth];
                if !frame.right {
                    frame.right = true;
                    break;
                }
                up = frame.up;
                let feature = self.forest.nodes[frame.node as usize].feature;
                self.last[feature as usize] = frame.previous;
                depth -= 1;
                if depth == 0 {
                    return;
                }
            }
        }
    }

    /// Comes to a split.
    #[inline(always)]
    fn open(
        &mut self,
        depth: usize,
        n: u32,
        down: S::V,
        block: Block<'_>,
        row: usize,
        pass: &Pass<S>,
    ) {
        if depth == self.frames.len() {
            self.frames.push(Frame::empty(down));
        }
        let node = &self.forest.nodes[n as usize];
        let feature = node.feature as usize;
        if !self.is_used[feature] {
            self.is_used[feature] = true;
            self.used.push(node.feature);
        }
        let previous = std::mem::replace(&mut self.last[feature], depth as u32);
        let above = &self.frames[previous as usize];
        let (before, met_before) = (above.z, above.met);
        let one = S::splat(f32::from(u8::from(met_before)));
        let inverse = S::div(one, pass.a(before, true));
        let x = block.column(node.column)[row];
        let threshold = self.thresholds[n as usize];
        let frame = &mut self.frames[depth];
        frame.down = down;
        frame.up = S::splat(0.0);
        frame.inverse = inverse;
        frame.node = n;
        frame.previous = previous;
        frame.before = before;
        frame.met_before = met_before;
        frame.goes_left = node.test.left(x, threshold, &self.forest.sets);
        frame.right = false;
    }

    /// Prepares the frame of a split for one of its children.
    #[inline(always)]
    #[expect(
        clippy::needless_bitwise_bool,
        reason = "an operator that may skip its right side is a branch"
    )]
    fn enter(&mut self, depth: usize, child: u32, pass: &Pass<S>) {
        let fraction = self.forest.nodes[child as usize].fraction;
        let frame = &mut self.frames[depth];
        frame.z = frame.before * fraction;
        frame.met = frame.met_before & (frame.goes_left != frame.right);
        let unmet = f32::from(u8::from(!frame.met_before)) * fraction as f32;
        let factor = pass.a(frame.z, frame.met);
        frame.factor = S::mul_add(factor, frame.inverse, S::splat(unmet));
    }

    /// Takes the sum `up` over the leaves below the visited child.
    #[inline(always)]
    fn leave(&mut self, depth: usize, up: S::V) {
        let frame = &mut self.frames[depth];
        let feature = self.forest.nodes[frame.node as usize].feature as usize;
        let difference = frame.before * f64::from(u8::from(frame.met)) - frame.z;
        let square = S::mul(frame.inverse, frame.inverse);
        let integrand = S::mul(S::mul(frame.down, up), square);
        let difference = S::splat(difference as f32);
        self.sums[feature] = S::mul_add(integrand, difference, self.sums[feature]);
        frame.up = S::mul_add(up, frame.factor, frame.up);
    }

    #[inline(always)]
    fn flush(&mut self, row: usize, values: &mut [[f64; ROWS]]) {
        for feature in self.used.drain(..) {
            let feature = feature as usize;
            self.is_used[feature] = false;
            let mut lanes = [0.0; POINTS];
            S::store(self.sums[feature], &mut lanes);
            values[feature][row] += lanes.iter().map(|&lane| f64::from(lane)).sum::<f64>();
            self.sums[feature] = S::splat(0.0);
        }
    }
}

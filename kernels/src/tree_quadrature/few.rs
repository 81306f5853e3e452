//! The walk with the quadrature points in the lanes, for few rows: no pack, one row at a time.

use super::POINTS;
use crate::block::{Block, ROWS};
use crate::forest::Forest;
use crate::legendre::Rule;
use crate::simd::{Simd, instances};

/// A split on the path of the walk.
struct Frame<S: Simd> {
    node: u32,
    /// Depth of the last split above on the same feature.
    previous: Option<u32>,
    goes_left: bool,
    /// Whether the child that is being visited is the right one.
    right: bool,
    /// Merged fraction of the feature below the visited edge, and whether the row meets it.
    z: f64,
    met: bool,
    /// Product of the factors above; factor of the visited edge; 1/A₁(z₀)².
    down: S::V,
    factor: S::V,
    inverse_square: S::V,
    /// Sum over the leaves below.
    up: S::V,
}

/// A rule in chunks of [`POINTS`], padded with points of weight 0.
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
    let mut walk = Walk::<S> {
        forest,
        thresholds,
        frames: Vec::new(),
        last: vec![None; features],
        sums: vec![S::splat(0.0); features],
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

    /// A_e(z) at the points.
    #[inline(always)]
    fn a(&self, z: f64, met: bool) -> S::V {
        let u = if met { self.u } else { S::splat(0.0) };
        S::mul_add(S::splat(z as f32), self.rest, u)
    }
}

struct Walk<'a, S: Simd> {
    forest: &'a Forest,
    thresholds: &'a [f32],
    frames: Vec<Frame<S>>,
    /// Depth of the last split on each feature on the path.
    last: Vec<Option<u32>>,
    /// Per feature, one partial sum per point.
    sums: Vec<S::V>,
    used: Vec<u32>,
    is_used: Vec<bool>,
}

impl<S: Simd> Walk<'_, S> {
    #[inline(always)]
    fn tree(&mut self, root: u32, block: Block<'_>, row: usize, pass: &Pass<S>) {
        let mut down = pass.weight;
        let mut n = root;
        loop {
            // Down to a leaf, always left first.
            let mut node = &self.forest.nodes[n as usize];
            while !node.is_leaf() {
                let feature = node.feature as usize;
                if !self.is_used[feature] {
                    self.is_used[feature] = true;
                    self.used.push(node.feature);
                }
                let x = block.column(node.column)[row];
                let threshold = self.thresholds[n as usize];
                let previous = self.last[feature];
                self.last[feature] = Some(self.frames.len() as u32);
                self.frames.push(Frame {
                    node: n,
                    previous,
                    goes_left: node.test.left(x, threshold, &self.forest.sets),
                    right: false,
                    z: 1.0,
                    met: false,
                    down,
                    factor: down,
                    inverse_square: down,
                    up: S::splat(0.0),
                });
                down = self.enter(pass);
                n = node.left;
                node = &self.forest.nodes[n as usize];
            }
            // Up to the next split whose right child is still to visit.
            let mut up = S::splat(node.value as f32);
            loop {
                let Some(depth) = self.frames.len().checked_sub(1) else {
                    return;
                };
                self.leave(depth, up);
                let frame = &mut self.frames[depth];
                let node = &self.forest.nodes[frame.node as usize];
                if !frame.right {
                    frame.right = true;
                    n = node.right;
                    down = self.enter(pass);
                    break;
                }
                up = frame.up;
                self.last[node.feature as usize] = frame.previous;
                self.frames.pop();
            }
        }
    }

    /// Prepares the last frame for the child to visit and returns the product for it.
    #[inline(always)]
    fn enter(&mut self, pass: &Pass<S>) -> S::V {
        let depth = self.frames.len() - 1;
        let (above, frame) = self.frames.split_at_mut(depth);
        let frame = &mut frame[0];
        let node = &self.forest.nodes[frame.node as usize];
        let child = if frame.right { node.right } else { node.left };
        let fraction = self.forest.nodes[child as usize].fraction;
        let takes = frame.goes_left != frame.right;
        match frame.previous.map(|previous| &above[previous as usize]) {
            None => {
                frame.z = fraction;
                frame.met = takes;
                frame.factor = pass.a(fraction, takes);
                frame.inverse_square = S::splat(1.0);
            }
            Some(before) => {
                frame.z = before.z * fraction;
                frame.met = takes && before.met;
                if before.met {
                    let mut lanes = [0.0; POINTS];
                    S::store(pass.a(before.z, true), &mut lanes);
                    let inverse = S::load(&lanes.map(|a| if a > 0.0 { 1.0 / a } else { 0.0 }));
                    frame.factor = S::mul(pass.a(frame.z, frame.met), inverse);
                    frame.inverse_square = S::mul(inverse, inverse);
                } else {
                    frame.factor = S::splat(if before.z > 0.0 { fraction as f32 } else { 0.0 });
                    frame.inverse_square = S::splat(0.0);
                }
            }
        }
        S::mul(frame.down, frame.factor)
    }

    /// Takes the sum `up` over the leaves below the visited child.
    #[inline(always)]
    fn leave(&mut self, depth: usize, up: S::V) {
        let frame = &self.frames[depth];
        let before = frame.previous.map_or(1.0, |d| self.frames[d as usize].z);
        let difference = (if frame.met { before } else { 0.0 }) - frame.z;
        let feature = self.forest.nodes[frame.node as usize].feature as usize;
        let integrand = S::mul(S::mul(frame.down, frame.inverse_square), up);
        let difference = S::splat(difference as f32);
        self.sums[feature] = S::mul_add(integrand, difference, self.sums[feature]);
        let frame = &mut self.frames[depth];
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

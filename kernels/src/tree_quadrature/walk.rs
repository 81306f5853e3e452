//! The walk with rows in the lanes.
#![expect(
    clippy::needless_range_loop,
    reason = "an iterator's closures would be compiled without the instruction set"
)]

use std::ops::Range;

use super::POINTS;
use super::pack::{End, Inner, Kind, Pack, Step};
use crate::block::{Block, ROWS};
use crate::forest::{Forest, Test};
use crate::simd::Simd;

/// Vectors that one step works on together: enough to hide the latency of the arithmetic.
const WIDTH: usize = 2;

/// Rows that walk together. What a step is cannot be predicted, so many rows share it; the levels of
/// too many would not stay in the first-level cache.
const TOGETHER: usize = 128;

type Rows<V> = [V; WIDTH];
type Points<V, const Q: usize> = [Rows<V>; Q];

/// What the walk keeps per depth, for [`WIDTH`] vectors of rows.
#[derive(Clone, Copy)]
struct Level<S: Simd, const Q: usize> {
    /// Product of the factors above, at every point.
    down: Points<S::V, Q>,
    /// Sum over the leaves below, of value times all factors of the path.
    whole: Points<S::V, Q>,
    /// Rows that the split's test sends left.
    left: Rows<S::M>,
    /// Rows that meet all splits so far on the feature of this depth's split.
    met: Rows<S::M>,
}

/// A packed tree and the rows that walk it.
#[derive(Clone, Copy)]
pub(super) struct Walk<'a> {
    pub(super) forest: &'a Forest,
    /// One number per node of the forest.
    pub(super) thresholds: &'a [f32],
    pub(super) pack: &'a Pack,
    pub(super) tree: usize,
    pub(super) block: Block<'a>,
}

/// The points of one pass, in the lanes.
#[derive(Clone, Copy)]
struct Rule<S: Simd> {
    u: S::V,
    /// 1 − u, and −1/(1 − u).
    rest: S::V,
    minus_over_rest: S::V,
}

/// Numbers of an edge at each point.
type Factors = [f32; POINTS];

/// Adds the values of one packed tree to `sums`, laid out (feature, [`ROWS`]).
#[inline(always)]
pub(super) fn tree<S: Simd, const Q: usize>(walk: Walk<'_>, sums: &mut [[f32; ROWS]]) {
    for first in (0..walk.block.rows()).step_by(TOGETHER) {
        let rows = first..walk.block.rows().min(first + TOGETHER);
        together::<S, Q>(walk, rows, sums);
    }
}

#[inline(always)]
fn together<S: Simd, const Q: usize>(walk: Walk<'_>, rows: Range<usize>, sums: &mut [[f32; ROWS]]) {
    let pack = walk.pack;
    let parts = pack.parts(walk.tree);
    let groups = rows.len().div_ceil(WIDTH * S::LANES);
    let mut levels = Levels::<S, Q>::new(parts.tree.depth as usize, rows.start, groups);
    for (points, weights) in
        (parts.rule.points.chunks_exact(Q)).zip(parts.rule.weights.chunks_exact(Q))
    {
        let rule = Rule::<S>::new(points);
        levels.begin(weights);
        let mut steps = parts.steps.iter();
        while let Some(step) = steps.next() {
            match step.kind {
                Kind::Open => {
                    levels.open(walk, step);
                }
                Kind::Down { left } => {
                    let inner = inner(pack, step);
                    let edge = (step, rule.factors(inner), inner.unmet);
                    levels.down(edge, left);
                }
                Kind::Up => {
                    let edge = (step, rule.effects(inner(pack, step)));
                    levels.up(walk, edge, sums);
                }
                Kind::Leaf { left } => {
                    let edge = Last::new(rule, pack, step);
                    levels.leaf(walk, edge, sums, left);
                }
                Kind::Twig => {
                    let edge = Last::new(rule, pack, step);
                    levels.twig(walk, edge, sums);
                }
                Kind::Limb { left } => {
                    let Some(next) = steps.next() else {
                        return;
                    };
                    let twig = Last::new(rule, pack, next);
                    let inner = inner(pack, step);
                    let edge = (step, rule.factors(inner), inner.unmet, rule.effects(inner));
                    levels.limb(walk, edge, twig, sums, left);
                }
            }
        }
    }
}

#[inline(always)]
fn inner(pack: &Pack, step: &Step) -> Inner {
    *bytemuck::from_bytes(bytemuck::cast_slice(&pack.numbers[step.numbers..][..4]))
}

/// The end of a path, at each point.
#[derive(Clone, Copy)]
struct Last<'a> {
    step: &'a Step,
    end: End,
    /// The factor where met and unmet, values included.
    factors: [Factors; 2],
    /// 1/A₁(z₀)².
    squares: Factors,
}

impl<'a> Last<'a> {
    #[inline(always)]
    fn new<S: Simd>(rule: Rule<S>, pack: &Pack, step: &'a Step) -> Self {
        let end: End =
            *bytemuck::from_bytes(bytemuck::cast_slice(&pack.numbers[step.numbers..][..7]));
        let before = S::mul_add(S::splat(end.before), rule.rest, rule.u);
        let inverse = S::div(S::splat(1.0), before);
        let weighted = S::mul(S::splat(end.weighted), rule.rest);
        let mut last = Self {
            step,
            end,
            factors: [[0.0; POINTS]; 2],
            squares: [0.0; POINTS],
        };
        for e in 0..2 {
            let factor = S::mul_add(S::splat(end.values[e]), rule.u, weighted);
            S::store(S::mul(factor, inverse), &mut last.factors[e]);
        }
        S::store(S::mul(inverse, inverse), &mut last.squares);
        last
    }
}

impl<S: Simd> Rule<S> {
    #[inline(always)]
    fn new(points: &[f64]) -> Self {
        // The lanes beyond the points are computed with and not looked at.
        let mut lanes = [[0.5_f32; POINTS], [0.5; POINTS], [-2.0; POINTS]];
        for q in 0..points.len() {
            lanes[0][q] = points[q] as f32;
            lanes[1][q] = (1.0 - points[q]) as f32;
            lanes[2][q] = (-1.0 / (1.0 - points[q])) as f32;
        }
        Self {
            u: S::load(&lanes[0]),
            rest: S::load(&lanes[1]),
            minus_over_rest: S::load(&lanes[2]),
        }
    }

    /// `A_e(z) / A₁(z₀)` where met and unmet.
    #[inline(always)]
    fn factors(self, edge: Inner) -> [Factors; 2] {
        let before = S::mul_add(S::splat(edge.before), self.rest, self.u);
        let inverse = S::div(S::splat(1.0), before);
        let unmet = S::mul(S::splat(edge.z), self.rest);
        let met = S::add(unmet, self.u);
        let mut factors = [[0.0; POINTS]; 2];
        S::store(S::mul(met, inverse), &mut factors[0]);
        S::store(S::mul(unmet, inverse), &mut factors[1]);
        factors
    }

    /// What products through the edge are multiplied with for its feature's value, where met and unmet:
    /// `(z₀ − z) / (A₁(z) A₁(z₀))` and `−1 / ((1 − u) A₁(z₀))`.
    #[inline(always)]
    fn effects(self, edge: Inner) -> [Factors; 2] {
        let before = S::mul_add(S::splat(edge.before), self.rest, self.u);
        let met = S::mul_add(S::splat(edge.z), self.rest, self.u);
        let inverse = S::div(S::splat(1.0), S::mul(before, met));
        let mut effects = [[0.0; POINTS]; 2];
        S::store(S::mul(S::splat(edge.gain), inverse), &mut effects[0]);
        let unmet = S::mul(self.minus_over_rest, S::mul(met, inverse));
        S::store(unmet, &mut effects[1]);
        effects
    }
}

/// The levels of groups of [`WIDTH`] vectors of rows, laid out (depth, group). The first depth stands above
/// the root: there everything is met.
struct Levels<S: Simd, const Q: usize> {
    by_depth: Vec<Level<S, Q>>,
    groups: usize,
    first_row: usize,
}

impl<S: Simd, const Q: usize> Levels<S, Q> {
    #[inline(always)]
    fn new(depth: usize, first_row: usize, groups: usize) -> Self {
        let zero = S::splat(0.0);
        let empty = Level::<S, Q> {
            down: [[zero; WIDTH]; Q],
            whole: [[zero; WIDTH]; Q],
            left: [S::below_or_nan(zero, S::splat(1.0)); WIDTH],
            met: [S::below_or_nan(zero, S::splat(1.0)); WIDTH],
        };
        Self {
            by_depth: vec![empty; (depth + 2) * groups],
            groups,
            first_row,
        }
    }

    /// Sets the products of the root: the weights of the points.
    #[inline(always)]
    fn begin(&mut self, weights: &[f64]) {
        for g in 0..self.groups {
            let level = &mut self.by_depth[self.groups + g];
            for q in 0..Q {
                level.down[q] = [S::splat(weights[q] as f32); WIDTH];
            }
        }
    }

    #[inline(always)]
    fn row(&self, g: usize) -> usize {
        self.first_row + g * WIDTH * S::LANES
    }

    /// The level of a step's split, and the one below.
    #[inline(always)]
    fn at(&mut self, step: &Step, g: usize) -> (&mut Level<S, Q>, &mut Level<S, Q>) {
        let at = step.depth as usize * self.groups + g;
        let (above, below) = self.by_depth[at..].split_at_mut(self.groups);
        (&mut above[0], &mut below[0])
    }

    /// Rows that met all splits above an edge on its feature.
    #[inline(always)]
    fn before(&self, step: &Step, g: usize) -> Rows<S::M> {
        self.by_depth[step.previous as usize * self.groups + g].met
    }

    #[inline(always)]
    fn open(&mut self, walk: Walk<'_>, step: &Step) {
        for g in 0..self.groups {
            let left = test::<S>(walk, step.node, self.row(g));
            let (level, _) = self.at(step, g);
            level.left = left;
            level.whole = [[S::splat(0.0); WIDTH]; Q];
        }
    }

    #[inline(always)]
    fn down(&mut self, (step, factors, unmet): (&Step, [Factors; 2], f32), left: bool) {
        let unmet = S::splat(unmet);
        for g in 0..self.groups {
            let before = self.before(step, g);
            let (level, below) = self.at(step, g);
            enter::<S, Q>(level, before, left);
            let met = level.met;
            for q in 0..Q {
                let (yes, no) = pair::<S>(&factors, q);
                for v in 0..WIDTH {
                    let factor = S::select(met[v], yes, no);
                    let factor = S::select(before[v], factor, unmet);
                    below.down[q][v] = S::mul(level.down[q][v], factor);
                }
            }
        }
    }

    /// Comes back over an inner edge.
    #[inline(always)]
    fn up(
        &mut self,
        walk: Walk<'_>,
        (step, effects): (&Step, [Factors; 2]),
        sums: &mut [[f32; ROWS]],
    ) {
        for g in 0..self.groups {
            let before = self.before(step, g);
            let row = self.row(g);
            let (level, below) = self.at(step, g);
            let met = level.met;
            let mut values = [S::splat(0.0); WIDTH];
            for q in 0..Q {
                let (yes, no) = pair::<S>(&effects, q);
                for v in 0..WIDTH {
                    let whole = below.whole[q][v];
                    let effect = S::select(met[v], yes, no);
                    values[v] = S::mul_add(whole, effect, values[v]);
                    level.whole[q][v] = S::add(whole, level.whole[q][v]);
                }
            }
            add::<S>(values, before, walk, step.node, row, sums);
        }
    }

    #[inline(always)]
    fn leaf(&mut self, walk: Walk<'_>, last: Last<'_>, sums: &mut [[f32; ROWS]], left: bool) {
        for g in 0..self.groups {
            let before = self.before(last.step, g);
            let row = self.row(g);
            let (level, _) = self.at(last.step, g);
            enter::<S, Q>(level, before, left);
            let met = level.met;
            end::<S, Q>(level, walk, last, (met, before), row, sums);
        }
    }

    #[inline(always)]
    fn twig(&mut self, walk: Walk<'_>, last: Last<'_>, sums: &mut [[f32; ROWS]]) {
        for g in 0..self.groups {
            let before = self.before(last.step, g);
            let row = self.row(g);
            let left = test::<S>(walk, last.step.node, row);
            let (level, _) = self.at(last.step, g);
            end::<S, Q>(level, walk, last, (left, before), row, sums);
        }
    }

    /// Down an edge, through the twig at its end and back.
    #[inline(always)]
    fn limb(
        &mut self,
        walk: Walk<'_>,
        (step, factors, unmet, effects): (&Step, [Factors; 2], f32, [Factors; 2]),
        last: Last<'_>,
        sums: &mut [[f32; ROWS]],
        is_left: bool,
    ) {
        let (unmet, last_unmet) = (S::splat(unmet), S::splat(last.end.unmet));
        for g in 0..self.groups {
            let row = self.row(g);
            let left = test::<S>(walk, last.step.node, row);
            let above = self.before(step, g);
            enter::<S, Q>(self.at(step, g).0, above, is_left);
            let before = self.before(last.step, g);
            let (level, _) = self.at(step, g);
            let met = level.met;
            let (mut values, mut integral) = ([S::splat(0.0); WIDTH], [S::splat(0.0); WIDTH]);
            for q in 0..Q {
                let (yes, no) = pair::<S>(&factors, q);
                let effects = pair::<S>(&effects, q);
                let ends = pair::<S>(&last.factors, q);
                let square = S::splat(last.squares[q]);
                for v in 0..WIDTH {
                    let factor = S::select(met[v], yes, no);
                    let factor = S::select(above[v], factor, unmet);
                    let down = S::mul(level.down[q][v], factor);
                    integral[v] = S::mul_add(down, square, integral[v]);
                    let end = S::select(left[v], ends.0, ends.1);
                    let end = S::select(before[v], end, last_unmet);
                    let whole = S::mul(down, end);
                    let effect = S::select(met[v], effects.0, effects.1);
                    values[v] = S::mul_add(whole, effect, values[v]);
                    level.whole[q][v] = S::add(whole, level.whole[q][v]);
                }
            }
            add::<S>(values, above, walk, step.node, row, sums);
            let values = last_values::<S>(last, integral, left);
            add::<S>(values, before, walk, last.step.node, row, sums);
        }
    }
}

#[inline(always)]
fn pair<S: Simd>(factors: &[Factors; 2], q: usize) -> (S::V, S::V) {
    (S::splat(factors[0][q]), S::splat(factors[1][q]))
}

/// Notes the rows that take an edge and met its feature before.
#[inline(always)]
fn enter<S: Simd, const Q: usize>(level: &mut Level<S, Q>, before: Rows<S::M>, left: bool) {
    for v in 0..WIDTH {
        level.met[v] = if left {
            S::and(level.left[v], before[v])
        } else {
            S::and_not(level.left[v], before[v])
        };
    }
}

/// An edge that ends in a leaf, or the two of a twig.
#[inline(always)]
fn end<S: Simd, const Q: usize>(
    level: &mut Level<S, Q>,
    walk: Walk<'_>,
    last: Last<'_>,
    (met, before): (Rows<S::M>, Rows<S::M>),
    row: usize,
    sums: &mut [[f32; ROWS]],
) {
    let unmet = S::splat(last.end.unmet);
    let mut integral = [S::splat(0.0); WIDTH];
    for q in 0..Q {
        let (yes, no) = pair::<S>(&last.factors, q);
        let square = S::splat(last.squares[q]);
        for v in 0..WIDTH {
            let down = level.down[q][v];
            integral[v] = S::mul_add(down, square, integral[v]);
            let factor = S::select(met[v], yes, no);
            let factor = S::select(before[v], factor, unmet);
            level.whole[q][v] = S::mul_add(down, factor, level.whole[q][v]);
        }
    }
    let values = last_values::<S>(last, integral, met);
    add::<S>(values, before, walk, last.step.node, row, sums);
}

/// The values of a path's end from its integrals.
#[inline(always)]
fn last_values<S: Simd>(last: Last<'_>, integral: Rows<S::V>, met: Rows<S::M>) -> Rows<S::V> {
    let mut values = integral;
    let (yes, no) = (S::splat(last.end.gains[0]), S::splat(last.end.gains[1]));
    for v in 0..WIDTH {
        values[v] = S::mul(integral[v], S::select(met[v], yes, no));
    }
    values
}

/// Adds to the sums of a node's feature, where it was met before.
#[inline(always)]
fn add<S: Simd>(
    values: Rows<S::V>,
    before: Rows<S::M>,
    walk: Walk<'_>,
    node: u32,
    row: usize,
    sums: &mut [[f32; ROWS]],
) {
    let feature = walk.forest.nodes[node as usize].feature;
    let sums = &mut sums[feature as usize][row..row + WIDTH * S::LANES];
    for v in 0..WIDTH {
        let sums = &mut sums[v * S::LANES..];
        let value = S::select_or_zero(before[v], values[v]);
        S::store(S::add(S::load(sums), value), sums);
    }
}

/// Rows from `at` that the test of a node sends left.
#[inline(always)]
fn test<S: Simd>(walk: Walk<'_>, node: u32, at: usize) -> Rows<S::M> {
    let threshold = walk.thresholds[node as usize];
    let node = &walk.forest.nodes[node as usize];
    let x = &walk.block.column(node.column)[at..at + WIDTH * S::LANES];
    let t = S::splat(threshold);
    let mut rows = [S::below(t, t); WIDTH];
    match node.test {
        Test::Below {
            missing_left: false,
        } => {
            for v in 0..WIDTH {
                rows[v] = S::below(S::load(&x[v * S::LANES..]), t);
            }
        }
        Test::Below { missing_left: true } => {
            for v in 0..WIDTH {
                rows[v] = S::below_or_nan(S::load(&x[v * S::LANES..]), t);
            }
        }
        Test::Category { .. } => {
            let mut left = [0_u8; 64];
            for (left, &x) in left.iter_mut().zip(x) {
                *left = u8::from(node.test.left(x, threshold, &walk.forest.sets));
            }
            for v in 0..WIDTH {
                rows[v] = S::mask(&left[v * S::LANES..]);
            }
        }
    }
    rows
}

//! The walk with rows in the lanes.
#![expect(
    clippy::needless_range_loop,
    reason = "an iterator's closures would be compiled without the instruction set"
)]

use super::pack::{FIRST, Kind, Pack, Step};
use crate::block::{Block, ROWS};
use crate::forest::{Forest, Test};
use crate::simd::Simd;

/// Vectors that one step works on: enough to hide the latency of the arithmetic.
const WIDTH: usize = 4;

type Rows<V> = [V; WIDTH];
type Points<V, const Q: usize> = [Rows<V>; Q];

/// What the walk keeps per depth.
#[derive(Clone, Copy)]
struct Level<S: Simd, const Q: usize> {
    /// Product of the factors above, at every point.
    down: Points<S::V, Q>,
    /// Sum over the leaves below of value times the factors below.
    up: Points<S::V, Q>,
    /// Rows that the split's test sends left.
    left: Rows<S::M>,
    /// Rows that meet all splits so far on the feature of this depth's split.
    met: Rows<S::M>,
}

/// Adds the values of one packed tree to `sums`, laid out (feature, [`ROWS`]).
#[inline(always)]
pub(super) fn tree<S: Simd, const Q: usize>(
    forest: &Forest,
    thresholds: &[f32],
    pack: &Pack,
    tree: usize,
    block: Block<'_>,
    sums: &mut [[f32; ROWS]],
) {
    let parts = pack.parts(tree);
    let zero = S::splat(0.0);
    let none = S::below(zero, zero);
    let empty = Level::<S, Q> {
        down: [[zero; WIDTH]; Q],
        up: [[zero; WIDTH]; Q],
        left: [none; WIDTH],
        met: [none; WIDTH],
    };
    let mut levels = vec![empty; parts.tree.depth as usize + 1];
    let passes = parts.tree.passes as usize;
    let (constants, weights) = parts.constants.split_at(parts.constants.len() - passes * Q);
    for pass in 0..passes {
        let per_pass = constants.len() / passes;
        let constants = &constants[pass * per_pass..][..per_pass];
        for (down, &weight) in levels[0].down.iter_mut().zip(&weights[pass * Q..]) {
            *down = [S::splat(weight); WIDTH];
        }
        for at in (0..block.rows()).step_by(WIDTH * S::LANES) {
            for step in parts.steps {
                let node = &forest.nodes[step.node as usize];
                let constants = &constants[step.constants as usize..];
                let sums = &mut sums[node.feature as usize][at..at + WIDTH * S::LANES];
                match step.kind {
                    Kind::Open | Kind::Twig => {
                        let x = &block.column(node.column)[at..at + WIDTH * S::LANES];
                        let threshold = thresholds[step.node as usize];
                        let left = test::<S>(node.test, x, threshold, &forest.sets);
                        if step.kind == Kind::Twig {
                            twig::<S, Q>(&mut levels, step, left, constants, sums);
                        } else {
                            levels[step.depth as usize].left = left;
                        }
                    }
                    Kind::Down { left } => down::<S, Q>(&mut levels, step, left, constants),
                    Kind::Up { left } => up::<S, Q>(&mut levels, step, left, constants, sums),
                    Kind::Leaf { left } => leaf::<S, Q>(&mut levels, step, left, constants, sums),
                }
            }
        }
    }
}

#[inline(always)]
fn test<S: Simd>(test: Test, x: &[f32], threshold: f32, sets: &[u32]) -> Rows<S::M> {
    let t = S::splat(threshold);
    let mut rows = [S::below(t, t); WIDTH];
    match test {
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
                *left = u8::from(test.left(x, threshold, sets));
            }
            for v in 0..WIDTH {
                rows[v] = S::mask(&left[v * S::LANES..]);
            }
        }
    }
    rows
}

/// Rows that take an edge and met its feature before.
#[inline(always)]
fn met<S: Simd>(goes_left: Rows<S::M>, left: bool, before: Option<Rows<S::M>>) -> Rows<S::M> {
    let mut met = goes_left;
    for v in 0..WIDTH {
        met[v] = match (left, before) {
            (true, None) => goes_left[v],
            (false, None) => S::not(goes_left[v]),
            (true, Some(before)) => S::and(goes_left[v], before[v]),
            (false, Some(before)) => S::and_not(goes_left[v], before[v]),
        };
    }
    met
}

#[inline(always)]
fn before<S: Simd, const Q: usize>(levels: &[Level<S, Q>], step: &Step) -> Option<Rows<S::M>> {
    (step.previous != FIRST).then(|| levels[step.previous as usize].met)
}

/// The factors of an edge at point `q`: the constants of `Edges::write`.
#[inline(always)]
fn factor<S: Simd>(
    constants: &[f32],
    q: usize,
    v: usize,
    met: &Rows<S::M>,
    before: Option<&Rows<S::M>>,
) -> S::V {
    match before {
        None => {
            let at = &constants[2 + 2 * q..][..2];
            S::select(met[v], S::splat(at[0]), S::splat(at[1]))
        }
        Some(before) => {
            let at = &constants[3 + 3 * q..][..2];
            let known = S::select(met[v], S::splat(at[0]), S::splat(at[1]));
            S::select(before[v], known, S::splat(constants[2]))
        }
    }
}

/// 1/A₁(z₀)² at point `q`.
#[inline(always)]
fn inverse_square<S: Simd>(constants: &[f32], q: usize) -> S::V {
    S::splat(constants[3 + 3 * q + 2])
}

/// `sums += integral · difference`, where the feature was met before.
#[inline(always)]
fn attribute<S: Simd>(
    integral: Rows<S::V>,
    constants: &[f32],
    met: &Rows<S::M>,
    before: Option<&Rows<S::M>>,
    sums: &mut [f32],
) {
    for v in 0..WIDTH {
        let sums = &mut sums[v * S::LANES..];
        let (yes, no) = (S::splat(constants[0]), S::splat(constants[1]));
        let mut difference = S::select(met[v], yes, no);
        if let Some(before) = before {
            difference = S::select_or_zero(before[v], difference);
        }
        S::store(S::mul_add(integral[v], difference, S::load(sums)), sums);
    }
}

#[inline(always)]
fn down<S: Simd, const Q: usize>(
    levels: &mut [Level<S, Q>],
    step: &Step,
    left: bool,
    constants: &[f32],
) {
    let depth = step.depth as usize;
    let before = before(levels, step);
    let met = met::<S>(levels[depth].left, left, before);
    levels[depth].met = met;
    let [level, below] = &mut levels[depth..depth + 2] else {
        return;
    };
    for q in 0..Q {
        for v in 0..WIDTH {
            let factor = factor::<S>(constants, q, v, &met, before.as_ref());
            below.down[q][v] = S::mul(level.down[q][v], factor);
        }
    }
}

#[inline(always)]
fn up<S: Simd, const Q: usize>(
    levels: &mut [Level<S, Q>],
    step: &Step,
    left: bool,
    constants: &[f32],
    sums: &mut [f32],
) {
    let depth = step.depth as usize;
    let before = before(levels, step);
    let met = met::<S>(levels[depth].left, left, before);
    let [level, below] = &mut levels[depth..depth + 2] else {
        return;
    };
    let mut integral = [S::splat(0.0); WIDTH];
    for q in 0..Q {
        for v in 0..WIDTH {
            let up = below.up[q][v];
            let mut down = level.down[q][v];
            if before.is_some() {
                down = S::mul(down, inverse_square::<S>(constants, q));
            }
            integral[v] = S::mul_add(down, up, integral[v]);
            let factor = factor::<S>(constants, q, v, &met, before.as_ref());
            level.up[q][v] = if step.second {
                S::mul_add(up, factor, level.up[q][v])
            } else {
                S::mul(up, factor)
            };
        }
    }
    attribute::<S>(integral, constants, &met, before.as_ref(), sums);
}

#[inline(always)]
fn leaf<S: Simd, const Q: usize>(
    levels: &mut [Level<S, Q>],
    step: &Step,
    left: bool,
    constants: &[f32],
    sums: &mut [f32],
) {
    let goes_left = levels[step.depth as usize].left;
    let before = before(levels, step);
    let met = met::<S>(goes_left, left, before);
    end::<S, Q>(levels, step, met, before, constants, sums);
}

#[inline(always)]
fn twig<S: Simd, const Q: usize>(
    levels: &mut [Level<S, Q>],
    step: &Step,
    left: Rows<S::M>,
    constants: &[f32],
    sums: &mut [f32],
) {
    let before = before(levels, step);
    end::<S, Q>(levels, step, left, before, constants, sums);
}

/// An edge that ends in a leaf, or the two of a twig.
#[inline(always)]
fn end<S: Simd, const Q: usize>(
    levels: &mut [Level<S, Q>],
    step: &Step,
    met: Rows<S::M>,
    before: Option<Rows<S::M>>,
    constants: &[f32],
    sums: &mut [f32],
) {
    let level = &mut levels[step.depth as usize];
    let mut integral = [S::splat(0.0); WIDTH];
    for q in 0..Q {
        for v in 0..WIDTH {
            let down = level.down[q][v];
            integral[v] = if before.is_some() {
                S::mul_add(down, inverse_square::<S>(constants, q), integral[v])
            } else {
                S::add(down, integral[v])
            };
            let factor = factor::<S>(constants, q, v, &met, before.as_ref());
            level.up[q][v] = if step.second {
                S::add(factor, level.up[q][v])
            } else {
                factor
            };
        }
    }
    attribute::<S>(integral, constants, &met, before.as_ref(), sums);
}

//! The rescale rule: what a function of one number makes of multipliers.
//! Twin: `shaders/rescale.wgsl`
//!
//! The multiplier of a function f for a pair x, r is `(f(x) − f(r)) / (x − r)`, and f's derivative where they are equal
//! (Shrikumar, Greenside & Kundaje 2017, "Learning important features through propagating activation differences").
//! Where they are near, it is the derivative between them, which then is the quotient to float32.

use crate::binding::{bindings, params};
use crate::curve::{Curve, NEAR};
use crate::simd::{Simd, instances};
use crate::tile::{LANES, Side, Tile, read, write};

bindings! {
    x: Read,
    r: Read,
    y: Read,
    s: Read,
    slopes: Read,
    outward: Read,
    inward: Write,
}

params! {
    /// Parameters of the shader.
    {
        /// Cells.
        cells,
        /// Pairs, or lanes of values.
        pairs,
        /// Background rows of a row; 0 where every pair has its own.
        others,
        /// The first row.
        first_row,
        /// The first background row.
        first_other,
        /// Numbers from one cell of rows to the next.
        row_stride,
        /// Numbers from one cell of background rows to the next.
        other_stride,
        /// Numbers from one cell of lanes to the next.
        stride,
        /// Outputs of the tile.
        outputs,
        /// The function: [`Curve::code`].
        curve,
        /// The bits of its first number.
        a,
        /// The bits of its second number.
        b,
        /// 1 where each cell has a slope of its own.
        each,
        /// 1 to write values.
        values,
        /// 1 to add to what is there.
        adds,
        /// 1 to overwrite the multipliers of the results.
        in_place,
    }
}

/// A function for each cell: one of them for all, or one each.
#[derive(Debug, Clone)]
pub enum Curves {
    /// One for all cells.
    One(Curve),
    /// One for each cell: leaky `Relu`s with slopes of their own.
    Each(Vec<Curve>),
}

impl Curves {
    #[inline(always)]
    fn at(&self, cell: usize) -> Curve {
        match self {
            Curves::One(curve) => *curve,
            Curves::Each(curves) => curves[cell],
        }
    }
}

/// Writes the values of `x`, (cell, lane), to `y`, `stride` lanes each.
pub fn activate(curves: &Curves, x: &[f32], y: &mut [f32], stride: usize) {
    let cells = x.chunks(stride).zip(y.chunks_mut(stride));
    for (cell, (x, y)) in cells.enumerate() {
        let curve = curves.at(cell);
        if curve == Curve::Relu {
            for (x, y) in x.iter().zip(y) {
                *y = x.max(0.0);
            }
        } else {
            for (x, y) in x.iter().zip(y) {
                *y = curve.value((*x).into()) as f32;
            }
        }
    }
}

instances! { wide
    /// Writes the multipliers of the function's inputs to `inward`, given those of its results, `outward`, both (cell,
    /// lane of the tile); `inputs` and `results` are the numbers of the pairs' two sides. With `adds`, adds them.
    pub fn rescale = run(
        curves: &Curves, inputs: [Side<'_>; 2], results: [Side<'_>; 2], tile: Tile, outward: &[f32],
        inward: &mut [f32], adds: bool,
    )
}

instances! { wide
    /// As [`rescale`], of multipliers that are overwritten.
    pub fn rescale_in_place = in_place(
        curves: &Curves, inputs: [Side<'_>; 2], results: [Side<'_>; 2], tile: Tile,
        multipliers: &mut [f32],
    )
}

#[inline(always)]
fn run<S: Simd>(
    curves: &Curves,
    inputs: [Side<'_>; 2],
    results: [Side<'_>; 2],
    tile: Tile,
    outward: &[f32],
    inward: &mut [f32],
    adds: bool,
) {
    for cell in 0..outward.len() / tile.stride() {
        for at in (0..tile.pairs).step_by(LANES) {
            let factors = factors(curves.at(cell), inputs, results, cell, at);
            spread::<S>(tile, [cell, at], &factors, outward, inward, adds);
        }
    }
}

#[inline(always)]
fn in_place<S: Simd>(
    curves: &Curves,
    inputs: [Side<'_>; 2],
    results: [Side<'_>; 2],
    tile: Tile,
    multipliers: &mut [f32],
) {
    for cell in 0..multipliers.len() / tile.stride() {
        for at in (0..tile.pairs).step_by(LANES) {
            let factors = factors(curves.at(cell), inputs, results, cell, at);
            for output in 0..tile.outputs {
                let start = tile.start(cell, output) + at;
                let mut scaled = read(multipliers, start);
                for l in 0..LANES {
                    scaled[l] *= factors[l];
                }
                write(multipliers, start, &scaled);
            }
        }
    }
}

/// The multipliers of a function in a vector of pairs.
#[inline(always)]
fn factors(
    curve: Curve,
    inputs: [Side<'_>; 2],
    results: [Side<'_>; 2],
    cell: usize,
    at: usize,
) -> [f32; LANES] {
    let x = inputs[0].read(cell, at);
    let r = inputs[1].read(cell, at);
    if curve == Curve::Relu {
        return relu(&x, &r);
    }
    let y = results[0].read(cell, at);
    let s = results[1].read(cell, at);
    quotients(curve, [&x, &r], [&y, &s])
}

/// Multiplies the multipliers of all outputs of a cell and some pairs.
#[inline(always)]
pub(crate) fn spread<S: Simd>(
    tile: Tile,
    [cell, at]: [usize; 2],
    factors: &[f32; LANES],
    outward: &[f32],
    inward: &mut [f32],
    adds: bool,
) {
    for output in 0..tile.outputs {
        let start = tile.start(cell, output) + at;
        let outward = read(outward, start);
        let mut sums = [0.0; LANES];
        if adds {
            sums = read(inward, start);
        }
        for l in 0..LANES {
            sums[l] = S::fused(outward[l], factors[l], sums[l]);
        }
        write(inward, start, &sums);
    }
}

#[inline(always)]
fn relu(x: &[f32; LANES], r: &[f32; LANES]) -> [f32; LANES] {
    let mut factors = [0.0; LANES];
    for l in 0..LANES {
        let slope = if x[l] > 0.0 { 1.0 } else { 0.0 };
        let quotient = (x[l].max(0.0) - r[l].max(0.0)) / (x[l] - r[l]);
        factors[l] = if x[l] == r[l] { slope } else { quotient };
    }
    factors
}

#[inline(always)]
fn quotients(curve: Curve, [x, r]: [&[f32; LANES]; 2], [y, s]: [&[f32; LANES]; 2]) -> [f32; LANES] {
    let mut factors = [0.0; LANES];
    match curve {
        // Their quotients, without a difference in them.
        Curve::Reciprocal => {
            for l in 0..LANES {
                factors[l] = -(y[l] * s[l]);
            }
            return factors;
        }
        Curve::Power(2.0) => {
            for l in 0..LANES {
                factors[l] = x[l] + r[l];
            }
            return factors;
        }
        Curve::Power(-0.5) => {
            for l in 0..LANES {
                let product = y[l] * s[l];
                factors[l] = -(product * product) / (y[l] + s[l]);
            }
            return factors;
        }
        Curve::Sqrt => {
            for l in 0..LANES {
                let sum = y[l] + s[l];
                factors[l] = if sum > 0.0 { 1.0 / sum } else { 0.0 };
            }
            return factors;
        }
        _ => {}
    }
    let least = curve.least_scale();
    let mut are_near = [0_u32; LANES];
    for l in 0..LANES {
        let difference = x[l] - r[l];
        let scale = x[l].abs().max(r[l].abs()).max(least);
        factors[l] = (y[l] - s[l]) / difference;
        are_near[l] = u32::from(difference.abs() <= NEAR * scale);
    }
    let is_near = are_near.iter().sum::<u32>() > 0;
    if is_near {
        for l in 0..LANES {
            if are_near[l] > 0
                && let Some(slope) = curve.slope_between(x[l].into(), r[l].into())
            {
                factors[l] = slope as f32;
            }
        }
    }
    factors
}

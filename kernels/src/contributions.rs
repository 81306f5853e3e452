//! What cells contribute: their multipliers times their differences, summed over the background.
//! Twin: `shaders/contributions.wgsl`

use crate::binding::{bindings, params};
use crate::simd::{Simd, instances};
use crate::tile::{LANES, Side, Tile};

bindings! {
    x: Read,
    r: Read,
    weights: Read,
    multipliers: Read,
    high: Write,
    low: Write,
}

params! {
    /// Parameters of the shader.
    {
        /// Cells.
        cells,
        /// Outputs of the tile.
        outputs,
        /// Rows of the tile.
        rows,
        /// Background rows of a row.
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
        /// The weight of the first background row.
        first_weight,
        /// Cells of a row of sums.
        all_cells,
        /// The first of these.
        first_cell,
        /// Outputs of a cell of sums.
        all_outputs,
        /// The first of these.
        first_output,
        /// 0.
        zero,
    }
}

/// Background rows of which the shader makes one number: those of a tile begin with a whole run.
pub const RUN: u32 = 32;

/// Invocations of the shader that add up one sum.
pub const TEAM: u32 = 8;

instances! { wide
    /// Adds to `sums`, (cell, output), the products of multipliers, (cell, lane of the tile), with the differences of
    /// the two sides of each pair, and with the pair's weight: of as many pairs as there are weights, from `first` on.
    pub fn contribute = run(
        sides: [Side<'_>; 2], first: usize, weights: &[f32], tile: Tile, multipliers: &[f32],
        sums: &mut [f64],
    )
}

#[inline(always)]
fn run<S: Simd>(
    sides: [Side<'_>; 2],
    first: usize,
    weights: &[f32],
    tile: Tile,
    multipliers: &[f32],
    sums: &mut [f64],
) {
    let (vectors, rest) = weights.as_chunks::<LANES>();
    for cell in 0..multipliers.len() / tile.stride() {
        for output in 0..tile.outputs {
            let start = tile.start(cell, output) + first;
            let mut lane_sums = [0.0_f32; LANES];
            let mut at = 0;
            for weights in vectors {
                let numbers = [
                    part(&sides[0], cell, first + at, LANES),
                    part(&sides[1], cell, first + at, LANES),
                    padded(multipliers, start + at, LANES),
                ];
                add::<S>(&numbers, weights, &mut lane_sums);
                at += LANES;
            }
            if !rest.is_empty() {
                // Pairs of a row need not begin, or end, where a vector does.
                let numbers = [
                    part(&sides[0], cell, first + at, rest.len()),
                    part(&sides[1], cell, first + at, rest.len()),
                    padded(multipliers, start + at, rest.len()),
                ];
                add::<S>(&numbers, &padded(rest, 0, rest.len()), &mut lane_sums);
            }
            let sum: f64 = lane_sums.iter().map(|&sum| f64::from(sum)).sum();
            sums[cell * tile.outputs + output] += sum;
        }
    }
}

#[inline(always)]
fn add<S: Simd>([x, r, m]: &[[f32; LANES]; 3], weights: &[f32; LANES], sums: &mut [f32; LANES]) {
    let before = *sums;
    for l in 0..LANES {
        let product = m[l] * (x[l] - r[l]);
        // Where examples are alike, whatever the multiplier is.
        let product = if x[l] == r[l] { 0.0 } else { product };
        sums[l] = S::fused(weights[l], product, before[l]);
    }
}

/// What `lanes` pairs have, from the pair `at` on; 0 behind them.
#[inline(always)]
fn part(side: &Side<'_>, cell: usize, at: usize, lanes: usize) -> [f32; LANES] {
    let start = cell * side.stride + side.first;
    if side.is_one {
        [side.numbers[start]; LANES]
    } else {
        padded(side.numbers, start + at, lanes)
    }
}

#[inline(always)]
fn padded(numbers: &[f32], start: usize, lanes: usize) -> [f32; LANES] {
    let mut read = [0.0; LANES];
    if lanes == LANES {
        read.copy_from_slice(&numbers[start..start + LANES]);
    } else {
        read[..lanes].copy_from_slice(&numbers[start..start + lanes]);
    }
    read
}

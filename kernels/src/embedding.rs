//! Rows of a table, and what their multipliers make of the numbers that name them.
//! Twin: `shaders/embedding.wgsl`
//!
//! A number that names a row has the rescale rule's multiplier: what the row's numbers contribute together, divided by the
//! difference of the two numbers. What it contributes therefore is the sum over the row.

use crate::binding::{bindings, params};
use crate::simd::{Simd, instances};
use crate::tile::{LANES, Side, Tile, read, write};

bindings! {
    table: Read,
    x: Read,
    r: Read,
    y: Read,
    s: Read,
    outward: Read,
    inward: Write,
}

params! {
    /// Parameters of the shader.
    {
        /// Numbers that name rows, or, where rows are looked up, those that are written.
        cells,
        /// Numbers of a row.
        width,
        /// Rows.
        entries,
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
        /// 1 to look up rows.
        values,
        /// 1 to add to what is there.
        adds,
    }
}

/// Writes the rows, of `width` numbers, that the cells of `x` name to `y`, both (cell, lane), `stride` lanes each.
pub fn look_up(table: &[f32], width: usize, x: &[f32], y: &mut [f32], stride: usize) {
    let entries = table.len() / width;
    let cells = x.chunks(stride).zip(y.chunks_mut(width * stride));
    for (x, y) in cells {
        for (lane, &entry) in x.iter().enumerate() {
            let entry = (entry as usize).min(entries - 1);
            let row = &table[entry * width..(entry + 1) * width];
            for (column, &number) in row.iter().enumerate() {
                y[column * stride + lane] = number;
            }
        }
    }
}

instances! { wide
    /// Writes the multipliers of the numbers to `inward`, given those of the rows, `outward`, both (cell, lane of the tile);
    /// `inputs` and `results` are the two sides of the pairs. With `adds`, adds them.
    pub fn share_rows = run(
        width: usize, inputs: [Side<'_>; 2], results: [Side<'_>; 2], tile: Tile, outward: &[f32],
        inward: &mut [f32], adds: bool,
    )
}

#[inline(always)]
fn run<S: Simd>(
    width: usize,
    inputs: [Side<'_>; 2],
    results: [Side<'_>; 2],
    tile: Tile,
    outward: &[f32],
    inward: &mut [f32],
    adds: bool,
) {
    for cell in 0..outward.len() / tile.stride() / width {
        for at in (0..tile.pairs).step_by(LANES) {
            let x = inputs[0].read(cell, at);
            let r = inputs[1].read(cell, at);
            for output in 0..tile.outputs {
                let mut sums = [0.0_f32; LANES];
                for number in cell * width..(cell + 1) * width {
                    let y = results[0].read(number, at);
                    let s = results[1].read(number, at);
                    let m = read(outward, tile.start(number, output) + at);
                    for l in 0..LANES {
                        sums[l] = S::fused(m[l], y[l] - s[l], sums[l]);
                    }
                }
                let start = tile.start(cell, output) + at;
                let mut multipliers = [0.0; LANES];
                if adds {
                    multipliers = read(inward, start);
                }
                for l in 0..LANES {
                    let quotient = sums[l] / (x[l] - r[l]);
                    multipliers[l] += if x[l] == r[l] { 0.0 } else { quotient };
                }
                write(inward, start, &multipliers);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::share_rows;
    use crate::Level;
    use crate::tile::{LANES, Side, Tile};

    #[test]
    fn a_number_that_stays_has_no_multiplier_and_others_share_their_row() {
        let side = |numbers| Side {
            numbers,
            stride: LANES,
            first: 0,
            is_one: false,
        };
        let tile = Tile {
            pairs: LANES,
            outputs: 1,
        };
        // Tokens 3 and 5 against 5, whose rows are one number: 1 and 4 against 4.
        let (mut x, mut y) = ([3.0; LANES], [1.0; LANES]);
        (x[1], y[1]) = (5.0, 4.0);
        let (r, s) = ([5.0; LANES], [4.0; LANES]);
        for level in Level::available() {
            let mut inward = [7.0; LANES];
            let inputs = [side(&x), side(&r)];
            let results = [side(&y), side(&s)];
            let outward = [2.0; LANES];
            share_rows(
                level,
                1,
                inputs,
                results,
                tile,
                &outward,
                &mut inward,
                false,
            );
            assert_eq!([inward[0], inward[1]], [3.0, 0.0]);
        }
    }
}

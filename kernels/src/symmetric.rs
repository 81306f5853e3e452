//! Products of float64 matrices, by blocks of rows, that threads share: bits do not depend on how many these are.

use std::ops::Range;

use ndarray::linalg::general_mat_mul;
use ndarray::{ArrayRef2, ArrayViewMut2, Axis, s};
use rayon::prelude::*;

/// Rows of a block.
const BLOCK: usize = 128;

/// Adds a bᵀ of `a` and `b`, (size, products) each, times a factor to a matrix (size, size), where that product is
/// symmetric. Cells above the diagonal are left with anything: see [`mirror`].
pub fn add_lower(factor: f64, a: &ArrayRef2<f64>, b: &ArrayRef2<f64>, to: ArrayViewMut2<'_, f64>) {
    in_blocks(to, |rows, mut to| {
        let (a, b) = (a.slice(s![rows.clone(), ..]), b.slice(s![..rows.end, ..]));
        let mut to = to.slice_mut(s![.., ..rows.end]);
        general_mat_mul(factor, &a, &b.t(), 1.0, &mut to);
    });
}

/// Calls a function for each block of a matrix's rows, with the numbers of these: all threads take part.
pub fn in_blocks(
    mut matrix: ArrayViewMut2<'_, f64>,
    each: impl Fn(Range<usize>, ArrayViewMut2<'_, f64>) + Sync,
) {
    let blocks = matrix.axis_chunks_iter_mut(Axis(0), BLOCK).enumerate();
    let blocks: Vec<_> = blocks.collect();
    blocks.into_par_iter().for_each(|(block, rows)| {
        let first = block * BLOCK;
        each(first..first + rows.nrows(), rows);
    });
}

/// Copies what is below the diagonal to above it.
pub fn mirror(mut matrix: ArrayViewMut2<'_, f64>) {
    let size = matrix.nrows();
    // Of a square, rows and columns are both in the cache.
    for i in (0..size).step_by(SQUARE) {
        for j in (0..=i).step_by(SQUARE) {
            for i in i..(i + SQUARE).min(size) {
                for j in j..(j + SQUARE).min(i) {
                    matrix[[j, i]] = matrix[[i, j]];
                }
            }
        }
    }
}

/// Rows and columns that [`mirror`] copies at a time.
const SQUARE: usize = 32;

//! Products of two numbers that both change, and the matrix products made of them.
//! Twin: `shaders/products.wgsl`
//!
//! The difference of a product, `a b − a₀ b₀`, is `½(b + b₀) (a − a₀) + ½(a + a₀) (b − b₀)`: each factor has the mean of the
//! other as its multiplier, which is the Shapley value of the game of the two.
#![allow(
    clippy::needless_range_loop,
    reason = "lanes by their number: what the compiler vectorises"
)]

use crate::binding::{bindings, params};
use crate::rescale::spread;
use crate::simd::{Simd, instances};
use crate::tile::{LANES, Side, Tile, read, write};

bindings! {
    outward: Read,
    x: Read,
    r: Read,
    y: Write,
}

params! {
    /// Parameters of the shader.
    {
        /// Matrices of each.
        batch,
        /// Rows of the first and of the product.
        rows,
        /// Columns of the first, rows of the second.
        inner,
        /// Columns of the second and of the product.
        columns,
        /// Cells from one row of the first to the next.
        first_row_step,
        /// Cells from one column of the first to the next.
        first_column_step,
        /// Cells from one row of the second to the next.
        second_row_step,
        /// Cells from one column of the second to the next.
        second_column_step,
        /// Pairs.
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
        /// Lanes that are computed.
        lanes,
        /// Which factor is the mean of two sides: [`Mean`].
        mean,
        /// 1 to add to what is there.
        adds,
    }
}

/// Which factor of a product, on a GPU, is the mean of the two sides of pairs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mean {
    /// None: the factors are values.
    Neither,
    /// The first.
    First,
    /// The second.
    Second,
}

impl Mean {
    /// Its number in the shader.
    pub const fn code(self) -> u32 {
        self as u32
    }
}

/// Writes the products of `a` and `b` to `y`, all of one size.
pub fn multiply(a: &[f32], b: &[f32], y: &mut [f32]) {
    for ((a, b), y) in a.iter().zip(b).zip(y) {
        *y = a * b;
    }
}

instances! { wide
    /// Writes the multipliers of one factor to `inward`, given those of the products, `outward`, both (cell, lane of the
    /// tile), and the two sides of the other factor. With `adds`, adds them.
    pub fn share = run(
        other: [Side<'_>; 2], tile: Tile, outward: &[f32], inward: &mut [f32], adds: bool,
    )
}

#[inline(always)]
fn run<S: Simd>(other: [Side<'_>; 2], tile: Tile, outward: &[f32], inward: &mut [f32], adds: bool) {
    for cell in 0..outward.len() / tile.stride() {
        for at in (0..tile.pairs).step_by(LANES) {
            let factors = mean(other, cell, at);
            spread::<S>(tile, [cell, at], &factors, outward, inward, adds);
        }
    }
}

/// The mean of two sides.
#[inline(always)]
fn mean(sides: [Side<'_>; 2], cell: usize, at: usize) -> [f32; LANES] {
    let (x, r) = (sides[0].read(cell, at), sides[1].read(cell, at));
    let mut means = [0.0; LANES];
    for l in 0..LANES {
        means[l] = 0.5 * (x[l] + r[l]);
    }
    means
}

/// `batch` products of matrices (rows, inner) and (inner, columns), or of transposed ones: cells are where the strides
/// say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Matrices of each.
    pub batch: usize,
    /// Rows of the first and of the product.
    pub rows: usize,
    /// Columns of the first, rows of the second.
    pub inner: usize,
    /// Columns of the second and of the product.
    pub columns: usize,
    /// Cells from one row of the first to the next, and from one column.
    pub first: [usize; 2],
    /// The same of the second.
    pub second: [usize; 2],
}

impl Shape {
    /// Of matrices that lie row by row.
    pub fn new(batch: usize, rows: usize, inner: usize, columns: usize) -> Self {
        Self {
            batch,
            rows,
            inner,
            columns,
            first: [inner, 1],
            second: [columns, 1],
        }
    }

    /// The product that the multipliers of the first factor are: those of the product times the second, transposed.
    #[must_use]
    pub fn to_first(self) -> Self {
        Self {
            inner: self.columns,
            columns: self.inner,
            first: [self.columns, 1],
            second: [1, self.columns],
            ..self
        }
    }

    /// The product that the multipliers of the second factor are: the first, transposed, times those of the product.
    #[must_use]
    pub fn to_second(self) -> Self {
        Self {
            rows: self.inner,
            inner: self.rows,
            first: [1, self.inner],
            second: [self.columns, 1],
            ..self
        }
    }
}

/// Rows, and columns, that are computed together.
const BLOCK: usize = 4;

instances! { wide
    /// Writes, or with `adds` adds, the products of matrices of which one, by its lanes, has `repeats` of the pairs of the
    /// other: `a` (cell, pair) and `b` (cell, lane), or the other way round, to `y` (cell, lane).
    pub fn multiply_matrices = matrices(
        shape: Shape, a: Factor<'_>, b: Factor<'_>, tile: Tile, y: &mut [f32], adds: bool,
    )
}

/// A factor: (cell, lane), of a lane for each pair and output, or of one for each pair, which all outputs share.
#[derive(Debug, Clone, Copy)]
pub struct Factor<'a> {
    /// Its numbers.
    pub numbers: &'a [f32],
    /// Whether outputs share them.
    pub is_shared: bool,
}

impl Factor<'_> {
    /// Where the lanes of a cell begin.
    #[inline(always)]
    fn start(&self, tile: Tile, cell: usize, output: usize) -> usize {
        if self.is_shared {
            cell * tile.pairs
        } else {
            tile.start(cell, output)
        }
    }
}

#[inline(always)]
fn matrices<S: Simd>(
    shape: Shape,
    a: Factor<'_>,
    b: Factor<'_>,
    tile: Tile,
    y: &mut [f32],
    adds: bool,
) {
    let Shape {
        batch,
        rows,
        inner,
        columns,
        first,
        second,
    } = shape;
    for matrix in 0..batch {
        let (a_start, b_start) = (matrix * rows * inner, matrix * inner * columns);
        for output in 0..tile.outputs {
            for at in (0..tile.pairs).step_by(LANES) {
                for top in (0..rows).step_by(BLOCK) {
                    for left in (0..columns).step_by(BLOCK) {
                        // Blocks that stick out take the last row and column again.
                        let row = |i: usize| (top + i).min(rows - 1);
                        let column = |j: usize| (left + j).min(columns - 1);
                        let mut sums = [[[0.0_f32; LANES]; BLOCK]; BLOCK];
                        for k in 0..inner {
                            let mut x = [[0.0; LANES]; BLOCK];
                            let mut w = [[0.0; LANES]; BLOCK];
                            for i in 0..BLOCK {
                                let cell = a_start + row(i) * first[0] + k * first[1];
                                x[i] = read(a.numbers, a.start(tile, cell, output) + at);
                                let cell = b_start + k * second[0] + column(i) * second[1];
                                w[i] = read(b.numbers, b.start(tile, cell, output) + at);
                            }
                            for i in 0..BLOCK {
                                for j in 0..BLOCK {
                                    for l in 0..LANES {
                                        sums[i][j][l] = S::fused(x[i][l], w[j][l], sums[i][j][l]);
                                    }
                                }
                            }
                        }
                        for i in 0..BLOCK.min(rows - top) {
                            for j in 0..BLOCK.min(columns - left) {
                                let cell = (matrix * rows + top + i) * columns + left + j;
                                let start = tile.start(cell, output) + at;
                                let mut sum = sums[i][j];
                                if adds {
                                    let before = read(y, start);
                                    for l in 0..LANES {
                                        sum[l] += before[l];
                                    }
                                }
                                write(y, start, &sum);
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Writes the means of two sides to `means`, (cell, pair).
pub fn means(sides: [Side<'_>; 2], pairs: usize, means: &mut [f32]) {
    for cell in 0..means.len() / pairs {
        for at in (0..pairs).step_by(LANES) {
            let mean = mean(sides, cell, at);
            write(means, cell * pairs + at, &mean);
        }
    }
}

//! Cells times constants.
//! Twin: `shaders/scale.wgsl`

use crate::binding::{bindings, params};
use crate::simd::{Simd, instances};
use crate::tile::{LANES, write};

bindings! {
    factors: Read,
    shifts: Read,
    x: Read,
    y: Write,
}

params! {
    /// Parameters of the shader.
    {
        /// Cells.
        cells,
        /// Numbers from one cell to the next: all lanes.
        stride,
        /// Factors.
        factors,
        /// Cells in a row that have the same factor.
        factors_inner,
        /// What is added: how many, 0 for nothing.
        shifts,
        /// Cells in a row that have the same added.
        shifts_inner,
        /// 1 to add to what is there.
        adds,
        /// 1 to read what is there.
        in_place,
    }
}

/// Constants that repeat: cell `c` has `values[c / inner % values.len()]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Channels {
    /// At least one.
    pub values: Vec<f32>,
    /// Cells in a row that have the same.
    pub inner: usize,
}

impl Channels {
    /// One constant for all cells.
    pub fn one(value: f32) -> Self {
        Self {
            values: vec![value],
            inner: 1,
        }
    }

    /// The constant of a cell.
    #[inline(always)]
    pub fn at(&self, cell: usize) -> f32 {
        self.values[cell / self.inner % self.values.len()]
    }
}

instances! { wide
    /// Writes `factors · x` to `y`, both (cell, lane), `stride` lanes each, plus constants where there are some; with `adds`,
    /// adds it.
    pub fn scale = run(
        factors: &Channels, shifts: Option<&Channels>, x: &[f32], y: &mut [f32], stride: usize,
        adds: bool,
    )
}

/// Multiplies `x`, (cell, lane), by the factors.
pub fn scale_in_place(factors: &Channels, x: &mut [f32], stride: usize) {
    for (cell, x) in x.chunks_mut(stride).enumerate() {
        let factor = factors.at(cell);
        for x in x {
            *x *= factor;
        }
    }
}

#[inline(always)]
fn run<S: Simd>(
    factors: &Channels,
    shifts: Option<&Channels>,
    x: &[f32],
    y: &mut [f32],
    stride: usize,
    adds: bool,
) {
    for cell in 0..x.len() / stride {
        let factor = factors.at(cell);
        let shift = shifts.map_or(0.0, |shifts| shifts.at(cell));
        let start = cell * stride;
        for at in (0..stride).step_by(LANES) {
            let mut sums = [shift; LANES];
            if adds {
                for l in 0..LANES {
                    sums[l] += y[start + at + l];
                }
            }
            for l in 0..LANES {
                sums[l] = S::fused(factor, x[start + at + l], sums[l]);
            }
            write(y, start + at, &sums);
        }
    }
}

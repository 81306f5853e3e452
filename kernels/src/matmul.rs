//! Products of matrices in the three transpositions that a layer needs: of its inputs, of what is asked of its inputs,
//! and of what is asked of its weights.
//! Twin: `shaders/matmul.wgsl`
#![allow(
    clippy::needless_range_loop,
    reason = "registers by their number: what the compiler unrolls"
)]

use crate::binding::{bindings, params};
use crate::matrix::{LINE, Line, Rows};
use crate::simd::wide::{Wide, wide_instances};
use crate::simd::{Simd, instances};

bindings! {
    a: Read,
    b: Read,
    biases: Read,
    c: Write,
}

params! {
    /// Parameters of the shader.
    {
        /// Rows of c.
        rows,
        /// Columns of c.
        columns,
        /// Products of each of its sums.
        products,
        /// Products of a part.
        part,
        /// Parts.
        parts,
        /// Where a begins.
        a_start,
        /// From one row of a to the next.
        a_row,
        /// From one column of a to the next.
        a_column,
        /// Where b begins.
        b_start,
        /// From one row of b to the next.
        b_row,
        /// From one column of b to the next.
        b_column,
        /// Where c begins.
        c_start,
        /// From one row of c to the next.
        c_row,
        /// From one part of c to the next.
        c_part,
        /// 1 to add the biases of the columns.
        biased,
        /// Where they begin.
        bias_start,
        /// 1 to add to what is there.
        adds,
    }
}

/// The weights of a layer, or sums for each of them: in panels of [`LINE`] outputs, input by input.
#[derive(Debug, Clone, Default)]
pub struct Panels {
    /// (panel, input, output of the panel).
    lines: Vec<Line>,
    /// (panel, output of the panel).
    biases: Vec<Line>,
    inputs: usize,
}

/// Rows and columns that a workgroup of the shader owns.
pub const SIDE: u32 = 32;

/// Products that it reads at a time.
pub const DEPTH: u32 = 16;

/// Rows of a tile, at most.
const TALL: usize = 6;

/// Rows whose products are summed before the next panels, so that a cache still has them.
const NEAR: usize = 128;

impl Panels {
    /// Zeros.
    pub fn zeros(inputs: usize, outputs: usize) -> Self {
        let panels = outputs.div_ceil(LINE);
        Self {
            lines: vec![Line::ZERO; panels * inputs],
            biases: vec![Line::ZERO; panels],
            inputs,
        }
    }

    /// Sets all to 0.
    pub fn clear(&mut self) {
        self.lines.fill(Line::ZERO);
        self.biases.fill(Line::ZERO);
    }

    /// Outputs, and those that fill the last panel.
    pub fn outputs(&self) -> usize {
        self.biases.len() * LINE
    }

    /// The weight of an input and an output.
    pub fn weight(&mut self, input: usize, output: usize) -> &mut f32 {
        let line = output / LINE * self.inputs + input;
        &mut self.lines[line].0[output % LINE]
    }

    /// The bias of an output.
    pub fn bias(&mut self, output: usize) -> &mut f32 {
        &mut self.biases[output / LINE].0[output % LINE]
    }

    /// Adds the sums of others, of the same layer.
    pub fn add(&mut self, others: &Self) {
        let lines = self.lines.iter_mut().zip(&others.lines);
        let biases = self.biases.iter_mut().zip(&others.biases);
        for (to, from) in lines.chain(biases) {
            for l in 0..LINE {
                to.0[l] += from.0[l];
            }
        }
    }
}

wide_instances! {
    /// Writes the outputs of `rows` rows of inputs: their products with the weights and the biases; with `adds`, adds the
    /// products to what is there. Rows of `y` are `stride` apart and have whole lines.
    pub fn multiply = run_multiply(
        panels: &Panels, x: Rows<'_>, rows: usize, y: &mut [f32], stride: usize, adds: bool,
    )
}

wide_instances! {
    /// Adds the products of rows of inputs and of what is asked of outputs, whose numbers are `pairs`, to the sums of
    /// the weights. Rows of `y` have whole lines.
    pub fn outer = run_outer(panels: &mut Panels, x: Rows<'_>, y: Rows<'_>, pairs: &[[u32; 2]])
}

instances! { wide
    /// Adds what is asked of outputs, in `rows` rows, to the sums of the biases.
    pub fn sum_rows = run_sum_rows(panels: &mut Panels, y: Rows<'_>, rows: usize)
}

/// Vectors of a tile, at most: with the rows of [`TALL`], what registers hold.
#[inline(always)]
fn widest<W: Wide>() -> usize {
    if W::REGISTERS == 32 {
        4
    } else {
        LINE / W::LANES
    }
}

/// Calls `$tile` for `$count` things from 0 on: as many together as there are, of 6, 4, 2 and 1.
macro_rules! together {
    ($count:expr, $first:ident => $tile:ident::<$w:ident, $v:ident>($($arg:expr),*)) => {
        let mut $first = 0;
        while $first < $count {
            match $count - $first {
                1 => { $tile::<$w, 1, $v>($($arg),*); $first += 1; }
                2 | 3 => { $tile::<$w, 2, $v>($($arg),*); $first += 2; }
                4 | 5 => { $tile::<$w, 4, $v>($($arg),*); $first += 4; }
                _ => { $tile::<$w, TALL, $v>($($arg),*); $first += TALL; }
            }
        }
    };
}

#[inline(always)]
fn run_multiply<W: Wide>(
    panels: &Panels,
    x: Rows<'_>,
    rows: usize,
    y: &mut [f32],
    stride: usize,
    adds: bool,
) {
    let vectors = panels.biases.len() * LINE / W::LANES;
    let mut vector = 0;
    while vector < vectors {
        match widest::<W>().min(vectors - vector) {
            4 => rows_of::<W, 4>(panels, vector, x, rows, y, stride, adds),
            3 => rows_of::<W, 3>(panels, vector, x, rows, y, stride, adds),
            2 => rows_of::<W, 2>(panels, vector, x, rows, y, stride, adds),
            _ => rows_of::<W, 1>(panels, vector, x, rows, y, stride, adds),
        }
        vector += widest::<W>();
    }
}

#[inline(always)]
fn rows_of<W: Wide, const V: usize>(
    panels: &Panels,
    vector: usize,
    x: Rows<'_>,
    rows: usize,
    y: &mut [f32],
    stride: usize,
    adds: bool,
) {
    together! { rows, row => products::<W, V>(panels, vector, x, row, y, stride, adds) }
}

/// `V` vectors of outputs of `R` rows. The first one begins a panel.
#[inline(always)]
fn products<W: Wide, const R: usize, const V: usize>(
    panels: &Panels,
    vector: usize,
    x: Rows<'_>,
    row: usize,
    y: &mut [f32],
    stride: usize,
    adds: bool,
) {
    let inputs = panels.inputs;
    let first = vector * W::LANES;
    let mut sums = [[W::splat(0.0); V]; R];
    let mut weights = [&panels.lines[..0]; V];
    for v in 0..V {
        let panel = first / LINE + v * W::LANES / LINE;
        weights[v] = &panels.lines[panel * inputs..][..inputs];
        let bias = W::load(&panels.biases[panel].0[v * W::LANES % LINE..]);
        for r in 0..R {
            sums[r][v] = bias;
        }
    }
    if adds {
        for r in 0..R {
            let y = &y[(row + r) * stride + first..][..V * W::LANES];
            for v in 0..V {
                sums[r][v] = W::load(&y[v * W::LANES..]);
            }
        }
    }
    let mut cells = [&x.numbers[..0]; R];
    for r in 0..R {
        cells[r] = &x.numbers[(row + r) * x.stride..][..inputs];
    }
    for k in 0..inputs {
        let mut vectors = [W::splat(0.0); V];
        for v in 0..V {
            vectors[v] = W::load(&weights[v][k].0[v * W::LANES % LINE..]);
        }
        for r in 0..R {
            let cell = W::splat(cells[r][k]);
            for v in 0..V {
                sums[r][v] = W::mul_add(cell, vectors[v], sums[r][v]);
            }
        }
    }
    for r in 0..R {
        let y = &mut y[(row + r) * stride + first..][..V * W::LANES];
        for v in 0..V {
            W::store(sums[r][v], &mut y[v * W::LANES..]);
        }
    }
}

#[inline(always)]
fn run_outer<W: Wide>(panels: &mut Panels, x: Rows<'_>, y: Rows<'_>, pairs: &[[u32; 2]]) {
    let vectors = panels.biases.len() * LINE / W::LANES;
    for pairs in pairs.chunks(NEAR) {
        let mut vector = 0;
        while vector < vectors {
            match widest::<W>().min(vectors - vector) {
                4 => inputs_of::<W, 4>(panels, vector, x, y, pairs),
                3 => inputs_of::<W, 3>(panels, vector, x, y, pairs),
                2 => inputs_of::<W, 2>(panels, vector, x, y, pairs),
                _ => inputs_of::<W, 1>(panels, vector, x, y, pairs),
            }
            vector += widest::<W>();
        }
    }
}

#[inline(always)]
fn inputs_of<W: Wide, const V: usize>(
    panels: &mut Panels,
    vector: usize,
    x: Rows<'_>,
    y: Rows<'_>,
    pairs: &[[u32; 2]],
) {
    together! { panels.inputs, input => add_products::<W, V>(panels, vector, input, x, y, pairs) }
}

/// `V` vectors of outputs for `R` inputs. The first one begins a panel.
#[inline(always)]
fn add_products<W: Wide, const R: usize, const V: usize>(
    panels: &mut Panels,
    vector: usize,
    input: usize,
    x: Rows<'_>,
    y: Rows<'_>,
    pairs: &[[u32; 2]],
) {
    let first = vector * W::LANES;
    let mut sums = [[W::splat(0.0); V]; R];
    for r in 0..R {
        for v in 0..V {
            let line = (first / LINE + v * W::LANES / LINE) * panels.inputs + input + r;
            sums[r][v] = W::load(&panels.lines[line].0[v * W::LANES % LINE..]);
        }
    }
    for &[from, to] in pairs {
        let cells = &x.numbers[from as usize * x.stride + input..][..R];
        let asked = &y.numbers[to as usize * y.stride + first..][..V * W::LANES];
        let mut vectors = [W::splat(0.0); V];
        for v in 0..V {
            vectors[v] = W::load(&asked[v * W::LANES..]);
        }
        for r in 0..R {
            let cell = W::splat(cells[r]);
            for v in 0..V {
                sums[r][v] = W::mul_add(cell, vectors[v], sums[r][v]);
            }
        }
    }
    for r in 0..R {
        for v in 0..V {
            let line = (first / LINE + v * W::LANES / LINE) * panels.inputs + input + r;
            W::store(sums[r][v], &mut panels.lines[line].0[v * W::LANES % LINE..]);
        }
    }
}

#[inline(always)]
fn run_sum_rows<S: Simd>(panels: &mut Panels, y: Rows<'_>, rows: usize) {
    for (panel, sums) in panels.biases.iter_mut().enumerate() {
        for row in 0..rows {
            let asked = &y.numbers[row * y.stride + panel * LINE..][..LINE];
            for l in 0..LINE {
                sums.0[l] += asked[l];
            }
        }
    }
}

#[cfg(test)]
mod tests;

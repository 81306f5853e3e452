//! Gated recurrent units over sequences, forward and back (Cho et al. 2014, in the form of cuDNN, which `PyTorch` has).
//! Twin: `shaders/gru.wgsl`
//!
//! With the inputs' part a of the three gates and the state's part c of them,
//! `r = σ(aᵣ + cᵣ)`, `z = σ(a_z + c_z)`, `n = tanh(aₙ + r·cₙ)` and `h = (1 − z)·n + z·h₋₁`. Both directions of a
//! sequence keep the states of a word in one row.
#![allow(
    clippy::needless_range_loop,
    reason = "lanes by their number: what the compiler vectorises"
)]

use crate::binding::{bindings, params};
use crate::matmul::{Panels, multiply};
use crate::matrix::{LINE, Matrix, read, write};
use crate::saturation::{logistic, tanh};
use crate::simd::{Level, Simd, instances};

bindings! {
    sequences: Read,
    dense: Read,
    asked: Read,
    gates: Write,
    states: Write,
    before: Write,
    carry: Write,
}

params! {
    /// Parameters of the shader.
    {
        /// Units.
        hidden,
        /// Sequences.
        count,
        /// The first time.
        begin,
        /// The end of the times.
        end,
        /// 1 to go back.
        back,
        /// Where the weights of the states' parts begin, forward in the sequence.
        weights_0,
        /// The same, backward.
        weights_1,
        /// Where their biases begin, forward.
        bias_0,
        /// The same, backward.
        bias_1,
    }
}

/// Units that the shader can hold.
pub const MOST_HIDDEN: u32 = 512;

/// Sequences whose rows follow one another, taken longest first: those that last are the first ones at any time.
#[derive(Debug, Clone, Default)]
pub struct Sequences {
    /// First row and length, longest first.
    sorted: Vec<[u32; 2]>,
    /// Where each sequence begins, in the order of the rows, and where the last ends.
    offsets: Vec<u32>,
    /// Of each time: the sequences that last longer.
    active: Vec<u32>,
}

impl Sequences {
    /// Of so many rows each.
    pub fn new(lengths: impl IntoIterator<Item = u32>) -> Self {
        let mut offsets = vec![0];
        let mut sorted = Vec::new();
        for length in lengths {
            let first = offsets[offsets.len() - 1];
            sorted.push([first, length]);
            offsets.push(first + length);
        }
        sorted.sort_by_key(|&[_, length]| std::cmp::Reverse(length));
        let longest = sorted.first().map_or(0, |&[_, length]| length);
        let mut active = vec![0; longest as usize];
        let mut count = sorted.len();
        for (time, active) in (0..).zip(&mut active) {
            while count > 0 && sorted[count - 1][1] <= time {
                count -= 1;
            }
            *active = count as u32;
        }
        Self {
            sorted,
            offsets,
            active,
        }
    }

    /// Rows of all sequences.
    pub fn rows(&self) -> usize {
        self.offsets.last().map_or(0, |&end| end as usize)
    }

    /// Sequences.
    pub fn count(&self) -> usize {
        self.sorted.len()
    }

    /// The length of the longest.
    pub fn longest(&self) -> usize {
        self.active.len()
    }

    /// First row and length of each, longest first.
    pub fn sorted(&self) -> &[[u32; 2]] {
        &self.sorted
    }

    /// Where each begins, in the order of the rows, and where the last ends.
    pub fn offsets(&self) -> &[u32] {
        &self.offsets
    }

    /// The rows of a state and of the step that begins with it, for all steps but the first ones.
    pub fn links(&self, is_reversed: bool) -> Vec<[u32; 2]> {
        let mut links = Vec::with_capacity(self.rows());
        for ends in self.offsets.windows(2) {
            for row in ends[0] + 1..ends[1] {
                links.push(if is_reversed {
                    [row, row - 1]
                } else {
                    [row - 1, row]
                });
            }
        }
        links
    }

    /// The row of a sequence at a time.
    #[inline(always)]
    fn row(&self, rank: usize, time: usize, is_reversed: bool) -> usize {
        let [first, length] = self.sorted[rank];
        if is_reversed {
            (first + length) as usize - 1 - time
        } else {
            first as usize + time
        }
    }
}

/// One direction.
#[derive(Debug, Clone, Copy)]
pub struct Way {
    /// Numbers of a state.
    pub hidden: usize,
    /// Whether it goes from the last row to the first.
    pub is_reversed: bool,
    /// The first column of its states.
    pub column: usize,
}

impl Way {
    /// Columns of a row of gates: n, r, z and cₙ, and enough to read whole lines.
    pub fn gates(hidden: usize) -> usize {
        4 * hidden + LINE
    }
}

/// What a pass has beside its rows: sequence by sequence.
#[derive(Debug, Clone, Default)]
pub struct Scratch {
    /// The state, or what is asked of it.
    state: Matrix,
    /// The state's part of the gates, or what is asked of it.
    parts: Matrix,
}

/// Runs a direction. `gates` has the inputs' parts in its first columns, in the order n, r, z, and gets n, r, z and cₙ;
/// `states` gets the states. `recurrent` has the gates in the order r, z, n.
pub fn forward(
    level: Level,
    way: Way,
    sequences: &Sequences,
    recurrent: &Panels,
    gates: &mut Matrix,
    states: &mut Matrix,
    scratch: &mut Scratch,
) {
    let count = sequences.count();
    scratch.state.reset(count, way.hidden);
    scratch.parts.reset(count, 3 * way.hidden + LINE);
    for time in 0..sequences.longest() {
        let active = sequences.active[time] as usize;
        let Scratch { state, parts } = scratch;
        let stride = parts.stride();
        let x = state.from(0);
        multiply(
            level,
            recurrent,
            x,
            active,
            parts.numbers_mut(),
            stride,
            false,
        );
        step(level, way, sequences, time, gates, states, state, parts);
    }
}

/// Goes back: `gates`, as [`forward`] left it, gets what is asked of the parts of the gates: n of the inputs' parts, r and
/// z of both, n of the state's. `asked` is what is asked of the states; `transposed` the weights of the state's parts
/// the other way round.
#[expect(clippy::too_many_arguments, reason = "a step's inputs and outputs")]
pub fn backward(
    level: Level,
    way: Way,
    sequences: &Sequences,
    transposed: &Panels,
    asked: &Matrix,
    states: &Matrix,
    gates: &mut Matrix,
    scratch: &mut Scratch,
) {
    let count = sequences.count();
    scratch.state.reset(count, way.hidden);
    scratch.parts.reset(count, 3 * way.hidden + LINE);
    for time in (0..sequences.longest()).rev() {
        let active = sequences.active[time] as usize;
        let Scratch { state, parts } = scratch;
        step_back(
            level, way, sequences, time, asked, states, gates, state, parts,
        );
        if time > 0 {
            let stride = state.stride();
            let x = parts.from(0);
            multiply(
                level,
                transposed,
                x,
                active,
                state.numbers_mut(),
                stride,
                true,
            );
        }
    }
}

instances! { wide
    fn step = run_step(
        way: Way, sequences: &Sequences, time: usize, gates: &mut Matrix, states: &mut Matrix,
        state: &mut Matrix, parts: &Matrix,
    )
}

#[inline(always)]
fn run_step<S: Simd>(
    way: Way,
    sequences: &Sequences,
    time: usize,
    gates: &mut Matrix,
    states: &mut Matrix,
    state: &mut Matrix,
    parts: &Matrix,
) {
    let hidden = way.hidden;
    for rank in 0..sequences.active[time] as usize {
        let row = sequences.row(rank, time, way.is_reversed);
        let (gates, states) = (gates.row_mut(row), states.row_mut(row));
        let (state, parts) = (state.row_mut(rank), parts.row(rank));
        for unit in (0..hidden).step_by(LINE) {
            let count = hidden - unit;
            let mut n = read(gates, unit);
            let mut r = read(gates, hidden + unit);
            let mut z = read(gates, 2 * hidden + unit);
            let (own_r, own_z) = (read(parts, unit), read(parts, hidden + unit));
            let own = read(parts, 2 * hidden + unit);
            let mut h = read(state, unit);
            for l in 0..LINE {
                r[l] += own_r[l];
                z[l] += own_z[l];
            }
            (r, z) = (logistic::<S>(r), logistic::<S>(z));
            for l in 0..LINE {
                n[l] = S::fused(r[l], own[l], n[l]);
            }
            n = tanh::<S>(n);
            for l in 0..LINE {
                h[l] = S::fused(z[l], h[l] - n[l], n[l]);
            }
            // What is still to be read lies behind what is written.
            write(gates, unit, &n, count);
            write(gates, hidden + unit, &r, count);
            write(gates, 2 * hidden + unit, &z, count);
            write(gates, 3 * hidden + unit, &own, count);
            write(state, unit, &h, LINE);
            write(states, way.column + unit, &h, count);
        }
    }
}

instances! { wide
    fn step_back = run_step_back(
        way: Way, sequences: &Sequences, time: usize, asked: &Matrix, states: &Matrix,
        gates: &mut Matrix, state: &mut Matrix, parts: &mut Matrix,
    )
}

#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "a step's inputs and outputs")]
fn run_step_back<S: Simd>(
    way: Way,
    sequences: &Sequences,
    time: usize,
    asked: &Matrix,
    states: &Matrix,
    gates: &mut Matrix,
    state: &mut Matrix,
    parts: &mut Matrix,
) {
    let hidden = way.hidden;
    for rank in 0..sequences.active[time] as usize {
        let row = sequences.row(rank, time, way.is_reversed);
        let before = (time > 0).then(|| sequences.row(rank, time - 1, way.is_reversed));
        let before = before.map(|row| states.row(row));
        let (gates, asked) = (gates.row_mut(row), asked.row(row));
        let (state, parts) = (state.row_mut(rank), parts.row_mut(rank));
        for unit in (0..hidden).step_by(LINE) {
            let count = hidden - unit;
            let n = read(gates, unit);
            let r = read(gates, hidden + unit);
            let z = read(gates, 2 * hidden + unit);
            let own = read(gates, 3 * hidden + unit);
            let h = before.map_or([0.0; LINE], |h| read(h, way.column + unit));
            let (mut d, later) = (read(asked, way.column + unit), read(state, unit));
            let (mut dn, mut dr, mut dz, mut down) = (n, r, z, own);
            for l in 0..LINE {
                d[l] += later[l];
                dz[l] = d[l] * (h[l] - n[l]) * z[l] * (1.0 - z[l]);
                dn[l] = d[l] * (1.0 - z[l]) * (1.0 - n[l] * n[l]);
                dr[l] = dn[l] * own[l] * r[l] * (1.0 - r[l]);
                down[l] = dn[l] * r[l];
                d[l] *= z[l];
            }
            write(gates, unit, &dn, count);
            write(gates, hidden + unit, &dr, count);
            write(gates, 2 * hidden + unit, &dz, count);
            write(gates, 3 * hidden + unit, &down, count);
            write(parts, unit, &dr, count);
            write(parts, hidden + unit, &dz, count);
            write(parts, 2 * hidden + unit, &down, count);
            write(state, unit, &d, LINE);
        }
    }
}

#[cfg(test)]
mod tests;

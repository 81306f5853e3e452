//! Attention that pools the rows of a sequence: scores by a context vector, their softmax, and the mean that it weighs
//! (Yang et al. 2016), forward and back.
//! Twin: `shaders/attention.wgsl`
#![allow(
    clippy::needless_range_loop,
    reason = "lanes by their number: what the compiler vectorises"
)]

use crate::binding::{bindings, params};
use crate::matrix::{LINE, Line, Matrix, read, write};
use crate::saturation::tanh;
use crate::simd::{Simd, instances};

bindings! {
    sequences: Read,
    dense: Read,
    hidden: Write,
    states: Read,
    weights: Write,
    pooled: Write,
    asked_hidden: Write,
    asked_states: Write,
}

params! {
    /// Parameters of the shader.
    {
        /// Sequences.
        count,
        /// Rows of all of them.
        rows,
        /// Numbers that are compared with the context vector.
        attention,
        /// Numbers of a state.
        width,
        /// Where the context vector begins.
        context,
        /// 1 to go back.
        back,
        /// The seed of what is dropped.
        seed,
        /// The hashes that are dropped.
        below,
        /// The factor of the others, as bits.
        scale,
    }
}

/// Numbers of a state that the shader can hold.
pub const MOST_WIDTH: u32 = 1024;

/// Which numbers of pooled rows are dropped (Srivastava et al. 2014); what is left grows, so that means stay.
#[derive(Debug, Clone, Copy)]
pub struct Dropout {
    /// Seed of the step.
    pub seed: u32,
    /// Numbers whose hash is below it are dropped; 0 drops none.
    pub below: u32,
    /// What is left is multiplied by it.
    pub scale: f32,
    /// The number of the first row among all rows of the step.
    pub first: u32,
}

impl Dropout {
    /// Drops nothing.
    pub const NONE: Self = Self {
        seed: 0,
        below: 0,
        scale: 1.0,
        first: 0,
    };

    /// What a number is multiplied by.
    #[inline(always)]
    fn factor(self, row: usize, column: usize) -> f32 {
        let row = mix(self.seed ^ (self.first + row as u32).wrapping_mul(0x9E37_79B9));
        let hash = mix(row.wrapping_add((column as u32).wrapping_mul(0x85EB_CA6B)));
        if hash < self.below { 0.0 } else { self.scale }
    }

    fn apply(self, row: usize, numbers: &mut [f32]) {
        if self.below > 0 {
            for (column, number) in numbers.iter_mut().enumerate() {
                *number *= self.factor(row, column);
            }
        }
    }
}

/// Mixes the bits of a number (Ellis's `lowbias32`).
#[inline(always)]
fn mix(mut x: u32) -> u32 {
    x = (x ^ (x >> 16)).wrapping_mul(0x7FEB_352D);
    x = (x ^ (x >> 15)).wrapping_mul(0x846C_A68B);
    x ^ (x >> 16)
}

instances! { wide
    /// Pools sequences, which begin and end at `offsets`. `hidden` has what goes into tanh, and gets what comes out;
    /// `weights` gets the softmax by row, `pooled` a row of `width` numbers by sequence: 0 of an empty one.
    pub fn pool = run_pool(
        offsets: &[u32], context: &[Line], hidden: &mut Matrix, states: &Matrix, width: usize,
        weights: &mut [f32], pooled: &mut Matrix, dropout: Dropout,
    )
}

#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "the arguments of the kernel")]
fn run_pool<S: Simd>(
    offsets: &[u32],
    context: &[Line],
    hidden: &mut Matrix,
    states: &Matrix,
    width: usize,
    weights: &mut [f32],
    pooled: &mut Matrix,
    dropout: Dropout,
) {
    for (sequence, ends) in offsets.windows(2).enumerate() {
        let (first, end) = (ends[0] as usize, ends[1] as usize);
        let mut most = f32::NEG_INFINITY;
        for row in first..end {
            let cells = hidden.row_mut(row);
            let mut sums = [0.0; LINE];
            for (line, context) in context.iter().enumerate() {
                let y = tanh::<S>(read(cells, line * LINE));
                write(cells, line * LINE, &y, LINE);
                for l in 0..LINE {
                    sums[l] = S::fused(y[l], context.0[l], sums[l]);
                }
            }
            weights[row] = total(sums);
            most = most.max(weights[row]);
        }
        let weights = &mut weights[first..end];
        let mut sum = 0.0;
        for weight in &mut *weights {
            *weight = (*weight - most).exp();
            sum += *weight;
        }
        let to = pooled.row_mut(sequence);
        to.fill(0.0);
        for (row, weight) in (first..end).zip(weights) {
            *weight /= sum;
            let (to, _) = to.as_chunks_mut::<LINE>();
            for (line, to) in to.iter_mut().enumerate() {
                let state = read(states.row(row), line * LINE);
                for l in 0..LINE {
                    to[l] = S::fused(*weight, state[l], to[l]);
                }
            }
        }
        dropout.apply(sequence, &mut to[..width]);
        to[width..].fill(0.0);
    }
}

instances! { wide
    /// Goes back: of what is asked of `pooled`, `asked`, makes what is asked of the states by the mean, in `asked_states`,
    /// and of what goes into tanh, in `hidden`, which has what came out; adds what is asked of the context vector.
    pub fn pool_back = run_pool_back(
        offsets: &[u32], context: &[Line], hidden: &mut Matrix, states: &Matrix, width: usize,
        weights: &[f32], asked: &mut Matrix, asked_states: &mut Matrix, sums: &mut [Line],
        dropout: Dropout,
    )
}

#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "the arguments of the kernel")]
fn run_pool_back<S: Simd>(
    offsets: &[u32],
    context: &[Line],
    hidden: &mut Matrix,
    states: &Matrix,
    width: usize,
    weights: &[f32],
    asked: &mut Matrix,
    asked_states: &mut Matrix,
    sums: &mut [Line],
    dropout: Dropout,
) {
    for (sequence, ends) in offsets.windows(2).enumerate() {
        let (first, end) = (ends[0] as usize, ends[1] as usize);
        let asked = asked.row_mut(sequence);
        dropout.apply(sequence, &mut asked[..width]);
        let (asked, _) = asked[..width.next_multiple_of(LINE)].as_chunks::<LINE>();
        // What is asked of the weights, until the mean of them is known.
        let mut mean = 0.0;
        for row in first..end {
            let weight = weights[row];
            let (state, to) = (states.row(row), asked_states.row_mut(row));
            let mut products = [0.0; LINE];
            for (line, asked) in asked.iter().enumerate() {
                let state = read(state, line * LINE);
                let mut by_mean = [0.0; LINE];
                for l in 0..LINE {
                    products[l] = S::fused(state[l], asked[l], products[l]);
                    by_mean[l] = weight * asked[l];
                }
                write(to, line * LINE, &by_mean, LINE);
            }
            mean = S::fused(weight, total(products), mean);
        }
        for row in first..end {
            let (state, cells) = (states.row(row), hidden.row_mut(row));
            let mut products = [0.0; LINE];
            for (line, asked) in asked.iter().enumerate() {
                let state = read(state, line * LINE);
                for l in 0..LINE {
                    products[l] = S::fused(state[l], asked[l], products[l]);
                }
            }
            let score = weights[row] * (total(products) - mean);
            for (line, context) in context.iter().enumerate() {
                let mut cell = read(cells, line * LINE);
                for l in 0..LINE {
                    let y = cell[l];
                    sums[line].0[l] = S::fused(score, y, sums[line].0[l]);
                    cell[l] = score * context.0[l] * (1.0 - y * y);
                }
                write(cells, line * LINE, &cell, LINE);
            }
        }
    }
}

/// The sum of a line, in an order that depends on nothing.
#[inline(always)]
fn total(mut sums: [f32; LINE]) -> f32 {
    let mut half = LINE / 2;
    while half > 0 {
        for l in 0..half {
            sums[l] += sums[l + half];
        }
        half /= 2;
    }
    sums[0]
}

#[cfg(test)]
mod tests {
    use super::Dropout;

    #[test]
    fn dropout_takes_its_share_and_depends_on_row_and_column() {
        let dropout = Dropout {
            seed: 7,
            below: u32::MAX / 4,
            scale: 4.0 / 3.0,
            first: 0,
        };
        let mut numbers = vec![1.0; 10_000];
        dropout.apply(3, &mut numbers);
        let dropped = numbers.iter().filter(|&&number| number == 0.0).count();
        assert!((2300..2700).contains(&dropped), "{dropped}");
        let mut others = vec![1.0; 10_000];
        let shifted = Dropout {
            first: 1,
            ..dropout
        };
        shifted.apply(2, &mut others);
        assert_eq!(numbers, others, "rows are numbered from the first");
        others.fill(1.0);
        dropout.apply(4, &mut others);
        assert_ne!(numbers, others);
    }
}

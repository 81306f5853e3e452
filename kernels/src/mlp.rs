//! Mean answers of coalitions for multi-layer perceptrons.
//! Twin: `shaders/mlp.wgsl`
//!
//! The first layer is a sum over features, of which the explained row gives the members of the coalition and a
//! background row the rest; the latter is computed once for all rows. The layers after it are float32.
#![allow(
    clippy::needless_range_loop,
    reason = "lanes by their number: what the compiler vectorises"
)]

use std::ops::Range;

use crate::binding::{bindings, params};
use crate::lanes::{LANES, logistic, tanh};
use crate::machine::{Body, Games, run as run_games};
use crate::simd::{Simd, instances};

bindings! {
    x: Read,
    y: Read,
    before: Read,
    weights: Read,
    biases: Read,
    neurons: Write,
}

params! {
    /// Parameters of the shader.
    {
        /// Explained rows.
        rows,
        /// Background rows.
        others,
        /// Neurons of the layer before.
        inputs,
        /// Neurons of the layer.
        neurons,
        /// Coalitions.
        coalitions,
        /// [`Activation::code`].
        activation,
        /// 1 where the layer before is the first.
        is_second,
        /// 1 where the layer is the last.
        is_last,
    }
}

/// Rows and background rows that an invocation of `kernel_machine` has, and pairs of them and neurons that one of
/// `mlp` has.
pub const TILE: u32 = 4;

/// What a neuron makes of its sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// The sum itself.
    Identity,
    /// `max(sum, 0)`.
    Relu,
    /// `1 / (1 + exp(−sum))`.
    Logistic,
    /// tanh of the sum.
    Tanh,
}

/// A layer after the first.
#[derive(Debug, Clone)]
pub struct Dense {
    /// (neuron, neuron of the layer before).
    pub weights: Vec<f32>,
    /// By neuron.
    pub biases: Vec<f32>,
}

/// The units are the neurons of the first layer; those of the last, which has no activation, are margins.
#[derive(Debug, Clone)]
pub struct Mlp {
    /// Of all layers but the last.
    pub activation: Activation,
    /// The layers after the first, at least one.
    pub layers: Vec<Dense>,
}

impl Activation {
    /// As the shader knows it.
    pub const fn code(self) -> u32 {
        match self {
            Self::Identity => 0,
            Self::Relu => 1,
            Self::Logistic => 2,
            Self::Tanh => 3,
        }
    }

    /// In float64.
    pub fn of(self, sum: f64) -> f64 {
        match self {
            Self::Identity => sum,
            Self::Relu => sum.max(0.0),
            Self::Logistic => 1.0 / (1.0 + (-sum).exp()),
            Self::Tanh => sum.tanh(),
        }
    }

    #[inline(always)]
    fn apply<S: Simd>(self, sums: &mut [[f32; LANES]]) {
        match self {
            Self::Identity => {}
            Self::Relu => {
                for sum in sums {
                    *sum = sum.map(|x| x.max(0.0));
                }
            }
            Self::Logistic => {
                for sum in sums {
                    *sum = logistic::<S>(sum.map(f64::from)).map(|x| x as f32);
                }
            }
            Self::Tanh => {
                for sum in sums {
                    *sum = tanh::<S>(sum.map(f64::from)).map(|x| x as f32);
                }
            }
        }
    }
}

impl Dense {
    /// Writes the sums of `R` neurons from the first on, whose inputs are dealt among `PARTS` sums each: one sum
    /// alone would wait for itself.
    #[inline(always)]
    fn neurons<S: Simd, const R: usize, const PARTS: usize>(
        &self,
        first: usize,
        inputs: &[[f32; LANES]],
        to: &mut [[f32; LANES]],
    ) {
        let count = inputs.len();
        let mut sums = [[[0.0_f32; LANES]; R]; PARTS];
        let mut rows = [&self.weights[..0]; R];
        for r in 0..R {
            rows[r] = &self.weights[(first + r) * count..][..count];
        }
        let whole = count / PARTS * PARTS;
        for i in (0..whole).step_by(PARTS) {
            for part in 0..PARTS {
                let input = &inputs[i + part];
                for r in 0..R {
                    let weight = rows[r][i + part];
                    for l in 0..LANES {
                        sums[part][r][l] = S::fused(weight, input[l], sums[part][r][l]);
                    }
                }
            }
        }
        for i in whole..count {
            for r in 0..R {
                for l in 0..LANES {
                    sums[0][r][l] = S::fused(rows[r][i], inputs[i][l], sums[0][r][l]);
                }
            }
        }
        for r in 0..R {
            let mut sum = [self.biases[first + r]; LANES];
            for part in 0..PARTS {
                for l in 0..LANES {
                    sum[l] += sums[part][r][l];
                }
            }
            to[first + r] = sum;
        }
    }

    #[inline(always)]
    fn forward<S: Simd>(&self, inputs: &[[f32; LANES]], to: &mut [[f32; LANES]]) {
        let mut neuron = 0;
        while neuron + 4 <= to.len() {
            self.neurons::<S, 4, 1>(neuron, inputs, to);
            neuron += 4;
        }
        while neuron + 2 <= to.len() {
            self.neurons::<S, 2, 2>(neuron, inputs, to);
            neuron += 2;
        }
        if neuron < to.len() {
            self.neurons::<S, 1, 4>(neuron, inputs, to);
        }
    }
}

impl Mlp {
    /// The neurons of the first layer, of a row beside background rows.
    #[inline(always)]
    fn first<S: Simd>(&self, x: &[f32], y: &[[f32; LANES]], to: &mut [[f32; LANES]]) {
        let least = match self.activation {
            Activation::Relu => 0.0,
            _ => f32::NEG_INFINITY,
        };
        for ((to, x), y) in to.iter_mut().zip(x).zip(y) {
            let (x, y) = (*x, *y);
            let mut sum = [0.0; LANES];
            for l in 0..LANES {
                sum[l] = x + y[l];
            }
            for l in 0..LANES {
                sum[l] = sum[l].max(least);
            }
            *to = sum;
        }
        if self.activation != Activation::Relu {
            self.activation.apply::<S>(to);
        }
    }
}

/// Margins at most for which the neurons of the first layer are made again.
const MOST_FUSED: usize = 2;

/// Rows that go together where nothing is between the first layer and the last.
const ROWS: usize = 4;

/// Σ over units of `weights · max(x + y, 0)`, for `R` rows of x: the neurons of the first layer are never stored.
#[inline(always)]
fn rectified<S: Simd, const R: usize>(
    x: &[f32],
    y: &[[f32; LANES]],
    weights: &[f32],
) -> [[f32; LANES]; R] {
    let mut sums = [[0.0; LANES]; R];
    let units = y.len();
    let mut rows = [x; R];
    for r in 0..R {
        rows[r] = &x[r * units..][..units];
    }
    let weights = &weights[..units];
    for u in 0..units {
        let (y, weight) = (y[u], weights[u]);
        for r in 0..R {
            let (x, mut sum) = (rows[r][u], sums[r]);
            let mut neuron = [0.0; LANES];
            for l in 0..LANES {
                neuron[l] = x + y[l];
            }
            for l in 0..LANES {
                neuron[l] = neuron[l].max(0.0);
            }
            for l in 0..LANES {
                sum[l] = S::fused(weight, neuron[l], sum[l]);
            }
            sums[r] = sum;
        }
    }
    sums
}

impl Dense {
    /// Writes the margins of rows from the sums of the first layer, as its last one.
    #[inline(always)]
    fn of_first<S: Simd>(&self, x: &[f32], y: &[[f32; LANES]], margins: &mut [[f64; LANES]]) {
        let (units, machines) = (y.len(), self.biases.len());
        for (machine, bias) in self.biases.iter().enumerate() {
            let weights = &self.weights[machine * units..][..units];
            let rows = margins.len() / machines;
            let mut row = 0;
            while row < rows {
                let mut sums = [[0.0; LANES]; ROWS];
                let count = ROWS.min(rows - row);
                let x = &x[row * units..][..count * units];
                if count == ROWS {
                    sums = rectified::<S, ROWS>(x, y, weights);
                } else {
                    for (sum, x) in sums.iter_mut().zip(x.chunks_exact(units)) {
                        [*sum] = rectified::<S, 1>(x, y, weights);
                    }
                }
                for (r, sum) in sums.iter().enumerate().take(count) {
                    let mut margin = [0.0; LANES];
                    for l in 0..LANES {
                        margin[l] = f64::from(sum[l] + bias);
                    }
                    margins[(row + r) * machines + machine] = margin;
                }
                row += count;
            }
        }
    }
}

impl Body for Mlp {
    type T = f32;

    fn machines(&self) -> usize {
        self.layers.last().map_or(0, |layer| layer.biases.len())
    }

    fn room(&self) -> usize {
        let widths = self.layers.iter().map(|layer| {
            let inputs = layer.weights.len() / layer.biases.len().max(1);
            inputs.max(layer.biases.len())
        });
        2 * widths.max().unwrap_or(0)
    }

    #[inline(always)]
    fn margins<S: Simd>(
        &self,
        x: &[f32],
        y: &[[f32; LANES]],
        room: &mut [[f32; LANES]],
        margins: &mut [[f64; LANES]],
    ) {
        let (units, machines) = (y.len(), self.machines());
        if let [last] = &*self.layers
            && machines <= MOST_FUSED
            && self.activation == Activation::Relu
            && units > 0
        {
            return last.of_first::<S>(x, y, margins);
        }
        let rows = x
            .chunks_exact(units.max(1))
            .zip(margins.chunks_exact_mut(machines));
        let (mut from, mut to) = room.split_at_mut(room.len() / 2);
        for (x, margins) in rows {
            self.first::<S>(x, y, &mut from[..units]);
            let mut inputs = units;
            for (number, layer) in self.layers.iter().enumerate() {
                let neurons = layer.biases.len();
                layer.forward::<S>(&from[..inputs], &mut to[..neurons]);
                if number + 1 < self.layers.len() {
                    self.activation.apply::<S>(&mut to[..neurons]);
                }
                std::mem::swap(&mut from, &mut to);
                inputs = neurons;
            }
            for (margin, sum) in margins.iter_mut().zip(&*from) {
                let mut wide = [0.0; LANES];
                for l in 0..LANES {
                    wide[l] = f64::from(sum[l]);
                }
                *margin = wide;
            }
        }
    }
}

instances! {
    /// Adds the mean answers of a range of coalitions to `means`, laid out (coalition of the range, row, output).
    pub fn run = run_mlp(body: &Mlp, games: &Games<'_, f32>, range: Range<usize>, means: &mut [f64])
}

#[inline(always)]
fn run_mlp<S: Simd>(body: &Mlp, games: &Games<'_, f32>, range: Range<usize>, means: &mut [f64]) {
    run_games::<S, _>(body, games, range, means);
}

//! The weights of a network but the table, as the kernels read them, and what is asked of them.

use whylight_kernels::matmul::Panels;

use super::encoder::{Encoder, Sums, TENSORS};
use super::{Config, Tensor};

/// The weights.
#[derive(Debug, Clone)]
pub(super) struct Network {
    tensors: Vec<Tensor>,
    pub(super) levels: [Encoder; 2],
    pub(super) output: Panels,
    pub(super) output_back: Panels,
}

/// What is asked of them.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) levels: [Sums; 2],
    pub(super) output: Panels,
}

impl Network {
    pub(super) fn new(config: &Config) -> Self {
        let state = 2 * config.hidden;
        Self {
            tensors: config.tensors(),
            levels: [config.embedding, state].map(|inputs| Encoder::new(config, inputs)),
            output: Panels::zeros(state, config.outputs),
            output_back: Panels::zeros(config.outputs, state),
        }
    }

    /// Takes the weights, in the order of [`Config::tensors`].
    pub(super) fn pack(&mut self, dense: &[f32]) {
        for (level, tensors) in self.levels.iter_mut().zip(self.tensors.chunks(TENSORS)) {
            level.pack(tensors, dense);
        }
        let [matrix, bias] = output(&self.tensors);
        let outputs = bias.shape[0];
        for (place, &weight) in dense[matrix.range()].iter().enumerate() {
            let width = matrix.range().len() / outputs;
            *self.output.weight(place % width, place / width) = weight;
            *self.output_back.weight(place / width, place % width) = weight;
        }
        for (place, &weight) in dense[bias.range()].iter().enumerate() {
            *self.output.bias(place) = weight;
        }
    }
}

/// The tensors of the last layer.
fn output(tensors: &[Tensor]) -> [&Tensor; 2] {
    [&tensors[2 * TENSORS], &tensors[2 * TENSORS + 1]]
}

impl Asked {
    pub(super) fn new(config: &Config) -> Self {
        let state = 2 * config.hidden;
        Self {
            levels: [config.embedding, state].map(|inputs| Sums::new(config, inputs)),
            output: Panels::zeros(state, config.outputs),
        }
    }

    pub(super) fn clear(&mut self) {
        self.levels.iter_mut().for_each(Sums::clear);
        self.output.clear();
    }

    pub(super) fn add(&mut self, others: &Self) {
        for (sums, others) in self.levels.iter_mut().zip(&others.levels) {
            sums.add(others);
        }
        self.output.add(&others.output);
    }

    /// Writes what is asked in the order of [`Config::tensors`].
    pub(super) fn unpack(&mut self, config: &Config, tensors: &[Tensor], dense: &mut [f32]) {
        for (level, tensors) in self.levels.iter_mut().zip(tensors.chunks(TENSORS)) {
            level.unpack(config, tensors, dense);
        }
        let [matrix, bias] = output(tensors);
        let width = 2 * config.hidden;
        for (place, to) in dense[matrix.range()].iter_mut().enumerate() {
            *to = *self.output.weight(place % width, place / width);
        }
        for (place, to) in dense[bias.range()].iter_mut().enumerate() {
            *to = *self.output.bias(place);
        }
    }
}

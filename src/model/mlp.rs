//! Multi-layer perceptrons; with one layer, logistic regression.

use std::path::Path;

use ndarray::Array2;

use super::decision::Decision;
use super::trees::Feature;
use crate::error::{Error, Result};

/// What a neuron makes of its sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
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

/// A layer of neurons: `biases[k] + Σ_j weights[k, j] · input[j]`.
#[derive(Debug, Clone)]
pub struct Layer {
    /// (neurons, inputs).
    pub weights: Array2<f64>,
    /// By neuron.
    pub biases: Vec<f64>,
}

/// A multi-layer perceptron: hidden layers with an activation, then margins.
#[derive(Debug, Clone)]
pub struct Mlp {
    /// The columns that the model reads; numbers all.
    pub features: Vec<Feature>,
    /// One name per output, or per class.
    pub outputs: Vec<String>,
    /// Of all layers but the last.
    pub activation: Activation,
    /// The layers, at least one.
    pub layers: Vec<Layer>,
    /// What probabilities are of the margins; `None` without them.
    pub probability: Option<Decision>,
}

impl Activation {
    /// In float64.
    pub fn of(self, sum: f64) -> f64 {
        match self {
            Self::Identity => sum,
            Self::Relu => sum.max(0.0),
            Self::Logistic => 1.0 / (1.0 + (-sum).exp()),
            Self::Tanh => sum.tanh(),
        }
    }
}

impl Mlp {
    /// The format, as it appears in messages and results.
    pub const FORMAT: &'static str = "multi-layer perceptron";

    /// Checks that the parts fit together and that all numbers are finite; `path` only names the model in errors.
    ///
    /// # Errors
    /// [`Error::Model`] that names the part and what is wrong with it.
    pub fn check(&self, path: &Path) -> Result<()> {
        let fail = |at: String, reason: String| {
            Err(Error::Model {
                path: path.to_owned(),
                format: Self::FORMAT,
                at,
                reason,
            })
        };
        if self.layers.is_empty() || self.features.is_empty() || self.outputs.is_empty() {
            let reason = format!(
                "{} layers, {} features and {} outputs; expected at least one of each",
                self.layers.len(),
                self.features.len(),
                self.outputs.len()
            );
            return fail("its shape".to_owned(), reason);
        }
        let mut inputs = self.features.len();
        for (number, layer) in self.layers.iter().enumerate() {
            let (neurons, columns) = layer.weights.dim();
            let at = format!("layer {number}");
            if neurons == 0 || columns != inputs || layer.biases.len() != neurons {
                let reason = format!(
                    "{neurons} × {columns} weights and {} biases; expected at least one neuron, {inputs} weights and \
                     a bias each",
                    layer.biases.len()
                );
                return fail(at, reason);
            }
            let mut numbers = layer.weights.iter().chain(&layer.biases);
            if let Some(number) = numbers.find(|number| !(**number as f32).is_finite()) {
                return fail(at, format!("{number} is not a finite number of float32"));
            }
            inputs = neurons;
        }
        let machines = self
            .probability
            .map(|decision| decision.machines(self.outputs.len()));
        if machines.is_some_and(|machines| machines != inputs)
            || machines.is_none() && inputs != self.outputs.len()
        {
            let reason = format!("{inputs} margins for {} outputs", self.outputs.len());
            return fail("its last layer".to_owned(), reason);
        }
        Ok(())
    }

    /// Outputs of the raw margin: of two classes there is one.
    pub fn raw_outputs(&self) -> usize {
        self.layers.last().map_or(0, |layer| layer.biases.len())
    }

    /// The margins of a row, in float64.
    pub fn raw(&self, row: &[f64]) -> Vec<f64> {
        let mut inputs = row.to_vec();
        for (number, layer) in self.layers.iter().enumerate() {
            let neurons = layer.weights.outer_iter().zip(&layer.biases);
            let sum = |(weights, bias): (ndarray::ArrayView1<'_, f64>, &f64)| {
                let terms = weights.iter().zip(&inputs).map(|(w, x)| w * x);
                let sum = bias + terms.sum::<f64>();
                if number + 1 < self.layers.len() {
                    self.activation.of(sum)
                } else {
                    sum
                }
            };
            inputs = neurons.map(sum).collect();
        }
        inputs
    }

    /// The probabilities of a row, in float64; `None` where the model has none.
    pub fn probabilities(&self, row: &[f64]) -> Option<Vec<f64>> {
        Some(self.probability?.answer(&self.raw(row)))
    }
}

//! A network as it grows: layers, and the affine map after the last activation.

use ndarray::{Array1, Array2, Axis};

use super::{Budget, unsupported};
use crate::model::onnx::Fault;
use crate::model::{Activation, Layer};

/// What the last step was, if it was no affine map.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Ending {
    Affine,
    Activation(Activation),
    Softmax,
}

/// What has become of the rows.
#[derive(Debug)]
pub(super) struct Network {
    /// Steps so far.
    pub(super) steps: usize,
    /// The layers before the map, each with the activation behind it.
    pub(super) layers: Vec<Layer>,
    pub(super) activation: Option<Activation>,
    /// The map after them, which no activation follows unless it is the end.
    pub(super) map: Affine,
    pub(super) ending: Ending,
}

/// `scale · x + shift`, column by column, or a layer.
#[derive(Debug)]
pub(super) enum Affine {
    /// The rows as they are, of a width that nothing has told yet.
    Unknown,
    Diagonal(Vec<f64>, Vec<f64>),
    Dense(Layer),
}

impl Default for Network {
    fn default() -> Self {
        Network::new(None)
    }
}

impl Network {
    pub(super) fn new(width: Option<usize>) -> Self {
        Self {
            steps: 0,
            layers: Vec::new(),
            activation: None,
            map: width.map_or(Affine::Unknown, Affine::identity),
            ending: Ending::Affine,
        }
    }

    /// Of columns that are scaled.
    pub(super) fn scaled(scales: Vec<f64>, shifts: Vec<f64>) -> Self {
        Self {
            map: Affine::Diagonal(scales, shifts),
            ..Self::new(None)
        }
    }

    /// Readies for a step on so many columns; `None` where any number is right.
    pub(super) fn next(
        &mut self,
        width: Option<usize>,
        budget: &mut Budget,
    ) -> Result<&mut Affine, Fault> {
        self.steps += 1;
        match self.ending {
            Ending::Affine => {}
            Ending::Softmax => return Err(unsupported("a layer after a Softmax")),
            Ending::Activation(activation) => {
                if *self.activation.get_or_insert(activation) != activation {
                    return Err(unsupported("layers of different activations"));
                }
                let next = Affine::identity(self.map.width());
                let layer = std::mem::replace(&mut self.map, next).layer(budget)?;
                self.layers.push(layer);
                self.ending = Ending::Affine;
            }
        }
        if let (Affine::Unknown, Some(width)) = (&self.map, width) {
            self.map = Affine::identity(width);
        }
        match (self.map.width(), width) {
            (0, _) => Err(unsupported("rows of no known width")),
            (got, Some(width)) if got != width => Err(Fault::Bad(format!(
                "it takes {width} columns, but its input has {got}"
            ))),
            _ => Ok(&mut self.map),
        }
    }

    /// Ends with an activation or a softmax.
    pub(super) fn end(&mut self, ending: Ending, budget: &mut Budget) -> Result<(), Fault> {
        self.next(None, budget)?;
        self.ending = ending;
        Ok(())
    }
}

impl Affine {
    pub(super) fn identity(width: usize) -> Self {
        Self::Diagonal(vec![1.0; width], vec![0.0; width])
    }

    /// The columns of its results.
    pub(super) fn width(&self) -> usize {
        match self {
            Self::Unknown => 0,
            Self::Diagonal(scale, _) => scale.len(),
            Self::Dense(layer) => layer.biases.len(),
        }
    }

    /// `scale(k) · x + shift(k)` of what it was.
    pub(super) fn transform(&mut self, scale: impl Fn(usize) -> f64, shift: impl Fn(usize) -> f64) {
        match self {
            Self::Unknown => {}
            Self::Diagonal(scales, shifts) => {
                for (k, (a, c)) in scales.iter_mut().zip(shifts).enumerate() {
                    (*a, *c) = (*a * scale(k), *c * scale(k) + shift(k));
                }
            }
            Self::Dense(layer) => {
                for (k, mut row) in layer.weights.axis_iter_mut(Axis(0)).enumerate() {
                    row *= scale(k);
                }
                for (k, bias) in layer.biases.iter_mut().enumerate() {
                    *bias = *bias * scale(k) + shift(k);
                }
            }
        }
    }

    /// `weights · x + biases` of what it was: weights (neurons, its width).
    pub(super) fn dense(
        &mut self,
        mut weights: Array2<f64>,
        mut biases: Vec<f64>,
        budget: &mut Budget,
    ) -> Result<(), Fault> {
        let (neurons, _) = weights.dim();
        match self {
            Self::Unknown => return Err(unsupported("rows of no known width")),
            Self::Diagonal(scales, shifts) => {
                for (row, bias) in weights.outer_iter_mut().zip(&mut biases) {
                    *bias += row.iter().zip(&*shifts).map(|(w, c)| w * c).sum::<f64>();
                    for (weight, scale) in row.into_iter().zip(&*scales) {
                        *weight *= scale;
                    }
                }
            }
            Self::Dense(layer) => {
                let (inner, outer) = layer.weights.dim();
                let numbers = neurons.saturating_mul(outer);
                budget.spend(numbers.saturating_mul(inner), numbers)?;
                for (row, bias) in weights.outer_iter().zip(&mut biases) {
                    let terms = row.iter().zip(&layer.biases);
                    *bias += terms.map(|(w, b)| w * b).sum::<f64>();
                }
                weights = weights.dot(&layer.weights);
            }
        }
        *self = Self::Dense(Layer { weights, biases });
        Ok(())
    }

    /// As a layer.
    pub(super) fn layer(self, budget: &mut Budget) -> Result<Layer, Fault> {
        match self {
            Self::Unknown => Err(unsupported("rows of no known width")),
            Self::Dense(layer) => Ok(layer),
            Self::Diagonal(scales, biases) => {
                budget.spend(0, scales.len().saturating_mul(scales.len()))?;
                let weights = Array2::from_diag(&Array1::from(scales));
                Ok(Layer { weights, biases })
            }
        }
    }
}

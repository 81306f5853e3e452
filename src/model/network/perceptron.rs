//! Perceptrons as networks.

use super::{Activation, Channels, Dense, Input, Network, Operation, Step, Tensor};
use crate::error::{Error, Result};
use crate::model::Decision;
use crate::model::mlp::{Activation as Neurons, Layer, Mlp};

impl Network {
    /// A perceptron's margins, or with `probability` what it makes of them.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for probabilities that it has not, or that are no function of a network.
    pub fn of_mlp(mlp: &Mlp, probability: bool) -> Result<Self> {
        let features = mlp.features.len();
        let mut grown = Grown::new(features);
        for (number, layer) in mlp.layers.iter().enumerate() {
            grown.layer(number, layer);
            if number + 1 == mlp.layers.len() {
                break;
            }
            let activation = match mlp.activation {
                Neurons::Identity => continue,
                Neurons::Relu => Activation::Relu,
                Neurons::Logistic => Activation::Sigmoid,
                Neurons::Tanh => Activation::Tanh,
            };
            let width = layer.biases.len();
            grown.step(
                &format!("activation {number}"),
                Operation::Activation(activation),
                width,
            );
        }
        if probability {
            match mlp.probability {
                Some(Decision::Softmax) => {
                    grown.step("softmax", Operation::Softmax(grown.width()), grown.width());
                }
                Some(Decision::Pair) => grown.pair(),
                _ => {
                    return Err(Error::Unsupported {
                        what: "the probabilities of this perceptron".to_owned(),
                        by: "deep SHAP".to_owned(),
                        instead: "explain its raw output, or take kernel SHAP".to_owned(),
                    });
                }
            }
        }
        let width = grown.width();
        let numbered = |k: usize| format!("output {k}");
        let outputs = if mlp.outputs.len() == width {
            mlp.outputs.clone()
        } else {
            // Of two classes there is one margin, the second's.
            let last = mlp.outputs.last().cloned();
            (0..width)
                .map(|k| last.clone().unwrap_or_else(|| numbered(k)))
                .collect()
        };
        Ok(grown.network(mlp, outputs))
    }
}

/// A network of one chain.
struct Grown {
    tensors: Vec<Tensor>,
    steps: Vec<Step>,
}

impl Grown {
    fn new(features: usize) -> Self {
        Self {
            tensors: vec![Tensor {
                name: "input".to_owned(),
                shape: vec![1, features],
            }],
            steps: Vec::new(),
        }
    }

    /// The size of the last tensor.
    fn width(&self) -> usize {
        self.tensors.last().map_or(0, Tensor::cells)
    }

    fn step(&mut self, name: &str, operation: Operation, width: usize) {
        let input = self.tensors.len() - 1;
        self.tensors.push(Tensor {
            name: name.to_owned(),
            shape: vec![1, width],
        });
        self.steps.push(Step {
            node: name.to_owned(),
            operation,
            inputs: vec![input],
            output: input + 1,
        });
    }

    fn layer(&mut self, number: usize, layer: &Layer) {
        let inputs = layer.weights.ncols();
        let narrow = |x: &f64| *x as f32;
        let dense = Dense {
            weights: layer.weights.t().iter().map(narrow).collect(),
            biases: layer.biases.iter().map(narrow).collect(),
            inputs,
        };
        let width = layer.biases.len();
        self.step(&format!("layer {number}"), Operation::Dense(dense), width);
    }

    /// The probabilities 1 − p and p of two classes.
    fn pair(&mut self) {
        self.step("sigmoid", Operation::Activation(Activation::Sigmoid), 1);
        let both = super::Gather {
            sources: vec![0, 0],
            fill: 0.0,
        };
        self.step("both classes", Operation::Gather(both), 2);
        let channels = |values: Vec<f32>| Channels { values, inner: 1 };
        let scale = Operation::Scale(channels(vec![-1.0, 1.0]), channels(vec![1.0, 0.0]));
        self.step("probabilities", scale, 2);
    }

    fn network(self, mlp: &Mlp, outputs: Vec<String>) -> Network {
        let layers = self.tensors.iter().enumerate();
        Network {
            inputs: vec![Input {
                name: "input".to_owned(),
                shape: vec![1, mlp.features.len()],
                is_whole: false,
            }],
            layers: layers.map(|(t, tensor)| (tensor.name.clone(), t)).collect(),
            output: self.tensors.len() - 1,
            outputs,
            features: mlp.features.clone(),
            tensors: self.tensors,
            steps: self.steps,
        }
    }
}

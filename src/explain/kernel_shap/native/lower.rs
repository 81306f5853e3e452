//! From a model to units: what each feature adds to each of them, and what is made of them.

mod encoding;
mod norm;

use whylight_kernels::Level;
use whylight_kernels::coalition_sums::Combine;
use whylight_kernels::decision::{self, LEAST};
use whylight_kernels::kernel_machine::Shape;
use whylight_kernels::lanes::exp_all;
use whylight_kernels::mlp;
use whylight_kernels::neighbours::Weighting;

use self::encoding::Encoding;
use self::norm::Norm;
use super::super::check::refused;
use crate::error::Result;
use crate::explain::Output;
use crate::model::{
    Activation, Decision, Kernel, KernelMachine, Layer, Metric, Mlp, Model, NaiveBayes, Neighbours,
};

/// A model as its units.
#[derive(Debug)]
pub(in crate::explain) struct Lowered {
    pub(super) combine: Combine,
    /// What every sum over features begins with, by unit.
    pub(in crate::explain) start: Vec<f64>,
    terms: Addend,
    /// What units are divided by, where rows are normalised: the last unit is the sum that it comes of.
    pub(super) norm: Option<Norm>,
    /// What makes the columns that terms are of, where these are not the raw ones.
    encoding: Option<Encoding>,
    pub(in crate::explain) body: Body,
    pub(super) decision: decision::Decision,
    /// One name per output.
    pub(super) names: Vec<String>,
}

/// What a cell adds to the sum of a unit; vectors are laid out (feature, unit).
#[derive(Debug)]
enum Addend {
    /// `weight · cell`.
    Product(Vec<f64>),
    /// `−γ_j (cell − s)²`: the vectors, and γ by feature.
    Square(Vec<f64>, Vec<f64>),
    /// `−γ |cell − s|`: the vectors, and γ.
    Distance(Vec<f64>, f64),
    /// The logarithm of a normal density: its mean, its variance, and the logarithm of its peak.
    Normal(Vec<[f64; 3]>),
}

/// What is made of units.
#[derive(Debug)]
pub(in crate::explain) enum Body {
    /// They are margins.
    Sums { machines: usize },
    /// They are the likenesses to support vectors.
    Machine {
        shape: Shape,
        /// (machine, unit).
        coefficients: Vec<f64>,
        intercepts: Vec<f64>,
    },
    /// They are the neurons of the first layer.
    Mlp(mlp::Mlp),
    /// They are distances, or their squares, from training rows.
    Neighbours {
        /// (training row, output).
        targets: Vec<f64>,
        count: usize,
        weighting: Weighting,
    },
}

impl Lowered {
    /// # Errors
    /// [`crate::Error::Unsupported`] for an output that the model does not have, or a model with no units.
    pub(in crate::explain) fn new(model: &Model, output: Output) -> Result<Self> {
        let wants_probability = match output {
            Output::Raw => false,
            Output::Probability => true,
            _ => {
                let what = format!("the output {output}");
                return Err(refused(&what, "explain the raw output or the probability"));
            }
        };
        let none = || {
            refused(
                "the probability of a model that has none",
                "explain the raw output; of a classifier, train it with probabilities",
            )
        };
        match model {
            Model::KernelMachine(machine) if wants_probability => {
                let (decision, platt) = machine.probability.as_ref().ok_or_else(none)?;
                Ok(Self::machine(machine, *decision, platt))
            }
            Model::KernelMachine(machine) => {
                let as_is = vec![[1.0, 0.0]; machine.intercepts.len()];
                Ok(Self::machine(machine, machine.raw, &as_is))
            }
            Model::Mlp(mlp) => {
                let decision = if wants_probability {
                    mlp.probability.ok_or_else(none)?
                } else {
                    Decision::Margins
                };
                Ok(Self::mlp(mlp, decision))
            }
            Model::NaiveBayes(bayes) => Ok(Self::bayes(bayes, wants_probability)),
            Model::Neighbours(neighbours) if wants_probability && !neighbours.is_classifier => {
                Err(none())
            }
            Model::Neighbours(neighbours) => Ok(Self::neighbours(neighbours)),
            Model::Encoded(encoded) => {
                let mut inner = Self::new(&encoded.model, output)?;
                if let Some(norm) = encoded.norm {
                    inner.normalise(norm)?;
                }
                Ok(Encoding::before(inner, encoded))
            }
            _ => Err(refused("this model", "take the method of its kind")),
        }
    }

    fn machine(machine: &KernelMachine, decision: Decision, platt: &[[f64; 2]]) -> Self {
        let vectors: Vec<f64> = machine.vectors.t().iter().copied().collect();
        let scaled = |gamma: f64| vectors.iter().map(|s| gamma * s).collect();
        let (start, terms, shape) = match &machine.kernel {
            Kernel::Rbf(gammas) => (0.0, Addend::Square(vectors, gammas.clone()), Shape::Product),
            Kernel::Laplacian(gamma) => (0.0, Addend::Distance(vectors, *gamma), Shape::Product),
            Kernel::Matern { gammas, order } => {
                // Squares are taken from a sum, and 2ν is that of their root.
                let gammas = gammas.iter().map(|gamma| -f64::from(2 * order + 1) * gamma);
                let terms = Addend::Square(vectors, gammas.collect());
                (0.0, terms, Shape::Matern { order: *order })
            }
            &Kernel::Polynomial {
                gamma,
                coef0,
                degree,
            } => (
                coef0,
                Addend::Product(scaled(gamma)),
                Shape::Power { degree },
            ),
            &Kernel::Sigmoid { gamma, coef0 } => {
                (coef0, Addend::Product(scaled(gamma)), Shape::Tanh)
            }
        };
        let mut coefficients = Vec::with_capacity(machine.coefficients.len());
        for (row, [a, _]) in machine.coefficients.outer_iter().zip(platt) {
            coefficients.extend(row.iter().map(|coefficient| a * coefficient));
        }
        let intercepts = machine.intercepts.iter().zip(platt);
        let outputs = if decision == Decision::Margins {
            machine.raw_outputs()
        } else {
            machine.outputs.len()
        };
        Self {
            combine: if shape == Shape::Product {
                Combine::Product
            } else {
                Combine::Sum
            },
            start: vec![start; machine.vectors.nrows()],
            terms,
            norm: None,
            encoding: None,
            body: Body::Machine {
                shape,
                coefficients,
                intercepts: intercepts
                    .map(|(intercept, [a, b])| a * intercept + b)
                    .collect(),
            },
            decision: lowered(decision),
            names: names(&machine.outputs, outputs),
        }
    }

    fn mlp(mlp: &Mlp, decision: Decision) -> Self {
        let first = &mlp.layers[0];
        let dense = |layer: &Layer| mlp::Dense {
            weights: layer.weights.iter().map(|&weight| weight as f32).collect(),
            biases: layer.biases.iter().map(|&bias| bias as f32).collect(),
        };
        let layers: Vec<mlp::Dense> = mlp.layers[1..].iter().map(dense).collect();
        let body = if layers.is_empty() {
            Body::Sums {
                machines: first.biases.len(),
            }
        } else {
            Body::Mlp(mlp::Mlp {
                activation: match mlp.activation {
                    Activation::Identity => mlp::Activation::Identity,
                    Activation::Relu => mlp::Activation::Relu,
                    Activation::Logistic => mlp::Activation::Logistic,
                    Activation::Tanh => mlp::Activation::Tanh,
                },
                layers,
            })
        };
        let outputs = if decision == Decision::Margins {
            mlp.raw_outputs()
        } else {
            mlp.outputs.len()
        };
        Self {
            combine: Combine::Sum,
            start: first.biases.clone(),
            terms: Addend::Product(first.weights.t().iter().copied().collect()),
            norm: None,
            encoding: None,
            body,
            decision: lowered(decision),
            names: names(&mlp.outputs, outputs),
        }
    }

    fn bayes(bayes: &NaiveBayes, wants_probability: bool) -> Self {
        let normals = bayes.means.t().into_iter().zip(bayes.variances.t());
        let normal = |(&mean, &variance): (&f64, &f64)| {
            [
                mean,
                variance,
                -0.5 * (std::f64::consts::TAU * variance).ln(),
            ]
        };
        Self {
            combine: Combine::Sum,
            start: bayes.priors.clone(),
            terms: Addend::Normal(normals.map(normal).collect()),
            norm: None,
            encoding: None,
            body: Body::Sums {
                machines: bayes.outputs.len(),
            },
            decision: if wants_probability {
                decision::Decision::Softmax
            } else {
                decision::Decision::Margins
            },
            names: bayes.outputs.clone(),
        }
    }

    fn neighbours(neighbours: &Neighbours) -> Self {
        let rows: Vec<f64> = neighbours.rows.t().iter().copied().collect();
        // Of likenesses, both are taken from a sum; of distances, they are added.
        let (terms, weighting) = match neighbours.metric {
            Metric::Euclidean => (
                Addend::Square(rows, vec![-1.0; neighbours.features.len()]),
                Weighting::InverseRoot,
            ),
            Metric::Manhattan => (Addend::Distance(rows, -1.0), Weighting::Inverse),
        };
        Self {
            combine: Combine::Sum,
            start: vec![0.0; neighbours.rows.nrows()],
            terms,
            norm: None,
            encoding: None,
            body: Body::Neighbours {
                targets: neighbours.targets.iter().copied().collect(),
                count: neighbours.count,
                weighting: if neighbours.by_distance {
                    weighting
                } else {
                    Weighting::Uniform
                },
            },
            decision: decision::Decision::Margins,
            names: neighbours.outputs.clone(),
        }
    }

    /// Of all terms; with a norm, one is none of the model's.
    pub(in crate::explain) fn units(&self) -> usize {
        self.start.len()
    }

    /// Multiplications and additions of a row beside a background row.
    pub(super) fn operations(&self) -> usize {
        let body = match &self.body {
            Body::Sums { machines } => *machines,
            Body::Machine { coefficients, .. } => coefficients.len(),
            Body::Mlp(mlp) => mlp.layers.iter().map(|layer| layer.weights.len()).sum(),
            Body::Neighbours { count, .. } => 4 * self.units() + 32 * count,
        };
        body + self.units() + 32
    }

    /// Adds what a cell gives to the sums of the units.
    pub(in crate::explain) fn add(&self, feature: usize, cell: f64, sums: &mut [f64]) {
        match &self.encoding {
            None => self.add_column(feature, cell, sums),
            Some(encoding) => encoding.add(self, feature, cell, sums),
        }
    }

    /// The same of a column that terms are of.
    fn add_column(&self, feature: usize, cell: f64, sums: &mut [f64]) {
        let units = self.units() - usize::from(self.norm.is_some());
        let from = feature * units..(feature + 1) * units;
        if let (Some(norm), Some(sum)) = (&self.norm, sums.last_mut()) {
            *sum += norm.of.term(cell);
        }
        match &self.terms {
            Addend::Product(weights) => {
                for (sum, weight) in sums.iter_mut().zip(&weights[from]) {
                    *sum += weight * cell;
                }
            }
            Addend::Square(vectors, gammas) => {
                for (sum, s) in sums.iter_mut().zip(&vectors[from]) {
                    *sum -= gammas[feature] * (cell - s) * (cell - s);
                }
            }
            Addend::Distance(vectors, gamma) => {
                for (sum, s) in sums.iter_mut().zip(&vectors[from]) {
                    *sum -= gamma * (cell - s).abs();
                }
            }
            Addend::Normal(normals) => {
                for (sum, [mean, variance, peak]) in sums.iter_mut().zip(&normals[from]) {
                    *sum += peak - 0.5 * (cell - mean) * (cell - mean) / variance;
                }
            }
        }
    }

    /// Makes terms of the sums over the features of a player.
    pub(in crate::explain) fn finish(&self, sums: &mut [f64]) {
        if self.combine == Combine::Product {
            exp_all(Level::detect(), sums);
        }
    }

    /// Whether margins are sums over features.
    pub(super) fn is_sum(&self) -> bool {
        matches!(self.body, Body::Sums { .. })
    }

    /// Whether values need no coalitions.
    pub(super) fn has_closed_form(&self) -> bool {
        let is_apart = match &self.body {
            Body::Sums { .. } => true,
            Body::Machine { shape, .. } => *shape == Shape::Product,
            Body::Mlp(_) | Body::Neighbours { .. } => false,
        };
        is_apart && self.norm.is_none() && self.decision == decision::Decision::Margins
    }

    /// The answer to a row by the model's own rules, in float64.
    pub(super) fn answer(&self, model: &Model, output: Output, row: &[f64]) -> Vec<f64> {
        let answer = match output {
            Output::Raw => model.raw(row),
            _ => model.probabilities(row),
        };
        answer.unwrap_or_else(|| vec![f64::NAN; self.names.len()])
    }
}

/// One name per output: of the second of two classes where one output stands for both.
fn names(all: &[String], outputs: usize) -> Vec<String> {
    match all {
        [_, second] if outputs == 1 => vec![second.clone()],
        all if all.len() == outputs => all.to_vec(),
        _ => (0..outputs)
            .map(|output| format!("output {output}"))
            .collect(),
    }
}

fn lowered(decision: Decision) -> decision::Decision {
    match decision {
        Decision::Margins => decision::Decision::Margins,
        Decision::Pair => decision::Decision::Pair { least: 0.0 },
        Decision::ClippedPair => decision::Decision::Pair { least: LEAST },
        Decision::Softmax => decision::Decision::Softmax,
        Decision::Coupled(classes) => decision::Decision::Coupled { classes },
        Decision::Votes(classes) => decision::Decision::Votes { classes },
    }
}

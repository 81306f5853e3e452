//! Models that begin with sums over columns: kernel machines, perceptrons, linear models and naive Bayes.
//!
//! What a shuffled row makes of a unit is the sum of what all other columns give, which is the row's own, and of what
//! the cell gives that it takes: one term, whatever the number of columns.

use ndarray::Array2;
use rayon::prelude::*;
use whylight_kernels::Level;
use whylight_kernels::coalition_sums::Combine;
use whylight_kernels::kernel_machine::Shape;
use whylight_kernels::lanes::exp_all;
use whylight_kernels::shuffled_sums::rests;

use super::engine::{Engine, Place, Shuffled};
use super::rows::Rows;
use crate::error::{Error, MEMORY, Result};
use crate::explain::Output;
use crate::explain::kernel_shap::native::lower::{Body, Lowered};
use crate::model::{Activation, Decision, Layer, Mlp, Model};

/// Terms of a row at most, of all players.
const MOST_TERMS: usize = 1 << 23;

/// A model as its units, and what is made of them.
pub(super) struct Units {
    lowered: Lowered,
    shape: Shape,
    /// From units to margins: one layer, or all after the first.
    layers: Vec<Layer>,
    /// Of units, and of all layers but the last; `None` where units are no neurons.
    activation: Option<Activation>,
    /// What multiplies and what is added to a margin, where probabilities take such.
    sigmoids: Vec<[f64; 2]>,
    decision: Decision,
    place: Place,
}

impl Units {
    /// `None` for a model that does not begin so.
    pub(super) fn new(
        model: &Model,
        output: Output,
        players: usize,
        place: &Place,
    ) -> Result<Option<Self>> {
        let linear = one_layer(model);
        let model = linear.as_ref().unwrap_or(model);
        let inner = match model {
            Model::Encoded(encoded) if encoded.norm.is_none() => &*encoded.model,
            model => model,
        };
        let is_probability = output == Output::Probability;
        let mut units = match inner {
            Model::KernelMachine(machine) => {
                let (decision, sigmoids) = match &machine.probability {
                    Some((decision, sigmoids)) if is_probability => (*decision, sigmoids.clone()),
                    _ => (machine.raw, Vec::new()),
                };
                Self {
                    lowered: Lowered::new(model, output)?,
                    shape: Shape::Product,
                    layers: vec![Layer {
                        weights: machine.coefficients.as_standard_layout().into_owned(),
                        biases: machine.intercepts.clone(),
                    }],
                    activation: None,
                    sigmoids,
                    decision,
                    place: place.clone(),
                }
            }
            Model::Mlp(mlp) => Self {
                lowered: Lowered::new(model, output)?,
                shape: Shape::Product,
                layers: mlp.layers[1..].iter().map(in_rows).collect(),
                activation: (mlp.layers.len() > 1).then_some(mlp.activation),
                sigmoids: Vec::new(),
                decision: match mlp.probability {
                    Some(decision) if is_probability => decision,
                    _ => Decision::Margins,
                },
                place: place.clone(),
            },
            Model::NaiveBayes(_) => Self {
                lowered: Lowered::new(model, output)?,
                shape: Shape::Product,
                layers: Vec::new(),
                activation: None,
                sigmoids: Vec::new(),
                decision: if is_probability {
                    Decision::Softmax
                } else {
                    Decision::Margins
                },
                place: place.clone(),
            },
            _ => return Ok(None),
        };
        if let Body::Machine { shape, .. } = &units.lowered.body {
            units.shape = *shape;
        }
        Ok(((players + 1) * units.lowered.units() <= MOST_TERMS).then_some(units))
    }

    /// The answers to a row whose units have these sums, which are used up.
    fn answer(&self, sums: &mut Vec<f64>) -> Vec<f64> {
        if let Some(activation) = self.activation {
            apply(sums, |sum| activation.of(sum));
        } else if !self.layers.is_empty() {
            self.kernels(sums);
        }
        for (number, layer) in self.layers.iter().enumerate() {
            let mut next: Vec<f64> = (layer.weights.outer_iter().zip(&layer.biases))
                .map(|(weights, bias)| bias + product(weights.as_slice().unwrap_or_default(), sums))
                .collect();
            if let Some(activation) = self.activation
                && number + 1 < self.layers.len()
            {
                apply(&mut next, |sum| activation.of(sum));
            }
            *sums = next;
        }
        for (margin, [a, b]) in sums.iter_mut().zip(&self.sigmoids) {
            *margin = a * *margin + b;
        }
        self.decision.answer(sums)
    }

    /// Likenesses of sums over columns.
    fn kernels(&self, sums: &mut [f64]) {
        match self.shape {
            Shape::Product | Shape::Exp => exp_all(Level::detect(), sums),
            Shape::Power { degree } => {
                let degree = i32::try_from(degree).unwrap_or(i32::MAX);
                apply(sums, |sum| sum.powi(degree));
            }
            Shape::Tanh => apply(sums, f64::tanh),
            Shape::Matern { order } => {
                apply(sums, |sum| {
                    let r = sum.sqrt();
                    let factor = match order {
                        0 => 1.0,
                        1 => 1.0 + r,
                        _ => 1.0 + r + r * r / 3.0,
                    };
                    factor * (-r).exp()
                });
            }
        }
    }

    /// What the columns of a player give to the sums of a row whose cells are those of another.
    fn add(&self, rows: &Rows, player: usize, from: usize, sums: &mut [f64]) {
        for &feature in &rows.members[player] {
            self.lowered.add(feature, rows.column(feature)[from], sums);
        }
    }

    /// The answers (player, repeat, output) of a row.
    fn row(&self, rows: &Rows, row: usize, shuffled: &Shuffled) -> Vec<f64> {
        let (units, players) = (self.lowered.units(), rows.players.len());
        let mut terms = vec![0.0; players * units];
        for (player, terms) in terms.chunks_exact_mut(units.max(1)).enumerate() {
            self.add(rows, player, row, terms);
        }
        let rests = rests(Combine::Sum, &self.lowered.start, &terms);
        let mut sums = Vec::with_capacity(units);
        let mut answers = Vec::new();
        for (player, orders) in shuffled {
            for order in orders {
                sums.clear();
                sums.extend_from_slice(&rests[player * units..][..units]);
                self.add(rows, *player, order[row] as usize, &mut sums);
                answers.extend(self.answer(&mut sums));
            }
        }
        answers
    }
}

/// A linear model as a perceptron of one layer; `None` of others.
pub(super) fn one_layer(model: &Model) -> Option<Model> {
    let Model::Linear(linear) = model else {
        return None;
    };
    Some(Model::Mlp(Mlp {
        features: linear.features.clone(),
        outputs: linear.outputs.clone(),
        activation: Activation::Identity,
        layers: vec![Layer {
            weights: linear.coefficients.clone(),
            biases: linear.intercepts.clone(),
        }],
        probability: None,
    }))
}

/// A layer whose weights lie by neuron.
fn in_rows(layer: &Layer) -> Layer {
    Layer {
        weights: layer.weights.as_standard_layout().into_owned(),
        biases: layer.biases.clone(),
    }
}

fn apply(sums: &mut [f64], to: impl Fn(f64) -> f64) {
    for sum in sums {
        *sum = to(*sum);
    }
}

/// Σ a b, in four sums that are joined in the end.
fn product(a: &[f64], b: &[f64]) -> f64 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<4>(), b.as_chunks::<4>());
    let mut sums = [0.0; 4];
    for (a, b) in a.iter().zip(b) {
        for lane in 0..4 {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    (sums[0] + sums[2]) + (sums[1] + sums[3]) + rest
}

impl Engine for Units {
    fn name(&self) -> &'static str {
        "units"
    }

    fn place(&self) -> &Place {
        &self.place
    }

    fn base(&self, rows: &Rows) -> Result<Array2<f64>> {
        let made: Vec<Vec<f64>> = (0..rows.height)
            .into_par_iter()
            .map(|row| {
                let mut sums = self.lowered.start.clone();
                for player in 0..rows.players.len() {
                    self.add(rows, player, row, &mut sums);
                }
                self.answer(&mut sums)
            })
            .collect();
        let outputs = made.first().map_or(0, Vec::len);
        let bad = |answer: &Vec<f64>| answer.iter().find(|number| !number.is_finite()).copied();
        if let Some((row, found)) = made
            .iter()
            .enumerate()
            .find_map(|(row, a)| Some((row, bad(a)?)))
        {
            return Err(Error::Data {
                path: MEMORY.into(),
                at: format!("row {}", row + 1),
                reason: format!(
                    "the model answers {found}; expected a finite number: it takes no missing cells"
                ),
            });
        }
        Ok(Array2::from_shape_fn(
            (rows.height, outputs),
            |(row, output)| made[row][output],
        ))
    }

    fn answers(&self, rows: &Rows, shuffled: &Shuffled) -> Result<Vec<Array2<f64>>> {
        let made: Vec<Vec<f64>> = (0..rows.height)
            .into_par_iter()
            .map(|row| self.row(rows, row, shuffled))
            .collect();
        let variants: usize = shuffled.iter().map(|(_, orders)| orders.len()).sum();
        let outputs = made
            .first()
            .map_or(0, |answers| answers.len() / variants.max(1));
        let variant = |variant: usize| {
            Array2::from_shape_fn((rows.height, outputs), |(row, output)| {
                made[row][variant * outputs + output]
            })
        };
        Ok((0..variants).into_par_iter().map(variant).collect())
    }
}

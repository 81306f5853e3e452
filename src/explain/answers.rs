//! What a model answers to rows: for methods that perturb rows and ask for all of them at once.

use std::path::Path;
use std::sync::Arc;

use ndarray::Array2;
use rayon::prelude::*;

use super::Output;
use crate::error::{Error, MEMORY, Result};
use crate::model::{BlackBox, Link, Model, Predict, Trees};

/// Rows that a thread takes at a time.
const ROWS: usize = 64;

/// A model, and which of its answers are meant. They are the model's own, in float64, and those of a row depend on
/// the row alone.
#[derive(Debug, Clone)]
pub(super) struct Answers {
    model: Arc<Model>,
    output: Output,
    names: Vec<String>,
    /// What trees' margins are put through.
    link: Link,
}

impl Answers {
    /// For the raw output, the probability, or the response.
    ///
    /// # Errors
    /// [`Error::Parameter`] or [`Error::Unsupported`] for an output that the model does not have.
    pub(super) fn new(model: &Arc<Model>, output: Output) -> Result<Self> {
        let refused = |why: &str| {
            let what = format!("the output {output} of this model ({})", model.format());
            Err(Error::Unsupported {
                what,
                by: "a method that asks for it".to_owned(),
                instead: why.to_owned(),
            })
        };
        if output == Output::LogLoss {
            return refused("explain the raw output, the probability, or the response");
        }
        let mut link = Link::Identity;
        let zeros = vec![0.0; model.features().len()];
        let outputs = match &**model {
            Model::Trees(trees) => {
                if output != Output::Raw {
                    link = trees.link()?;
                }
                if output == Output::Probability && !link.is_probability() {
                    return refused("its predictions are no probabilities: take response, or raw");
                }
                trees.outputs.len()
            }
            Model::Linear(linear) if output != Output::Probability => linear.outputs.len(),
            Model::Network(network) if output != Output::Probability => network.outputs.len(),
            Model::BlackBox(black_box) if output != Output::Probability => {
                black_box.check()?;
                black_box.outputs.len()
            }
            Model::Linear(_) | Model::Network(_) | Model::BlackBox(_) => {
                return refused("its answers are taken as they are: take raw");
            }
            model => match answer(model, output, &zeros) {
                Some(answer) => answer.len(),
                None => return refused("it has no probabilities: take raw"),
            },
        };
        Ok(Self {
            names: names(model.outputs(), outputs),
            model: Arc::clone(model),
            output,
            link,
        })
    }

    /// One name per output: of the second of two classes where one output stands for both.
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// Which answers they are.
    pub(super) fn output(&self) -> Output {
        self.output
    }

    /// What trees' margins are put through.
    pub(super) fn link(&self) -> Link {
        self.link
    }

    /// Whether they are probabilities for all that is known.
    pub(super) fn is_probability(&self) -> bool {
        self.output == Output::Probability || self.link.is_probability()
    }

    /// Whether the largest of them, or the sign of one, tells a class for all that is known.
    pub(super) fn is_of_classes(&self) -> bool {
        let of_trees = |trees: &Trees| trees.link().is_ok_and(Link::is_probability);
        self.is_probability() || matches!(&*self.model, Model::Trees(trees) if of_trees(trees))
    }

    /// Whether the model is asked where it is.
    #[allow(dead_code, reason = "the methods that need it follow")]
    pub(super) fn is_asked(&self) -> bool {
        matches!(*self.model, Model::BlackBox(_))
    }

    /// The answers (rows, outputs) to rows (rows, features).
    ///
    /// # Errors
    /// What a black box says; [`Error::Data`] for an answer that is not finite, by its row.
    pub(super) fn to(&self, rows: Array2<f64>) -> Result<Array2<f64>> {
        let asked =
            |answer: Result<Array2<f64>>| answer.map_err(|error| error.in_file(Path::new(MEMORY)));
        match &*self.model {
            Model::BlackBox(black_box) => return asked(black_box.answer(rows)),
            Model::Network(network) => {
                return asked(BlackBox::from(network.clone()).answer(rows));
            }
            _ => {}
        }
        let (height, features) = rows.dim();
        let outputs = self.names.len();
        let answers = match &*self.model {
            Model::Trees(trees) => {
                let margins = trees.predict(rows)?;
                if self.link == Link::Identity {
                    return Ok(margins);
                }
                margins
                    .outer_iter()
                    .flat_map(|row| self.link.predict(&row.to_vec()))
                    .collect()
            }
            model => {
                let rows = rows.as_standard_layout();
                let cells = rows.as_slice().unwrap_or_default();
                let mut answers = vec![0.0; height * outputs];
                let parts = cells.par_chunks((ROWS * features).max(1));
                parts
                    .zip(answers.par_chunks_mut((ROWS * outputs).max(1)))
                    .for_each(|(cells, to)| {
                        let rows = cells
                            .chunks_exact(features.max(1))
                            .zip(to.chunks_exact_mut(outputs));
                        for (row, to) in rows {
                            match (model, answer(model, self.output, row)) {
                                (Model::Linear(linear), _) => {
                                    to.copy_from_slice(&linear.margins(1, row));
                                }
                                (_, Some(answer)) => to.copy_from_slice(&answer),
                                (_, None) => to.fill(f64::NAN),
                            }
                        }
                    });
                answers
            }
        };
        let bad = answers.iter().position(|answer| !answer.is_finite());
        if let Some(at) = bad {
            return Err(Error::Data {
                path: MEMORY.into(),
                at: format!(
                    "row {} of those that the model is asked for",
                    at / outputs + 1
                ),
                reason: format!(
                    "the model answers {}; expected a finite number",
                    answers[at]
                ),
            });
        }
        Array2::from_shape_vec((height, outputs), answers).map_err(|error| Error::Shape {
            what: "the answers of the model".to_owned(),
            expected: format!("{outputs} for each of {height} rows"),
            got: error.to_string(),
        })
    }
}

/// The answer of a model that the engine evaluates row by row.
fn answer(model: &Model, output: Output, row: &[f64]) -> Option<Vec<f64>> {
    match output {
        Output::Probability => model.probabilities(row),
        _ => model.raw(row),
    }
}

fn names(all: &[String], outputs: usize) -> Vec<String> {
    match all {
        [_, second] if outputs == 1 => vec![second.clone()],
        all if all.len() == outputs => all.to_vec(),
        _ => (0..outputs)
            .map(|output| format!("output {output}"))
            .collect(),
    }
}

//! Values of outputs that are no sum over trees: probabilities, predictions through other links, and
//! losses. They are Shapley values of the interventional game of that output, from what coalitions
//! are worth ([`coalition_trees`]); only the rescaled ones are not.

mod cpu;
#[cfg(feature = "gpu")]
mod gpu;
mod rescale;
mod varying;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rayon::prelude::*;
use whylight_kernels::ROWS;
use whylight_kernels::coalition_trees::MOST_PLAYERS;
use whylight_kernels::response::{self, Response};

use self::cpu::Against;
use self::varying::{Sides, Solved, Varying, shared, sides};
use super::background::BackgroundRows;
use super::compile::Compiled;
use super::{columns, refused};
use crate::data::Batch;
use crate::error::{Error, Result};
use crate::explain::coalitions::{Design, Sampling};
use crate::explain::method::Found;
use crate::explain::{Estimator, Index, Options, Output};
use crate::model::{Link, Trees};

/// What is made of the margins of a model, by its own definition.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answer {
    pub(super) link: Link,
    pub(super) loss: bool,
}

impl Answer {
    /// For an output other than the raw margin; `None` where that is the margin itself.
    pub(super) fn of(trees: &Trees, output: Output) -> Result<Option<Self>> {
        if output == Output::Raw {
            return Ok(None);
        }
        let link = trees.link()?;
        let misfit = |what: &str, instead: &str| Error::Parameter {
            name: "output",
            got: format!(
                "{output} of a model with the objective \"{}\"",
                trees.objective
            ),
            allowed: format!("{what}; {instead}"),
        };
        if output == Output::Probability && !link.is_probability() {
            let what = "its predictions are no probabilities";
            return Err(misfit(what, "use response for its predictions, or raw"));
        }
        if output == Output::LogLoss && link.log_loss(&trees.base).is_none() {
            let what = "the logarithmic loss of a logistic output, or of a softmax";
            return Err(misfit(
                what,
                "use raw, or response for the model's predictions",
            ));
        }
        let is_sum = matches!(link, Link::Identity | Link::Probability);
        let loss = output == Output::LogLoss;
        Ok((!is_sum).then_some(Self { link, loss }))
    }

    /// The answer to the margins of a row.
    pub(super) fn to(self, margins: &[f64]) -> Vec<f64> {
        if self.loss {
            self.link.log_loss(margins).unwrap_or_default()
        } else {
            self.link.predict(margins)
        }
    }

    /// The names of its numbers.
    pub(super) fn names(self, outputs: &[String]) -> Vec<String> {
        let of = |label: &str| format!("log loss of {label}");
        match outputs {
            [_] if self.loss => vec![of("0"), of("1")],
            _ if self.loss => outputs.iter().map(|name| of(name)).collect(),
            _ => outputs.to_vec(),
        }
    }

    fn response(self) -> Response {
        let link = match self.link {
            Link::Logistic { scale } => response::Link::Logistic { scale },
            Link::Softmax => response::Link::Softmax,
            Link::Exp => response::Link::Exp,
            Link::Softplus => response::Link::Softplus,
            Link::SignedSquare => response::Link::SignedSquare,
            Link::Step => response::Link::Step,
            Link::Variance => response::Link::Variance,
            Link::Expectiles => response::Link::Expectiles,
            _ => response::Link::Identity,
        };
        Response {
            link,
            loss: self.loss,
        }
    }
}

/// A forest against a background, ready for rows.
#[derive(Debug)]
pub(super) struct Responses {
    answer: Answer,
    estimator: Estimator,
    base: Vec<f64>,
    /// By node.
    sides: Vec<Sides>,
    /// By column.
    shared: Vec<Option<f32>>,
    /// The margins of the background rows, for rescaled values.
    margins: Vec<Vec<f64>>,
    seed: u64,
    pairs: Option<u32>,
    /// Where coalitions are evaluated if the device is a GPU.
    #[cfg(feature = "gpu")]
    on_gpu: Option<gpu::OnGpu>,
    /// By number of players.
    designs: Mutex<HashMap<usize, Option<Arc<Design>>>>,
}

impl Responses {
    /// # Errors
    /// [`Error::Unsupported`] for what is not defined, or not built, of such outputs.
    pub(super) fn new(
        trees: &Trees,
        compiled: &Compiled,
        answer: Answer,
        options: &Options,
    ) -> Result<Self> {
        let output = options.output;
        let Some(rows) = &compiled.background else {
            return Err(refused(
                &format!("path-dependent values of the output {output} (no sum over trees)"),
                "give a background, for interventional values; or explain the raw margin",
            ));
        };
        if options.interactions {
            return Err(refused(
                &format!("interactions of the output {output}"),
                "explain its values, or the interactions of the raw margin",
            ));
        }
        let estimator = options.estimator;
        let is_shapley = options.index == Index::Shapley;
        if !is_shapley && matches!(estimator, Estimator::Sampled | Estimator::Rescaled) {
            return Err(refused(
                &format!("Banzhaf values that are {estimator}"),
                "take the exact estimator, or Shapley values",
            ));
        }
        let cannot_rescale = match answer.link {
            Link::Softmax => Some("a softmax, whose outputs depend on every margin"),
            Link::Expectiles => Some("expectiles, which depend on those before them"),
            Link::Step => Some("a step, which has no slope"),
            _ => None,
        };
        if let Some(what) = cannot_rescale.filter(|_| estimator == Estimator::Rescaled) {
            return Err(refused(
                &format!("rescaled values of {what}"),
                "take the estimator auto",
            ));
        }
        Design::check(options.samples)?;
        let background = rows.by_row(compiled);
        let mut responses = Self {
            answer,
            estimator: if is_shapley {
                estimator
            } else {
                Estimator::Exact
            },
            base: trees.base.clone(),
            sides: sides(compiled, background),
            shared: shared(compiled, background),
            margins: Vec::new(),
            seed: options.seed,
            pairs: options.samples,
            #[cfg(feature = "gpu")]
            on_gpu: None,
            designs: Mutex::default(),
        };
        if estimator == Estimator::Rescaled {
            responses.margins = responses.of_background(compiled);
        }
        #[cfg(feature = "gpu")]
        responses.upload(compiled, &options.device)?;
        Ok(responses)
    }

    /// Whether every row is computed exactly, whatever its cells.
    pub(super) fn is_exact(&self, compiled: &Compiled) -> bool {
        match self.estimator {
            Estimator::Exact => true,
            Estimator::Auto => {
                Varying::of(compiled, |_| true, |_| true).players.len() <= MOST_PLAYERS
            }
            _ => false,
        }
    }

    pub(super) fn estimator(&self, compiled: &Compiled) -> Estimator {
        if self.is_exact(compiled) {
            Estimator::Exact
        } else {
            self.estimator
        }
    }

    /// Which engine computes the values, and why another than the device's.
    pub(super) fn engine(&self) -> (&'static str, Option<String>) {
        let names = match self.estimator {
            Estimator::Rescaled => ["pairs", "pairs_on_cpu"],
            _ => ["coalitions", "coalitions_on_cpu"],
        };
        #[cfg(feature = "gpu")]
        if let Some(gpu::OnGpu::Cpu(reason)) = &self.on_gpu {
            return (names[1], Some(reason.clone()));
        }
        (names[0], None)
    }

    /// The answer to the margins (rows, outputs) of rows.
    pub(super) fn answers(&self, margins: &[f64]) -> Vec<f64> {
        let rows = margins.chunks(self.base.len().max(1));
        rows.flat_map(|margins| self.answer.to(margins)).collect()
    }

    /// Seconds that a row takes at the most on one thread, roughly.
    pub(super) fn seconds(compiled: &Compiled) -> f64 {
        let leaves: f64 = compiled
            .shapes
            .iter()
            .map(|shape| f64::from(shape.leaves))
            .sum();
        let rows = compiled.background.as_ref().map_or(0, BackgroundRows::rows) as f64;
        let coalitions = 2.0 * (1024.0 + compiled.players.len() as f64);
        1e-9 * rows * (5.0 * leaves + coalitions * compiled.forest.trees() as f64)
    }

    /// Writes the values of some rows, and their standard errors, both laid out (rows, players,
    /// outputs).
    pub(super) fn values(
        &self,
        compiled: &Compiled,
        batch: &Batch<'_>,
        before: usize,
        out: &mut [f32],
        errors: &mut [f32],
    ) -> Result<Found> {
        // Players that do not vary have the value 0, and are not written.
        out.fill(0.0);
        let mut unwanted = Vec::new();
        let errors = if errors.is_empty() {
            unwanted.resize(out.len(), 0.0);
            &mut unwanted
        } else {
            errors.fill(0.0);
            errors
        };
        #[cfg(feature = "gpu")]
        if let Some(gpu::OnGpu::Gpu(gpu)) = &self.on_gpu {
            return self.values_on_gpu(gpu, compiled, batch, before, out, errors);
        }
        let scale = compiled.scale(batch);
        let outputs = self.outputs();
        let width = (compiled.players.len() * outputs).max(1);
        let columns = compiled.columns.len();
        let blocks = out
            .par_chunks_mut(ROWS * width)
            .zip(errors.par_chunks_mut(ROWS * width));
        let blocks = blocks.enumerate().map(|(block, (out, errors))| {
            let rows = out.len() / width;
            let mut cells = vec![0.0; columns * ROWS];
            let mut scratch = columns::Scratch::default();
            compiled.fill(batch, scale, block * ROWS, rows, &mut scratch, &mut cells)?;
            let rows = out.par_chunks_mut(width).zip(errors.par_chunks_mut(width));
            let rows = rows
                .enumerate()
                .map(|(row, (out, errors))| -> Result<Found> {
                    let own: Vec<f32> = (0..columns)
                        .map(|column| cells[column * ROWS + row])
                        .collect();
                    let row = Row {
                        cells: &own,
                        thresholds: compiled.thresholds(scale),
                        number: before + block * ROWS + row,
                    };
                    if self.estimator == Estimator::Rescaled {
                        return self.rescaled(compiled, row, out);
                    }
                    self.row(compiled, row, self.estimator, out, errors)
                });
            rows.try_reduce(Found::default, |a, b| Ok(a.with(b)))
        });
        blocks.try_reduce(Found::default, |a, b| Ok(a.with(b)))
    }

    /// Writes the values (player, output) of a row, and their standard errors.
    fn row(
        &self,
        compiled: &Compiled,
        row: Row<'_>,
        estimator: Estimator,
        out: &mut [f32],
        errors: &mut [f32],
    ) -> Result<Found> {
        let varying = self.varying(compiled, row);
        let players = varying.players.len();
        let is_exact = Self::is_exact_for(players, estimator, row.number)?;
        let game = Against {
            responses: self,
            compiled,
            row,
            places: &varying.places,
        };
        let solved = if is_exact {
            Solved::exact(game.exact(players))
        } else {
            game.sampled(players)?
        };
        varying.write(row.number, &solved, out, errors)
    }

    /// Whether a row takes all coalitions of its players.
    fn is_exact_for(players: usize, estimator: Estimator, row: usize) -> Result<bool> {
        let can = players <= MOST_PLAYERS;
        if estimator == Estimator::Exact && !can {
            return Err(Error::Unsupported {
                what: format!(
                    "row {} of the table, where {players} players vary between it and the background",
                    row + 1
                ),
                by: format!("exact values of up to {MOST_PLAYERS} players"),
                instead: "group features, or take the estimator auto or sampled".to_owned(),
            });
        }
        // One player alone has all that there is.
        Ok(can && (estimator != Estimator::Sampled || players < 2))
    }

    /// The values (player, output) that some coalitions of a design say, from their worth (output,
    /// coalition).
    fn estimated(&self, players: usize, worth: &[f64]) -> Result<Solved> {
        let design = self.design(players)?;
        let coalitions = design.coalitions();
        let outputs = worth.len() / coalitions;
        let mut solved = Solved {
            values: vec![0.0; players * outputs],
            errors: vec![0.0; players * outputs],
            is_exact: false,
        };
        for (output, worth) in worth.chunks(coalitions).enumerate() {
            let (values, errors) = design.values(worth);
            for player in 0..players {
                solved.values[player * outputs + output] = values[player];
                solved.errors[player * outputs + output] = errors[player];
            }
        }
        Ok(solved)
    }

    /// Numbers that come of a row's margins.
    fn outputs(&self) -> usize {
        self.answer.response().outputs(self.base.len())
    }

    /// The design for so many players.
    fn design(&self, players: usize) -> Result<Arc<Design>> {
        let mut designs = self.designs.lock().unwrap_or_else(PoisonError::into_inner);
        let known = designs.entry(players).or_insert_with(|| {
            Design::new(Sampling::Leverage, players, self.pairs, self.seed).map(Arc::new)
        });
        known.clone().ok_or_else(|| Error::Unsupported {
            what: format!("{players} players that vary between a row and the background"),
            by: "an estimate from sampled coalitions".to_owned(),
            instead: "group features, or explain the raw margin".to_owned(),
        })
    }
}

/// A row, as the forest reads it.
#[derive(Debug, Clone, Copy)]
struct Row<'a> {
    /// By column.
    cells: &'a [f32],
    /// By node.
    thresholds: &'a [f32],
    /// In the table, for messages.
    number: usize,
}

//! Values of outputs that are no sum over trees: probabilities, predictions through other links, and
//! losses. They are Shapley values of the interventional game of that output, from what coalitions
//! are worth ([`coalition_trees`]); only the rescaled ones are not.

mod rescale;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rayon::prelude::*;
use whylight_kernels::coalition_trees::{self, CHUNK, Game, MOST_PLAYERS, NONE, Scratch};
use whylight_kernels::response::{self, Response};
use whylight_kernels::{ROWS, tree_pairs};

use super::compile::Compiled;
use super::{columns, refused};
use crate::data::Batch;
use crate::error::{Error, MEMORY, Result};
use crate::explain::coalitions::{Design, Exact};
use crate::explain::method::Found;
use crate::explain::{Estimator, Index, Options, Output};
use crate::model::{Link, Trees};

/// Margins that a block of coalitions takes at a time: they stay in the second-level cache.
const BLOCK_CELLS: usize = 1 << 15;

/// Background rows whose worth is summed by itself, at least, and how many such sums there are at most:
/// what threads share of a row, in an order that does not depend on them.
const PART_ROWS: usize = 32;
const PARTS: usize = 16;

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
            _ => response::Link::Identity,
        };
        Response {
            link,
            loss: self.loss,
        }
    }
}

/// The sides of a split that the rows of a background take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sides {
    /// The rows do not come here, or the node is a leaf.
    None,
    Left,
    Right,
    Both,
}

/// A forest against a background, ready for rows.
#[derive(Debug)]
pub(super) struct Responses {
    answer: Answer,
    estimator: Estimator,
    base: Vec<f64>,
    /// The cells of the background (row, column).
    background: Vec<f32>,
    /// By node.
    sides: Vec<Sides>,
    shares: tree_pairs::Shares,
    /// The margins of the background rows, made when first needed.
    margins: OnceLock<Vec<Vec<f64>>>,
    seed: u64,
    pairs: Option<u32>,
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
        if estimator == Estimator::Rescaled && answer.link == Link::Softmax {
            return Err(refused(
                "rescaled values of a softmax, whose outputs depend on every margin",
                "take the estimator auto",
            ));
        }
        let background = rows.by_row(compiled.columns.len());
        let longest = compiled
            .shapes
            .iter()
            .map(|shape| shape.path_features)
            .max();
        Ok(Self {
            answer,
            estimator: if is_shapley {
                estimator
            } else {
                Estimator::Exact
            },
            base: trees.base.clone(),
            sides: sides(compiled, &background),
            background,
            shares: tree_pairs::Shares::new(options.index, longest.unwrap_or(0) as usize),
            margins: OnceLock::new(),
            seed: options.seed,
            pairs: options.samples,
            designs: Mutex::default(),
        })
    }

    /// Whether every row is computed exactly, whatever its cells.
    pub(super) fn is_exact(&self, compiled: &Compiled) -> bool {
        match self.estimator {
            Estimator::Exact => true,
            Estimator::Auto => players(compiled, |_| true).1.len() <= MOST_PLAYERS,
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

    pub(super) fn is_rescaled(&self) -> bool {
        self.estimator == Estimator::Rescaled
    }

    /// The answer to the margins (rows, outputs) of rows.
    pub(super) fn answers(&self, margins: &[f64]) -> Vec<f64> {
        let rows = margins.chunks(self.base.len().max(1));
        rows.flat_map(|margins| self.answer.to(margins)).collect()
    }

    /// Seconds that a row takes at the most on one thread, roughly.
    pub(super) fn seconds(&self, compiled: &Compiled) -> f64 {
        let leaves: f64 = compiled
            .shapes
            .iter()
            .map(|shape| f64::from(shape.leaves))
            .sum();
        let rows = self.background.len() as f64 / compiled.columns.len().max(1) as f64;
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
        let mut unwanted = Vec::new();
        let errors = if errors.is_empty() {
            unwanted.resize(out.len(), 0.0);
            &mut unwanted
        } else {
            errors
        };
        let scale = compiled.scale(batch);
        let outputs = self.answer.response().outputs(self.base.len());
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
        let outputs = self.answer.response().outputs(self.base.len());
        let (places, varying) = self.varying(compiled, row);
        let is_exact = varying.len() <= MOST_PLAYERS;
        if estimator == Estimator::Exact && !is_exact {
            return Err(Error::Unsupported {
                what: format!(
                    "row {} of the table, where {} players vary between it and the background",
                    row.number + 1,
                    varying.len()
                ),
                by: format!("exact values, which take up to {MOST_PLAYERS} players,"),
                instead: "group features, or take the estimator auto or sampled".to_owned(),
            });
        }
        let exact = is_exact && (estimator != Estimator::Sampled || varying.len() < 2);
        let game = Against {
            responses: self,
            compiled,
            row,
            places: &places,
        };
        let (values, spread) = if exact {
            (
                game.exact(varying.len()),
                vec![0.0; varying.len() * outputs],
            )
        } else {
            game.sampled(varying.len(), outputs)?
        };
        if values.iter().any(|value| !value.is_finite()) {
            return Err(outside(row.number));
        }
        let mut found = Found {
            exact_rows: u64::from(exact),
            estimated_rows: u64::from(!exact),
            ..Found::default()
        };
        for (place, &player) in varying.iter().enumerate() {
            for output in 0..outputs {
                let to = player as usize * outputs + output;
                out[to] = values[place * outputs + output] as f32;
                let error = spread[place * outputs + output] as f32;
                if let Some(to) = errors.get_mut(to) {
                    *to = error;
                }
                found.standard_error = found.standard_error.max(f64::from(error));
            }
        }
        Ok(found)
    }

    /// The players that some split tells apart between a row and some background row: by player its
    /// place among them, and they by place.
    fn varying(&self, compiled: &Compiled, row: Row<'_>) -> (Vec<u32>, Vec<u32>) {
        let forest = &compiled.forest;
        players(compiled, |n| {
            let node = &forest.nodes[n];
            let side = match self.sides[n] {
                Sides::None => return false,
                Sides::Both => return true,
                Sides::Left => true,
                Sides::Right => false,
            };
            let cell = row.cells[node.column as usize];
            side != node.test.left(cell, row.thresholds[n], &forest.sets)
        })
    }

    /// The design for so many players.
    fn design(&self, players: usize) -> Result<Arc<Design>> {
        let mut designs = self.designs.lock().unwrap_or_else(PoisonError::into_inner);
        let known = designs
            .entry(players)
            .or_insert_with(|| Design::new(players, self.pairs, self.seed).map(Arc::new));
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

/// A row against the background.
#[derive(Clone, Copy)]
struct Against<'a> {
    responses: &'a Responses,
    compiled: &'a Compiled,
    row: Row<'a>,
    places: &'a [u32],
}

impl Against<'_> {
    /// What coalitions are worth, summed by `add` for some background rows and their weights.
    fn worth(
        &self,
        cells: usize,
        add: impl Fn(Game<'_>, &mut Scratch, &mut [f64]) + Sync,
    ) -> Vec<f64> {
        let Some(background) = &self.compiled.background else {
            return vec![0.0; cells];
        };
        let columns = self.row.cells.len();
        let weights = background.weights();
        let rows = PART_ROWS.max(weights.len().div_ceil(PARTS));
        let parts = weights.par_chunks(rows).enumerate().map(|(part, weights)| {
            let first = part * rows * columns;
            let game = Game {
                forest: &self.compiled.forest,
                thresholds: [self.row.thresholds, background.thresholds(self.compiled)],
                row: self.row.cells,
                background: &self.responses.background[first..first + weights.len() * columns],
                weights,
                base: &self.responses.base,
                response: self.responses.answer.response(),
                places: self.places,
            };
            let mut worth = vec![0.0; cells];
            add(game, &mut Scratch::default(), &mut worth);
            worth
        });
        let mut parts: Vec<Vec<f64>> = parts.collect();
        let rest = parts.split_off(1);
        let mut worth = parts.pop().unwrap_or_default();
        for part in rest {
            for (worth, part) in worth.iter_mut().zip(part) {
                *worth += part;
            }
        }
        worth
    }

    /// The values (player, output) from all coalitions.
    fn exact(&self, players: usize) -> Vec<f64> {
        let margins = self.responses.base.len().max(1);
        let outputs = self.responses.answer.response().outputs(margins);
        let bits = players.min((BLOCK_CELLS / margins).max(1).ilog2() as usize);
        let mut exact = Exact::new(players, outputs, self.compiled.forest.index);
        for first in (0..1_u32 << players).step_by(1 << bits) {
            let mut worth = self.worth(outputs << bits, |game, scratch, worth| {
                coalition_trees::every(game, first, bits as u32, scratch, worth);
            });
            exact.add(first, bits, &mut worth);
        }
        exact.values()
    }

    /// The values (player, output) from some coalitions, and their standard errors.
    fn sampled(&self, players: usize, outputs: usize) -> Result<(Vec<f64>, Vec<f64>)> {
        let design = self.responses.design(players)?;
        let mut worths = vec![Vec::with_capacity(design.coalitions()); outputs];
        for chunk in &design.chunks {
            let worth = self.worth(outputs * chunk.count, |game, scratch, worth| {
                coalition_trees::some(game, &chunk.members, chunk.count, scratch, worth);
            });
            for (worths, worth) in worths.iter_mut().zip(worth.chunks(chunk.count)) {
                worths.extend(worth);
            }
        }
        // None of the players, and all of them.
        let ends: Vec<[u64; CHUNK / 64]> = vec![[2; CHUNK / 64]; players];
        let ends = self.worth(outputs * 2, |game, scratch, worth| {
            coalition_trees::some(game, &ends, 2, scratch, worth);
        });
        let (mut values, mut errors) = (vec![0.0; players * outputs], vec![0.0; players * outputs]);
        for (output, worths) in worths.iter().enumerate() {
            let (of_output, spread) =
                design.values(worths, [ends[2 * output], ends[2 * output + 1]]);
            for player in 0..players {
                values[player * outputs + output] = of_output[player];
                errors[player * outputs + output] = spread[player];
            }
        }
        Ok((values, errors))
    }
}

/// The players of the nodes that tell them apart: by player its place among them, and they by place.
fn players(compiled: &Compiled, parts: impl Fn(usize) -> bool) -> (Vec<u32>, Vec<u32>) {
    let mut places = vec![NONE; compiled.players.len()];
    for (n, node) in compiled.forest.nodes.iter().enumerate() {
        if !node.is_leaf() && places[node.feature as usize] == NONE && parts(n) {
            places[node.feature as usize] = 0;
        }
    }
    let mut varying = Vec::new();
    for (player, place) in places.iter_mut().enumerate() {
        if *place != NONE {
            *place = varying.len() as u32;
            varying.push(player as u32);
        }
    }
    (places, varying)
}

/// The sides of every split that the background rows of any weight take.
fn sides(compiled: &Compiled, background: &[f32]) -> Vec<Sides> {
    let Some(rows) = &compiled.background else {
        return Vec::new();
    };
    let forest = &compiled.forest;
    let thresholds = rows.thresholds(compiled);
    let columns = compiled.columns.len().max(1);
    let side = |n: usize| {
        let node = &forest.nodes[n];
        if node.is_leaf() {
            return Sides::None;
        }
        let mut sides = Sides::None;
        for (cells, &weight) in background.chunks(columns).zip(rows.weights()) {
            if weight == 0.0 {
                continue;
            }
            let cell = cells[node.column as usize];
            let left = node.test.left(cell, thresholds[n], &forest.sets);
            let side = if left { Sides::Left } else { Sides::Right };
            if sides == Sides::None {
                sides = side;
            } else if sides != side {
                return Sides::Both;
            }
        }
        sides
    };
    (0..forest.nodes.len()).into_par_iter().map(side).collect()
}

/// A row whose output has no values.
fn outside(row: usize) -> Error {
    Error::Data {
        path: MEMORY.into(),
        at: format!("row {}", row + 1),
        reason: "the model's output is no finite number, and cannot be shared among features"
            .to_owned(),
    }
}

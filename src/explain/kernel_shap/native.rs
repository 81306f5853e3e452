//! Worths from models whose units are sums or products over players: what a coalition takes from the explained
//! row and what it takes from the background are one number each for a unit, and the latter serves all rows
//! ([`whylight_kernels::coalition_sums`]). No synthetic row is ever made.

mod closed;
#[cfg(feature = "gpu")]
pub(in crate::explain) mod gpu;
#[cfg(not(feature = "gpu"))]
#[path = "native/no_gpu.rs"]
mod gpu;
pub(in crate::explain) mod lower;

use std::sync::Arc;

use rayon::prelude::*;
use whylight_kernels::Level;
use whylight_kernels::coalition_sums::{Coalitions, Combine, Term, Terms};
use whylight_kernels::kernel_machine::{self, KernelMachine};
use whylight_kernels::lanes::LANES;
use whylight_kernels::linear::{self, Linear};
use whylight_kernels::neighbours;
use whylight_kernels::normalised_units::Norm;

use self::gpu::OnGpu;
use self::lower::{Body, Lowered};
use super::games::Game;
use super::source::{Said, Solved, Source};
use crate::device::Device;
use crate::error::{Error, Result};
use crate::explain::method::Asked;
use crate::explain::others::Others;
use crate::explain::{Options, Output};
use crate::model::Model;

/// What a multiplication and an addition cost, in seconds, roughly.
const SECONDS: f64 = 1e-10;

/// Coalitions that a thread takes at a time: as many as leave each thread four turns, within these.
const AT_ONCE: [usize; 2] = [16, 128];

/// A model in its units, beside a background.
#[derive(Debug)]
pub(super) struct Native {
    model: Arc<Model>,
    output: Output,
    lowered: Lowered,
    others: Arc<Others>,
    memory: u64,
    on_gpu: Option<OnGpu>,
    /// The device that the kernels run on, and why on it.
    device: (Device, String),
}

impl Native {
    /// For a model that [`Native::takes`].
    ///
    /// # Errors
    /// [`crate::Error::Unsupported`] for an output that the model does not have.
    pub(super) fn new(
        model: &Arc<Model>,
        options: &Options,
        others: &Arc<Others>,
        memory: u64,
    ) -> Result<Self> {
        let lowered = Lowered::new(model, options.output)?;
        let mut device = (options.device.clone(), options.device.reason());
        let mut on_gpu = None;
        let is_cpu = matches!(device.0, Device::Cpu { .. });
        if !is_cpu && lowered.is_sum() && lowered.has_closed_form() && options.has_closed_form() {
            let reason = "the values of a sum over features take no coalitions";
            device = (Device::cpu(), reason.to_owned());
        } else if !is_cpu {
            match OnGpu::new(&device.0, &lowered, options.memory_limit) {
                Err(Error::Unsupported { what, by, .. }) => {
                    device = (Device::cpu(), format!("{by} cannot hold {what}"));
                }
                made => on_gpu = made?,
            }
        }
        Ok(Self {
            lowered,
            model: Arc::clone(model),
            output: options.output,
            others: Arc::clone(others),
            memory,
            on_gpu,
            device,
        })
    }

    /// The device that the kernels run on, and why on it.
    pub(super) fn device(&self) -> &(Device, String) {
        &self.device
    }

    /// The names of what is explained.
    pub(super) fn output_names(&self) -> Vec<String> {
        self.lowered.names.clone()
    }

    /// What computes the worths, for the result.
    pub(super) fn engine(&self) -> &'static str {
        match &self.lowered.body {
            Body::Sums { .. } => "linear",
            Body::Machine { .. } => "kernel_machine",
            Body::Mlp(_) => "mlp",
            Body::Neighbours { .. } => "neighbours",
        }
    }

    fn outputs(&self) -> usize {
        self.lowered.names.len()
    }

    /// The terms of players (player, unit), and what all coalitions begin with, of cells of a row.
    fn terms(&self, cells: &[f64], players: &[Vec<usize>]) -> Vec<f64> {
        let units = self.lowered.units();
        let mut terms = vec![0.0; players.len() * units];
        for (columns, terms) in players.iter().zip(terms.chunks_exact_mut(units)) {
            for &column in columns {
                self.lowered.add(column, cells[column], terms);
            }
            self.lowered.finish(terms);
        }
        terms
    }

    /// What all coalitions of a row begin with: what the columns give that do not vary, and the constants.
    fn start(&self, game: &Game) -> Vec<f64> {
        let mut plays = vec![false; game.cells.len()];
        for &column in game.players.iter().flatten() {
            plays[column] = true;
        }
        let mut start = self.lowered.start.clone();
        for (column, &cell) in game.cells.iter().enumerate() {
            if !plays[column] {
                self.lowered.add(column, cell, &mut start);
            }
        }
        self.lowered.finish(&mut start);
        start
    }

    /// The terms (player, unit) of [`LANES`] background rows from the first on, side by side.
    fn lanes(&self, first: usize, players: &[Vec<usize>]) -> Vec<[f64; LANES]> {
        let features = self.model.features().len();
        let mut lanes = vec![[0.0; LANES]; players.len() * self.lowered.units()];
        let rows = self.others.cells.chunks_exact(features).skip(first);
        for (l, cells) in rows.take(LANES).enumerate() {
            for (lanes, term) in lanes.iter_mut().zip(self.terms(cells, players)) {
                lanes[l] = term;
            }
        }
        lanes
    }

    /// The weights of as many rows, 0 where there are none.
    fn weights(&self) -> Vec<[f64; LANES]> {
        let pad = |weights: &[f64]| std::array::from_fn(|l| weights.get(l).copied().unwrap_or(0.0));
        self.others.weights.chunks(LANES).map(pad).collect()
    }

    /// Adds the mean answers of the coalitions of rows to `means`, laid out (coalition, row, output).
    fn add<T>(
        &self,
        games: &[&Game],
        coalitions: Coalitions<'_>,
        means: &mut [f64],
        run: impl Fn(&whylight_kernels::machine::Games<'_, T>, std::ops::Range<usize>, &mut [f64])
        + Sync,
    ) where
        T: whylight_kernels::Real,
        [T; LANES]: Term,
    {
        let (combine, units) = (self.lowered.combine, self.lowered.units());
        let neutral = [T::of(self.neutral()); LANES];
        let players = &games[0].players;
        let rows: Vec<Terms<T>> = (games.par_iter())
            .map(|game| {
                let terms: Vec<T> = self
                    .terms(&game.cells, players)
                    .into_iter()
                    .map(T::of)
                    .collect();
                let start = self.start(game).into_iter().map(T::of).collect();
                Terms::new(combine, start, &terms)
            })
            .collect();
        let starts = self.lowered.norm.iter().flat_map(|norm| &norm.start);
        let starts: Vec<T> = starts.copied().map(T::of).collect();
        let weights = self.weights();
        // Of 16 sets for every 4 players, and what a coalition takes.
        let block = (size_of::<T>() * LANES * units * (4 * players.len() + 1)) as u64;
        let at_once = (self.memory / block.max(1)).clamp(1, weights.len() as u64) as usize;
        let width = games.len() * self.outputs();
        let [least, most] = AT_ONCE;
        let of_turn = coalitions.count() / (4 * rayon::current_num_threads());
        let of_turn = of_turn.clamp(least, most);
        for (number, weights) in weights.chunks(at_once).enumerate() {
            let first = number * at_once;
            let background: Vec<Terms<[T; LANES]>> = (0..weights.len())
                .into_par_iter()
                .map(|block| {
                    let lanes = self.lanes((first + block) * LANES, players);
                    let lanes: Vec<[T; LANES]> =
                        lanes.iter().map(|lanes| lanes.map(T::of)).collect();
                    Terms::new(combine, vec![neutral; units], &lanes)
                })
                .collect();
            let norm = self.lowered.norm.as_ref().map(|norm| Norm {
                kind: norm.kind(),
                start: &starts,
                shift: T::of(norm.shift),
            });
            let games = whylight_kernels::machine::Games {
                rows: &rows,
                background: &background,
                weights,
                coalitions,
                norm,
                decision: self.lowered.decision,
            };
            let parts = means.par_chunks_mut(of_turn * width).enumerate();
            parts.for_each(|(part, means)| {
                let first = part * of_turn;
                run(&games, first..first + means.len() / width, means);
            });
        }
    }

    /// What changes no unit.
    fn neutral(&self) -> f64 {
        match self.lowered.combine {
            Combine::Sum => 0.0,
            Combine::Product => 1.0,
        }
    }

    /// The values of rows that have the same players and coalitions, where a GPU solves for them.
    fn solved(
        &self,
        games: &[&Game],
        base: &[f64],
        answers: &[Vec<f64>],
    ) -> Result<Option<Vec<Solved>>> {
        let design = match &games[0].coalitions {
            super::games::Coalitions::Some(design) => design,
            super::games::Coalitions::All(_) => return Ok(None),
        };
        let (Some(gpu), Some(problem)) = (&self.on_gpu, design.problem()) else {
            return Ok(None);
        };
        let totals: Vec<f64> = (answers.iter())
            .flat_map(|answer| answer.iter().zip(base).map(|(all, none)| all - none))
            .collect();
        gpu.values(self, games, problem, &totals)
    }

    /// What the coalitions of rows that have the same ones are worth, beside their answers.
    fn worths(
        &self,
        games: &[&Game],
        answers: &[Vec<f64>],
        asked: &mut Asked,
    ) -> Result<Vec<Said>> {
        let coalitions = &games[0].coalitions;
        let (masks, words) = coalitions.masks();
        let (count, [all, _]) = (coalitions.count(), coalitions.ends());
        let mut means = self.means(games, &masks, words, asked)?;
        let of_rows = means.chunks_exact_mut(self.outputs() * count).zip(answers);
        let said = of_rows.map(|(means, answer)| {
            for (means, answer) in means.chunks_exact_mut(count).zip(answer) {
                means[all] = *answer;
            }
            Said::Worths(means.to_vec())
        });
        Ok(said.collect())
    }

    /// The mean answers (row, output, coalition) of rows that have the same players and coalitions.
    fn means(
        &self,
        games: &[&Game],
        masks: &[u32],
        words: usize,
        asked: &mut Asked,
    ) -> Result<Vec<f64>> {
        if let Some(gpu) = &self.on_gpu {
            if let Some(means) = gpu.means(self, games, masks, words)? {
                return Ok(means);
            }
            asked.left += games.len() as u64;
        }
        let coalitions = Coalitions { masks, words };
        let by_coalition = self.on_cpu(games, coalitions);
        let (count, width) = (coalitions.count(), games.len() * self.outputs());
        let at = |at: usize| by_coalition[at % count * width + at / count];
        Ok((0..by_coalition.len()).into_par_iter().map(at).collect())
    }

    /// The same by the kernels of the CPU: (coalition, row, output).
    fn on_cpu(&self, games: &[&Game], coalitions: Coalitions<'_>) -> Vec<f64> {
        let mut means = vec![0.0; coalitions.count() * games.len() * self.outputs()];
        let level = Level::detect();
        match &self.lowered.body {
            Body::Sums { machines } => {
                let body = Linear {
                    machines: *machines,
                };
                self.add(games, coalitions, &mut means, |games, range, means| {
                    linear::run(level, &body, games, range, means);
                });
            }
            Body::Machine {
                shape,
                coefficients,
                intercepts,
            } => {
                let body = KernelMachine {
                    shape: *shape,
                    coefficients,
                    intercepts,
                };
                self.add(games, coalitions, &mut means, |games, range, means| {
                    kernel_machine::run(level, body, games, range, means);
                });
            }
            Body::Neighbours {
                targets,
                count,
                weighting,
            } => {
                let body = neighbours::Neighbours {
                    targets,
                    outputs: self.outputs(),
                    count: *count,
                    weighting: *weighting,
                };
                self.add(games, coalitions, &mut means, |games, range, means| {
                    neighbours::run(level, body, games, range, means);
                });
            }
            Body::Mlp(body) => {
                self.add(games, coalitions, &mut means, |games, range, means| {
                    whylight_kernels::mlp::run(level, body, games, range, means);
                });
            }
        }
        means
    }

    /// Games that have the same players and coalitions, by their places.
    fn batches(&self, games: &[Game]) -> Vec<Vec<usize>> {
        let mut batches: Vec<Vec<usize>> = Vec::new();
        for (row, game) in games.iter().enumerate() {
            let most = self.rows_at_once(game);
            let is_same = |batch: &Vec<usize>| {
                let first = &games[batch[0]];
                batch.len() < most
                    && first.players == game.players
                    && first.coalitions.is_same(&game.coalitions)
            };
            match batches.iter_mut().rev().find(|batch| is_same(batch)) {
                Some(batch) => batch.push(row),
                None => batches.push(vec![row]),
            }
        }
        batches
    }

    /// Rows of a batch at most: their terms stay at hand while coalitions pass.
    fn rows_at_once(&self, game: &Game) -> usize {
        let players = game.players.len();
        if let Some(gpu) = &self.on_gpu {
            return gpu.rows_at_once(players, game.coalitions.count());
        }
        let row = 8 * self.lowered.units() * (4 * players + 2) + 1;
        (self.memory as usize / row).clamp(1, 4096)
    }
}

impl Source for Native {
    fn base(&self) -> Result<Vec<f64>> {
        let features = self.model.features().len();
        let mut means = vec![0.0; self.outputs()];
        let rows = self.others.cells.par_chunks_exact(features);
        let answers: Vec<Vec<f64>> = rows
            .map(|cells| self.lowered.answer(&self.model, self.output, cells))
            .collect();
        for (answer, weight) in answers.iter().zip(&self.others.weights) {
            for (mean, answer) in means.iter_mut().zip(answer) {
                *mean += weight * answer;
            }
        }
        Ok(means)
    }

    fn play(&self, games: &[Game], base: Option<&[f64]>, asked: &mut Asked) -> Result<Vec<Said>> {
        let mut played: Vec<Said> = games.iter().map(|_| Said::Worths(Vec::new())).collect();
        for batch in self.batches(games) {
            let of_batch: Vec<&Game> = batch.iter().map(|&row| &games[row]).collect();
            // By the model's own rules, in float64: a value and its check begin from the same ends.
            let answer = |game: &&Game| self.lowered.answer(&self.model, self.output, &game.cells);
            let answers: Vec<Vec<f64>> = of_batch.par_iter().map(answer).collect();
            let solved = match base {
                Some(base) => self.solved(&of_batch, base, &answers)?,
                None => None,
            };
            let said = match solved {
                Some(solved) => solved.into_iter().map(Said::Values).collect(),
                None => self.worths(&of_batch, &answers, asked)?,
            };
            for (row, said) in batch.into_iter().zip(said) {
                played[row] = said;
            }
        }
        Ok(played)
    }

    fn answer(&self, rows: usize, cells: &[f64]) -> Result<Vec<f64>> {
        let features = cells.len() / rows.max(1);
        let rows = cells.par_chunks_exact(features.max(1));
        let answers = rows.map(|cells| self.lowered.answer(&self.model, self.output, cells));
        Ok(answers.collect::<Vec<_>>().concat())
    }

    fn least_rows(&self) -> usize {
        if self.on_gpu.is_some() {
            return 512;
        }
        64
    }

    fn seconds(&self) -> Option<f64> {
        let terms = self.lowered.operations() * self.others.weights.len();
        Some(terms as f64 * SECONDS)
    }

    fn takes_missing(&self) -> bool {
        false
    }

    fn has_closed_form(&self) -> bool {
        self.lowered.has_closed_form()
    }

    fn closed_form(&self, games: &[Game], asked: &mut Asked) -> Result<Vec<Vec<f64>>> {
        let mut values = vec![Vec::new(); games.len()];
        for batch in self.batches(games) {
            let of_batch: Vec<&Game> = batch.iter().map(|&row| &games[row]).collect();
            let found = closed::values(self, &of_batch, asked)?;
            for (row, found) in batch.into_iter().zip(found) {
                values[row] = found;
            }
        }
        Ok(values)
    }
}

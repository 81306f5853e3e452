//! Games that a GPU plays: the terms of rows and of the background are made here, in float64.

use rayon::prelude::*;
use whylight_kernels::kernel_machine::KernelMachine;
use whylight_kernels::least_squares::{LeastSquares, share_rest};
use whylight_kernels::neighbours::Neighbours;
use whylight_kernels::product_games::Ends;

use super::Native;
use super::lower::{Body, Lowered};
use crate::device::Device;
use crate::error::{Error, Result};
use crate::explain::coalitions::Pair;
use crate::explain::kernel_shap::games::Game;
use crate::explain::kernel_shap::source::Solved;
use crate::gpu_games::{self, GpuGames, Plan, Sums, Terms};

/// A model on a GPU.
#[derive(Debug)]
pub(super) struct OnGpu(GpuGames);

/// Uploads a model, where the device is a GPU.
///
/// # Errors
/// [`Error::Unsupported`] if the GPU cannot hold it; [`Error::Gpu`] if the GPU fails.
pub(in crate::explain) fn upload(
    device: &Device,
    lowered: &Lowered,
    memory_limit: Option<u64>,
) -> Result<Option<GpuGames>> {
    let Device::Gpu { gpu, .. } = device else {
        return Ok(None);
    };
    let body = match &lowered.body {
        Body::Sums { .. } => gpu_games::Body::Linear,
        Body::Machine {
            shape,
            coefficients,
            intercepts,
        } => gpu_games::Body::KernelMachine(KernelMachine {
            shape: *shape,
            coefficients,
            intercepts,
        }),
        Body::Mlp(mlp) => gpu_games::Body::Mlp(mlp),
        Body::Neighbours {
            targets,
            count,
            weighting,
        } => gpu_games::Body::Neighbours(Neighbours {
            targets,
            outputs: lowered.names.len(),
            count: *count,
            weighting: *weighting,
        }),
    };
    let plan = Plan {
        combine: lowered.combine,
        units: lowered.units(),
        norm: lowered.norm.as_ref().map(|norm| gpu_games::Norm {
            kind: norm.kind(),
            start: &norm.start,
            shift: norm.shift,
            largest: norm.largest,
        }),
        body,
        decision: lowered.decision,
        memory_limit,
    };
    GpuGames::new(gpu, &plan).map(Some)
}

impl OnGpu {
    /// As [`upload`].
    pub(super) fn new(
        device: &Device,
        lowered: &Lowered,
        memory_limit: Option<u64>,
    ) -> Result<Option<Self>> {
        Ok(upload(device, lowered, memory_limit)?.map(Self))
    }

    /// Rows of so many players and coalitions that it takes at a time.
    pub(super) fn rows_at_once(&self, players: usize, coalitions: usize) -> usize {
        self.0.rows_at_once(players, coalitions)
    }
}

/// Terms (row, player, unit), and what the coalitions of the rows begin with (row, unit).
struct Made {
    terms: Vec<f64>,
    start: Vec<f64>,
}

impl Made {
    fn terms(&self) -> Terms<'_> {
        Terms {
            terms: &self.terms,
            start: &self.start,
        }
    }
}

impl OnGpu {
    /// The mean answers (row, output, coalition) of rows that have the same players and coalitions; `None` where
    /// the numbers leave the range of float32.
    pub(super) fn means(
        &self,
        native: &Native,
        games: &[&Game],
        masks: &[u32],
        words: usize,
    ) -> Result<Option<Vec<f64>>> {
        let sums = self.sums(native, games, masks, words)?;
        sums.map(Sums::means).transpose()
    }

    /// The values of rows that have the same players and coalitions, which are the problem's, and whose totals are
    /// (row, output); `None` where the GPU cannot have them.
    pub(super) fn values(
        &self,
        native: &Native,
        games: &[&Game],
        (problem, pairs): (&LeastSquares, &[Pair]),
        totals: &[f64],
    ) -> Result<Option<Vec<Solved>>> {
        if !self.0.solves(problem, pairs.len()) {
            return Ok(None);
        }
        let (masks, words) = games[0].coalitions.masks();
        let Some(sums) = self.sums(native, games, &masks, words)? else {
            return Ok(None);
        };
        let mut found = sums.solve(problem, pairs, totals)?;
        if !found
            .slopes
            .iter()
            .chain(&found.errors)
            .all(|x| x.is_finite())
        {
            return Ok(None);
        }
        let (players, outputs) = (problem.players, native.outputs());
        let games = found.slopes.chunks_exact_mut(players).zip(totals);
        for (slopes, total) in games {
            share_rest(slopes, *total);
        }
        // From (output, player) to (player, output).
        let turned = |row: &[f64]| -> Vec<f64> {
            (0..row.len())
                .map(|at| row[at % outputs * players + at / outputs])
                .collect()
        };
        let rows = (found.slopes.chunks_exact(players * outputs))
            .zip(found.errors.chunks_exact(players * outputs));
        Ok(Some(
            rows.map(|(values, errors)| (turned(values), turned(errors)))
                .collect(),
        ))
    }

    /// The games of rows that have the same players and coalitions, played; `None` where the numbers leave the range
    /// of float32.
    fn sums(
        &self,
        native: &Native,
        games: &[&Game],
        masks: &[u32],
        words: usize,
    ) -> Result<Option<Sums<'_>>> {
        let (gpu, players) = (&self.0, &games[0].players);
        let rows = native.of_rows(games);
        if !gpu.takes(rows.terms()) {
            return Ok(None);
        }
        let mut sums = gpu.sums(rows.terms(), players.len(), masks, words);
        let at_once = native.others_at_once(players.len());
        for (others, weights) in native.others(players, at_once) {
            if !gpu.takes(others.terms()) {
                return Ok(None);
            }
            sums.add(&others.terms, weights)?;
        }
        Ok(Some(sums))
    }

    /// The values (player, output) of rows that have the same players, of a product kernel; `None` where the GPU
    /// cannot have them.
    pub(super) fn products(
        &self,
        native: &Native,
        games: &[&Game],
        coefficients: &[f64],
    ) -> Result<Option<Vec<Vec<f64>>>> {
        let (gpu, players) = (&self.0, &games[0].players);
        let rows = native.of_rows(games);
        if !gpu.takes(rows.terms()) {
            return Ok(None);
        }
        let width = players.len() * native.outputs();
        let mut values = vec![0.0; games.len() * width];
        let most = native.others_at_once(players.len());
        let at_once = gpu.others_at_once(players.len(), most);
        let mut ends = Ends::new(players.len(), native.lowered.units());
        let mut last = None;
        for (others, weights) in native.others(players, at_once) {
            if !gpu.takes(others.terms()) {
                return Ok(None);
            }
            let width = players.len() * native.lowered.units();
            ends.extend(others.terms.chunks_exact(width));
            last = Some((others, weights));
        }
        // A background in one piece need not be made again.
        let is_whole = native.others.weights.len() <= at_once;
        let again = native.others(players, at_once).skip(usize::from(is_whole));
        for (others, weights) in last.filter(|_| is_whole).into_iter().chain(again) {
            let added = gpu
                .products(&others.terms, players.len(), weights, &ends)
                .and_then(|products| products.add(rows.terms(), coefficients, &mut values));
            match added {
                Err(Error::Unsupported { .. }) => return Ok(None),
                added => added?,
            }
        }
        Ok(Some(
            values.chunks_exact(width).map(<[f64]>::to_vec).collect(),
        ))
    }
}

impl Native {
    fn of_rows(&self, games: &[&Game]) -> Made {
        let players = &games[0].players;
        let made: Vec<[Vec<f64>; 2]> = (games.par_iter())
            .map(|game| [self.terms(&game.cells, players), self.start(game)])
            .collect();
        let part = |part: usize| made.iter().flat_map(|made| &made[part]).copied().collect();
        Made {
            terms: part(0),
            start: part(1),
        }
    }

    /// Background rows whose terms the memory has room for.
    fn others_at_once(&self, players: usize) -> usize {
        let row = 8 * (players * self.lowered.units()).max(1) as u64;
        (self.memory / row).clamp(1, 1 << 16) as usize
    }

    /// The terms and weights of the background, so many rows at a time.
    fn others<'a>(
        &'a self,
        players: &'a [Vec<usize>],
        at_once: usize,
    ) -> impl Iterator<Item = (Made, &'a [f64])> {
        let features = self.model.features().len();
        let cells = self.others.cells.chunks(at_once * features);
        cells
            .zip(self.others.weights.chunks(at_once))
            .map(move |(cells, weights)| {
                let terms: Vec<Vec<f64>> = (cells.par_chunks_exact(features))
                    .map(|cells| self.terms(cells, players))
                    .collect();
                let made = Made {
                    terms: terms.concat(),
                    start: vec![self.neutral(); self.lowered.units()],
                };
                (made, weights)
            })
    }
}

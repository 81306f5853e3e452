//! Values from the mean answers of coalitions, where these are.

use whylight_kernels::least_squares::{LeastSquares, MOST_PLAYERS, Params};

use super::super::{GpuGames, WORK, halves};
use super::Sums;
use crate::error::Result;
use crate::kernel::{self, WORKGROUP};

/// Solutions of a least squares problem, both (row, output, player).
#[derive(Debug)]
pub struct Slopes {
    /// What values are beside an even division of the total.
    pub slopes: Vec<f64>,
    /// The standard errors.
    pub errors: Vec<f64>,
}

impl GpuGames {
    /// Whether the GPU solves a problem over so many pairs.
    pub fn solves(&self, problem: &LeastSquares, pairs: usize) -> bool {
        let players = problem.players;
        let lanes = WORKGROUP as usize;
        let steps = pairs.max(pairs.div_ceil(lanes) * players);
        let held = problem.spreads.len().max(players * players);
        problem.players <= MOST_PLAYERS as usize
            && steps as u64 <= self.gpu.adapter().limits.iterations
            && 4 * held as u64 <= self.limit
    }
}

impl Sums<'_> {
    /// Solves a problem that [`GpuGames::solves`] over all coalitions but the last two, which are pairs of a coalition
    /// and its complement. The totals (row, output) are what all players are worth more than none.
    ///
    /// # Errors
    /// [`crate::Error::Gpu`] if the GPU fails.
    pub fn solve<M: AsRef<[u32]>>(
        self,
        problem: &LeastSquares,
        pairs: &[M],
        totals: &[f64],
    ) -> Result<Slopes> {
        let (gpu, players) = (&self.games.gpu, problem.players);
        let mut found = Slopes {
            slopes: vec![0.0; totals.len() * players],
            errors: vec![0.0; totals.len() * players],
        };
        if !self.is_begun || found.slopes.is_empty() {
            return Ok(found);
        }
        let weight = |(pair, &weight): (&M, &f64)| {
            let share = pair.as_ref().len() as f64 / players as f64;
            [weight as f32, share as f32]
        };
        let weights: Vec<[f32; 2]> = pairs.iter().zip(&problem.weights).map(weight).collect();
        let inverse: Vec<f32> = problem.inverse.iter().map(|&cell| cell as f32).collect();
        let (weights, inverse) = (
            gpu.upload("weights", &weights),
            gpu.upload("inverse", &inverse),
        );
        let drawn = gpu.upload("drawn", &problem.drawn);
        let spreads = gpu.upload("spreads", &problem.spreads);
        let totals_on_gpu = gpu.upload("totals", &halves(totals));
        let bytes = (8 * totals.len() * players) as u64;
        let solved = gpu.storage("solved", bytes);
        let readable = gpu.readable("readable", bytes);
        let lanes = u64::from(WORKGROUP);
        let turns = (players as u64).div_ceil(lanes);
        let count = pairs.len() as u64;
        let steps = turns * (2 * count + players as u64) + count.div_ceil(lanes) * players as u64;
        let at_once = (WORK / (steps * lanes)).clamp(1, 1 << 16) as usize;
        let mut batch = gpu.batch();
        for first in (0..totals.len()).step_by(at_once) {
            let games = at_once.min(totals.len() - first);
            kernel::least_squares.launch(
                gpu,
                &mut batch,
                Params {
                    first: first as u32,
                    games: games as u32,
                    players: players as u32,
                    pairs: pairs.len() as u32,
                    drawn: problem.drawn.len() as u32,
                    coalitions: self.coalitions as u32,
                    zero: 0,
                },
                &[
                    &self.masks,
                    &totals_on_gpu,
                    &weights,
                    &inverse,
                    &drawn,
                    &spreads,
                    &self.means,
                    &solved,
                ],
                games as u64 * lanes,
            )?;
            gpu.pace(&mut batch, games as u64 * steps * lanes, WORK);
        }
        batch.copy(&solved, &readable, 0, bytes);
        let ticket = gpu.submit(batch, &readable, bytes);
        gpu.read("solving for values", ticket, &readable, bytes, |solved| {
            let of_games = solved.chunks_exact(2 * players);
            let to = (found.slopes.chunks_exact_mut(players))
                .zip(found.errors.chunks_exact_mut(players));
            for (solved, (slopes, errors)) in of_games.zip(to) {
                let (of_slopes, of_errors) = solved.split_at(players);
                for (to, slope) in slopes.iter_mut().zip(of_slopes) {
                    *to = f64::from(*slope);
                }
                for (to, error) in errors.iter_mut().zip(of_errors) {
                    *to = f64::from(*error);
                }
            }
        })?;
        Ok(found)
    }
}

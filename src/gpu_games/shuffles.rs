//! Answers to rows that take a player's cells from other rows.

use rayon::prelude::*;
use whylight_kernels::coalition_sums::Combine;
use whylight_kernels::shuffled_sums::Run;

use super::launch::{Launches, Span};
use super::{GpuGames, Terms};
use crate::error::Result;
use crate::gpu::Buffer;

/// Shuffles of a launch at most: more do not make a GPU busier.
const MOST_SHUFFLES: usize = 1024;

/// A player, and the row from which each row takes its cells.
pub type Shuffle<'a> = (usize, &'a [u32]);

/// The terms of rows that are shuffled, on a GPU.
#[derive(Debug)]
pub struct ShuffledRows {
    rows: usize,
    players: usize,
    terms: Buffer,
    start: Buffer,
    /// What the one background row adds, with all its weight: nothing.
    neutral: Buffer,
    weight: Buffer,
}

impl GpuGames {
    /// Whether the GPU holds the terms of so many rows and players, within `memory_limit` bytes, and its loops go through
    /// all shuffles of a player.
    pub fn holds_rows(
        &self,
        rows: usize,
        players: usize,
        repeats: usize,
        memory_limit: Option<u64>,
    ) -> bool {
        let limit = memory_limit.map_or(self.limit, |memory| memory.min(self.limit));
        let numbers = rows
            .saturating_mul(players)
            .saturating_mul(self.unit_cells());
        let steps = (players + repeats.min(MOST_SHUFFLES) + 2) as u64;
        numbers as u64 <= limit / 4
            && u32::try_from(numbers).is_ok()
            && rows as u64 <= limit / 4
            && steps <= self.gpu.adapter().limits.iterations
    }

    /// Uploads the terms of rows that [`GpuGames::holds_rows`] says it holds. `start` is what all of them begin with, by unit, and
    /// `terms` makes those of a row, (player, unit). `None` where numbers leave the range of float32.
    pub fn shuffled_rows(
        &self,
        rows: usize,
        players: usize,
        start: &[f64],
        terms: impl Fn(usize) -> Vec<f64> + Sync,
    ) -> Option<ShuffledRows> {
        let nothing = match self.combine {
            Combine::Sum => 0.0,
            Combine::Product => 1.0,
        };
        let packed: Option<Vec<Vec<f32>>> = (0..rows)
            .into_par_iter()
            .map(|row| {
                let terms = terms(row);
                let of_row = Terms {
                    terms: &terms,
                    start,
                };
                self.takes(of_row).then(|| self.pack(&terms))
            })
            .collect();
        let gpu = &self.gpu;
        Some(ShuffledRows {
            rows,
            players,
            terms: gpu.upload("terms", &packed?.concat()),
            start: gpu.upload("start", &self.pack(start)),
            neutral: gpu.upload("neutral", &self.pack(&vec![nothing; self.units])),
            weight: gpu.upload("weight", &[1.0_f32]),
        })
    }

    /// The answers (row, output, shuffle). Shuffles of the same player follow each other.
    ///
    /// # Errors
    /// [`crate::Error::Gpu`] if the GPU fails.
    pub fn shuffled_answers(
        &self,
        rows: &ShuffledRows,
        shuffles: &[Shuffle<'_>],
    ) -> Result<Vec<f64>> {
        let outputs = self.outputs();
        let mut answers = vec![0.0; rows.rows * outputs * shuffles.len()];
        for (part, some) in shuffles.chunks(MOST_SHUFFLES).enumerate() {
            let made = self.part(rows, some)?;
            let to = answers.chunks_exact_mut(shuffles.len());
            for (to, made) in to.zip(made.chunks_exact(some.len())) {
                to[part * MOST_SHUFFLES..][..some.len()].copy_from_slice(made);
            }
        }
        Ok(answers)
    }

    fn part(&self, of: &ShuffledRows, shuffles: &[Shuffle<'_>]) -> Result<Vec<f64>> {
        let (gpu, count) = (&self.gpu, shuffles.len());
        let widest = self.widest().max(self.unit_cells());
        let fit = self.budget / (4 * widest * count).max(1) as u64;
        let at_once = fit.clamp(1, of.rows.max(1) as u64) as usize;
        let mut runs: Vec<Run> = Vec::new();
        for (number, &(player, _)) in (0..).zip(shuffles) {
            match runs.last_mut() {
                Some(run) if run.player == player as u32 => run.end += 1,
                _ => runs.push(Run {
                    player: player as u32,
                    first: number,
                    end: number + 1,
                }),
            }
        }
        let orders: Vec<u32> = (shuffles.iter().flat_map(|(_, order)| *order))
            .copied()
            .collect();
        let (orders, on_gpu) = (gpu.upload("orders", &orders), gpu.upload("runs", &runs));
        let one = Span::new(0, 1, 1);
        let all = Span::new(0, count, count);
        let mut answers = Vec::with_capacity(of.rows * self.outputs() * count);
        for first in (0..of.rows).step_by(at_once) {
            let rows = Span::new(first, at_once, of.rows);
            let here = Span::new(0, rows.count, rows.count);
            let means = gpu.storage("means", (8 * rows.count * self.outputs() * count) as u64);
            let mut launches = Launches::new(self, [rows.count, 1, count]);
            launches.clear(&means);
            launches.units([&of.neutral, &of.neutral, &of.neutral], true, one, 0, all)?;
            let of_rows = [&of.terms, &of.start, &on_gpu, &orders];
            launches.shuffled(of_rows, rows, of.players, runs.len(), count)?;
            launches.margins(rows.count, 1, count)?;
            launches.decide([&of.weight, &means], here, one, all)?;
            launches.finish()?;
            answers.extend(self.read_means(&means, count, rows.count)?);
        }
        Ok(answers)
    }
}

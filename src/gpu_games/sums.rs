//! Mean answers of coalitions, background row after background row.

mod values;

use whylight_kernels::coalition_sums::Combine;

use super::launch::{Launches, Span};
use super::{GpuGames, Terms};
use crate::error::Result;
use crate::gpu::Buffer;
use crate::kernel::WORKGROUP;
pub use values::Slopes;

/// Coalitions of a launch at most: more do not make a GPU busier.
const MOST_COALITIONS: usize = 1024;

/// Rows of a launch, at the least, where there are as many.
const LEAST_ROWS: usize = 4;

/// The mean answers of the coalitions of some rows, under way.
#[derive(Debug)]
pub struct Sums<'a> {
    games: &'a GpuGames,
    rows: usize,
    players: usize,
    coalitions: usize,
    terms: Buffer,
    start: Buffer,
    masks: Buffer,
    /// (row, output, number, coalition), of pairs.
    means: Buffer,
    is_begun: bool,
}

/// How many rows, background rows and coalitions go at a time.
#[derive(Debug, Clone, Copy)]
struct Tile {
    rows: usize,
    others: usize,
    coalitions: usize,
}

impl GpuGames {
    /// Begins with rows of as many players, up to [`GpuGames::rows_at_once`] of them. A coalition is `words` words
    /// of `masks`.
    pub fn sums(&self, rows: Terms<'_>, players: usize, masks: &[u32], words: usize) -> Sums<'_> {
        let count = rows.start.len() / self.units;
        let coalitions = masks.len() / words.max(1);
        let by_word = (0..masks.len()).map(|at| masks[at % coalitions * words + at / coalitions]);
        Sums {
            games: self,
            rows: count,
            players,
            coalitions,
            terms: self.gpu.upload("terms", &self.pack(rows.terms)),
            start: self.gpu.upload("start", &self.pack(rows.start)),
            masks: self.gpu.upload("masks", &by_word.collect::<Vec<u32>>()),
            means: self
                .gpu
                .storage("means", (8 * count * self.outputs() * coalitions) as u64),
            is_begun: false,
        }
    }

    fn tile(&self, rows: usize, others: usize, coalitions: usize) -> Tile {
        let fit = |numbers: usize, coalitions: usize| {
            (self.budget / (4 * numbers * coalitions) as u64).max(1) as usize
        };
        let (units, widest) = (self.unit_cells(), self.widest());
        let least = WORKGROUP as usize;
        let mut at_once = coalitions.min(MOST_COALITIONS);
        while at_once > least && fit(units.max(widest), at_once) < LEAST_ROWS.pow(2) {
            at_once = (at_once / 2).max(least);
        }
        let most = fit(widest * rows.min(LEAST_ROWS), at_once);
        let others = others.min(fit(units, at_once)).min(most);
        let rows = rows
            .min(fit(units, at_once))
            .min(fit(widest * others, at_once));
        Tile {
            rows,
            others,
            coalitions: at_once,
        }
    }
}

impl GpuGames {
    /// Reads means (row, output, coalition), of pairs.
    pub(super) fn read_means(
        &self,
        means: &Buffer,
        coalitions: usize,
        rows: usize,
    ) -> Result<Vec<f64>> {
        let mut read = vec![0.0; rows * self.outputs() * coalitions];
        if read.is_empty() {
            return Ok(read);
        }
        let gpu = &self.gpu;
        let bytes = 8 * read.len() as u64;
        let readable = gpu.readable("readable", bytes);
        let mut batch = gpu.batch();
        batch.copy(means, &readable, 0, bytes);
        let ticket = gpu.submit(batch, &readable, bytes);
        gpu.read("evaluating coalitions", ticket, &readable, bytes, |pairs| {
            let of_outputs = pairs.chunks_exact(2 * coalitions);
            for (read, pairs) in read.chunks_exact_mut(coalitions).zip(of_outputs) {
                let (high, low) = pairs.split_at(coalitions);
                for ((read, high), low) in read.iter_mut().zip(high).zip(low) {
                    *read = f64::from(*high) + f64::from(*low);
                }
            }
        })?;
        Ok(read)
    }
}

impl Sums<'_> {
    /// Adds the answers beside background rows, whose order counts: `others` are their terms, without a start.
    ///
    /// # Errors
    /// [`crate::Error::Gpu`] if the GPU fails.
    pub fn add(&mut self, others: &[f64], weights: &[f64]) -> Result<()> {
        let games = self.games;
        let gpu = &games.gpu;
        if weights.is_empty() || self.rows == 0 {
            return Ok(());
        }
        let tile = games.tile(self.rows, weights.len(), self.coalitions);
        let narrow: Vec<f32> = weights.iter().map(|&weight| weight as f32).collect();
        let neutral = match games.combine {
            Combine::Sum => 0.0,
            Combine::Product => 1.0,
        };
        let start = games.pack(&vec![neutral; tile.others * games.units]);
        let start = gpu.upload("start", &start);
        let weights_on_gpu = gpu.upload("weights", &narrow);
        let mut launches = Launches::new(games, [tile.rows, tile.others, tile.coalitions]);
        if !self.is_begun {
            launches.clear(&self.means);
            self.is_begun = true;
        }
        let width = self.players * games.units;
        for first in (0..weights.len()).step_by(tile.others) {
            let others_here = Span::new(first, tile.others, weights.len());
            let terms = &others[first * width..][..others_here.count * width];
            let terms = gpu.upload("terms", &games.pack(terms));
            for first in (0..self.coalitions).step_by(tile.coalitions) {
                let coalitions = Span::new(first, tile.coalitions, self.coalitions);
                let of_others = [&terms, &start, &self.masks];
                let all = Span::new(0, others_here.count, others_here.count);
                launches.units(of_others, true, all, self.players, coalitions)?;
                for first in (0..self.rows).step_by(tile.rows) {
                    let rows = Span::new(first, tile.rows, self.rows);
                    let of_rows = [&self.terms, &self.start, &self.masks];
                    launches.units(of_rows, false, rows, self.players, coalitions)?;
                    launches.margins(rows.count, others_here.count, coalitions.count)?;
                    let of_means = [&weights_on_gpu, &self.means];
                    launches.decide(of_means, rows, others_here, coalitions)?;
                }
            }
        }
        launches.finish()
    }

    /// The mean answers (row, output, coalition) beside all background rows that were added.
    ///
    /// # Errors
    /// [`crate::Error::Gpu`] if the GPU fails.
    pub fn means(self) -> Result<Vec<f64>> {
        if !self.is_begun {
            return Ok(vec![
                0.0;
                self.rows * self.games.outputs() * self.coalitions
            ]);
        }
        self.games
            .read_means(&self.means, self.coalitions, self.rows)
    }
}

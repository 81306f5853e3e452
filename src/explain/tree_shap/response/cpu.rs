//! Coalitions that the CPU evaluates, row by row.

use rayon::prelude::*;
use whylight_kernels::coalition_trees::{self, Game, Scratch};

use super::varying::Solved;
use super::{Responses, Row};
use crate::error::Result;
use crate::explain::coalitions::Exact;
use crate::explain::tree_shap::compile::Compiled;

/// Margins that a block of coalitions takes at a time: they stay in the second-level cache.
const BLOCK_CELLS: usize = 1 << 15;

/// Background rows whose worth is summed by itself, at least, and how many such sums there are at most:
/// what threads share of a row, in an order that does not depend on them.
const PART_ROWS: usize = 32;
const PARTS: usize = 16;

/// A row against the background.
#[derive(Clone, Copy)]
pub(super) struct Against<'a> {
    pub(super) responses: &'a Responses,
    pub(super) compiled: &'a Compiled,
    pub(super) row: Row<'a>,
    pub(super) places: &'a [u32],
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
        let others = background.by_row(self.compiled);
        let weights = background.weights();
        let rows = PART_ROWS.max(weights.len().div_ceil(PARTS));
        let parts = weights.par_chunks(rows).enumerate().map(|(part, weights)| {
            let first = part * rows * columns;
            let game = Game {
                forest: &self.compiled.forest,
                thresholds: [self.row.thresholds, background.thresholds(self.compiled)],
                row: self.row.cells,
                background: &others[first..first + weights.len() * columns],
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
    pub(super) fn exact(&self, players: usize) -> Vec<f64> {
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

    /// The values from some coalitions.
    pub(super) fn sampled(&self, players: usize) -> Result<Solved> {
        let design = self.responses.design(players)?;
        let outputs = self.responses.outputs();
        let coalitions = design.coalitions();
        let (mut worths, mut at) = (vec![0.0; outputs * coalitions], 0);
        for chunk in &design.chunks {
            let worth = self.worth(outputs * chunk.count, |game, scratch, worth| {
                coalition_trees::some(game, &chunk.members, chunk.count, scratch, worth);
            });
            for (output, worth) in worth.chunks(chunk.count).enumerate() {
                worths[output * coalitions + at..][..chunk.count].copy_from_slice(worth);
            }
            at += chunk.count;
        }
        self.responses.estimated(players, &worths)
    }
}

//! Contributions on the CPU: tiles of pairs and outputs, as many at a time as there are threads.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use rayon::prelude::*;
use whylight_kernels::Level;
use whylight_kernels::contributions::contribute;
use whylight_kernels::tile::{self, Tile};

use super::backward::{Multipliers, Pairs};
use super::forward::Examples;
use super::graph::Graph;
use super::{Contributions, Engine};
use crate::error::Result;

/// Rows that run forward at a time on one thread at the most.
const FORWARD: usize = 64;

/// Bytes of the numbers that rows under way have on all threads, when no memory limit is given.
const FORWARD_BYTES: u64 = 1 << 28;

/// Bytes of the multipliers of the largest tensor of a tile: with those of the next, and the weights, they stay in the cache
/// of a core.
const TILE_BYTES: usize = 1 << 20;

/// Lanes of a tile at least, and at most.
const LANES: [usize; 2] = [48, 960];

/// A graph and its background.
#[derive(Debug)]
pub(super) struct Cpu {
    graph: Arc<Graph>,
    level: Level,
    /// The background, run forward.
    others: Examples,
    /// By background row.
    weights: Vec<f32>,
    plan: Plan,
    /// Rows that run forward at a time on one thread.
    forward: usize,
    free: Mutex<Vec<Multipliers>>,
}

/// How lanes are cut into tiles.
#[derive(Debug, Clone, Copy)]
struct Plan {
    /// Explained rows of a tile: more than one only with the whole background.
    rows: usize,
    /// Background rows of a tile at most.
    others: usize,
    /// Outputs of a tile at most.
    outputs: usize,
}

impl Plan {
    /// For tensors of so many cells at most, so many background rows and outputs.
    fn new(cells: usize, others: usize, outputs: usize) -> Self {
        let lanes = (TILE_BYTES / 4 / cells.max(1)).clamp(LANES[0], LANES[1]);
        // A network that only answers has no background.
        let others = others.max(1);
        let parts = others.div_ceil(lanes);
        // Tiles begin where a vector does.
        let others_of_tile = tile::stride(others.div_ceil(parts)).min(others);
        let outputs_of_tile = (lanes / others_of_tile).clamp(1, outputs);
        let rows = lanes / (others_of_tile * outputs_of_tile);
        Self {
            rows: if parts == 1 { rows.max(1) } else { 1 },
            others: others_of_tile,
            outputs: outputs_of_tile,
        }
    }
}

impl Cpu {
    /// Runs the background, rows of cells, forward.
    pub(super) fn new(
        graph: Arc<Graph>,
        others: &[&[f64]],
        weights: &[f64],
        memory: Option<u64>,
    ) -> Self {
        // Half of the limit; the multipliers of tiles take less.
        let bytes = memory.map_or(FORWARD_BYTES, |memory| memory / 2);
        let of_row = 4 * graph.kept_cells().max(1) as u64 * rayon::current_num_threads() as u64;
        let forward = ((bytes / of_row) as usize).clamp(tile::LANES, FORWARD);
        let level = Level::detect();
        let inputs = graph.inputs(others);
        Self {
            level,
            others: Examples::run(&graph, level, others.len(), inputs),
            weights: weights.iter().map(|&weight| weight as f32).collect(),
            plan: Plan::new(graph.largest(), others.len(), graph.cells[graph.output]),
            free: Mutex::default(),
            forward: forward / tile::LANES * tile::LANES,
            graph,
        }
    }

    /// The contributions, (row, target cell, output), of some examples, rows `rows` of them.
    fn contributions(&self, examples: &Examples, rows: Range<usize>) -> Vec<f64> {
        let (plan, count) = (self.plan, rows.len());
        let (cells, outputs) = (self.graph.target_cells(), self.outputs());
        let others = self.weights.len();
        let tiles: Vec<(usize, usize)> = (0..outputs)
            .step_by(plan.outputs)
            .flat_map(|output| {
                (0..others)
                    .step_by(plan.others)
                    .map(move |other| (output, other))
            })
            .collect();
        // The lanes of several rows with all of the background, side by side.
        let spread = (count > 1).then(|| {
            let row = |lane: usize| rows.start + lane / others;
            let lanes = 0..tile::stride(count * others);
            // Idle lanes have the last pair again.
            let explained: Vec<usize> = lanes
                .clone()
                .map(|lane| row(lane).min(rows.end - 1))
                .collect();
            let other: Vec<usize> = lanes.map(|lane| lane % others).collect();
            [
                examples.spread(&self.graph, &explained),
                self.others.spread(&self.graph, &other),
            ]
        });
        let parts: Vec<Vec<f64>> = (tiles.par_iter())
            .map(|&(output, other)| {
                let width = plan.outputs.min(outputs - output);
                let pairs = match &spread {
                    Some([rows, others]) => Pairs {
                        rows,
                        others,
                        first: [0, 0],
                        is_one_row: false,
                    },
                    None => Pairs {
                        rows: examples,
                        others: &self.others,
                        first: [rows.start, other],
                        is_one_row: true,
                    },
                };
                let weights = &self.weights[other..others.min(other + plan.others)];
                let tile = Tile {
                    pairs: tile::stride(count * weights.len()),
                    outputs: width,
                };
                let mut multipliers = self.take();
                multipliers.run(&self.graph, self.level, pairs, tile, output);
                let mut sums = vec![0.0; count * cells * width];
                for (row, sums) in sums.chunks_mut((cells * width).max(1)).enumerate() {
                    let mut start = 0;
                    for &target in &self.graph.targets {
                        let end = start + self.graph.cells[target] * width;
                        if let Some(found) = multipliers.of(target) {
                            let (first, sums) = (row * weights.len(), &mut sums[start..end]);
                            let sides = pairs.sides(target);
                            contribute(self.level, sides, first, weights, tile, found, sums);
                        }
                        start = end;
                    }
                }
                self.give(multipliers);
                sums
            })
            .collect();
        let mut sums = vec![0.0; count * cells * outputs];
        for (&(output, _), part) in tiles.iter().zip(&parts) {
            let width = plan.outputs.min(outputs - output);
            for (cell, part) in part.chunks(width).enumerate() {
                for (place, part) in part.iter().enumerate() {
                    sums[cell * outputs + output + place] += part;
                }
            }
        }
        sums
    }

    fn take(&self) -> Multipliers {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        free.pop().unwrap_or_default()
    }

    fn give(&self, multipliers: Multipliers) {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        free.push(multipliers);
    }

    fn outputs(&self) -> usize {
        self.graph.cells[self.graph.output]
    }
}

impl Engine for Cpu {
    fn background(&self) -> Vec<f64> {
        self.others.answers(&self.graph, self.weights.len())
    }

    fn answers(&self, rows: &[&[f64]]) -> Result<Vec<f64>> {
        let inputs = self.graph.inputs(rows);
        let examples = Examples::run(&self.graph, self.level, rows.len(), inputs);
        Ok(examples.answers(&self.graph, rows.len()))
    }

    fn explain(&self, rows: &[&[f64]]) -> Result<Contributions> {
        let blocks = rows.par_chunks(self.forward).map(|rows| {
            let inputs = self.graph.inputs(rows);
            let examples = Examples::run(&self.graph, self.level, rows.len(), inputs);
            let starts: Vec<usize> = (0..rows.len()).step_by(self.plan.rows).collect();
            let parts: Vec<Vec<f64>> = (starts.par_iter())
                .map(|&start| {
                    let end = rows.len().min(start + self.plan.rows);
                    self.contributions(&examples, start..end)
                })
                .collect();
            Contributions {
                sums: parts.concat(),
                answers: examples.answers(&self.graph, rows.len()),
                ..Contributions::default()
            }
        });
        let blocks: Vec<Contributions> = blocks.collect();
        let mut all = Contributions::default();
        for block in blocks {
            all.sums.extend(block.sums);
            all.answers.extend(block.answers);
        }
        Ok(all)
    }

    fn cells(&self) -> usize {
        self.graph.target_cells()
    }
}

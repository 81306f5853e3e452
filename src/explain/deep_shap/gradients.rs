//! Contributions by derivatives along straight lines, on the CPU: integrated gradients, and expected gradients.
//!
//! A cell contributes the mean derivative on the line from a background row to the explained one, times their difference
//! (Sundararajan, Taly & Yan 2017, "Axiomatic attribution for deep networks"), and the mean of that over the background:
//! by the points of a Gauss–Legendre rule for each background row, or at random points of lines from random background rows
//! (Erion et al. 2021, "Improving performance of deep learning models with axiomatic attribution priors and expected
//! gradients"). The multipliers of a pair of a point with itself are derivatives, so the way back is that of the rules.
//!
//! Whole numbers, such as tokens, have nothing in between: lines go from the rows of a table that they name, and from
//! other steps of them, and what these cells contribute is the number's.

use std::ops::Range;
use std::sync::Arc;

use rayon::prelude::*;
use whylight_kernels::Level;
use whylight_kernels::contributions::contribute;
use whylight_kernels::lines;
use whylight_kernels::tile::{self, Side, Tile};

use super::backward::{Multipliers, Pairs};
use super::forward::Examples;
use super::graph::Graph;
use super::lines::{Lines, Points, Starts};
use super::way::Way;
use super::{Contributions, Engine};
use crate::error::Result;
use crate::model::Network;
use crate::model::network::Gather;

/// Points whose contributions are one number before others are added: of a part, the last may have fewer.
const BLOCK: usize = 128;

/// Points of which a block's contributions are added up: whatever the memory holds, a pass begins with a whole run.
const RUN: usize = tile::LANES;

/// Rows that run forward at a time on one thread.
const ROWS: usize = 64;

/// Bytes of the numbers that points have on a thread, when no memory limit is given.
const POINT_BYTES: u64 = 1 << 26;

/// A graph, its background, and the points.
#[derive(Debug)]
pub(super) struct Gradients {
    graph: Arc<Graph>,
    level: Level,
    starts: Starts,
    points: Points,
    /// The way of rows to what lines go through, and the way of points from there.
    to: Way,
    from: Way,
    /// What lines go through, of the background.
    others: Examples,
    answers: Vec<f64>,
    /// Points that run at a time on a thread, in whole runs.
    lanes: usize,
    /// Rows that run forward at a time on a thread.
    rows: usize,
}

impl Gradients {
    /// Runs the background, rows of cells, forward. Points and rows take half of the memory limit at the most, or, where
    /// that is not enough for it, one vector each.
    pub(super) fn new(
        network: &Network,
        layer: Option<usize>,
        lines: Lines,
        others: &[&[f64]],
        weights: &[f64],
        memory: Option<u64>,
    ) -> Self {
        let level = Level::detect();
        let starts = Starts::new(network, layer);
        let graph = Arc::new(starts.graph(network));
        let (to, from) = (Way::to_targets(&graph), Way::from_targets(&graph));
        let threads = rayon::current_num_threads() as u64;
        let bytes = memory.map_or(POINT_BYTES, |memory| memory / 2 / threads);
        let fit = |cells: usize, most: usize| {
            let fit = (bytes / (4 * cells.max(1) as u64)) as usize;
            fit.clamp(tile::LANES, most) / tile::LANES * tile::LANES
        };
        // Beside the numbers that stay, those of a step and its multipliers.
        let widest = graph.cells.iter().copied().max().unwrap_or(1);
        let rows = fit(graph.target_cells() + 2 * widest, ROWS);
        let blocks: Vec<Examples> = (others.par_chunks(rows))
            .map(|rows| Examples::of_rows(&graph, &to, level, rows))
            .collect();
        let counts = others.chunks(rows).map(<[_]>::len);
        let answers = (blocks.iter().zip(counts))
            .flat_map(|(block, count)| block.answers(&graph, count))
            .collect();
        Self {
            level,
            points: Points::new(lines, weights),
            others: Examples::join(blocks, &graph.targets, others.len()),
            answers,
            lanes: fit(graph.kept_cells() + 3 * graph.largest(), BLOCK),
            rows,
            starts,
            to,
            from,
            graph,
        }
    }

    /// What the features of a row contribute at some points: (feature, output).
    fn of_block(&self, points: Range<usize>, examples: &Examples, row: usize) -> Vec<f64> {
        let mut sums = vec![0.0; self.width()];
        let mut multipliers = Multipliers::default();
        for first in points.clone().step_by(self.lanes) {
            let pass = first..points.end.min(first + self.lanes);
            self.pass(pass, examples, row, &mut multipliers, &mut sums);
        }
        sums
    }

    /// Adds what the features contribute at points that run together.
    fn pass(
        &self,
        points: Range<usize>,
        examples: &Examples,
        row: usize,
        multipliers: &mut Multipliers,
        sums: &mut [f64],
    ) {
        let (graph, level) = (&*self.graph, self.level);
        let outputs = graph.cells[graph.output];
        let weights = &self.points.weights[points.clone()];
        let stride = tile::stride(weights.len());
        // Idle lanes have the last point again.
        let lanes = || (0..stride).map(|lane| (points.start + lane).min(points.end - 1));
        let sources: Vec<usize> =
            (lanes().map(|point| self.points.others[point] as usize)).collect();
        let at: Vec<f32> = lanes().map(|point| self.points.at[point]).collect();
        let others = self.others.spread(graph, &sources);
        let sides = |tensor: usize| {
            let explained = Side {
                numbers: &examples.tensors[tensor],
                stride: examples.stride,
                first: row,
                is_one: true,
            };
            let other = Side {
                numbers: &others.tensors[tensor],
                stride,
                first: 0,
                is_one: false,
            };
            [explained, other]
        };
        let mut known = vec![Vec::new(); graph.cells.len()];
        for input in (0..graph.inputs).filter(|&input| self.from.last[input].is_some()) {
            // What goes around a layer is the explained row's.
            known[input].resize(graph.cells[input] * stride, 0.0);
            let row = vec![row; stride];
            lines::spread(
                &examples.tensors[input],
                examples.stride,
                &row,
                &mut known[input],
                stride,
            );
        }
        for &target in &graph.targets {
            known[target].resize(graph.cells[target] * stride, 0.0);
            lines::place(level, sides(target), &at, &mut known[target]);
        }
        let points = Examples::run(graph, &self.from, level, stride, known);
        let pairs = Pairs {
            rows: &points,
            others: &points,
            first: [0, 0],
            is_one_row: false,
        };
        let width = (self.lanes / stride).clamp(1, outputs);
        for first in (0..outputs).step_by(width) {
            let tile = Tile {
                pairs: stride,
                outputs: width.min(outputs - first),
            };
            multipliers.run(graph, level, pairs, tile, first);
            for (run, weights) in weights.chunks(RUN).enumerate() {
                let mut features = self.starts.features();
                for &target in &graph.targets {
                    let features = features.by_ref().take(graph.cells[target]);
                    let Some(found) = multipliers.of(target) else {
                        features.for_each(drop);
                        continue;
                    };
                    let mut own = vec![0.0; graph.cells[target] * tile.outputs];
                    contribute(
                        level,
                        sides(target),
                        run * RUN,
                        weights,
                        tile,
                        found,
                        &mut own,
                    );
                    for (feature, own) in features.zip(own.chunks(tile.outputs)) {
                        if feature == Gather::NONE {
                            continue;
                        }
                        let sums = &mut sums[feature as usize * outputs + first..];
                        for (sum, own) in sums.iter_mut().zip(own) {
                            *sum += own;
                        }
                    }
                }
            }
        }
    }

    /// What a part of the points says: (feature, output).
    fn of_part(&self, part: usize, examples: &Examples, row: usize) -> Vec<f64> {
        let points = self.points.of_part();
        let (first, end) = (part * points, (part + 1) * points);
        let starts: Vec<usize> = (first..end).step_by(BLOCK).collect();
        let mut sums = vec![0.0; self.width()];
        // As many blocks at a time as keep threads busy: sums of more would take memory.
        for starts in starts.chunks(2 * rayon::current_num_threads()) {
            let blocks: Vec<Vec<f64>> = (starts.par_iter())
                .map(|&start| self.of_block(start..end.min(start + BLOCK), examples, row))
                .collect();
            for block in blocks {
                for (sum, block) in sums.iter_mut().zip(block) {
                    *sum += block;
                }
            }
        }
        sums
    }

    /// Contributions of a row.
    fn width(&self) -> usize {
        self.starts.cells * self.graph.cells[self.graph.output]
    }
}

impl Engine for Gradients {
    fn background(&self) -> Vec<f64> {
        self.answers.clone()
    }

    fn answers(&self, rows: &[&[f64]]) -> Result<Vec<f64>> {
        let answers = rows.chunks(self.rows).flat_map(|rows| {
            let examples = Examples::of_rows(&self.graph, &self.to, self.level, rows);
            examples.answers(&self.graph, rows.len())
        });
        Ok(answers.collect())
    }

    fn explain(&self, rows: &[&[f64]]) -> Result<Contributions> {
        let mut all = Contributions::default();
        for rows in rows.chunks(self.rows) {
            let examples = Examples::of_rows(&self.graph, &self.to, self.level, rows);
            let found: Vec<(Vec<f64>, Vec<f64>)> = (0..rows.len())
                .into_par_iter()
                .map(|row| {
                    let parts = (0..self.points.parts).into_par_iter();
                    let parts = parts.map(|part| self.of_part(part, &examples, row));
                    Points::estimate(&parts.collect::<Vec<_>>())
                })
                .collect();
            for (sums, errors) in found {
                all.sums.extend(sums);
                all.errors.extend(errors);
            }
            all.answers
                .extend(examples.answers(&self.graph, rows.len()));
        }
        Ok(all)
    }

    fn cells(&self) -> usize {
        self.starts.cells
    }
}

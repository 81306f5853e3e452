//! Contributions on the CPU: tiles of pairs and outputs, as many at a time as there are threads.
//!
//! Of a background whose numbers do not fit into the memory limit, only some stay; the rest runs forward again for
//! every batch of rows.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use rayon::prelude::*;
use whylight_kernels::Level;
use whylight_kernels::contributions::contribute;
use whylight_kernels::tile::{self, Tile};

use super::backward::{Multipliers, Pairs};
use super::forward::Examples;
use super::graph::Graph;
use super::tiles::{Plan, Room, Share};
use super::way::Way;
use super::{Contributions, Engine};
use crate::error::Result;

/// Rows that run forward at a time on one thread at the most.
const FORWARD: usize = 64;

/// Bytes of the numbers that rows under way have on all threads, when no memory limit is given.
const FORWARD_BYTES: u64 = 1 << 28;

/// Bytes of both sides' numbers of the pairs of several rows on a thread, when no memory limit is given.
const PAIR_BYTES: u64 = 1 << 27;

/// A graph and its background.
#[derive(Debug)]
pub(super) struct Cpu {
    graph: Arc<Graph>,
    way: Way,
    level: Level,
    parts: Vec<Part>,
    /// Parts that run forward again at a time.
    together: usize,
    /// (background row, output).
    answers: Vec<f64>,
    /// By background row.
    weights: Vec<f32>,
    plan: Plan,
    /// Rows that run forward at a time on one thread.
    forward: usize,
    free: Mutex<Vec<Multipliers>>,
}

/// The background rows of a tile.
#[derive(Debug)]
struct Part {
    rows: Range<usize>,
    held: Held,
}

/// What there is of a part's way forward.
#[derive(Debug)]
enum Held {
    /// What the way back reads.
    Numbers(Examples),
    /// The inputs, (cell, background row) each: there is no room for more.
    Inputs(Vec<Vec<f32>>),
}

/// Explained rows of a tile, and the examples that they are.
struct Explained<'a> {
    examples: &'a Examples,
    rows: Range<usize>,
}

impl Cpu {
    /// Runs the background, rows of cells, forward. Half of a memory limit is for rows, and a quarter for the background,
    /// or, where that is not enough for it, as much as one run takes; the multipliers of tiles take less.
    pub(super) fn new(
        graph: Arc<Graph>,
        others: &[&[f64]],
        weights: &[f64],
        memory: Option<u64>,
    ) -> Self {
        let level = Level::detect();
        let way = Way::whole(&graph);
        let threads = rayon::current_num_threads();
        let of_lane = 4 * graph.kept_cells().max(1) as u64;
        let bytes = memory.map_or(FORWARD_BYTES, |memory| memory / 2);
        let forward = (bytes / of_lane) as usize / threads;
        let forward = forward.clamp(tile::LANES, FORWARD) / tile::LANES * tile::LANES;
        let lanes = |bytes: u64| (bytes / of_lane) as usize;
        let room = Room {
            others: memory.map_or(usize::MAX, |memory| lanes(memory / 4)),
            pairs: memory.map_or(lanes(PAIR_BYTES), |memory| lanes(memory / 8) / threads) / 2,
        };
        let outputs = graph.cells[graph.output];
        let plan = Plan::new(graph.largest(), others.len(), outputs, room);
        let Share { held, together } = plan.share(others.len(), room, threads);
        let mut parts = Vec::new();
        let mut answers = Vec::new();
        for (number, group) in others.chunks(plan.others * together).enumerate() {
            let run = |(place, rows): (usize, &[&[f64]])| {
                let examples = Examples::of_rows(&graph, &way, level, rows);
                let answers = examples.answers(&graph, rows.len());
                let number = number * together + place;
                let first = number * plan.others;
                let held = if number < held {
                    Held::Numbers(examples)
                } else {
                    Held::Inputs(graph.inputs(rows))
                };
                let rows = first..first + rows.len();
                (Part { rows, held }, answers)
            };
            let found = group.par_chunks(plan.others).enumerate().map(run);
            for (part, own) in found.collect::<Vec<_>>() {
                parts.push(part);
                answers.extend(own);
            }
        }
        Self {
            level,
            way,
            parts,
            together,
            answers,
            weights: weights.iter().map(|&weight| weight as f32).collect(),
            plan,
            free: Mutex::default(),
            forward,
            graph,
        }
    }

    /// Hands out the background, some parts at a time.
    fn each(&self, mut take: impl FnMut(&[(&Part, &Examples)])) {
        let held: Vec<(&Part, &Examples)> = (self.parts.iter())
            .filter_map(|part| match &part.held {
                Held::Numbers(examples) => Some((part, examples)),
                Held::Inputs(_) => None,
            })
            .collect();
        if !held.is_empty() {
            take(&held);
        }
        for parts in self.parts[held.len()..].chunks(self.together) {
            let run = |part: &Part| match &part.held {
                Held::Numbers(_) => None,
                Held::Inputs(inputs) => {
                    let stride = tile::stride(part.rows.len());
                    let inputs = inputs.clone();
                    Some(Examples::run(
                        &self.graph,
                        &self.way,
                        self.level,
                        stride,
                        inputs,
                    ))
                }
            };
            let again: Vec<Option<Examples>> = parts.par_iter().map(run).collect();
            let again = parts.iter().zip(again.iter().flatten());
            take(&again.collect::<Vec<_>>());
        }
    }

    /// Adds the contributions of rows against some of the background to sums, (row, target cell, output).
    fn contributions(
        &self,
        explained: &Explained<'_>,
        background: &[(&Part, &Examples)],
        sums: &mut [f64],
    ) {
        let (plan, outputs) = (self.plan, self.outputs());
        let count = explained.rows.len();
        let tiles: Vec<(usize, (&Part, &Examples))> = (0..outputs)
            .step_by(plan.outputs)
            .flat_map(|output| background.iter().map(move |&part| (output, part)))
            .collect();
        // The lanes of several rows with all of the background, side by side.
        let spread = match background {
            [(part, others)] if count > 1 => {
                let others_of_row = part.rows.len();
                let row = |lane: usize| explained.rows.start + lane / others_of_row;
                let lanes = 0..tile::stride(count * others_of_row);
                // Idle lanes have the last pair again.
                let rows = lanes
                    .clone()
                    .map(|lane| row(lane).min(explained.rows.end - 1));
                let other = lanes.map(|lane| lane % others_of_row);
                Some([
                    explained
                        .examples
                        .spread(&self.graph, &rows.collect::<Vec<_>>()),
                    others.spread(&self.graph, &other.collect::<Vec<_>>()),
                ])
            }
            _ => None,
        };
        let at_once = plan.tiles_at_once(tiles.len());
        for tiles in tiles.chunks(at_once) {
            let parts: Vec<Vec<Vec<f64>>> = (tiles.par_iter())
                .map(|&(output, (part, others))| {
                    let pairs = match &spread {
                        Some([rows, others]) => Pairs {
                            rows,
                            others,
                            first: [0, 0],
                            is_one_row: false,
                        },
                        None => Pairs {
                            rows: explained.examples,
                            others,
                            first: [explained.rows.start, 0],
                            is_one_row: true,
                        },
                    };
                    let weights = &self.weights[part.rows.clone()];
                    self.tile(pairs, weights, count, output)
                })
                .collect();
            for (&(output, _), runs) in tiles.iter().zip(&parts) {
                let width = plan.outputs.min(outputs - output);
                for run in runs {
                    for (cell, run) in run.chunks(width).enumerate() {
                        let sums = &mut sums[cell * outputs + output..][..width];
                        for (sum, run) in sums.iter_mut().zip(run) {
                            *sum += run;
                        }
                    }
                }
            }
        }
    }

    /// The contributions of some rows and outputs, (row, target cell, output), of each run of background rows.
    fn tile(
        &self,
        pairs: Pairs<'_>,
        weights: &[f32],
        count: usize,
        output: usize,
    ) -> Vec<Vec<f64>> {
        let cells = self.graph.target_cells();
        let width = self.plan.outputs.min(self.outputs() - output);
        let tile = Tile {
            pairs: tile::stride(count * weights.len()),
            outputs: width,
        };
        let mut multipliers = self.take();
        multipliers.run(&self.graph, self.level, pairs, tile, output);
        let of_run = |(number, run): (usize, &[f32])| {
            let mut sums = vec![0.0; count * cells * width];
            for (row, sums) in sums.chunks_mut((cells * width).max(1)).enumerate() {
                let first = row * weights.len() + number * self.plan.run;
                let mut start = 0;
                for &target in &self.graph.targets {
                    let end = start + self.graph.cells[target] * width;
                    if let Some(found) = multipliers.of(target) {
                        let sides = pairs.sides(target);
                        let sums = &mut sums[start..end];
                        contribute(self.level, sides, first, run, tile, found, sums);
                    }
                    start = end;
                }
            }
            sums
        };
        let runs = weights.chunks(self.plan.run).enumerate().map(of_run);
        let runs = runs.collect();
        self.give(multipliers);
        runs
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
        self.answers.clone()
    }

    fn answers(&self, rows: &[&[f64]]) -> Result<Vec<f64>> {
        let answers = rows.chunks(self.forward).flat_map(|rows| {
            let examples = Examples::of_rows(&self.graph, &self.way, self.level, rows);
            examples.answers(&self.graph, rows.len())
        });
        Ok(answers.collect())
    }

    fn explain(&self, rows: &[&[f64]]) -> Result<Contributions> {
        let of_row = self.graph.target_cells() * self.outputs();
        let mut all = Contributions::default();
        for rows in rows.chunks(self.forward * rayon::current_num_threads()) {
            let blocks: Vec<(Examples, usize)> = (rows.par_chunks(self.forward))
                .map(|rows| {
                    let examples = Examples::of_rows(&self.graph, &self.way, self.level, rows);
                    (examples, rows.len())
                })
                .collect();
            let mut tiles: Vec<(Explained<'_>, Vec<f64>)> = Vec::new();
            for (examples, count) in &blocks {
                for start in (0..*count).step_by(self.plan.rows) {
                    let rows = start..(start + self.plan.rows).min(*count);
                    let sums = vec![0.0; rows.len() * of_row];
                    tiles.push((Explained { examples, rows }, sums));
                }
            }
            self.each(|background| {
                tiles.par_iter_mut().for_each(|(explained, sums)| {
                    self.contributions(explained, background, sums);
                });
            });
            for (_, sums) in tiles {
                all.sums.extend(sums);
            }
            for (examples, count) in blocks {
                all.answers.extend(examples.answers(&self.graph, count));
            }
        }
        Ok(all)
    }

    fn cells(&self) -> usize {
        self.graph.target_cells()
    }
}

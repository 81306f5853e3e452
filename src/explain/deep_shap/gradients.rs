//! Contributions by derivatives along straight lines: integrated gradients, and expected gradients.
//!
//! A cell contributes the mean derivative on the line from a background row to the explained one, times their difference
//! (Sundararajan, Taly & Yan 2017, "Axiomatic attribution for deep networks"), and the mean of that over the background:
//! by the points of a Gauss–Legendre rule for each background row, or at random points of lines from random background rows
//! (Erion et al. 2021, "Improving performance of deep learning models with axiomatic attribution priors and expected
//! gradients"). The multipliers of a pair of a point with itself are derivatives, so the way back is that of the rules.
//!
//! Whole numbers, such as tokens, have nothing in between: lines go from the rows of a table that they name, and from
//! other steps of them, and what these cells contribute is the number's.

use std::sync::Arc;

use rayon::prelude::*;
use whylight_kernels::Level;
use whylight_kernels::contributions::contribute;
use whylight_kernels::legendre::Rule as Points;
use whylight_kernels::tile::{self, Side, Tile};

use super::backward::{Multipliers, Pairs};
use super::forward::Examples;
use super::graph::Graph;
use super::{Contributions, Engine};
use crate::error::Result;
use crate::model::Network;
use crate::model::network::{Gather, Operation};
use crate::random::SplitMix64;

/// Points of a line that are computed at a time, with those of other lines, at the most.
const LANES: usize = 128;

/// Parts of the random points, by whose differences the standard error goes.
const PARTS: usize = 8;

/// Where on which lines derivatives are taken.
#[derive(Debug, Clone, Copy)]
pub(super) enum Lines {
    /// At so many points of the line from each background row.
    All(usize),
    /// At so many random points, in pairs on both sides of the middle, of lines from background rows by their weight.
    Random(usize, u64),
}

/// A graph, its background, and the points.
#[derive(Debug)]
pub(super) struct Gradients {
    graph: Arc<Graph>,
    level: Level,
    starts: Vec<Start>,
    /// Features, or cells of a layer.
    cells: usize,
    /// The background, run forward.
    others: Examples,
    answers: Vec<f64>,
    /// In blocks of lanes.
    blocks: Vec<Block>,
    is_random: bool,
}

/// A tensor that lines go through.
#[derive(Debug)]
struct Start {
    tensor: usize,
    /// The feature that each of its cells belongs to.
    features: Vec<u32>,
}

/// Points that are computed side by side.
#[derive(Debug)]
struct Block {
    /// The background row of each, and how far from it to the explained row.
    others: Vec<usize>,
    at: Vec<f32>,
    weights: Vec<f32>,
}

/// The tensors that lines go through, of the inputs or of a layer.
fn starts(network: &Network, layer: Option<usize>) -> Vec<Start> {
    if let Some(tensor) = layer {
        let features = (0..network.tensors[tensor].cells() as u32).collect();
        return vec![Start { tensor, features }];
    }
    let mut first = 0;
    let mut starts: Vec<Start> = Vec::new();
    // Of tensors of whole numbers, the feature of each cell; none where a constant is.
    let mut whole: Vec<Option<Vec<u32>>> = vec![None; network.tensors.len()];
    for (tensor, input) in network.inputs.iter().enumerate() {
        let features: Vec<u32> = (first..first + input.cells() as u32).collect();
        first += input.cells() as u32;
        whole[tensor] = input.is_whole.then(|| features.clone());
        starts.push(Start { tensor, features });
    }
    for step in &network.steps {
        let of_inputs: Option<Vec<&Vec<u32>>> =
            step.inputs.iter().map(|&t| whole[t].as_ref()).collect();
        let Some(of_inputs) = of_inputs else { continue };
        match &step.operation {
            Operation::Gather(gather) => {
                let all: Vec<u32> = of_inputs.into_iter().flatten().copied().collect();
                let feature = |source: &u32| all.get(*source as usize).copied();
                let features = gather.sources.iter().map(feature);
                let features = features.map(|feature| feature.unwrap_or(Gather::NONE));
                whole[step.output] = Some(features.collect());
            }
            Operation::Embedding(embedding) => starts.push(Start {
                tensor: step.output,
                features: (of_inputs[0].iter())
                    .flat_map(|&feature| std::iter::repeat_n(feature, embedding.width))
                    .collect(),
            }),
            Operation::Activation(_) | Operation::Scale(..) => starts.push(Start {
                tensor: step.output,
                features: of_inputs[0].clone(),
            }),
            _ => {}
        }
    }
    starts
}

impl Gradients {
    /// Runs the background, rows of cells, forward.
    pub(super) fn new(
        network: &Network,
        layer: Option<usize>,
        lines: Lines,
        others: &[&[f64]],
        weights: &[f64],
    ) -> Self {
        let level = Level::detect();
        let starts = starts(network, layer);
        let targets = starts.iter().map(|start| start.tensor).collect();
        let graph = Arc::new(Graph::of_targets(network, targets));
        let examples = Examples::run(&graph, level, others.len(), graph.inputs(others));
        let cells = match layer {
            Some(tensor) => network.tensors[tensor].cells(),
            None => network.features.len(),
        };
        let blocks = match lines {
            Lines::All(points) => on_all(points, weights),
            Lines::Random(points, seed) => at_random(points, seed, weights),
        };
        Self {
            level,
            starts,
            cells,
            answers: examples.answers(&graph, others.len()),
            others: examples,
            blocks,
            is_random: matches!(lines, Lines::Random(..)),
            graph,
        }
    }

    /// What the features of a row contribute at the points of a block: (feature, output).
    fn of_block(&self, block: &Block, examples: &Examples, row: usize, cells: &[f64]) -> Vec<f64> {
        let (graph, level) = (&*self.graph, self.level);
        let outputs = graph.cells[graph.output];
        let lanes = block.others.len();
        // Idle lanes have the last point again.
        let mut sources = block.others.clone();
        let last = sources.last().copied().unwrap_or_default();
        sources.resize(tile::stride(lanes), last);
        let others = self.others.spread(graph, &sources);
        let stride = others.stride;
        let mut known = vec![Vec::new(); graph.cells.len()];
        // What goes around a layer is the explained row's.
        for (known, input) in known.iter_mut().zip(graph.inputs(&[cells])) {
            let alone = input.chunks(tile::stride(1));
            *known = alone
                .flat_map(|cell| std::iter::repeat_n(cell[0], stride))
                .collect();
        }
        for &target in &graph.targets {
            let from = others.tensors[target].chunks(stride);
            let to = examples.tensors[target].chunks(examples.stride);
            known[target] = (from.zip(to))
                .flat_map(|(from, to)| {
                    from.iter().enumerate().map(|(lane, &r)| {
                        let at = block.at[lane.min(lanes - 1)];
                        at.mul_add(to[row] - r, r)
                    })
                })
                .collect();
        }
        let points = Examples::go_on(graph, level, stride, known);
        let pairs = Pairs {
            rows: &points,
            others: &points,
            first: [0, 0],
            is_one_row: false,
        };
        let mut multipliers = Multipliers::default();
        let mut sums = vec![0.0; self.cells * outputs];
        let width = (LANES / stride).clamp(1, outputs);
        for first in (0..outputs).step_by(width) {
            let wanted = first..outputs.min(first + width);
            let tile = Tile {
                pairs: stride,
                outputs: wanted.len(),
            };
            multipliers.run(graph, level, pairs, tile, wanted.start);
            for start in &self.starts {
                let Some(found) = multipliers.of(start.tensor) else {
                    continue;
                };
                let sides = [
                    Side {
                        numbers: &examples.tensors[start.tensor],
                        stride: examples.stride,
                        first: row,
                        is_one: true,
                    },
                    Side {
                        numbers: &others.tensors[start.tensor],
                        stride,
                        first: 0,
                        is_one: false,
                    },
                ];
                let mut own = vec![0.0; start.features.len() * wanted.len()];
                contribute(level, sides, 0, &block.weights, tile, found, &mut own);
                for (&feature, own) in start.features.iter().zip(own.chunks(wanted.len())) {
                    if feature == Gather::NONE {
                        continue;
                    }
                    let start = feature as usize * outputs + first;
                    for (sum, own) in sums[start..].iter_mut().zip(own) {
                        *sum += own;
                    }
                }
            }
        }
        sums
    }
}

/// The points of every line: point by point, in blocks.
fn on_all(points: usize, weights: &[f64]) -> Vec<Block> {
    let rule = Points::new(points);
    let all: Vec<(usize, f64, f64)> = (rule.points.iter().zip(&rule.weights))
        .flat_map(|(&at, &share)| {
            let others = weights.iter().enumerate();
            others.map(move |(other, weight)| (other, at, share * weight))
        })
        .collect();
    all.chunks(LANES).map(Block::of).collect()
}

/// Random points, in pairs, in [`PARTS`] parts of blocks of their own.
fn at_random(points: usize, seed: u64, weights: &[f64]) -> Vec<Block> {
    let mut random = SplitMix64::new(seed);
    let mut sums = Vec::with_capacity(weights.len());
    let mut sum = 0.0;
    for weight in weights {
        sum += weight;
        sums.push(sum);
    }
    let pairs = points.div_ceil(2 * PARTS).max(1);
    let share = 1.0 / (2 * pairs) as f64;
    let mut part = || -> Vec<(usize, f64, f64)> {
        (0..pairs)
            .flat_map(|_| {
                let wanted = random.unit() * sum;
                let other = sums.partition_point(|&sum| sum <= wanted);
                let other = other.min(weights.len() - 1);
                let at = random.unit();
                [(other, at, share), (other, 1.0 - at, share)]
            })
            .collect()
    };
    // A part is one block, so that its mean is known.
    (0..PARTS).map(|_| Block::of(&part())).collect()
}

impl Block {
    fn of(points: &[(usize, f64, f64)]) -> Self {
        Self {
            others: points.iter().map(|point| point.0).collect(),
            at: points.iter().map(|point| point.1 as f32).collect(),
            weights: points.iter().map(|point| point.2 as f32).collect(),
        }
    }
}

impl Engine for Gradients {
    fn background(&self) -> Vec<f64> {
        self.answers.clone()
    }

    fn answers(&self, rows: &[&[f64]]) -> Result<Vec<f64>> {
        let inputs = self.graph.inputs(rows);
        let examples = Examples::run(&self.graph, self.level, rows.len(), inputs);
        Ok(examples.answers(&self.graph, rows.len()))
    }

    fn explain(&self, rows: &[&[f64]]) -> Result<Contributions> {
        let inputs = self.graph.inputs(rows);
        let examples = Examples::run(&self.graph, self.level, rows.len(), inputs);
        let width = self.cells * self.graph.cells[self.graph.output];
        let of_rows: Vec<(Vec<f64>, Vec<f64>)> = (0..rows.len())
            .into_par_iter()
            .map(|row| {
                let blocks = self.blocks.par_iter();
                let parts: Vec<Vec<f64>> = blocks
                    .map(|block| self.of_block(block, &examples, row, rows[row]))
                    .collect();
                let mut sums = vec![0.0; width];
                for part in &parts {
                    for (sum, part) in sums.iter_mut().zip(part) {
                        *sum += part;
                    }
                }
                if !self.is_random {
                    return (sums, Vec::new());
                }
                let count = parts.len() as f64;
                for sum in &mut sums {
                    *sum /= count;
                }
                let errors = (0..width).map(|cell| {
                    let squares = parts.iter().map(|part| (part[cell] - sums[cell]).powi(2));
                    (squares.sum::<f64>() / (count * (count - 1.0))).sqrt()
                });
                let errors = errors.collect();
                (sums, errors)
            })
            .collect();
        let mut all = Contributions {
            answers: examples.answers(&self.graph, rows.len()),
            ..Contributions::default()
        };
        for (sums, errors) in of_rows {
            all.sums.extend(sums);
            all.errors.extend(errors);
        }
        Ok(all)
    }

    fn cells(&self) -> usize {
        self.cells
    }
}

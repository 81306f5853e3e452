//! Gradients on a GPU: rows go in, points are formed there, and what comes back are answers and sums.
//!
//! What lines go through stays there of the background. Of a tile of points and rows, the points run forward once, and go
//! back for some outputs at a time. What the memory cuts changes no bit, as of the rules.

use std::sync::{Arc, Mutex, PoisonError};

use whylight_kernels::lines::{Params, Task};

use super::MEMORY;
use super::launch::{Lanes, Launches, Tile, To};
use super::plan::{Blocks, Sizes};
use super::resident::{Examples, Resident, Results, Slots};
use super::slots::{Backward, Forward};
use crate::device::Device;
use crate::error::Result;
use crate::explain::Options;
use crate::explain::deep_shap::lines::{Lines, Points, Starts};
use crate::explain::deep_shap::way::Way;
use crate::explain::deep_shap::{Contributions, Engine};
use crate::gpu::{Buffer, Gpu};
use crate::kernel;
use crate::model::Network;

/// A graph on a GPU, the beginnings of lines, and the points on them.
#[derive(Debug)]
struct GpuGradients {
    resident: Resident,
    starts: Starts,
    /// The way of rows to what lines go through, and the way of points from there.
    to: Forward,
    from: Forward,
    /// What lines go through of background rows: the first, how many, and their numbers.
    others: Vec<(usize, usize, Examples)>,
    /// (background row, output).
    answers: Vec<f64>,
    points: OnGpu,
    blocks: Blocks,
    /// One call at a time.
    work: Mutex<Work>,
}

/// Points of every row, in parts of as many each.
#[derive(Debug)]
struct OnGpu {
    /// By point: its background row, how far from it, and its weight.
    others: Buffer,
    at: Buffer,
    weights: Buffer,
    parts: usize,
    of_part: usize,
}

/// Buffers that calls have, one after the other.
#[derive(Debug, Default)]
struct Work {
    rows: Slots,
    results: Option<Results>,
    /// The background's side of points, by target.
    sides: Slots,
    /// Of points: the inputs, and the other tensors.
    inputs: Slots,
    points: Slots,
    multipliers: Slots,
}

/// Some points of every row.
#[derive(Debug, Clone, Copy)]
struct Block {
    first: usize,
    count: usize,
    part: usize,
}

/// The engine of a GPU, where the device is one, for lines from the background, rows of cells.
///
/// # Errors
/// [`crate::Error::Unsupported`] if the GPU cannot hold it; [`crate::Error::Gpu`] if the GPU fails.
pub(in crate::explain::deep_shap) fn gradients(
    options: &Options,
    network: &Network,
    layer: Option<usize>,
    lines: Lines,
    others: &[&[f64]],
    weights: &[f64],
) -> Result<Option<Box<dyn Engine>>> {
    let Device::Gpu { gpu, .. } = &options.device else {
        return Ok(None);
    };
    let memory = options.memory_limit.unwrap_or(MEMORY);
    let starts = Starts::new(network, layer);
    let points = Points::new(lines, weights);
    let engine = GpuGradients::new(gpu, network, starts, &points, others, memory)?;
    Ok(Some(Box::new(engine)))
}

impl GpuGradients {
    fn new(
        gpu: &Gpu,
        network: &Network,
        starts: Starts,
        points: &Points,
        others: &[&[f64]],
        memory: u64,
    ) -> Result<Self> {
        let graph = Arc::new(starts.graph(network));
        let to = Forward::new(&graph, Way::to_targets(&graph));
        let from = Forward::new(&graph, Way::from_targets(&graph));
        let backward = Backward::new(&graph);
        let sizes = Sizes {
            gpu,
            graph: &graph,
            backward: &backward,
            others: points.of_part(),
        };
        let blocks = Blocks::new(&sizes, [&to, &from], points.parts, memory)?;
        let resident = Resident::new(gpu, graph, backward)?;
        let mut engine = Self {
            points: OnGpu {
                others: gpu.upload("others", &points.others),
                at: gpu.upload("at", &points.at),
                weights: gpu.upload("weights", &points.weights),
                parts: points.parts,
                of_part: points.of_part(),
            },
            resident,
            starts,
            to,
            from,
            others: Vec::new(),
            answers: Vec::new(),
            blocks,
            work: Mutex::default(),
        };
        for (number, rows) in others.chunks(blocks.rows).enumerate() {
            let resident = &engine.resident;
            // Each has buffers of its own, of which some stay.
            let examples = engine.examples(rows, &mut Slots::default());
            let mut launches = Launches::new(resident);
            launches.forward(&examples, &engine.to.way)?;
            let bytes = 4 * (resident.outputs() * examples.stride) as u64;
            let to = (&gpu.readable("readable", bytes), 0);
            let found = resident.finish(launches, to, &examples, rows.len())?;
            let kept = resident.keep(examples, |tensor| resident.graph.targets.contains(&tensor));
            engine.answers.extend(found.answers);
            engine.others.push((number * blocks.rows, rows.len(), kept));
        }
        Ok(engine)
    }

    /// Rows of cells, of which no more than the inputs are there.
    fn examples(&self, rows: &[&[f64]], slots: &mut Slots) -> Examples {
        let resident = &self.resident;
        let inputs = resident.upload(&resident.graph.inputs(rows));
        let slots = slots.of(&resident.gpu, &self.to.cells, rows.len());
        resident.examples(rows.len(), &inputs, &self.to, slots)
    }

    /// Sums of a row.
    fn sums(&self) -> usize {
        let resident = &self.resident;
        self.points.parts * resident.graph.target_cells() * resident.outputs()
    }

    /// What the features of rows contribute, as many rows as run forward at a time.
    fn batch(&self, work: &mut Work, rows: &[&[f64]]) -> Result<Contributions> {
        let (resident, blocks) = (&self.resident, self.blocks);
        let of_part = self.points.of_part;
        let examples = self.examples(rows, &mut work.rows);
        let rows_of_tile = blocks.rows_of_tile.min(rows.len());
        let results = Results::of(&mut work.results, resident, rows.len(), self.sums());
        let mut launches = Launches::new(resident);
        launches.forward(&examples, &self.to.way)?;
        let bytes = 4 * (rows.len() * self.sums()) as u64;
        for sums in &results.sums {
            launches.batch.clear(sums, bytes);
        }
        let (gpu, graph) = (&resident.gpu, &resident.graph);
        let target_cells: Vec<usize> = graph.targets.iter().map(|&t| graph.cells[t]).collect();
        let sides = work.sides.of(gpu, &target_cells, blocks.points);
        let lanes = rows_of_tile * blocks.points;
        let inputs = work.inputs.of(gpu, &graph.cells[..graph.inputs], lanes);
        let slots = work.points.of(gpu, &self.from.cells, lanes);
        let multipliers = &resident.backward.cells;
        let multipliers = work
            .multipliers
            .of(gpu, multipliers, lanes * blocks.outputs);
        for part in 0..self.points.parts {
            for start in (0..of_part).step_by(blocks.points) {
                let block = Block {
                    first: part * of_part + start,
                    count: blocks.points.min(of_part - start),
                    part,
                };
                let side = resident.of_tensors(block.count, &graph.targets, sides);
                self.side(&mut launches, block, &side)?;
                for first_row in (0..rows.len()).step_by(rows_of_tile) {
                    let count = rows_of_tile.min(rows.len() - first_row);
                    let lanes = count * block.count;
                    let points = resident.examples(lanes, inputs, &self.from, slots);
                    let examples = [&examples, &side, &points];
                    self.points(&mut launches, block, [first_row, count], examples)?;
                    launches.forward(&points, &self.from.way)?;
                    let to = (multipliers, &results.sums);
                    self.back(&mut launches, block, [first_row, count], examples, to)?;
                }
            }
        }
        let (sums, readable) = (&results.sums[0], &results.readable);
        launches.batch.copy(sums, readable, 0, bytes);
        let found = resident.finish(launches, (readable, bytes), &examples, rows.len())?;
        let mut all = Contributions {
            answers: found.answers,
            ..Contributions::default()
        };
        let of_part = self.sums() / self.points.parts;
        for parts in found.sums.chunks(self.sums()) {
            let parts = parts.chunks(of_part);
            let parts = parts.map(|part| self.starts.sum(part, resident.outputs()));
            let (sums, errors) = Points::estimate(&parts.collect::<Vec<_>>());
            all.sums.extend(sums);
            all.errors.extend(errors);
        }
        Ok(all)
    }

    /// Writes the background's side of the lines of a block.
    fn side(&self, launches: &mut Launches<'_>, block: Block, side: &Examples) -> Result<()> {
        for (first, count, others) in &self.others {
            for &target in &self.resident.graph.targets {
                let params = Params {
                    task: Task::Others.code(),
                    points: block.count as u32,
                    rows: 1,
                    first_point: block.first as u32,
                    others: *count as u32,
                    first_other: *first as u32,
                    other_stride: others.stride as u32,
                    stride: side.stride as u32,
                    ..Params::default()
                };
                let none: &Buffer = &self.resident.nothing;
                let ends = [none, others.tensor(target)];
                self.lines(launches, params, target, ends, side.tensor(target))?;
            }
        }
        Ok(())
    }

    /// Writes what is known of the points of a block and some rows: what lines go through, and, around a layer, what the
    /// inputs are.
    fn points(
        &self,
        launches: &mut Launches<'_>,
        block: Block,
        [first_row, count]: [usize; 2],
        [rows, side, points]: [&Examples; 3],
    ) -> Result<()> {
        let graph = &self.resident.graph;
        let around = (0..graph.inputs).filter(|&input| {
            self.from.way.last[input].is_some() && !graph.targets.contains(&input)
        });
        let tasks = around.map(|input| (input, Task::Rows));
        let targets = graph.targets.iter();
        for (tensor, task) in tasks.chain(targets.map(|&target| (target, Task::Points))) {
            let params = Params {
                task: task.code(),
                points: block.count as u32,
                rows: count as u32,
                first_point: block.first as u32,
                first_row: first_row as u32,
                row_stride: rows.stride as u32,
                other_stride: side.stride as u32,
                stride: points.stride as u32,
                ..Params::default()
            };
            let ends = [rows.tensor(tensor), side.tensor(tensor)];
            self.lines(launches, params, tensor, ends, points.tensor(tensor))?;
        }
        Ok(())
    }

    /// Writes a tensor of lanes.
    fn lines(
        &self,
        launches: &mut Launches<'_>,
        params: Params,
        tensor: usize,
        [x, r]: [&Buffer; 2],
        y: &Buffer,
    ) -> Result<()> {
        let cells = self.resident.graph.cells[tensor];
        let params = Params {
            cells: cells as u32,
            ..params
        };
        let all = cells * params.points as usize * params.rows as usize;
        let buffers = [x, r, &self.points.others, &self.points.at, y];
        launches.launch(kernel::lines, params, &buffers, all, 4 * all)
    }

    /// Adds what the targets contribute at the points of a block, of some rows, to sums, by buffers of multipliers.
    fn back(
        &self,
        launches: &mut Launches<'_>,
        block: Block,
        [first_row, count]: [usize; 2],
        [rows, side, points]: [&Examples; 3],
        (slots, sums): (&[Arc<Buffer>], &[Buffer; 2]),
    ) -> Result<()> {
        let all = self.resident.outputs();
        for first_output in (0..all).step_by(self.blocks.outputs) {
            let lanes = Lanes {
                rows: count,
                others: block.count,
                outputs: self.blocks.outputs.min(all - first_output),
                first_row: 0,
                first_other: 0,
                first_output,
                is_alone: true,
            };
            launches.backward(Tile {
                lanes,
                rows: points,
                others: points,
                slots,
            })?;
            let tile = Tile {
                lanes: Lanes { first_row, ..lanes },
                rows,
                others: side,
                slots,
            };
            let to = To {
                weights: &self.points.weights,
                first_weight: block.first,
                sums,
                parts: self.points.parts,
                part: block.part,
            };
            launches.contribute(tile, to)?;
        }
        Ok(())
    }
}

impl Engine for GpuGradients {
    fn background(&self) -> Vec<f64> {
        self.answers.clone()
    }

    fn answers(&self, rows: &[&[f64]]) -> Result<Vec<f64>> {
        let mut work = self.work.lock().unwrap_or_else(PoisonError::into_inner);
        let work = &mut *work;
        let resident = &self.resident;
        let mut answers = Vec::with_capacity(rows.len() * resident.outputs());
        for rows in rows.chunks(self.blocks.rows) {
            let examples = self.examples(rows, &mut work.rows);
            let results = Results::of(&mut work.results, resident, rows.len(), self.sums());
            let mut launches = Launches::new(resident);
            launches.forward(&examples, &self.to.way)?;
            let to = (&results.readable, 0);
            let found = resident.finish(launches, to, &examples, rows.len())?;
            answers.extend(found.answers);
        }
        Ok(answers)
    }

    fn explain(&self, rows: &[&[f64]]) -> Result<Contributions> {
        let mut work = self.work.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = Contributions::default();
        for rows in rows.chunks(self.blocks.rows) {
            let found = self.batch(&mut work, rows)?;
            all.sums.extend(found.sums);
            all.errors.extend(found.errors);
            all.answers.extend(found.answers);
        }
        Ok(all)
    }

    fn cells(&self) -> usize {
        self.starts.cells
    }

    fn least_rows(&self) -> usize {
        self.blocks.rows_of_tile
    }
}

//! Contributions on a GPU: the network and the background stay there, rows go in, and what comes back are answers and
//! what the targets contribute.
//!
//! Rows run forward in batches. The lanes of the way back, of pairs and outputs, go in tiles, whose multipliers are in the
//! same buffers. What the memory cuts changes no bit: a lane depends on no other, and the sums over the background go
//! on in runs, in whose order no cut interferes.

mod back;
mod forward;
mod launch;
mod plan;
mod slots;
mod steps;

use std::sync::{Arc, Mutex, PoisonError};

use whylight_kernels::softmax;
use whylight_kernels::tile;

use self::launch::{Lanes, Launches, Tile};
use self::plan::{Plan, Sizes};
use self::slots::{Backward, Forward};
use self::steps::{OnGpu, upload};
use super::graph::Graph;
use super::way::Way;
use super::{Contributions, Engine};
use crate::device::Device;
use crate::error::Result;
use crate::explain::Options;
use crate::gpu::{Buffer, Gpu};

/// Bytes of rows, multipliers and background together, when no memory limit is given.
const MEMORY: u64 = 1 << 29;

/// A graph on a GPU, and its background.
#[derive(Debug)]
pub(super) struct GpuNetwork {
    gpu: Gpu,
    graph: Arc<Graph>,
    steps: Vec<OnGpu>,
    forward: Forward,
    backward: Backward,
    parts: Vec<Part>,
    /// By background row.
    weights: Buffer,
    /// (background row, output).
    answers: Vec<f64>,
    /// The points of a softmax's way.
    rule: Buffer,
    /// Bound where a kernel reads, or writes, nothing.
    nothing: Buffer,
    spare: Buffer,
    plan: Plan,
    /// One call at a time.
    work: Mutex<Work>,
}

/// The engine of a GPU, where the device is one.
///
/// # Errors
/// See [`GpuNetwork::new`].
pub(super) fn engine(
    options: &Options,
    graph: &Arc<Graph>,
    others: &[&[f64]],
    weights: &[f64],
) -> Result<Option<Box<dyn Engine>>> {
    let Device::Gpu { gpu, .. } = &options.device else {
        return Ok(None);
    };
    let memory = options.memory_limit.unwrap_or(MEMORY);
    let network = GpuNetwork::new(gpu, Arc::clone(graph), others, weights, memory)?;
    Ok(Some(Box::new(network)))
}

/// Some of the background.
#[derive(Debug)]
struct Part {
    first: usize,
    count: usize,
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

/// The numbers of some examples.
#[derive(Debug)]
struct Examples {
    /// Numbers from one cell to the next.
    stride: usize,
    inputs: Vec<Arc<Buffer>>,
    /// By tensor.
    tensors: Vec<Option<Arc<Buffer>>>,
    none: Arc<Buffer>,
}

impl Examples {
    fn tensor(&self, tensor: usize) -> &Buffer {
        match self.inputs.get(tensor) {
            Some(input) => input,
            None => self.tensors[tensor].as_ref().unwrap_or(&self.none),
        }
    }
}

/// Buffers that calls have, one after the other.
#[derive(Debug, Default)]
struct Work {
    of_rows: Option<OfRows>,
    /// Of the way forward of background rows, where these are not held.
    of_others: Vec<Arc<Buffer>>,
    /// Of the way back, and the lanes that they have room for.
    multipliers: Vec<Buffer>,
    lanes: usize,
}

/// The buffers of rows.
#[derive(Debug)]
struct OfRows {
    /// Rows that there is room for.
    rows: usize,
    /// Of the way forward.
    slots: Vec<Arc<Buffer>>,
    /// (row, target cell, output): rounded, and what that lost.
    sums: [Buffer; 2],
    /// Has room for the rounded sums, and then the answers.
    readable: Buffer,
}

impl GpuNetwork {
    /// Uploads a graph and a background, rows of cells, and runs the latter forward.
    ///
    /// # Errors
    /// [`crate::Error::Unsupported`] if the GPU cannot hold it; [`crate::Error::Gpu`] if the GPU fails.
    fn new(
        gpu: &Gpu,
        graph: Arc<Graph>,
        others: &[&[f64]],
        weights: &[f64],
        memory: u64,
    ) -> Result<Self> {
        let limits = &gpu.adapter().limits;
        let limit = limits.binding_bytes.min(limits.buffer_bytes);
        let (forward, backward) = (
            Forward::new(&graph, Way::whole(&graph)),
            Backward::new(&graph),
        );
        let sizes = Sizes {
            gpu,
            graph: &graph,
            others: others.len(),
            forward: &forward,
            backward: &backward,
            limit,
        };
        let plan = Plan::new(&sizes, memory)?;
        let kept = forward.cells.iter().zip(&forward.is_kept);
        let kept: usize = kept
            .map(|(cells, &is_kept)| cells * usize::from(is_kept))
            .sum();
        let is_held = 4 * (kept * others.len()) as u64 <= memory / 4;
        let narrow: Vec<f32> = weights.iter().map(|&weight| weight as f32).collect();
        let mut network = Self {
            steps: upload(gpu, limit, &graph)?,
            weights: gpu.upload("weights", &narrow),
            rule: gpu.upload("rule", &softmax::rule()),
            nothing: gpu.upload::<f32>("nothing", &[]),
            spare: gpu.storage("spare", 0),
            gpu: gpu.clone(),
            graph,
            forward,
            backward,
            parts: Vec::new(),
            answers: Vec::new(),
            plan,
            work: Mutex::default(),
        };
        for (number, rows) in others.chunks(plan.part).enumerate() {
            let slots = network.slots(rows.len());
            let inputs = network.graph.inputs(rows);
            let examples = network.examples(rows.len(), &inputs, &slots);
            let mut launches = Launches::new(&network);
            launches.forward(&examples, &network.forward.way)?;
            let bytes = 4 * (network.outputs() * examples.stride) as u64;
            let to = (&gpu.readable("readable", bytes), 0);
            let found = network.finish(launches, to, &examples, rows.len())?;
            network.answers.extend(found.answers);
            let held = if is_held {
                Held::Numbers(network.kept(examples))
            } else {
                Held::Inputs(inputs)
            };
            network.parts.push(Part {
                first: number * plan.part,
                count: rows.len(),
                held,
            });
        }
        Ok(network)
    }

    /// Rows of a tile with all of the background and all outputs.
    pub(super) fn rows_at_once(&self) -> usize {
        let lanes = self.weights_count() * self.outputs();
        (self.plan.lanes / lanes.max(1)).clamp(1, self.plan.rows)
    }

    fn weights_count(&self) -> usize {
        self.parts.iter().map(|part| part.count).sum()
    }

    fn outputs(&self) -> usize {
        self.graph.cells[self.graph.output]
    }

    /// Buffers of the way forward, for so many examples.
    fn slots(&self, examples: usize) -> Vec<Arc<Buffer>> {
        let stride = tile::stride(examples);
        let cells = self.forward.cells.iter();
        cells
            .map(|cells| Arc::new(self.gpu.storage("tensor", 4 * (cells * stride) as u64)))
            .collect()
    }

    /// Examples whose inputs, (cell, example) each, are uploaded, and whose other tensors are to come.
    fn examples(&self, count: usize, inputs: &[Vec<f32>], slots: &[Arc<Buffer>]) -> Examples {
        let upload = |numbers: &Vec<f32>| Arc::new(self.gpu.upload("input", numbers));
        let slot = |slot: &Option<usize>| slot.map(|slot| Arc::clone(&slots[slot]));
        Examples {
            stride: tile::stride(count),
            inputs: inputs.iter().map(upload).collect(),
            tensors: self.forward.of.iter().map(slot).collect(),
            none: Arc::new(self.gpu.upload::<f32>("none", &[])),
        }
    }

    /// What the way back reads of examples.
    fn kept(&self, examples: Examples) -> Examples {
        let tensors = examples.tensors.into_iter().zip(&self.graph.is_kept);
        Examples {
            tensors: tensors
                .map(|(buffer, &is_kept)| buffer.filter(|_| is_kept))
                .collect(),
            ..examples
        }
    }

    /// Makes room for so many rows.
    fn of_rows<'a>(&self, held: &'a mut Option<OfRows>, rows: usize) -> &'a OfRows {
        let gpu = &self.gpu;
        if held.as_ref().is_some_and(|held| held.rows < rows) {
            *held = None;
        }
        let made = || {
            let sums = self.sums_bytes(rows);
            let answers = 4 * (self.outputs() * tile::stride(rows)) as u64;
            OfRows {
                rows,
                slots: self.slots(rows),
                sums: [(); 2].map(|()| gpu.storage("sums", sums)),
                readable: gpu.readable("readable", sums + answers),
            }
        };
        held.get_or_insert_with(made)
    }

    fn sums_bytes(&self, rows: usize) -> u64 {
        4 * (rows * self.graph.target_cells() * self.outputs()) as u64
    }

    /// Waits for launches, and reads what sums they have copied to the beginning, and the answers of examples.
    fn finish(
        &self,
        mut launches: Launches<'_>,
        (readable, bytes): (&Buffer, u64),
        examples: &Examples,
        count: usize,
    ) -> Result<Contributions> {
        let outputs = self.outputs();
        let all = bytes + 4 * (outputs * examples.stride) as u64;
        let tensor = examples.tensor(self.graph.output);
        launches.batch.copy(tensor, readable, bytes, all - bytes);
        let ticket = self.gpu.submit(launches.batch, readable, all);
        self.gpu
            .read("running a network", ticket, readable, all, |found| {
                let (sums, answers) = found.split_at(bytes as usize / 4);
                let of_example = |example: usize| {
                    let answer = move |k: usize| f64::from(answers[k * examples.stride + example]);
                    (0..outputs).map(answer)
                };
                Contributions {
                    sums: sums.iter().copied().map(f64::from).collect(),
                    answers: (0..count).flat_map(of_example).collect(),
                    ..Contributions::default()
                }
            })
    }

    /// What the targets of rows contribute, as many rows as run forward at a time.
    fn batch(&self, work: &mut Work, rows: &[&[f64]]) -> Result<Contributions> {
        let plan = self.plan;
        let lanes = plan.rows_of_tile(rows.len()) * plan.others * plan.outputs;
        if work.lanes < lanes {
            let bytes = |cells: &usize| 4 * (cells * tile::stride(lanes)) as u64;
            let buffers = self.backward.cells.iter().map(bytes);
            work.multipliers = buffers
                .map(|bytes| self.gpu.storage("multipliers", bytes))
                .collect();
            work.lanes = lanes;
        }
        let is_held = |part: &Part| matches!(part.held, Held::Numbers(_));
        if work.of_others.is_empty() && !self.parts.iter().all(is_held) {
            work.of_others = self.slots(plan.part);
        }
        let of_rows = self.of_rows(&mut work.of_rows, rows.len());
        let inputs = self.graph.inputs(rows);
        let examples = self.examples(rows.len(), &inputs, &of_rows.slots);
        let mut launches = Launches::new(self);
        launches.forward(&examples, &self.forward.way)?;
        let bytes = self.sums_bytes(rows.len());
        for sums in &of_rows.sums {
            launches.batch.clear(sums, bytes);
        }
        for part in &self.parts {
            let again;
            let others = match &part.held {
                Held::Numbers(examples) => examples,
                Held::Inputs(inputs) => {
                    again = self.examples(part.count, inputs, &work.of_others);
                    launches.forward(&again, &self.forward.way)?;
                    &again
                }
            };
            let sides = [(&examples, rows.len()), (others, part.count)];
            let to = (&*work.multipliers, &of_rows.sums);
            self.part(&mut launches, sides, part.first, to)?;
        }
        launches
            .batch
            .copy(&of_rows.sums[0], &of_rows.readable, 0, bytes);
        self.finish(launches, (&of_rows.readable, bytes), &examples, rows.len())
    }

    /// Adds what comes of the pairs of rows with background rows, of which the first has this weight, to sums, by
    /// buffers of multipliers.
    fn part(
        &self,
        launches: &mut Launches<'_>,
        [(rows, count), (others, of_part)]: [(&Examples, usize); 2],
        first: usize,
        (slots, sums): (&[Buffer], &[Buffer; 2]),
    ) -> Result<()> {
        let plan = self.plan;
        let rows_of_tile = plan.rows_of_tile(count);
        for first_row in (0..count).step_by(rows_of_tile) {
            for first_output in (0..self.outputs()).step_by(plan.outputs) {
                for first_other in (0..of_part).step_by(plan.others) {
                    let lanes = Lanes {
                        rows: rows_of_tile.min(count - first_row),
                        others: plan.others.min(of_part - first_other),
                        outputs: plan.outputs.min(self.outputs() - first_output),
                        first_row,
                        first_other,
                        first_output,
                        first_weight: first + first_other,
                    };
                    let tile = Tile {
                        lanes,
                        rows,
                        others,
                        slots,
                    };
                    launches.backward(tile)?;
                    launches.contribute(tile, sums)?;
                }
            }
        }
        Ok(())
    }
}

impl Engine for GpuNetwork {
    fn background(&self) -> Vec<f64> {
        self.answers.clone()
    }

    fn answers(&self, rows: &[&[f64]]) -> Result<Vec<f64>> {
        let mut work = self.work.lock().unwrap_or_else(PoisonError::into_inner);
        let mut answers = Vec::with_capacity(rows.len() * self.outputs());
        for rows in rows.chunks(self.plan.rows) {
            let held = self.of_rows(&mut work.of_rows, rows.len());
            let inputs = self.graph.inputs(rows);
            let examples = self.examples(rows.len(), &inputs, &held.slots);
            let mut launches = Launches::new(self);
            launches.forward(&examples, &self.forward.way)?;
            let to = (&held.readable, 0);
            answers.extend(self.finish(launches, to, &examples, rows.len())?.answers);
        }
        Ok(answers)
    }

    fn explain(&self, rows: &[&[f64]]) -> Result<Contributions> {
        let mut work = self.work.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = Contributions::default();
        for rows in rows.chunks(self.plan.rows) {
            let found = self.batch(&mut work, rows)?;
            all.sums.extend(found.sums);
            all.answers.extend(found.answers);
        }
        Ok(all)
    }

    fn cells(&self) -> usize {
        self.graph.target_cells()
    }

    fn least_rows(&self) -> usize {
        self.rows_at_once()
    }
}

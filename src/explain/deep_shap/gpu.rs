//! Contributions on a GPU: the network and the background stay there, rows go in, and what comes back are answers and
//! what the targets contribute.
//!
//! Rows run forward in batches. The lanes of the way back, of pairs and outputs, go in tiles, whose multipliers are in the
//! same buffers. What the memory cuts changes no bit: a lane depends on no other, and the sums over the background go
//! on in runs, in whose order no cut interferes.

mod back;
mod forward;
mod gradients;
mod launch;
mod plan;
mod resident;
mod slots;
mod steps;

use std::sync::{Arc, Mutex, PoisonError};

pub(super) use self::gradients::gradients;
use self::launch::{Lanes, Launches, Tile, To};
use self::plan::{Plan, Sizes};
use self::resident::{Examples, Resident, Results, Slots};
use self::slots::{Backward, Forward};
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
    resident: Resident,
    forward: Forward,
    parts: Vec<Part>,
    /// By background row.
    weights: Buffer,
    /// (background row, output).
    answers: Vec<f64>,
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

/// Buffers that calls have, one after the other.
#[derive(Debug, Default)]
struct Work {
    /// Of the ways forward: of rows, and of background rows where these are not held.
    rows: Slots,
    others: Slots,
    results: Option<Results>,
    /// Of the way back.
    multipliers: Slots,
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
        let forward = Forward::new(&graph, Way::whole(&graph));
        let backward = Backward::new(&graph);
        let sizes = Sizes {
            gpu,
            graph: &graph,
            backward: &backward,
            others: others.len(),
        };
        let plan = Plan::new(&sizes, &forward, memory)?;
        let resident = Resident::new(gpu, graph, backward)?;
        let kept = forward.cells.iter().zip(&forward.is_kept);
        let kept: usize = kept
            .map(|(cells, &is_kept)| cells * usize::from(is_kept))
            .sum();
        let is_held = 4 * (kept * others.len()) as u64 <= memory / 4;
        let narrow: Vec<f32> = weights.iter().map(|&weight| weight as f32).collect();
        let mut network = Self {
            weights: gpu.upload("weights", &narrow),
            resident,
            forward,
            parts: Vec::new(),
            answers: Vec::new(),
            plan,
            work: Mutex::default(),
        };
        for (number, rows) in others.chunks(plan.part).enumerate() {
            let (resident, forward) = (&network.resident, &network.forward);
            let inputs = resident.graph.inputs(rows);
            let mut slots = Slots::default();
            let examples = network.examples(rows.len(), &inputs, &mut slots);
            let mut launches = Launches::new(resident);
            launches.forward(&examples, &forward.way)?;
            let bytes = 4 * (resident.outputs() * examples.stride) as u64;
            let to = (&gpu.readable("readable", bytes), 0);
            let found = resident.finish(launches, to, &examples, rows.len())?;
            let held = if is_held {
                let graph = &resident.graph;
                let stays = |t: usize| t < graph.inputs || graph.is_kept[t];
                Held::Numbers(resident.keep(examples, stays))
            } else {
                Held::Inputs(inputs)
            };
            network.answers.extend(found.answers);
            network.parts.push(Part {
                first: number * plan.part,
                count: rows.len(),
                held,
            });
        }
        Ok(network)
    }

    /// Rows of a tile with all of the background and all outputs.
    fn rows_at_once(&self) -> usize {
        let others: usize = self.parts.iter().map(|part| part.count).sum();
        let lanes = others * self.resident.outputs();
        (self.plan.lanes / lanes.max(1)).clamp(1, self.plan.rows)
    }

    /// Examples whose inputs, (cell, example) each, are uploaded, and whose other tensors are to come.
    fn examples(&self, count: usize, inputs: &[Vec<f32>], slots: &mut Slots) -> Examples {
        let (resident, forward) = (&self.resident, &self.forward);
        let slots = slots.of(&resident.gpu, &forward.cells, count);
        resident.examples(count, &resident.upload(inputs), forward, slots)
    }

    /// Sums of a row.
    fn sums(&self) -> usize {
        self.resident.graph.target_cells() * self.resident.outputs()
    }

    /// What the targets of rows contribute, as many rows as run forward at a time.
    fn batch(&self, work: &mut Work, rows: &[&[f64]]) -> Result<Contributions> {
        let (plan, resident, way) = (self.plan, &self.resident, &self.forward.way);
        let lanes = plan.rows_of_tile(rows.len()) * plan.others * plan.outputs;
        let slots = work
            .multipliers
            .of(&resident.gpu, &resident.backward.cells, lanes);
        let results = Results::of(&mut work.results, resident, rows.len(), self.sums());
        let inputs = resident.graph.inputs(rows);
        let examples = self.examples(rows.len(), &inputs, &mut work.rows);
        let mut launches = Launches::new(resident);
        launches.forward(&examples, way)?;
        let bytes = 4 * (rows.len() * self.sums()) as u64;
        for sums in &results.sums {
            launches.batch.clear(sums, bytes);
        }
        for part in &self.parts {
            let again;
            let others = match &part.held {
                Held::Numbers(examples) => examples,
                Held::Inputs(inputs) => {
                    again = self.examples(part.count, inputs, &mut work.others);
                    launches.forward(&again, way)?;
                    &again
                }
            };
            let sides = [(&examples, rows.len()), (others, part.count)];
            self.part(&mut launches, sides, part.first, (slots, &results.sums))?;
        }
        let (sums, readable) = (&results.sums[0], &results.readable);
        launches.batch.copy(sums, readable, 0, bytes);
        let found = resident.finish(launches, (readable, bytes), &examples, rows.len())?;
        Ok(Contributions {
            sums: found.sums,
            answers: found.answers,
            ..Contributions::default()
        })
    }

    /// Adds what comes of the pairs of rows with background rows, of which the first has this weight, to sums, by
    /// buffers of multipliers.
    fn part(
        &self,
        launches: &mut Launches<'_>,
        [(rows, count), (others, of_part)]: [(&Examples, usize); 2],
        first: usize,
        (slots, sums): (&[Arc<Buffer>], &[Buffer; 2]),
    ) -> Result<()> {
        let plan = self.plan;
        let outputs = self.resident.outputs();
        let rows_of_tile = plan.rows_of_tile(count);
        for first_row in (0..count).step_by(rows_of_tile) {
            for first_output in (0..outputs).step_by(plan.outputs) {
                for first_other in (0..of_part).step_by(plan.others) {
                    let lanes = Lanes {
                        rows: rows_of_tile.min(count - first_row),
                        others: plan.others.min(of_part - first_other),
                        outputs: plan.outputs.min(outputs - first_output),
                        first_row,
                        first_other,
                        first_output,
                        is_alone: false,
                    };
                    let tile = Tile {
                        lanes,
                        rows,
                        others,
                        slots,
                    };
                    launches.backward(tile)?;
                    let to = To {
                        weights: &self.weights,
                        first_weight: first + first_other,
                        sums,
                        parts: 1,
                        part: 0,
                    };
                    launches.contribute(tile, to)?;
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
        let work = &mut *work;
        let resident = &self.resident;
        let mut answers = Vec::with_capacity(rows.len() * resident.outputs());
        for rows in rows.chunks(self.plan.rows) {
            let inputs = resident.graph.inputs(rows);
            let examples = self.examples(rows.len(), &inputs, &mut work.rows);
            let results = Results::of(&mut work.results, resident, rows.len(), self.sums());
            let mut launches = Launches::new(resident);
            launches.forward(&examples, &self.forward.way)?;
            let to = (&results.readable, 0);
            let found = resident.finish(launches, to, &examples, rows.len())?;
            answers.extend(found.answers);
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
        self.resident.graph.target_cells()
    }

    fn least_rows(&self) -> usize {
        self.rows_at_once()
    }
}

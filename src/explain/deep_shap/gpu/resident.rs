//! A graph that lies on a GPU, and the buffers of those who run it.

use std::sync::Arc;

use whylight_kernels::softmax;
use whylight_kernels::tile;

use super::launch::Launches;
use super::slots::{Backward, Forward};
use super::steps::{OnGpu, upload};
use crate::error::Result;
use crate::explain::deep_shap::graph::Graph;
use crate::gpu::{Buffer, Gpu};

/// Bytes of a buffer of a GPU at the most.
pub(super) fn limit(gpu: &Gpu) -> u64 {
    let limits = &gpu.adapter().limits;
    limits.binding_bytes.min(limits.buffer_bytes)
}

/// A graph on a GPU.
#[derive(Debug)]
pub(super) struct Resident {
    pub(super) gpu: Gpu,
    pub(super) graph: Arc<Graph>,
    pub(super) steps: Vec<OnGpu>,
    pub(super) backward: Backward,
    /// The points of a softmax's way.
    pub(super) rule: Buffer,
    /// Bound where a kernel reads, or writes, nothing.
    pub(super) nothing: Arc<Buffer>,
    pub(super) spare: Buffer,
}

/// The numbers of some examples.
#[derive(Debug)]
pub(super) struct Examples {
    /// Numbers from one cell to the next.
    pub(super) stride: usize,
    /// By tensor.
    tensors: Vec<Arc<Buffer>>,
}

impl Examples {
    pub(super) fn tensor(&self, tensor: usize) -> &Buffer {
        &self.tensors[tensor]
    }
}

/// Buffers, which grow when there are more lanes.
#[derive(Debug, Default)]
pub(super) struct Slots {
    buffers: Vec<Arc<Buffer>>,
    lanes: usize,
}

impl Slots {
    /// Buffers of so many cells each, for so many lanes.
    pub(super) fn of(&mut self, gpu: &Gpu, cells: &[usize], lanes: usize) -> &[Arc<Buffer>] {
        if self.lanes < lanes {
            // Both would take memory at the same time.
            self.buffers.clear();
            let bytes = cells
                .iter()
                .map(|cells| 4 * (cells * tile::stride(lanes)) as u64);
            self.buffers = bytes
                .map(|bytes| Arc::new(gpu.storage("tensor", bytes)))
                .collect();
            self.lanes = lanes;
        }
        &self.buffers
    }
}

/// What comes of rows.
#[derive(Debug)]
pub(super) struct Results {
    /// Rows that there is room for.
    rows: usize,
    /// Of each row: rounded, and what that lost.
    pub(super) sums: [Buffer; 2],
    /// Has room for the rounded sums, and then the answers.
    pub(super) readable: Buffer,
}

impl Results {
    /// Room for so many rows, of so many sums each.
    pub(super) fn of<'a>(
        held: &'a mut Option<Self>,
        resident: &Resident,
        rows: usize,
        sums: usize,
    ) -> &'a Self {
        let gpu = &resident.gpu;
        if held.as_ref().is_some_and(|held| held.rows < rows) {
            *held = None;
        }
        held.get_or_insert_with(|| {
            let sums = 4 * (rows * sums) as u64;
            let answers = 4 * (resident.outputs() * tile::stride(rows)) as u64;
            Self {
                rows,
                sums: [(); 2].map(|()| gpu.storage("sums", sums)),
                readable: gpu.readable("readable", sums + answers),
            }
        })
    }
}

/// What was read back.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) sums: Vec<f64>,
    /// (row, output).
    pub(super) answers: Vec<f64>,
}

impl Resident {
    /// # Errors
    /// [`crate::Error::Unsupported`] if the GPU has no room for a step.
    pub(super) fn new(gpu: &Gpu, graph: Arc<Graph>, backward: Backward) -> Result<Self> {
        Ok(Self {
            steps: upload(gpu, limit(gpu), &graph)?,
            backward,
            rule: gpu.upload("rule", &softmax::rule()),
            nothing: Arc::new(gpu.upload::<f32>("nothing", &[])),
            spare: gpu.storage("spare", 0),
            gpu: gpu.clone(),
            graph,
        })
    }

    pub(super) fn outputs(&self) -> usize {
        self.graph.cells[self.graph.output]
    }

    /// Buffers with the inputs of rows of cells.
    pub(super) fn upload(&self, inputs: &[Vec<f32>]) -> Vec<Arc<Buffer>> {
        let upload = |numbers: &Vec<f32>| Arc::new(self.gpu.upload("input", numbers));
        inputs.iter().map(upload).collect()
    }

    /// So many examples, of these inputs, whose other tensors are to come.
    pub(super) fn examples(
        &self,
        count: usize,
        inputs: &[Arc<Buffer>],
        forward: &Forward,
        slots: &[Arc<Buffer>],
    ) -> Examples {
        let slot =
            |slot: &Option<usize>| Arc::clone(slot.map_or(&self.nothing, |slot| &slots[slot]));
        let others = forward.of[inputs.len()..].iter().map(slot);
        Examples {
            stride: tile::stride(count),
            tensors: inputs.iter().cloned().chain(others).collect(),
        }
    }

    /// Examples of which no more than some tensors stay.
    pub(super) fn keep(&self, examples: Examples, keeps: impl Fn(usize) -> bool) -> Examples {
        let tensors = examples.tensors.into_iter().enumerate();
        let kept = |(tensor, buffer)| {
            if keeps(tensor) {
                buffer
            } else {
                Arc::clone(&self.nothing)
            }
        };
        Examples {
            tensors: tensors.map(kept).collect(),
            ..examples
        }
    }

    /// Buffers by tensor, of so many lanes, as examples.
    pub(super) fn of_tensors(&self, lanes: usize, of: &[usize], slots: &[Arc<Buffer>]) -> Examples {
        let mut tensors = vec![Arc::clone(&self.nothing); self.graph.cells.len()];
        for (&tensor, slot) in of.iter().zip(slots) {
            tensors[tensor] = Arc::clone(slot);
        }
        Examples {
            stride: tile::stride(lanes),
            tensors,
        }
    }

    /// Waits for launches, and reads what sums they have copied to the beginning, and the answers of examples.
    pub(super) fn finish(
        &self,
        mut launches: Launches<'_>,
        (readable, bytes): (&Buffer, u64),
        examples: &Examples,
        count: usize,
    ) -> Result<Found> {
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
                Found {
                    sums: sums.iter().copied().map(f64::from).collect(),
                    answers: (0..count).flat_map(of_example).collect(),
                }
            })
    }
}

//! Coalitions on a GPU: a forest and a background stay there; rows and coalitions go in, what the
//! coalitions are worth comes back.

use whylight_kernels::Forest;
use whylight_kernels::coalition_trees::words::{Cell, Words};
use whylight_kernels::coalition_trees::{MOST_OUTPUTS, Params};
use whylight_kernels::response::Response;
use whylight_kernels::words::{Sets, key};

use crate::error::{Error, Result};
use crate::gpu::{Buffer, Gpu};
use crate::kernel;

/// Loop iterations of all invocations of one launch: a fraction of a second on a small GPU, whose
/// driver kills what takes longer than a few seconds.
const WORK: u64 = 1 << 31;

/// Bytes of what coalitions are worth, of as many rows as go at a time.
const BATCH_BYTES: u64 = 64 << 20;

/// What a [`GpuCoalitions`] is made from.
#[derive(Debug, Clone, Copy)]
pub struct Plan<'a> {
    /// The trees.
    pub forest: &'a Forest,
    /// One number per node, for the cells of rows and background alike.
    pub thresholds: &'a [f32],
    /// The cells of the background (row, column), NaN where missing.
    pub background: &'a [f32],
    /// One weight per background row.
    pub weights: &'a [f64],
    /// The margin of each output before any tree.
    pub base: &'a [f64],
    /// What is made of margins.
    pub response: Response,
}

/// A forest and a background on a GPU.
#[derive(Debug)]
pub struct GpuCoalitions {
    gpu: Gpu,
    columns: usize,
    outputs: usize,
    response: Response,
    /// Steps through all trees, at the most.
    levels: u64,
    others: u32,
    /// Bytes of a buffer.
    limit: u64,
    trees: Buffer,
    roots: Buffer,
    nodes: Buffer,
    sets: Buffer,
    background: Buffer,
}

impl GpuCoalitions {
    /// Uploads a forest and a background.
    ///
    /// # Errors
    /// [`Error::Unsupported`] if the GPU cannot hold them, or for more outputs than a kernel takes;
    /// [`Error::Gpu`] if the GPU fails.
    pub fn new(gpu: &Gpu, plan: &Plan<'_>) -> Result<Self> {
        let forest = plan.forest;
        let limits = &gpu.adapter().limits;
        let limit = limits.binding_bytes.min(limits.buffer_bytes);
        let refuse = |what: String| Error::Unsupported {
            what,
            by: format!("GPU {} with buffers of {limit} bytes", gpu.adapter().name),
            instead: "use device cpu".to_owned(),
        };
        if plan.base.len() > MOST_OUTPUTS {
            return Err(refuse(format!("coalitions of {} outputs", plan.base.len())));
        }
        let sets = Sets::new(forest);
        let words = Words::new(forest, plan.thresholds, &sets, plan.base, limit)
            .ok_or_else(|| refuse("coalitions of a forest of so many nodes".to_owned()))?;
        let columns = forest.columns as usize;
        let rows = plan.background.chunks(columns.max(1)).zip(plan.weights);
        let mut background = Vec::new();
        let mut others = 0;
        for (cells, &weight) in rows.filter(|(_, weight)| **weight != 0.0) {
            background.extend(cells.iter().map(|&cell| key(cell)));
            background.push((weight as f32).to_bits());
            others += 1;
        }
        if background.len() as u64 * 4 > limit || words.levels > limits.iterations {
            return Err(refuse(format!("coalitions of {others} background rows")));
        }
        let coalitions = Self {
            columns,
            outputs: plan.base.len(),
            response: plan.response,
            levels: words.levels,
            others,
            limit,
            trees: gpu.upload("outputs", &words.outputs),
            roots: gpu.upload("roots", &words.roots),
            nodes: gpu.upload("nodes", &words.nodes),
            sets: gpu.upload("sets", &sets.words),
            background: gpu.upload("background", &background),
            gpu: gpu.clone(),
        };
        gpu.check("uploading the model")?;
        Ok(coalitions)
    }

    /// What coalitions are worth for each of some rows, laid out (row, number of the response,
    /// coalition).
    ///
    /// `cells` are laid out (row, column), and so is `places`: the bit of the column's player in a
    /// coalition, or
    /// [`coalition_trees::NONE`](whylight_kernels::coalition_trees::NONE). A coalition is `words` words of 32 bits in `masks`.
    ///
    /// # Errors
    /// [`Error::Unsupported`] if a single row exceeds what the GPU can hold; [`Error::Gpu`] if the
    /// GPU fails.
    pub fn worth(
        &self,
        cells: &[f32],
        places: &[u32],
        masks: &[u32],
        words: usize,
    ) -> Result<Vec<f64>> {
        let coalitions = masks.len() / words.max(1);
        let numbers = self.response.outputs(self.outputs);
        let row_bytes = 8 * (coalitions * numbers) as u64;
        let most = BATCH_BYTES.min(self.limit);
        if row_bytes > self.limit || masks.len() as u64 * 4 > self.limit {
            return Err(Error::Unsupported {
                what: format!("{coalitions} coalitions of {numbers} outputs"),
                by: format!("GPU {}", self.gpu.adapter().name),
                instead: "use device cpu".to_owned(),
            });
        }
        let rows = (most / row_bytes.max(1)).max(1) as usize;
        let masks = self.gpu.upload("masks", masks);
        let mut worth = Vec::new();
        let width = (rows * self.columns).max(1);
        for (cells, places) in cells.chunks(width).zip(places.chunks(width)) {
            let rows = cells.len() / self.columns.max(1);
            let cells: Vec<Cell> = (cells.iter().zip(places))
                .map(|(&cell, &place)| Cell {
                    cell: key(cell),
                    place,
                })
                .collect();
            let batch = Batch {
                rows: rows as u32,
                coalitions: coalitions as u32,
                words: words as u32,
            };
            self.batch(batch, &cells, &masks, row_bytes * rows as u64, &mut worth)?;
        }
        Ok(worth)
    }

    fn batch(
        &self,
        of: Batch,
        cells: &[Cell],
        masks: &Buffer,
        bytes: u64,
        worth: &mut Vec<f64>,
    ) -> Result<()> {
        let gpu = &self.gpu;
        let cells = gpu.upload("cells", cells);
        let sums = gpu.storage("worth", bytes);
        let readable = gpu.readable("readable", bytes);
        let invocations = u64::from(of.rows) * u64::from(of.coalitions);
        let of_other = self.levels.max(1);
        let within = gpu.adapter().limits.iterations / of_other;
        let step = (WORK / (invocations * of_other).max(1)).clamp(1, within.max(1)) as u32;
        let (link, scale) = self.response.link.code();
        let mut batch = gpu.batch();
        batch.clear(&sums, bytes);
        for first in (0..self.others).step_by(step as usize) {
            let end = self.others.min(first.saturating_add(step));
            kernel::coalition_trees.launch(
                gpu,
                &mut batch,
                Params {
                    rows: of.rows,
                    coalitions: of.coalitions,
                    columns: self.columns as u32,
                    outputs: self.outputs as u32,
                    words: of.words,
                    first,
                    end,
                    link,
                    loss: u32::from(self.response.loss),
                    scale: scale.to_bits(),
                    zero: 0,
                },
                &[
                    &self.trees,
                    &self.roots,
                    &self.nodes,
                    &self.sets,
                    &cells,
                    &self.background,
                    masks,
                    &sums,
                ],
                invocations,
            )?;
            gpu.pace(
                &mut batch,
                invocations * of_other * u64::from(end - first),
                WORK,
            );
        }
        batch.copy(&sums, &readable, 0, bytes);
        let ticket = gpu.submit(batch, &readable, bytes);
        let doing = "evaluating coalitions";
        gpu.check(doing)?;
        gpu.read(doing, ticket, &readable, bytes, |pairs| {
            let pairs = pairs.chunks_exact(2);
            worth.extend(pairs.map(|pair| f64::from(pair[0]) + f64::from(pair[1])));
        })
    }
}

/// The rows and coalitions of a batch.
#[derive(Debug, Clone, Copy)]
struct Batch {
    rows: u32,
    coalitions: u32,
    words: u32,
}

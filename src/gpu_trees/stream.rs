//! Rows through a model on a GPU, batch by batch: while the GPU works on one batch, the host
//! prepares the next and takes the values of the one before.

use std::sync::PoisonError;

use rayon::prelude::*;
use whylight_kernels::{ROWS, words};

use super::GpuTrees;
use crate::error::Result;
use crate::gpu::{Batch, Buffer, Gpu, Ticket};

/// What the launches of a batch read and write. The GPU does one batch after the other, so only
/// what the host touches exists twice.
#[derive(Debug)]
pub(super) struct Workspace {
    pub(super) cells: Buffer,
    pub(super) high: Buffer,
    pub(super) low: Buffer,
    pub(super) patterns: Buffer,
    /// What the background weighs at some leaves, and the tables of these.
    pub(super) weights: Buffer,
    pub(super) tables: Buffer,
    readable: [Buffer; 2],
    staging: Vec<f32>,
}

/// What is computed per row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Job {
    pub(super) doing: &'static str,
    /// Numbers per row.
    pub(super) width: u64,
    /// Whether the host takes the low parts, too.
    pub(super) pairs: bool,
    /// Groups whose patterns are held at a time.
    pub(super) patterns: u32,
    /// Entries of the tables of leaves that are held at a time.
    pub(super) entries: u64,
}

/// Writes the cells of a block: first row, number of rows, cells.
pub(super) type Fill<'a> = dyn Fn(usize, usize, &mut [f32]) -> Result<()> + Sync + 'a;

/// Takes the sums of a batch: first row, number of rows, high and low parts.
pub(super) type Take<'a> = dyn FnMut(usize, usize, &[f32], &[f32]) + 'a;

/// A batch under way.
struct Pending {
    ticket: Ticket,
    slot: usize,
    start: usize,
    rows: usize,
    bytes: u64,
}

impl Workspace {
    fn new(gpu: &Gpu, columns: u32, job: &Job, blocks: u64) -> Self {
        let block = 4 * ROWS as u64;
        let values = blocks * block * job.width;
        let readable = || gpu.readable("readable", values * if job.pairs { 2 } else { 1 });
        Self {
            cells: gpu.storage("cells", blocks * block * u64::from(columns)),
            high: gpu.storage("high", values),
            low: gpu.storage("low", values),
            patterns: gpu.storage("patterns", blocks * ROWS as u64 * u64::from(job.patterns)),
            weights: gpu.storage("weights", 4 * job.entries),
            tables: gpu.storage("tables", 8 * job.entries),
            readable: [readable(), readable()],
            staging: Vec::new(),
        }
    }

    fn holds(&self, columns: u32, job: &Job, blocks: u64) -> bool {
        let block = 4 * ROWS as u64;
        let values = blocks * block * job.width;
        self.cells.bytes() >= blocks * block * u64::from(columns)
            && self.high.bytes() >= values
            && self.patterns.bytes() >= blocks * ROWS as u64 * u64::from(job.patterns)
            && self.tables.bytes() >= 8 * job.entries
            && self.readable[0].bytes() >= values * if job.pairs { 2 } else { 1 }
    }
}

impl GpuTrees {
    /// Runs `launch` on every batch of rows, told their number, and hands the sums of each to `take`: first row,
    /// number of rows, and the high and low parts, laid out (block, cell, [`ROWS`]).
    pub(super) fn stream(
        &self,
        job: &Job,
        rows: usize,
        fill: &Fill<'_>,
        launch: &dyn Fn(&mut Batch, &Workspace, u32) -> Result<()>,
        take: &mut Take<'_>,
    ) -> Result<()> {
        if rows == 0 || job.width == 0 {
            return Ok(());
        }
        let blocks = self.batch_blocks.min(rows.div_ceil(ROWS) as u64);
        // Another call meanwhile makes its own: a thread that waits for its share of this one's work
        // may begin it. A workspace that an error has left in the middle of a batch is not put back.
        let workspace = || {
            self.workspace
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
        };
        let known = workspace().take();
        let mut space = match known {
            Some(space) if space.holds(self.columns, job, blocks) => space,
            _ => Workspace::new(&self.gpu, self.columns, job, blocks),
        };
        self.gpu.check(job.doing)?;
        let mut pending: Option<Pending> = None;
        let batch_rows = blocks as usize * ROWS;
        for (b, start) in (0..rows).step_by(batch_rows).enumerate() {
            let rows = batch_rows.min(rows - start);
            self.prepare(start, rows, fill, &mut space)?;
            let next = self.submit(job, start, rows, b % 2, launch, &space)?;
            if let Some(done) = pending.replace(next) {
                self.collect(job, done, &space, take)?;
            }
        }
        if let Some(done) = pending {
            self.collect(job, done, &space, take)?;
        }
        *workspace() = Some(space);
        Ok(())
    }

    /// Fills the cells of a batch and sends them.
    fn prepare(
        &self,
        start: usize,
        rows: usize,
        fill: &Fill<'_>,
        space: &mut Workspace,
    ) -> Result<()> {
        let block = self.columns as usize * ROWS;
        if block == 0 {
            return Ok(());
        }
        space.staging.resize(rows.div_ceil(ROWS) * block, 0.0);
        let blocks = space.staging.par_chunks_mut(block).enumerate();
        blocks.try_for_each(|(b, cells)| {
            fill(start + b * ROWS, ROWS.min(rows - b * ROWS), cells)?;
            words::encode(cells);
            Ok(())
        })?;
        self.gpu.write(&space.cells, &space.staging);
        Ok(())
    }

    fn submit(
        &self,
        job: &Job,
        start: usize,
        rows: usize,
        slot: usize,
        launch: &dyn Fn(&mut Batch, &Workspace, u32) -> Result<()>,
        space: &Workspace,
    ) -> Result<Pending> {
        let blocks = rows.div_ceil(ROWS);
        let values = (4 * blocks * ROWS) as u64 * job.width;
        let mut batch = self.gpu.batch();
        batch.clear(&space.high, values);
        batch.clear(&space.low, values);
        launch(&mut batch, space, rows as u32)?;
        let readable = &space.readable[slot];
        batch.copy(&space.high, readable, 0, values);
        let mut bytes = values;
        if job.pairs {
            batch.copy(&space.low, readable, values, values);
            bytes += values;
        }
        let ticket = self.gpu.submit(batch, readable, bytes);
        self.gpu.check(job.doing)?;
        Ok(Pending {
            ticket,
            slot,
            start,
            rows,
            bytes,
        })
    }

    fn collect(
        &self,
        job: &Job,
        done: Pending,
        space: &Workspace,
        take: &mut Take<'_>,
    ) -> Result<()> {
        let readable = &space.readable[done.slot];
        let (start, rows) = (done.start, done.rows);
        self.gpu
            .read(job.doing, done.ticket, readable, done.bytes, |words| {
                let (high, low) = words.split_at(words.len() / if job.pairs { 2 } else { 1 });
                take(start, rows, high, low);
            })
    }
}

/// Blocks (block, cell, [`ROWS`]) to rows (row, cell).
pub(super) fn transpose(from: &[f32], width: usize, to: &mut [f32]) {
    let blocks = from.par_chunks(width * ROWS);
    (to.par_chunks_mut(width * ROWS).zip(blocks)).for_each(|(to, from)| {
        for (row, to) in to.chunks_mut(width).enumerate() {
            for (to, column) in to.iter_mut().zip(from.chunks(ROWS)) {
                *to = column[row];
            }
        }
    });
}

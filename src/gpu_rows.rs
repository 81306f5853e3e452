//! Rows on a GPU, for their nearest centres: the rows stay there, centres come and go.
//!
//! What exceeds the largest buffer that a kernel may see is divided into parts, each of whole blocks
//! of rows; that changes no bit of the result.

use whylight_kernels::ROWS;
use whylight_kernels::kmeans_assign::{GROUP, Params, pack};

use crate::error::{Error, Result};
use crate::gpu::{Buffer, Gpu, Ticket};
use crate::kernel;

/// Loop iterations of all rows of one launch: a fraction of a second on a small GPU, whose driver
/// kills what takes longer than a few seconds.
const WORK: u64 = 1 << 31;

/// Loop iterations of a group of centres beside those over its columns.
const COMPARISONS: u64 = GROUP as u64 + 2;

/// Scaled rows on a GPU, ready for centres.
#[derive(Debug)]
pub struct GpuRows {
    gpu: Gpu,
    columns: usize,
    rows: usize,
    /// Groups of centres of one launch.
    groups: u64,
    limit: u64,
    parts: Vec<Part>,
}

/// Blocks of rows within one buffer.
#[derive(Debug)]
struct Part {
    blocks: usize,
    cells: Buffer,
    nearest: Buffer,
    distances: Buffer,
    readable: Buffer,
}

impl GpuRows {
    /// Uploads cells, laid out (block, column, [`ROWS`]), none of them NaN. `buffer_limit` is in
    /// bytes; `None` for as many as the adapter allows.
    ///
    /// # Errors
    /// [`Error::Shape`] if the cells are no whole blocks; [`Error::Unsupported`] if the GPU cannot
    /// hold a block of rows with so many columns; [`Error::Gpu`] if the GPU fails.
    pub fn new(
        gpu: &Gpu,
        cells: &[f32],
        columns: usize,
        buffer_limit: Option<u64>,
    ) -> Result<Self> {
        let limits = &gpu.adapter().limits;
        let limit = limits.binding_bytes.min(limits.buffer_bytes);
        let limit = buffer_limit.unwrap_or(limit).min(limit);
        if columns == 0 || !cells.len().is_multiple_of(columns * ROWS) {
            return Err(Error::Shape {
                what: "the cells of rows".to_owned(),
                expected: format!("whole blocks of {ROWS} rows of {columns} columns, at least one"),
                got: format!("{} cells", cells.len()),
            });
        }
        let groups = limits.iterations / (columns as u64 + COMPARISONS);
        let block = 4 * (columns * ROWS) as u64;
        if block > limit || groups == 0 {
            return Err(refuse(gpu, limit, format!("{columns} columns")));
        }
        let part = (limit / block) as usize * columns * ROWS;
        let rows = GpuRows {
            gpu: gpu.clone(),
            columns,
            rows: cells.len() / columns,
            // A launch of one group at least, however many rows there are.
            groups,
            limit,
            parts: cells
                .chunks(part)
                .map(|cells| Part::new(gpu, cells, columns))
                .collect(),
        };
        gpu.check("uploading rows")?;
        Ok(rows)
    }

    /// Parts that the rows are divided into.
    pub fn parts(&self) -> usize {
        self.parts.len()
    }

    /// Centres that the largest buffer holds.
    pub fn most_centres(&self) -> usize {
        (self.limit / (16 * self.columns as u64)) as usize * GROUP
    }

    /// Writes the number of the nearest centre of each row, and its squared distance. `centres` are
    /// laid out (centre, column).
    ///
    /// # Errors
    /// [`Error::Shape`] if there is no whole number of centres, or more of them than a buffer holds, or
    /// the outputs do not have one place per row, those that fill up the last block included;
    /// [`Error::Gpu`] if the GPU fails.
    pub fn nearest(
        &self,
        centres: &[f32],
        nearest: &mut [u32],
        distances: &mut [f32],
    ) -> Result<()> {
        let count = centres.len() / self.columns;
        let whole = count > 0 && centres.len().is_multiple_of(self.columns);
        if !whole
            || count > self.most_centres()
            || nearest.len() != self.rows
            || distances.len() != self.rows
        {
            return Err(Error::Shape {
                what: "centres, and places for the nearest ones and their distances".to_owned(),
                expected: format!(
                    "1 to {} centres of {} columns, {} places",
                    self.most_centres(),
                    self.columns,
                    self.rows
                ),
                got: format!(
                    "{} cells, {} and {} places",
                    centres.len(),
                    nearest.len(),
                    distances.len()
                ),
            });
        }
        let packed = pack(centres, self.columns);
        let groups = (packed.len() / self.columns) as u64;
        let packed = self.gpu.upload("centres", &packed);
        let mut tickets = Vec::new();
        for part in &self.parts {
            tickets.push(self.launch(part, &packed, groups)?);
        }
        let mut start = 0;
        for (part, ticket) in self.parts.iter().zip(tickets) {
            let rows = part.blocks * ROWS;
            let bytes = 8 * rows as u64;
            let doing = "finding the nearest centres";
            self.gpu
                .read(doing, ticket, &part.readable, bytes, |words| {
                    let (numbers, squares) = words.split_at(rows);
                    nearest[start..start + rows].copy_from_slice(bytemuck::cast_slice(numbers));
                    distances[start..start + rows].copy_from_slice(squares);
                })?;
            start += rows;
        }
        Ok(())
    }

    fn launch(&self, part: &Part, centres: &Buffer, groups: u64) -> Result<Ticket> {
        let rows = part.blocks as u64 * ROWS as u64;
        let mut batch = self.gpu.batch();
        // What the driver allows, in launches of what one invocation may do.
        let step = (WORK / (rows * (self.columns as u64 + COMPARISONS))).clamp(1, self.groups);
        for first in (0..groups).step_by(step as usize) {
            let end = groups.min(first + step);
            kernel::kmeans_assign.launch(
                &self.gpu,
                &mut batch,
                Params {
                    blocks: part.blocks as u32,
                    columns: self.columns as u32,
                    first: first as u32,
                    end: end as u32,
                },
                &[&part.cells, centres, &part.nearest, &part.distances],
                rows,
            )?;
            let work = (end - first) * (self.columns as u64 + COMPARISONS) * rows;
            self.gpu.pace(&mut batch, work, WORK);
        }
        batch.copy(&part.nearest, &part.readable, 0, 4 * rows);
        batch.copy(&part.distances, &part.readable, 4 * rows, 4 * rows);
        let ticket = self.gpu.submit(batch, &part.readable, 8 * rows);
        self.gpu.check("finding the nearest centres")?;
        Ok(ticket)
    }
}

impl Part {
    fn new(gpu: &Gpu, cells: &[f32], columns: usize) -> Self {
        let blocks = cells.len() / (columns * ROWS);
        let bytes = 4 * (blocks * ROWS) as u64;
        Self {
            blocks,
            cells: gpu.upload("cells", cells),
            nearest: gpu.storage("nearest", bytes),
            distances: gpu.storage("distances", bytes),
            readable: gpu.readable("readable", 2 * bytes),
        }
    }
}

fn refuse(gpu: &Gpu, limit: u64, what: String) -> Error {
    Error::Unsupported {
        what,
        by: format!("GPU {} with buffers of {limit} bytes", gpu.adapter().name),
        instead: "use device cpu".to_owned(),
    }
}

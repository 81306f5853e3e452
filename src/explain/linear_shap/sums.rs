//! The values of rows: a product for each feature on its own, a small matrix for each block of
//! correlated ones.

use rayon::prelude::*;

use crate::data::Batch;
use crate::error::Result;
use crate::model::Linear;

/// Cells of a tile of rows at most: half a megabyte, what the second-level cache holds.
const TILE_CELLS: usize = 1 << 16;

/// Rows of a tile at most.
const TILE_ROWS: usize = 256;

/// Rows that are written together: as many as a cache line holds cells.
const STRIP: usize = 8;

/// What turns the cells of a row into its values.
#[derive(Debug)]
pub(super) struct Sums {
    mean: Vec<f64>,
    outputs: usize,
    /// (features, outputs).
    coefficients: Vec<f64>,
    blocks: Vec<Block>,
}

/// Features whose values depend on one another's cells.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) features: Vec<usize>,
    /// (outputs, features, features): what a unit of the last adds to the value of the one before.
    pub(super) weights: Vec<f64>,
}

#[derive(Debug, Default)]
struct Scratch {
    /// (features, rows).
    cells: Vec<f64>,
    sums: Vec<f64>,
}

impl Sums {
    pub(super) fn new(linear: &Linear, mean: Vec<f64>) -> Self {
        Self {
            mean,
            outputs: linear.outputs.len(),
            coefficients: linear.coefficients.t().iter().copied().collect(),
            blocks: Vec::new(),
        }
    }

    pub(super) fn set_blocks(&mut self, blocks: Vec<Block>) {
        self.blocks = blocks;
    }

    /// Features in no block.
    pub(super) fn alone(&self) -> usize {
        let joint: usize = self.blocks.iter().map(|block| block.features.len()).sum();
        self.mean.len() - joint
    }

    /// What a row costs on one thread, in seconds, roughly.
    pub(super) fn seconds(&self) -> f64 {
        let joint: usize = self.blocks.iter().map(|block| block.weights.len()).sum();
        1e-9 * (self.coefficients.len() + joint) as f64
    }

    /// Writes the values of a batch to `out`, (rows, features, outputs). Whether all are finite.
    pub(super) fn values(&self, batch: &Batch<'_>, out: &mut [f32]) -> Result<bool> {
        let width = self.coefficients.len();
        let height = (TILE_CELLS / self.mean.len()).clamp(STRIP, TILE_ROWS);
        let tile = |scratch: &mut Scratch, (index, out): (usize, &mut [f32])| {
            self.tile(batch, index * height, scratch, out)
        };
        if out.len() <= height * width {
            return tile(&mut Scratch::default(), (0, out));
        }
        out.par_chunks_mut(height * width)
            .enumerate()
            .map_init(Scratch::default, tile)
            .try_reduce(|| true, |a, b| Ok(a & b))
    }

    fn tile(
        &self,
        batch: &Batch<'_>,
        start: usize,
        scratch: &mut Scratch,
        out: &mut [f32],
    ) -> Result<bool> {
        let rows = out.len() / self.coefficients.len();
        let Scratch { cells, sums } = scratch;
        cells.resize(self.mean.len() * rows, 0.0);
        batch.fill(start..start + rows, cells)?;
        for (cells, mean) in cells.chunks_exact_mut(rows).zip(&self.mean) {
            for cell in cells {
                *cell -= mean;
            }
        }
        self.products(cells, rows, out);
        for block in &self.blocks {
            self.block(block, cells, rows, sums, out);
        }
        Ok(out.iter().fold(true, |all, value| all & value.is_finite()))
    }

    /// Writes the values of features on their own.
    fn products(&self, cells: &[f64], rows: usize, out: &mut [f32]) {
        let (outputs, width) = (self.outputs, self.coefficients.len());
        for (strip, out) in out.chunks_mut(STRIP * width).enumerate() {
            let coefficients = self.coefficients.chunks_exact(outputs);
            for (f, (cells, coefficients)) in cells.chunks_exact(rows).zip(coefficients).enumerate()
            {
                let cells = &cells[strip * STRIP..];
                for (out, cell) in out.chunks_exact_mut(width).zip(cells) {
                    let out = &mut out[f * outputs..][..outputs];
                    for (out, coefficient) in out.iter_mut().zip(coefficients) {
                        *out = (coefficient * cell) as f32;
                    }
                }
            }
        }
    }

    /// Writes the values of the features of a block.
    fn block(
        &self,
        block: &Block,
        cells: &[f64],
        rows: usize,
        sums: &mut Vec<f64>,
        out: &mut [f32],
    ) {
        let (size, width) = (block.features.len(), self.coefficients.len());
        sums.resize(rows, 0.0);
        for (index, weights) in block.weights.chunks_exact(size).enumerate() {
            let (output, feature) = (index / size, block.features[index % size]);
            sums.fill(0.0);
            for (weight, &other) in weights.iter().zip(&block.features) {
                let cells = &cells[other * rows..][..rows];
                for (sum, cell) in sums.iter_mut().zip(cells) {
                    *sum += weight * cell;
                }
            }
            let place = feature * self.outputs + output;
            for (out, sum) in out.chunks_exact_mut(width).zip(&*sums) {
                out[place] = *sum as f32;
            }
        }
    }
}

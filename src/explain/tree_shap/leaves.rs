//! The trees whose leaves are looked at one by one: a thread takes a tree and all rows, since what is
//! computed of a leaf serves every row.

use std::ops::Range;

use rayon::prelude::*;
use whylight_kernels::{Block, Forest, Level, ROWS, tree_leaves};

use super::columns;
use super::compile::Compiled;
use crate::data::Batch;
use crate::error::Result;

/// Rows of one walk at most.
const MOST_ROWS: usize = 64 * ROWS;

/// Bytes of the sums of the rows of one walk: those of all outputs, and of the trees in flight.
const SUM_BYTES: usize = 256 << 20;

/// Trees in flight, as far as it matters for memory: the choice of an engine must not know the threads.
const TREES: usize = 4;

/// Rows of one walk.
pub(super) fn rows_at_once(forest: &Forest) -> usize {
    let row = 8 * forest.features as usize * (forest.outputs as usize + TREES);
    (SUM_BYTES / row.max(1)).clamp(1, MOST_ROWS)
}

/// The values of some rows, summed over trees in their order.
pub(super) struct LeafSums {
    features: usize,
    rows: usize,
    /// Laid out (output, feature, row).
    sums: Vec<f64>,
}

impl LeafSums {
    /// The trees come with the features of the longest path whose patterns have a table.
    ///
    /// # Errors
    /// For cells that do not fit the model.
    pub(super) fn new(
        compiled: &Compiled,
        trees: &[(u32, usize)],
        batch: &Batch<'_>,
        span: Range<usize>,
    ) -> Result<Self> {
        let forest = &compiled.forest;
        let (rows, features) = (span.len(), forest.features as usize);
        let scale = compiled.scale(batch);
        let block = compiled.columns.len() * ROWS;
        let mut cells = vec![0.0; rows.div_ceil(ROWS) * block];
        let rows_of = |index: usize| (rows - index * ROWS).min(ROWS);
        (cells.par_chunks_mut(block.max(1)).enumerate()).try_for_each_init(
            columns::Scratch::default,
            |scratch, (index, cells)| {
                let first = span.start + index * ROWS;
                compiled.fill(batch, scale, first, rows_of(index), scratch, cells)
            },
        )?;
        let blocks = cells.chunks(block.max(1)).enumerate();
        let blocks: Vec<Block<'_>> = blocks
            .map(|(index, cells)| Block::new(cells, rows_of(index)))
            .collect();
        let mut sums = vec![0.0; forest.outputs as usize * features * rows];
        if let Some(background) = &compiled.background {
            let explained = tree_leaves::Rows {
                blocks: &blocks,
                thresholds: compiled.thresholds(scale),
            };
            let others = background.blocks(compiled.columns.len());
            let background = tree_leaves::Background {
                rows: tree_leaves::Rows {
                    blocks: &others,
                    thresholds: background.thresholds(compiled),
                },
                weights: background.weights(),
                shares: background.shares(compiled),
            };
            let level = Level::detect();
            let values = |scratch: &mut tree_leaves::Scratch,
                          &(tree, most_in_table): &(u32, usize)| {
                let mut values = vec![0.0; features * rows];
                tree_leaves::run(
                    level,
                    forest,
                    tree,
                    explained,
                    background,
                    most_in_table,
                    scratch,
                    &mut values,
                );
                values
            };
            // In rounds, so that few trees wait to be added in their order.
            for trees in trees.chunks(rayon::current_num_threads()) {
                let of_trees: Vec<Vec<f64>> = (trees.par_iter())
                    .map_init(tree_leaves::Scratch::default, values)
                    .collect();
                for (&(tree, _), values) in trees.iter().zip(of_trees) {
                    let output = forest.tree_outputs[tree as usize] as usize;
                    let sums = &mut sums[output * features * rows..][..features * rows];
                    for (sum, value) in sums.iter_mut().zip(values) {
                        *sum += value;
                    }
                }
            }
        }
        Ok(Self {
            features,
            rows,
            sums,
        })
    }

    /// Adds the values of up to a block of rows from `start` on, laid out (feature, [`ROWS`]).
    pub(super) fn add(&self, output: u32, start: usize, values: &mut [[f64; ROWS]]) {
        let of_output = &self.sums[output as usize * self.features * self.rows..];
        for (values, sums) in values.iter_mut().zip(of_output.chunks(self.rows)) {
            for (value, sum) in values.iter_mut().zip(&sums[start..]) {
                *value += sum;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Forest, MOST_ROWS, SUM_BYTES, TREES, rows_at_once};

    #[test]
    fn the_sums_of_wide_rows_stay_within_their_bytes() {
        for (features, outputs) in [(0, 1), (28, 1), (28, 1000), (5000, 1), (5000, 100)] {
            let forest = Forest {
                features,
                outputs,
                ..Forest::default()
            };
            let rows = rows_at_once(&forest);
            assert!((1..=MOST_ROWS).contains(&rows));
            let bytes = 8 * rows * features as usize * (outputs as usize + TREES);
            assert!(bytes <= SUM_BYTES, "{features} features, {outputs} outputs");
        }
    }
}

//! The background of interventional values, as the kernels read it.

use std::ops::Range;
use std::sync::OnceLock;

use rayon::prelude::*;
use whylight_kernels::{Block, Level, ROWS, tree_pairs, tree_tables};

use super::columns::{self, Scale};
use super::compile::Compiled;
use super::response::Answer;
use crate::data::{Batch, Encoder, View};
use crate::error::Result;
use crate::explain::background::{check_weights, describe, empty, hash};
use crate::model::Trees;

/// Bytes of histograms that one thread counts at a time: they stay in its cache.
const HISTOGRAM_BYTES: usize = 256 << 10;

/// Background rows, prepared for a forest: 4 bytes per column of the forest and row.
#[derive(Debug)]
pub(super) struct BackgroundRows {
    scale: Scale,
    /// Block by block, (column, [`ROWS`]).
    cells: Vec<f32>,
    /// One per row; they sum to 1.
    weights: Vec<f64>,
    /// The mean of each output.
    pub(super) margins: Vec<f64>,
    /// As a result names the rows.
    pub(super) cover: String,
    /// What [`Self::by_row`] and [`Self::shares`] give, made when first needed.
    rows: OnceLock<Vec<f32>>,
    shares: OnceLock<tree_pairs::Shares>,
}

impl BackgroundRows {
    /// # Errors
    /// For rows that do not fit the model, for none, and for weights that are none.
    pub(super) fn new(
        trees: &Trees,
        compiled: &Compiled,
        encoder: &Encoder,
        view: &View<'_>,
        weights: Option<&[f64]>,
        answer: Option<Answer>,
    ) -> Result<Self> {
        let batch = encoder.batch(view)?;
        let rows = batch.rows();
        if rows == 0 {
            return Err(empty());
        }
        let shares = match weights {
            None => vec![1.0 / rows as f64; rows],
            Some(weights) => {
                check_weights(weights, rows)?;
                // Only shares matter: the largest becomes 1, so that no sum of them overflows.
                let largest = weights.iter().fold(0.0_f64, |a, &b| a.max(b));
                let total: f64 = weights.iter().map(|weight| weight / largest).sum();
                let share = |weight: &f64| weight / largest / total;
                weights.iter().map(share).collect()
            }
        };
        compiled.check_linear(&batch, 0)?;
        let scale = compiled.scale(&batch);
        let block = compiled.columns.len() * ROWS;
        let mut cells = vec![0.0; rows.div_ceil(ROWS) * block];
        if block > 0 {
            (cells.par_chunks_mut(block).enumerate()).try_for_each_init(
                columns::Scratch::default,
                |scratch, (index, cells)| {
                    let Range { start, end } = span(index, rows);
                    compiled.fill(&batch, scale, start, end - start, scratch, cells)
                },
            )?;
        }
        let (margins, hashes) = margins(trees, &batch, &shares, answer)?;
        Ok(Self {
            scale,
            cells,
            weights: shares,
            margins,
            cover: describe(rows, &hashes, weights),
            rows: OnceLock::new(),
            shares: OnceLock::new(),
        })
    }

    pub(super) fn rows(&self) -> usize {
        self.weights.len()
    }

    /// Whether the cells are numbers, not ranks.
    #[cfg(feature = "gpu")]
    pub(super) fn is_numbers(&self) -> bool {
        self.scale == Scale::Numbers
    }

    pub(super) fn weights(&self) -> &[f64] {
        &self.weights
    }

    pub(super) fn thresholds<'a>(&self, compiled: &'a Compiled) -> &'a [f32] {
        compiled.thresholds(self.scale)
    }

    fn block(&self, columns: usize, index: usize) -> Block<'_> {
        let cells = &self.cells[index * columns * ROWS..][..columns * ROWS];
        Block::new(cells, span(index, self.rows()).len())
    }

    /// All rows, of so many columns.
    pub(super) fn blocks(&self, columns: usize) -> Vec<Block<'_>> {
        let blocks = 0..self.rows().div_ceil(ROWS);
        blocks.map(|index| self.block(columns, index)).collect()
    }

    /// The cells (row, column).
    pub(super) fn by_row(&self, compiled: &Compiled) -> &[f32] {
        self.rows.get_or_init(|| {
            let columns = compiled.columns.len();
            let mut cells = Vec::with_capacity(self.rows() * columns);
            for block in self.blocks(columns) {
                for row in 0..block.rows() {
                    cells.extend((0..columns as u32).map(|column| block.column(column)[row]));
                }
            }
            cells
        })
    }

    /// The rows as explained rows are compared with one after the other.
    pub(super) fn pairwise<'a>(&'a self, compiled: &'a Compiled) -> tree_pairs::Background<'a> {
        tree_pairs::Background {
            cells: self.by_row(compiled),
            thresholds: self.thresholds(compiled),
            weights: &self.weights,
            shares: self.shares(compiled),
        }
    }

    /// What leaves give to the conditions of a path, for the longest of the forest.
    pub(super) fn shares(&self, compiled: &Compiled) -> &tree_pairs::Shares {
        self.shares.get_or_init(|| {
            let longest = compiled.shapes.iter().map(|shape| shape.path_features);
            let longest = longest.max().unwrap_or(0) as usize;
            tree_pairs::Shares::new(compiled.forest.index, longest)
        })
    }

    /// The weight of the rows by table entry. A thread counts all rows for some trees, so the order
    /// of additions is that of the rows.
    pub(super) fn histograms(&self, compiled: &Compiled, pack: &tree_tables::Pack) -> Vec<f64> {
        let level = Level::detect();
        let columns = compiled.columns.len();
        let mut histograms = vec![0.0; pack.entries_of(0..pack.trees.len()).end];
        let mut rest = &mut histograms[..];
        let mut spans = Vec::new();
        let mut first = 0;
        for tree in 0..pack.trees.len() {
            let entries = pack.entries_of(first..tree + 1).len();
            if entries * size_of::<f64>() >= HISTOGRAM_BYTES || tree + 1 == pack.trees.len() {
                spans.extend(
                    rest.split_off_mut(..entries)
                        .map(|part| (first..tree + 1, part)),
                );
                first = tree + 1;
            }
        }
        (spans.into_par_iter()).for_each_init(
            tree_tables::Scratch::default,
            |scratch, (trees, histograms)| {
                for (index, weights) in self.weights.chunks(ROWS).enumerate() {
                    let block = self.block(columns, index);
                    tree_tables::histogram(
                        level,
                        &compiled.forest,
                        self.thresholds(compiled),
                        pack,
                        trees.clone(),
                        (block, weights),
                        scratch,
                        histograms,
                    );
                }
            },
        );
        histograms
    }
}

/// The rows of a block.
fn span(block: usize, rows: usize) -> Range<usize> {
    block * ROWS..rows.min((block + 1) * ROWS)
}

/// The mean margins, or answers to them, by the model's own rules, which share no code with the
/// values, and a hash of each block's cells.
fn margins(
    trees: &Trees,
    batch: &Batch<'_>,
    weights: &[f64],
    answer: Option<Answer>,
) -> Result<(Vec<f64>, Vec<u64>)> {
    let (rows, features) = (batch.rows(), batch.features());
    let outputs = match answer {
        Some(answer) => answer.to(&trees.base).len(),
        None => trees.base.len(),
    };
    let block = |index: usize| -> Result<(Vec<f64>, u64)> {
        let span = span(index, rows);
        let mut columns = vec![0.0; span.len() * features];
        batch.fill(span.clone(), &mut columns)?;
        let mut cells = vec![0.0; columns.len()];
        for (feature, column) in columns.chunks(span.len()).enumerate() {
            for (row, cell) in column.iter().enumerate() {
                cells[row * features + feature] = *cell;
            }
        }
        let mut margins = trees.margins(span.len(), &cells);
        if let Some(answer) = answer {
            let rows = margins.chunks(trees.base.len().max(1));
            margins = rows.flat_map(|margins| answer.to(margins)).collect();
        }
        let mut sums = vec![0.0; outputs];
        for (margins, weight) in margins.chunks(outputs.max(1)).zip(&weights[span]) {
            for (sum, margin) in sums.iter_mut().zip(margins) {
                // A row of no weight counts nothing, whatever its margin.
                if *weight != 0.0 {
                    *sum += margin * weight;
                }
            }
        }
        Ok((sums, hash(&[&cells])))
    };
    let parts = (0..rows.div_ceil(ROWS)).into_par_iter().map(block);
    let parts = parts.collect::<Result<Vec<_>>>()?;
    let mut means = vec![0.0; outputs];
    let mut hashes = Vec::new();
    for (sums, hash) in parts {
        for (mean, sum) in means.iter_mut().zip(sums) {
            *mean += sum;
        }
        hashes.push(hash);
    }
    Ok((means, hashes))
}

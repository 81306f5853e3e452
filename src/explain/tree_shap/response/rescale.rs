//! Values of the margin, rescaled background row by background row.

use rayon::prelude::*;
use whylight_kernels::{Block, ROWS, tree_pairs};

use super::{Responses, Row};
use crate::error::Result;
use crate::explain::Estimator;
use crate::explain::method::Found;
use crate::explain::tree_shap::compile::Compiled;

/// Rows of a call, the first ones, for which it is computed how far they are off.
const COMPARED: usize = 8;

impl Responses {
    /// Writes the values (player, output) of a row: for each background row the values of the margin
    /// times `(g(x) − g(b)) / (m(x) − m(b))`, of the derivative of g where the margins m are equal.
    /// They add up, as the output g does, but are no Shapley values of it.
    pub(super) fn rescaled(
        &self,
        compiled: &Compiled,
        row: Row<'_>,
        out: &mut [f32],
    ) -> Result<Found> {
        let Some(background) = &compiled.background else {
            return Ok(Found::default());
        };
        let forest = &compiled.forest;
        let (players, margins) = (forest.features as usize, forest.outputs as usize);
        let outputs = out.len() / players.max(1);
        let mut cells = vec![0.0; forest.columns as usize * ROWS];
        for (column, &cell) in cells.chunks_mut(ROWS).zip(row.cells) {
            column[0] = cell;
        }
        let of_row = self.margin(compiled, row.cells, row.thresholds);
        let mut values = vec![[0.0; ROWS]; players];
        let mut scratch = tree_pairs::Scratch::default();
        for output in 0..outputs {
            let margin = output * margins / outputs.max(1);
            let slope = |other: &Vec<f64>| {
                let (x, b) = (of_row[margin], other[margin]);
                let answer = |m: f64| {
                    let mut of_output = of_row.clone();
                    of_output[margin] = m;
                    self.answer.to(&of_output)[output]
                };
                // Where the margins are as good as equal, the slope between points around them.
                let step = 1e-4 * (1.0 + x.abs());
                if (x - b).abs() < step {
                    let middle = f64::midpoint(x, b);
                    (answer(middle + step) - answer(middle - step)) / (2.0 * step)
                } else {
                    (answer(x) - answer(b)) / (x - b)
                }
            };
            let weights = background.weights().iter().zip(&self.margins);
            let weights: Vec<f64> = weights
                .map(|(&weight, other)| {
                    if weight == 0.0 {
                        0.0
                    } else {
                        weight * slope(other)
                    }
                })
                .collect();
            let others = tree_pairs::Background {
                weights: &weights,
                ..background.pairwise(compiled)
            };
            let is_its = |tree: &u32| forest.tree_outputs[*tree as usize] as usize == margin;
            let trees: Vec<u32> = (0..forest.trees() as u32).filter(is_its).collect();
            for values in &mut values {
                values[0] = 0.0;
            }
            let block = Block::new(&cells, 1);
            tree_pairs::run(
                forest,
                row.thresholds,
                &trees,
                block,
                others,
                &mut scratch,
                &mut values,
            );
            for (player, values) in values.iter().enumerate() {
                out[player * outputs + output] = values[0] as f32;
            }
        }
        let mut found = Found {
            rescaled_rows: 1,
            ..Found::default()
        };
        if row.number < COMPARED {
            let mut better = vec![0.0; out.len()];
            self.row(compiled, row, Estimator::Auto, &mut better, &mut [])?;
            for (value, better) in out.iter().zip(&better) {
                let error = f64::from((value - better).abs());
                found.approximation_error = found.approximation_error.max(error);
            }
            found.compared_rows = 1;
        }
        Ok(found)
    }

    /// The margins of the background rows.
    pub(super) fn of_background(&self, compiled: &Compiled) -> Vec<Vec<f64>> {
        let Some(background) = &compiled.background else {
            return Vec::new();
        };
        let thresholds = background.thresholds(compiled);
        let others = background.by_row(compiled);
        let columns = compiled.columns.len();
        let row = |row: usize| {
            let cells = &others[row * columns..][..columns];
            self.margin(compiled, cells, thresholds)
        };
        (0..background.rows()).into_par_iter().map(row).collect()
    }

    /// The margins of a row.
    fn margin(&self, compiled: &Compiled, cells: &[f32], thresholds: &[f32]) -> Vec<f64> {
        let forest = &compiled.forest;
        let mut margins = self.base.clone();
        for (&root, &output) in forest.roots.iter().zip(&forest.tree_outputs) {
            let mut n = root as usize;
            while !forest.nodes[n].is_leaf() {
                let node = &forest.nodes[n];
                let cell = cells[node.column as usize];
                let left = node.test.left(cell, thresholds[n], &forest.sets);
                n = if left { node.left } else { node.right } as usize;
            }
            let value = forest.nodes[n].value;
            margins[output as usize] += match forest.linear_leaf(n as u32) {
                Some(leaf) => leaf.value(value, cells),
                None => value,
            };
        }
        margins
    }
}

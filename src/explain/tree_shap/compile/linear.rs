//! Leaves that are linear in features, and the cells that they can read.

use rayon::prelude::*;
use whylight_kernels::ROWS;
use whylight_kernels::forest::{LinearLeaf as KernelLeaf, Term};

use super::columns::Columns;
use super::{Compiled, Kind};
use crate::data::Batch;
use crate::error::{Error, MEMORY, Result};
use crate::explain::tree_shap::LARGEST;
use crate::model::LinearLeaf;

impl Compiled {
    /// Makes the leaf that is the forest's next node a linear one, if it has terms.
    pub(super) fn push_linear(&mut self, leaf: &LinearLeaf, columns: &mut Columns) {
        if leaf.terms.is_empty() {
            return;
        }
        let terms = leaf.terms.iter().map(|&(feature, weight)| {
            *self.linear.entry(feature).or_insert(0.0) += weight.abs();
            let [high, low] = columns.of_parts(feature);
            Term {
                feature: self.players.of[feature as usize],
                high,
                low,
                weight,
            }
        });
        let leaf = KernelLeaf {
            constant: leaf.constant,
            terms: terms.collect(),
        };
        let forest = &mut self.forest;
        forest.linear_of.resize(forest.nodes.len(), u32::MAX);
        forest.linear_of.push(forest.linear.len() as u32);
        forest.linear.push(leaf);
    }

    /// The players whose cells linear leaves read, with the columns of these.
    pub(in crate::explain::tree_shap) fn linear_columns(
        &self,
    ) -> impl Iterator<Item = (u32, usize)> {
        let columns = self.columns.iter().enumerate();
        let linear = columns.filter(|(_, column)| matches!(column.kind, Kind::High | Kind::Low));
        linear.map(|(place, column)| (self.players.of[column.feature as usize], place))
    }

    /// # Errors
    /// [`Error::Data`] for a cell that a linear leaf would take out of the range of float32, by its row,
    /// of which `before` came before the batch, and its column.
    pub(in crate::explain::tree_shap) fn check_linear(
        &self,
        batch: &Batch<'_>,
        before: usize,
    ) -> Result<()> {
        if self.linear.is_empty() {
            return Ok(());
        }
        let block = |block: usize| -> Result<()> {
            let start = block * ROWS;
            let rows = (batch.rows() - start).min(ROWS);
            let mut cells = vec![0.0; batch.features() * rows];
            batch.fill(start..start + rows, &mut cells)?;
            for (&feature, weights) in &self.linear {
                let cells = &cells[feature as usize * rows..][..rows];
                let most = LARGEST / weights.max(1.0);
                if let Some(row) = cells.iter().position(|cell| cell.abs() >= most) {
                    let title = batch.title(feature as usize);
                    return Err(Error::Data {
                        path: MEMORY.into(),
                        at: format!("row {}, {title}", before + start + row + 1),
                        reason: format!(
                            "the cell is {:e}, and leaves of the model that are linear in it take \
                             numbers below {most:e}, so that values stay in the range of float32; \
                             leave the row out, or the cell empty",
                            cells[row]
                        ),
                    });
                }
            }
            Ok(())
        };
        let blocks = 0..batch.rows().div_ceil(ROWS);
        // The first fault in the order of the rows, whatever the threads.
        let faults: Vec<Result<()>> = blocks.into_par_iter().map(block).collect();
        faults.into_iter().collect()
    }
}

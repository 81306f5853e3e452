//! The rows that are shuffled.

use crate::data::{Encoder, View};
use crate::error::{Error, MEMORY, Result};
use crate::explain::players::Players;
use crate::model::Model;

/// The columns of rows as the model reads them, and who is shuffled.
pub(super) struct Rows {
    /// (feature, row).
    pub(super) cells: Vec<f64>,
    /// Rows.
    pub(super) height: usize,
    pub(super) players: Players,
    /// By player its columns.
    pub(super) members: Vec<Vec<usize>>,
}

impl Rows {
    /// The cells of rows, checked.
    ///
    /// # Errors
    /// [`Error::Data`] for no rows and a category that the model does not take; [`Error::Unsupported`] for more rows than
    /// 2³¹; [`Error::Shape`] for other columns than the model's.
    pub(super) fn read(model: &Model, view: &View<'_>, players: Players) -> Result<Self> {
        let encoder = Encoder::new(model.features(), view.names(), view.columns())?;
        let batch = encoder.batch(view)?;
        let (rows, features) = (view.rows(), encoder.features());
        if rows == 0 {
            return Err(Error::Data {
                path: MEMORY.into(),
                at: "the rows".to_owned(),
                reason: "none; expected rows to shuffle, with their labels".to_owned(),
            });
        }
        if i32::try_from(rows).is_err() {
            return Err(Error::Unsupported {
                what: format!("{rows} rows"),
                by: "permutation importance".to_owned(),
                instead: "take a sample of the rows".to_owned(),
            });
        }
        let mut cells = vec![0.0; rows * features];
        batch.fill(0..rows, &mut cells)?;
        let mut members = vec![Vec::new(); players.len()];
        for (feature, &player) in players.of.iter().enumerate() {
            members[player as usize].push(feature);
        }
        let rows = Rows {
            cells,
            height: rows,
            players,
            members,
        };
        if let Model::Encoded(_) = model {
            let mut row = vec![0.0; features];
            for number in 0..rows.height {
                rows.fill(number, &mut row);
                if let Some(column) = model.unknown_category(&row) {
                    return Err(Error::Data {
                        path: MEMORY.into(),
                        at: format!("row {}, {}", number + 1, batch.title(column)),
                        reason: format!(
                            "the category {}, which the model was not trained on and refuses",
                            row[column]
                        ),
                    });
                }
            }
        }
        Ok(rows)
    }

    pub(super) fn column(&self, feature: usize) -> &[f64] {
        &self.cells[feature * self.height..][..self.height]
    }

    pub(super) fn features(&self) -> usize {
        self.players.of.len()
    }

    /// A row of the model.
    pub(super) fn fill(&self, row: usize, to: &mut [f64]) {
        for (feature, to) in to.iter_mut().enumerate() {
            *to = self.cells[feature * self.height + row];
        }
    }

    /// Whether a column has the same cell in all rows.
    pub(super) fn is_constant(&self, feature: usize) -> bool {
        let column = self.column(feature);
        let first = column.first().copied().unwrap_or_default();
        let is_same = |cell: &f64| *cell == first || (cell.is_nan() && first.is_nan());
        column.iter().all(is_same)
    }
}

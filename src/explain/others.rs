//! The background rows of models that are explained row by row.

use super::background::{Background, NAME, Sample, check_weights};
use super::method::{names, unknown_category, unusable};
use crate::error::{Error, Result};
use crate::model::{Feature, Model};

/// The background rows that have a weight.
#[derive(Debug)]
pub(super) struct Others {
    /// (rows, features).
    pub(super) cells: Vec<f64>,
    /// One per row, summing to 1.
    pub(super) weights: Vec<f64>,
    /// As a result names the rows.
    pub(super) cover: String,
}

impl Others {
    pub(super) fn read(features: &[Feature], background: Option<&Background<'_>>) -> Result<Self> {
        let (rows, weights) = match background {
            Some(Background::Rows(rows)) => (rows, None),
            Some(Background::Weighted(rows, weights)) => (rows, Some(*weights)),
            Some(Background::Moments { .. }) => {
                return Err(Error::Unsupported {
                    what: "a background of moments".to_owned(),
                    by: "kernel SHAP, and deep SHAP".to_owned(),
                    instead: "give the training rows, or a sample of them".to_owned(),
                });
            }
            None => {
                return Err(Error::Parameter {
                    name: "background",
                    got: "none".to_owned(),
                    allowed:
                        "the features outside a coalition take the values of background rows; \
                              give the training rows, or a sample of them"
                            .to_owned(),
                });
            }
        };
        let sample = Sample::read(features, None, rows)?;
        if let Some(weights) = weights {
            check_weights(weights, sample.rows)?;
        }
        let cover = sample.cover(weights);
        let weights = weights.map_or_else(|| vec![1.0; sample.rows], <[f64]>::to_vec);
        // Weights of any size: their sum need not be a number that float64 has.
        let largest = weights.iter().fold(0.0_f64, |a, &b| a.max(b));
        let total: f64 = weights.iter().map(|weight| weight / largest).sum();
        let counted = sample.rows().zip(&weights);
        let counted = counted.filter(|(_, weight)| **weight > 0.0);
        Ok(Self {
            cells: counted.flat_map(|(row, _)| row).copied().collect(),
            weights: (weights.iter().filter(|weight| **weight > 0.0))
                .map(|weight| weight / largest / total)
                .collect(),
            cover,
        })
    }

    /// Refuses cells that are missing or infinite, or of a category that the model does not take.
    pub(super) fn check(&self, model: &Model) -> Result<()> {
        let features = model.features();
        for (row, cells) in self.cells.chunks(features.len().max(1)).enumerate() {
            let at = |column: usize| {
                let name = names(features).swap_remove(column);
                format!("row {} of those with a weight, column \"{name}\"", row + 1)
            };
            if let Some(column) = cells.iter().position(|cell| !cell.is_finite()) {
                return Err(unusable(NAME, at(column), cells[column]));
            }
            if let Some(column) = model.unknown_category(cells) {
                return Err(unknown_category(NAME, at(column)));
            }
        }
        Ok(())
    }
}

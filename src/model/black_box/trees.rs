//! Trees as a black box: their raw margins, and nothing of their structure.

use std::sync::Arc;

use ndarray::Array2;
use rayon::prelude::*;

use super::{BlackBox, Predict};
use crate::error::{Error, Result};
use crate::model::Trees;

/// Rows that a thread takes at a time: so many share a tree that comes from memory once.
const ROWS: usize = 256;

impl Predict for Trees {
    /// The raw margins, in float64. Cells are what the trees read: a category is its number.
    fn predict(&self, rows: Array2<f64>) -> Result<Array2<f64>> {
        let (height, features) = rows.dim();
        let rows = rows.as_standard_layout();
        let cells = rows.as_slice().unwrap_or_default();
        let margins: Vec<f64> = cells
            .par_chunks((ROWS * features).max(1))
            .flat_map_iter(|cells| self.margins(cells.len() / features.max(1), cells))
            .collect();
        Array2::from_shape_vec((height, self.outputs.len()), margins).map_err(|error| {
            Error::Shape {
                what: "the margins of trees".to_owned(),
                expected: format!("{} for each of {height} rows", self.outputs.len()),
                got: error.to_string(),
            }
        })
    }

    fn place(&self) -> Option<String> {
        Some(self.format.to_owned())
    }
}

impl From<Trees> for BlackBox {
    /// A black box that answers with the raw margins of trees.
    fn from(trees: Trees) -> Self {
        Self {
            features: trees.features.clone(),
            outputs: trees.outputs.clone(),
            predict: Arc::new(trees),
        }
    }
}

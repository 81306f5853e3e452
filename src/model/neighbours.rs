//! Nearest neighbours: the mean target of the training rows that are nearest.

use std::path::Path;

use ndarray::Array2;

use super::trees::Feature;
use crate::error::{Error, Result};

/// How far two rows are from one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Metric {
    /// √Σ (x − y)².
    Euclidean,
    /// Σ |x − y|.
    Manhattan,
}

/// A model of nearest neighbours. Of training rows that are equally far, the first are nearest.
#[derive(Debug, Clone)]
pub struct Neighbours {
    /// The columns that the model reads; numbers all.
    pub features: Vec<Feature>,
    /// One name per output, or per class.
    pub outputs: Vec<String>,
    /// The training rows (rows, features).
    pub rows: Array2<f64>,
    /// What they stand for (rows, outputs): of a classifier, 1 for their class.
    pub targets: Array2<f64>,
    /// Neighbours.
    pub count: usize,
    /// How far rows are.
    pub metric: Metric,
    /// Whether targets weigh by the inverse of the distance, and not alike.
    pub by_distance: bool,
    /// Whether the means are probabilities.
    pub is_classifier: bool,
}

impl Neighbours {
    /// The format, as it appears in messages and results.
    pub const FORMAT: &'static str = "nearest neighbours";

    /// Checks that the parts fit together and that all numbers are finite; `path` only names the model in errors.
    ///
    /// # Errors
    /// [`Error::Model`] that names the part and what is wrong with it.
    pub fn check(&self, path: &Path) -> Result<()> {
        let fail = |at: &str, reason: String| {
            Err(Error::Model {
                path: path.to_owned(),
                format: Self::FORMAT,
                at: at.to_owned(),
                reason,
            })
        };
        let (features, outputs) = (self.features.len(), self.outputs.len());
        if features == 0 || outputs == 0 {
            let reason =
                format!("{outputs} outputs and {features} features; expected at least one of each");
            return fail("its shape", reason);
        }
        let rows = self.rows.nrows();
        if self.rows.ncols() != features || self.targets.dim() != (rows, outputs) {
            let reason = format!(
                "rows {:?} and targets {:?}; expected {features} features, and {outputs} outputs for each row",
                self.rows.dim(),
                self.targets.dim()
            );
            return fail("the training rows", reason);
        }
        if self.count == 0 || self.count > rows {
            let reason = format!(
                "{} of {rows} rows; expected at least one, and no more than there are",
                self.count
            );
            return fail("the neighbours", reason);
        }
        match self
            .rows
            .iter()
            .chain(&self.targets)
            .find(|number| !number.is_finite())
        {
            Some(number) => fail(
                "the training rows",
                format!("{number} is not a finite number"),
            ),
            None => Ok(()),
        }
    }

    /// The mean target of the neighbours of a row, in float64.
    pub fn raw(&self, row: &[f64]) -> Vec<f64> {
        let distance = |other: ndarray::ArrayView1<'_, f64>| -> f64 {
            let cells = row.iter().zip(other);
            match self.metric {
                Metric::Euclidean => cells.map(|(x, y)| (x - y) * (x - y)).sum::<f64>().sqrt(),
                Metric::Manhattan => cells.map(|(x, y)| (x - y).abs()).sum(),
            }
        };
        let mut order: Vec<(f64, usize)> =
            (self.rows.outer_iter().map(distance)).zip(0..).collect();
        order.sort_by(|a, b| a.0.total_cmp(&b.0));
        let nearest = &order[..self.count];
        let at_0 = nearest.iter().any(|(distance, _)| *distance == 0.0);
        let weight = |distance: f64| match (self.by_distance, at_0) {
            (false, _) => 1.0,
            (true, true) => f64::from(u8::from(distance == 0.0)),
            (true, false) => 1.0 / distance,
        };
        let total: f64 = nearest.iter().map(|(distance, _)| weight(*distance)).sum();
        let mean = |output: usize| {
            let targets = nearest.iter();
            let weighted =
                targets.map(|(distance, row)| weight(*distance) * self.targets[[*row, output]]);
            weighted.sum::<f64>() / total
        };
        (0..self.outputs.len()).map(mean).collect()
    }
}

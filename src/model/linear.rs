//! Linear models: a weighted sum of the features for each output.

use std::path::Path;

use ndarray::Array2;

use super::trees::Feature;
use crate::error::{Error, MEMORY, Result};

/// A linear model. The margin of a row x for output k is `intercepts[k] + Σ_j coefficients[k, j] ·
/// x[j]`; a link function, such as the logistic one, comes after it.
#[derive(Debug, Clone)]
pub struct Linear {
    /// The format, as it appears in messages and results, such as `linear`.
    pub format: &'static str,
    /// The training objective or the link, where it is known, such as `logistic`; else empty.
    pub objective: String,
    /// The columns that the model reads, in the order of the coefficients; numbers all.
    pub features: Vec<Feature>,
    /// One name per output, at least one.
    pub outputs: Vec<String>,
    /// The coefficients (outputs, features).
    pub coefficients: Array2<f64>,
    /// One intercept per output.
    pub intercepts: Vec<f64>,
}

impl Linear {
    /// A model of these coefficients (outputs, features) and one intercept per output. Features have
    /// no names, outputs are called `output 0`, …, the format is `linear`.
    ///
    /// # Errors
    /// As [`Linear::check`].
    pub fn new(coefficients: Array2<f64>, intercepts: Vec<f64>) -> Result<Self> {
        let (outputs, features) = coefficients.dim();
        let linear = Self {
            format: "linear",
            objective: String::new(),
            features: vec![Feature::default(); features],
            outputs: (0..outputs).map(|k| format!("output {k}")).collect(),
            coefficients,
            intercepts,
        };
        linear.check(Path::new(MEMORY))?;
        Ok(linear)
    }

    /// Checks that the parts fit together and that all numbers are finite; `path` only names the
    /// model in errors.
    ///
    /// # Errors
    /// [`Error::Model`] that names the part and what is wrong with it.
    pub fn check(&self, path: &Path) -> Result<()> {
        let fail = |at: String, reason: String| {
            Err(Error::Model {
                path: path.to_owned(),
                format: self.format,
                at,
                reason,
            })
        };
        let (outputs, features) = (self.outputs.len(), self.features.len());
        if outputs == 0 || features == 0 {
            return fail(
                "its shape".to_owned(),
                format!("{outputs} outputs and {features} features; expected at least one of each"),
            );
        }
        if self.coefficients.dim() != (outputs, features) {
            let (rows, columns) = self.coefficients.dim();
            return fail(
                "the coefficients".to_owned(),
                format!(
                    "{rows} × {columns} numbers; expected a row for each of {outputs} outputs, a \
                     column for each of {features} features"
                ),
            );
        }
        if self.intercepts.len() != outputs {
            return fail(
                "the intercepts".to_owned(),
                format!(
                    "{} numbers; expected one for each of {outputs} outputs",
                    self.intercepts.len()
                ),
            );
        }
        if let Some(((k, j), coefficient)) =
            (self.coefficients.indexed_iter()).find(|(_, coefficient)| !coefficient.is_finite())
        {
            return fail(
                format!("the coefficient of feature {j} for output {k}"),
                format!("{coefficient} is not a finite number"),
            );
        }
        if let Some(k) = (self.intercepts.iter()).position(|intercept| !intercept.is_finite()) {
            return fail(
                format!("the intercept of output {k}"),
                format!("{} is not a finite number", self.intercepts[k]),
            );
        }
        if let Some(j) = (self.features.iter()).position(|feature| feature.categories.is_some()) {
            return fail(
                format!("feature {j}"),
                "it has category labels; a linear model reads numbers, so give it a column per \
                 category"
                    .to_owned(),
            );
        }
        Ok(())
    }

    /// The margins (rows, outputs) of rows whose cells are given (rows, features).
    pub fn margins(&self, rows: usize, cells: &[f64]) -> Vec<f64> {
        let mut margins = Vec::with_capacity(rows * self.outputs.len());
        for row in cells.chunks(self.features.len().max(1)).take(rows) {
            for (coefficients, intercept) in self.coefficients.outer_iter().zip(&self.intercepts) {
                let terms = coefficients.iter().zip(row).map(|(a, x)| a * x);
                margins.push(intercept + terms.sum::<f64>());
            }
        }
        margins
    }
}

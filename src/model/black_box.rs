//! Models that answer for rows and show nothing of themselves.

use std::fmt::Debug;
use std::sync::Arc;

use ndarray::Array2;

use super::trees::Feature;
use crate::error::{Error, MEMORY, Result};

/// What a black box does.
///
/// An explainer asks from one thread at a time and goes on once it has the answer; two calls for rows at
/// once ask at once. The answer for a row should not depend on the rows beside it.
pub trait Predict: Debug + Send + Sync {
    /// The outputs (rows, outputs) of rows whose cells are given (rows, features), NaN where missing.
    ///
    /// # Errors
    /// [`Error::Predict`] with what the model says.
    fn predict(&self, rows: Array2<f64>) -> Result<Array2<f64>>;
}

/// A model of which all that is known is what it answers.
#[derive(Debug, Clone)]
pub struct BlackBox {
    /// The columns that it takes, in their order; numbers all.
    pub features: Vec<Feature>,
    /// One name per output, at least one.
    pub outputs: Vec<String>,
    /// What is asked.
    pub predict: Arc<dyn Predict>,
}

impl BlackBox {
    /// The format, as it appears in messages and results.
    pub const FORMAT: &'static str = "black box";

    /// Checks that there are features and outputs.
    ///
    /// # Errors
    /// [`Error::Model`] if there are none.
    pub fn check(&self) -> Result<()> {
        let (features, outputs) = (self.features.len(), self.outputs.len());
        if features > 0 && outputs > 0 {
            return Ok(());
        }
        Err(Error::Model {
            path: MEMORY.into(),
            format: Self::FORMAT,
            at: "its shape".to_owned(),
            reason: format!(
                "{outputs} outputs and {features} features; expected at least one of each"
            ),
        })
    }

    /// The outputs (rows, outputs) of rows, checked.
    ///
    /// # Errors
    /// What the model says; [`Error::Model`] if it answers with another number of rows or outputs, or with
    /// numbers that are not finite.
    pub fn answer(&self, rows: Array2<f64>) -> Result<Array2<f64>> {
        let expected = (rows.nrows(), self.outputs.len());
        let answer = self.predict.predict(rows)?;
        let wrong = |reason: String| Error::Model {
            path: MEMORY.into(),
            format: Self::FORMAT,
            at: format!("its answer to {} rows", expected.0),
            reason,
        };
        if answer.dim() != expected {
            let (rows, outputs) = answer.dim();
            return Err(wrong(format!(
                "{rows} rows of {outputs} outputs; expected one row for each, of {} outputs, as it \
                 answered first",
                expected.1
            )));
        }
        // As sums of what is 0 unless it is not finite: no branch for each.
        let sum = |cells: &[f64]| cells.iter().map(|cell| cell * 0.0).sum::<f64>();
        if answer.as_slice().is_some_and(|cells| sum(cells) == 0.0) {
            return Ok(answer);
        }
        match answer.indexed_iter().find(|(_, value)| !value.is_finite()) {
            None => Ok(answer),
            Some(((row, output), value)) => Err(wrong(format!(
                "output {output} of row {row} is {value}, and cannot be shared among features; \
                 expected a finite number"
            ))),
        }
    }
}

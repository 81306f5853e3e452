//! Models that answer for rows and show nothing of themselves.

#[cfg(feature = "http")]
mod http;
#[cfg(feature = "onnxruntime")]
mod onnx_runtime;
mod process;
mod trees;

use std::fmt::Debug;
use std::path::PathBuf;
use std::sync::Arc;

use ndarray::Array2;

#[cfg(feature = "http")]
pub use self::http::{Http, HttpOptions};
#[cfg(feature = "onnxruntime")]
pub use self::onnx_runtime::OnnxRuntime;
#[cfg(all(feature = "onnxruntime", feature = "text"))]
pub use self::onnx_runtime::{OnnxText, OnnxTextOptions};
pub use self::process::{Exchange, Process, ProcessOptions};
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

    /// Where the model is, as results and errors name it: an address, a command, a file. `None` for one that
    /// is known to the caller alone.
    fn place(&self) -> Option<String> {
        None
    }
}

/// What a model of text does.
///
/// It is asked from one thread at a time. The answer for a text should not depend on the texts beside it.
pub trait PredictText: Debug + Send + Sync {
    /// The outputs (texts, outputs) of texts, at least one.
    ///
    /// # Errors
    /// [`Error::Predict`] with what the model says.
    fn predict_text(&self, texts: &[&str]) -> Result<Array2<f64>>;

    /// Where the model is, as [`Predict::place`].
    fn place(&self) -> Option<String> {
        None
    }
}

/// A model of which all that is known is what it answers.
#[derive(Debug, Clone)]
pub struct BlackBox {
    /// The columns that it takes, in their order: numbers, and the category numbers of those with labels.
    pub features: Vec<Feature>,
    /// One name per output, at least one.
    pub outputs: Vec<String>,
    /// What is asked.
    pub predict: Arc<dyn Predict>,
}

impl BlackBox {
    /// The format, as it appears in messages and results.
    pub const FORMAT: &'static str = "black box";

    /// A black box that has as many outputs as it answers to a first row with: `output 0`, ….
    ///
    /// # Errors
    /// What the model says; [`Error::Model`] if it answers with another number of rows than one, or with no
    /// outputs; [`Error::Shape`] if the row has not one cell for each feature.
    pub fn asked(
        predict: Arc<dyn Predict>,
        features: Vec<Feature>,
        row: Array2<f64>,
    ) -> Result<Self> {
        if row.dim() != (1, features.len()) {
            return Err(Error::Shape {
                what: "the first row of a black box".to_owned(),
                expected: format!("one row of {} cells", features.len()),
                got: format!("{} of {}", row.nrows(), row.ncols()),
            });
        }
        let mut black_box = Self {
            features,
            outputs: Vec::new(),
            predict,
        };
        let (rows, outputs) = black_box.predict.predict(row)?.dim();
        if rows != 1 || outputs == 0 {
            return Err(black_box.wrong(
                "its answer to 1 row",
                format!("{rows} rows of {outputs} outputs; expected one row, of at least one"),
            ));
        }
        black_box.outputs = (0..outputs)
            .map(|output| format!("output {output}"))
            .collect();
        Ok(black_box)
    }

    /// What results call it: a black box, and where it is.
    pub fn title(&self) -> String {
        let at = |place: String| format!("{}, {place}", Self::FORMAT);
        (self.predict.place()).map_or_else(|| Self::FORMAT.to_owned(), at)
    }

    fn wrong(&self, at: &str, reason: String) -> Error {
        Error::Model {
            path: (self.predict.place()).map_or_else(|| MEMORY.into(), PathBuf::from),
            format: Self::FORMAT,
            at: at.to_owned(),
            reason,
        }
    }

    /// Checks that there are features and outputs.
    ///
    /// # Errors
    /// [`Error::Model`] if there are none.
    pub fn check(&self) -> Result<()> {
        let (features, outputs) = (self.features.len(), self.outputs.len());
        if features > 0 && outputs > 0 {
            return Ok(());
        }
        Err(self.wrong(
            "its shape",
            format!("{outputs} outputs and {features} features; expected at least one of each"),
        ))
    }

    /// The outputs (rows, outputs) of rows, checked.
    ///
    /// # Errors
    /// What the model says; [`Error::Model`] if it answers with another number of rows or outputs, or with
    /// numbers that are not finite.
    pub fn answer(&self, rows: Array2<f64>) -> Result<Array2<f64>> {
        let expected = (rows.nrows(), self.outputs.len());
        let answer = self.predict.predict(rows)?;
        let wrong =
            |reason: String| self.wrong(&format!("its answer to {} rows", expected.0), reason);
        checked(answer, expected, "row").map_err(wrong)
    }
}

/// An answer of the shape (rows, outputs) that is expected, of finite numbers; else what is wrong with it. `one` is what
/// a row stands for.
pub(crate) fn checked(
    answer: Array2<f64>,
    expected: (usize, usize),
    one: &str,
) -> Result<Array2<f64>, String> {
    if answer.dim() != expected {
        let (rows, outputs) = answer.dim();
        return Err(format!(
            "{rows} rows of {outputs} outputs; expected one row for each, of {} outputs, as it \
             answered first",
            expected.1
        ));
    }
    // As sums of what is 0 unless it is not finite: no branch for each.
    let sum = |cells: &[f64]| cells.iter().map(|cell| cell * 0.0).sum::<f64>();
    if answer.as_slice().is_some_and(|cells| sum(cells) == 0.0) {
        return Ok(answer);
    }
    match answer.indexed_iter().find(|(_, value)| !value.is_finite()) {
        None => Ok(answer),
        Some(((row, output), value)) => Err(format!(
            "output {output} of {one} {row} is {value}, and cannot be shared among {}; \
             expected a finite number",
            if one == "row" { "features" } else { "words" }
        )),
    }
}

//! Models of text, as explainers ask them.

use std::collections::HashMap;
use std::fmt::{self, Debug};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ndarray::Array2;

use crate::error::{Error, MEMORY, Result};
use crate::model::{BlackBox, PredictText, checked};

/// A model of text, which is asked in batches. It counts what it is asked, and checks what it answers.
#[derive(Debug)]
pub struct Teacher {
    model: Arc<dyn PredictText>,
    outputs: Vec<String>,
    calls: AtomicU64,
    texts: AtomicU64,
}

impl Teacher {
    /// A model with as many outputs as it answers to a first text with, of these names or `output 0`, ….
    ///
    /// # Errors
    /// What the model says; [`Error::Model`] if it answers with another number of rows than one, or with no outputs;
    /// [`Error::Shape`] for another number of names.
    pub fn new(
        model: Arc<dyn PredictText>,
        outputs: Option<Vec<String>>,
        first: &str,
    ) -> Result<Self> {
        let mut teacher = Self {
            model,
            outputs: outputs.unwrap_or_default(),
            calls: AtomicU64::new(1),
            texts: AtomicU64::new(1),
        };
        let (rows, found) = teacher.model.predict_text(&[first])?.dim();
        if rows != 1 || found == 0 {
            let reason =
                format!("{rows} rows of {found} outputs; expected one row, of at least one");
            return Err(teacher.wrong("its answer to 1 text", reason));
        }
        if teacher.outputs.is_empty() {
            teacher.outputs = (0..found)
                .map(|output| format!("output {output}"))
                .collect();
        }
        if teacher.outputs.len() != found {
            return Err(Error::Shape {
                what: "the names of the outputs".to_owned(),
                expected: format!("{found}, as the model answers"),
                got: teacher.outputs.len().to_string(),
            });
        }
        Ok(teacher)
    }

    /// The names of its outputs, at least one.
    pub fn outputs(&self) -> &[String] {
        &self.outputs
    }

    /// What results call it: a black box, and where it is.
    pub fn title(&self) -> String {
        let at = |place: String| format!("{}, {place}", BlackBox::FORMAT);
        (self.model.place()).map_or_else(|| BlackBox::FORMAT.to_owned(), at)
    }

    /// How often it was asked, and for how many texts.
    pub fn asked(&self) -> (u64, u64) {
        (
            self.calls.load(Ordering::Relaxed),
            self.texts.load(Ordering::Relaxed),
        )
    }

    /// Its outputs (texts, outputs), checked; it is not asked for no texts.
    ///
    /// # Errors
    /// What the model says; [`Error::Model`] if it answers with another number of rows or outputs, or with numbers that
    /// are not finite.
    pub fn answer(&self, texts: &[&str]) -> Result<Array2<f64>> {
        let expected = (texts.len(), self.outputs.len());
        if texts.is_empty() {
            return Ok(Array2::zeros(expected));
        }
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.texts.fetch_add(texts.len() as u64, Ordering::Relaxed);
        let answer = self.model.predict_text(texts)?;
        let at = format!("its answer to {} texts", texts.len());
        checked(answer, expected, "text").map_err(|reason| self.wrong(&at, reason))
    }

    fn wrong(&self, at: &str, reason: String) -> Error {
        Error::Model {
            path: self
                .model
                .place()
                .map_or_else(|| MEMORY.into(), PathBuf::from),
            format: BlackBox::FORMAT,
            at: at.to_owned(),
            reason,
        }
    }
}

/// A function as a model of text.
pub struct Function<F>(F);

impl<F: Fn(&[&str]) -> Result<Array2<f64>> + Send + Sync> Function<F> {
    /// Of a function that answers texts with their outputs (texts, outputs).
    pub fn new(function: F) -> Self {
        Self(function)
    }
}

impl<F> Debug for Function<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Function").finish_non_exhaustive()
    }
}

impl<F: Fn(&[&str]) -> Result<Array2<f64>> + Send + Sync> PredictText for Function<F> {
    fn predict_text(&self, texts: &[&str]) -> Result<Array2<f64>> {
        (self.0)(texts)
    }
}

/// What a model answered to the texts of a corpus, and to no others.
#[derive(Debug)]
pub struct Recorded {
    rows: HashMap<String, usize>,
    answers: Array2<f64>,
}

impl Recorded {
    /// Of texts and their answers (texts, outputs); of a text that is there twice, the first answer counts.
    ///
    /// # Errors
    /// [`Error::Shape`] if there is not one answer for each.
    pub fn new(texts: &[String], answers: Array2<f64>) -> Result<Self> {
        if texts.len() != answers.nrows() {
            return Err(Error::Shape {
                what: "the recorded answers".to_owned(),
                expected: format!("one for each of the {} texts", texts.len()),
                got: answers.nrows().to_string(),
            });
        }
        let mut rows = HashMap::with_capacity(texts.len());
        for (row, text) in texts.iter().enumerate() {
            rows.entry(text.clone()).or_insert(row);
        }
        Ok(Self { rows, answers })
    }
}

impl PredictText for Recorded {
    fn predict_text(&self, texts: &[&str]) -> Result<Array2<f64>> {
        let mut found = Array2::zeros((texts.len(), self.answers.ncols()));
        for (text, mut to) in texts.iter().zip(found.rows_mut()) {
            let Some(&row) = self.rows.get(*text) else {
                let shown: String = text.chars().take(40).collect();
                return Err(Error::Unsupported {
                    what: format!(
                        "an answer to the text \"{shown}…\", which is none of the corpus,"
                    ),
                    by: "recorded answers".to_owned(),
                    instead: "give the model itself, for methods that ask it for parts of texts"
                        .to_owned(),
                });
            };
            to.assign(&self.answers.row(row));
        }
        Ok(found)
    }

    fn place(&self) -> Option<String> {
        Some("recorded answers".to_owned())
    }
}

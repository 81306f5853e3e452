//! Explanations of texts by a Python function.

use std::path::PathBuf;
use std::sync::Arc;

use numpy::ndarray::Array2;
use numpy::{PyArray1, PyArray2, PyReadonlyArray2};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use whylight::Error;
use whylight::explain::text::{TextExplanation, TextOptions, TextValues};
use whylight::text::{Document, Function, Span, Teacher, Tokenizer};

use crate::error::raised;
use crate::explainer::watched;

/// How texts are explained.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Options {
    /// A `tokenizer.json`; `None` for Unicode words.
    tokenizer: Option<PathBuf>,
    method: String,
    players: String,
    mask: Option<String>,
    samples: Option<u32>,
    seed: u64,
    batch: usize,
    features: Option<usize>,
    kernel_width: f64,
}

impl Options {
    pub(crate) fn read(self) -> whylight::Result<(Tokenizer, TextOptions)> {
        let tokenizer = match &self.tokenizer {
            Some(path) => Tokenizer::read(path)?,
            None => Tokenizer::Words,
        };
        let options = TextOptions {
            method: self.method.parse()?,
            players: self.players.parse()?,
            mask: self.mask,
            samples: self.samples,
            seed: self.seed,
            batch: self.batch,
            features: self.features,
            kernel_width: self.kernel_width,
        };
        Ok((tokenizer, options))
    }
}

/// Asks a function that takes a list of texts and returns an array of float64 (texts, outputs).
pub(crate) fn answer(function: &Py<PyAny>, texts: &[&str]) -> whylight::Result<Array2<f64>> {
    Python::attach(|py| {
        let said = function.call1(py, (PyList::new(py, texts)?,))?;
        let answer: PyReadonlyArray2<'_, f64> = said.extract(py)?;
        Ok(answer.as_array().to_owned())
    })
    .map_err(|error: PyErr| Error::Predict {
        source: Box::new(error),
    })
}

/// Documents, the names of the outputs, calls, and texts that were asked for.
pub(crate) type Explained<'py> = (Vec<Bound<'py, PyDict>>, Vec<String>, u64, u64);

/// For each text a dict of its words, sentences and values; the names of the outputs; how often the model was asked, and
/// for how many texts.
#[pyfunction]
#[pyo3(signature = (texts, function, outputs, options, progress=None))]
pub(crate) fn explain_texts(
    py: Python<'_>,
    texts: Vec<String>,
    function: Py<PyAny>,
    outputs: Option<Vec<String>>,
    options: Options,
    progress: Option<Py<PyAny>>,
) -> PyResult<Explained<'_>> {
    let read = options.read();
    let (tokenizer, options) = read.map_err(|error| raised(py, &error))?;
    let explained: TextExplanation = watched(py, progress.as_ref(), |go_on| {
        let documents: Vec<Document> = tokenizer.documents(&texts)?;
        let model = Arc::new(Function::new(move |texts: &[&str]| {
            answer(&function, texts)
        }));
        let first = texts.first().map_or("", String::as_str);
        let teacher = Teacher::new(model, outputs, first)?;
        whylight::explain::text::explain_texts(&teacher, documents, &options, go_on)
    })?;
    let documents = explained.documents.into_iter();
    let documents: PyResult<Vec<_>> = documents.map(|values| made(py, values)).collect();
    Ok((
        documents?,
        explained.output_names,
        explained.calls,
        explained.texts,
    ))
}

pub(crate) fn made(py: Python<'_>, values: TextValues) -> PyResult<Bound<'_, PyDict>> {
    let document = &values.document;
    let spans = |spans: &[Span]| -> Bound<'_, PyArray2<i64>> {
        let cell = |(row, column): (usize, usize)| {
            let span = spans[row];
            (if column == 0 { span.start } else { span.end }) as i64
        };
        PyArray2::from_owned_array(py, Array2::from_shape_fn((spans.len(), 2), cell))
    };
    let mut player_of = vec![0_i64; document.words().len()];
    for (player, words) in values.players.iter().enumerate() {
        for &word in words {
            player_of[word as usize] = player as i64;
        }
    }
    let sentence_of = document
        .sentence_of()
        .iter()
        .map(|&of| i64::from(of))
        .collect();
    let made = PyDict::new(py);
    made.set_item("offsets", spans(&document.character_spans()))?;
    made.set_item(
        "sentence_offsets",
        spans(&document.sentence_character_spans()),
    )?;
    made.set_item("sentence_of", PyArray1::from_vec(py, sentence_of))?;
    made.set_item("player_of", PyArray1::from_vec(py, player_of))?;
    made.set_item(
        "values",
        PyArray2::from_owned_array(py, values.word_values()),
    )?;
    let errors = values
        .word_errors()
        .map(|errors| PyArray2::from_owned_array(py, errors));
    made.set_item("standard_errors", errors)?;
    made.set_item("base_values", values.base_values)?;
    made.set_item("answers", values.answers)?;
    made.set_item("local_fit", values.local_fit)?;
    made.set_item("method", values.method.name())?;
    made.set_item("exact", values.exact)?;
    made.set_item("texts", values.texts)?;
    Ok(made)
}

//! Surrogates of models of text: their training, and what they say of texts.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use numpy::ndarray::Array2;
use numpy::{PyArray1, PyArray2, PyReadonlyArray2};
use pyo3::prelude::*;
use whylight::Device;
use whylight::explain::text::{SurrogatePlan, explain_texts_by};
use whylight::han::Progress;
use whylight::surrogate::{Surrogate as Own, SurrogateOptions};
use whylight::text::{Document, Function, Teacher, Vectors, WordCounts};

use crate::error::raised;
use crate::text::{Explained, Options, answer, made};

/// How a surrogate is trained.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Training {
    vectors: Option<PathBuf>,
    /// The words of vectors in an .npy file.
    words: Option<PathBuf>,
    embedding: usize,
    learns_embedding: bool,
    hidden: usize,
    attention: usize,
    dropout: f64,
    word_dropout: f64,
    learning_rate: f64,
    batch: usize,
    epochs: Option<u64>,
    patience: Option<u64>,
    held_out: f64,
    min_count: u64,
    buckets: u32,
    seed: u64,
    device: String,
}

impl Training {
    fn options(&self) -> whylight::Result<SurrogateOptions> {
        let mut options = SurrogateOptions {
            device: self.device.parse::<Device>()?,
            epochs: self.epochs,
            patience: self.patience,
            held_out: self.held_out,
            ..SurrogateOptions::default()
        };
        (options.vocabulary.min_count, options.vocabulary.buckets) = (self.min_count, self.buckets);
        let network = &mut options.network;
        (network.embedding, network.hidden) = (self.embedding, self.hidden);
        (network.attention, network.batch) = (self.attention, self.batch);
        (network.dropout, network.word_dropout) = (self.dropout, self.word_dropout);
        network.learns_embedding = self.learns_embedding;
        network.learning_rate = self.learning_rate;
        network.seed = self.seed;
        Ok(options)
    }
}

/// A network that answers texts as a model does.
#[pyclass(frozen, module = "whylight._engine")]
pub(crate) struct Surrogate(Mutex<Arc<Own>>);

/// Runs a training without the GIL. `progress` is told the epoch, the documents of it that are done, the loss so far, the loss
/// of the documents that are held out, or None, and documents per second; what it raises, and Ctrl-C, end the training, and
/// are raised when what was learned is kept.
fn watched<T: Send>(
    py: Python<'_>,
    progress: Option<&Py<PyAny>>,
    work: impl FnOnce(&mut dyn FnMut(&Progress) -> bool) -> whylight::Result<T> + Send,
) -> PyResult<(T, Option<PyErr>)> {
    let mut said = None;
    let mut go_on = |now: &Progress| {
        let answer = Python::attach(|py| {
            py.check_signals()?;
            let told = (
                now.epoch,
                now.done,
                now.loss,
                now.held_out,
                now.documents_per_second,
            );
            progress.map_or(Ok(()), |progress| progress.call1(py, told).map(drop))
        });
        said = answer.err();
        said.is_none()
    };
    let done = py.detach(|| work(&mut go_on));
    done.map(|done| (done, said))
        .map_err(|error| raised(py, &error))
}

impl Surrogate {
    fn new(own: Own) -> Self {
        Self(Mutex::new(Arc::new(own)))
    }

    fn with<T>(&self, work: impl FnOnce(&mut Arc<Own>) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[pymethods]
impl Surrogate {
    /// Trains a surrogate on texts and answers (texts, outputs); and what ended the training before its end, or None.
    #[staticmethod]
    #[pyo3(signature = (texts, answers, names, training, options, progress=None))]
    fn train(
        py: Python<'_>,
        texts: Vec<String>,
        answers: PyReadonlyArray2<'_, f64>,
        names: Vec<String>,
        training: Training,
        options: Options,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<(Self, Option<PyErr>)> {
        let answers = answers.as_array().to_owned();
        let (tokenizer, _) = options.read().map_err(|error| raised(py, &error))?;
        let (own, ended) = watched(py, progress.as_ref(), |go_on| {
            let settings = training.options()?;
            let documents: Vec<Document> = tokenizer.documents(&texts)?;
            let vectors = match &training.vectors {
                None => None,
                Some(path) => {
                    let counts = WordCounts::of(&documents);
                    Some(Vectors::read(
                        path,
                        training.words.as_deref(),
                        Some(&counts),
                    )?)
                }
            };
            Own::train(
                &documents,
                &answers,
                names,
                vectors.as_ref(),
                &settings,
                go_on,
            )
        })?;
        Ok((Self::new(own), ended))
    }

    /// Goes on training, up to the epochs of `training`; and what ended it before, or None.
    #[pyo3(signature = (texts, answers, training, options, progress=None))]
    fn learn(
        &self,
        py: Python<'_>,
        texts: Vec<String>,
        answers: PyReadonlyArray2<'_, f64>,
        training: Training,
        options: Options,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<Option<PyErr>> {
        let answers = answers.as_array().to_owned();
        let (tokenizer, _) = options.read().map_err(|error| raised(py, &error))?;
        let ((), ended) = watched(py, progress.as_ref(), |go_on| {
            let documents: Vec<Document> = tokenizer.documents(&texts)?;
            let settings = training.options()?;
            self.with(|own| Arc::make_mut(own).learn(&documents, &answers, &settings, go_on))
        })?;
        Ok(ended)
    }

    /// As `explain_texts`, by the surrogate at `points` points; corrected by the answers of `function` to `samples` parts of each
    /// text.
    #[pyo3(signature = (texts, function, points, samples, options, progress=None))]
    #[expect(clippy::too_many_arguments, reason = "keywords in Python")]
    fn explain<'py>(
        &self,
        py: Python<'py>,
        texts: Vec<String>,
        function: Option<Py<PyAny>>,
        points: usize,
        samples: usize,
        options: Options,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<Explained<'py>> {
        let read = options.read();
        let (tokenizer, options) = read.map_err(|error| raised(py, &error))?;
        let plan = SurrogatePlan { points, samples };
        // Without the lock: the function may ask for what the surrogate knows.
        let own = self.with(|own| Arc::clone(own));
        let explained = crate::explainer::watched(py, progress.as_ref(), |go_on| {
            let documents: Vec<Document> = tokenizer.documents(&texts)?;
            let teacher = match function.filter(|_| samples > 0) {
                None => None,
                Some(function) => {
                    let model = Arc::new(Function::new(move |texts: &[&str]| {
                        answer(&function, texts)
                    }));
                    let first = texts.first().map_or("", String::as_str);
                    Some(Teacher::new(model, None, first)?)
                }
            };
            explain_texts_by(&own, teacher.as_ref(), documents, &plan, &options, go_on)
        })?;
        let documents = explained.documents.into_iter().map(|mut values| {
            let attention = values.attention.take();
            let own = values.surrogate_answers.take();
            let made = made(py, values)?;
            if let Some(attention) = attention {
                made.set_item("attention", PyArray1::from_vec(py, attention.words))?;
                made.set_item(
                    "sentence_attention",
                    PyArray1::from_vec(py, attention.sentences),
                )?;
            }
            made.set_item("surrogate_answers", own)?;
            Ok(made)
        });
        let documents: PyResult<Vec<_>> = documents.collect();
        Ok((
            documents?,
            explained.output_names,
            explained.calls,
            explained.texts,
        ))
    }

    /// Its own answers to texts, (texts, outputs).
    fn answers<'py>(
        &self,
        py: Python<'py>,
        texts: Vec<String>,
        options: Options,
    ) -> PyResult<Bound<'py, PyArray2<f64>>> {
        let (tokenizer, _) = options.read().map_err(|error| raised(py, &error))?;
        let found: whylight::Result<Array2<f64>> = py.detach(|| {
            let documents: Vec<Document> = tokenizer.documents(&texts)?;
            self.with(|own| own.answers(&documents))
        });
        let found = found.map_err(|error| raised(py, &error))?;
        Ok(PyArray2::from_owned_array(py, found))
    }

    /// The names of the outputs, and, as JSON, how well it answers as the model does.
    fn fidelity(&self) -> (Vec<String>, String) {
        self.with(|own| {
            let json = serde_json::to_string(own.fidelity()).unwrap_or_default();
            (own.output_names().to_vec(), json)
        })
    }

    /// Distinct words of the corpus, those with a vector, words, and those with a vector; None without vectors.
    fn coverage(&self) -> Option<(u64, u64, u64, u64)> {
        let coverage = self.with(|own| own.coverage());
        coverage.map(|c| (c.types, c.types_found, c.tokens, c.tokens_found))
    }

    /// The mean loss of each epoch, and of the documents that were held out.
    fn epochs(&self) -> Vec<(f64, Option<f64>)> {
        self.with(|own| own.epochs().to_vec())
    }

    /// Where it was trained.
    fn device(&self) -> String {
        self.with(|own| own.device().name())
    }

    fn save(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        let saved = py.detach(|| self.with(|own| own.save(&path)));
        saved.map_err(|error| raised(py, &error))
    }

    #[staticmethod]
    fn load(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        let loaded = py.detach(|| Own::load(&path));
        let loaded = loaded.map_err(|error| raised(py, &error))?;
        Ok(Self::new(loaded))
    }
}

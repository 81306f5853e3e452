//! Permutation importance from Python: metrics of the engine, or functions.

use numpy::ndarray::ArrayView2;
use numpy::{PyArray1, PyArray2, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;
use whylight::Device;
use whylight::explain::Group;
use whylight::explain::permutation::{self as importance, PermutationOptions};
use whylight::metric::{self as metrics, Decide, Labels, Metric, Score, Takes};

use crate::error::raised;
use crate::explainer::watched;
use crate::model::Model;
use crate::table::Data;

/// The true values: classes by number and how many there are, or numbers.
#[derive(FromPyObject)]
pub(crate) enum Truth<'py> {
    Classes(PyReadonlyArray1<'py, u32>, usize),
    Numbers(PyReadonlyArray1<'py, f64>),
}

/// A metric of the engine, with labels.
#[pyclass(frozen, module = "whylight._engine")]
#[derive(Debug)]
pub(crate) struct Judge(metrics::Judge);

/// A metric by name, and what is said of it: average, positive class, and numbers by name.
fn named(
    name: &str,
    average: Option<&str>,
    positive: Option<u32>,
    numbers: &[(String, f64)],
) -> whylight::Result<Metric> {
    let mut metric: Metric = name.parse()?;
    if let Some(average) = average {
        metric = metric.with_average(average)?;
    }
    if let Some(class) = positive {
        metric = metric.with_positive(class)?;
    }
    for (name, number) in numbers {
        metric = metric.with_number(name, *number)?;
    }
    Ok(metric)
}

/// The name of a metric in results, whether it is an error, and what it takes: "classes", "scores", "probabilities" or
/// "numbers".
#[pyfunction]
pub(crate) fn metric(py: Python<'_>, name: &str) -> PyResult<(String, bool, &'static str)> {
    let metric = named(name, None, None, &[]).map_err(|error| raised(py, &error))?;
    let takes = match metric.takes() {
        Takes::Classes => "classes",
        Takes::Scores => "scores",
        Takes::Probabilities => "probabilities",
        Takes::Numbers => "numbers",
    };
    Ok((metric.name(), metric.is_error(), takes))
}

#[pymethods]
impl Judge {
    /// `decide` says how answers become classes: a number that the second of two is above, "largest", or "votes".
    #[new]
    #[pyo3(signature = (name, truth, decide="largest", *, above=0.5, average=None, positive=None, numbers=Vec::new()))]
    #[expect(clippy::too_many_arguments, reason = "keywords in Python")]
    fn new(
        py: Python<'_>,
        name: &str,
        truth: Truth<'_>,
        decide: &str,
        above: f64,
        average: Option<&str>,
        positive: Option<u32>,
        numbers: Vec<(String, f64)>,
    ) -> PyResult<Self> {
        let labels = match truth {
            Truth::Classes(of, count) => Labels::Classes {
                of: of.as_array().to_vec(),
                count,
            },
            Truth::Numbers(numbers) => Labels::Numbers(numbers.as_array().to_vec()),
        };
        let decide = match decide {
            "above" => Decide::Above(above),
            "votes" => Decide::Votes,
            _ => Decide::Largest,
        };
        let made = named(name, average, positive, &numbers)
            .and_then(|metric| metrics::Judge::new(metric, labels, decide));
        made.map(Self).map_err(|error| raised(py, &error))
    }

    /// Of answers (rows, outputs).
    fn score(&self, py: Python<'_>, answers: PyReadonlyArray2<'_, f64>) -> PyResult<f64> {
        let answers = answers.as_array();
        let found = py.detach(|| self.0.score(answers));
        found.map_err(|error| raised(py, &error))
    }

    /// Of classes by number.
    fn score_classes(&self, py: Python<'_>, told: PyReadonlyArray1<'_, u32>) -> PyResult<f64> {
        let told = told.as_array().to_vec();
        let found = py.detach(|| self.0.score_classes(&told));
        found.map_err(|error| raised(py, &error))
    }

    /// The metric's name in results.
    #[getter]
    fn name(&self) -> String {
        self.0.name()
    }

    /// Whether it grows as answers get worse.
    #[getter]
    fn is_error(&self) -> bool {
        self.0.is_error()
    }
}

/// A function of answers (rows, outputs).
#[derive(Debug)]
struct Function {
    call: Py<PyAny>,
    name: String,
    is_error: bool,
}

impl Score for Function {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn is_error(&self) -> bool {
        self.is_error
    }

    fn rows(&self) -> Option<usize> {
        None
    }

    fn score(&self, answers: ArrayView2<'_, f64>) -> whylight::Result<f64> {
        let found = Python::attach(|py| {
            let answers = PyArray2::from_array(py, &answers);
            self.call.call1(py, (answers,))?.extract::<f64>(py)
        });
        found.map_err(|error: PyErr| whylight::Error::Predict {
            source: Box::new(error),
        })
    }
}

/// What scores: a metric of the engine, or a function, its name, and whether it is an error.
#[derive(FromPyObject)]
pub(crate) enum Scored<'py> {
    Judge(PyRef<'py, Judge>),
    Function(Py<PyAny>, String, bool),
}

/// The importances (features, repeats), and all that was computed as JSON. `progress` is None or is told the features
/// done.
#[pyfunction]
#[pyo3(signature = (model, data, names, score, *, output="raw", n_repeats=5, seed=0, groups=None, subset=None, strata=None, device="auto", threads=0, memory_limit=None, progress=None))]
#[expect(clippy::too_many_arguments, reason = "keywords in Python")]
pub(crate) fn explain_permutation<'py>(
    py: Python<'py>,
    model: &Model,
    data: Data<'py>,
    names: Option<Vec<String>>,
    score: Scored<'py>,
    output: &str,
    n_repeats: usize,
    seed: u64,
    groups: Option<Vec<(String, Vec<usize>)>>,
    subset: Option<Vec<usize>>,
    strata: Option<PyReadonlyArray1<'_, u32>>,
    device: &str,
    threads: usize,
    memory_limit: Option<u64>,
    progress: Option<Py<PyAny>>,
) -> PyResult<(Bound<'py, PyArray2<f64>>, String)> {
    let copied = data.copied();
    let view = data.view(&copied, names.as_deref());
    let view = view.map_err(|error| raised(py, &error))?;
    let function;
    let score: &dyn Score = match &score {
        Scored::Judge(judge) => &judge.0,
        Scored::Function(call, name, is_error) => {
            function = Function {
                call: call.clone_ref(py),
                name: name.clone(),
                is_error: *is_error,
            };
            &function
        }
    };
    let group = |(name, features)| Group { name, features };
    let groups: Vec<Group> = groups.into_iter().flatten().map(group).collect();
    let strata = strata.map(|strata| strata.as_array().to_vec());
    let found = watched(py, progress.as_ref(), |go_on| {
        let options = PermutationOptions {
            device: device.parse::<Device>()?,
            threads,
            memory_limit,
            output: output.parse()?,
            n_repeats,
            seed,
            groups,
            subset,
            strata,
        };
        importance::explain_permutation(&model.0, &view, score, &options, &mut |done| go_on(done))
    })?;
    let said = serde_json::to_string(&found).unwrap_or_default();
    Ok((PyArray2::from_owned_array(py, found.importances), said))
}

/// What a model answers to rows, (rows, outputs).
#[pyfunction]
#[pyo3(signature = (model, data, names, output="raw", threads=0))]
pub(crate) fn answers<'py>(
    py: Python<'py>,
    model: &Model,
    data: Data<'py>,
    names: Option<Vec<String>>,
    output: &str,
    threads: usize,
) -> PyResult<Bound<'py, PyArray2<f64>>> {
    let copied = data.copied();
    let view = data.view(&copied, names.as_deref());
    let view = view.map_err(|error| raised(py, &error))?;
    let found = py.detach(|| importance::answers(&model.0, &view, output.parse()?, threads));
    let found = found.map_err(|error| raised(py, &error))?;
    Ok(PyArray2::from_owned_array(py, found))
}

/// By row the one that gives it its cells, for the column in a place (of a group its first) in a repeat.
#[pyfunction]
#[pyo3(signature = (rows, seed, place, repeat, strata=None))]
pub(crate) fn permutation<'py>(
    py: Python<'py>,
    rows: usize,
    seed: u64,
    place: usize,
    repeat: usize,
    strata: Option<PyReadonlyArray1<'_, u32>>,
) -> PyResult<Bound<'py, PyArray1<u32>>> {
    let strata = strata.map(|strata| strata.as_array().to_vec());
    let found = importance::permutation(rows, seed, place, repeat, strata.as_deref());
    let found = found.map_err(|error| raised(py, &error))?;
    Ok(PyArray1::from_vec(py, found))
}

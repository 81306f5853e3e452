//! Explaining from Python: the engine runs without the GIL, in batches between which it looks for
//! Ctrl-C and tells the progress.

use std::sync::Arc;

use numpy::{PyArray1, PyArray2, PyArray3, PyReadonlyArray1, PyReadonlyArray2, PyReadonlyArray3};
use pyo3::prelude::*;
use whylight::explain::lime::{self, LimeOptions};
use whylight::explain::{Background, Group};
use whylight::explanation::Summary;
use whylight::{Device, Options};

use crate::error::raised;
use crate::model::Model;
use crate::table::Data;

/// (rows, features, outputs).
type Values<'py> = Bound<'py, PyArray3<f32>>;

/// (rows, outputs).
type Deltas<'py> = Bound<'py, PyArray2<f32>>;

/// By row.
type Marks<'py> = Bound<'py, PyArray1<bool>>;

/// Values, standard errors, deltas, marks of the fallback, intercepts, fits, and a trailer.
type Explained<'py> = (
    Values<'py>,
    Option<Values<'py>>,
    Option<Deltas<'py>>,
    Option<Marks<'py>>,
    Option<Bound<'py, PyArray2<f64>>>,
    Option<Deltas<'py>>,
    String,
);

/// (features, outputs).
type Means<'py> = Bound<'py, PyArray2<f64>>;

/// The representations (samples, features) of a row's samples, their weights, the answers (samples, outputs), and the
/// chosen features by output.
type Local<'py> = (
    Bound<'py, PyArray2<f64>>,
    Bound<'py, PyArray1<f64>>,
    Bound<'py, PyArray2<f64>>,
    Vec<Vec<usize>>,
);

/// How LIME explains: a dict of `LimeOptions`.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct Lime {
    discretizer: String,
    labels: Option<Vec<u32>>,
    categorical: Vec<usize>,
    kernel_width: Option<f64>,
    num_features: Option<usize>,
    num_samples: usize,
    feature_selection: String,
    sample_around_instance: bool,
}

impl Lime {
    fn options(self) -> whylight::Result<LimeOptions> {
        Ok(LimeOptions {
            discretizer: self.discretizer.parse()?,
            labels: self.labels,
            categorical: self.categorical,
            kernel_width: self.kernel_width,
            num_features: self.num_features,
            num_samples: self.num_samples,
            feature_selection: self.feature_selection.parse()?,
            sample_around_instance: self.sample_around_instance,
        })
    }
}

/// A model made ready for a device.
#[pyclass(frozen, module = "whylight._engine")]
pub(crate) struct Explainer(whylight::Explainer);

#[pymethods]
impl Explainer {
    #[new]
    #[pyo3(signature = (model, background=None, background_names=None, *, weights=None, mean=None, covariance=None, value_function="auto", interactions=false, index="shapley", groups=None, used_only=false, output="raw", estimator="auto", link="identity", samples=None, tolerance=None, allow_noise=false, layer=None, fallback=None, lime=None, device="auto", threads=0, memory_limit=None, additivity_rows=None, seed=0))]
    #[expect(clippy::too_many_arguments, reason = "keywords in Python")]
    fn new(
        py: Python<'_>,
        model: &Model,
        background: Option<Data<'_>>,
        background_names: Option<Vec<String>>,
        weights: Option<PyReadonlyArray1<'_, f64>>,
        mean: Option<PyReadonlyArray1<'_, f64>>,
        covariance: Option<PyReadonlyArray2<'_, f64>>,
        value_function: &str,
        interactions: bool,
        index: &str,
        groups: Option<Vec<(String, Vec<usize>)>>,
        used_only: bool,
        output: &str,
        estimator: &str,
        link: &str,
        samples: Option<u32>,
        tolerance: Option<f64>,
        allow_noise: bool,
        layer: Option<String>,
        fallback: Option<&str>,
        lime: Option<Lime>,
        device: &str,
        threads: usize,
        memory_limit: Option<u64>,
        additivity_rows: Option<u64>,
        seed: u64,
    ) -> PyResult<Self> {
        let copied = background.as_ref().map(Data::copied);
        let names = background_names.as_deref();
        let rows = background.as_ref().zip(copied.as_ref());
        let rows = rows.map(|(data, copied)| data.view(copied, names));
        let rows = rows.transpose().map_err(|error| raised(py, &error))?;
        let weights = weights.map(|weights| weights.as_array().to_vec());
        let mean = mean.map(|mean| mean.as_array().to_vec());
        let covariance = covariance.as_ref().map(PyReadonlyArray2::as_array);
        let background = match (rows, &weights, &mean) {
            (Some(rows), Some(weights), _) => Some(Background::Weighted(rows, weights)),
            (Some(rows), None, _) => Some(Background::Rows(rows)),
            (None, _, Some(mean)) => Some(Background::Moments { mean, covariance }),
            (None, _, None) => None,
        };
        let groups = groups.map(|groups| {
            let group = |(name, features)| Group { name, features };
            groups.into_iter().map(group).collect()
        });
        let made = py.detach(|| {
            let options = Options {
                device: device.parse::<Device>()?,
                threads,
                memory_limit,
                additivity_rows,
                seed,
                value_function: value_function.parse()?,
                interactions,
                index: whylight::explain::index(index)?,
                groups: groups.unwrap_or_default(),
                used_only,
                output: output.parse()?,
                estimator: estimator.parse()?,
                link: link.parse()?,
                samples,
                tolerance,
                allow_noise,
                layer,
                fallback: fallback.map(str::parse).transpose()?,
                lime: lime.map(Lime::options).transpose()?.map(Box::new),
            };
            let model = Arc::clone(&model.0);
            match background {
                Some(background) => {
                    whylight::Explainer::with_distribution(model, background, options)
                }
                None => whylight::Explainer::new(model, None, options),
            }
        });
        made.map(Self).map_err(|error| raised(py, &error))
    }

    /// What holds for every row, as JSON.
    fn header(&self) -> String {
        json(self.0.header())
    }

    /// The values (rows, features, outputs) of a table, their standard errors where they are estimated, what each row
    /// adds up to more than the model's answer (rows, outputs) where it need not add up to it, which rows a fallback computed
    /// where there is one, the base values of rows (rows, outputs) and how well their models fit where they have some, and how they were computed as JSON.
    #[pyo3(signature = (data, names=None, progress=None))]
    fn explain<'py>(
        &self,
        py: Python<'py>,
        data: Data<'py>,
        names: Option<Vec<String>>,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<Explained<'py>> {
        let copied = data.copied();
        let view = data.view(&copied, names.as_deref());
        let view = view.map_err(|error| raised(py, &error))?;
        let explained = watched(py, progress.as_ref(), |go_on| {
            self.0.explain_while(&view, go_on)
        })?;
        let trailer = json(&explained.trailer);
        let made = |values| PyArray3::from_owned_array(py, values);
        let errors = explained.standard_errors.map(made);
        let deltas = explained.completeness_delta;
        let deltas = deltas.map(|deltas| PyArray2::from_owned_array(py, deltas));
        let marks = explained.recomputed;
        let marks = marks.map(|marks| PyArray1::from_vec(py, marks));
        let intercepts = explained.intercepts;
        let intercepts = intercepts.map(|own| PyArray2::from_owned_array(py, own));
        let fits = explained.local_fit;
        let fits = fits.map(|fits| PyArray2::from_owned_array(py, fits));
        let values = made(explained.values);
        Ok((values, errors, deltas, marks, intercepts, fits, trailer))
    }

    /// What the cells of rows (rows, features) are like, as numbers, for `pick`.
    #[pyo3(signature = (data, names=None))]
    fn components(
        &self,
        py: Python<'_>,
        data: Data<'_>,
        names: Option<Vec<String>>,
    ) -> PyResult<Vec<usize>> {
        let copied = data.copied();
        let view = data.view(&copied, names.as_deref());
        let found = view.and_then(|view| py.detach(|| self.0.components(&view)));
        found.map_err(|error| raised(py, &error))
    }

    /// The samples of one row as LIME represents and weighs them, of which the first is the row itself, with the model's
    /// answers, and the features that are chosen for each output; None of another method.
    #[pyo3(signature = (data, names=None))]
    fn local_samples<'py>(
        &self,
        py: Python<'py>,
        data: Data<'py>,
        names: Option<Vec<String>>,
    ) -> PyResult<Option<Local<'py>>> {
        let copied = data.copied();
        let view = data.view(&copied, names.as_deref());
        let view = view.map_err(|error| raised(py, &error))?;
        let local = py.detach(|| self.0.local_samples(&view));
        let local = local.map_err(|error| raised(py, &error))?;
        Ok(local.map(|local| {
            (
                PyArray2::from_owned_array(py, local.samples),
                PyArray1::from_vec(py, local.weights),
                PyArray2::from_owned_array(py, local.answers),
                local.used,
            )
        }))
    }

    /// The mean and the standard deviation of |value| (features, outputs) over a table, without its
    /// values, and how they were computed as JSON.
    #[pyo3(signature = (data, names=None, progress=None))]
    fn summarise<'py>(
        &self,
        py: Python<'py>,
        data: Data<'py>,
        names: Option<Vec<String>>,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<(Means<'py>, Means<'py>, String)> {
        let copied = data.copied();
        let view = data.view(&copied, names.as_deref());
        let view = view.map_err(|error| raised(py, &error))?;
        let mut summary = Summary::new(0);
        let trailer = watched(py, progress.as_ref(), |go_on| {
            self.0.stream_while(&view, &mut summary, go_on)
        })?;
        let made = |means| PyArray2::from_owned_array(py, means);
        let (means, spread) = (made(summary.means()), made(summary.spread()));
        Ok((means, spread, json(&trailer)))
    }
}

/// SP-LIME: the rows, of values (rows, features, outputs), that cover the most components (rows, features); by their
/// positions, in the order of the choice.
#[pyfunction]
pub(crate) fn pick(
    values: PyReadonlyArray3<'_, f32>,
    components: Vec<usize>,
    budget: usize,
) -> Vec<usize> {
    lime::pick(values.as_array(), &components, budget)
}

/// Runs work without the GIL; between its batches, Ctrl-C and what `progress` raises end it.
pub(crate) fn watched<T: Send>(
    py: Python<'_>,
    progress: Option<&Py<PyAny>>,
    work: impl FnOnce(&mut dyn FnMut(u64) -> bool) -> whylight::Result<Option<T>> + Send,
) -> PyResult<T> {
    let mut said = None;
    let mut go_on = |rows: u64| {
        let answer = Python::attach(|py| {
            py.check_signals()?;
            match progress {
                Some(progress) => progress.call1(py, (rows,)).map(drop),
                None => Ok(()),
            }
        });
        said = answer.err();
        said.is_none()
    };
    let done = py.detach(|| work(&mut go_on));
    match (done, said) {
        (Err(error), _) => Err(raised(py, &error)),
        (Ok(Some(done)), _) => Ok(done),
        (Ok(None), said) => Err(said.unwrap_or_else(|| {
            pyo3::exceptions::PyKeyboardInterrupt::new_err("stopped before the last row")
        })),
    }
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

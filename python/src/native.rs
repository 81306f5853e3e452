//! Models that the engine evaluates itself, from the arrays that libraries keep.

use numpy::{PyReadonlyArray1, PyReadonlyArray2};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use whylight::model::{
    Activation, Decision, Feature, Kernel, KernelMachine, Layer, Metric, Mlp, NaiveBayes,
    Neighbours,
};

/// What is made of margins: its name, and the number of classes.
type Decided = (String, usize);

/// A kernel machine.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Machine<'py> {
    features: Vec<Option<String>>,
    outputs: Vec<String>,
    /// "rbf", "laplacian", "polynomial" or "sigmoid".
    kernel: String,
    /// By feature for "rbf", else one.
    gamma: Vec<f64>,
    coef0: f64,
    degree: u32,
    /// (vectors, features).
    vectors: PyReadonlyArray2<'py, f64>,
    /// (machines, vectors).
    coefficients: PyReadonlyArray2<'py, f64>,
    intercepts: Vec<f64>,
    raw: Decided,
    /// With what multiplies and what is added to the margin of each machine.
    probability: Option<(Decided, PyReadonlyArray2<'py, f64>)>,
}

/// A multi-layer perceptron.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Perceptron<'py> {
    features: Vec<Option<String>>,
    outputs: Vec<String>,
    /// "identity", "relu", "logistic" or "tanh".
    activation: String,
    /// By layer: weights (neurons, inputs), biases.
    layers: Vec<(PyReadonlyArray2<'py, f64>, PyReadonlyArray1<'py, f64>)>,
    probability: Option<Decided>,
}

/// Gaussian naive Bayes.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Bayes<'py> {
    features: Vec<Option<String>>,
    outputs: Vec<String>,
    /// (classes, features).
    means: PyReadonlyArray2<'py, f64>,
    variances: PyReadonlyArray2<'py, f64>,
    /// Logarithms.
    priors: Vec<f64>,
}

/// Nearest neighbours.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Nearest<'py> {
    features: Vec<Option<String>>,
    outputs: Vec<String>,
    /// (rows, features).
    rows: PyReadonlyArray2<'py, f64>,
    /// (rows, outputs).
    targets: PyReadonlyArray2<'py, f64>,
    count: usize,
    /// "euclidean" or "manhattan".
    metric: String,
    by_distance: bool,
    is_classifier: bool,
}

impl Machine<'_> {
    pub(crate) fn model(self) -> PyResult<KernelMachine> {
        let gamma = self.gamma.first().copied().unwrap_or(f64::NAN);
        let coef0 = self.coef0;
        let kernel = match self.kernel.as_str() {
            "rbf" => Kernel::Rbf(self.gamma),
            "laplacian" => Kernel::Laplacian(gamma),
            "matern" => Kernel::Matern {
                gammas: self.gamma,
                order: self.degree,
            },
            "polynomial" => Kernel::Polynomial {
                gamma,
                coef0,
                degree: self.degree,
            },
            "sigmoid" => Kernel::Sigmoid { gamma, coef0 },
            other => return Err(unknown("kernel", other)),
        };
        let probability = match self.probability {
            None => None,
            Some((decided, platt)) => {
                let pairs = platt.as_array();
                let pairs = pairs.outer_iter().map(|pair| [pair[0], pair[1]]);
                Some((decision(&decided)?, pairs.collect()))
            }
        };
        Ok(KernelMachine {
            features: features(self.features),
            outputs: self.outputs,
            kernel,
            vectors: self.vectors.as_array().to_owned(),
            coefficients: self.coefficients.as_array().to_owned(),
            intercepts: self.intercepts,
            raw: decision(&self.raw)?,
            probability,
        })
    }
}

impl Perceptron<'_> {
    pub(crate) fn model(self) -> PyResult<Mlp> {
        let activation = match self.activation.as_str() {
            "identity" => Activation::Identity,
            "relu" => Activation::Relu,
            "logistic" => Activation::Logistic,
            "tanh" => Activation::Tanh,
            other => return Err(unknown("activation", other)),
        };
        let layers = self.layers.iter().map(|(weights, biases)| Layer {
            weights: weights.as_array().to_owned(),
            biases: biases.as_array().to_vec(),
        });
        Ok(Mlp {
            features: features(self.features),
            outputs: self.outputs,
            activation,
            layers: layers.collect(),
            probability: self.probability.as_ref().map(decision).transpose()?,
        })
    }
}

impl Bayes<'_> {
    pub(crate) fn model(self) -> NaiveBayes {
        NaiveBayes {
            features: features(self.features),
            outputs: self.outputs,
            means: self.means.as_array().to_owned(),
            variances: self.variances.as_array().to_owned(),
            priors: self.priors,
        }
    }
}

impl Nearest<'_> {
    pub(crate) fn model(self) -> PyResult<Neighbours> {
        Ok(Neighbours {
            features: features(self.features),
            outputs: self.outputs,
            rows: self.rows.as_array().to_owned(),
            targets: self.targets.as_array().to_owned(),
            count: self.count,
            metric: match self.metric.as_str() {
                "euclidean" => Metric::Euclidean,
                "manhattan" => Metric::Manhattan,
                other => return Err(unknown("metric", other)),
            },
            by_distance: self.by_distance,
            is_classifier: self.is_classifier,
        })
    }
}

fn decision((name, classes): &Decided) -> PyResult<Decision> {
    Ok(match name.as_str() {
        "margins" => Decision::Margins,
        "pair" => Decision::Pair,
        "clipped_pair" => Decision::ClippedPair,
        "softmax" => Decision::Softmax,
        "coupled" => Decision::Coupled(*classes),
        "votes" => Decision::Votes(*classes),
        other => return Err(unknown("decision", other)),
    })
}

fn features(names: Vec<Option<String>>) -> Vec<Feature> {
    let feature = |name| Feature {
        name,
        categories: None,
    };
    names.into_iter().map(feature).collect()
}

fn unknown(what: &str, name: &str) -> PyErr {
    PyValueError::new_err(format!("there is no {what} {name}"))
}

//! Models, as their files describe them: the exact semantics of the library that trained them.
//!
//! One loader per file format turns bytes into [`Trees`], or, of ONNX, into the model that is in the file; a
//! [`Linear`] model is made of its coefficients. Loaders translate; they decide nothing
//! about explanations, and they know neither tables nor devices.

mod black_box;
mod catboost;
mod check;
mod decision;
mod encoded;
mod iteration;
mod kernel_machine;
mod lightgbm;
mod linear;
mod link;
mod mlp;
mod naive_bayes;
mod neighbours;
pub mod network;
mod onnx;
mod route;
mod sets;
mod treelite;
mod trees;
mod xgboost;

use std::path::Path;

use crate::error::{Error, Result};

#[cfg(feature = "onnxruntime")]
pub use black_box::OnnxRuntime;
#[cfg(feature = "text")]
pub(crate) use black_box::checked;
pub use black_box::{BlackBox, Exchange, Predict, PredictText, Process, ProcessOptions};
#[cfg(feature = "http")]
pub use black_box::{Http, HttpOptions};
#[cfg(all(feature = "onnxruntime", feature = "text"))]
pub use black_box::{OnnxText, OnnxTextOptions};
pub use decision::Decision;
pub(crate) use encoded::whole;
pub use encoded::{Column, Encoded, Lookup, Norm, Part};
pub use kernel_machine::{Kernel, KernelMachine};
pub use linear::Linear;
pub use link::Link;
pub use mlp::{Activation, Layer, Mlp};
pub use naive_bayes::NaiveBayes;
pub use neighbours::{Metric, Neighbours};
pub use network::Network;
pub use trees::{
    Categories, CategorySet, Feature, Fraction, LinearLeaf, Missing, Node, Numbers, Output,
    Precision, Split, Test, Tree, Trees,
};

/// A model, in the form that its structure offers to a game.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Model {
    /// An additive ensemble of trees.
    Trees(Trees),
    /// A weighted sum of the features for each output.
    Linear(Linear),
    /// Machines over support vectors.
    KernelMachine(KernelMachine),
    /// Layers of neurons.
    Mlp(Mlp),
    /// Naive Bayes.
    NaiveBayes(NaiveBayes),
    /// Nearest neighbours.
    Neighbours(Neighbours),
    /// A network of any shape.
    Network(Network),
    /// One of the others, of columns that encoders make of the raw ones.
    Encoded(Encoded),
    /// A function of rows.
    BlackBox(BlackBox),
}

impl Model {
    /// The model's format, as it appears in messages and results.
    pub fn format(&self) -> &'static str {
        match self {
            Model::Trees(trees) => trees.format,
            Model::Linear(linear) => linear.format,
            Model::KernelMachine(_) => KernelMachine::FORMAT,
            // A sum over features for each output.
            Model::Mlp(mlp) if mlp.layers.len() == 1 => "linear",
            Model::Mlp(_) => Mlp::FORMAT,
            Model::NaiveBayes(_) => NaiveBayes::FORMAT,
            Model::Neighbours(_) => Neighbours::FORMAT,
            Model::Network(_) => Network::FORMAT,
            Model::Encoded(encoded) => encoded.model.format(),
            Model::BlackBox(_) => BlackBox::FORMAT,
        }
    }

    /// The names of its outputs, or of its classes.
    pub fn outputs(&self) -> &[String] {
        match self {
            Model::Trees(trees) => &trees.outputs,
            Model::Linear(linear) => &linear.outputs,
            Model::KernelMachine(machine) => &machine.outputs,
            Model::Mlp(mlp) => &mlp.outputs,
            Model::NaiveBayes(bayes) => &bayes.outputs,
            Model::Neighbours(neighbours) => &neighbours.outputs,
            Model::Network(network) => &network.outputs,
            Model::Encoded(encoded) => encoded.model.outputs(),
            Model::BlackBox(black_box) => &black_box.outputs,
        }
    }

    /// The raw output of a row, in float64 and by the model's own rules, of a model that is neither trees, nor
    /// linear, nor a black box.
    pub fn raw(&self, row: &[f64]) -> Option<Vec<f64>> {
        match self {
            Model::KernelMachine(machine) => Some(machine.raw(row)),
            Model::Mlp(mlp) => Some(mlp.raw(row)),
            Model::NaiveBayes(bayes) => Some(bayes.raw(row)),
            Model::Neighbours(neighbours) => Some(neighbours.raw(row)),
            Model::Network(network) => Some(network.raw(row)),
            Model::Encoded(encoded) => encoded.model.raw(&encoded.row(row)),
            Model::Trees(_) | Model::Linear(_) | Model::BlackBox(_) => None,
        }
    }

    /// The probabilities of a row, as [`Model::raw`]; `None` where the model has none.
    pub fn probabilities(&self, row: &[f64]) -> Option<Vec<f64>> {
        match self {
            Model::KernelMachine(machine) => machine.probabilities(row),
            Model::Mlp(mlp) => mlp.probabilities(row),
            Model::NaiveBayes(bayes) => Some(bayes.probabilities(row)),
            Model::Neighbours(neighbours) if neighbours.is_classifier => Some(neighbours.raw(row)),
            Model::Encoded(encoded) => encoded.model.probabilities(&encoded.row(row)),
            Model::Neighbours(_)
            | Model::Trees(_)
            | Model::Linear(_)
            | Model::Network(_)
            | Model::BlackBox(_) => None,
        }
    }

    /// The first of its columns where a row has a category that the model does not take.
    pub(crate) fn unknown_category(&self, row: &[f64]) -> Option<usize> {
        match self {
            Model::Encoded(encoded) => encoded.unknown(row),
            _ => None,
        }
    }

    /// The columns that the model reads, in the order of its feature indexes.
    pub fn features(&self) -> &[Feature] {
        match self {
            Model::Trees(trees) => &trees.features,
            Model::Linear(linear) => &linear.features,
            Model::KernelMachine(machine) => &machine.features,
            Model::Mlp(mlp) => &mlp.features,
            Model::NaiveBayes(bayes) => &bayes.features,
            Model::Neighbours(neighbours) => &neighbours.features,
            Model::Network(network) => &network.features,
            Model::Encoded(encoded) => &encoded.features,
            Model::BlackBox(black_box) => &black_box.features,
        }
    }
}

/// Reads a model file; the format is told from its first bytes, not from its name.
///
/// # Errors
/// [`Error::Io`] if the file cannot be read, [`Error::Model`] if it is none of the formats that
/// whylight reads or is damaged, [`Error::Unsupported`] if it holds a part that has no exact
/// translation.
pub fn load(path: &Path) -> Result<Model> {
    let bytes = std::fs::read(path).map_err(|source| Error::Io {
        path: path.to_owned(),
        source,
    })?;
    parse(&bytes, path)
}

/// Reads a model from the bytes of its file; `path` only names it in errors.
///
/// # Errors
/// As [`load`], but for [`Error::Io`].
pub fn parse(bytes: &[u8], path: &Path) -> Result<Model> {
    if lightgbm::recognises(bytes) {
        return lightgbm::parse(bytes, path).map(Model::Trees);
    }
    if catboost::recognises(bytes) {
        return catboost::parse(bytes, path).map(Model::Trees);
    }
    if xgboost::recognises(bytes) {
        return xgboost::parse(bytes, path).map(Model::Trees);
    }
    if onnx::recognises(bytes) {
        return onnx::parse(bytes, path);
    }
    if treelite::recognises(bytes) {
        return treelite::parse(bytes, path).map(Model::Trees);
    }
    Err(Error::Model {
        path: path.to_owned(),
        format: "tree",
        at: "its first bytes".to_owned(),
        reason: "none of the formats known: XGBoost JSON or UBJSON, LightGBM text, CatBoost JSON, \
                 ONNX, treelite checkpoint; save the model with its library's own save function"
            .to_owned(),
    })
}

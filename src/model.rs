//! Models, as their files describe them: the exact semantics of the library that trained them.
//!
//! One loader per file format turns bytes into [`Trees`]; a [`Linear`] model is made of its
//! coefficients. Loaders translate; they decide nothing
//! about explanations, and they know neither tables nor devices.

mod black_box;
mod catboost;
mod check;
mod iteration;
mod lightgbm;
mod linear;
mod link;
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
pub use black_box::{BlackBox, Exchange, Predict, Process, ProcessOptions};
#[cfg(feature = "http")]
pub use black_box::{Http, HttpOptions};
pub use linear::Linear;
pub use link::Link;
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
    /// A function of rows.
    BlackBox(BlackBox),
}

impl Model {
    /// The columns that the model reads, in the order of its feature indexes.
    pub fn features(&self) -> &[Feature] {
        match self {
            Model::Trees(trees) => &trees.features,
            Model::Linear(linear) => &linear.features,
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
        return onnx::parse(bytes, path).map(Model::Trees);
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

//! What values add up to, and how they are computed where that is no sum.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};

/// What the values of a row and the base value add up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Output {
    /// The raw margin, before any link.
    #[default]
    Raw,
    /// The model's prediction where that is a probability: of the last class of two, of each class of
    /// more.
    Probability,
    /// The model's prediction: its margins through the inverse of its objective's link.
    Response,
    /// The logarithmic loss of the prediction, `−ln p`, for each label that could be the true one.
    LogLoss,
}

/// How values are computed of an output that is no sum over the parts of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Estimator {
    /// Exactly for a row of up to 16 players that vary between it and the background, or of as few coalitions as
    /// would be drawn; else of a black box [`Estimator::RegressionAdjusted`], and of others sampled.
    #[default]
    Auto,
    /// From all coalitions of the players that vary; more than 16 of them are an error.
    Exact,
    /// From some coalitions, drawn by their leverage in a least squares problem (Musco & Witter 2025), with
    /// a standard error for every value.
    Sampled,
    /// As [`Estimator::Sampled`], with regression adjustment (Witter, Liu & Musco 2025): interactions of
    /// three players that the coalitions speak of are taken from them first, which takes some ten
    /// milliseconds for a row of 30 players. For Kernel SHAP.
    RegressionAdjusted,
    /// From the coalitions that shap's `KernelExplainer` takes, for comparison: the smallest and the largest
    /// ones all, others by their weight. For Kernel SHAP.
    ShapSampling,
    /// What a player adds on average along random orders, each taken there and back. For Kernel SHAP.
    Permutation,
    /// The derivatives of a network at the points of lines from background rows, in place of `DeepLIFT`'s multipliers
    /// (Sundararajan, Taly & Yan 2017).
    IntegratedGradients,
    /// The derivatives of a network at random points of these lines, with a standard error (Erion et al. 2021).
    ExpectedGradients,
    /// The values of the margin, scaled for each background row to what the output differs by: no
    /// Shapley values of the output (Lundberg et al. 2020 have it for probabilities and losses). The
    /// result says how far some rows are off.
    Rescaled,
}

impl Output {
    const ALL: [Self; 4] = [Self::Raw, Self::Probability, Self::Response, Self::LogLoss];

    /// Its name in results and parameters.
    pub fn name(self) -> &'static str {
        match self {
            Output::Raw => "raw",
            Output::Probability => "probability",
            Output::Response => "response",
            Output::LogLoss => "log_loss",
        }
    }
}

impl Estimator {
    const ALL: [Self; 9] = [
        Self::Auto,
        Self::Exact,
        Self::Sampled,
        Self::RegressionAdjusted,
        Self::ShapSampling,
        Self::Permutation,
        Self::IntegratedGradients,
        Self::ExpectedGradients,
        Self::Rescaled,
    ];

    /// Its name in results and parameters.
    pub fn name(self) -> &'static str {
        match self {
            Estimator::Auto => "auto",
            Estimator::Exact => "exact",
            Estimator::Sampled => "sampled",
            Estimator::RegressionAdjusted => "regression_adjusted",
            Estimator::ShapSampling => "shap_sampling",
            Estimator::Permutation => "permutation",
            Estimator::IntegratedGradients => "integrated_gradients",
            Estimator::ExpectedGradients => "expected_gradients",
            Estimator::Rescaled => "rescaled",
        }
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Estimator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Output {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|output| output.name() == text)
            .ok_or_else(|| Error::Parameter {
                name: "output",
                got: format!("\"{text}\""),
                allowed: "raw, probability, response, or log_loss".to_owned(),
            })
    }
}

impl FromStr for Estimator {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|estimator| estimator.name() == text)
            .ok_or_else(|| Error::Parameter {
                name: "estimator",
                got: format!("\"{text}\""),
                allowed: "auto, exact, sampled, regression_adjusted, shap_sampling, permutation, integrated_gradients, \
                          expected_gradients, or rescaled"
                    .to_owned(),
            })
    }
}

//! Metrics: how well answers fit labels. Each is scikit-learn's of the same name, to rounding.
//!
//! [`Metric`] is the definition, [`Judge`] a metric with its labels that scores what a model answers, and [`Score`] what
//! a method asks of either, or of a function of the user's.

mod classes;
mod judge;
pub(crate) mod likeness;
mod names;
mod numbers;
mod scores;

use std::fmt::Debug;

use ndarray::ArrayView2;

use crate::error::Result;

pub use judge::{Decide, Judge, Labels};

/// What scores answers.
pub trait Score: Debug + Send + Sync {
    /// The metric's name in results.
    fn name(&self) -> String;

    /// Whether it grows as answers get worse.
    fn is_error(&self) -> bool;

    /// The rows that there are labels of; `None` if it cannot say.
    fn rows(&self) -> Option<usize>;

    /// Of a model's answers (rows, outputs).
    ///
    /// # Errors
    /// [`crate::Error::Predict`] with what a function says; [`crate::Error::Data`] where the metric is not defined.
    fn score(&self, answers: ArrayView2<'_, f64>) -> Result<f64>;
}

/// How the numbers of several classes become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Average {
    /// That of one of two classes, by its number: the second where nobody says.
    Binary(u32),
    /// Of all classes' counts together.
    Micro,
    /// The mean over the classes that labels or answers have.
    Macro,
    /// The same, weighted by how many labels a class has.
    Weighted,
}

/// A metric. Where a ratio has nothing below its line, it is 0, as scikit-learn has it.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Metric {
    /// The part of rows whose class is right.
    Accuracy,
    /// The mean recall of the classes that labels have.
    BalancedAccuracy,
    /// Of the rows that are told to be of a class, the part that is.
    Precision(Average),
    /// Of the rows of a class, the part that is told to be.
    Recall(Average),
    /// `(1 + β²) p r / (β² p + r)` of precision and recall: the F1 score for β = 1.
    FScore(Average, f64),
    /// Of the rows that are of a class or told to be, the part that is both.
    Jaccard(Average),
    /// Matthews' correlation coefficient, of any number of classes (Gorodkin 2004).
    Matthews,
    /// Cohen's κ.
    Kappa,
    /// The area under the ROC curve: the part of pairs of a row of a class and one of another that are in order, ties
    /// counting half. Of several classes the mean of each against the rest; `weighted` by how many labels they have.
    RocAuc {
        /// Whether the mean is weighted.
        weighted: bool,
    },
    /// `Σ (R_n − R_{n−1}) P_n` over thresholds; of several classes the mean of each against the rest.
    AveragePrecision,
    /// The mean of −ln p of the true class, p kept 2⁻⁵² away from 0 and 1.
    LogLoss,
    /// The mean of `Σ (p − [class])²`, of two classes half of that.
    Brier,
    /// The mean of |y − ŷ|.
    MeanAbsoluteError,
    /// The mean of (y − ŷ)².
    MeanSquaredError,
    /// Its root.
    RootMeanSquaredError,
    /// The mean of (ln (1 + y) − ln (1 + ŷ))².
    MeanSquaredLogError,
    /// Its root.
    RootMeanSquaredLogError,
    /// The mean of |y − ŷ| / max(|y|, 2⁻⁵²).
    MeanAbsolutePercentageError,
    /// The median of |y − ŷ|.
    MedianAbsoluteError,
    /// The largest |y − ŷ|.
    MaxError,
    /// `1 − Σ (y − ŷ)² / Σ (y − ȳ)²`.
    R2,
    /// `1 − Var(y − ŷ) / Var(y)`.
    ExplainedVariance,
    /// The mean of `α (y − ŷ)` where that is positive, else of `(1 − α) (ŷ − y)`.
    Pinball {
        /// The quantile, between 0 and 1.
        alpha: f64,
    },
    /// The mean of `2 (y ln (y / ŷ) + ŷ − y)`.
    PoissonDeviance,
    /// The mean of `2 (ln (ŷ / y) + y / ŷ − 1)`.
    GammaDeviance,
}

/// What a metric is taken of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// A class for each row.
    Classes,
    /// A number for each class, larger where it is more likely; of two classes one for the second.
    Scores,
    /// A probability for each class.
    Probabilities,
    /// A number for each row.
    Numbers,
}

impl Metric {
    /// What it is taken of.
    pub fn takes(self) -> Takes {
        match self {
            Self::Accuracy
            | Self::BalancedAccuracy
            | Self::Precision(_)
            | Self::Recall(_)
            | Self::FScore(..)
            | Self::Jaccard(_)
            | Self::Matthews
            | Self::Kappa => Takes::Classes,
            Self::RocAuc { .. } | Self::AveragePrecision => Takes::Scores,
            Self::LogLoss | Self::Brier => Takes::Probabilities,
            _ => Takes::Numbers,
        }
    }

    /// Whether it grows as answers get worse.
    pub fn is_error(self) -> bool {
        match self.takes() {
            Takes::Classes | Takes::Scores => false,
            Takes::Probabilities => true,
            Takes::Numbers => !matches!(self, Self::R2 | Self::ExplainedVariance),
        }
    }
}

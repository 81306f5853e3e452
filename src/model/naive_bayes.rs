//! Naive Bayes: features that are normal within each class, independently of one another.

use std::path::Path;

use ndarray::Array2;

use super::decision::Decision;
use super::trees::Feature;
use crate::error::{Error, Result};

/// A Gaussian naive Bayes classifier.
#[derive(Debug, Clone)]
pub struct NaiveBayes {
    /// The columns that the model reads; numbers all.
    pub features: Vec<Feature>,
    /// One name per class.
    pub outputs: Vec<String>,
    /// The means of the features within the classes (classes, features).
    pub means: Array2<f64>,
    /// Their variances, all positive.
    pub variances: Array2<f64>,
    /// Logarithms of the classes' probabilities.
    pub priors: Vec<f64>,
}

impl NaiveBayes {
    /// The format, as it appears in messages and results.
    pub const FORMAT: &'static str = "naive Bayes";

    /// Checks that the parts fit together and that all numbers are finite; `path` only names the model in errors.
    ///
    /// # Errors
    /// [`Error::Model`] that names the part and what is wrong with it.
    pub fn check(&self, path: &Path) -> Result<()> {
        let fail = |at: &str, reason: String| {
            Err(Error::Model {
                path: path.to_owned(),
                format: Self::FORMAT,
                at: at.to_owned(),
                reason,
            })
        };
        let shape = (self.outputs.len(), self.features.len());
        if shape.0 == 0 || shape.1 == 0 {
            let reason = format!(
                "{} classes and {} features; expected at least one of each",
                shape.0, shape.1
            );
            return fail("its shape", reason);
        }
        if self.means.dim() != shape
            || self.variances.dim() != shape
            || self.priors.len() != shape.0
        {
            let reason = format!(
                "means {:?}, variances {:?} and {} priors; expected {shape:?} and a prior for each class",
                self.means.dim(),
                self.variances.dim(),
                self.priors.len()
            );
            return fail("its parts", reason);
        }
        if let Some(variance) = self
            .variances
            .iter()
            .find(|v| !(v.is_finite() && **v > 0.0))
        {
            return fail(
                "the variances",
                format!("{variance}; expected finite numbers above 0"),
            );
        }
        let mut numbers = self.means.iter().chain(&self.priors);
        match numbers.find(|number| !number.is_finite()) {
            Some(number) => fail(
                "the means and priors",
                format!("{number} is not a finite number"),
            ),
            None => Ok(()),
        }
    }

    /// What a cell adds to the log-likelihood of a class.
    pub fn term(&self, class: usize, feature: usize, cell: f64) -> f64 {
        let variance = self.variances[[class, feature]];
        let off = cell - self.means[[class, feature]];
        -0.5 * ((std::f64::consts::TAU * variance).ln() + off * off / variance)
    }

    /// The logarithms of the joint likelihoods of the classes and a row, in float64.
    pub fn raw(&self, row: &[f64]) -> Vec<f64> {
        let of = |(class, prior): (usize, &f64)| {
            let terms = row
                .iter()
                .enumerate()
                .map(|(feature, &cell)| self.term(class, feature, cell));
            prior + terms.sum::<f64>()
        };
        self.priors.iter().enumerate().map(of).collect()
    }

    /// The probabilities of a row, in float64.
    pub fn probabilities(&self, row: &[f64]) -> Vec<f64> {
        Decision::Softmax.answer(&self.raw(row))
    }
}

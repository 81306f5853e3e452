//! How well a surrogate answers as its model does.

use ndarray::Array2;
use serde::{Deserialize, Serialize};

use crate::metric::likeness;

/// How well the answers of a surrogate are those of its model.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Fidelity {
    /// Documents that were compared.
    pub documents: u64,
    /// Whether the surrogate was not trained on them.
    pub is_held_out: bool,
    /// By output, 1 − Σ (found − expected)² / Σ (expected − mean)²; NaN where the model's answers are all alike.
    pub r2: Vec<f64>,
    /// The share of documents with the same class, by the largest probability, or by one half of a single one; `None` of
    /// numbers.
    pub agreement: Option<f64>,
    /// The mean Kullback–Leibler divergence from the model's probabilities, in nats; `None` of numbers.
    pub divergence: Option<f64>,
}

impl Fidelity {
    /// Of answers (document, output).
    pub(super) fn of(
        expected: &Array2<f64>,
        found: &Array2<f64>,
        is_classes: bool,
        is_held_out: bool,
    ) -> Self {
        let documents = expected.nrows();
        let pairs = || expected.outer_iter().zip(found.outer_iter());
        let agreeing = pairs().filter(|(a, b)| class(a) == class(b)).count();
        Self {
            documents: documents as u64,
            is_held_out,
            r2: likeness::r2(expected, found),
            agreement: is_classes.then(|| agreeing as f64 / documents.max(1) as f64),
            divergence: is_classes.then(|| likeness::divergence(expected, found)),
        }
    }
}

fn class(row: &ndarray::ArrayView1<'_, f64>) -> usize {
    if row.len() == 1 {
        return usize::from(row[0] > 0.5);
    }
    let largest = row.iter().enumerate();
    let largest = largest.max_by(|a, b| a.1.total_cmp(b.1));
    largest.map_or(0, |(class, _)| class)
}

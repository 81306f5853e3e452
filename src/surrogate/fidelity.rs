//! How well a surrogate answers as its model does.

use ndarray::{Array2, Axis};
use serde::{Deserialize, Serialize};

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
        let means = expected.sum_axis(Axis(0)) / documents.max(1) as f64;
        let left = (found - expected).mapv(|d| d * d).sum_axis(Axis(0));
        let all = (expected - &means).mapv(|d| d * d).sum_axis(Axis(0));
        let r2 = left.iter().zip(&all);
        let r2 = r2.map(|(left, &all)| {
            if all > 0.0 {
                1.0 - left / all
            } else {
                f64::NAN
            }
        });
        let pairs = || expected.outer_iter().zip(found.outer_iter());
        let mean = |sum: f64| is_classes.then(|| sum / documents.max(1) as f64);
        let agreeing = pairs().filter(|(a, b)| class(a) == class(b)).count();
        let divergences = pairs().map(|(a, b)| {
            // Of a single probability, the other is what is left.
            let rest = |row: &ndarray::ArrayView1<'_, f64>| 1.0 - row.sum();
            let of = |p: f64, q: f64| {
                if p > 0.0 {
                    p * (p / q.max(1e-12)).ln()
                } else {
                    0.0
                }
            };
            let own: f64 = a.iter().zip(&b).map(|(&p, &q)| of(p, q)).sum();
            if a.len() == 1 {
                own + of(rest(&a), rest(&b))
            } else {
                own
            }
        });
        Self {
            documents: documents as u64,
            is_held_out,
            r2: r2.collect(),
            agreement: mean(agreeing as f64),
            divergence: mean(divergences.sum()),
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

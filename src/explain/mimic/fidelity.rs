//! How well a surrogate answers as its teacher does.

use std::fmt;

use ndarray::Array2;

use super::space::Space;
use crate::metric::likeness;

/// How well the answers of a surrogate are those of its teacher, in the units of these.
#[derive(Debug, Clone, PartialEq)]
pub struct Fidelity {
    /// Rows that were compared.
    pub rows: usize,
    /// Whether the surrogate was not trained on them.
    pub is_held_out: bool,
    /// 1 − Σ (found − expected)² / Σ (expected − mean)², the mean over the outputs that vary; `None` where none does.
    pub r2: Option<f64>,
    /// The share of rows with the same class; `None` of numbers that tell none.
    pub agreement: Option<f64>,
    /// The mean Kullback–Leibler divergence from the teacher's probabilities, in nats; `None` of other numbers.
    pub divergence: Option<f64>,
}

impl Fidelity {
    /// Of answers (rows, outputs), at least one row.
    pub(super) fn of(
        space: &Space,
        expected: &Array2<f64>,
        found: &Array2<f64>,
        is_held_out: bool,
    ) -> Self {
        let rows = expected.nrows();
        let share = |sum: f64| sum / rows.max(1) as f64;
        let pairs = || expected.outer_iter().zip(found.outer_iter());
        let agreeing = || pairs().filter(|(a, b)| space.class(a) == space.class(b));
        let r2: Vec<f64> = (likeness::r2(expected, found).into_iter())
            .filter(|r2| !r2.is_nan())
            .collect();
        Self {
            rows,
            is_held_out,
            r2: (!r2.is_empty()).then(|| r2.iter().sum::<f64>() / r2.len() as f64),
            agreement: space.is_classes().then(|| share(agreeing().count() as f64)),
            divergence: space
                .is_probability()
                .then(|| likeness::divergence(expected, found)),
        }
    }
}

impl fmt::Display for Fidelity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.r2 {
            Some(r2) => write!(f, "R² {r2:.4}")?,
            None => f.write_str("R² unknown")?,
        }
        if let Some(agreement) = self.agreement {
            write!(f, ", the same class for {:.1} %", 100.0 * agreement)?;
        }
        if let Some(divergence) = self.divergence {
            write!(f, ", KL {divergence:.4} nats")?;
        }
        let of = if self.is_held_out {
            "held out"
        } else {
            "of the training"
        };
        write!(f, ", on {} rows {of}", self.rows)
    }
}

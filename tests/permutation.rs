//! Permutation importance: against rows that are really shuffled, and against what is planted.

mod edges;
mod engines;
mod metrics;
mod planted;

use std::sync::Arc;

use ndarray::{Array2, ArrayView2};
use whylight::Device;
use whylight::data::View;
use whylight::explain::permutation::{
    PermutationImportance, PermutationOptions, explain_permutation,
};
use whylight::metric::Score;
use whylight::model::Model;

pub(crate) fn options() -> PermutationOptions {
    PermutationOptions::on(Device::cpu())
}

pub(crate) fn explain(
    model: &Arc<Model>,
    cells: &Array2<f64>,
    score: &dyn Score,
    options: &PermutationOptions,
) -> whylight::Result<PermutationImportance> {
    let rows = View::f64(cells.view(), None);
    explain_permutation(model, &rows, score, options, &mut |_| true).map(Option::unwrap)
}

/// A weighted sum of all answers: what no other answers have.
#[derive(Debug)]
pub(crate) struct Weighted(Array2<f64>);

impl Weighted {
    pub(crate) fn of(rows: usize, outputs: usize) -> Self {
        let mut random = crate::support::random::Random(3);
        Self(Array2::from_shape_simple_fn((rows, outputs), || {
            random.unit() - 0.5
        }))
    }
}

impl Score for Weighted {
    fn name(&self) -> String {
        "weighted".to_owned()
    }

    fn is_error(&self) -> bool {
        true
    }

    fn rows(&self) -> Option<usize> {
        Some(self.0.nrows())
    }

    fn score(&self, answers: ArrayView2<'_, f64>) -> whylight::Result<f64> {
        assert_eq!(answers.dim(), self.0.dim());
        Ok((&self.0 * &answers).sum())
    }
}

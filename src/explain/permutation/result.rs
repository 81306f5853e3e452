//! What permutation importance gives.

use ndarray::Array2;
use serde::{Serialize, Serializer};

use super::PermutationOptions;
use crate::metric::Score;
use crate::model::{BlackBox, Model};

/// How much worse the answers of a model are scored with each column shuffled.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PermutationImportance {
    /// `permutation`.
    pub method: String,
    /// The metric.
    pub metric: String,
    /// Whether the metric grows as answers get worse: an importance is what it grows by, else what it falls by.
    pub is_error: bool,
    /// The score of the rows as they are.
    pub base_score: f64,
    /// One name per feature, or group of features.
    pub feature_names: Vec<String>,
    /// The groups among them, and the columns of each.
    pub groups: Vec<(String, Vec<String>)>,
    /// By feature and repeat: how much worse the score is; below 0 where it is better.
    #[serde(serialize_with = "nested")]
    pub importances: Array2<f64>,
    /// By feature the mean over repeats.
    pub means: Vec<f64>,
    /// By feature the standard deviation over repeats, of them all (divided by their number).
    pub standard_deviations: Vec<f64>,
    /// By feature the standard error of the mean: of the permutations that were drawn, not of the rows. NaN of one
    /// repeat.
    pub standard_errors: Vec<f64>,
    /// How often each column was shuffled.
    pub n_repeats: usize,
    /// Rows.
    pub rows: u64,
    /// How many strata there are within which rows are shuffled; `None` where they are shuffled among all.
    pub strata: Option<u64>,
    /// The answers that are scored: `raw`, `probability` or `response`.
    pub output: String,
    /// The model's format, such as `XGBoost JSON`.
    pub model_format: String,
    /// What answered for shuffled rows: `trees`, `units`, or the model that was `asked`.
    pub engine: String,
    /// The device that computed them.
    pub device: String,
    /// Why this device.
    pub device_reason: String,
    /// The seed.
    pub seed: u64,
    /// The version of whylight.
    pub version: String,
    /// What is worth knowing.
    pub notes: Vec<String>,
}

impl PermutationImportance {
    pub(super) fn new(
        feature_names: Vec<String>,
        importances: Array2<f64>,
        base_score: f64,
        score: &dyn Score,
        model: &Model,
        options: &PermutationOptions,
    ) -> Self {
        let repeats = importances.ncols() as f64;
        let means: Vec<f64> = (importances.outer_iter())
            .map(|row| row.sum() / repeats)
            .collect();
        let squares: Vec<f64> = (importances.outer_iter().zip(&means))
            .map(|(row, mean)| row.iter().map(|one| (one - mean) * (one - mean)).sum())
            .collect();
        let error = |squares: &f64| (squares / (repeats - 1.0) / repeats).sqrt();
        Self {
            method: "permutation".to_owned(),
            metric: score.name(),
            is_error: score.is_error(),
            base_score,
            feature_names,
            groups: Vec::new(),
            standard_deviations: squares.iter().map(|sum| (sum / repeats).sqrt()).collect(),
            standard_errors: squares.iter().map(error).collect(),
            means,
            importances,
            n_repeats: options.n_repeats,
            rows: 0,
            strata: None,
            output: options.output.name().to_owned(),
            model_format: match model {
                Model::BlackBox(black_box) => black_box.title(),
                Model::Network(network) => BlackBox::from(network.clone()).title(),
                model => model.format().to_owned(),
            },
            engine: String::new(),
            device: String::new(),
            device_reason: String::new(),
            seed: options.seed,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            notes: Vec::new(),
        }
    }

    /// The features by their importance, the largest first; of equal ones the first comes first.
    pub fn ranking(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.means.len()).collect();
        order.sort_by(|&a, &b| self.means[b].total_cmp(&self.means[a]));
        order
    }
}

/// A list of lists.
fn nested<S: Serializer>(importances: &Array2<f64>, to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(importances.outer_iter().map(|row| row.to_vec()))
}

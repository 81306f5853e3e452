//! The one result of every method: values, and everything that says how they came about.

mod summary;

use ndarray::{Array2, Array3, ArrayView2, ArrayView3, Axis};
use serde::Serialize;

use crate::data::Table;
use crate::error::Result;
use crate::explain::lime::Locality;

pub use summary::Summary;

/// What holds for all rows of an explanation, known before the first row is explained.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Header {
    /// The method, such as `tree_shap`.
    pub method: String,
    /// The value function, such as `path_dependent`, `interventional` or `conditional`.
    pub value_function: String,
    /// The output space: `raw` margin, `probability`, `response` (the model's prediction), or
    /// `log_loss`.
    pub output: String,
    /// How the values are computed: `exact`, `sampled`, `auto` (exactly for some rows, sampled for
    /// others), or `rescaled`, which is an approximation.
    pub estimator: String,
    /// Whether the values are exact up to rounding.
    pub exact: bool,
    /// Expected output, per output: what the values of a row are added to. Of LIME the mean answer to the samples, whose
    /// rows have base values of their own; empty where they have samples of their own, too.
    pub base_values: Vec<f64>,
    /// How a value weighs what a feature adds to each coalition: `shapley`, or `banzhaf`, whose values
    /// do not add up.
    pub index: String,
    /// One name per feature, or group of features.
    pub feature_names: Vec<String>,
    /// The names of the columns that the model reads: those of the features where none are grouped.
    pub columns: Vec<String>,
    /// The groups among the features, and the columns of each.
    pub groups: Vec<(String, Vec<String>)>,
    /// One name per output.
    pub output_names: Vec<String>,
    /// The model's format, such as `XGBoost JSON`.
    pub model_format: String,
    /// The model's objective as its file names it.
    pub objective: String,
    /// Whether the values are interactions: of every pair of features, (features, features) in place
    /// of (features), symmetric, each row of pairs adding up to the value of its feature.
    pub interactions: bool,
    /// Of a network, what each step's multipliers follow: the node of its file, what it computes, and its rule.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<(String, String, String)>,
    /// Of a network, the completeness delta that rows should not pass, in the units of the output.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tolerance: Option<f64>,
    /// What rows that pass the tolerance are computed by: `integrated_gradients` or `expected_gradients`; empty where
    /// they stay as they are.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub fallback: String,
    /// Where the covers, or the expected values of the features, come from: `model`, or `background`
    /// with its number of rows and a hash of its cells as the model reads them (and of the weights
    /// of its rows), or `moments` with a hash of them.
    pub cover: String,
    /// The device that computed the values.
    pub device: String,
    /// Why this device.
    pub device_reason: String,
    /// Of LIME, its samples, and what is alike in a column.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lime: Option<Box<Locality>>,
    /// The seed; exact methods draw no random numbers and ignore it.
    pub seed: u64,
    /// The version of whylight.
    pub version: String,
}

impl Header {
    /// Whether each row has base values of its own, and says how well its model fits.
    pub fn has_intercepts(&self) -> bool {
        self.lime.is_some()
    }

    /// Whether each row says what its values miss the answer by.
    pub fn has_completeness_delta(&self) -> bool {
        self.method == "deep_shap"
    }

    /// Whether the completeness deltas of a row, one per output, pass the tolerance. What is no number passes any.
    pub fn is_past_tolerance<'a>(&self, deltas: impl IntoIterator<Item = &'a f32>) -> bool {
        let past =
            |tolerance: f64, delta: &f32| delta.is_nan() || f64::from(delta.abs()) > tolerance;
        let mut deltas = deltas.into_iter();
        self.tolerance
            .is_some_and(|tolerance| deltas.any(|delta| past(tolerance, delta)))
    }

    /// What a row's values and its base value add up to, as reports call it: the `margin`, ….
    pub fn output_label(&self) -> &str {
        match self.output.as_str() {
            "raw" => "margin",
            "log_loss" => "log loss",
            other => other,
        }
    }

    /// Values of a row and output: one per feature, or per pair of features for interactions.
    pub fn cells(&self) -> usize {
        let features = self.feature_names.len();
        if self.interactions {
            features * features
        } else {
            features
        }
    }
}

/// How the rows were computed, known after the last one.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Trailer {
    /// Number of rows.
    pub rows: u64,
    /// Largest |base value + Σ values − margin| over the checked rows and outputs, the margin
    /// summed in float64 from the leaves that the model's own rules select. NaN where values do not
    /// add up by definition.
    pub additivity_error: f64,
    /// Rows that were checked: all of a small table, evenly spaced ones of a large one.
    pub additivity_rows: u64,
    /// The largest standard error of a value; 0 for exact values, NaN where one is not known.
    pub standard_error: f64,
    /// Of rescaled values, the largest difference from exact, or estimated, ones of some rows; else 0.
    pub approximation_error: f64,
    /// How many trees each engine took, where a tree with a value per output counts once for each;
    /// of a linear model, how many features; of a network, how many steps follow each rule.
    pub engines: Vec<(String, usize)>,
    /// What the device could not take and another did, or other things worth knowing.
    pub notes: Vec<String>,
}

/// Values of all rows in memory.
#[derive(Debug, Clone)]
pub struct Explanation {
    /// What holds for all rows.
    pub header: Header,
    /// How they were computed.
    pub trailer: Trailer,
    /// Values (rows, features, outputs), or for interactions (rows, features · features, outputs).
    pub values: Array3<f32>,
    /// The standard error of every value, where values are estimated row by row; NaN where it is not known.
    pub standard_errors: Option<Array3<f32>>,
    /// What base value and values of each row add up to more than the model's answer, (rows, outputs), where they need
    /// not add up to it.
    pub completeness_delta: Option<Array2<f32>>,
    /// By row, whether the values are the fallback's; of a method that has one.
    pub recomputed: Option<Vec<bool>>,
    /// What the values of each row are added to, (rows, outputs), where rows have base values of their own: the
    /// intercepts of LIME.
    pub intercepts: Option<Array2<f64>>,
    /// How well the linear model of each row fits, (rows, outputs), of LIME: the weighted R² of its samples, NaN
    /// where these are too few to tell.
    pub local_fit: Option<Array2<f32>>,
    /// By row, its place in the table that was explained (counted from 0), where rows were picked.
    pub picked: Option<Vec<usize>>,
    /// The explained cells, for reports; labels and numbers as the table has them. See
    /// [`Explanation::with_data`].
    pub data: Option<Table>,
}

/// The next rows of an explanation.
#[derive(Debug, Clone, Copy)]
pub struct Block<'a> {
    /// (rows, features, outputs), for interactions (rows, features · features, outputs).
    pub values: ArrayView3<'a, f32>,
    /// (rows, outputs), as [`Explanation::completeness_delta`].
    pub completeness_delta: Option<ArrayView2<'a, f32>>,
    /// By row, as [`Explanation::recomputed`].
    pub recomputed: Option<&'a [bool]>,
    /// (rows, outputs), as [`Explanation::intercepts`].
    pub intercepts: Option<ArrayView2<'a, f64>>,
    /// (rows, outputs), as [`Explanation::local_fit`].
    pub local_fit: Option<ArrayView2<'a, f32>>,
}

impl<'a> From<ArrayView3<'a, f32>> for Block<'a> {
    /// Values alone.
    fn from(values: ArrayView3<'a, f32>) -> Self {
        Self {
            values,
            completeness_delta: None,
            recomputed: None,
            intercepts: None,
            local_fit: None,
        }
    }
}

/// Where an explainer writes blocks of rows.
pub trait Sink {
    /// Called once before the first block.
    ///
    /// # Errors
    /// What the sink's file says.
    fn begin(&mut self, header: &Header) -> Result<()>;

    /// Called with the next rows.
    ///
    /// # Errors
    /// What the sink's file says.
    fn block(&mut self, block: &Block<'_>) -> Result<()>;

    /// Called once after the last block.
    ///
    /// # Errors
    /// What the sink's file says.
    fn end(&mut self, trailer: &Trailer) -> Result<()>;
}

impl Explanation {
    /// By row, whether its completeness delta passes the tolerance; `None` where there is no tolerance.
    pub fn past_tolerance(&self) -> Option<Vec<bool>> {
        let deltas = self.completeness_delta.as_ref()?;
        self.header.tolerance?;
        let rows = deltas.rows().into_iter();
        Some(
            rows.map(|deltas| self.header.is_past_tolerance(deltas))
                .collect(),
        )
    }

    /// The explanation of some of its rows (counted from 0), which must be there, in this order.
    #[must_use]
    pub fn select(self, rows: &[usize]) -> Self {
        fn of<T: Clone>(all: Option<&Array2<T>>, rows: &[usize]) -> Option<Array2<T>> {
            all.map(|all| all.select(Axis(0), rows))
        }
        let rows: Vec<usize> = (rows.iter().copied())
            .filter(|&row| row < self.values.dim().0)
            .collect();
        let errors = self.standard_errors.as_ref();
        let marks = self.recomputed.as_ref();
        Self {
            trailer: Trailer {
                rows: rows.len() as u64,
                ..self.trailer.clone()
            },
            values: self.values.select(Axis(0), &rows),
            standard_errors: errors.map(|errors| errors.select(Axis(0), &rows)),
            completeness_delta: of(self.completeness_delta.as_ref(), &rows),
            recomputed: marks.map(|marks| rows.iter().map(|&row| marks[row]).collect()),
            intercepts: of(self.intercepts.as_ref(), &rows),
            local_fit: of(self.local_fit.as_ref(), &rows),
            data: self.data.and_then(|table| table.select(&rows).ok()),
            header: self.header,
            picked: Some(rows),
        }
    }

    /// The rows as one block, for a sink.
    pub fn block(&self) -> Block<'_> {
        Block {
            values: self.values.view(),
            completeness_delta: self.completeness_delta.as_ref().map(|all| all.view()),
            recomputed: self.recomputed.as_deref(),
            intercepts: self.intercepts.as_ref().map(|all| all.view()),
            local_fit: self.local_fit.as_ref().map(|all| all.view()),
        }
    }

    /// The explanation with the table that was explained, for reports to show its cells.
    #[must_use]
    pub fn with_data(self, table: Table) -> Self {
        let data = Some(table);
        Self { data, ..self }
    }

    /// Features by mean |value| over rows, summed over outputs, descending: (feature, mean).
    /// Equal means keep the order of the features.
    pub fn ranking(&self) -> Vec<(usize, f64)> {
        let rows = self.values.dim().0.max(1) as f64;
        let features = self.values.axis_iter(Axis(1));
        rank(features.map(|values| {
            let sizes = values.iter().map(|&value| f64::from(value.abs()));
            sizes.sum::<f64>() / rows
        }))
    }
}

/// Features with these means, by mean, descending; equal ones keep their order.
fn rank(means: impl Iterator<Item = f64>) -> Vec<(usize, f64)> {
    let mut ranking: Vec<(usize, f64)> = means.enumerate().collect();
    ranking.sort_by(|a, b| b.1.total_cmp(&a.1));
    ranking
}

//! What a method supplies to be run.

use std::fmt::Debug;

use super::amount::Amount;
use crate::data::Batch;
use crate::error::Result;
use crate::explanation::Header;
use crate::model::Feature;

/// A method made ready for a model, a value function and a device. Batches, progress, sinks, threads
/// and the check of additivity are the business of [`super::run`].
pub(super) trait Method: Debug + Send + Sync {
    /// What will hold for every row; its names say how many features and outputs the values have.
    fn header(&self) -> &Header;

    /// The columns that the model reads.
    fn features(&self) -> &[Feature];

    /// What a row costs at the most on one thread, in seconds, roughly.
    fn seconds(&self) -> f64;

    /// Writes the values of some rows to `out`, laid out (rows, features, outputs). A value is a
    /// function of its row and of [`Rows::amount`] alone, down to the bit.
    fn values(&self, rows: &Rows<'_>, out: &mut [f32]) -> Result<()>;

    /// The margins (rows, outputs) of rows whose cells are given (rows, features), in float64 and by
    /// the model's own rules: they share no code with the values, which are checked against them.
    fn margins(&self, rows: usize, cells: &[f64]) -> Result<Vec<f64>>;

    /// How rows were computed.
    fn account(&self, amount: Amount) -> Result<Account>;
}

/// The next rows of a call.
#[derive(Debug)]
pub(super) struct Rows<'a> {
    pub(super) batch: &'a Batch<'a>,
    /// Rows of the call that came before: an error counts from the first of them.
    pub(super) before: usize,
    pub(super) amount: Amount,
}

/// How rows were computed: [`crate::explanation::Trailer::engines`] and its notes.
#[derive(Debug, Clone, Default)]
pub(super) struct Account {
    pub(super) engines: Vec<(String, usize)>,
    pub(super) notes: Vec<String>,
}

/// One name per feature: the model's, or `f0`, ….
pub(super) fn names(features: &[Feature]) -> Vec<String> {
    let name = |(f, feature): (usize, &Feature)| {
        let name = feature.name.clone();
        name.unwrap_or_else(|| format!("f{f}"))
    };
    features.iter().enumerate().map(name).collect()
}

//! What a method supplies to be run.

use std::fmt::Debug;
use std::time::Duration;

use super::amount::Amount;
use super::lime::LocalSamples;
use crate::data::Batch;
use crate::error::{Error, MEMORY, Result};
use crate::explanation::Header;
use crate::model::Feature;

/// A method made ready for a model, a value function and a device. Batches, progress, sinks, threads
/// and the check of additivity are the business of [`super::run`].
pub(super) trait Method: Debug + Send + Sync {
    /// What will hold for every row; its names say how many features and outputs the values have.
    fn header(&self) -> &Header;

    /// The columns that the model reads.
    fn features(&self) -> &[Feature];

    /// Those of the features that cells are read for, by position; `None` for all.
    fn kept(&self) -> Option<&[u32]> {
        None
    }

    /// What a row costs at the most on one thread, in seconds, roughly.
    fn seconds(&self) -> f64;

    /// Rows of a batch at the least where someone waits between batches: fewer would not fill the lanes and
    /// the tiles of the engines.
    fn least_rows(&self) -> usize {
        256
    }

    /// Whether margins wait for the values, and come in one piece.
    fn is_serial(&self) -> bool {
        false
    }

    /// Writes the values of some rows to `out`, laid out (rows, features, outputs). A value is a
    /// function of its row and of [`Rows::amount`] alone, down to the bit.
    fn values(&self, rows: &Rows<'_>, out: &mut [f32]) -> Result<()>;

    /// As [`Method::values`], with what comes with the values.
    fn estimates(&self, rows: &Rows<'_>, out: &mut [f32], _extra: Extra<'_>) -> Result<Found> {
        self.values(rows, out).map(|()| Found::default())
    }

    /// Whether values have standard errors of their own.
    fn has_errors(&self) -> bool {
        false
    }

    /// Whether values need not add up to the model's answer, so that each row says what is left.
    fn has_deltas(&self) -> bool {
        false
    }

    /// Whether rows have base values of their own, and say how well their model fits.
    fn has_intercepts(&self) -> bool {
        false
    }

    /// The samples of the first of some rows, of a method that fits a model to them.
    fn local_samples(&self, _: &Rows<'_>) -> Result<Option<LocalSamples>> {
        Ok(None)
    }

    /// By row and feature, a number of what the cell is like, of a method whose rows SP-LIME picks from.
    fn components(&self, _: &Rows<'_>) -> Result<Option<Vec<usize>>> {
        Ok(None)
    }

    /// By row, what is true of the cells of each feature, of a method that compares rows by rules.
    fn rules(&self, _: &Rows<'_>) -> Result<Option<Vec<Vec<String>>>> {
        Ok(None)
    }

    /// Whether rows that miss the tolerance are computed again in another way.
    fn has_fallback(&self) -> bool {
        false
    }

    /// What values add up to, (rows, outputs), for rows whose cells are given (rows, features), in float64 and
    /// by the model's own rules: they share no code with the values, which are checked against them.
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

/// Room for what comes with the values of some rows; none where it is not wanted.
#[derive(Debug, Default)]
pub(super) struct Extra<'a> {
    /// The standard errors of the values, if [`Method::has_errors`].
    pub(super) errors: &'a mut [f32],
    /// What base value and values add up to more than the model's answer, (rows, outputs), if [`Method::has_deltas`].
    pub(super) deltas: &'a mut [f32],
    /// What the values of a row are added to, (rows, outputs), if [`Method::has_intercepts`].
    pub(super) intercepts: &'a mut [f64],
    /// How well the model of a row fits, (rows, outputs), if [`Method::has_intercepts`].
    pub(super) fits: &'a mut [f32],
    /// By row, whether the values are the fallback's, if [`Method::has_fallback`].
    pub(super) recomputed: &'a mut [bool],
}

/// What was found while rows were computed.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Found {
    /// Rows whose values are exact, estimated, and rescaled, where rows differ in that.
    pub(super) exact_rows: u64,
    pub(super) estimated_rows: u64,
    pub(super) rescaled_rows: u64,
    /// The largest standard error of a value; NaN where one is not known.
    pub(super) standard_error: f64,
    /// Rows whose errors were still above the tolerance when no more coalitions were to be had.
    pub(super) intolerable_rows: u64,
    /// Rows whose completeness delta passes the tolerance, and rows that a fallback computed.
    pub(super) incomplete_rows: u64,
    pub(super) recomputed_rows: u64,
    /// The largest difference of a rescaled value from a better one, and the rows that were compared.
    pub(super) approximation_error: f64,
    pub(super) compared_rows: u64,
    /// Rows whose linear models have as many features as samples, or more.
    pub(super) undetermined_rows: u64,
    /// Rows with a category that no background row has.
    pub(super) unseen_rows: u64,
    pub(super) asked: Asked,
}

/// How often a model was asked, and how long it took to answer, of the time of all.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Asked {
    pub(super) calls: u64,
    pub(super) rows: u64,
    pub(super) model: Duration,
    pub(super) all: Duration,
    /// Rows whose games a GPU left to the CPU.
    pub(super) left: u64,
}

impl Asked {
    fn with(self, other: Self) -> Self {
        Self {
            calls: self.calls + other.calls,
            rows: self.rows + other.rows,
            model: self.model + other.model,
            all: self.all + other.all,
            left: self.left + other.left,
        }
    }

    fn note(&self) -> Option<String> {
        let share = self.model.as_secs_f64() / self.all.as_secs_f64().max(f64::MIN_POSITIVE);
        (self.calls > 0).then(|| {
            format!(
                "the model was asked {} times, for {} rows in all, and took {:.0} % of the time",
                self.calls,
                self.rows,
                100.0 * share.min(1.0)
            )
        })
    }
}

impl Found {
    /// Of these rows and of others.
    pub(super) fn with(self, other: Self) -> Self {
        Self {
            exact_rows: self.exact_rows + other.exact_rows,
            estimated_rows: self.estimated_rows + other.estimated_rows,
            rescaled_rows: self.rescaled_rows + other.rescaled_rows,
            standard_error: larger(self.standard_error, other.standard_error),
            intolerable_rows: self.intolerable_rows + other.intolerable_rows,
            incomplete_rows: self.incomplete_rows + other.incomplete_rows,
            recomputed_rows: self.recomputed_rows + other.recomputed_rows,
            approximation_error: self.approximation_error.max(other.approximation_error),
            compared_rows: self.compared_rows + other.compared_rows,
            undetermined_rows: self.undetermined_rows + other.undetermined_rows,
            unseen_rows: self.unseen_rows + other.unseen_rows,
            asked: self.asked.with(other.asked),
        }
    }

    /// What a result should say of it.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.estimated_rows > 0 {
            notes.push(format!(
                "{} rows were estimated from sampled coalitions, {} computed exactly; the largest \
                 standard error of a value is {:.1e}",
                self.estimated_rows, self.exact_rows, self.standard_error
            ));
        }
        if self.intolerable_rows > 0 {
            notes.push(format!(
                "the tolerance was not met by {} rows, from as many coalitions as samples allow",
                self.intolerable_rows
            ));
        }
        if self.recomputed_rows > 0 {
            notes.push(format!(
                "{} rows passed the tolerance and were computed again by the fallback",
                self.recomputed_rows
            ));
        }
        if self.incomplete_rows > 0 {
            notes.push(format!(
                "the completeness delta of {} rows passes the tolerance",
                self.incomplete_rows
            ));
        }
        if self.rescaled_rows > 0 {
            notes.push(format!(
                "the values are those of the margin, rescaled: approximate, and off by up to {:.1e} \
                 on the {} rows that were computed exactly, or estimated, beside them",
                self.approximation_error, self.compared_rows
            ));
        }
        if self.undetermined_rows > 0 {
            notes.push(format!(
                "the models of {} rows have no standard errors and no local fit: their features, and the intercept, are \
                 as many as the samples, or more; take a larger num_samples, or a smaller num_features",
                self.undetermined_rows
            ));
        }
        if self.unseen_rows > 0 {
            notes.push(format!(
                "{} rows have a category that no training row has: no sample is like them in it",
                self.unseen_rows
            ));
        }
        notes.extend(self.asked.note());
        if self.asked.left > 0 {
            notes.push(format!(
                "{} rows were explained by the CPU: the GPU has no room for their games, or their numbers \
                 leave the range of float32",
                self.asked.left
            ));
        }
        notes
    }
}

/// How rows were computed: [`crate::explanation::Trailer::engines`] and its notes.
#[derive(Debug, Clone, Default)]
pub(super) struct Account {
    pub(super) engines: Vec<(String, usize)>,
    pub(super) notes: Vec<String>,
}

/// The larger number; NaN if one is.
pub(super) fn larger(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() {
        f64::NAN
    } else {
        a.max(b)
    }
}

/// One name per feature: the model's, or `f0`, ….
pub(super) fn names(features: &[Feature]) -> Vec<String> {
    let name = |(f, feature): (usize, &Feature)| {
        let name = feature.name.clone();
        name.unwrap_or_else(|| format!("f{f}"))
    };
    features.iter().enumerate().map(name).collect()
}

/// Numbers that are too large to be explained.
pub(super) fn beyond_range(at: String, what: &str) -> Error {
    Error::Data {
        path: MEMORY.into(),
        at,
        reason: format!("{what}; scale the cells, or the target of the model, down"),
    }
}

/// A cell that a model without missing values cannot read.
pub(super) fn unusable(path: &str, at: String, cell: f64) -> Error {
    let found = if cell.is_nan() {
        "the cell is missing (NaN)".to_owned()
    } else {
        // Large and small numbers by their exponents.
        format!("the cell is {cell:?}")
    };
    Error::Data {
        path: path.into(),
        at,
        reason: format!(
            "{found}, but this model reads finite numbers only; fill it as the model's training rows were filled, \
             or leave the row out"
        ),
    }
}

/// A category that an encoder of the model does not take.
pub(super) fn unknown_category(path: &str, at: String) -> Error {
    Error::Data {
        path: path.into(),
        at,
        reason: "its category is none of those that the model was trained on, and the model's encoder takes no \
                 others; leave the row out, or let the encoder ignore them (in scikit-learn, handle_unknown=\"ignore\")"
            .to_owned(),
    }
}

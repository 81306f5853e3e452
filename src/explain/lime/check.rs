//! What LIME can be asked for.

use super::fit::check_samples;
use super::options::{Discretizer, LimeOptions};
use crate::error::{Error, Result};
use crate::explain::background::{NAME, Sample};
use crate::explain::method::{names, unusable};
use crate::explain::{Estimator, Index, Link, Options, ValueFunction};
use crate::model::Feature;

/// Options of values that LIME has none of.
pub(super) fn check_others(options: &Options) -> Result<()> {
    let refused = |what: &str, instead: &str| {
        Err(Error::Unsupported {
            what: what.to_owned(),
            by: "LIME".to_owned(),
            instead: instead.to_owned(),
        })
    };
    let leave = "leave it out: LIME fits a linear model, whose coefficients are no Shapley values";
    match options {
        Options { link, .. } if *link != Link::Identity => refused("a link", leave),
        Options { interactions, .. } if *interactions => refused("interactions", leave),
        Options { index, .. } if *index != Index::Shapley => refused("an index", leave),
        Options { used_only, .. } if *used_only => refused(
            "to leave out unused features",
            "leave out used_only: nobody knows which features a model uses",
        ),
        Options { groups, .. } if !groups.is_empty() => refused(
            "a group of features",
            "leave the groups out, and add up the values",
        ),
        Options { value_function, .. } if *value_function != ValueFunction::Auto => {
            refused("a value function", leave)
        }
        Options { estimator, .. } if *estimator != Estimator::Auto => {
            refused("an estimator", "choose by feature_selection")
        }
        Options { samples, .. } if samples.is_some() => {
            refused("a number of coalitions", "take num_samples")
        }
        Options { tolerance, .. } if tolerance.is_some() => {
            refused("a tolerance", "take num_samples")
        }
        Options { layer, .. } if layer.is_some() => refused("a layer", leave),
        Options { fallback, .. } if fallback.is_some() => refused("a fallback", leave),
        _ => Ok(()),
    }
}

/// The options against the features of the model and the training rows.
pub(super) fn check(options: &LimeOptions, features: &[Feature], rows: usize) -> Result<()> {
    let refused = |name, got: String, allowed: &str| {
        let allowed = allowed.to_owned();
        Err(Error::Parameter { name, got, allowed })
    };
    let count = features.len();
    let is_bad = |width: &f64| !(*width > 0.0 && width.is_finite());
    if let Some(width) = options.kernel_width.filter(is_bad) {
        return refused("kernel_width", width.to_string(), "a finite number above 0");
    }
    if options.num_features == Some(0) {
        return refused(
            "num_features",
            "0".to_owned(),
            "at least 1, or none for all",
        );
    }
    if let Some(column) = options.categorical.iter().find(|column| **column >= count) {
        let allowed = format!(
            "positions of features, from 0 to {}",
            count.saturating_sub(1)
        );
        return refused("categorical_features", column.to_string(), &allowed);
    }
    if options.sample_around_instance && options.discretizer != Discretizer::None {
        return refused(
            "sample_around_instance",
            format!(
                "samples around a row with the discretizer {}",
                options.discretizer
            ),
            "with the discretizer none: bins are drawn as the training rows have them",
        );
    }
    match (&options.labels, options.discretizer) {
        (None, Discretizer::Entropy) => refused(
            "labels",
            "none".to_owned(),
            "the discretizer entropy needs the label of each training row",
        ),
        (Some(labels), Discretizer::Entropy) if labels.len() != rows => Err(Error::Shape {
            what: "the labels of the training rows".to_owned(),
            expected: format!("one for each of {rows} rows"),
            got: labels.len().to_string(),
        }),
        _ => check_samples(options.num_samples),
    }
}

/// The training rows: no infinite cells, and where numbers are quantities no missing ones.
pub(super) fn check_cells(
    sample: &Sample,
    features: &[Feature],
    is_quantity: &[bool],
) -> Result<()> {
    for (row, cells) in sample.rows().enumerate() {
        if let Some(column) = unusable_cell(cells, is_quantity) {
            let name = names(features).swap_remove(column);
            let at = format!("row {}, column \"{name}\"", row + 1);
            return Err(refused_cell(NAME, at, cells[column]));
        }
    }
    Ok(())
}

/// The first cell of a row that LIME cannot read.
pub(super) fn unusable_cell(cells: &[f64], is_quantity: &[bool]) -> Option<usize> {
    let mut cells = cells.iter().zip(is_quantity);
    cells.position(|(cell, is_quantity)| cell.is_infinite() || *is_quantity && cell.is_nan())
}

pub(super) fn refused_cell(path: &str, at: String, cell: f64) -> Error {
    if cell.is_nan() {
        return Error::Data {
            path: path.into(),
            at,
            reason: "the cell is missing (NaN), and without a discretizer numbers are quantities; take a discretizer, \
                     which gives missing cells a bin of their own, or fill the cell"
                .to_owned(),
        };
    }
    unusable(path, at, cell)
}

impl LimeOptions {
    /// Features of a row's model at most.
    pub(super) fn most_features(&self, features: usize) -> usize {
        self.num_features
            .map_or(features, |most| most.min(features))
    }
}

//! The mean and the covariance of a background.

use std::path::Path;

use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;

use super::cholesky::dot;
use super::unusable;
use crate::error::{Error, MEMORY, Result};
use crate::explain::background::{Background, NAME, Sample, check_weights, hash};
use crate::model::Feature;

/// Features whose covariances are computed at most: 512 MiB of float64.
const MOST_FEATURES: usize = 1 << 13;

/// A covariance may miss its mirror image by so much of the two deviations.
const ASYMMETRY: f64 = 1e-6;

/// What is known of the distribution of the features.
#[derive(Debug)]
pub(super) struct Moments {
    pub(super) mean: Vec<f64>,
    /// (features, features), where it is wanted.
    pub(super) covariance: Option<Array2<f64>>,
    /// As a result names it.
    pub(super) cover: String,
}

impl Moments {
    /// # Errors
    /// For a background that does not fit the features or is not finite.
    pub(super) fn new(
        features: &[Feature],
        background: &Background<'_>,
        with_covariance: bool,
    ) -> Result<Self> {
        if with_covariance && features.len() > MOST_FEATURES {
            return Err(Error::Unsupported {
                what: format!("a model of {} features", features.len()),
                by: format!("the conditional value function, up to {MOST_FEATURES}"),
                instead: "take the interventional one".to_owned(),
            });
        }
        match background {
            Background::Rows(rows) => {
                Self::of_rows(&Sample::read(features, None, rows)?, None, with_covariance)
            }
            Background::Weighted(rows, weights) => {
                let cells = Sample::read(features, None, rows)?;
                check_weights(weights, cells.rows)?;
                Self::of_rows(&cells, Some(weights), with_covariance)
            }
            Background::Moments { mean, covariance } => {
                Self::given(features.len(), mean, covariance.as_ref(), with_covariance)
            }
        }
        .map_err(|error| error.in_file(Path::new(NAME)))
    }

    fn of_rows(cells: &Sample, weights: Option<&[f64]>, with_covariance: bool) -> Result<Self> {
        if let Some(at) = cells.cells.iter().position(|cell| !cell.is_finite()) {
            let title = cells.title(at % cells.features);
            let row = at / cells.features + 1;
            return Err(unusable(
                MEMORY,
                format!("row {row}, {title}"),
                cells.cells[at],
            ));
        }
        // Only shares matter: the largest weight becomes 1, so that no sum of them overflows.
        let largest = weights.map_or(1.0, |weights| weights.iter().fold(0.0, |a, &b| b.max(a)));
        let weight = |row: usize| weights.map_or(1.0, |weights| weights[row] / largest);
        let weights_or_ones: Vec<f64> = (0..cells.rows).map(weight).collect();
        let total: f64 = weights_or_ones.iter().sum();
        // As differences from the first row, constant columns have their mean exactly, and no
        // variance at all.
        let mut centered: Vec<Vec<f64>> = (0..cells.features)
            .map(|feature| cells.rows().map(|row| row[feature]).collect())
            .collect();
        let mean: Vec<f64> = (centered.par_iter_mut())
            .map(|column| {
                let first = column[0];
                let mut shift = 0.0;
                for (cell, weight) in column.iter_mut().zip(&weights_or_ones) {
                    shift += (*cell - first) * weight;
                }
                shift /= total;
                for cell in column.iter_mut() {
                    *cell = *cell - first - shift;
                }
                first + shift
            })
            .collect();
        if let Some(feature) = mean.iter().position(|mean| !mean.is_finite()) {
            return Err(too_large(cells.title(feature)));
        }
        let covariance = with_covariance.then(|| covariance(&centered, &weights_or_ones, total));
        if let Some(covariance) = &covariance
            && let Some(feature) = (covariance.diag().iter()).position(|var| !var.is_finite())
        {
            return Err(too_large(cells.title(feature)));
        }
        Ok(Self {
            mean,
            covariance,
            cover: cells.cover(weights),
        })
    }

    fn given(
        features: usize,
        mean: &[f64],
        covariance: Option<&ArrayView2<'_, f64>>,
        with_covariance: bool,
    ) -> Result<Self> {
        let misfit = |what: &str, expected: String, got: String| Error::Shape {
            what: what.to_owned(),
            expected,
            got,
        };
        if mean.len() != features {
            return Err(misfit(
                "the mean",
                format!("one number for each of the model's {features} features"),
                mean.len().to_string(),
            ));
        }
        if let Some(feature) = mean.iter().position(|mean| !mean.is_finite()) {
            return Err(unusable(
                MEMORY,
                format!("mean {}", feature + 1),
                mean[feature],
            ));
        }
        let covariance = match covariance {
            Some(covariance) if covariance.dim() != (features, features) => {
                return Err(misfit(
                    "the covariance",
                    format!("{features} × {features} numbers"),
                    format!("{} × {}", covariance.nrows(), covariance.ncols()),
                ));
            }
            Some(covariance) => Some(symmetric(covariance)?),
            None if with_covariance => {
                return Err(Error::Parameter {
                    name: "covariance",
                    got: "none".to_owned(),
                    allowed: "the conditional value function needs it beside the mean; give it, \
                              or rows"
                        .to_owned(),
                });
            }
            None => None,
        };
        let all = covariance.iter().flatten().copied().collect::<Vec<f64>>();
        Ok(Self {
            mean: mean.to_vec(),
            cover: format!("moments, hash {:016x}", hash(&[mean, &all])),
            covariance: covariance.filter(|_| with_covariance),
        })
    }
}

fn too_large(title: &str) -> Error {
    Error::Data {
        path: MEMORY.into(),
        at: title.to_owned(),
        reason: "its moments leave the range of float64; scale the column down".to_owned(),
    }
}

/// The covariance of centered columns; what it is divided by does not matter to any value.
fn covariance(centered: &[Vec<f64>], weights: &[f64], total: f64) -> Array2<f64> {
    let features = centered.len();
    let rows = (centered.par_iter().enumerate()).map(|(i, column)| {
        let weighted: Vec<f64> = column.iter().zip(weights).map(|(x, w)| x * w).collect();
        (i..features)
            .map(|j| dot(&weighted, &centered[j]) / total)
            .collect::<Vec<f64>>()
    });
    let rows: Vec<Vec<f64>> = rows.collect();
    let mut covariance = Array2::zeros((features, features));
    for (i, row) in rows.iter().enumerate() {
        for (j, &value) in (i..).zip(row) {
            covariance[[i, j]] = value;
            covariance[[j, i]] = value;
        }
    }
    covariance
}

/// A covariance that is finite and, but for rounding, symmetric, as one that is exactly so.
fn symmetric(given: &ArrayView2<'_, f64>) -> Result<Array2<f64>> {
    let refused = |got: String, allowed: &str| {
        Err(Error::Parameter {
            name: "covariance",
            got,
            allowed: allowed.to_owned(),
        })
    };
    for ((i, j), &a) in given.indexed_iter() {
        if !a.is_finite() || i == j && a < 0.0 {
            return refused(
                format!("{a} at row {}, column {}", i + 1, j + 1),
                "finite numbers, none negative on the diagonal",
            );
        }
        let b = given[[j, i]];
        let scale = given[[i, i]].max(0.0).sqrt() * given[[j, j]].max(0.0).sqrt();
        if a.abs() > (1.0 + ASYMMETRY) * scale {
            return refused(
                format!("{a} at row {}, column {}", i + 1, j + 1),
                "a positive semidefinite matrix: no covariance exceeds the product of the two \
                 standard deviations",
            );
        }
        if (a - b).abs() > ASYMMETRY * scale {
            return refused(
                format!(
                    "{a} at row {}, column {}, and {b} at their mirror",
                    i + 1,
                    j + 1
                ),
                "a symmetric matrix",
            );
        }
    }
    Ok((given + &given.t()) / 2.0)
}

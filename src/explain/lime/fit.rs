//! The linear model of a row's neighbourhood, solved from samples and answers.

use std::borrow::Cow;

use ndarray::{Array2, ArrayView1, ArrayView2};
use whylight_kernels::weighted_gram::Differences;

use super::centred::{Centred, Solved};
use super::differences;
use super::options::Selection;
use super::select::select;
use crate::error::{Error, Result};

/// The penalty of the ridge.
pub(super) const PENALTY: f64 = 1.0;

/// A linear model of one output about one row.
#[derive(Debug, Clone, PartialEq)]
pub struct Fit {
    /// A coefficient per feature, 0 for those that are not used.
    pub values: Vec<f64>,
    /// The standard errors of the coefficients over other draws of the samples, with the same features. NaN of those that
    /// are used where these and the intercept are as many as the samples, or more.
    pub errors: Vec<f64>,
    /// What the model says where the representation is 0.
    pub intercept: f64,
    /// What it says of the row itself.
    pub local_prediction: f64,
    /// The weighted R² of the samples: 1 where all answers are alike; NaN where the features and the intercept are as
    /// many as the samples, or more, which any answers would then fit.
    pub local_fit: f64,
    /// The features that it has, ascending.
    pub used: Vec<usize>,
}

/// The samples about a row, with what they weigh and what the model answers to them.
#[derive(Debug)]
pub(super) struct Neighbourhood<'a> {
    /// Of the samples but for the row itself.
    pub(super) differences: Differences,
    /// Of these.
    pub(super) weights: Vec<f64>,
    /// What the row itself weighs.
    pub(super) own_weight: f64,
    /// The representation of the row.
    pub(super) row: Vec<f64>,
    /// What the model answers to the row, by output.
    pub(super) answers: Vec<f64>,
    /// What it answers to the samples more than to the row, by output.
    pub(super) targets: Vec<Cow<'a, [f64]>>,
}

/// Fits a model for each output to samples (samples, features), in the representation in which they are compared, of
/// which the first is the row itself; with the answers (samples, outputs) and the weight of each sample: what
/// [`Explainer`](crate::Explainer) does for samples that it draws. `features` are those of the model at most.
///
/// # Errors
/// [`Error::Shape`] if the parts do not fit together; [`Error::Parameter`] for fewer than two samples, for weights that are
/// negative, and for numbers that are not finite.
#[expect(
    clippy::needless_pass_by_value,
    reason = "a view is a pointer and a shape"
)]
pub fn fit(
    samples: ArrayView2<'_, f64>,
    answers: ArrayView2<'_, f64>,
    weights: &[f64],
    features: usize,
    selection: Selection,
) -> Result<Vec<Fit>> {
    let (count, size) = samples.dim();
    for (what, got) in [("answers", answers.nrows()), ("weights", weights.len())] {
        if got != count {
            return Err(Error::Shape {
                what: format!("the {what} of the samples"),
                expected: format!("one for each of {count} samples"),
                got: got.to_string(),
            });
        }
    }
    check_samples(count)?;
    let is_good = samples.iter().chain(answers).all(|cell| cell.is_finite())
        && weights.iter().all(|w| w.is_finite() && *w >= 0.0);
    if !is_good {
        return Err(Error::Parameter {
            name: "samples",
            got: "a number that is not finite, or a negative weight".to_owned(),
            allowed: "finite cells and answers, and weights of at least 0".to_owned(),
        });
    }
    let row = samples.row(0).to_vec();
    let others = samples.outer_iter().skip(1);
    let cells = others.flat_map(|sample| {
        let cells = sample.iter().zip(&row);
        cells.map(|(cell, own)| cell - own).collect::<Vec<f64>>()
    });
    let differences = Differences::Dense {
        features: size,
        cells: cells.collect(),
    };
    let targets = answers.columns().into_iter().map(|answers| {
        let first = answers[0];
        let others = answers.iter().skip(1);
        Cow::Owned(others.map(|answer| answer - first).collect())
    });
    let neighbourhood = Neighbourhood {
        differences,
        weights: weights[1..].to_vec(),
        own_weight: weights[0],
        answers: answers.row(0).to_vec(),
        targets: targets.collect(),
        row,
    };
    Ok(neighbourhood.fit(features, selection))
}

/// What samples (samples, features) weigh, of which the first is the row itself.
#[expect(
    clippy::needless_pass_by_value,
    reason = "a view is a pointer and a shape"
)]
pub fn weights(samples: ArrayView2<'_, f64>, kernel_width: f64) -> Vec<f64> {
    let square = |sample: ArrayView1<'_, f64>| -> f64 {
        let cells = sample.iter().zip(samples.row(0));
        cells.map(|(cell, own)| (cell - own).powi(2)).sum()
    };
    let samples = samples.outer_iter();
    samples
        .map(|sample| weight(square(sample), kernel_width))
        .collect()
}

/// What a sample weighs at a distance whose square is given.
pub(super) fn weight(square: f64, kernel_width: f64) -> f64 {
    (-square / (kernel_width * kernel_width)).exp().sqrt()
}

/// Refuses samples among which there is none but the row itself.
pub(super) fn check_samples(samples: usize) -> Result<()> {
    if samples >= 2 {
        return Ok(());
    }
    Err(Error::Parameter {
        name: "num_samples",
        got: samples.to_string(),
        allowed: "at least 2: the row itself, and another".to_owned(),
    })
}

/// Whether so many samples say how well a model of so many features, and an intercept, fits them.
pub(super) fn leaves_rest(samples: usize, features: usize) -> bool {
    samples > features + 1
}

impl Neighbourhood<'_> {
    /// A model for each output, of so many features at most.
    pub(super) fn fit(&self, features: usize, selection: Selection) -> Vec<Fit> {
        if self.is_wide() {
            return self.fit_wide(features, selection);
        }
        let targets: Vec<&[f64]> = self.targets.iter().map(|target| &**target).collect();
        let centred = Centred::new(
            &self.differences.sums(&self.weights, &targets),
            self.own_weight,
        );
        let solved = centred.solve(&self.about(features, selection));
        let with_errors = |(output, solved): (usize, Solved)| {
            let used = &solved.fit.used;
            let some = if used.len() < self.row.len() {
                Cow::Owned(differences::of_features(&self.differences, used))
            } else {
                Cow::Borrowed(&self.differences)
            };
            let squares = self.squares(&some, &centred, output, &solved.fit);
            let spread = some.sums(&squares, &[]);
            solved.with_errors(&centred, &spread, self.weights.len())
        };
        solved.into_iter().enumerate().map(with_errors).collect()
    }

    /// The features of each output's model.
    pub(super) fn select(&self, features: usize, selection: Selection) -> Vec<Vec<usize>> {
        if self.is_wide() {
            return self.select_wide(features, selection);
        }
        let targets: Vec<&[f64]> = self.targets.iter().map(|target| &**target).collect();
        let centred = Centred::new(
            &self.differences.sums(&self.weights, &targets),
            self.own_weight,
        );
        let about = self.about(features, selection);
        let outputs = 0..self.answers.len();
        outputs
            .map(|output| select(&centred.problem(output), &about))
            .collect()
    }

    /// The representations (samples, features), of which the first is that of the row.
    pub(super) fn representations(&self) -> Array2<f64> {
        let size = self.row.len();
        let mut all = Array2::zeros((self.weights.len() + 1, size));
        for (feature, own) in self.row.iter().enumerate() {
            let mut unit = vec![0.0; size];
            unit[feature] = 1.0;
            let others = self.differences.times(&unit);
            let cells = std::iter::once(0.0).chain(others);
            for (to, difference) in all.column_mut(feature).iter_mut().zip(cells) {
                *to = own + difference;
            }
        }
        all
    }

    /// Whether the space of the samples is the smaller one.
    fn is_wide(&self) -> bool {
        self.weights.len() < self.row.len()
    }

    pub(super) fn about(&self, features: usize, selection: Selection) -> About<'_> {
        About {
            row: &self.row,
            answers: &self.answers,
            samples: self.weights.len() + 1,
            features,
            selection,
        }
    }

    /// By sample, the square of its weight times what a model leaves of the target, with the differences in the features
    /// that the model has.
    fn squares(&self, some: &Differences, centred: &Centred, output: usize, fit: &Fit) -> Vec<f64> {
        let rest = centred.rest(output, &fit.values);
        let values: Vec<f64> = fit
            .used
            .iter()
            .map(|&feature| fit.values[feature])
            .collect();
        let said = some.times(&values);
        let samples = said.iter().zip(&*self.targets[output]).zip(&self.weights);
        samples
            .map(|((said, target), weight)| (weight * (target - said - rest)).powi(2))
            .collect()
    }
}

/// A row, and what its models are to be.
#[derive(Debug, Clone, Copy)]
pub(super) struct About<'a> {
    /// Its representation.
    pub(super) row: &'a [f64],
    /// What the model answers to it, by output.
    pub(super) answers: &'a [f64],
    /// Samples, with the row itself.
    pub(super) samples: usize,
    /// Features of a model at most.
    pub(super) features: usize,
    pub(super) selection: Selection,
}

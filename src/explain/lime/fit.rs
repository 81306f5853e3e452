//! The linear model of a row's neighbourhood, solved from samples and answers.

use std::borrow::Cow;
use std::rc::Rc;

use ndarray::{Array2, ArrayView1, ArrayView2};
use whylight_kernels::weighted_gram::{Differences, Sums};

use super::options::Selection;
use super::select::Problem;
use super::square::Cholesky;
use crate::error::{Error, Result};

/// The penalty of the ridge.
const PENALTY: f64 = 1.0;

/// A linear model of one output about one row.
#[derive(Debug, Clone, PartialEq)]
pub struct Fit {
    /// A coefficient per feature, 0 for those that are not used.
    pub values: Vec<f64>,
    /// The standard errors of the coefficients over other draws of the samples, with the same features.
    pub errors: Vec<f64>,
    /// What the model says where the representation is 0.
    pub intercept: f64,
    /// What it says of the row itself.
    pub local_prediction: f64,
    /// The weighted R² of the samples: 1 where all answers are alike.
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
/// [`Error::Shape`] if the parts do not fit together; [`Error::Parameter`] for fewer samples than the model has features,
/// and two more, for weights that are negative, and for numbers that are not finite.
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
    check_samples(count, features.min(size))?;
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

/// Refuses samples that are too few for the standard errors of so many coefficients.
pub(super) fn check_samples(samples: usize, features: usize) -> Result<()> {
    if samples >= features + 2 {
        return Ok(());
    }
    Err(Error::Parameter {
        name: "num_samples",
        got: samples.to_string(),
        allowed: format!(
            "at least {}: two more than the {features} features of a row's model",
            features + 2
        ),
    })
}

impl Neighbourhood<'_> {
    /// A model for each output, of so many features at most.
    pub(super) fn fit(&self, features: usize, selection: Selection) -> Vec<Fit> {
        let targets: Vec<&[f64]> = self.targets.iter().map(|target| &**target).collect();
        let centred = Centred::new(
            &self.differences.sums(&self.weights, &targets),
            self.own_weight,
        );
        let solved = centred.solve(&self.about(features, selection));
        let with_errors = |(output, solved): (usize, Solved)| {
            let spread = self
                .differences
                .sums(&self.squares(&centred, output, &solved.fit), &[]);
            solved.with_errors(&centred, &spread, self.weights.len())
        };
        solved.into_iter().enumerate().map(with_errors).collect()
    }

    /// The features of each output's model.
    pub(super) fn select(&self, features: usize, selection: Selection) -> Vec<Vec<usize>> {
        let targets: Vec<&[f64]> = self.targets.iter().map(|target| &**target).collect();
        let centred = Centred::new(
            &self.differences.sums(&self.weights, &targets),
            self.own_weight,
        );
        let about = self.about(features, selection);
        let outputs = 0..self.answers.len();
        outputs
            .map(|output| centred.problem(&about, output).select(selection, features))
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

    fn about(&self, features: usize, selection: Selection) -> About<'_> {
        About {
            row: &self.row,
            answers: &self.answers,
            samples: self.weights.len() + 1,
            features,
            selection,
        }
    }

    /// By sample, the square of its weight times what a model leaves of the target.
    fn squares(&self, centred: &Centred, output: usize, fit: &Fit) -> Vec<f64> {
        let rest = centred.rest(output, &fit.values);
        let said = self.differences.times(&fit.values);
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

/// A model without standard errors, and what these need.
#[derive(Debug)]
pub(super) struct Solved {
    pub(super) fit: Fit,
    /// Of the penalised products of the features that are used.
    inverse: Rc<Vec<f64>>,
}

impl Solved {
    /// Standard errors that hold whatever the spread of the answers is, and whether the model is linear or not (White
    /// 1980, with `MacKinnon` & White's factor for few samples): the row itself is the same in every draw. `spread` are
    /// sums over so many samples that weigh the square of their weight times their residual.
    pub(super) fn with_errors(self, centred: &Centred, spread: &Sums, samples: usize) -> Fit {
        let Self { mut fit, inverse } = self;
        let (size, count) = (fit.values.len(), fit.used.len());
        let mut squares = vec![0.0; count * count];
        for (row, &i) in squares.chunks_mut(count.max(1)).zip(&fit.used) {
            for (cell, &j) in row.iter_mut().zip(&fit.used) {
                *cell = spread.zz[i * size + j]
                    - centred.z[i] * spread.z[j]
                    - spread.z[i] * centred.z[j]
                    + spread.weight * centred.z[i] * centred.z[j];
            }
        }
        let factor = samples as f64 / (samples as f64 - count as f64).max(1.0);
        let mut through = vec![0.0; count];
        for (&feature, row) in fit.used.iter().zip(inverse.chunks(count.max(1))) {
            through.fill(0.0);
            for (part, squares) in row.iter().zip(squares.chunks(count.max(1))) {
                for (to, cell) in through.iter_mut().zip(squares) {
                    *to += part * cell;
                }
            }
            fit.errors[feature] = (factor * dot(row, &through)).max(0.0).sqrt();
        }
        fit
    }
}

/// Sums about the weighted means.
#[derive(Debug)]
pub(super) struct Centred {
    /// The means.
    z: Vec<f64>,
    t: Vec<f64>,
    /// The products of the differences from the means.
    zz: Vec<f64>,
    zt: Vec<f64>,
    tt: Vec<f64>,
}

impl Centred {
    /// Of the sums over samples, and the row, whose differences are 0.
    pub(super) fn new(sums: &Sums, own_weight: f64) -> Self {
        let size = sums.z.len();
        let weight = (sums.weight + own_weight).max(f64::MIN_POSITIVE);
        let mean = |sums: &[f64]| -> Vec<f64> { sums.iter().map(|sum| sum / weight).collect() };
        let (z, t) = (mean(&sums.z), mean(&sums.t));
        let zz = sums.zz.iter().enumerate();
        let zz = zz.map(|(at, sum)| sum - sums.z[at / size] * z[at % size]);
        let zt = sums.zt.iter().enumerate();
        let zt = zt.map(|(at, sum)| sum - sums.z[at % size] * t[at / size]);
        let tt = sums.tt.iter().zip(&sums.t).zip(&t);
        Self {
            zz: zz.collect(),
            zt: zt.collect(),
            tt: tt
                .map(|((sum, t), mean)| (sum - t * mean).max(0.0))
                .collect(),
            z,
            t,
        }
    }

    fn problem<'a>(&'a self, about: &About<'a>, output: usize) -> Problem<'a> {
        let size = about.row.len();
        Problem {
            size,
            gram: &self.zz,
            products: &self.zt[output * size..][..size],
            samples: about.samples,
            row: about.row,
        }
    }

    /// A model for each output, without standard errors.
    pub(super) fn solve(&self, about: &About<'_>) -> Vec<Solved> {
        let size = about.row.len();
        // Outputs that use the same features share the inverse.
        let mut last: Option<(Vec<usize>, Rc<Vec<f64>>)> = None;
        let mut solve = |output: usize| {
            let problem = self.problem(about, output);
            let used = problem.select(about.selection, about.features);
            let (gram, products) = problem.of(&used, PENALTY);
            let known = last.take().filter(|(same, _)| *same == used);
            let inverse = known.map_or_else(
                || {
                    let factor = Cholesky::new(used.len(), &gram);
                    Rc::new(factor.map_or_else(|| vec![0.0; gram.len()], |f| f.inverse()))
                },
                |(_, inverse)| inverse,
            );
            last = Some((used.clone(), Rc::clone(&inverse)));
            let mut values = vec![0.0; size];
            for (&feature, row) in used.iter().zip(inverse.chunks(used.len().max(1))) {
                values[feature] = dot(row, &products);
            }
            let local_prediction = about.answers[output] + self.rest(output, &values);
            let fit = Fit {
                errors: vec![0.0; size],
                intercept: local_prediction - dot(about.row, &values),
                local_prediction,
                local_fit: self.score(output, &values),
                values,
                used,
            };
            Solved { fit, inverse }
        };
        (0..about.answers.len()).map(&mut solve).collect()
    }

    /// What a model of targets says of the row itself.
    pub(super) fn rest(&self, output: usize, values: &[f64]) -> f64 {
        self.t[output] - dot(&self.z, values)
    }

    /// The weighted R².
    fn score(&self, output: usize, values: &[f64]) -> f64 {
        let size = values.len();
        let all = self.tt[output];
        let zt = &self.zt[output * size..][..size];
        let through = self.zz.chunks(size.max(1)).map(|row| dot(row, values));
        let square: f64 = through.zip(values).map(|(a, b)| a * b).sum();
        let left = (all - 2.0 * dot(zt, values) + square).max(0.0);
        match (left == 0.0, all == 0.0) {
            (true, true) => 1.0,
            (false, true) => 0.0,
            _ => 1.0 - left / all,
        }
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

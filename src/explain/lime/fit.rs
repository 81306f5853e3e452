//! The linear model of a row's neighbourhood, solved from samples and answers.

use std::borrow::Cow;

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
        let sums = self.differences.sums(&self.weights, &targets);
        self.solve(&Centred::new(&sums, self.own_weight), features, selection)
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

    /// The features of each output's model.
    pub(super) fn select(&self, features: usize, selection: Selection) -> Vec<Vec<usize>> {
        let targets: Vec<&[f64]> = self.targets.iter().map(|target| &**target).collect();
        let sums = self.differences.sums(&self.weights, &targets);
        let centred = Centred::new(&sums, self.own_weight);
        let outputs = 0..self.answers.len();
        let problem = |output| self.problem(&centred, output).select(selection, features);
        outputs.map(problem).collect()
    }

    fn problem<'a>(&'a self, centred: &'a Centred, output: usize) -> Problem<'a> {
        let size = self.row.len();
        Problem {
            size,
            gram: &centred.zz,
            products: &centred.zt[output * size..][..size],
            samples: self.weights.len() + 1,
            row: &self.row,
        }
    }

    fn solve(&self, centred: &Centred, features: usize, selection: Selection) -> Vec<Fit> {
        let size = self.row.len();
        // Outputs that use the same features share the inverse.
        let mut last: Option<(Vec<usize>, Vec<f64>)> = None;
        let fit = |output: usize| {
            let problem = self.problem(centred, output);
            let used = problem.select(selection, features);
            let (gram, products) = problem.of(&used, PENALTY);
            if last.as_ref().is_none_or(|(same, _)| *same != used) {
                let factor = Cholesky::new(used.len(), &gram);
                let inverse = factor.map_or_else(|| vec![0.0; gram.len()], |f| f.inverse());
                last = Some((used.clone(), inverse));
            }
            let inverse = last.as_ref().map_or(&[][..], |(_, inverse)| inverse);
            let mut values = vec![0.0; size];
            for (&feature, row) in used.iter().zip(inverse.chunks(used.len().max(1))) {
                values[feature] = row.iter().zip(&products).map(|(a, b)| a * b).sum();
            }
            let local_prediction =
                self.answers[output] + centred.t[output] - dot(&centred.z, &values);
            Fit {
                errors: self.errors(centred, output, &values, &used, inverse),
                intercept: local_prediction - dot(&self.row, &values),
                local_prediction,
                local_fit: centred.score(output, &values),
                values,
                used,
            }
        };
        (0..self.answers.len()).map(fit).collect()
    }

    /// Standard errors that hold whatever the spread of the answers is, and whether the model is linear or not (White
    /// 1980, with MacKinnon & White's factor for few samples): the row itself is the same in every draw.
    fn errors(
        &self,
        centred: &Centred,
        output: usize,
        values: &[f64],
        used: &[usize],
        inverse: &[f64],
    ) -> Vec<f64> {
        let size = values.len();
        let offset = dot(&centred.z, values) - centred.t[output];
        let residuals = self.differences.times(values);
        let squares: Vec<f64> = (residuals.iter().zip(&*self.targets[output]))
            .zip(&self.weights)
            .map(|((said, target), weight)| (weight * (target - said + offset)).powi(2))
            .collect();
        let sums = self.differences.sums(&squares, &[]);
        let count = used.len();
        let mut spread = vec![0.0; count * count];
        for (row, &i) in spread.chunks_mut(count.max(1)).zip(used) {
            for (cell, &j) in row.iter_mut().zip(used) {
                *cell = sums.zz[i * size + j] - centred.z[i] * sums.z[j] - sums.z[i] * centred.z[j]
                    + sums.weight * centred.z[i] * centred.z[j];
            }
        }
        let samples = self.weights.len() as f64;
        let factor = samples / (samples - count as f64).max(1.0);
        let mut errors = vec![0.0; size];
        let mut through = vec![0.0; count];
        for (&feature, row) in used.iter().zip(inverse.chunks(count.max(1))) {
            through.fill(0.0);
            for (part, spread) in row.iter().zip(spread.chunks(count.max(1))) {
                for (to, cell) in through.iter_mut().zip(spread) {
                    *to += part * cell;
                }
            }
            errors[feature] = (factor * dot(row, &through)).max(0.0).sqrt();
        }
        errors
    }
}

/// Sums about the weighted means.
struct Centred {
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
    fn new(sums: &Sums, own_weight: f64) -> Self {
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

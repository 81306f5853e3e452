//! The normal equations of a row's samples, about their weighted means, and the ridge that solves them.

use std::borrow::Cow;
use std::rc::Rc;

use ndarray::Array2;
use whylight_kernels::weighted_gram::Sums;

use super::fit::{About, Fit, PENALTY, leaves_rest};
use super::select::{Regression, select};
use super::square::{Cholesky, diagonal, dot};

/// A model without standard errors, and what these need.
#[derive(Debug)]
pub(super) struct Solved {
    pub(super) fit: Fit,
    penalised: Option<Rc<Penalised>>,
}

/// The penalised products of the features that are used.
#[derive(Debug)]
struct Penalised {
    factor: Cholesky,
    inverse: Array2<f64>,
}

impl Solved {
    /// Standard errors that hold whatever the spread of the answers is, and whether the model is linear or not (White
    /// 1980, with `MacKinnon` & White's factor for few samples): the row itself is the same in every draw. `spread` are
    /// sums of the features
    /// that are used, over so many samples, without the row, that weigh the square of their weight times their residual.
    pub(super) fn with_errors(self, centred: &Centred, spread: &Sums, samples: usize) -> Fit {
        let Self { mut fit, penalised } = self;
        let count = fit.used.len();
        if !leaves_rest(samples + 1, count) {
            for &feature in &fit.used {
                fit.errors[feature] = f64::NAN;
            }
            return fit;
        }
        let Some(penalised) = penalised else {
            return fit;
        };
        let means: Vec<f64> = fit.used.iter().map(|&feature| centred.z[feature]).collect();
        let squares = Array2::from_shape_fn((count, count), |(i, j)| {
            spread.zz[i * count + j] - means[i] * spread.z[j] - spread.z[i] * means[j]
                + spread.weight * means[i] * means[j]
        });
        let factor = samples as f64 / (samples - count) as f64;
        let squares = diagonal(&penalised.inverse, squares);
        for (&feature, square) in fit.used.iter().zip(squares) {
            fit.errors[feature] = (factor * square).max(0.0).sqrt();
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
        let less = |row: &[f64], numbers: &[f64], factor: f64| -> Vec<f64> {
            let cells = row.iter().zip(numbers);
            cells.map(|(sum, number)| sum - factor * number).collect()
        };
        let zz = sums.zz.chunks(size.max(1)).zip(&sums.z);
        let zz = zz.flat_map(|(row, sum)| less(row, &z, *sum));
        let zt = sums.zt.chunks(size.max(1)).zip(&t);
        let zt = zt.flat_map(|(row, mean)| less(row, &sums.z, *mean));
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

    pub(super) fn problem(&self, output: usize) -> Problem<'_> {
        let size = self.z.len();
        Problem {
            size,
            gram: &self.zz,
            products: &self.zt[output * size..][..size],
        }
    }

    /// A model for each output, without standard errors.
    pub(super) fn solve(&self, about: &About<'_>) -> Vec<Solved> {
        let size = about.row.len();
        // Outputs that use the same features share the inverse.
        let mut last: Option<(Vec<usize>, Option<Rc<Penalised>>)> = None;
        let mut solve = |output: usize| {
            let problem = self.problem(output);
            let used = select(&problem, about);
            let mut products = problem.products_of(&used);
            let known = last.take().filter(|(same, _)| *same == used);
            let penalised = known.map_or_else(
                || {
                    let factor = Cholesky::new(used.len(), problem.of(&used, PENALTY))?;
                    let inverse = factor.inverse();
                    Some(Rc::new(Penalised { factor, inverse }))
                },
                |(_, penalised)| penalised,
            );
            last = Some((used.clone(), penalised.clone()));
            let mut values = vec![0.0; size];
            if let Some(penalised) = &penalised {
                penalised.factor.solve(&mut products);
                for (&feature, value) in used.iter().zip(products) {
                    values[feature] = value;
                }
            }
            let local_prediction = about.answers[output] + self.rest(output, &values);
            let fit = Fit {
                errors: vec![0.0; size],
                intercept: local_prediction - dot(about.row, &values),
                local_prediction,
                local_fit: if leaves_rest(about.samples, used.len()) {
                    self.score(output, &values)
                } else {
                    f64::NAN
                },
                values,
                used,
            };
            Solved { fit, penalised }
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

/// The normal equations of an output.
pub(super) struct Problem<'a> {
    size: usize,
    /// (size, size).
    gram: &'a [f64],
    /// Of features and the target.
    products: &'a [f64],
}

impl Problem<'_> {
    /// The products of some features among themselves, with a penalty on each.
    fn of(&self, used: &[usize], penalty: f64) -> Vec<f64> {
        let mut gram = Vec::with_capacity(used.len() * used.len());
        for &i in used {
            let row = &self.gram[i * self.size..][..self.size];
            gram.extend(used.iter().map(|&j| row[j]));
        }
        for own in gram.iter_mut().step_by(used.len() + 1) {
            *own += penalty;
        }
        gram
    }

    /// The products of some features with the target.
    fn products_of(&self, used: &[usize]) -> Vec<f64> {
        used.iter().map(|&feature| self.products[feature]).collect()
    }
}

impl Regression for Problem<'_> {
    fn products(&self) -> &[f64] {
        self.products
    }

    fn squares(&self) -> Vec<f64> {
        self.gram.iter().step_by(self.size + 1).copied().collect()
    }

    fn row(&self, feature: usize) -> Cow<'_, [f64]> {
        Cow::Borrowed(&self.gram[feature * self.size..][..self.size])
    }

    fn ridge(&self, penalty: f64) -> Vec<f64> {
        let all: Vec<usize> = (0..self.size).collect();
        let mut values = self.products.to_vec();
        if let Some(factor) = Cholesky::new(self.size, self.of(&all, penalty)) {
            factor.solve(&mut values);
        }
        values
    }
}

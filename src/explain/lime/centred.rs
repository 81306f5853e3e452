//! The normal equations of a row's samples, about their weighted means, and the ridge that solves them.

use std::borrow::Cow;
use std::rc::Rc;

use whylight_kernels::weighted_gram::Sums;

use super::fit::{About, Fit, PENALTY, leaves_rest};
use super::select::{Regression, select};
use super::square::{Cholesky, dot};

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
    /// sums over so many samples, without the row, that weigh the square of their weight times their residual.
    pub(super) fn with_errors(self, centred: &Centred, spread: &Sums, samples: usize) -> Fit {
        let Self { mut fit, inverse } = self;
        let (size, count) = (fit.values.len(), fit.used.len());
        if !leaves_rest(samples + 1, count) {
            for &feature in &fit.used {
                fit.errors[feature] = f64::NAN;
            }
            return fit;
        }
        let mut squares = vec![0.0; count * count];
        for (row, &i) in squares.chunks_mut(count.max(1)).zip(&fit.used) {
            for (cell, &j) in row.iter_mut().zip(&fit.used) {
                *cell = spread.zz[i * size + j]
                    - centred.z[i] * spread.z[j]
                    - spread.z[i] * centred.z[j]
                    + spread.weight * centred.z[i] * centred.z[j];
            }
        }
        let factor = samples as f64 / (samples - count) as f64;
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
        let mut last: Option<(Vec<usize>, Rc<Vec<f64>>)> = None;
        let mut solve = |output: usize| {
            let problem = self.problem(output);
            let used = select(&problem, about);
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
                local_fit: if leaves_rest(about.samples, used.len()) {
                    self.score(output, &values)
                } else {
                    f64::NAN
                },
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

/// The normal equations of an output.
pub(super) struct Problem<'a> {
    size: usize,
    /// (size, size).
    gram: &'a [f64],
    /// Of features and the target.
    products: &'a [f64],
}

impl Problem<'_> {
    /// The products of some features among themselves, with a penalty on each; and with the target.
    fn of(&self, used: &[usize], penalty: f64) -> (Vec<f64>, Vec<f64>) {
        let row = |&i: &usize| used.iter().map(move |&j| self.gram[i * self.size + j]);
        let mut gram: Vec<f64> = used.iter().flat_map(row).collect();
        for own in gram.iter_mut().step_by(used.len() + 1) {
            *own += penalty;
        }
        let products = used.iter().map(|&feature| self.products[feature]);
        (gram, products.collect())
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
        let (gram, mut values) = self.of(&all, penalty);
        if let Some(factor) = Cholesky::new(self.size, &gram) {
            factor.solve(&mut values);
        }
        values
    }
}

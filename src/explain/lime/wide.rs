//! The linear model of a row where there are no more samples than features: a ridge is then solved in the space of the
//! samples (Saunders, Gammerman & Vovk 1998, "Ridge regression learning algorithm in dual variables").
//!
//! For centred samples X, each times the root of its weight, and centred targets y times the same, the coefficients
//! `(Xᵀ X + λ)⁻¹ Xᵀ y` are `Xᵀ (X Xᵀ + λ)⁻¹ y`: a system of as many equations as there are samples. Features that are the
//! row's in all samples are left out, and have no coefficient.

use std::borrow::Cow;

use whylight_kernels::weighted_gram::Differences;

use super::differences;
use super::fit::{Fit, Neighbourhood, PENALTY, leaves_rest};
use super::options::Selection;
use super::select::{Regression, select};
use super::square::{Cholesky, dot};

/// The products of samples among themselves.
struct Wide<'a> {
    differences: &'a Differences,
    /// Of the samples, of which the row itself is the last.
    weights: Vec<f64>,
    /// The means of the features.
    means: Vec<f64>,
    /// X Xᵀ.
    gram: Vec<f64>,
}

/// An output of them.
struct Output<'a> {
    wide: &'a Wide<'a>,
    /// The mean of the targets.
    mean: f64,
    /// y.
    target: Vec<f64>,
    /// Xᵀ y.
    products: Vec<f64>,
}

impl Neighbourhood<'_> {
    /// As [`Neighbourhood::fit`], of no more samples than features.
    pub(super) fn fit_wide(&self, features: usize, selection: Selection) -> Vec<Fit> {
        let size = self.row.len();
        let outputs = 0..self.answers.len();
        let varying = differences::varying(&self.differences);
        if varying.len() < size {
            let fits = self.of_features(&varying, outputs).fit(features, selection);
            return fits
                .into_iter()
                .map(|fit| fit.among(&varying, size))
                .collect();
        }
        let wide = Wide::new(self);
        let about = self.about(features, selection);
        let mut whole = None;
        let fit = |at: usize| {
            let output = wide.output(&self.targets[at]);
            let used = select(&output, &about);
            if used.len() < size {
                let some = self.of_features(&used, at..at + 1);
                let fit = some.fit(used.len(), Selection::None).swap_remove(0);
                return fit.among(&used, size);
            }
            let factor = whole.get_or_insert_with(|| wide.factor(PENALTY));
            let values = output.coefficients(factor.as_ref());
            let local_prediction = self.answers[at] + output.mean - dot(&wide.means, &values);
            let none = if leaves_rest(about.samples, size) {
                0.0
            } else {
                f64::NAN
            };
            Fit {
                errors: vec![none; size],
                intercept: local_prediction - dot(&self.row, &values),
                local_prediction,
                local_fit: none,
                values,
                used,
            }
        };
        outputs.map(fit).collect()
    }

    /// As [`Neighbourhood::select`], of no more samples than features.
    pub(super) fn select_wide(&self, features: usize, selection: Selection) -> Vec<Vec<usize>> {
        let outputs = 0..self.answers.len();
        let varying = differences::varying(&self.differences);
        if varying.len() < self.row.len() {
            let some = self.of_features(&varying, outputs);
            let used = some.select(features, selection).into_iter();
            return used
                .map(|used| used.iter().map(|&at| varying[at]).collect())
                .collect();
        }
        let wide = Wide::new(self);
        let about = self.about(features, selection);
        outputs
            .map(|at| select(&wide.output(&self.targets[at]), &about))
            .collect()
    }

    /// The same of some features and outputs.
    fn of_features(&self, some: &[usize], outputs: std::ops::Range<usize>) -> Neighbourhood<'_> {
        let targets = &self.targets[outputs.clone()];
        Neighbourhood {
            differences: differences::of_features(&self.differences, some),
            weights: self.weights.clone(),
            own_weight: self.own_weight,
            row: some.iter().map(|&feature| self.row[feature]).collect(),
            answers: self.answers[outputs].to_vec(),
            targets: targets
                .iter()
                .map(|target| Cow::Borrowed(&**target))
                .collect(),
        }
    }
}

impl Fit {
    /// The same among so many features, of which its own are at these places.
    fn among(self, places: &[usize], size: usize) -> Self {
        let spread = |own: Vec<f64>| {
            let mut all = vec![0.0; size];
            for (&place, number) in places.iter().zip(own) {
                all[place] = number;
            }
            all
        };
        Self {
            values: spread(self.values),
            errors: spread(self.errors),
            used: self.used.iter().map(|&at| places[at]).collect(),
            ..self
        }
    }
}

impl<'a> Wide<'a> {
    fn new(about: &'a Neighbourhood<'_>) -> Self {
        let differences = &about.differences;
        let mut weights = about.weights.clone();
        weights.push(about.own_weight);
        let total = weights.iter().sum::<f64>().max(f64::MIN_POSITIVE);
        let mut means = differences::sum(differences, &about.weights);
        for mean in &mut means {
            *mean /= total;
        }
        let products = differences::products(differences);
        let samples = weights.len();
        // The row itself is 0, and so are its products.
        let others = products.chunks(samples - 1);
        let mean = |row| dot(row, &about.weights) / total;
        let mut with_mean: Vec<f64> = others.map(mean).collect();
        with_mean.push(0.0);
        let of_mean = dot(&with_mean, &weights) / total;
        let mut gram = vec![0.0; samples * samples];
        for (i, row) in gram.chunks_mut(samples).enumerate() {
            let products = products.get(i * (samples - 1)..).unwrap_or_default();
            for (j, to) in row.iter_mut().enumerate() {
                let product = products.get(j).filter(|_| j + 1 < samples);
                let centred = product.unwrap_or(&0.0) - with_mean[i] - with_mean[j] + of_mean;
                *to = (weights[i] * weights[j]).sqrt() * centred;
            }
        }
        Self {
            differences,
            weights,
            means,
            gram,
        }
    }

    /// X Xᵀ with a penalty; `None` if it is not positive definite.
    fn factor(&self, penalty: f64) -> Option<Cholesky> {
        let samples = self.weights.len();
        let mut gram = self.gram.clone();
        for own in gram.iter_mut().step_by(samples + 1) {
            *own += penalty;
        }
        Cholesky::new(samples, gram)
    }

    fn output(&self, target: &[f64]) -> Output<'_> {
        let total = self.weights.iter().sum::<f64>().max(f64::MIN_POSITIVE);
        // The row's own is 0.
        let target = [target, &[0.0]].concat();
        let mean = dot(&target, &self.weights) / total;
        let target = (target.iter().zip(&self.weights))
            .map(|(target, weight)| weight.sqrt() * (target - mean))
            .collect::<Vec<f64>>();
        Output {
            wide: self,
            mean,
            products: self.back(&target),
            target,
        }
    }

    /// Xᵀ of a number per sample.
    fn back(&self, numbers: &[f64]) -> Vec<f64> {
        let weighted = numbers.iter().zip(&self.weights);
        let weighted: Vec<f64> = weighted
            .map(|(number, weight)| number * weight.sqrt())
            .collect();
        let all: f64 = weighted.iter().sum();
        let mut sums = differences::sum(self.differences, &weighted);
        for (sum, mean) in sums.iter_mut().zip(&self.means) {
            *sum -= mean * all;
        }
        sums
    }
}

impl Output<'_> {
    /// Those of a ridge whose penalised products of samples are given.
    fn coefficients(&self, factor: Option<&Cholesky>) -> Vec<f64> {
        let Some(factor) = factor else {
            return vec![0.0; self.products.len()];
        };
        let mut dual = self.target.clone();
        factor.solve(&mut dual);
        self.wide.back(&dual)
    }
}

impl Regression for Output<'_> {
    fn products(&self) -> &[f64] {
        &self.products
    }

    fn squares(&self) -> Vec<f64> {
        let Wide { weights, means, .. } = self.wide;
        let total: f64 = weights.iter().sum();
        let squares = differences::sum_of_squares(self.wide.differences, weights);
        let squares = squares.iter().zip(means);
        squares
            .map(|(square, mean)| square - total * mean * mean)
            .collect()
    }

    fn row(&self, feature: usize) -> Cow<'_, [f64]> {
        let mean = self.wide.means[feature];
        let mut column = differences::column(self.wide.differences, feature);
        column.push(0.0);
        let column = column.iter().zip(&self.wide.weights);
        let column: Vec<f64> = column
            .map(|(z, weight)| weight.sqrt() * (z - mean))
            .collect();
        Cow::Owned(self.wide.back(&column))
    }

    fn ridge(&self, penalty: f64) -> Vec<f64> {
        self.coefficients(self.wide.factor(penalty).as_ref())
    }
}

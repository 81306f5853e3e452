//! Which features a row's model has.

use std::borrow::Cow;

use super::fit::About;
use super::lars;
use super::options::Selection;

/// The penalty of the ridge whose coefficients choose.
const PENALTY: f64 = 0.01;

/// Up to how many features [`Selection::Auto`] takes one by one.
const ONE_BY_ONE: usize = 6;

/// The share of a feature's variance below which those chosen before determine it.
const DETERMINED: f64 = 1e-10;

/// A regression about the weighted means.
pub(super) trait Regression {
    /// The products of features and the target.
    fn products(&self) -> &[f64];

    /// The products of each feature and itself.
    fn squares(&self) -> Vec<f64>;

    /// The products of a feature and all.
    fn row(&self, feature: usize) -> Cow<'_, [f64]>;

    /// The coefficients of a ridge on all features.
    fn ridge(&self, penalty: f64) -> Vec<f64>;
}

/// The features, ascending, of a row's model.
pub(super) fn select(regression: &dyn Regression, about: &About<'_>) -> Vec<usize> {
    let (size, most) = (about.row.len(), about.features);
    let mut used = match about.selection {
        Selection::LassoPath => lasso_path(regression, about),
        _ if most >= size => (0..size).collect(),
        Selection::None => (0..size).collect(),
        Selection::Auto if most <= ONE_BY_ONE => one_by_one(regression, most),
        Selection::ForwardSelection => one_by_one(regression, most),
        Selection::Auto | Selection::HighestWeights => highest_weights(regression, about),
    };
    used.sort_unstable();
    used
}

fn highest_weights(regression: &dyn Regression, about: &About<'_>) -> Vec<usize> {
    let weights = regression.ridge(PENALTY);
    let size = |feature: &usize| (weights[*feature] * about.row[*feature]).abs();
    let mut order: Vec<usize> = (0..about.row.len()).collect();
    order.sort_by(|a, b| size(b).total_cmp(&size(a)));
    order.truncate(about.features);
    order
}

/// Takes what is chosen out of the others, so that each gain is that of one feature: a Cholesky factorisation whose pivots
/// are the features with the largest gains.
fn one_by_one(regression: &dyn Regression, most: usize) -> Vec<usize> {
    let squares = regression.squares();
    let (mut own, mut products) = (squares.clone(), regression.products().to_vec());
    let mut factors: Vec<Vec<f64>> = Vec::new();
    let mut used: Vec<usize> = Vec::new();
    for _ in 0..most.min(squares.len()) {
        let gain = |feature: usize| {
            if own[feature] > DETERMINED * squares[feature] {
                products[feature].powi(2) / own[feature]
            } else {
                0.0
            }
        };
        let mut best: Option<(usize, f64)> = None;
        for feature in (0..squares.len()).filter(|feature| !used.contains(feature)) {
            let gain = gain(feature);
            if best.is_none_or(|(_, most)| gain > most) {
                best = Some((feature, gain));
            }
        }
        let Some((feature, gain)) = best else { break };
        used.push(feature);
        if gain == 0.0 {
            continue;
        }
        let root = own[feature].sqrt();
        let mut factor = regression.row(feature).into_owned();
        for other in &factors {
            let share = other[feature];
            for (to, other) in factor.iter_mut().zip(other) {
                *to -= share * other;
            }
        }
        let share = products[feature] / root;
        for ((to, own), product) in factor.iter_mut().zip(&mut own).zip(&mut products) {
            *to /= root;
            *own -= *to * *to;
            *product -= *to * share;
        }
        factors.push(factor);
    }
    used
}

fn lasso_path(regression: &dyn Regression, about: &About<'_>) -> Vec<usize> {
    let path = lars::path(regression, about.samples);
    let mut vertices = path.into_iter().skip(1).rev().peekable();
    if vertices.peek().is_none() {
        return (0..about.row.len()).collect();
    }
    let mut last = Vec::new();
    for vertex in vertices {
        last = vertex;
        if last.len() <= about.features {
            break;
        }
    }
    last
}

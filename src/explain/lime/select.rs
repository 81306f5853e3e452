//! Which features a row's model has.

use super::lars::{self, part};
use super::options::Selection;
use super::square::Cholesky;

/// The penalty of the ridge whose coefficients choose.
const PENALTY: f64 = 0.01;

/// Up to how many features [`Selection::Auto`] takes one by one.
const ONE_BY_ONE: usize = 6;

/// The share of a feature's variance below which those chosen before determine it.
const DETERMINED: f64 = 1e-10;

/// A regression about the weighted means.
#[derive(Debug, Clone, Copy)]
pub(super) struct Problem<'a> {
    pub(super) size: usize,
    /// (size, size).
    pub(super) gram: &'a [f64],
    /// Of features and the target.
    pub(super) products: &'a [f64],
    pub(super) samples: usize,
    /// The representation of the row: what coefficients are multiplied by.
    pub(super) row: &'a [f64],
}

impl Problem<'_> {
    /// The features, ascending, up to so many.
    pub(super) fn select(&self, selection: Selection, most: usize) -> Vec<usize> {
        let mut used = match selection {
            Selection::LassoPath => self.lasso_path(most),
            _ if most >= self.size => (0..self.size).collect(),
            Selection::None => (0..self.size).collect(),
            Selection::Auto if most <= ONE_BY_ONE => self.one_by_one(most),
            Selection::ForwardSelection => self.one_by_one(most),
            Selection::Auto | Selection::HighestWeights => self.highest_weights(most),
        };
        used.sort_unstable();
        used
    }

    fn highest_weights(&self, most: usize) -> Vec<usize> {
        let mut ridge = self.gram.to_vec();
        for i in 0..self.size {
            ridge[i * self.size + i] += PENALTY;
        }
        let mut weights = self.products.to_vec();
        if let Some(factor) = Cholesky::new(self.size, &ridge) {
            factor.solve(&mut weights);
        }
        let size = |feature: &usize| (weights[*feature] * self.row[*feature]).abs();
        let mut order: Vec<usize> = (0..self.size).collect();
        order.sort_by(|a, b| size(b).total_cmp(&size(a)));
        order.truncate(most);
        order
    }

    /// Takes what is chosen out of the others, so that each gain is that of one feature.
    fn one_by_one(&self, most: usize) -> Vec<usize> {
        let size = self.size;
        let (mut gram, mut products) = (self.gram.to_vec(), self.products.to_vec());
        let mut used: Vec<usize> = Vec::new();
        for _ in 0..most.min(size) {
            let gain = |feature: usize| {
                let own = gram[feature * size + feature];
                if own > DETERMINED * self.gram[feature * size + feature] {
                    products[feature].powi(2) / own
                } else {
                    0.0
                }
            };
            let mut best: Option<(usize, f64)> = None;
            for feature in (0..size).filter(|feature| !used.contains(feature)) {
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
            let row = gram[feature * size..][..size].to_vec();
            let share = products[feature] / row[feature];
            for (i, own) in row.iter().enumerate() {
                let factor = own / row[feature];
                for (cell, other) in gram[i * size..][..size].iter_mut().zip(&row) {
                    *cell -= factor * other;
                }
                products[i] -= own * share;
            }
        }
        used
    }

    fn lasso_path(&self, most: usize) -> Vec<usize> {
        let path = lars::path(self.size, self.gram, self.products, self.samples);
        let mut vertices = path.into_iter().skip(1).rev().peekable();
        if vertices.peek().is_none() {
            return (0..self.size).collect();
        }
        let mut last = Vec::new();
        for vertex in vertices {
            last = vertex;
            if last.len() <= most {
                break;
            }
        }
        last
    }

    /// The products of some features among themselves, with a penalty on each; and with the target.
    pub(super) fn of(&self, used: &[usize], penalty: f64) -> (Vec<f64>, Vec<f64>) {
        let mut gram = part(self.size, self.gram, used);
        for i in 0..used.len() {
            gram[i * used.len() + i] += penalty;
        }
        let products = used.iter().map(|&feature| self.products[feature]);
        (gram, products.collect())
    }
}

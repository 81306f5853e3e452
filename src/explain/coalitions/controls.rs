//! Control variates: games whose Shapley values are 0, so that an estimate without them is one of the same
//! values, and varies less by as much as they say of the game.
//!
//! Of a coalition and its complement the difference alone counts, in which interactions of two players cancel
//! (their value is exact): what is left begins with those of three. The control of players i, j and k is the
//! game that is worth 1 where one of them is a member, −1 where two are, and 0 elsewhere. Its value is 0 for
//! each of them, by symmetry and efficiency, and with the additive games it spans the interactions of three.
//!
//! This is regression adjustment (Witter, Liu & Musco 2025, "Regression-adjusted Monte Carlo estimators for
//! Shapley values and probabilistic values") with a polynomial of order 3 as the regression, whose own values
//! are known, and the least squares problem of [`super::squares`] for what it leaves. Controls are chosen by
//! what they say of the residuals; how much they are shrunk, by what they say of pairs that they were not
//! fitted to. Standard errors come from what is left of each fold of the pairs by controls that were fitted
//! to the others.

use super::draw::Pair;
use super::solve::Factor;
use super::squares::{Squares, residuals};
use crate::random::mix;

/// Folds of the pairs.
const FOLDS: usize = 5;

/// Controls at most.
const MOST: usize = 128;

/// Players whose controls are considered at most: those of the largest values.
const PLAYERS: usize = 40;

/// Ridges, as parts of a control's mean square, and parts of the controls that are tried.
const RIDGES: [f64; 3] = [0.02, 0.2, 2.0];
const PARTS: [usize; 2] = [1, 4];

/// Takes from the gains what controls say of them; returns the gains less what is said by controls that were
/// fitted to other pairs.
pub(super) fn adjust(
    squares: &Squares,
    players: usize,
    pairs: &[Pair],
    gains: &mut [f64],
) -> Vec<f64> {
    let slopes = squares.slopes(pairs, gains);
    let residuals = residuals(pairs, gains, &slopes);
    let weights = squares.weights();
    let mut chosen: Vec<usize> = (0..players).collect();
    chosen.sort_by(|&a, &b| slopes[b].abs().total_cmp(&slopes[a].abs()).then(a.cmp(&b)));
    chosen.truncate(PLAYERS);
    let signs = signs(&chosen, pairs);
    let controls = choose(&signs, weights, &residuals, MOST.min(pairs.len() / 8));
    let mut unfitted = gains.to_vec();
    if controls.is_empty() {
        return unfitted;
    }
    let fit = Fit::new(&controls, weights, &residuals, folds(pairs));
    // As large as the residuals, in what counts for the variance.
    let loss = |said: &[f64]| -> f64 {
        let left = residuals.iter().zip(said).zip(weights);
        left.map(|((residual, said), weight)| (weight * (residual - said)).powi(2))
            .sum()
    };
    let mut best = (loss(&vec![0.0; pairs.len()]), None);
    for part in PARTS {
        for ridge in RIDGES {
            let count = controls.len().div_ceil(part);
            let Some(said) = fit.said_of_others(&controls, count, ridge) else {
                continue;
            };
            let loss = loss(&said);
            if loss < best.0 {
                best = (loss, Some((said, count, ridge)));
            }
        }
    }
    if let Some((of_others, count, ridge)) = best.1 {
        let slopes = fit.slopes(None, count, ridge).unwrap_or_default();
        for (unfitted, said) in unfitted.iter_mut().zip(of_others) {
            *unfitted -= said;
        }
        for (control, slope) in controls.iter().zip(slopes) {
            for (gain, cell) in gains.iter_mut().zip(control) {
                *gain -= slope * cell;
            }
        }
    }
    unfitted
}

/// By player: 1 in the pairs whose coalition it is in, else −1.
fn signs(players: &[usize], pairs: &[Pair]) -> Vec<Vec<f64>> {
    let sign = |player: usize, pair: &Pair| {
        let is_in = pair.members.binary_search(&(player as u32)).is_ok();
        if is_in { 1.0 } else { -1.0 }
    };
    let of_player = |&player: &usize| pairs.iter().map(|pair| sign(player, pair)).collect();
    players.iter().map(of_player).collect()
}

/// The controls, by pair, that say the most of the residuals.
fn choose(signs: &[Vec<f64>], weights: &[f64], residuals: &[f64], most: usize) -> Vec<Vec<f64>> {
    let n = signs.len();
    let weighted: Vec<f64> = weights.iter().zip(residuals).map(|(w, r)| w * r).collect();
    let mut product = vec![0.0; weighted.len()];
    let mut found = Vec::new();
    for i in 0..n {
        for j in i + 1..n {
            for (((cell, a), b), w) in product
                .iter_mut()
                .zip(&signs[i])
                .zip(&signs[j])
                .zip(&weighted)
            {
                *cell = a * b * w;
            }
            // Residuals have no additive part, so that the product of signs says as much as the control.
            found.extend((j + 1..n).map(|k| (dot(&product, &signs[k]).abs(), [i, j, k])));
        }
    }
    found.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    found.truncate(most);
    let control = |(_, [i, j, k]): (f64, [usize; 3])| {
        let cells = signs[i].iter().zip(&signs[j]).zip(&signs[k]);
        let value = |((a, b), c): ((&f64, &f64), &f64)| (a * b * c - (a + b + c) / 3.0) * 0.75;
        cells.map(value).collect()
    };
    found.into_iter().map(control).collect()
}

/// A sum of products in eight lanes, whose order is fixed.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut lanes = [0.0; 8];
    let (a, b) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f64 = (a.remainder().iter().zip(b.remainder()))
        .map(|(a, b)| a * b)
        .sum();
    for (a, b) in a.zip(b) {
        for ((lane, a), b) in lanes.iter_mut().zip(a).zip(b) {
            *lane += a * b;
        }
    }
    rest + lanes.iter().sum::<f64>()
}

/// By pair: its fold, which is that of its coalition wherever it stands.
fn folds(pairs: &[Pair]) -> Vec<usize> {
    let of_pair = |pair: &Pair| {
        let members = pair.members.iter();
        let number = members.fold(0, |number, &member| mix(number ^ u64::from(member + 1)));
        number as usize % FOLDS
    };
    pairs.iter().map(of_pair).collect()
}

/// Products of controls with each other and with the residuals, by fold and of all.
struct Fit {
    of_pairs: Vec<usize>,
    count: usize,
    folds: Vec<(Vec<f64>, Vec<f64>)>,
    all: (Vec<f64>, Vec<f64>),
}

impl Fit {
    fn new(
        controls: &[Vec<f64>],
        weights: &[f64],
        residuals: &[f64],
        of_pairs: Vec<usize>,
    ) -> Self {
        let count = controls.len();
        let mut all = (vec![0.0; count * count], vec![0.0; count]);
        let folds = (0..FOLDS).map(|fold| {
            let of_fold = |cells: &[f64]| -> Vec<f64> {
                let cells = cells.iter().zip(&of_pairs);
                cells
                    .filter(|(_, of)| **of == fold)
                    .map(|(cell, _)| *cell)
                    .collect()
            };
            let weights = of_fold(weights);
            let residuals = of_fold(residuals);
            let controls: Vec<Vec<f64>> = controls.iter().map(|cells| of_fold(cells)).collect();
            let (mut products, mut sides) = (vec![0.0; count * count], vec![0.0; count]);
            for (i, control) in controls.iter().enumerate() {
                let weighted: Vec<f64> = control.iter().zip(&weights).map(|(c, w)| c * w).collect();
                sides[i] = dot(&weighted, &residuals);
                for (j, other) in controls.iter().enumerate().take(i + 1) {
                    products[i * count + j] = dot(&weighted, other);
                    products[j * count + i] = products[i * count + j];
                }
            }
            (products, sides)
        });
        let folds: Vec<_> = folds.collect();
        for (products, sides) in &folds {
            all.0
                .iter_mut()
                .zip(products)
                .for_each(|(all, cell)| *all += cell);
            all.1
                .iter_mut()
                .zip(sides)
                .for_each(|(all, cell)| *all += cell);
        }
        Self {
            of_pairs,
            count,
            folds,
            all,
        }
    }

    /// The slopes of the first controls, fitted to all pairs, or to all but a fold.
    fn slopes(&self, without: Option<usize>, first: usize, ridge: f64) -> Option<Vec<f64>> {
        let left_out = without.map(|fold| &self.folds[fold]);
        let diagonal: f64 = (0..first).map(|i| self.all.0[i * self.count + i]).sum();
        let mut matrix = Vec::with_capacity(first * first);
        for i in 0..first {
            let row = i * self.count..i * self.count + first;
            matrix.extend_from_slice(&self.all.0[row.clone()]);
            if let Some((products, _)) = left_out {
                let cells = matrix[i * first..].iter_mut().zip(&products[row]);
                cells.for_each(|(cell, product)| *cell -= product);
            }
            matrix[i * first + i] += ridge * diagonal / first as f64;
        }
        let mut slopes = self.all.1[..first].to_vec();
        if let Some((_, sides)) = left_out {
            let cells = slopes.iter_mut().zip(sides);
            cells.for_each(|(cell, side)| *cell -= side);
        }
        Factor::new(first, matrix)?.solve(&mut slopes);
        Some(slopes)
    }

    /// What the first controls say of each pair, fitted to the pairs of the other folds.
    fn said_of_others(&self, controls: &[Vec<f64>], first: usize, ridge: f64) -> Option<Vec<f64>> {
        let mut said = vec![0.0; controls[0].len()];
        for fold in 0..FOLDS {
            let slopes = self.slopes(Some(fold), first, ridge)?;
            for (control, slope) in controls.iter().zip(&slopes) {
                let pairs = said.iter_mut().zip(control).zip(&self.of_pairs);
                for ((said, cell), _) in pairs.filter(|(_, of)| **of == fold) {
                    *said += slope * cell;
                }
            }
        }
        Some(said)
    }
}

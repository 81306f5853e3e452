//! Shapley values as the solution of a least squares problem (Lundberg & Lee 2017), over some coalitions.
//!
//! They are the slopes of the additive game that is nearest to v among those that agree with it on no
//! players and on all of them, where a coalition of size s weighs `(n − 1) / (C(n, s) s (n − s))`. In that
//! problem every size has the same leverage, so as many coalitions of each size are drawn, without
//! replacement, each together with its complement; sizes that have no more than their share are taken
//! whole, and leave the rest to the others (Musco & Witter 2025, "Provably accurate Shapley value estimation
//! via leverage score sampling"). With a coalition and its complement, only the difference of their worths
//! counts.
//!
//! The standard error is that of the linearised solution: what each pair that was drawn adds to it, by its
//! residual (HC2 of `MacKinnon` & White 1985), has a variance within each stratum, which draws without
//! replacement lessen by the part of the stratum that they take. The 95 % interval of a value is 1.96 standard
//! errors to either side.

use super::draw::{Pair, Stratum};
use super::solve::Factor;

/// Influences that are held at most: of players, by pair that was drawn.
const MOST_INFLUENCES: usize = 1 << 26;

/// The least squares problem over some pairs.
#[derive(Debug)]
pub(super) struct Squares {
    players: usize,
    strata: Vec<Stratum>,
    /// By pair, for all times that it was drawn.
    weights: Vec<f64>,
    factor: Factor,
    /// By pair of a stratum that is not whole, one after the other: what a unit of its residual adds to the
    /// value of each player, in each of its draws.
    influences: Vec<f32>,
}

impl Squares {
    /// `None` if the problem has no solution, or is too large to be held.
    pub(super) fn new(players: usize, pairs: &[Pair], strata: Vec<Stratum>) -> Option<Self> {
        let is_drawn = |pair: &&Pair| strata[pair.stratum].left > 0.0;
        let held = pairs
            .iter()
            .filter(is_drawn)
            .count()
            .saturating_mul(players);
        if held > MOST_INFLUENCES {
            return None;
        }
        let n = players as f64;
        let weights: Vec<f64> = (pairs.iter())
            .map(|pair| strata[pair.stratum].weight * pair.times)
            .collect();
        // Σ w a aᵀ for a = members − size / n, which is 0 along (1, …, 1): there the values add up to
        // the total whatever the coalitions say.
        let mut matrix = vec![0.0; players * players];
        let mut row = vec![0.0; players];
        for (pair, weight) in pairs.iter().zip(&weights) {
            centre(pair, &mut row);
            for (i, a) in row.iter().enumerate() {
                let cells = &mut matrix[i * players..][..players];
                for (cell, b) in cells.iter_mut().zip(&row) {
                    *cell += weight * a * b;
                }
            }
        }
        let trace: f64 = (0..players).map(|i| matrix[i * players + i]).sum();
        for cell in &mut matrix {
            *cell += trace / (n * n);
        }
        let factor = Factor::new(players, matrix)?;
        let mut influences = Vec::with_capacity(held);
        let mut solved = vec![0.0; players];
        for (pair, weight) in pairs
            .iter()
            .zip(&weights)
            .filter(|(pair, _)| is_drawn(pair))
        {
            centre(pair, &mut row);
            solved.copy_from_slice(&row);
            factor.solve(&mut solved);
            let leverage: f64 = solved.iter().zip(&row).map(|(a, b)| weight * a * b).sum();
            // The solution follows the pair, whose residual is so much smaller on average.
            let draw = strata[pair.stratum].weight / (1.0 - leverage).max(0.1).sqrt();
            influences.extend(solved.iter().map(|cell| (draw * cell) as f32));
        }
        Some(Self {
            players,
            strata,
            weights,
            factor,
            influences,
        })
    }

    /// Whether nothing was left out.
    pub(super) fn is_whole(&self) -> bool {
        self.influences.is_empty()
    }

    /// Whether a pair stands for others, which were not drawn.
    pub(super) fn is_drawn(&self, pair: &Pair) -> bool {
        self.strata[pair.stratum].left > 0.0
    }

    /// By pair.
    pub(super) fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// The values of the players and their standard errors, from the gains of pairs: half of what a
    /// coalition is worth more than its complement, less what an even division of the total gives. The
    /// errors come from gains of their own, of which no part was fitted to the pair itself.
    pub(super) fn values(
        &self,
        pairs: &[Pair],
        gains: &[f64],
        unfitted: &[f64],
        total: f64,
    ) -> (Vec<f64>, Vec<f64>) {
        let mut values = self.slopes(pairs, gains);
        let errors = self.errors(pairs, &residuals(pairs, unfitted, &values));
        let rest = (total - values.iter().sum::<f64>()) / self.players as f64;
        for value in &mut values {
            *value += rest;
        }
        (values, errors)
    }

    /// The values beside an even division of the total.
    pub(super) fn slopes(&self, pairs: &[Pair], gains: &[f64]) -> Vec<f64> {
        let mut values = vec![0.0; self.players];
        let mut shared = 0.0;
        for ((pair, gain), weight) in pairs.iter().zip(gains).zip(&self.weights) {
            shared += weight * gain * pair.members.len() as f64 / self.players as f64;
            for &member in &pair.members {
                values[member as usize] += weight * gain;
            }
        }
        for value in &mut values {
            *value -= shared;
        }
        self.factor.solve(&mut values);
        values
    }

    /// Standard errors, from what the additive game leaves of the gains.
    fn errors(&self, pairs: &[Pair], residuals: &[f64]) -> Vec<f64> {
        let mut variances = vec![0.0; self.players];
        let mut influences = self.influences.chunks_exact(self.players);
        for (pair, residual) in pairs.iter().zip(residuals) {
            let left = self.strata[pair.stratum].left;
            if left == 0.0 {
                continue;
            }
            let influence = influences.next().unwrap_or_default();
            // About 0, where residuals are on the whole: a mean of a few draws would hide their spread.
            for (variance, influence) in variances.iter_mut().zip(influence) {
                *variance += left * pair.times * (f64::from(*influence) * residual).powi(2);
            }
        }
        variances.iter().map(|variance| variance.sqrt()).collect()
    }
}

/// What slopes leave of gains.
pub(super) fn residuals(pairs: &[Pair], gains: &[f64], slopes: &[f64]) -> Vec<f64> {
    let total: f64 = slopes.iter().sum::<f64>() / slopes.len().max(1) as f64;
    let of_pair = |(pair, gain): (&Pair, &f64)| {
        let members = pair.members.iter();
        let sum: f64 = members.map(|&member| slopes[member as usize]).sum();
        gain - (sum - pair.members.len() as f64 * total)
    };
    pairs.iter().zip(gains).map(of_pair).collect()
}

/// Which players are members, less their share.
fn centre(pair: &Pair, row: &mut [f64]) {
    row.fill(-(pair.members.len() as f64) / row.len() as f64);
    for &member in &pair.members {
        row[member as usize] += 1.0;
    }
}

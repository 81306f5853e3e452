//! Shapley values as the solution of a least squares problem over pairs of coalitions (Lundberg & Lee 2017).
//! Twin: `shaders/least_squares.wgsl`
//!
//! The problem is one of the coalitions alone: it is made once, and solved for the worths of every row and output.
//! With a coalition and its complement, only the difference of their worths counts: of a pair, the *gain* is half of
//! it, less what an even division of the total gives. The values beside that division are the *slopes* of the
//! additive game that is nearest to the gains, `A⁻¹ Σ w g a`, with `a` 1 for members and 0 for the others, less the
//! share of all players that are members.

use crate::binding::{bindings, params};

bindings! {
    masks: Read,
    totals: Read,
    weights: Read,
    inverse: Read,
    drawn: Read,
    spreads: Read,
    worths: Write,
    solved: Write,
}

params! {
    /// Parameters of the shader.
    {
        /// The first game of the launch, of a row and an output.
        first,
        /// Games of the launch.
        games,
        /// Players.
        players,
        /// Pairs of coalitions.
        pairs,
        /// Pairs that were drawn.
        drawn,
        /// Coalitions that there are worths of.
        coalitions,
        /// 0.
        zero,
    }
}

/// Players of a problem that the shader solves, at most.
pub const MOST_PLAYERS: u32 = 1024;

/// A problem over some pairs, whose members are given with each call: of the coalition that comes before its
/// complement.
#[derive(Debug)]
pub struct LeastSquares {
    /// Players.
    pub players: usize,
    /// By pair.
    pub weights: Vec<f64>,
    /// (player, player): the inverse of `A = Σ w a aᵀ`, with a number added to each cell, without which it has none.
    pub inverse: Vec<f64>,
    /// Pairs that stand for others, which were not drawn.
    pub drawn: Vec<u32>,
    /// (pair of them, player): what a unit of its residual adds to the standard error of a value.
    pub spreads: Vec<f32>,
}

/// The part of the players that are members.
fn share(members: &[u32], players: usize) -> f64 {
    members.len() as f64 / players as f64
}

impl LeastSquares {
    /// The gains of pairs, from the worths of coalitions, each followed by its complement, and of all players more
    /// than none.
    pub fn gains<M: AsRef<[u32]>>(&self, pairs: &[M], worths: &[f64], total: f64) -> Vec<f64> {
        let gain = |(pair, worths): (&M, &[f64])| {
            let even = (2.0 * share(pair.as_ref(), self.players) - 1.0) * total;
            0.5 * (worths[0] - worths[1] - even)
        };
        pairs.iter().zip(worths.chunks_exact(2)).map(gain).collect()
    }

    /// The values of the players and their standard errors, from the gains of pairs. The errors come from gains of
    /// their own, of which no part was fitted to the pair itself.
    pub fn values<M: AsRef<[u32]>>(
        &self,
        pairs: &[M],
        gains: &[f64],
        unfitted: &[f64],
        total: f64,
    ) -> (Vec<f64>, Vec<f64>) {
        let mut values = self.slopes(pairs, gains);
        let errors = self.errors(&self.residuals(pairs, unfitted, &values));
        share_rest(&mut values, total);
        (values, errors)
    }

    /// The values beside an even division of the total.
    pub fn slopes<M: AsRef<[u32]>>(&self, pairs: &[M], gains: &[f64]) -> Vec<f64> {
        let mut right = vec![0.0; self.players];
        let mut shared = 0.0;
        for ((pair, gain), weight) in pairs.iter().zip(gains).zip(&self.weights) {
            let members = pair.as_ref();
            shared += weight * gain * share(members, self.players);
            for &member in members {
                right[member as usize] += weight * gain;
            }
        }
        for cell in &mut right {
            *cell -= shared;
        }
        let rows = self.inverse.chunks_exact(self.players.max(1));
        let product = |row: &[f64]| row.iter().zip(&right).map(|(a, b)| a * b).sum();
        rows.map(product).collect()
    }

    /// What slopes leave of gains.
    pub fn residuals<M: AsRef<[u32]>>(
        &self,
        pairs: &[M],
        gains: &[f64],
        slopes: &[f64],
    ) -> Vec<f64> {
        let all: f64 = slopes.iter().sum();
        let of_pair = |(pair, gain): (&M, &f64)| {
            let members = pair.as_ref();
            let sum: f64 = members.iter().map(|&member| slopes[member as usize]).sum();
            gain - (sum - share(members, self.players) * all)
        };
        pairs.iter().zip(gains).map(of_pair).collect()
    }

    /// Standard errors, from the residuals of all pairs.
    fn errors(&self, residuals: &[f64]) -> Vec<f64> {
        let mut variances = vec![0.0; self.players];
        let spreads = self.spreads.chunks_exact(self.players.max(1));
        for (&pair, spreads) in self.drawn.iter().zip(spreads) {
            let residual = residuals[pair as usize];
            // About 0, where residuals are on the whole: a mean of a few draws would hide their spread.
            for (variance, spread) in variances.iter_mut().zip(spreads) {
                *variance += (f64::from(*spread) * residual).powi(2);
            }
        }
        variances.iter().map(|variance| variance.sqrt()).collect()
    }
}

/// Makes values of slopes: divides evenly what they lack to the total.
pub fn share_rest(slopes: &mut [f64], total: f64) {
    let rest = (total - slopes.iter().sum::<f64>()) / slopes.len().max(1) as f64;
    for slope in slopes {
        *slope += rest;
    }
}

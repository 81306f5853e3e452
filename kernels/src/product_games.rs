//! Shapley values of sums of products, exactly: the margins of kernel machines whose kernel is a product.
//!
//! A support vector s gives a coalition of a row x beside a background row b the product of `k_j(x, s)` over the
//! members and of `k_j(b, s)` over the others. The values of that game are
//! `φ_i = (k_i(x, s) − k_i(b, s)) ∫₀¹ ∏_{j ≠ i} ((1 − u) k_j(b, s) + u k_j(x, s)) du` (Owen 1972, on its
//! multilinear extension), whose integrand is a polynomial: half as many Gauss–Legendre points as there are players
//! are exact. All factors lie in [0, 1].
#![allow(
    clippy::needless_range_loop,
    reason = "lanes by their number: what the compiler vectorises"
)]

use crate::lanes::{LANES, weighted};
use crate::legendre::Rule;
use crate::simd::{Simd, instances};

/// The terms of an explained row and of a background.
#[derive(Debug, Clone, Copy)]
pub struct Games<'a> {
    /// Players, at least one.
    pub players: usize,
    /// Of the row: (player, support vector).
    pub row: &'a [f64],
    /// Of every [`LANES`] background rows side by side: (player, support vector).
    pub background: &'a [Vec<[f64; LANES]>],
    /// As many weights; 0 for what fills up the last.
    pub weights: &'a [[f64; LANES]],
    /// (machine, support vector).
    pub coefficients: &'a [f64],
}

instances! { wide
    /// Adds the values of a row to `values`, laid out (player, machine), by a rule that has at least half as many
    /// points as there are players.
    pub fn run = run_games(games: &Games<'_>, rule: &Rule, values: &mut [f64])
}

#[inline(always)]
fn run_games<S: Simd>(games: &Games<'_>, rule: &Rule, values: &mut [f64]) {
    let players = games.players;
    let units = games.row.len() / players;
    let machines = values.len() / players;
    let mut before = vec![[0.0; LANES]; players];
    let mut factors = vec![[0.0; LANES]; players];
    let mut slopes = vec![[0.0; LANES]; players];
    for (background, weights) in games.background.iter().zip(games.weights) {
        for unit in 0..units {
            slopes.fill([0.0; LANES]);
            for (&u, &weight) in rule.points.iter().zip(&rule.weights) {
                let mut product = [weight; LANES];
                for player in 0..players {
                    let y = &background[player * units + unit];
                    let x = u * games.row[player * units + unit];
                    before[player] = product;
                    for l in 0..LANES {
                        let factor = S::fused(1.0 - u, y[l], x);
                        factors[player][l] = factor;
                        product[l] *= factor;
                    }
                }
                let mut after = [1.0; LANES];
                for player in (0..players).rev() {
                    let (before, factor) = (&before[player], &factors[player]);
                    let slope = &mut slopes[player];
                    for l in 0..LANES {
                        slope[l] = S::fused(before[l], after[l], slope[l]);
                        after[l] *= factor[l];
                    }
                }
            }
            for player in 0..players {
                let x = games.row[player * units + unit];
                let y = &background[player * units + unit];
                let mut value = slopes[player];
                for l in 0..LANES {
                    value[l] *= x - y[l];
                }
                let value = weighted(&value, weights);
                let values = &mut values[player * machines..][..machines];
                for (machine, sum) in values.iter_mut().enumerate() {
                    *sum += games.coefficients[machine * units + unit] * value;
                }
            }
        }
    }
}

//! Shapley values of sums of products, exactly: the margins of kernel machines whose kernel is a product.
//!
//! A support vector s gives a coalition of a row x beside a background row b the product of `k_j(x, s)` over the
//! members and of `k_j(b, s)` over the others. The values of that game are
//! `φ_i = (k_i(x, s) − k_i(b, s)) ∫₀¹ ∏_{j ≠ i} ((1 − u) k_j(b, s) + u k_j(x, s)) du` (Owen 1972, on its
//! multilinear extension). The integrand is a polynomial: half as many Gauss–Legendre points as there are players
//! are exact, and far fewer where its higher coefficients vanish. A factor is `c_j (1 + r_j t)` with t = 2u − 1 and
//! `r_j = (k_j(x, s) − k_j(b, s)) / (k_j(x, s) + k_j(b, s))`, so with `R = Σ |r_j|` the coefficient of tⁿ is at most
//! `Rⁿ / n!` of all `c_j` together, and q points miss none below 2q. As many are taken as leave less than [`MISSED`].
#![allow(
    clippy::needless_range_loop,
    reason = "lanes by their number: what the compiler vectorises"
)]

use crate::lanes::{LANES, weighted};
use crate::legendre::Rule;
use crate::simd::{Simd, instances};

/// What the points may miss of a product: a thousandth of what float32 rounds off a value.
pub const MISSED: f64 = 1e-11;

/// Rules of up to so many points are all there; of more, every [`STEP`]th.
const ALL: usize = 16;
const STEP: usize = 8;

/// The terms of [`LANES`] background rows side by side.
#[derive(Debug, Clone)]
pub struct Background {
    /// (support vector, player): those of a product lie together.
    terms: Vec<[f64; LANES]>,
    /// The least and the largest of the lanes that count.
    ends: Vec<[f64; 2]>,
    weights: [f64; LANES],
}

/// The terms of an explained row, and a background.
#[derive(Debug, Clone, Copy)]
pub struct Games<'a> {
    /// Players, at least one.
    pub players: usize,
    /// Of the row: (player, support vector).
    pub row: &'a [f64],
    /// The background.
    pub background: &'a [Background],
    /// (machine, support vector).
    pub coefficients: &'a [f64],
}

impl Background {
    /// Of terms (player, support vector) and weights, which are 0 for lanes without a row.
    pub fn new(terms: &[[f64; LANES]], players: usize, weights: [f64; LANES]) -> Self {
        let ends = |lanes: &[f64; LANES]| {
            let rows = lanes
                .iter()
                .zip(&weights)
                .filter(|(_, weight)| **weight > 0.0);
            rows.fold([f64::INFINITY, 0.0], |[least, most], (&term, _)| {
                [term.min(least), term.max(most)]
            })
        };
        let terms = turned(terms, players);
        Self {
            ends: terms.iter().map(ends).collect(),
            terms,
            weights,
        }
    }
}

/// From (player, support vector) to (support vector, player).
fn turned<T: Copy>(terms: &[T], players: usize) -> Vec<T> {
    let units = terms.len() / players;
    let term = |at: usize| terms[at % players * units + at / players];
    (0..terms.len()).map(term).collect()
}

/// The rules for so many players: the last is exact.
pub fn rules(players: usize) -> Vec<Rule> {
    let most = players.div_ceil(2).max(1);
    let points =
        (1..=most).filter(|points| *points <= ALL || points % STEP == 0 || *points == most);
    points.map(Rule::new).collect()
}

/// The first rule that leaves less than [`MISSED`].
fn enough(rules: &[Rule], sum: f64) -> &Rule {
    let (mut term, mut n) = (1.0, 0);
    for rule in rules {
        while n < 2 * rule.points.len() {
            n += 1;
            term *= sum / n as f64;
        }
        let rest = 1.0 - sum / (n + 1) as f64;
        if rest > 0.0 && term < MISSED * rest {
            return rule;
        }
    }
    &rules[rules.len() - 1]
}

instances! { wide
    /// Adds the values of a row to `values`, laid out (player, machine). The rules are those of [`rules`].
    pub fn run = run_games(games: &Games<'_>, rules: &[Rule], values: &mut [f64])
}

#[inline(always)]
fn run_games<S: Simd>(games: &Games<'_>, rules: &[Rule], values: &mut [f64]) {
    let players = games.players;
    let units = games.row.len() / players;
    let machines = values.len() / players;
    let mut before = vec![[0.0; LANES]; players];
    let mut factors = vec![[0.0; LANES]; players];
    let mut slopes = vec![[0.0; LANES]; players];
    let row = turned(games.row, players);
    for background in games.background {
        for unit in 0..units {
            let row = &row[unit * players..][..players];
            let terms = &background.terms[unit * players..][..players];
            let mut sum = 0.0;
            for (x, [least, most]) in row.iter().zip(&background.ends[unit * players..]) {
                let low = (x - least).abs() / (x + least).max(f64::MIN_POSITIVE);
                let high = (x - most).abs() / (x + most).max(f64::MIN_POSITIVE);
                sum += low.max(high);
            }
            let rule = enough(rules, sum);
            slopes.fill([0.0; LANES]);
            for (&u, &weight) in rule.points.iter().zip(&rule.weights) {
                let mut product = [weight; LANES];
                for player in 0..players {
                    let (x, y) = (u * row[player], terms[player]);
                    before[player] = product;
                    let mut factor = [0.0; LANES];
                    for l in 0..LANES {
                        factor[l] = S::fused(1.0 - u, y[l], x);
                    }
                    for l in 0..LANES {
                        product[l] *= factor[l];
                    }
                    factors[player] = factor;
                }
                let mut after = [1.0; LANES];
                for player in (0..players).rev() {
                    let (before, factor) = (before[player], factors[player]);
                    let mut slope = slopes[player];
                    for l in 0..LANES {
                        slope[l] = S::fused(before[l], after[l], slope[l]);
                    }
                    for l in 0..LANES {
                        after[l] *= factor[l];
                    }
                    slopes[player] = slope;
                }
            }
            for player in 0..players {
                let (x, y) = (row[player], terms[player]);
                let mut value = slopes[player];
                for l in 0..LANES {
                    value[l] *= x - y[l];
                }
                let value = weighted(&value, &background.weights);
                let values = &mut values[player * machines..][..machines];
                for (machine, sum) in values.iter_mut().enumerate() {
                    *sum += games.coefficients[machine * units + unit] * value;
                }
            }
        }
    }
}

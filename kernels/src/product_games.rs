//! Shapley values of sums of products, exactly: the margins of kernel machines whose kernel is a product.
//! Twin: `shaders/product_games.wgsl`
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

use crate::binding::{bindings, params};
use crate::lanes::LANES;
use crate::legendre::Rule;
use crate::simd::{Simd, instances};

bindings! {
    x: Read,
    y: Read,
    coefficients: Read,
    weights: Read,
    rules: Read,
    points: Read,
    values: Write,
}

params! {
    /// Parameters of the shader.
    {
        /// Explained rows.
        rows,
        /// Pairs of a background row and a support vector.
        pairs,
        /// Pairs of a workgroup.
        of_part,
        /// Support vectors.
        units,
        /// Players, at least one.
        players,
        /// Machines.
        machines,
        /// Points at most, by fours.
        points,
        /// 0.
        zero,
    }
}

/// Pairs that a workgroup of the shader takes at a time, at the most.
pub const PAIRS_HELD: u32 = 64;

/// What the points may miss of a product: a thousandth of what float32 rounds off a value.
pub const MISSED: f64 = 1e-11;

/// Points that are taken together: a player's slope is read and written once for them, and their products do not
/// wait for one another.
const TOGETHER: usize = 2;

/// Rules of up to so many points are all there; of more, every [`STEP`]th. All are for whole [`TOGETHER`].
const ALL: usize = 16;
const STEP: usize = 8;

/// Background rows that go side by side here: more would not stay in the registers.
const SIDE: usize = LANES / 2;

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
    let most = players.div_ceil(2).max(1).next_multiple_of(TOGETHER);
    let points = (TOGETHER..=most).step_by(TOGETHER);
    let points = points.filter(|points| *points <= ALL || points % STEP == 0 || *points == most);
    points.map(Rule::new).collect()
}

/// The number of the first rule that leaves less than [`MISSED`], where Σ |r| is at most `sum`.
pub fn enough(rules: &[Rule], sum: f64) -> usize {
    let (mut term, mut n) = (1.0, 0);
    for (number, rule) in rules.iter().enumerate() {
        while n < 2 * rule.points.len() {
            n += 1;
            term *= sum / n as f64;
        }
        let rest = 1.0 - sum / (n + 1) as f64;
        if rest > 0.0 && term < MISSED * rest {
            return number;
        }
    }
    rules.len() - 1
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
    let mut before = vec![[[0.0; SIDE]; TOGETHER]; players];
    let mut slopes = vec![[0.0; SIDE]; players];
    let row = turned(games.row, players);
    for background in games.background {
        for unit in 0..units {
            let row = &row[unit * players..][..players];
            let terms = &background.terms[unit * players..][..players];
            let sum = spread(row, &background.ends[unit * players..]);
            let rule = &rules[enough(rules, sum)];
            for side in 0..LANES / SIDE {
                let weights = background.weights.as_chunks::<SIDE>().0[side];
                if weights == [0.0; SIDE] {
                    continue;
                }
                add_slopes::<S>(row, terms, side, rule, &mut before, &mut slopes);
                for player in 0..players {
                    let (x, y) = (row[player], &terms[player].as_chunks::<SIDE>().0[side]);
                    let slope = slopes[player];
                    let mut sum = 0.0;
                    for l in 0..SIDE {
                        sum += slope[l] * (x - y[l]) * weights[l];
                    }
                    let values = &mut values[player * machines..][..machines];
                    for (machine, value) in values.iter_mut().enumerate() {
                        *value += games.coefficients[machine * units + unit] * sum;
                    }
                }
            }
        }
    }
}

/// At most Σ |r| of a row beside background rows whose terms have these ends, by player.
#[inline(always)]
pub fn spread(row: &[f64], ends: &[[f64; 2]]) -> f64 {
    let mut sum = 0.0;
    for (x, [least, most]) in row.iter().zip(ends) {
        let low = (x - least).abs() / (x + least).max(f64::MIN_POSITIVE);
        let high = (x - most).abs() / (x + most).max(f64::MIN_POSITIVE);
        sum += low.max(high);
    }
    sum
}

/// Writes the integrals of the products over all players but one, for each of them.
#[inline(always)]
fn add_slopes<S: Simd>(
    row: &[f64],
    terms: &[[f64; LANES]],
    side: usize,
    rule: &Rule,
    before: &mut [[[f64; SIDE]; TOGETHER]],
    slopes: &mut [[f64; SIDE]],
) {
    slopes.fill([0.0; SIDE]);
    let points = rule.points.as_chunks::<TOGETHER>().0;
    for (points, weights) in points.iter().zip(rule.weights.as_chunks::<TOGETHER>().0) {
        let mut products = [[0.0; SIDE]; TOGETHER];
        for point in 0..TOGETHER {
            products[point] = [weights[point]; SIDE];
        }
        for ((x, terms), before) in row.iter().zip(terms).zip(&mut *before) {
            *before = products;
            let y = terms.as_chunks::<SIDE>().0[side];
            for point in 0..TOGETHER {
                let (rest, x) = (1.0 - points[point], points[point] * x);
                for l in 0..SIDE {
                    products[point][l] *= S::fused(rest, y[l], x);
                }
            }
        }
        let mut after = [[1.0; SIDE]; TOGETHER];
        let players = row.iter().zip(terms).zip(&*before).zip(&mut *slopes);
        for (((x, terms), before), to) in players.rev() {
            let y = terms.as_chunks::<SIDE>().0[side];
            let mut slope = *to;
            for point in 0..TOGETHER {
                let (rest, x) = (1.0 - points[point], points[point] * x);
                let before = before[point];
                for l in 0..SIDE {
                    slope[l] = S::fused(before[l], after[point][l], slope[l]);
                }
                for l in 0..SIDE {
                    after[point][l] *= S::fused(rest, y[l], x);
                }
            }
            *to = slope;
        }
    }
}

//! How many points the products of a row and of background rows take.
//!
//! A factor is `c_j (1 + r_j t)` with t = 2u − 1 and `r_j = (k_j(x, s) − k_j(b, s)) / (k_j(x, s) + k_j(b, s))`, so
//! with `R = Σ |r_j|` the coefficient of tⁿ is at most `Rⁿ / n!` of all `c_j` together, and q points miss none below
//! 2q. As many are taken as leave less than [`MISSED`].
#![allow(
    clippy::needless_range_loop,
    reason = "lanes by their number: what the compiler vectorises"
)]

use super::TOGETHER;
use crate::lanes::LANES;
use crate::legendre::Rule;

/// What the points may miss of a product: far less than what float32 rounds off it.
const MISSED: f64 = 1e-9;

/// Rules of up to so many points are all there; of more, every [`STEP`]th. All are for whole [`TOGETHER`].
const ALL: usize = 16;
const STEP: usize = 8;

/// The rules of games of so many players.
#[derive(Debug, Clone)]
pub struct Rules {
    /// Ascending in their points; the last is exact.
    rules: Vec<Rule>,
    /// By rule: the largest Σ |r| that it is enough for.
    enough_for: Vec<f64>,
}

impl Rules {
    /// For at least one player.
    pub fn new(players: usize) -> Self {
        let most = players.div_ceil(2).max(1).next_multiple_of(TOGETHER);
        let points = (TOGETHER..=most).step_by(TOGETHER);
        let is_there = |&points: &usize| points <= ALL || points % STEP == 0 || points == most;
        Self::of(points.filter(is_there))
    }

    /// The last of them alone.
    pub fn exact(players: usize) -> Self {
        let most = players.div_ceil(2).max(1).next_multiple_of(TOGETHER);
        Self::of([most].into_iter())
    }

    fn of(points: impl Iterator<Item = usize>) -> Self {
        let rules: Vec<Rule> = points.map(Rule::new).collect();
        let mut enough_for: Vec<f64> = rules
            .iter()
            .map(|rule| reach(2 * rule.points.len()))
            .collect();
        if let Some(last) = enough_for.last_mut() {
            *last = f64::INFINITY;
        }
        Self { rules, enough_for }
    }

    /// All of them.
    pub fn all(&self) -> &[Rule] {
        &self.rules
    }

    /// The number of the first rule that is enough.
    #[inline(always)]
    fn enough(&self, sum: f32) -> usize {
        let sum = f64::from(sum);
        let is_enough = |most: &f64| sum <= *most;
        self.enough_for
            .iter()
            .position(is_enough)
            .unwrap_or(self.rules.len() - 1)
    }
}

/// The largest Σ |r| of which the powers from `power` on are less than [`MISSED`], by bisection.
fn reach(power: usize) -> f64 {
    let left = |sum: f64| {
        let term: f64 = (1..=power).map(|n| sum / n as f64).product();
        term / (1.0 - sum / (power + 1) as f64)
    };
    let (mut low, mut high) = (0.0, (power + 1) as f64);
    for _ in 0..40 {
        let middle = f64::midpoint(low, high);
        if left(middle) < MISSED {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

/// The least and the largest terms of background rows, by support vector and player.
#[derive(Debug, Clone)]
pub struct Ends {
    players: usize,
    /// (support vector, player), for whole [`LANES`] of players.
    least: Vec<f32>,
    most: Vec<f32>,
}

impl Ends {
    /// Of no rows yet.
    pub fn new(players: usize, units: usize) -> Self {
        let stride = players.next_multiple_of(LANES);
        let of = |end: f32| {
            let of_unit = |player| if player < players { end } else { 1.0 };
            (0..units).flat_map(|_| (0..stride).map(of_unit)).collect()
        };
        Self {
            players,
            least: of(f32::INFINITY),
            most: of(0.0),
        }
    }

    /// With those of rows whose terms are (player, support vector).
    pub fn extend<'a>(&mut self, rows: impl Iterator<Item = &'a [f64]>) {
        let stride = self.players.next_multiple_of(LANES);
        let units = self.least.len() / stride;
        for row in rows {
            for (player, terms) in row.chunks_exact(units.max(1)).enumerate() {
                let ends = self.least[player..]
                    .iter_mut()
                    .zip(&mut self.most[player..]);
                for ((least, most), &term) in ends.step_by(stride).zip(terms) {
                    *least = least.min(term as f32);
                    *most = most.max(term as f32);
                }
            }
        }
    }

    /// The terms of a row, (player, support vector), as [`Ends::enough`] takes them.
    pub(super) fn padded(&self, row: &[f64]) -> Vec<f32> {
        let stride = self.players.next_multiple_of(LANES);
        let units = self.least.len() / stride;
        let mut padded = vec![1.0; self.least.len()];
        for (player, terms) in row.chunks_exact(units.max(1)).enumerate() {
            for (to, &term) in padded[player..].iter_mut().step_by(stride).zip(terms) {
                *to = term as f32;
            }
        }
        padded
    }

    /// The number of the first rule that is enough for the products of a support vector.
    #[inline(always)]
    pub(super) fn enough(&self, rules: &Rules, unit: usize, padded: &[f32]) -> usize {
        let stride = self.players.next_multiple_of(LANES);
        let of_unit = unit * stride..(unit + 1) * stride;
        let row = padded[of_unit.clone()].as_chunks::<LANES>().0;
        let least = self.least[of_unit.clone()].as_chunks::<LANES>().0;
        let most = self.most[of_unit].as_chunks::<LANES>().0;
        let mut sums = [0.0; LANES];
        for ((x, least), most) in row.iter().zip(least).zip(most) {
            let (x, least, most) = (*x, *least, *most);
            let mut r = [0.0; LANES];
            for l in 0..LANES {
                let low = (x[l] - least[l]).abs() / (x[l] + least[l]).max(f32::MIN_POSITIVE);
                let high = (x[l] - most[l]).abs() / (x[l] + most[l]).max(f32::MIN_POSITIVE);
                r[l] = low.max(high);
            }
            for l in 0..LANES {
                sums[l] += r[l];
            }
        }
        rules.enough(sums.iter().sum())
    }

    /// By support vector: the number of the rule that a row takes, whose terms are (player, support vector).
    pub fn rules_of(&self, rules: &Rules, row: &[f64]) -> Vec<usize> {
        let padded = self.padded(row);
        let units = row.len() / self.players;
        (0..units)
            .map(|unit| self.enough(rules, unit, &padded))
            .collect()
    }
}

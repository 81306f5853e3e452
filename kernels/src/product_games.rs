//! Shapley values of sums of products, exactly: the margins of kernel machines whose kernel is a product.
//! Twin: `shaders/product_games.wgsl`
//!
//! A support vector s gives a coalition of a row x beside a background row b the product of `k_j(x, s)` over the
//! members and of `k_j(b, s)` over the others. The values of that game are
//! `φ_i = (k_i(x, s) − k_i(b, s)) ∫₀¹ ∏_{j ≠ i} ((1 − u) k_j(b, s) + u k_j(x, s)) du` (Owen 1972, on its
//! multilinear extension). The integrand is a polynomial: half as many Gauss–Legendre points as there are players
//! are exact, and far fewer ([`Rules`]) where its higher coefficients vanish.
#![allow(
    clippy::needless_range_loop,
    reason = "lanes by their number: what the compiler vectorises"
)]

mod rules;

pub use self::rules::{Ends, Rules};
use crate::binding::{bindings, params};
use crate::lanes::{LANES, weighted};
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

/// Points that are taken together: a player's slope is read and written once for them, and their products do not
/// wait for one another.
const TOGETHER: usize = 4;

/// The terms of [`LANES`] background rows side by side.
#[derive(Debug, Clone)]
pub struct Background {
    /// 1 − term, (support vector, player): those of a product lie together. Terms are mostly near 1, where float32
    /// has more of their difference than of them.
    lacks: Vec<[f32; LANES]>,
    /// Of the lanes that count.
    ends: Ends,
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
        let mut ends = Ends::new(players, terms.len() / players);
        let counts = (0..LANES).filter(|&l| weights[l] > 0.0);
        let rows: Vec<Vec<f64>> = counts
            .map(|l| terms.iter().map(|lanes| lanes[l]).collect())
            .collect();
        ends.extend(rows.iter().map(Vec::as_slice));
        // A lane without a row is like every support vector: products that vanish would be slow.
        let lack = |lanes: &[f64; LANES]| {
            std::array::from_fn(|l| {
                if weights[l] > 0.0 {
                    (1.0 - lanes[l]) as f32
                } else {
                    0.0
                }
            })
        };
        Self {
            ends,
            lacks: turned(terms, players).iter().map(lack).collect(),
            weights,
        }
    }
}

/// From (player, support vector) to (support vector, player).
fn turned<T: Copy>(terms: &[T], players: usize) -> Vec<T> {
    let units = terms.len() / players;
    let of_unit = |unit| terms[unit..].iter().step_by(units).copied();
    (0..units).flat_map(of_unit).collect()
}

instances! { wide
    /// Adds the values of a row to `values`, laid out (player, machine). The rules are those of as many players.
    pub fn run = run_games(games: &Games<'_>, rules: &Rules, values: &mut [f64])
}

#[inline(always)]
fn run_games<S: Simd>(games: &Games<'_>, rules: &Rules, values: &mut [f64]) {
    let players = games.players;
    let units = games.row.len() / players;
    let machines = values.len() / players;
    let mut before = vec![[[0.0; LANES]; TOGETHER]; players];
    let mut slopes = vec![[0.0; LANES]; players];
    let row: Vec<f32> = turned(games.row, players)
        .into_iter()
        .map(|x| (1.0 - x) as f32)
        .collect();
    let mut sums = vec![[0.0; LANES]; values.len()];
    let padded =
        (games.background.first()).map_or(Vec::new(), |first| first.ends.padded(games.row));
    for background in games.background {
        sums.fill([0.0; LANES]);
        for unit in 0..units {
            let of_unit = unit * players..(unit + 1) * players;
            let rule = &rules.all()[background.ends.enough(rules, unit, &padded)];
            let (row, lacks) = (&row[of_unit.clone()], &background.lacks[of_unit]);
            add_slopes::<S>(row, lacks, rule, &mut before, &mut slopes);
            let of_players = slopes.iter().zip(row).zip(lacks);
            for (((slope, x), y), sums) in of_players.zip(sums.chunks_exact_mut(machines)) {
                let (slope, y) = (*slope, *y);
                let mut added = [0.0; LANES];
                for l in 0..LANES {
                    added[l] = f64::from(slope[l] * (y[l] - x));
                }
                for (machine, to) in sums.iter_mut().enumerate() {
                    let coefficient = games.coefficients[machine * units + unit];
                    let mut sum = *to;
                    for l in 0..LANES {
                        sum[l] = S::fused(coefficient, added[l], sum[l]);
                    }
                    *to = sum;
                }
            }
        }
        for (value, sum) in values.iter_mut().zip(&sums) {
            *value += weighted(sum, &background.weights);
        }
    }
}

/// Writes the integrals of the products over all players but one, for each of them. Their rounding in float32 is
/// another for each pair of rows, and is lost in the sum over all.
#[inline(always)]
fn add_slopes<S: Simd>(
    row: &[f32],
    lacks: &[[f32; LANES]],
    rule: &Rule,
    before: &mut [[[f32; LANES]; TOGETHER]],
    slopes: &mut [[f32; LANES]],
) {
    slopes.fill([0.0; LANES]);
    let points = rule.points.as_chunks::<TOGETHER>().0;
    for (points, weights) in points.iter().zip(rule.weights.as_chunks::<TOGETHER>().0) {
        let points = points.map(|point| point as f32);
        let mut products = [[0.0; LANES]; TOGETHER];
        for point in 0..TOGETHER {
            products[point] = [weights[point] as f32; LANES];
        }
        for ((x, y), before) in row.iter().zip(lacks).zip(&mut *before) {
            let (apart, y) = factor(*x, y);
            *before = products;
            for point in 0..TOGETHER {
                let mut product = products[point];
                for l in 0..LANES {
                    product[l] *= S::fused(points[point], apart[l], y[l]);
                }
                products[point] = product;
            }
        }
        let mut after = [[1.0; LANES]; TOGETHER];
        let players = row.iter().zip(lacks).zip(&*before).zip(&mut *slopes);
        for (((x, y), before), to) in players.rev() {
            let (apart, y) = factor(*x, y);
            let mut slope = *to;
            for point in 0..TOGETHER {
                let (before, mut product) = (before[point], after[point]);
                for l in 0..LANES {
                    slope[l] = S::fused(before[l], product[l], slope[l]);
                }
                for l in 0..LANES {
                    product[l] *= S::fused(points[point], apart[l], y[l]);
                }
                after[point] = product;
            }
            *to = slope;
        }
    }
}

/// What a factor grows by from u = 0 to 1, and what it is at 0, given what terms lack to 1.
#[inline(always)]
fn factor(x: f32, y: &[f32; LANES]) -> ([f32; LANES], [f32; LANES]) {
    let (mut apart, mut at_0) = ([0.0; LANES], [0.0; LANES]);
    for l in 0..LANES {
        apart[l] = y[l] - x;
        at_0[l] = 1.0 - y[l];
    }
    (apart, at_0)
}

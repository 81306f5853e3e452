//! Estimated conditional values of a block that is too large to go through its coalitions.
//!
//! In an order of the features, a feature adds the part of its cell that those before it do not
//! tell, times the covariance of that part with the output: a row of L⁻¹ and a number for each
//! output, where L is the Cholesky factor of the correlations in that order. Each order is drawn
//! together with its reverse (antithetic), so a feature that comes early in one comes late in the
//! other.

use rayon::prelude::*;

use super::cholesky::{DETERMINED, Square, dot};
use super::coalitions::targets;
use crate::random::{SplitMix64, mix};

/// What is added to the variance of each feature where some determine others.
const RIDGE: f64 = 1e-8;

/// Multiplications that an estimate takes by default, roughly.
const WORK: f64 = 2e10;

/// Pairs of permutations by default.
const PAIRS: (u32, u32) = (8, 512);

/// Numbers that the sums of all groups of pairs hold.
const GROUP_CELLS: usize = 1 << 23;

/// Groups of pairs, which threads share, at most.
const GROUPS: usize = 16;

/// An estimate and how good it is.
#[derive(Debug)]
pub(super) struct Estimate {
    /// (outputs, features, features), in units of the features' standard deviations.
    pub(super) weights: Vec<f64>,
    pub(super) pairs: u32,
    /// The largest standard error of a value, over rows distributed as the background, and the
    /// output and the feature of that value.
    pub(super) error: (f64, usize, usize),
}

/// Sums over some pairs.
struct Group {
    /// (outputs, features, features).
    weights: Vec<f64>,
    /// (outputs, features): the squares of the values of a pair, expected over rows.
    squares: Vec<f64>,
}

/// As [`super::coalitions::weights`], estimated from so many pairs, by default as many as take some
/// seconds.
pub(super) fn weights(
    matrix: &Square,
    is_singular: bool,
    slopes: &[Vec<f64>],
    pairs: Option<u32>,
    seed: u64,
) -> Estimate {
    let size = matrix.size;
    let mut matrix = matrix.clone();
    if is_singular {
        for i in 0..size {
            matrix.cells[i * size + i] += RIDGE;
        }
    }
    let targets = targets(&matrix, slopes);
    let width = slopes.len() * size * size;
    let work = (size * size) as f64 * (3 * size + 4 * slopes.len()) as f64;
    let pairs = pairs.unwrap_or(((WORK / work) as u32).clamp(PAIRS.0, PAIRS.1));
    let groups = (GROUP_CELLS / width).clamp(1, GROUPS) as u32;
    let of_group = |group: u32| {
        let mut sums = Group {
            weights: vec![0.0; width],
            squares: vec![0.0; slopes.len() * size],
        };
        for pair in (group..pairs).step_by(groups as usize) {
            add_pair(&matrix, &targets, &order(size, seed, pair), &mut sums);
        }
        sums
    };
    // In the order of the groups, whoever did them: the same bits on any number of threads.
    let parts: Vec<Group> = (0..groups).into_par_iter().map(of_group).collect();
    let mut total = Group {
        weights: vec![0.0; width],
        squares: vec![0.0; slopes.len() * size],
    };
    for part in &parts {
        add(&mut total.weights, &part.weights, 1.0 / f64::from(pairs));
        add(&mut total.squares, &part.squares, 1.0 / f64::from(pairs));
    }
    let variance = |(at, weights): (usize, &[f64])| {
        let expected: f64 = (weights.iter().enumerate())
            .map(|(i, weight)| weight * dot(weights, matrix.row(i)))
            .sum();
        (total.squares[at] - expected).max(0.0) / f64::from(pairs - 1)
    };
    let variances: Vec<f64> = (total.weights.par_chunks_exact(size).enumerate())
        .map(variance)
        .collect();
    let worst = (variances.iter().enumerate())
        .max_by(|a, b| a.1.total_cmp(b.1))
        .map_or((0.0, 0, 0), |(at, variance)| {
            (variance.sqrt(), at / size, at % size)
        });
    Estimate {
        weights: total.weights,
        pairs,
        error: worst,
    }
}

/// Adds the mean of an order and its reverse.
fn add_pair(matrix: &Square, targets: &[Vec<f64>], order: &[usize], sums: &mut Group) {
    let size = matrix.size;
    let reverse: Vec<usize> = order.iter().rev().copied().collect();
    let both = [order, &reverse].map(|order| Order::new(matrix, targets, order));
    for feature in 0..size {
        let [parts, others] = both.each_ref().map(|order| order.part(feature));
        // Each part has the variance 1; what they share decides how much the mean of the two varies.
        let shared: f64 = (parts.iter().enumerate())
            .filter(|(_, part)| **part != 0.0)
            .map(|(i, part)| part * dot(others, matrix.row(i)))
            .sum();
        for output in 0..targets.len() {
            let [a, b] = both.each_ref().map(|order| order.slopes[output][feature]);
            let at = output * size + feature;
            sums.squares[at] += (a * a + b * b + 2.0 * a * b * shared) / 4.0;
            let weights = &mut sums.weights[at * size..][..size];
            add(weights, parts, a / 2.0);
            add(weights, others, b / 2.0);
        }
    }
}

/// What each feature adds in one order.
struct Order {
    size: usize,
    /// (features, features): the part of a feature's cell that those before it do not tell, divided
    /// by its standard deviation, as a sum of cells.
    parts: Vec<f64>,
    /// (outputs, features): what a unit of that part adds to the output.
    slopes: Vec<Vec<f64>>,
}

impl Order {
    fn new(matrix: &Square, targets: &[Vec<f64>], order: &[usize]) -> Self {
        let size = matrix.size;
        let mut parts = vec![0.0; size * size];
        let mut slopes = vec![vec![0.0; size]; targets.len()];
        // By rank in the order: the factor L, and its inverse with a column per rank.
        let mut factor = vec![0.0; size * size];
        let mut inverse = vec![0.0; size * size];
        for (rank, &feature) in order.iter().enumerate() {
            let (known, row) = factor.split_at_mut(rank * size);
            let mut pivot = matrix.at(feature, feature);
            for (column, &other) in order[..rank].iter().enumerate() {
                let above = &known[column * size..][..=column];
                let done = dot(&row[..column], &above[..column]);
                let cell = (matrix.at(feature, other) - done) / above[column];
                row[column] = cell;
                pivot -= cell * cell;
            }
            let root = pivot.max(DETERMINED).sqrt();
            row[rank] = root;
            let (known, new) = inverse.split_at_mut(rank * size);
            let new = &mut new[..size];
            new[rank] = 1.0;
            for (cell, known) in row[..rank].iter().zip(known.chunks_exact(size)) {
                add(&mut new[..rank], &known[..rank], -cell);
            }
            let place = &mut parts[feature * size..][..size];
            for (cell, &other) in new[..=rank].iter_mut().zip(order) {
                *cell /= root;
                place[other] = *cell;
            }
            for (slopes, targets) in slopes.iter_mut().zip(targets) {
                slopes[feature] = dot(place, targets);
            }
        }
        Self {
            size,
            parts,
            slopes,
        }
    }

    fn part(&self, feature: usize) -> &[f64] {
        &self.parts[feature * self.size..][..self.size]
    }
}

fn add(sums: &mut [f64], parts: &[f64], factor: f64) {
    for (sum, part) in sums.iter_mut().zip(parts) {
        *sum += factor * part;
    }
}

/// The order that a pair begins with: a function of the seed and the pair's number alone.
fn order(size: usize, seed: u64, pair: u32) -> Vec<usize> {
    let mut random = SplitMix64::new(mix(seed ^ mix(u64::from(pair))));
    let mut order: Vec<usize> = (0..size).collect();
    for last in (1..size).rev() {
        order.swap(last, random.below(last + 1));
    }
    order
}

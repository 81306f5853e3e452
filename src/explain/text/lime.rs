//! LIME of texts (Ribeiro, Singh & Guestrin 2016), as lime 0.2 defines it: a linear model of which players are there,
//! fitted to the answers by ridge regression.
//!
//! A sample lacks a number of players that is uniform from one to all of them, each choice of so many alike; the first has
//! them all. It weighs `sqrt(exp(−d² / width²))`, where d is 100 times the cosine distance to the first, and the penalty of
//! the ridge is 1. Where there are to be fewer features, they are those of the largest slopes in a regression with the
//! penalty 0.01, whatever their number (lime looks for up to six of them one by one).
//!
//! The regression is solved by conjugate gradients, which need no matrix of all pairs of players: a document of ten
//! thousand words is no more than its samples.

use ndarray::Array2;
use rayon::prelude::*;

use super::TextOptions;
use super::ask::Masks;
use crate::random::SplitMix64;

/// The penalty of the ridge, and where features are chosen.
const PENALTY: f64 = 1.0;
const PENALTY_OF_CHOICE: f64 = 0.01;

/// Parts of the right side that a solution may leave.
const LEFT: f64 = 1e-13;

/// Steps at most; some dozens are enough.
const STEPS: usize = 2000;

/// The samples, the first of which has all players.
pub(super) fn masks(players: usize, samples: usize, random: &mut SplitMix64) -> Masks {
    let mut masks = Masks::new(players);
    masks.push(|_| true);
    if players == 0 {
        return masks;
    }
    let mut order: Vec<usize> = (0..players).collect();
    let mut is_absent = vec![false; players];
    for _ in 1..samples {
        let absent = 1 + random.below(players);
        for at in 0..absent {
            order.swap(at, at + random.below(players - at));
            is_absent[order[at]] = true;
        }
        masks.push(|player| !is_absent[player]);
        is_absent.fill(false);
    }
    masks
}

/// Linear models, by output.
pub(super) struct Fit {
    /// (player, output).
    pub(super) values: Vec<f64>,
    pub(super) intercepts: Vec<f64>,
    /// The weighted R² of the samples.
    pub(super) scores: Vec<f64>,
}

/// Fits a model for each output to the answers (sample, output).
pub(super) fn fit(
    masks: &Masks,
    players: usize,
    answers: &Array2<f64>,
    options: &TextOptions,
) -> Fit {
    let outputs = answers.ncols();
    let samples: Vec<Vec<u32>> = (0..masks.len())
        .map(|sample| {
            let members = (0..players).filter(|&player| masks.has(sample, player));
            members.map(|player| player as u32).collect()
        })
        .collect();
    let weights: Vec<f64> = (samples.iter())
        .map(|members| {
            let cosine = (members.len() as f64 / players.max(1) as f64).sqrt();
            let distance = 100.0 * (1.0 - cosine);
            (-(distance / options.kernel_width).powi(2)).exp().sqrt()
        })
        .collect();
    let problem = Problem::new(samples, weights, players);
    let mut all = Fit {
        values: vec![0.0; players * outputs],
        intercepts: vec![0.0; outputs],
        scores: vec![0.0; outputs],
    };
    let models: Vec<(Vec<f64>, f64, f64)> = (0..outputs)
        .into_par_iter()
        .map(|output| {
            let answers: Vec<f64> = answers.column(output).to_vec();
            let mut is_used = vec![true; players];
            if let Some(most) = options.features.filter(|&most| most < players) {
                let slopes = problem.slopes(&answers, PENALTY_OF_CHOICE, &is_used);
                let mut order: Vec<usize> = (0..players).collect();
                order.sort_by(|&a, &b| slopes[b].abs().total_cmp(&slopes[a].abs()));
                order[most..]
                    .iter()
                    .for_each(|&player| is_used[player] = false);
            }
            let slopes = problem.slopes(&answers, PENALTY, &is_used);
            let (intercept, score) = problem.score(&answers, &slopes);
            (slopes, intercept, score)
        })
        .collect();
    for (output, (slopes, intercept, score)) in models.into_iter().enumerate() {
        all.intercepts[output] = intercept;
        all.scores[output] = score;
        for (player, slope) in slopes.into_iter().enumerate() {
            all.values[player * outputs + output] = slope;
        }
    }
    all
}

/// A weighted regression on who is there.
struct Problem {
    samples: Vec<Vec<u32>>,
    weights: Vec<f64>,
    total: f64,
    /// The part of the weights of the samples that a player is in.
    means: Vec<f64>,
}

impl Problem {
    fn new(samples: Vec<Vec<u32>>, weights: Vec<f64>, players: usize) -> Self {
        let total: f64 = weights.iter().sum();
        let mut means = vec![0.0; players];
        for (members, weight) in samples.iter().zip(&weights) {
            for &member in members {
                means[member as usize] += weight / total;
            }
        }
        Self {
            samples,
            weights,
            total,
            means,
        }
    }

    /// By player, `Σ w (x − mean) r` of what is given for each sample.
    fn project(&self, of: impl Fn(usize) -> f64, is_used: &[bool]) -> Vec<f64> {
        let mut sums = vec![0.0; self.means.len()];
        let mut all = 0.0;
        for (sample, (members, weight)) in self.samples.iter().zip(&self.weights).enumerate() {
            let weighted = weight * of(sample);
            all += weighted;
            for &member in members {
                sums[member as usize] += weighted;
            }
        }
        for ((sum, mean), is_used) in sums.iter_mut().zip(&self.means).zip(is_used) {
            *sum = if *is_used { *sum - mean * all } else { 0.0 };
        }
        sums
    }

    /// By sample, `Σ (x − mean) slope`.
    fn spread(&self, slopes: &[f64]) -> Vec<f64> {
        let mean: f64 = slopes
            .iter()
            .zip(&self.means)
            .map(|(slope, mean)| slope * mean)
            .sum();
        let sum =
            |members: &Vec<u32>| members.iter().map(|&m| slopes[m as usize]).sum::<f64>() - mean;
        self.samples.iter().map(sum).collect()
    }

    /// The slopes of the players that are used; those of the others are 0.
    fn slopes(&self, answers: &[f64], penalty: f64, is_used: &[bool]) -> Vec<f64> {
        let mean = self.mean(answers);
        let mut slopes = vec![0.0; self.means.len()];
        let mut left = self.project(|sample| answers[sample] - mean, is_used);
        let mut direction = left.clone();
        let mut square = dot(&left, &left);
        let enough = LEFT * LEFT * square;
        for _ in 0..STEPS {
            if square <= enough || square == 0.0 {
                break;
            }
            let spread = self.spread(&direction);
            let mut product = self.project(|sample| spread[sample], is_used);
            add(&mut product, penalty, &direction);
            let step = square / dot(&direction, &product);
            add(&mut slopes, step, &direction);
            add(&mut left, -step, &product);
            let next = dot(&left, &left);
            let part = next / square;
            for (direction, left) in direction.iter_mut().zip(&left) {
                *direction = left + part * *direction;
            }
            square = next;
        }
        slopes
    }

    fn mean(&self, numbers: &[f64]) -> f64 {
        dot(numbers, &self.weights) / self.total
    }

    /// The intercept, and the weighted R²: 1 where all answers are alike and the model has them.
    fn score(&self, answers: &[f64], slopes: &[f64]) -> (f64, f64) {
        let mean = self.mean(answers);
        let spread = self.spread(slopes);
        let (mut left, mut all) = (0.0, 0.0);
        for ((answer, spread), weight) in answers.iter().zip(&spread).zip(&self.weights) {
            left += weight * (answer - mean - spread).powi(2);
            all += weight * (answer - mean).powi(2);
        }
        let score = match (left == 0.0, all == 0.0) {
            (true, true) => 1.0,
            (false, true) => 0.0,
            _ => 1.0 - left / all,
        };
        (mean - dot(slopes, &self.means), score)
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn add(to: &mut [f64], times: f64, from: &[f64]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to += times * from;
    }
}

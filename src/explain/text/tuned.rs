//! A surrogate's values of a document, corrected by what the model answers to parts of it.
//!
//! The surrogate has learned from a whole corpus what words do, and is a little wrong about any one text; a local linear
//! model (LIME) knows that text alone, and needs many answers for it. Both together: the local model of which words are
//! there begins at the surrogate's values, times a factor that is fitted, too, and a ridge penalty on what differs from
//! them. The penalty is the one that best foretells each answer from the others (Allen 1974, "The relationship between
//! variable selection and data augmentation and a method for prediction"), so that few answers change little.

use ndarray::{Array2, ArrayView1};

use super::ask::Masks;
use crate::explain::coalitions::Factor;
use crate::random::SplitMix64;

/// Penalties that are tried, from the smallest.
const PENALTIES: [f64; 8] = [0.1, 0.5, 2.0, 8.0, 32.0, 128.0, 512.0, 2048.0];

/// Coalitions of so many players: all, and then pairs of one that lacks a number of them, uniform from one to all, and one
/// that has these alone.
pub(super) fn masks(players: usize, samples: usize, random: &mut SplitMix64) -> Masks {
    let mut masks = Masks::new(players);
    masks.push(|_| true);
    if players == 0 {
        return masks;
    }
    let mut order: Vec<usize> = (0..players).collect();
    let mut is_absent = vec![false; players];
    while masks.len() < samples {
        let absent = 1 + random.below(players);
        for at in 0..absent {
            order.swap(at, at + random.below(players - at));
            is_absent[order[at]] = true;
        }
        masks.push(|player| !is_absent[player]);
        if masks.len() < samples {
            masks.push(|player| is_absent[player]);
        }
        is_absent.fill(false);
    }
    masks
}

/// Corrected values.
pub(super) struct Tuned {
    /// (player, output).
    pub(super) values: Vec<f64>,
    pub(super) base_values: Vec<f64>,
    /// By output, what the surrogate's values are multiplied by.
    pub(super) factors: Vec<f64>,
    /// By output, 1 − Σ (answer − what the others foretell of it)² / Σ (answer − mean)².
    pub(super) fit: Vec<f64>,
}

/// Corrects values (player, output) by answers (coalition, output).
pub(super) fn tune(masks: &Masks, values: &Array2<f64>, answers: &Array2<f64>) -> Tuned {
    let (players, outputs) = values.dim();
    let count = masks.len();
    let there = Array2::from_shape_fn((count, players), |(coalition, player)| {
        f64::from(u8::from(masks.has(coalition, player)))
    });
    let mut tuned = Tuned {
        values: vec![0.0; players * outputs],
        base_values: vec![0.0; outputs],
        factors: vec![0.0; outputs],
        fit: vec![0.0; outputs],
    };
    for output in 0..outputs {
        let prior = there.dot(&values.column(output));
        let kept = Kept::new(&prior);
        let (answers, centred) = (answers.column(output), kept.rest_of_all(&there));
        let (shifts, fit) = ridge(&centred, &answers, &kept);
        // What is left of the answers without the shifts goes to the factor and the base value.
        let left: Vec<f64> = (answers.iter().zip(there.outer_iter()))
            .map(|(answer, row)| answer - row.iter().zip(&shifts).map(|(z, s)| z * s).sum::<f64>())
            .collect();
        let (base, factor) = kept.line(&left, &prior);
        for (player, shift) in shifts.iter().enumerate() {
            tuned.values[player * outputs + output] = factor * values[[player, output]] + shift;
        }
        (tuned.base_values[output], tuned.fit[output]) = (base, fit);
        tuned.factors[output] = factor;
    }
    tuned
}

/// The directions without a penalty: what is the same everywhere, and the surrogate's values.
struct Kept {
    /// Of length 1, orthogonal, (direction, coalition).
    directions: Vec<Vec<f64>>,
}

impl Kept {
    fn new(prior: &ndarray::Array1<f64>) -> Self {
        let count = prior.len() as f64;
        let mut directions = vec![vec![1.0 / count.sqrt(); prior.len()]];
        let mean = prior.sum() / count;
        let centred: Vec<f64> = prior.iter().map(|p| p - mean).collect();
        let length = centred.iter().map(|p| p * p).sum::<f64>().sqrt();
        // Values that say nothing have no factor.
        if length > 1e-9 * (1.0 + mean.abs()) {
            directions.push(centred.iter().map(|p| p / length).collect());
        }
        Self { directions }
    }

    /// What is left of numbers without the directions.
    fn rest(&self, numbers: &[f64]) -> Vec<f64> {
        let mut rest = numbers.to_vec();
        for direction in &self.directions {
            let along: f64 = rest.iter().zip(direction).map(|(a, b)| a * b).sum();
            let parts = rest.iter_mut().zip(direction);
            parts.for_each(|(rest, part)| *rest -= along * part);
        }
        rest
    }

    /// The same of each column.
    fn rest_of_all(&self, all: &Array2<f64>) -> Array2<f64> {
        let mut rest = all.clone();
        for mut column in rest.columns_mut() {
            let found = self.rest(&column.to_vec());
            column
                .iter_mut()
                .zip(found)
                .for_each(|(to, from)| *to = from);
        }
        rest
    }

    /// The share of each coalition that the directions take.
    fn shares(&self, coalition: usize) -> f64 {
        let each = self.directions.iter();
        each.map(|direction| direction[coalition].powi(2)).sum()
    }

    /// The line through numbers: what they begin at, and their factor.
    fn line(&self, numbers: &[f64], prior: &ndarray::Array1<f64>) -> (f64, f64) {
        let count = numbers.len() as f64;
        let mean = numbers.iter().sum::<f64>() / count;
        let Some(direction) = self.directions.get(1) else {
            return (mean, 0.0);
        };
        let along: f64 = numbers.iter().zip(direction).map(|(a, b)| a * b).sum();
        let centre = prior.sum() / count;
        let length = prior
            .iter()
            .map(|p| (p - centre).powi(2))
            .sum::<f64>()
            .sqrt();
        let factor = along / length;
        (mean - factor * centre, factor)
    }
}

/// The shifts of players, by the penalty that foretells best, and how well it does.
fn ridge(there: &Array2<f64>, answers: &ArrayView1<'_, f64>, kept: &Kept) -> (Vec<f64>, f64) {
    let (count, players) = there.dim();
    let rest = kept.rest(&answers.to_vec());
    let mean = answers.sum() / count as f64;
    let all: f64 = answers.iter().map(|answer| (answer - mean).powi(2)).sum();
    let products = products(there);
    let mut best: Option<(f64, Vec<f64>)> = None;
    for penalty in PENALTIES {
        let mut matrix = products.clone();
        for place in 0..count {
            matrix[place * count + place] += penalty;
        }
        let Some(factor) = Factor::new(count, matrix) else {
            continue;
        };
        let mut solved = rest.clone();
        factor.solve(&mut solved);
        let inverse = factor.inverse();
        let left: f64 = (0..count)
            .map(|place| {
                let own = penalty * inverse[place * count + place] - kept.shares(place);
                (penalty * solved[place] / own.max(1e-9)).powi(2)
            })
            .sum();
        if best.as_ref().is_none_or(|(least, _)| left < *least) {
            best = Some((left, solved));
        }
    }
    let Some((left, solved)) = best else {
        return (vec![0.0; players], f64::NAN);
    };
    let shifts = (0..players).map(|player| {
        let column = there.column(player);
        column.iter().zip(&solved).map(|(z, s)| z * s).sum()
    });
    let fit = if all > 0.0 {
        1.0 - left / all
    } else {
        f64::NAN
    };
    (shifts.collect(), fit)
}

/// The products of all rows with each other.
fn products(rows: &Array2<f64>) -> Vec<f64> {
    rows.dot(&rows.t()).into_raw_vec_and_offset().0
}

//! What a model's answers are to the network that learns them.

use ndarray::{Array1, Array2, Axis};
use serde::{Deserialize, Serialize};

use crate::han::Loss;

/// How far probabilities may be off.
const SLACK: f64 = 1e-3;

/// The kind of a model's answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Space {
    /// Probabilities of classes, which add up to 1.
    Classes(usize),
    /// One probability: the network has the other, too, in front of it.
    Probability,
    /// Numbers, whose means and deviations the network does not see.
    Numbers { means: Vec<f64>, scales: Vec<f64> },
}

impl Space {
    /// Of answers (document, output).
    pub(super) fn of(answers: &Array2<f64>) -> Self {
        let is_probability = |&answer: &f64| (-SLACK..=1.0 + SLACK).contains(&answer);
        if answers.iter().all(is_probability) {
            let sums = answers.sum_axis(Axis(1));
            if answers.ncols() == 1 {
                return Self::Probability;
            }
            if sums.iter().all(|sum| (sum - 1.0).abs() < SLACK) {
                return Self::Classes(answers.ncols());
            }
        }
        let count = answers.nrows() as f64;
        let means = answers.sum_axis(Axis(0)) / count;
        let squares = (answers - &means).mapv(|d| d * d).sum_axis(Axis(0));
        let deviation = |square: f64| {
            let deviation = (square / count).sqrt();
            if deviation > 0.0 { deviation } else { 1.0 }
        };
        Self::Numbers {
            means: means.to_vec(),
            scales: squares.mapv(deviation).to_vec(),
        }
    }

    pub(super) fn is_classes(&self) -> bool {
        !matches!(self, Self::Numbers { .. })
    }

    /// Whether the numbers of a file can be worked with.
    pub(super) fn is_finite(&self) -> bool {
        match self {
            Self::Numbers { means, scales } => {
                let all = means.iter().chain(scales);
                means.len() == scales.len() && all.into_iter().all(|number| number.is_finite())
            }
            _ => true,
        }
    }

    pub(super) fn loss(&self) -> Loss {
        if self.is_classes() {
            Loss::CrossEntropy
        } else {
            Loss::Squares
        }
    }

    /// Outputs of the network.
    pub(super) fn network_outputs(&self) -> usize {
        match self {
            Self::Classes(count) => *count,
            Self::Probability => 2,
            Self::Numbers { means, .. } => means.len(),
        }
    }

    /// The outputs of the network that are those of the model.
    pub(super) fn outputs(&self) -> std::ops::Range<usize> {
        usize::from(*self == Self::Probability)..self.network_outputs()
    }

    /// What the network learns of answers.
    pub(super) fn targets(&self, answers: &Array2<f64>) -> Array2<f32> {
        match self {
            Self::Classes(_) => {
                let positive = answers.mapv(|answer| answer.max(0.0));
                let sums = positive.sum_axis(Axis(1)).insert_axis(Axis(1));
                (positive / sums).mapv(|answer| answer as f32)
            }
            Self::Probability => {
                let shape = (answers.nrows(), 2);
                Array2::from_shape_fn(shape, |(row, output)| {
                    let p = answers[[row, 0]].clamp(0.0, 1.0) as f32;
                    if output == 1 { p } else { 1.0 - p }
                })
            }
            Self::Numbers { means, scales } => {
                let scaled = (answers - &row(means)) / &row(scales);
                scaled.mapv(|answer| answer as f32)
            }
        }
    }

    /// The network's answers in the units of the model.
    pub(super) fn answers(&self, found: &Array2<f32>) -> Array2<f64> {
        let outputs: Vec<usize> = self.outputs().collect();
        let own = found.select(Axis(1), &outputs).mapv(f64::from);
        match self {
            Self::Numbers { means, scales } => own * &row(scales) + &row(means),
            _ => own,
        }
    }

    /// The network's values in the units of the model.
    pub(super) fn values(&self, found: Array2<f32>) -> Array2<f32> {
        match self {
            Self::Numbers { scales, .. } => found * &row(scales).mapv(|scale| scale as f32),
            _ => found,
        }
    }
}

fn row(numbers: &[f64]) -> Array1<f64> {
    Array1::from_vec(numbers.to_vec())
}

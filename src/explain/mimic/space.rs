//! What a teacher's answers are, and the margins that stand for them.

use ndarray::{Array2, ArrayView1, Axis, concatenate};

use crate::explain::answers::Answers;

/// Log-odds beyond which two answers are taught as one: probabilities of 0.0067 and 0.9933.
const MOST: f64 = 5.0;

/// How far probabilities may be from adding up to 1: those of float32 networks.
const SLACK: f64 = 1e-3;

/// What the numbers of an answer are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Space {
    /// Of the second of two classes, its probability.
    Second,
    /// Of each class, its probability: of two they are one margin, the log-odds of the second, within ±5; of more a margin
    /// each, the logarithm (of 0.0067 at least) less the mean over the classes.
    Classes(usize),
    /// Numbers, which are margins themselves; of a classifier the largest, or the sign of one, tells the class.
    Numbers {
        /// Whether they tell a class.
        is_classes: bool,
    },
}

impl Space {
    /// Of a model whose answers (rows, outputs) are not known to be probabilities, those that add up to 1 are.
    pub(super) fn of(answers: &Answers, found: &Array2<f64>) -> Self {
        let outputs = found.ncols();
        let is_within = found.iter().all(|p| (0.0..=1.0 + SLACK).contains(p));
        let is_whole = |row: ArrayView1<'_, f64>| (row.sum() - 1.0).abs() <= SLACK;
        let add_up = outputs > 1 && found.outer_iter().all(is_whole);
        if is_within && add_up {
            return Space::Classes(outputs);
        }
        if is_within && outputs == 1 && answers.is_probability() {
            return Space::Second;
        }
        Space::Numbers {
            is_classes: answers.is_of_classes(),
        }
    }

    pub(super) fn is_probability(self) -> bool {
        !matches!(self, Space::Numbers { .. })
    }

    pub(super) fn is_classes(self) -> bool {
        !matches!(self, Space::Numbers { is_classes: false })
    }

    /// A name for each margin, from those of the answers.
    pub(super) fn names(self, answers: &[String]) -> Vec<String> {
        match self {
            Space::Classes(2) => answers[1..].to_vec(),
            _ => answers.to_vec(),
        }
    }

    /// Answers as what a surrogate learns, (rows, margins).
    pub(super) fn margins(self, answers: &Array2<f64>) -> Array2<f64> {
        let least = 1.0 / (1.0 + MOST.exp());
        let odds = |p: f64| {
            let p = p.clamp(least, 1.0 - least);
            (p / (1.0 - p)).ln()
        };
        match self {
            Space::Second => answers.mapv(odds),
            Space::Classes(2) => answers.column(1).mapv(odds).insert_axis(Axis(1)),
            Space::Classes(_) => {
                let mut margins = answers.mapv(|p| p.max(least).ln());
                for mut row in margins.outer_iter_mut() {
                    let mean = row.sum() / row.len() as f64;
                    row -= mean;
                }
                margins
            }
            Space::Numbers { .. } => answers.clone(),
        }
    }

    /// Margins in the units of the answers.
    pub(super) fn answers(self, margins: Array2<f64>) -> Array2<f64> {
        let logistic = |margins: Array2<f64>| margins.mapv_into(|m| 1.0 / (1.0 + (-m).exp()));
        match self {
            Space::Second => logistic(margins),
            Space::Classes(2) => {
                let second = logistic(margins);
                let first = second.mapv(|p| 1.0 - p);
                // Both have as many rows.
                concatenate(Axis(1), &[first.view(), second.view()]).unwrap_or(second)
            }
            Space::Classes(_) => {
                let mut margins = margins;
                for mut row in margins.outer_iter_mut() {
                    let largest = row.fold(f64::NEG_INFINITY, |a, &b| a.max(b));
                    row.mapv_inplace(|m| (m - largest).exp());
                    let sum = row.sum();
                    row /= sum;
                }
                margins
            }
            Space::Numbers { .. } => margins,
        }
    }

    /// The class that an answer is for.
    pub(super) fn class(self, answer: &ArrayView1<'_, f64>) -> usize {
        if answer.len() == 1 {
            let half = if self == Space::Second { 0.5 } else { 0.0 };
            return usize::from(answer[0] > half);
        }
        let all = answer.iter().enumerate();
        let largest = all.max_by(|a, b| a.1.total_cmp(b.1));
        largest.map_or(0, |(class, _)| class)
    }
}

//! What each word adds to an output: its vector times the gradients on the way there from 0.

use ndarray::Array2;
use whylight_kernels::legendre::Rule;
use whylight_kernels::loss::softmax;

use super::shard::{Dropouts, Shard};
use super::{Encoded, Han, Loss, parameter};
use crate::error::Result;

/// What of an output is attributed. Numbers are attributed as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Quantity {
    /// The probability.
    #[default]
    Probability,
    /// The logarithm of its odds.
    LogOdds,
}

impl Quantity {
    /// What an output asks of all outputs, given their probabilities: its derivatives by what goes into softmax.
    fn ask(self, loss: Loss, output: usize, probabilities: &[f32], asked: &mut [f32]) {
        asked.fill(0.0);
        if loss == Loss::Squares {
            asked[output] = 1.0;
            return;
        }
        let p = f64::from(probabilities[output]);
        // By their sum: 1 − p would lose what is left of it.
        let others = (probabilities.iter().enumerate()).filter(|&(other, _)| other != output);
        let rest: f64 = others.map(|(_, &q)| f64::from(q)).sum();
        for (other, (asked, &q)) in asked.iter_mut().zip(probabilities).enumerate() {
            let q = f64::from(q);
            *asked = match (self, other == output) {
                (Quantity::Probability, true) => p * rest,
                (Quantity::Probability, false) => -p * q,
                (Quantity::LogOdds, true) => 1.0,
                (Quantity::LogOdds, false) if rest > 0.0 => -q / rest,
                (Quantity::LogOdds, false) => 0.0,
            } as f32;
        }
    }
}

/// Points of the rule, at most: exact beyond what float32 can hold.
const MOST_POINTS: usize = 256;

impl Han {
    /// What each word adds to outputs, (word, output of `outputs`) by document: its vector times the gradient of the
    /// output, at `points` points of a Gauss-Legendre rule between the vector 0 of all words and the document (Sundararajan
    /// et al. 2017). With them the sum over the words goes towards the difference from a document whose words
    /// all have the vector 0; one point stands for the document itself, and gives gradient times input.
    ///
    /// # Errors
    /// As [`Han::answers`]; [`crate::Error::Parameter`] for an output that is not there, or no points.
    pub fn gradients(
        &self,
        documents: &[Encoded],
        outputs: &[usize],
        points: usize,
        quantity: Quantity,
    ) -> Result<Vec<Array2<f32>>> {
        self.check(documents)?;
        let count = self.config.outputs;
        if let Some(output) = outputs.iter().find(|&&output| output >= count) {
            return Err(parameter(
                "outputs",
                output,
                format!("they are below {count}"),
            ));
        }
        if points == 0 || points > MOST_POINTS {
            let allowed = format!("from 1 to {MOST_POINTS}");
            return Err(parameter("points", points, allowed));
        }
        let rule: Vec<(f64, f64)> = if points == 1 {
            vec![(1.0, 1.0)]
        } else {
            let rule = Rule::new(points);
            rule.points.into_iter().zip(rule.weights).collect()
        };
        Ok(self.by_shard(documents, |shard, part| {
            self.attribute(shard, part, outputs, &rule, quantity)
        }))
    }

    /// The values of a shard's documents.
    fn attribute(
        &self,
        shard: &mut Shard,
        documents: &[&Encoded],
        outputs: &[usize],
        rule: &[(f64, f64)],
        quantity: Quantity,
    ) -> Vec<Array2<f32>> {
        let mut values: Vec<Array2<f64>> = (documents.iter())
            .map(|document| Array2::zeros((document.words.len(), outputs.len())))
            .collect();
        let count = self.config.outputs;
        // Of two probabilities, and of their odds, one has the values of the other the other way round.
        let is_pair = count == 2 && self.config.loss == Loss::CrossEntropy;
        for &(point, weight) in rule {
            for (column, &output) in outputs.iter().enumerate() {
                let mirror = outputs[..column]
                    .iter()
                    .position(|&o| o == output || is_pair);
                if mirror.is_some() {
                    continue;
                }
                // Going back leaves nothing of what going forward left.
                shard.read(&self.network, self.weights.table(), documents, point as f32);
                for row in 0..documents.len() {
                    let row = shard.outputs.row_mut(row);
                    let (row, rest) = row.split_at_mut(count);
                    rest.fill(0.0);
                    let mut probabilities = row.to_vec();
                    softmax(&mut probabilities);
                    quantity.ask(self.config.loss, output, &probabilities, row);
                }
                shard.back(&self.network, false, true, Dropouts::NONE);
                let mut row = 0;
                for (document, values) in documents.iter().zip(&mut values) {
                    for (place, &word) in document.words.iter().enumerate() {
                        let size = self.config.embedding;
                        let vector = &self.weights.table()[word as usize * size..][..size];
                        let asked = shard.asked_words().row(row);
                        let products = vector.iter().zip(asked);
                        let sum: f64 = products.map(|(&x, &g)| f64::from(x) * f64::from(g)).sum();
                        values[[place, column]] += weight * sum;
                        row += 1;
                    }
                }
            }
        }
        for (column, &output) in outputs.iter().enumerate() {
            let first = outputs[..column]
                .iter()
                .position(|&o| o == output || is_pair);
            let Some(first) = first else { continue };
            let sign = if outputs[first] == output { 1.0 } else { -1.0 };
            for values in &mut values {
                let mirrored = values.column(first).mapv(|value| sign * value);
                values.column_mut(column).assign(&mirrored);
            }
        }
        let narrow = |values: Array2<f64>| values.mapv(|value| value as f32);
        values.into_iter().map(narrow).collect()
    }
}

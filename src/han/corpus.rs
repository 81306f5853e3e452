//! What a network learns from, or is held against.

use ndarray::ArrayView2;

use super::{Encoded, Han, Loss, shape};
use crate::error::Result;

/// What a network learns from.
#[derive(Debug, Clone, Copy)]
pub struct Corpus<'a> {
    /// The documents.
    pub documents: &'a [Encoded],
    /// What the teacher answers, (document, output).
    pub targets: ArrayView2<'a, f32>,
    /// How much each document counts; all the same without it.
    pub weights: Option<&'a [f32]>,
}

impl Corpus<'_> {
    /// How much a document counts.
    pub(super) fn weight(&self, document: u32) -> f64 {
        (self.weights).map_or(1.0, |weights| f64::from(weights[document as usize]))
    }
}

impl Han {
    /// The mean loss of documents.
    ///
    /// # Errors
    /// As [`super::Training::train`].
    pub fn loss(&self, corpus: Corpus<'_>) -> Result<f64> {
        self.check_corpus(corpus)?;
        let answers = self.answers(corpus.documents)?;
        let (mut sum, mut weights) = (0.0, 0.0);
        let rows = answers.outer_iter().zip(corpus.targets.outer_iter());
        for (document, (answers, targets)) in rows.enumerate() {
            let pairs = answers.iter().zip(targets);
            let wide = pairs.map(|(&answer, &target)| (f64::from(answer), f64::from(target)));
            let loss: f64 = match self.config.loss {
                Loss::CrossEntropy => wide
                    .map(|(p, t)| {
                        if t == 0.0 {
                            0.0
                        } else {
                            -t * p.max(LEAST).ln()
                        }
                    })
                    .sum(),
                Loss::Squares => {
                    wide.map(|(y, t)| (y - t) * (y - t)).sum::<f64>() / answers.len() as f64
                }
            };
            let weight = corpus
                .weights
                .map_or(1.0, |weights| f64::from(weights[document]));
            sum += weight * loss;
            weights += weight;
        }
        Ok(sum / weights.max(f64::MIN_POSITIVE))
    }

    pub(super) fn check_corpus(&self, corpus: Corpus<'_>) -> Result<()> {
        self.check(corpus.documents)?;
        let expected = (corpus.documents.len(), self.config.outputs);
        if corpus.targets.dim() != expected {
            let expected = format!("{} rows of {} numbers", expected.0, expected.1);
            let got = format!("{:?}", corpus.targets.dim());
            return Err(shape("the teacher's answers", expected, got));
        }
        if corpus.documents.is_empty() {
            return Err(shape("the corpus", "a document at least", "none"));
        }
        for (document, row) in corpus.targets.outer_iter().enumerate() {
            let what = || format!("the teacher's answer to document {document}");
            if let Some(number) = row.iter().find(|number| !number.is_finite()) {
                return Err(shape(what(), "finite numbers", number.to_string()));
            }
            let sum: f64 = row.iter().map(|&p| f64::from(p)).sum();
            let is_distribution = row.iter().all(|&p| p >= 0.0) && (sum - 1.0).abs() < 1e-3;
            if self.config.loss == Loss::CrossEntropy && !is_distribution {
                let expected = "probabilities that add up to 1";
                return Err(shape(what(), expected, format!("{row}")));
            }
        }
        if let Some(weights) = corpus.weights {
            if weights.len() != corpus.documents.len() {
                let expected = format!("{}, one a document", corpus.documents.len());
                return Err(shape(
                    "the documents' weights",
                    expected,
                    weights.len().to_string(),
                ));
            }
            let sum: f64 = weights.iter().map(|&w| f64::from(w)).sum();
            if weights.iter().any(|&w| !w.is_finite() || w < 0.0) || sum <= 0.0 {
                let expected = "finite numbers from 0 on, one above it at least";
                return Err(shape("the documents' weights", expected, "others"));
            }
        }
        Ok(())
    }
}

/// The probability that a loss takes for 0.
const LEAST: f64 = 1e-30;

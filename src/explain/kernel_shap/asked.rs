//! Worths from a black box: it is asked for whole batches of synthetic rows.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use ndarray::Array2;

use super::BATCH_BYTES;
use super::games::{Cursor, Game, Run};
use super::others::Others;
use super::source::Source;
use crate::error::{Error, Result};
use crate::explain::background::NAME;
use crate::explain::method::Asked;
use crate::model::BlackBox;

/// Bytes of the rows of a call when no memory limit is given: the model finds them in the cache.
const CACHE_BYTES: u64 = 4 << 20;

/// Rows of a call, at the least, up to [`BATCH_BYTES`]: a call costs something whatever its rows.
const ROWS: u64 = 2048;

/// A black box, which is asked where it is.
#[derive(Debug)]
pub(super) struct Asking {
    model: BlackBox,
    others: Arc<Others>,
    /// Synthetic rows of a call at most.
    at_once: usize,
}

impl Asking {
    pub(super) fn new(model: &BlackBox, others: &Arc<Others>, memory: Option<u64>) -> Self {
        // One batch is made while another is answered, and a model may copy its own.
        let row = 3 * 8 * (model.features.len() + model.outputs.len()) as u64;
        let memory = memory.unwrap_or((ROWS * row).clamp(CACHE_BYTES, BATCH_BYTES));
        Self {
            model: model.clone(),
            others: Arc::clone(others),
            at_once: (memory / row).clamp(1, 1 << 24) as usize,
        }
    }

    /// Adds answers to the means of their coalitions, in the order of the background rows.
    fn take(&self, games: &[Game], runs: &[Run], answer: &Array2<f64>, means: &mut [Vec<f64>]) {
        let outputs = answer.ncols();
        let answer = answer.as_standard_layout();
        let mut rest = answer.as_slice().unwrap_or_default();
        for run in runs {
            let coalitions = &games[run.game].coalitions;
            let answers;
            (answers, rest) = rest.split_at(run.count * outputs);
            let weights = if run.coalition == coalitions.ends()[0] {
                &[1.0]
            } else {
                &self.others.weights[run.first..run.first + run.count]
            };
            for output in 0..outputs {
                let mean = &mut means[run.game][output * coalitions.count() + run.coalition];
                let answers = answers[output..].iter().step_by(outputs);
                *mean = (answers.zip(weights))
                    .fold(*mean, |mean, (answer, weight)| mean + weight * answer);
            }
        }
    }
}

impl Source for Asking {
    fn base(&self) -> Result<Vec<f64>> {
        let features = self.model.features.len().max(1);
        let mut means = vec![0.0; self.model.outputs.len()];
        let batches = self.others.cells.chunks(self.at_once * features);
        for (cells, weights) in batches.zip(self.others.weights.chunks(self.at_once)) {
            let answer = self.model.answer(matrix(weights.len(), cells)?);
            let answer = answer.map_err(|error| error.in_file(Path::new(NAME)))?;
            for (row, weight) in answer.outer_iter().zip(weights) {
                for (mean, answer) in means.iter_mut().zip(row) {
                    *mean += weight * answer;
                }
            }
        }
        Ok(means)
    }

    fn means(&self, games: &[Game], asked: &mut Asked) -> Result<Vec<Vec<f64>>> {
        let outputs = self.model.outputs.len();
        let mut means: Vec<Vec<f64>> = (games.iter())
            .map(|game| vec![0.0; outputs * game.coalitions.count()])
            .collect();
        let mut cursor = Cursor::new(games, &self.others.cells, self.model.features.len());
        let mut next = cursor.next(self.at_once);
        while let Some((rows, runs)) = next {
            asked.calls += 1;
            asked.rows += rows.nrows() as u64;
            let ask = || {
                let begun = Instant::now();
                (self.model.answer(rows), begun.elapsed())
            };
            let ((answer, taken), following) = rayon::join(ask, || cursor.next(self.at_once));
            asked.model += taken;
            self.take(games, &runs, &answer?, &mut means);
            next = following;
        }
        Ok(means)
    }

    fn answer(&self, rows: usize, cells: &[f64]) -> Result<Vec<f64>> {
        let answer = self.model.answer(matrix(rows, cells)?)?;
        Ok(answer.into_iter().collect())
    }
}

fn matrix(rows: usize, cells: &[f64]) -> Result<Array2<f64>> {
    let shape = (rows, cells.len() / rows.max(1));
    Array2::from_shape_vec(shape, cells.to_vec()).map_err(|error| Error::Shape {
        what: "the cells of rows".to_owned(),
        expected: format!("{shape:?}"),
        got: error.to_string(),
    })
}

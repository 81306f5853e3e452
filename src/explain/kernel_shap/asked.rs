//! Worths from a black box: it is asked for whole batches of synthetic rows.

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use ndarray::{Array2, ShapeError, aview1};

use super::BATCH_BYTES;
use super::games::{Cursor, Game, Run};
use super::source::{Said, Source};
use crate::error::{Error, Result};
use crate::explain::Options;
use crate::explain::background::NAME;
use crate::explain::method::Asked;
use crate::explain::others::Others;
use crate::model::BlackBox;

/// Bytes of the rows of a call when no memory limit is given: the model finds them in the cache.
const CACHE_BYTES: u64 = 2 << 20;

/// Rows of a call, at the least, up to [`BATCH_BYTES`]: a call costs something whatever its rows.
const ROWS: u64 = 2048;

/// Parts of the largest answer that answers to the same row may differ by: batches of other sizes are rounded
/// otherwise.
const SAME: f64 = 1e-4;

/// A black box, which is asked where it is.
#[derive(Debug)]
pub(super) struct Asking {
    model: BlackBox,
    others: Arc<Others>,
    /// Synthetic rows of a call at most.
    at_once: usize,
    /// What it answered to the first background row, and the largest that it answered to any, if it has to
    /// answer the same again.
    first: OnceLock<(Vec<f64>, f64)>,
    allow_noise: bool,
}

impl Asking {
    pub(super) fn new(model: &BlackBox, others: &Arc<Others>, options: &Options) -> Self {
        // One batch is made while another is answered, and a model may copy its own.
        let row = 3 * 8 * (model.features.len() + model.outputs.len()) as u64;
        let memory = options
            .memory_limit
            .unwrap_or((ROWS * row).clamp(CACHE_BYTES, BATCH_BYTES));
        Self {
            model: model.clone(),
            others: Arc::clone(others),
            at_once: (memory / row).clamp(1, 1 << 24) as usize,
            first: OnceLock::new(),
            allow_noise: options.allow_noise,
        }
    }

    /// Whether the model answers to the first background row, the last of these, as it did before.
    fn check_again(&self, answer: &Array2<f64>) -> Result<()> {
        let (Some((first, largest)), Some(again)) = (self.first.get(), answer.outer_iter().last())
        else {
            return Ok(());
        };
        let differs = |(a, b): (&f64, &f64)| (a - b).abs() > SAME * largest;
        let Some(output) = first.iter().zip(&again).position(differs) else {
            return Ok(());
        };
        Err(Error::Model {
            path: NAME.into(),
            format: BlackBox::FORMAT,
            at: "row 1".to_owned(),
            reason: format!(
                "output {output} was {} when the row was asked first, and {} when it was asked again; \
                 expected the same answer to the same row: switch off what is random in the model, such \
                 as dropout, or allow noise",
                first[output], again[output]
            ),
        })
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
    fn is_asked(&self) -> bool {
        true
    }

    fn base(&self) -> Result<Vec<f64>> {
        let features = self.model.features.len().max(1);
        let mut means = vec![0.0; self.model.outputs.len()];
        let (mut first, mut largest) = (None, 0.0_f64);
        let batches = self.others.cells.chunks(self.at_once * features);
        for (cells, weights) in batches.zip(self.others.weights.chunks(self.at_once)) {
            let answer = self.model.answer(matrix(weights.len(), cells)?);
            let answer = answer.map_err(|error| error.in_file(Path::new(NAME)))?;
            largest = answer
                .iter()
                .fold(largest, |largest, cell| largest.max(cell.abs()));
            first = first.or_else(|| answer.outer_iter().next().map(|row| row.to_vec()));
            for (row, weight) in answer.outer_iter().zip(weights) {
                for (mean, answer) in means.iter_mut().zip(row) {
                    *mean += weight * answer;
                }
            }
        }
        if let Some(first) = first.filter(|_| !self.allow_noise) {
            self.first.get_or_init(|| (first, largest));
        }
        Ok(means)
    }

    fn play(&self, games: &[Game], _: Option<&[f64]>, asked: &mut Asked) -> Result<Vec<Said>> {
        let outputs = self.model.outputs.len();
        let mut means: Vec<Vec<f64>> = (games.iter())
            .map(|game| vec![0.0; outputs * game.coalitions.count()])
            .collect();
        let mut cursor = Cursor::new(games, &self.others.cells, self.model.features.len());
        let mut next = cursor.next(self.at_once);
        // The first batch has the first background row once more.
        let mut is_checked = self.first.get().is_none();
        while let Some((mut rows, runs)) = next {
            let has_more = !is_checked;
            if has_more {
                let features = self.model.features.len();
                let other = aview1(&self.others.cells[..features]);
                rows.push_row(other)
                    .map_err(|error| unfit(features, &error))?;
                is_checked = true;
            }
            asked.calls += 1;
            asked.rows += rows.nrows() as u64;
            let ask = || {
                let begun = Instant::now();
                (self.model.answer(rows), begun.elapsed())
            };
            let ((answer, taken), following) = rayon::join(ask, || cursor.next(self.at_once));
            asked.model += taken;
            let answer = answer?;
            if has_more {
                self.check_again(&answer)?;
            }
            self.take(games, &runs, &answer, &mut means);
            next = following;
        }
        Ok(means.into_iter().map(Said::Worths).collect())
    }

    fn answer(&self, rows: usize, cells: &[f64]) -> Result<Vec<f64>> {
        let answer = self.model.answer(matrix(rows, cells)?)?;
        Ok(answer.into_iter().collect())
    }
}

fn matrix(rows: usize, cells: &[f64]) -> Result<Array2<f64>> {
    let columns = cells.len() / rows.max(1);
    Array2::from_shape_vec((rows, columns), cells.to_vec()).map_err(|error| unfit(columns, &error))
}

fn unfit(columns: usize, error: &ShapeError) -> Error {
    Error::Shape {
        what: "the cells of rows".to_owned(),
        expected: format!("rows of {columns}"),
        got: error.to_string(),
    }
}

//! Any model, from what it answers to shuffled rows: those of several columns and repeats are asked for at once.

use ndarray::{Array2, s};

use super::engine::{Engine, Place, Shuffled};
use super::rows::Rows;
use crate::error::Result;
use crate::explain::answers::Answers;

/// A model, and the bytes that a call may take.
pub(super) struct Asked {
    answers: Answers,
    limit: u64,
    place: Place,
}

impl Asked {
    pub(super) fn new(answers: Answers, limit: u64, place: Place) -> Self {
        Self {
            answers,
            limit,
            place,
        }
    }

    /// The answers to variants of rows, of which `cell` says what row a feature is from.
    fn ask(
        &self,
        rows: &Rows,
        variants: usize,
        from: &dyn Fn(usize, usize, usize) -> usize,
    ) -> Result<Vec<Array2<f64>>> {
        let (features, outputs) = (rows.features(), self.answers.names().len());
        let at_once = (self.limit / (8 * (features + outputs)) as u64).max(1) as usize;
        let total = variants * rows.height;
        let mut answers = vec![Array2::zeros((rows.height, outputs)); variants];
        for start in (0..total).step_by(at_once) {
            let end = total.min(start + at_once);
            let mut cells = Array2::zeros((end - start, features));
            for (at, mut to) in (start..end).zip(cells.outer_iter_mut()) {
                let (variant, row) = (at / rows.height, at % rows.height);
                for (feature, to) in to.iter_mut().enumerate() {
                    *to = rows.column(feature)[from(variant, feature, row)];
                }
            }
            let said = self.answers.to(cells)?;
            for (variant, answers) in answers.iter_mut().enumerate() {
                let first = (variant * rows.height).max(start);
                let last = ((variant + 1) * rows.height).min(end);
                if first < last {
                    let offset = variant * rows.height;
                    (answers.slice_mut(s![first - offset..last - offset, ..]))
                        .assign(&said.slice(s![first - start..last - start, ..]));
                }
            }
        }
        Ok(answers)
    }
}

impl Engine for Asked {
    fn name(&self) -> &'static str {
        "asked"
    }

    fn place(&self) -> &Place {
        &self.place
    }

    fn base(&self, rows: &Rows) -> Result<Array2<f64>> {
        let mut answers = self.ask(rows, 1, &|_, _, row| row)?;
        Ok(answers.pop().unwrap_or_default())
    }

    fn answers(&self, rows: &Rows, shuffled: &Shuffled) -> Result<Vec<Array2<f64>>> {
        let variants: Vec<(usize, &Vec<u32>)> = (shuffled.iter())
            .flat_map(|(player, orders)| orders.iter().map(|order| (*player, order)))
            .collect();
        self.ask(rows, variants.len(), &|variant, feature, row| {
            let (player, order) = variants[variant];
            if rows.players.of[feature] as usize == player {
                order[row] as usize
            } else {
                row
            }
        })
    }
}

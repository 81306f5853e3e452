//! What LIME asks of the model and reads of rows.

use std::ops::Range;
use std::time::Instant;

use ndarray::{Array2, Axis, concatenate};

use super::{Lime, check};
use crate::error::{Error, MEMORY, Result};
use crate::explain::background::NAME;
use crate::explain::method::{Asked, Rows, unknown_category, unusable};
use crate::model::Model;

impl Lime {
    /// Whether the model answers to rows with missing cells.
    fn takes_missing(&self) -> bool {
        matches!(*self.model, Model::Trees(_) | Model::BlackBox(_))
    }

    /// Refuses samples with missing cells of a model that cannot read them.
    pub(super) fn check_missing(&self) -> Result<()> {
        match self.samples.missing() {
            Some(column) if !self.takes_missing() => {
                let at = format!("column \"{}\"", self.header.columns[column]);
                Err(unusable(NAME, at, f64::NAN))
            }
            _ => Ok(()),
        }
    }

    /// The model's answers to all samples, about a row or about the training mean.
    pub(super) fn ask_samples(
        &self,
        around: Option<&[f64]>,
        asked: &mut Asked,
    ) -> Result<Array2<f64>> {
        self.ask(
            self.samples.count,
            |some| self.samples.rows(some, around),
            asked,
        )
    }

    /// The model's answers to so many rows, in calls of no more than the memory allows.
    pub(super) fn ask(
        &self,
        count: usize,
        rows: impl Fn(Range<usize>) -> Array2<f64>,
        asked: &mut Asked,
    ) -> Result<Array2<f64>> {
        let mut parts = Vec::new();
        for start in (0..count).step_by(self.at_once) {
            let part = rows(start..(start + self.at_once).min(count));
            let begun = Instant::now();
            asked.rows += part.nrows() as u64;
            parts.push(self.answers.to(part)?);
            asked.model += begun.elapsed();
            asked.calls += u64::from(self.answers.is_asked());
        }
        let views: Vec<_> = parts.iter().map(|part| part.view()).collect();
        concatenate(Axis(0), &views).map_err(|error| Error::Shape {
            what: "the answers of the model".to_owned(),
            expected: format!("{} for each row", self.outputs()),
            got: error.to_string(),
        })
    }

    /// The cells of rows, which must be such as LIME and the model can read.
    pub(super) fn cells(&self, rows: &Rows<'_>) -> Result<Array2<f64>> {
        let mut all = Array2::zeros((rows.batch.rows(), self.is_quantity.len()));
        for (row, mut to) in all.outer_iter_mut().enumerate() {
            let cells = to.as_slice_mut().unwrap_or_default();
            rows.batch.fill(row..row + 1, cells)?;
            let at = |feature: usize| {
                let title = rows.batch.title(feature);
                format!("row {}, {title}", rows.before + row + 1)
            };
            let missing = cells.iter().position(|cell| cell.is_nan());
            if let Some(feature) = missing.filter(|_| !self.takes_missing()) {
                return Err(unusable(MEMORY, at(feature), cells[feature]));
            }
            if let Some(feature) = check::unusable_cell(cells, &self.is_quantity) {
                return Err(check::refused_cell(MEMORY, at(feature), cells[feature]));
            }
            if let Some(feature) = self.model.unknown_category(cells) {
                return Err(unknown_category(MEMORY, at(feature)));
            }
        }
        Ok(all)
    }
}

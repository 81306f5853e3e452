//! The samples that all rows of an explainer have in common.

use std::borrow::Cow;
use std::ops::Range;

use ndarray::{Array2, s};
use whylight_kernels::weighted_gram::Differences;

use super::column::Column;
use super::fit::{Neighbourhood, weight};
use crate::error::{Error, Result};

/// Samples, drawn column by column as the training rows have them, whatever row is explained.
#[derive(Debug)]
pub(super) struct Samples {
    columns: Vec<Column>,
    /// How many.
    pub(super) count: usize,
    /// By feature and code, a bit per sample that has it.
    bits: Vec<Vec<Vec<u64>>>,
    /// What the model is asked for, (samples, features); of quantities the normal deviates. See [`Samples::forget`].
    cells: Array2<f64>,
    has_quantities: bool,
    /// Whether quantities deviate from the row's, and not from the training mean.
    is_around: bool,
    pub(super) kernel_width: f64,
}

impl Samples {
    /// Draws so many.
    ///
    /// # Errors
    /// [`Error::Unsupported`] if there is no memory for them.
    pub(super) fn new(
        columns: Vec<Column>,
        count: usize,
        seed: u64,
        kernel_width: f64,
        is_around: bool,
    ) -> Result<Self> {
        let words = count.div_ceil(64);
        let had = (count.checked_mul(columns.len()))
            .is_some_and(|cells| Vec::<f64>::new().try_reserve_exact(2 * cells).is_ok());
        if !had {
            return Err(Error::Unsupported {
                what: format!("{count} samples of {} features", columns.len()),
                by: "the memory of this machine".to_owned(),
                instead: "take a smaller num_samples".to_owned(),
            });
        }
        let mut cells = Array2::zeros((count, columns.len()));
        let mut bits = Vec::with_capacity(columns.len());
        for (place, column) in columns.iter().enumerate() {
            let (codes, drawn) = column.draw(count, seed, place);
            for (to, cell) in cells.column_mut(place).iter_mut().zip(drawn) {
                *to = cell;
            }
            let mut of_codes = vec![vec![0_u64; words]; column.codes()];
            for (sample, code) in codes.into_iter().enumerate() {
                of_codes[code][sample / 64] |= 1 << (sample % 64);
            }
            bits.push(of_codes);
        }
        Ok(Self {
            has_quantities: columns.iter().any(|column| column.scale().is_some()),
            columns,
            count,
            bits,
            cells,
            is_around,
            kernel_width,
        })
    }

    /// Some of the rows that the model is asked for, about a row whose cells are given, or about the training mean.
    pub(super) fn rows(&self, some: Range<usize>, around: Option<&[f64]>) -> Array2<f64> {
        let mut rows = self.cells.slice(s![some, ..]).to_owned();
        for (place, column) in self.columns.iter().enumerate() {
            if let Some((mean, scale)) = column.scale() {
                let centre = around.map_or(mean, |cells| cells[place]);
                let deviates = rows.column_mut(place);
                for cell in deviates {
                    *cell = centre + scale * *cell;
                }
            }
        }
        rows
    }

    /// The first column in which a sample has a missing cell.
    pub(super) fn missing(&self) -> Option<usize> {
        let mut columns = self.cells.columns().into_iter();
        columns.position(|cells| cells.iter().any(|cell| cell.is_nan()))
    }

    /// Forgets the cells of samples for which the model was asked, where these are only compared.
    pub(super) fn forget(&mut self) {
        if !self.has_quantities {
            self.cells = Array2::zeros((0, self.columns.len()));
        }
    }

    /// By feature, the code of a row's cell; `None` where no sample is like it.
    pub(super) fn codes(&self, cells: &[f64]) -> Vec<Option<usize>> {
        let columns = self.columns.iter().zip(cells);
        columns.map(|(column, cell)| column.code(*cell)).collect()
    }

    /// Features whose cells are of a category that no training row has.
    pub(super) fn unseen(&self, cells: &[f64]) -> usize {
        let columns = self.columns.iter().zip(cells);
        columns
            .filter(|(column, cell)| column.scale().is_none() && column.code(**cell).is_none())
            .count()
    }

    /// The neighbourhood of a row, whose cells and answers are given, with what the model answers to the samples
    /// (samples, outputs).
    pub(super) fn about<'a>(
        &self,
        cells: &[f64],
        own: &[f64],
        answers: &Array2<f64>,
    ) -> Neighbourhood<'a> {
        let (differences, row) = self.differences(cells);
        let weigh = |square: &f64| weight(*square, self.kernel_width);
        let targets = answers
            .columns()
            .into_iter()
            .zip(own)
            .map(|(answers, own)| Cow::Owned(answers.iter().map(|answer| answer - own).collect()));
        Neighbourhood {
            weights: differences.squares().iter().map(weigh).collect(),
            differences,
            own_weight: 1.0,
            row,
            answers: own.to_vec(),
            targets: targets.collect(),
        }
    }

    /// By feature, whether cells are only compared.
    #[cfg(feature = "gpu")]
    pub(super) fn compared(&self) -> Vec<bool> {
        self.columns
            .iter()
            .map(|column| column.scale().is_none())
            .collect()
    }

    /// The samples (samples, features) in float32: the codes of compared cells, and standardised cells of others.
    #[cfg(feature = "gpu")]
    pub(super) fn standardised(&self) -> Vec<f32> {
        let cells = self.cells.outer_iter().flat_map(|sample| {
            let cells = self.columns.iter().zip(sample);
            let cell = |(column, cell): (&Column, &f64)| match column.scale() {
                Some(_) => *cell as f32,
                None => code(column, *cell),
            };
            cells.map(cell).collect::<Vec<f32>>()
        });
        cells.collect()
    }

    /// A row, as [`Samples::standardised`] has the samples.
    pub(super) fn standardised_row<'a>(
        &'a self,
        cells: &'a [f64],
    ) -> impl Iterator<Item = f32> + 'a {
        let cells = self.columns.iter().zip(cells);
        cells.map(|(column, cell)| match column.scale() {
            Some((mean, scale)) => ((cell - mean) / scale) as f32,
            None => code(column, *cell),
        })
    }

    /// The representation of a row.
    pub(super) fn represent(&self, cells: &[f64]) -> Vec<f64> {
        let represent = |(column, cell): (&Column, &f64)| match column.scale() {
            Some((mean, scale)) => (cell - mean) / scale,
            None => 1.0,
        };
        self.columns.iter().zip(cells).map(represent).collect()
    }

    /// How the samples differ from a row, and the representation of the row.
    fn differences(&self, cells: &[f64]) -> (Differences, Vec<f64>) {
        let none = vec![0_u64; self.count.div_ceil(64)];
        let codes = self.codes(cells);
        let column = |(feature, code): (usize, &Option<usize>)| match code {
            Some(code) => self.bits[feature][*code].as_slice(),
            None => none.as_slice(),
        };
        let columns: Vec<&[u64]> = codes.iter().enumerate().map(column).collect();
        let row = self.represent(cells);
        if !self.has_quantities {
            return (Differences::of_bits(self.count, &columns), row);
        }
        let mut all = Vec::with_capacity(self.count * cells.len());
        for (sample, deviates) in self.cells.outer_iter().enumerate() {
            for (feature, deviate) in deviates.iter().enumerate() {
                all.push(match self.columns[feature].scale() {
                    Some(_) if self.is_around => *deviate,
                    Some(_) => deviate - row[feature],
                    None if columns[feature][sample / 64] >> (sample % 64) & 1 == 1 => 0.0,
                    None => -1.0,
                });
            }
        }
        let differences = Differences::Dense {
            features: cells.len(),
            cells: all,
        };
        (differences, row)
    }
}

/// The code of a cell as a number; −1 where no sample is like it.
fn code(column: &Column, cell: f64) -> f32 {
    column.code(cell).map_or(-1.0, |code| code as f32)
}

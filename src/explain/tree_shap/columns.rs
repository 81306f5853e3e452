//! The columns that the kernels compare, filled for a block of rows.

use whylight_kernels::ROWS;

use super::compile::{Column, Compiled, Kind, rank};
use crate::data::Batch;
use crate::error::Result;
use crate::model::{Fraction, Missing, Precision};

/// Categories above this are in no set; float32 holds integers exactly up to here.
const MAX_CATEGORY: f64 = (1 << 24) as f64;

/// What columns of numbers hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    /// The numbers, as float32.
    Numbers,
    /// Their ranks among the thresholds, where float32 would not compare as the model does.
    Ranks,
}

/// Working memory of [`fill`].
#[derive(Debug, Default)]
pub(super) struct Scratch {
    narrow: Vec<f32>,
    wide: Vec<f64>,
}

impl Compiled {
    /// Whether a batch can be compared as float32 numbers.
    pub(super) fn scale(&self, batch: &Batch<'_>) -> Scale {
        if self.precision == Precision::F32 || batch.exact_f32() {
            Scale::Numbers
        } else {
            Scale::Ranks
        }
    }

    pub(super) fn thresholds(&self, scale: Scale) -> &[f32] {
        match scale {
            Scale::Numbers => &self.thresholds,
            Scale::Ranks => &self.ranks().thresholds,
        }
    }

    /// Whether every feature is a column as it is.
    pub(super) fn is_plain(&self, features: usize) -> bool {
        self.columns.len() == features
            && (0..).zip(&self.columns).all(|(feature, column)| {
                column.feature == feature
                    && column.missing == Missing::Nan
                    && column.kind == Kind::Number
            })
    }

    /// Fills `cells`, laid out (column, [`ROWS`]), for `count` rows from `start`, at most
    /// [`ROWS`].
    pub(super) fn fill(
        &self,
        batch: &Batch<'_>,
        scale: Scale,
        start: usize,
        count: usize,
        scratch: &mut Scratch,
        cells: &mut [f32],
    ) -> Result<()> {
        let features = batch.features();
        match scale {
            Scale::Numbers => {
                if count == ROWS && self.is_plain(features) {
                    return batch.fill_f32(start..start + count, cells);
                }
                scratch.narrow.resize(features * count, 0.0);
                batch.fill_f32(start..start + count, &mut scratch.narrow)?;
                for (column, to) in self.columns.iter().zip(cells.chunks_mut(ROWS)) {
                    let from = &scratch.narrow[column.feature as usize * count..][..count];
                    if column.kind == Kind::Number && column.missing == Missing::Nan {
                        to[..count].copy_from_slice(from);
                    } else {
                        let from = from.iter().map(|&x| f64::from(x));
                        self.write(column, from, to, |x| x as f32);
                    }
                }
            }
            Scale::Ranks => {
                scratch.wide.resize(features * count, 0.0);
                batch.fill(start..start + count, &mut scratch.wide)?;
                let steps = &self.ranks().steps;
                let columns = self.columns.iter().zip(steps);
                for ((column, steps), to) in columns.zip(cells.chunks_mut(ROWS)) {
                    let from = &scratch.wide[column.feature as usize * count..][..count];
                    self.write(column, from.iter().copied(), to, |x| rank(steps, x) as f32);
                }
            }
        }
        Ok(())
    }

    fn write(
        &self,
        column: &Column,
        from: impl Iterator<Item = f64>,
        to: &mut [f32],
        number: impl Fn(f64) -> f32,
    ) {
        for (x, to) in from.zip(to) {
            let x = column.missing.apply(x);
            *to = if x.is_nan() {
                f32::NAN
            } else {
                match &column.kind {
                    Kind::Number => number(x),
                    Kind::Category => category(x, self.fraction),
                    Kind::Position(values) => {
                        let position = values.partition_point(|&value| value < x);
                        match values.get(position) {
                            Some(&value) if value == x => position as f32,
                            _ => -1.0,
                        }
                    }
                    Kind::Present => 0.0,
                    Kind::High => x as f32,
                    Kind::Low => (x - f64::from(x as f32)) as f32,
                }
            };
        }
    }
}

fn category(x: f64, fraction: Fraction) -> f32 {
    let category = match fraction {
        Fraction::Truncate => x.trunc(),
        Fraction::Floor => x.floor(),
    };
    if (0.0..MAX_CATEGORY).contains(&category) {
        category as f32
    } else {
        -1.0
    }
}

//! The additivity of a result, measured with margins in float64 by the model's own rules.

use ndarray::{ArrayView3, Axis};
use rayon::prelude::*;

use super::method::Method;
use crate::data::Batch;
use crate::error::Result;

/// Rows of a table that are checked by default.
const ROWS: u64 = 256;

/// Of a file of unknown length the first rows are checked, and from then on every so many.
const UNKNOWN_EVERY: u64 = 1 << 16;

/// Rows that one thread takes at a time.
const ROWS_PER_TASK: usize = 32;

/// Which rows are checked, and what was found so far.
#[derive(Debug)]
pub(super) struct Check {
    wanted: u64,
    every: u64,
    next: u64,
    seen: u64,
    rows: u64,
    error: f64,
    /// False where values do not add up by definition.
    is_defined: bool,
}

impl Check {
    /// To check `wanted` rows of `rows`, where they are known.
    pub(super) fn new(wanted: Option<u64>, rows: Option<u64>) -> Self {
        let wanted = wanted.unwrap_or(ROWS).max(1);
        Self {
            wanted,
            every: rows.map_or(1, |rows| rows.div_ceil(wanted)),
            next: 0,
            seen: 0,
            rows: 0,
            error: 0.0,
            is_defined: true,
        }
    }

    /// A check of values that do not add up by definition: it checks no row.
    pub(super) fn undefined() -> Self {
        Self {
            is_defined: false,
            ..Self::new(None, None)
        }
    }

    /// The rows to check of the next batch, which has so many.
    pub(super) fn pick(&mut self, batch: usize) -> Vec<usize> {
        let end = self.seen + batch as u64;
        let mut rows = Vec::new();
        while self.is_defined && self.next < end {
            rows.push((self.next - self.seen) as usize);
            self.rows += 1;
            self.next += if self.rows < self.wanted {
                self.every
            } else {
                self.every.max(UNKNOWN_EVERY)
            };
        }
        self.seen = end;
        rows
    }

    /// Notes how far base values and values, (rows, features, outputs) of a batch, miss the margins
    /// (rows, outputs) of the rows that were picked from it.
    pub(super) fn compare(
        &mut self,
        base_values: &[f64],
        rows: &[usize],
        margins: &[f64],
        values: &ArrayView3<'_, f32>,
    ) {
        let margins = margins.chunks(base_values.len().max(1));
        for (&row, margins) in rows.iter().zip(margins) {
            let values = values.index_axis(Axis(0), row);
            let outputs = margins.iter().zip(base_values);
            for ((margin, base), values) in outputs.zip(values.axis_iter(Axis(1))) {
                let sum: f64 = values.iter().map(|&value| f64::from(value)).sum();
                let error = (base + sum - margin).abs();
                let error = if error.is_nan() { f64::INFINITY } else { error };
                self.error = self.error.max(error);
            }
        }
    }

    /// Rows that were checked.
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// The largest |base value + Σ values − margin|; NaN where it is not defined.
    pub(super) fn error(&self) -> f64 {
        if self.is_defined {
            self.error
        } else {
            f64::NAN
        }
    }
}

/// The margins (rows, outputs) of some rows of a batch.
pub(super) fn margins(method: &dyn Method, batch: &Batch<'_>, rows: &[usize]) -> Result<Vec<f64>> {
    let features = batch.features();
    let at_once = if method.is_serial() {
        rows.len().max(1)
    } else {
        ROWS_PER_TASK
    };
    let parts = rows.par_chunks(at_once).map(|rows| {
        let mut cells = vec![0.0; rows.len() * features];
        for (i, &row) in rows.iter().enumerate() {
            batch.fill(row..row + 1, &mut cells[i * features..][..features])?;
        }
        method.margins(rows.len(), &cells)
    });
    Ok(parts.collect::<Result<Vec<_>>>()?.concat())
}

#[cfg(test)]
mod tests {
    use super::{Check, ROWS};

    #[test]
    fn as_many_rows_are_checked_as_asked_for_and_all_over_the_table() {
        for (wanted, rows, expected) in [
            (Some(10), 10_000_000, 10),
            (None, 10_000_000, ROWS),
            (None, 40_000_000, ROWS),
            (Some(7), 5, 5),
            (Some(u64::MAX), 3000, 3000),
        ] {
            let mut check = Check::new(wanted, Some(rows));
            let mut last = 0;
            for start in (0..rows).step_by(1 << 20) {
                let batch = (rows - start).min(1 << 20);
                last = check
                    .pick(batch as usize)
                    .last()
                    .map_or(last, |row| start + *row as u64);
            }
            assert_eq!(check.rows(), expected, "{wanted:?} of {rows}");
            assert!(
                last + rows.div_ceil(expected) >= rows,
                "the last is {last} of {rows}"
            );
        }
    }
}

//! A background in one row: the median of each column.

use rayon::prelude::*;

use super::{check_rows, scale};
use crate::data::{Table, View};
use crate::error::Result;

/// One row that holds the median of each column: of an even number of cells, the mean of the two in
/// the middle. Missing cells (NaN) do not count; a column without a number stays NaN. It has the
/// names and the precision of the table.
///
/// # Errors
/// [`crate::Error::Data`] for a table without rows, a column of labels, and an infinite cell;
/// [`crate::Error::Shape`] as [`View::check`].
pub fn medians(rows: &View<'_>) -> Result<Table> {
    check_rows(rows)?;
    // In order, so that the first fault is the one that is told, on any number of threads.
    let medians: Vec<Result<Vec<f64>>> = (0..rows.columns())
        .into_par_iter()
        .map(|column| {
            let mut cells = scale::finite(rows, column)?;
            cells.retain(|cell| !cell.is_nan());
            Ok(vec![median(&mut cells)])
        })
        .collect();
    let medians: Result<Vec<Vec<f64>>> = medians.into_iter().collect();
    Ok(rows.with_numbers(&medians?))
}

/// The median of numbers, whose order it changes; NaN if there are none.
fn median(cells: &mut [f64]) -> f64 {
    if cells.is_empty() {
        return f64::NAN;
    }
    let is_even = cells.len().is_multiple_of(2);
    let (below, &mut middle, _) = cells.select_nth_unstable_by(cells.len() / 2, f64::total_cmp);
    let other = below.iter().copied().max_by(f64::total_cmp);
    match other {
        Some(other) if is_even => other.midpoint(middle),
        _ => middle,
    }
}

//! Columns in units of their standard deviations, and back: to means of clusters, and to values
//! that occur.

use rayon::prelude::*;
use whylight_kernels::ROWS;

use super::Rows;
use crate::data::View;
use crate::error::{Error, MEMORY, Result};

/// Deviations are cut here, so that the square of none leaves float32. Only a row that weighs next
/// to nothing beside the others deviates by so much.
const LARGEST: f64 = 1e15;

/// A column's numbers, seen with the weights of the rows. Missing cells and rows without weight do
/// not count.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    /// The mean, in units of `unit`; NaN for a column without a number.
    mean: f64,
    /// The standard deviation, in units of `unit`; 0 for a constant column.
    deviation: f64,
    /// A power of two by which the numbers are divided first: the square of no quotient leaves
    /// float64.
    unit: f64,
}

impl Scale {
    /// The scales of all columns.
    ///
    /// # Errors
    /// [`Error::Data`] that names a column of labels, or the column and row of an infinite cell.
    pub(super) fn of(view: &View<'_>, weights: &[f64]) -> Result<Vec<Self>> {
        // In order, so that the first fault is the one that is told, on any number of threads.
        let scales: Vec<Result<Self>> = (0..view.columns())
            .into_par_iter()
            .map(|column| Self::of_column(view, column, weights))
            .collect();
        scales.into_iter().collect()
    }

    fn of_column(view: &View<'_>, column: usize, weights: &[f64]) -> Result<Self> {
        let cells = finite(view, column)?;
        let counted = || {
            let cells = cells.iter().zip(weights);
            cells.filter(|(cell, weight)| !cell.is_nan() && **weight > 0.0)
        };
        let least = counted().fold(f64::INFINITY, |least, (cell, _)| least.min(*cell));
        let most = counted().fold(f64::NEG_INFINITY, |most, (cell, _)| most.max(*cell));
        let unit = power_of_two(least.abs().max(most.abs()));
        let total: f64 = counted().map(|(_, weight)| weight).sum();
        let mean = counted()
            .map(|(cell, weight)| cell / unit * (weight / total))
            .sum::<f64>();
        let variance: f64 = counted()
            .map(|(cell, weight)| (cell / unit - mean).powi(2) * (weight / total))
            .sum();
        Ok(if least > most {
            Self {
                mean: f64::NAN,
                deviation: 0.0,
                unit: 1.0,
            }
        } else {
            Self {
                mean,
                // Of equal numbers, too, rounding leaves a variance.
                deviation: if least < most { variance.sqrt() } else { 0.0 },
                unit,
            }
        })
    }

    /// Whether rows differ in this column.
    pub(super) fn varies(&self) -> bool {
        self.deviation > 0.0
    }

    fn is_empty(&self) -> bool {
        self.mean.is_nan()
    }

    /// A cell in units of the standard deviation from the mean, where a missing cell is.
    fn scaled(&self, cell: f64) -> f32 {
        if cell.is_nan() {
            return 0.0;
        }
        let deviations = (cell / self.unit - self.mean) / self.deviation;
        // Adding 0 turns −0 into 0: equal rows have equal bits.
        deviations.clamp(-LARGEST, LARGEST) as f32 + 0.0
    }
}

/// The cells of a column.
///
/// # Errors
/// [`Error::Data`] that names a column of labels, or the column and row of an infinite cell.
pub(super) fn finite(view: &View<'_>, column: usize) -> Result<Vec<f64>> {
    let mut cells = vec![0.0; view.rows()];
    view.numbers(column, 0..view.rows(), &mut cells)?;
    match cells.iter().position(|cell| cell.is_infinite()) {
        None => Ok(cells),
        Some(row) => Err(Error::Data {
            path: MEMORY.into(),
            at: format!("row {}, {}", row + 1, view.title(column)),
            reason: format!(
                "{} cannot be summarised; expected a finite number, or NaN for a missing one",
                cells[row]
            ),
        }),
    }
}

/// The bits of a float64's exponent.
const EXPONENT: u64 = 0x7FF0_0000_0000_0000;

/// The power of two at or below a number that is not negative; of numbers near 0, the least that
/// divides without a loss.
pub(super) fn power_of_two(number: f64) -> f64 {
    if !number.is_finite() {
        return 1.0;
    }
    f64::from_bits(number.to_bits() & EXPONENT).max(f64::MIN_POSITIVE)
}

/// The scaled cells of the columns that vary, laid out (block, column, [`ROWS`]), 0 beyond the last
/// row.
pub(super) fn scaled(view: &View<'_>, scales: &[Scale], varying: &[usize]) -> Result<Vec<f32>> {
    let rows = view.rows();
    let mut cells = vec![0.0; rows.div_ceil(ROWS) * varying.len() * ROWS];
    let blocks = cells.par_chunks_mut((varying.len() * ROWS).max(1));
    blocks.enumerate().try_for_each(|(block, cells)| {
        let start = block * ROWS;
        let end = rows.min(start + ROWS);
        let mut numbers = [0.0; ROWS];
        for (&column, cells) in varying.iter().zip(cells.chunks_mut(ROWS)) {
            let numbers = &mut numbers[..end - start];
            view.numbers(column, start..end, numbers)?;
            for (cell, number) in cells.iter_mut().zip(numbers) {
                *cell = scales[column].scaled(*number);
            }
        }
        Ok(())
    })?;
    Ok(cells)
}

/// The centres of clusters in the table's own units: one column of cells per column.
pub(super) fn centres(
    view: &View<'_>,
    scales: &[Scale],
    rows: &Rows<'_>,
    clusters: usize,
    round: bool,
) -> Result<Vec<Vec<f64>>> {
    (0..view.columns())
        .into_par_iter()
        .map(|column| {
            let scale = &scales[column];
            if scale.is_empty() {
                return Ok(vec![f64::NAN; clusters]);
            }
            let mut cells = vec![0.0; view.rows()];
            view.numbers(column, 0..view.rows(), &mut cells)?;
            let mut means = means(scale, &cells, rows, clusters);
            if round {
                let counted = cells.iter().zip(rows.weights);
                let counted = counted.filter(|(cell, weight)| !cell.is_nan() && **weight > 0.0);
                nearest_values(&mut means, counted.map(|(cell, _)| *cell));
            }
            Ok(means)
        })
        .collect()
}

/// The mean of each cluster; missing cells count as the column's mean.
fn means(scale: &Scale, cells: &[f64], rows: &Rows<'_>, clusters: usize) -> Vec<f64> {
    struct Sum {
        deviation: f64,
        weight: f64,
        least: f64,
        most: f64,
    }
    let empty = || Sum {
        deviation: 0.0,
        weight: 0.0,
        least: f64::INFINITY,
        most: f64::NEG_INFINITY,
    };
    let mean = scale.mean * scale.unit;
    let mut sums: Vec<Sum> = (0..clusters).map(|_| empty()).collect();
    for ((&cell, &weight), &cluster) in cells.iter().zip(rows.weights).zip(rows.nearest) {
        if weight > 0.0 {
            let cell = if cell.is_nan() { mean } else { cell };
            let sum = &mut sums[cluster as usize];
            sum.deviation += weight * (cell / scale.unit - scale.mean);
            sum.weight += weight;
            sum.least = sum.least.min(cell);
            sum.most = sum.most.max(cell);
        }
    }
    let mean = |sum: &Sum| {
        let mean = (scale.mean + sum.deviation / sum.weight) * scale.unit;
        // Rounding must not lead out of the cluster: the mean of equal cells is that cell.
        mean.max(sum.least).min(sum.most)
    };
    sums.iter().map(mean).collect()
}

/// Replaces each number by the nearest one of `values`, the lower of two that are equally near.
/// There is at least one value.
fn nearest_values(numbers: &mut [f64], values: impl Iterator<Item = f64>) {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    // The least and largest value of each gap between neighbouring numbers: above one, up to the
    // next.
    let mut gaps = vec![(f64::INFINITY, f64::NEG_INFINITY); sorted.len() + 1];
    for value in values {
        let gap = &mut gaps[sorted.partition_point(|&number| number < value)];
        *gap = (gap.0.min(value), gap.1.max(value));
    }
    let mut below = Vec::with_capacity(gaps.len());
    let mut largest = f64::NEG_INFINITY;
    for gap in &gaps {
        largest = largest.max(gap.1);
        below.push(largest);
    }
    let mut above = f64::INFINITY;
    let mut nearest = vec![0.0; sorted.len()];
    for (i, &number) in sorted.iter().enumerate().rev() {
        above = above.min(gaps[i + 1].0);
        let lower = below[i];
        // An infinity is no value, but a distance can overflow to one.
        let is_lower = above.is_infinite() || lower.is_finite() && number - lower <= above - number;
        nearest[i] = if is_lower { lower } else { above };
    }
    for number in numbers {
        let at = sorted.partition_point(|other| other.total_cmp(number).is_lt());
        *number = nearest[at];
    }
}

#[cfg(test)]
mod tests {
    use super::{nearest_values, power_of_two};

    #[test]
    fn numbers_move_to_the_nearest_value_that_occurs() {
        let values = [3.0, -1.0, 10.0, 3.0, 4.0];
        let mut numbers = [3.5, 100.0, -7.0, 6.9, 7.1, 4.0, 1.0, 3.5];
        nearest_values(&mut numbers, values.into_iter());
        assert_eq!(numbers, [3.0, 10.0, -1.0, 4.0, 10.0, 4.0, -1.0, 3.0]);
        for value in [1.7e308, -1.7e308] {
            let mut numbers = [5e-324, 1.7e308, -1.7e308];
            nearest_values(&mut numbers, [value].into_iter());
            assert_eq!(numbers, [value; 3]);
        }
    }

    #[test]
    fn a_power_of_two_leaves_a_quotient_below_two() {
        for number in [1.0, 1.5, 3.0, 1e308, 1e-300] {
            let unit = power_of_two(number);
            assert!((1.0..2.0).contains(&(number / unit)));
            assert_eq!(unit.to_bits() & 0x000F_FFFF_FFFF_FFFF, 0);
        }
        assert!(5e-324 / power_of_two(5e-324) > 0.0);
        assert_eq!(0.0 / power_of_two(0.0), 0.0);
    }
}

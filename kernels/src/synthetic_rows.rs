//! Synthetic rows of a coalition, for models that are asked: background rows with cells of an explained row.

use crate::simd::{Level, Simd, instances};

/// Rows that are written together: their cells fill whole vectors, whatever the number of features.
const TOGETHER: usize = 8;

/// The cells of a coalition, which an explained row gives.
#[derive(Debug, Clone)]
pub struct Cells {
    columns: usize,
    /// The bits that background rows keep, and those that are given, for [`TOGETHER`] rows.
    kept: Vec<u64>,
    given: Vec<u64>,
}

impl Cells {
    /// Those of no players, of at least one column.
    pub fn new(columns: usize) -> Self {
        Self {
            columns,
            kept: vec![u64::MAX; TOGETHER * columns],
            given: vec![0; TOGETHER * columns],
        }
    }

    /// Gives nothing again.
    pub fn clear(&mut self) {
        self.kept.fill(u64::MAX);
        self.given.fill(0);
    }

    /// Gives a cell of a column.
    pub fn give(&mut self, column: usize, cell: f64) {
        for at in (column..self.kept.len()).step_by(self.columns) {
            self.kept[at] = 0;
            self.given[at] = cell.to_bits();
        }
    }

    /// Appends background rows to `to`, with the cells that are given.
    pub fn fill(&self, level: Level, rows: &[f64], to: &mut Vec<f64>) {
        to.reserve(rows.len());
        blend(level, rows, &self.kept, &self.given, to);
    }
}

instances! { wide
    fn blend = blend_rows(rows: &[f64], kept: &[u64], given: &[u64], to: &mut Vec<f64>)
}

#[inline(always)]
fn blend_rows<S: Simd>(rows: &[f64], kept: &[u64], given: &[u64], to: &mut Vec<f64>) {
    for rows in rows.chunks(kept.len()) {
        let cells = rows.iter().zip(kept).zip(given);
        to.extend(cells.map(|((cell, kept), given)| f64::from_bits(cell.to_bits() & kept | given)));
    }
}

#[cfg(test)]
mod tests {
    use super::Cells;
    use crate::simd::Level;

    #[test]
    fn cells_are_kept_or_given_column_by_column() {
        for columns in [1, 3, 8, 30] {
            let rows: Vec<f64> = (0..columns * 21).map(|cell| cell as f64 - 7.5).collect();
            let is_given = |column: usize| column % 3 == 1;
            let mut given = Cells::new(columns);
            given.give(0, 3.0);
            given.clear();
            for column in (0..columns).filter(|&column| is_given(column)) {
                given.give(column, f64::NAN);
            }
            for level in Level::available() {
                let mut got = vec![1.0];
                given.fill(level, &rows, &mut got);
                assert_eq!(got.len(), 1 + rows.len());
                for (at, (got, cell)) in got[1..].iter().zip(&rows).enumerate() {
                    let expected = if is_given(at % columns) {
                        f64::NAN
                    } else {
                        *cell
                    };
                    assert_eq!(
                        got.to_bits(),
                        expected.to_bits(),
                        "{columns} columns, cell {at}"
                    );
                }
            }
        }
    }
}

//! Sparse rows in the caller's memory: compressed sparse rows (CSR), as `SciPy` lays them out.

use std::ops::Range;

use super::table::shape;
use crate::error::{Error, MEMORY, Result};

/// Positions in the two widths that `SciPy` uses.
#[derive(Debug, Clone, Copy)]
pub enum Indices<'a> {
    /// 32 bits.
    I32(&'a [i32]),
    /// 64 bits.
    I64(&'a [i64]),
}

impl<'a> From<&'a [i32]> for Indices<'a> {
    fn from(indices: &'a [i32]) -> Self {
        Self::I32(indices)
    }
}

impl<'a> From<&'a [i64]> for Indices<'a> {
    fn from(indices: &'a [i64]) -> Self {
        Self::I64(indices)
    }
}

impl Indices<'_> {
    fn len(&self) -> usize {
        match self {
            Self::I32(indices) => indices.len(),
            Self::I64(indices) => indices.len(),
        }
    }

    fn signed(&self, at: usize) -> i64 {
        match self {
            Self::I32(indices) => i64::from(indices[at]),
            Self::I64(indices) => indices[at],
        }
    }

    /// An index that was checked.
    fn at(&self, at: usize) -> usize {
        self.signed(at) as usize
    }

    fn slice(&self, range: Range<usize>) -> Self {
        match self {
            Self::I32(indices) => Self::I32(&indices[range]),
            Self::I64(indices) => Self::I64(&indices[range]),
        }
    }
}

/// Checked rows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Csr<'a, T> {
    entries: &'a [T],
    /// What a cell without an entry is.
    pub(super) absent: T,
    /// The column of each entry.
    indices: Indices<'a>,
    /// The first entry of each row, and the end of the last.
    starts: Indices<'a>,
    columns: usize,
}

impl<'a, T: Copy + Default> Csr<'a, T> {
    /// Rows whose cells without an entry are 0.
    pub(super) fn new(
        entries: &'a [T],
        indices: Indices<'a>,
        starts: Indices<'a>,
        columns: usize,
    ) -> Result<Self> {
        if entries.len() != indices.len() {
            return Err(shape(
                "the indices of sparse rows",
                format!("one for each of {} entries", entries.len()),
                indices.len().to_string(),
            ));
        }
        let mut before = 0;
        for row in 0..starts.len() {
            let start = starts.signed(row);
            if start < before || start > entries.len() as i64 {
                return Err(shape(
                    format!("position {row} of the indptr of sparse rows"),
                    format!("a number from {before} to {}", entries.len()),
                    start.to_string(),
                ));
            }
            before = start;
        }
        if starts.len() == 0 {
            return Err(shape(
                "the indptr of sparse rows",
                "one number more than rows",
                "none",
            ));
        }
        let csr = Self {
            entries,
            absent: T::default(),
            indices,
            starts,
            columns,
        };
        csr.check_columns()?;
        Ok(csr)
    }

    /// Refuses columns that do not exist, and two entries for one cell.
    fn check_columns(&self) -> Result<()> {
        let mut last_row = vec![usize::MAX; self.columns];
        for row in 0..self.rows() {
            for entry in self.span(row) {
                let column = self.indices.signed(entry);
                let fault = match usize::try_from(column)
                    .ok()
                    .and_then(|c| last_row.get_mut(c))
                {
                    None => format!("expected one of {} columns, from 0", self.columns),
                    Some(seen) if *seen == row => {
                        "the row has two entries for it; sum them first (sum_duplicates)".to_owned()
                    }
                    Some(seen) => {
                        *seen = row;
                        continue;
                    }
                };
                return Err(Error::Data {
                    path: MEMORY.into(),
                    at: format!("row {}, the entry of column {column} (from 0)", row + 1),
                    reason: fault,
                });
            }
        }
        Ok(())
    }

    pub(super) fn rows(&self) -> usize {
        self.starts.len() - 1
    }

    pub(super) fn columns(&self) -> usize {
        self.columns
    }

    /// Rows in a range that exists.
    pub(super) fn slice(&self, rows: Range<usize>) -> Self {
        Self {
            starts: self.starts.slice(rows.start..rows.end + 1),
            ..*self
        }
    }

    /// The entries of all rows.
    pub(super) fn entries(&self) -> &'a [T] {
        &self.entries[self.starts.at(0)..self.starts.at(self.rows())]
    }

    fn span(&self, row: usize) -> Range<usize> {
        self.starts.at(row)..self.starts.at(row + 1)
    }

    /// The column and the cell of each entry of a row.
    pub(super) fn row(&self, row: usize) -> impl Iterator<Item = (usize, T)> {
        self.span(row)
            .map(|entry| (self.indices.at(entry), self.entries[entry]))
    }

    /// The cell of a row in a column.
    pub(super) fn cell(&self, row: usize, column: usize) -> T {
        let mut row = self.row(row);
        row.find(|(at, _)| *at == column)
            .map_or(self.absent, |(_, cell)| cell)
    }
}

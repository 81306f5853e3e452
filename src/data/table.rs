//! The one form of tabular data: named columns or a matrix, in the precision of its source.

use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;

use ndarray::{Array2, Axis, concatenate, s};

use super::{View, name};
use crate::error::{Error, MEMORY, Result};

/// Rows to explain. NaN is a missing value; a label of -1 is one, too.
#[derive(Debug, Clone)]
pub struct Table {
    /// Column names; `None` where the source has none (npy).
    pub names: Option<Vec<String>>,
    /// The cells.
    pub cells: Cells,
}

/// The cells of a [`Table`], in the precision and order of their source, so that a model can read
/// them as its own library would.
#[derive(Debug, Clone)]
pub enum Cells {
    /// A float32 matrix (rows, columns).
    F32(Array2<f32>),
    /// A float64 matrix (rows, columns).
    F64(Array2<f64>),
    /// One column after the other, all of the same length.
    Columns(Vec<Column>),
}

/// A column of a [`Table`].
#[derive(Debug, Clone)]
pub enum Column {
    /// float32 numbers.
    F32(Vec<f32>),
    /// float64 numbers; integers and booleans are read as such.
    F64(Vec<f64>),
    /// Strings, as positions in a list of distinct labels; -1 is missing.
    Labels {
        /// One position per row.
        codes: Vec<i32>,
        /// The distinct labels.
        labels: Vec<String>,
    },
}

impl Column {
    /// Number of rows.
    pub fn len(&self) -> usize {
        match self {
            Column::F32(cells) => cells.len(),
            Column::F64(cells) => cells.len(),
            Column::Labels { codes, .. } => codes.len(),
        }
    }

    /// Whether the column has no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn pick(&self, rows: &[usize]) -> Self {
        fn pick<T: Copy>(cells: &[T], rows: &[usize]) -> Vec<T> {
            rows.iter().map(|&row| cells[row]).collect()
        }
        match self {
            Column::F32(cells) => Column::F32(pick(cells, rows)),
            Column::F64(cells) => Column::F64(pick(cells, rows)),
            Column::Labels { codes, labels } => Column::Labels {
                codes: pick(codes, rows),
                labels: labels.clone(),
            },
        }
    }

    fn cut(&self, rows: Range<usize>) -> Self {
        match self {
            Column::F32(cells) => Column::F32(cells[rows].to_vec()),
            Column::F64(cells) => Column::F64(cells[rows].to_vec()),
            Column::Labels { codes, labels } => Column::Labels {
                codes: codes[rows].to_vec(),
                labels: labels.clone(),
            },
        }
    }

    fn append(&mut self, other: Column) -> Result<()> {
        match (self, other) {
            (Column::F32(cells), Column::F32(more)) => cells.extend(more),
            (Column::F64(cells), Column::F64(more)) => cells.extend(more),
            (
                Column::Labels { codes, labels },
                Column::Labels {
                    codes: more,
                    labels: others,
                },
            ) => append_labels(codes, labels, &more, others),
            _ => {
                return Err(shape(
                    "the columns of two tables",
                    "the same type",
                    "two types",
                ));
            }
        }
        Ok(())
    }
}

/// Appends label codes, translated from their own list of labels to the first one's.
fn append_labels(
    codes: &mut Vec<i32>,
    labels: &mut Vec<String>,
    more: &[i32],
    others: Vec<String>,
) {
    if *labels == others {
        codes.extend(more);
        return;
    }
    let mut known: HashMap<String, i32> = labels
        .iter()
        .enumerate()
        .map(|(code, label)| (label.clone(), code as i32))
        .collect();
    let translated: Vec<i32> = others
        .into_iter()
        .map(|label| {
            *known.entry(label).or_insert_with_key(|label| {
                labels.push(label.clone());
                (labels.len() - 1) as i32
            })
        })
        .collect();
    codes.extend(more.iter().map(|&code| {
        usize::try_from(code)
            .ok()
            .and_then(|code| translated.get(code).copied())
            .unwrap_or(-1)
    }));
}

impl Table {
    /// A table whose parts fit together.
    ///
    /// # Errors
    /// As [`Table::check`].
    pub fn new(names: Option<Vec<String>>, cells: Cells) -> Result<Self> {
        let table = Self { names, cells };
        table.check()?;
        Ok(table)
    }

    /// Checks that the parts fit together: one name per column and none twice, columns of one
    /// length, label codes within their lists.
    ///
    /// # Errors
    /// [`Error::Shape`] or [`Error::Data`] that names the column.
    pub fn check(&self) -> Result<()> {
        View::from(self).check()
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        match &self.cells {
            Cells::F32(matrix) => matrix.nrows(),
            Cells::F64(matrix) => matrix.nrows(),
            Cells::Columns(columns) => columns.first().map_or(0, Column::len),
        }
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        match &self.cells {
            Cells::F32(matrix) => matrix.ncols(),
            Cells::F64(matrix) => matrix.ncols(),
            Cells::Columns(columns) => columns.len(),
        }
    }

    /// These rows (counted from 0), in this order; a row can be taken twice.
    ///
    /// # Errors
    /// [`Error::Shape`] for a row that does not exist.
    pub fn select(&self, rows: &[usize]) -> Result<Self> {
        if let Some(row) = rows.iter().find(|&&row| row >= self.rows()) {
            return Err(shape(
                "a selected row",
                format!("a row of a table with {} rows, from 0", self.rows()),
                row.to_string(),
            ));
        }
        self.check_lengths()?;
        Ok(self.with(match &self.cells {
            Cells::F32(matrix) => Cells::F32(matrix.select(Axis(0), rows)),
            Cells::F64(matrix) => Cells::F64(matrix.select(Axis(0), rows)),
            Cells::Columns(columns) => {
                Cells::Columns(columns.iter().map(|column| column.pick(rows)).collect())
            }
        }))
    }

    /// The rows in this range (counted from 0).
    ///
    /// # Errors
    /// [`Error::Shape`] for a range that does not lie within the table.
    pub fn slice(&self, rows: Range<usize>) -> Result<Self> {
        check_rows(&rows, self.rows())?;
        self.check_lengths()?;
        Ok(self.with(match &self.cells {
            Cells::F32(matrix) => Cells::F32(matrix.slice(s![rows, ..]).to_owned()),
            Cells::F64(matrix) => Cells::F64(matrix.slice(s![rows, ..]).to_owned()),
            Cells::Columns(columns) => Cells::Columns(
                columns
                    .iter()
                    .map(|column| column.cut(rows.clone()))
                    .collect(),
            ),
        }))
    }

    /// The table without these columns, given by name, or by position from 1 in a table without
    /// names.
    ///
    /// # Errors
    /// [`Error::Data`] for a column that does not exist, with the nearest name.
    pub fn drop_columns<S: AsRef<str>>(&self, dropped: &[S]) -> Result<Self> {
        let names = self.names.as_deref();
        let mut kept = vec![true; self.columns()];
        for wanted in dropped {
            let path = Path::new(MEMORY);
            kept[name::position(path, names, self.columns(), wanted.as_ref())?] = false;
        }
        let kept: Vec<usize> = (0..kept.len()).filter(|&column| kept[column]).collect();
        let pick = |names: &Vec<String>| kept.iter().map(|&c| names[c].clone()).collect();
        Ok(Self {
            names: self.names.as_ref().map(pick),
            cells: match &self.cells {
                Cells::F32(matrix) => Cells::F32(matrix.select(Axis(1), &kept)),
                Cells::F64(matrix) => Cells::F64(matrix.select(Axis(1), &kept)),
                Cells::Columns(columns) => {
                    Cells::Columns(kept.iter().map(|&c| columns[c].clone()).collect())
                }
            },
        })
    }

    /// Batches of one file as one table.
    pub(super) fn concat(mut parts: Vec<Self>) -> Result<Self> {
        if parts.len() == 1 {
            return Ok(parts.remove(0));
        }
        let misfit = |_| shape("the batches of a file", "the same columns", "others");
        let names = parts.first().and_then(|part| part.names.clone());
        let mut wide = (Vec::new(), Vec::new());
        let mut joined: Option<Vec<Column>> = None;
        for part in parts {
            match part.cells {
                Cells::F32(matrix) => wide.0.push(matrix),
                Cells::F64(matrix) => wide.1.push(matrix),
                Cells::Columns(columns) => match &mut joined {
                    None => joined = Some(columns),
                    Some(joined) => {
                        for (column, more) in joined.iter_mut().zip(columns) {
                            column.append(more)?;
                        }
                    }
                },
            }
        }
        let views32: Vec<_> = wide.0.iter().map(|part| part.view()).collect();
        let views64: Vec<_> = wide.1.iter().map(|part| part.view()).collect();
        let cells = match (joined, views32.is_empty()) {
            (Some(columns), _) => Cells::Columns(columns),
            (None, false) => Cells::F32(concatenate(Axis(0), &views32).map_err(misfit)?),
            (None, true) => Cells::F64(concatenate(Axis(0), &views64).map_err(misfit)?),
        };
        Self::new(names, cells)
    }

    /// Columns of unequal length make no rows to take.
    fn check_lengths(&self) -> Result<()> {
        match &self.cells {
            Cells::Columns(columns) if columns.iter().any(|c| c.len() != self.rows()) => {
                self.check()
            }
            _ => Ok(()),
        }
    }

    fn with(&self, cells: Cells) -> Self {
        Self {
            names: self.names.clone(),
            cells,
        }
    }
}

/// Refuses a range of rows that a table of `total` rows does not hold.
pub(super) fn check_rows(rows: &Range<usize>, total: usize) -> Result<()> {
    if rows.start <= rows.end && rows.end <= total {
        return Ok(());
    }
    Err(shape(
        "a range of rows",
        format!("one within 0..{total}"),
        format!("{}..{}", rows.start, rows.end),
    ))
}

pub(super) fn shape(
    what: impl Into<String>,
    expected: impl Into<String>,
    got: impl Into<String>,
) -> Error {
    Error::Shape {
        what: what.into(),
        expected: expected.into(),
        got: got.into(),
    }
}

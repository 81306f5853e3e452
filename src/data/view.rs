//! Rows where they lie: a table's, or a matrix of the caller's, dense or sparse, that nobody copies.

use std::ops::Range;
use std::path::Path;

use ndarray::{Array2, ArrayView2, s};

use super::name;
use super::sparse::{Csr, Indices};
use super::table::{check_rows, shape};
use super::{Cells, Column, Table};
use crate::error::{Error, MEMORY, Result};

/// Rows to explain, borrowed from a [`Table`] or from a matrix.
#[derive(Debug, Clone)]
pub struct View<'a> {
    names: Option<&'a [String]>,
    cells: Borrowed<'a>,
}

#[derive(Debug, Clone)]
pub(super) enum Borrowed<'a> {
    F32(ArrayView2<'a, f32>),
    F64(ArrayView2<'a, f64>),
    /// Some rows of columns that may be longer.
    Columns(&'a [Column], Range<usize>),
    Csr32(Csr<'a, f32>),
    Csr64(Csr<'a, f64>),
}

impl<'a> View<'a> {
    /// A float32 matrix (rows, columns), in any memory layout, with a name per column or none.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a view is a pointer and a shape"
    )]
    pub fn f32(matrix: ArrayView2<'a, f32>, names: Option<&'a [String]>) -> Self {
        let cells = Borrowed::F32(matrix);
        Self { names, cells }
    }

    /// A float64 matrix (rows, columns), in any memory layout, with a name per column or none.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a view is a pointer and a shape"
    )]
    pub fn f64(matrix: ArrayView2<'a, f64>, names: Option<&'a [String]>) -> Self {
        let cells = Borrowed::F64(matrix);
        Self { names, cells }
    }

    /// Columns, all of the same length, with a name each or none.
    pub fn columns_of(columns: &'a [Column], names: Option<&'a [String]>) -> Self {
        let rows = columns.first().map_or(0, Column::len);
        let cells = Borrowed::Columns(columns, 0..rows);
        Self { names, cells }
    }

    /// Sparse float32 rows of so many columns (CSR): row r has `data[e]` in column `indices[e]` for
    /// each e from `indptr[r]` to `indptr[r + 1]`, in any order, and 0 in all others, or what
    /// [`View::with_absent`] says. With a name per column or none. Cells become dense only in the
    /// blocks of rows that are explained.
    ///
    /// # Errors
    /// [`Error::Shape`] if the lengths do not fit together or `indptr` is not ascending,
    /// [`Error::Data`] for an index that is no column, or that a row has twice.
    pub fn csr_f32(
        data: &'a [f32],
        indices: impl Into<Indices<'a>>,
        indptr: impl Into<Indices<'a>>,
        columns: usize,
        names: Option<&'a [String]>,
    ) -> Result<Self> {
        let csr = Csr::new(data, indices.into(), indptr.into(), columns)?;
        let cells = Borrowed::Csr32(csr);
        Ok(Self { names, cells })
    }

    /// As [`View::csr_f32`], of float64 rows.
    ///
    /// # Errors
    /// As [`View::csr_f32`].
    pub fn csr_f64(
        data: &'a [f64],
        indices: impl Into<Indices<'a>>,
        indptr: impl Into<Indices<'a>>,
        columns: usize,
        names: Option<&'a [String]>,
    ) -> Result<Self> {
        let csr = Csr::new(data, indices.into(), indptr.into(), columns)?;
        let cells = Borrowed::Csr64(csr);
        Ok(Self { names, cells })
    }

    /// The same rows, where the cells that sparse ones leave out are this number instead of 0, such
    /// as NaN for missing; dense rows leave none out.
    #[must_use]
    pub fn with_absent(mut self, absent: f64) -> Self {
        match &mut self.cells {
            Borrowed::Csr32(csr) => csr.absent = absent as f32,
            Borrowed::Csr64(csr) => csr.absent = absent,
            Borrowed::F32(_) | Borrowed::F64(_) | Borrowed::Columns(..) => {}
        }
        self
    }

    /// The column names.
    pub fn names(&self) -> Option<&'a [String]> {
        self.names
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        match &self.cells {
            Borrowed::F32(matrix) => matrix.nrows(),
            Borrowed::F64(matrix) => matrix.nrows(),
            Borrowed::Columns(_, rows) => rows.len(),
            Borrowed::Csr32(csr) => csr.rows(),
            Borrowed::Csr64(csr) => csr.rows(),
        }
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        match &self.cells {
            Borrowed::F32(matrix) => matrix.ncols(),
            Borrowed::F64(matrix) => matrix.ncols(),
            Borrowed::Columns(columns, _) => columns.len(),
            Borrowed::Csr32(csr) => csr.columns(),
            Borrowed::Csr64(csr) => csr.columns(),
        }
    }

    /// The rows in this range (counted from 0).
    ///
    /// # Errors
    /// [`Error::Shape`] for a range that does not lie within the view.
    pub fn slice(&self, rows: Range<usize>) -> Result<View<'_>> {
        check_rows(&rows, self.rows())?;
        let cells = match &self.cells {
            Borrowed::F32(matrix) => Borrowed::F32(matrix.slice(s![rows, ..])),
            Borrowed::F64(matrix) => Borrowed::F64(matrix.slice(s![rows, ..])),
            Borrowed::Columns(columns, all) => {
                Borrowed::Columns(columns, all.start + rows.start..all.start + rows.end)
            }
            Borrowed::Csr32(csr) => Borrowed::Csr32(csr.slice(rows)),
            Borrowed::Csr64(csr) => Borrowed::Csr64(csr.slice(rows)),
        };
        let names = self.names;
        Ok(View { names, cells })
    }

    /// Checks that the parts fit together: one name per column and none twice, columns of one
    /// length, label codes within their lists.
    ///
    /// # Errors
    /// [`Error::Shape`] or [`Error::Data`] that names the column.
    pub fn check(&self) -> Result<()> {
        if let Some(names) = self.names {
            if names.len() != self.columns() {
                return Err(shape(
                    "column names",
                    format!("one for each of the {} columns", self.columns()),
                    names.len().to_string(),
                ));
            }
            name::check_unique(Path::new(MEMORY), "the column names", names)?;
        }
        let Borrowed::Columns(columns, rows) = &self.cells else {
            return Ok(());
        };
        let length = columns.first().map_or(0, Column::len);
        for (index, column) in columns.iter().enumerate() {
            if column.len() != length {
                return Err(shape(
                    name::column(self.names, index),
                    format!("{length} rows, as in the first column"),
                    column.len().to_string(),
                ));
            }
            let Column::Labels { codes, labels } = column else {
                continue;
            };
            let codes = &codes[rows.clone()];
            let bad = |&code: &i32| code < -1 || code >= 0 && code as usize >= labels.len();
            if let Some(row) = codes.iter().position(bad) {
                return Err(Error::Data {
                    path: MEMORY.into(),
                    at: format!(
                        "row {}, {}",
                        rows.start + row + 1,
                        name::column(self.names, index)
                    ),
                    reason: format!(
                        "label {} does not exist; expected -1 (missing) or a position among the \
                         column's {} labels",
                        codes[row],
                        labels.len()
                    ),
                });
            }
        }
        Ok(())
    }

    pub(super) fn cells(&self) -> &Borrowed<'a> {
        &self.cells
    }

    /// A column in a message: its name, or its position counted from 1.
    pub(crate) fn title(&self, column: usize) -> String {
        name::column(self.names, column)
    }

    /// Writes these rows of a column, which the caller knows to exist; a column of labels has no
    /// numbers to write.
    ///
    /// # Errors
    /// [`Error::Data`] that names a column of labels.
    pub(crate) fn numbers(&self, column: usize, rows: Range<usize>, out: &mut [f64]) -> Result<()> {
        fn copy<T: Copy + Into<f64>>(cells: impl IntoIterator<Item = T>, out: &mut [f64]) {
            for (out, cell) in out.iter_mut().zip(cells) {
                *out = cell.into();
            }
        }
        match &self.cells {
            Borrowed::F32(matrix) => copy(matrix.slice(s![rows, column]).iter().copied(), out),
            Borrowed::F64(matrix) => copy(matrix.slice(s![rows, column]).iter().copied(), out),
            Borrowed::Csr32(csr) => copy(rows.map(|row| csr.cell(row, column)), out),
            Borrowed::Csr64(csr) => copy(rows.map(|row| csr.cell(row, column)), out),
            Borrowed::Columns(columns, all) => {
                let rows = all.start + rows.start..all.start + rows.end;
                match &columns[column] {
                    Column::F32(cells) => copy(cells[rows].iter().copied(), out),
                    Column::F64(cells) => copy(cells[rows].iter().copied(), out),
                    Column::Labels { .. } => {
                        return Err(Error::Data {
                            path: MEMORY.into(),
                            at: self.title(column),
                            reason: "the column holds strings, expected numbers; encode them as \
                                     numbers, or take a sample of the rows instead"
                                .to_owned(),
                        });
                    }
                }
            }
        }
        Ok(())
    }

    /// A table of other rows with the names and the precision of these: `columns` holds as many
    /// columns of numbers, all of one length.
    pub(crate) fn with_numbers(&self, columns: &[Vec<f64>]) -> Table {
        let shape = (columns.first().map_or(0, Vec::len), columns.len());
        let f32s = |column: &Vec<f64>| column.iter().map(|&cell| cell as f32).collect();
        Table {
            names: self.names.map(<[String]>::to_vec),
            cells: match &self.cells {
                Borrowed::F32(_) | Borrowed::Csr32(_) => {
                    Cells::F32(Array2::from_shape_fn(shape, |(row, column)| {
                        columns[column][row] as f32
                    }))
                }
                Borrowed::F64(_) | Borrowed::Csr64(_) => {
                    Cells::F64(Array2::from_shape_fn(shape, |(row, column)| {
                        columns[column][row]
                    }))
                }
                Borrowed::Columns(like, _) => {
                    let like = like.iter().zip(columns);
                    Cells::Columns(
                        like.map(|(like, column)| match like {
                            Column::F32(_) => Column::F32(f32s(column)),
                            Column::F64(_) | Column::Labels { .. } => Column::F64(column.clone()),
                        })
                        .collect(),
                    )
                }
            },
        }
    }
}

impl<'a> From<&'a View<'_>> for View<'a> {
    /// The same rows for a shorter time.
    fn from(view: &'a View<'_>) -> Self {
        let cells = match &view.cells {
            Borrowed::F32(matrix) => Borrowed::F32(matrix.view()),
            Borrowed::F64(matrix) => Borrowed::F64(matrix.view()),
            Borrowed::Columns(columns, rows) => Borrowed::Columns(columns, rows.clone()),
            Borrowed::Csr32(csr) => Borrowed::Csr32(*csr),
            Borrowed::Csr64(csr) => Borrowed::Csr64(*csr),
        };
        let names = view.names;
        Self { names, cells }
    }
}

impl<'a> From<&'a Table> for View<'a> {
    fn from(table: &'a Table) -> Self {
        let names = table.names.as_deref();
        match &table.cells {
            Cells::F32(matrix) => Self::f32(matrix.view(), names),
            Cells::F64(matrix) => Self::f64(matrix.view(), names),
            Cells::Columns(columns) => Self::columns_of(columns, names),
        }
    }
}

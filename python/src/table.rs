//! Tables from NumPy: a matrix that lies in memory already is read where it is.

use numpy::{PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;
use whylight::data::{Column, Indices, View};

/// The cells of a table, held for as long as the engine reads them.
#[derive(FromPyObject)]
pub(crate) enum Data<'py> {
    F32(PyReadonlyArray2<'py, f32>),
    F64(PyReadonlyArray2<'py, f64>),
    /// Entries, indices, row starts, columns, and what a cell without an entry is.
    Sparse(Entries<'py>, Positions<'py>, Positions<'py>, usize, f64),
    Columns(Vec<DataColumn<'py>>),
}

/// The entries of sparse rows.
#[derive(FromPyObject)]
pub(crate) enum Entries<'py> {
    F32(PyReadonlyArray1<'py, f32>),
    F64(PyReadonlyArray1<'py, f64>),
}

/// Indices and row starts of sparse rows, in the two widths that `SciPy` uses.
#[derive(FromPyObject)]
pub(crate) enum Positions<'py> {
    I32(PyReadonlyArray1<'py, i32>),
    I64(PyReadonlyArray1<'py, i64>),
}

/// A column: numbers, or codes with their labels.
#[derive(FromPyObject)]
pub(crate) enum DataColumn<'py> {
    F32(PyReadonlyArray1<'py, f32>),
    F64(PyReadonlyArray1<'py, f64>),
    Labels(PyReadonlyArray1<'py, i32>, Vec<String>),
}

/// The columns that were copied; a matrix needs none.
pub(crate) struct Copied(Vec<Column>);

impl Data<'_> {
    /// Copies what cannot be borrowed.
    pub(crate) fn copied(&self) -> Copied {
        Copied(match self {
            Data::Columns(columns) => columns.iter().map(DataColumn::column).collect(),
            _ => Vec::new(),
        })
    }

    /// The rows: matrices as they lie, or the copied columns.
    pub(crate) fn view<'a>(
        &'a self,
        copied: &'a Copied,
        names: Option<&'a [String]>,
    ) -> whylight::Result<View<'a>> {
        Ok(match self {
            Data::F32(matrix) => View::f32(matrix.as_array(), names),
            Data::F64(matrix) => View::f64(matrix.as_array(), names),
            Data::Sparse(Entries::F32(entries), indices, starts, columns, absent) => {
                let (indices, starts) = (indices.indices()?, starts.indices()?);
                View::csr_f32(slice(entries)?, indices, starts, *columns, names)?
                    .with_absent(*absent)
            }
            Data::Sparse(Entries::F64(entries), indices, starts, columns, absent) => {
                let (indices, starts) = (indices.indices()?, starts.indices()?);
                View::csr_f64(slice(entries)?, indices, starts, *columns, names)?
                    .with_absent(*absent)
            }
            Data::Columns(_) => View::columns_of(&copied.0, names),
        })
    }
}

impl Positions<'_> {
    fn indices(&self) -> whylight::Result<Indices<'_>> {
        Ok(match self {
            Positions::I32(positions) => Indices::I32(slice(positions)?),
            Positions::I64(positions) => Indices::I64(slice(positions)?),
        })
    }
}

fn slice<'a, T: numpy::Element>(array: &'a PyReadonlyArray1<'_, T>) -> whylight::Result<&'a [T]> {
    array.as_slice().map_err(|error| whylight::Error::Shape {
        what: "the arrays of sparse rows".to_owned(),
        expected: "contiguous ones".to_owned(),
        got: error.to_string(),
    })
}

impl DataColumn<'_> {
    fn column(&self) -> Column {
        match self {
            DataColumn::F32(cells) => Column::F32(cells.as_array().to_vec()),
            DataColumn::F64(cells) => Column::F64(cells.as_array().to_vec()),
            DataColumn::Labels(codes, labels) => Column::Labels {
                codes: codes.as_array().to_vec(),
                labels: labels.clone(),
            },
        }
    }
}

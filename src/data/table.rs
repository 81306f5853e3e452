//! The one form of tabular data: named columns or a matrix, in the precision of its source.

use ndarray::Array2;

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
}

impl Table {
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
}

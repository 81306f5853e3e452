//! Tables to and from files: columns of numbers, with text under keys beside them.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use numpy::{PyArray1, PyReadonlyArray2};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use whylight::data::{Cells, Column, ReadOptions, Reader, TableWriter as Writer, Width};

use crate::error::raised;

/// Columns side by side, as a matrix that is read where it lies.
#[derive(FromPyObject)]
enum Part<'py> {
    F32(PyReadonlyArray2<'py, f32>),
    F64(PyReadonlyArray2<'py, f64>),
}

impl Part<'_> {
    fn columns(&self, into: &mut Vec<Column>) {
        match self {
            Part::F32(part) => {
                let part = part.as_array();
                let columns = part.columns().into_iter();
                into.extend(columns.map(|column| Column::F32(column.to_vec())));
            }
            Part::F64(part) => {
                let part = part.as_array();
                let columns = part.columns().into_iter();
                into.extend(columns.map(|column| Column::F64(column.to_vec())));
            }
        }
    }
}

/// A Parquet or Arrow file while it is written; it bears its name when it is finished.
#[pyclass(frozen, module = "whylight._engine")]
pub(crate) struct TableWriter(Mutex<Option<Writer>>);

#[pymethods]
impl TableWriter {
    /// `columns` are names and whether each holds float64, else float32.
    #[new]
    fn new(
        py: Python<'_>,
        path: PathBuf,
        columns: Vec<(String, bool)>,
        metadata: Vec<(String, String)>,
    ) -> PyResult<Self> {
        let width = |wide| if wide { Width::F64 } else { Width::F32 };
        let columns: Vec<(String, Width)> = (columns.into_iter())
            .map(|(name, wide)| (name, width(wide)))
            .collect();
        match Writer::create_typed(&path, &columns, &metadata) {
            Ok(writer) => Ok(Self(Mutex::new(Some(writer)))),
            Err(error) => Err(raised(py, &error)),
        }
    }

    /// Appends rows: matrices whose columns, side by side, are those of the file.
    fn write(&self, py: Python<'_>, parts: Vec<Part<'_>>) -> PyResult<()> {
        let mut columns = Vec::new();
        for part in &parts {
            part.columns(&mut columns);
        }
        let written = py.detach(|| {
            let mut writer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            (writer.as_mut()).map(|writer| writer.write_columns(&columns))
        });
        written.ok_or_else(finished)?.map_err(|e| raised(py, &e))
    }

    /// Completes the file and tells its number of rows. Without it, no file appears.
    fn finish(&self, py: Python<'_>) -> PyResult<u64> {
        let done = py.detach(|| {
            let mut writer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            writer.take().map(Writer::finish)
        });
        done.ok_or_else(finished)?.map_err(|e| raised(py, &e))
    }
}

fn finished() -> PyErr {
    PyValueError::new_err("the file is finished")
}

/// A table file of numbers while it is read.
#[pyclass(frozen, module = "whylight._engine")]
pub(crate) struct TableReader(Mutex<Reader>);

#[pymethods]
impl TableReader {
    #[new]
    fn new(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        match py.detach(|| Reader::open(&path, &ReadOptions::default())) {
            Ok(reader) => Ok(Self(Mutex::new(reader))),
            Err(error) => Err(raised(py, &error)),
        }
    }

    /// Number of columns.
    #[getter]
    fn columns(&self) -> usize {
        self.reader().columns()
    }

    /// Number of rows, where the file says so.
    #[getter]
    fn rows(&self) -> Option<u64> {
        self.reader().rows()
    }

    /// The text that the file holds under a key.
    fn metadata(&self, key: &str) -> Option<String> {
        self.reader().metadata(key).map(str::to_owned)
    }

    /// The next rows, a float32 or float64 array per column; `None` after the last. Labels are no
    /// numbers: such a column is `None`.
    fn next<'py>(&self, py: Python<'py>) -> PyResult<Option<Vec<Option<Bound<'py, PyAny>>>>> {
        let table = py.detach(|| {
            let mut reader = self.reader();
            // A table without rows is an error to who explains it, but not here.
            if reader.rows() == Some(0) {
                return Ok(None);
            }
            reader.next(usize::MAX)
        });
        let Some(table) = table.map_err(|e| raised(py, &e))? else {
            return Ok(None);
        };
        let columns = match table.cells {
            Cells::Columns(columns) => columns,
            Cells::F32(matrix) => (matrix.columns().into_iter())
                .map(|column| Column::F32(column.to_vec()))
                .collect(),
            Cells::F64(matrix) => (matrix.columns().into_iter())
                .map(|column| Column::F64(column.to_vec()))
                .collect(),
        };
        let columns = columns.into_iter().map(|column| match column {
            Column::F32(cells) => Some(PyArray1::from_vec(py, cells).into_any()),
            Column::F64(cells) => Some(PyArray1::from_vec(py, cells).into_any()),
            Column::Labels { .. } => None,
        });
        Ok(Some(columns.collect()))
    }
}

impl TableReader {
    fn reader(&self) -> std::sync::MutexGuard<'_, Reader> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

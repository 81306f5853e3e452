//! A background in few rows.

use numpy::{PyArray1, PyArray2, PyReadonlyArray1};
use pyo3::prelude::*;
use whylight::Device;
use whylight::data::{Cells, Column, Table};
use whylight::summarise::{self, KMeans};

use crate::error::raised;
use crate::explainer::watched;
use crate::table::Data;

/// Centres (clusters, columns), the share of each, its rows, the device, and notes.
type Clusters<'py> = (
    Bound<'py, PyArray2<f64>>,
    Bound<'py, PyArray1<f64>>,
    Vec<usize>,
    String,
    Vec<String>,
);

/// Clusters rows of numbers around centres.
#[pyfunction]
#[pyo3(signature = (data, clusters, names=None, *, weights=None, round=true, seed=0, device="auto"))]
#[expect(clippy::too_many_arguments, reason = "keywords in Python")]
pub(crate) fn kmeans<'py>(
    py: Python<'py>,
    data: Data<'py>,
    clusters: usize,
    names: Option<Vec<String>>,
    weights: Option<PyReadonlyArray1<'py, f64>>,
    round: bool,
    seed: u64,
    device: &str,
) -> PyResult<Clusters<'py>> {
    let copied = data.copied();
    let view = data.view(&copied, names.as_deref());
    let view = view.map_err(|error| raised(py, &error))?;
    let weights = weights.map(|weights| weights.as_array().to_vec());
    let found = watched(py, None, |go_on| {
        let options = KMeans {
            seed,
            round,
            weights,
            ..KMeans::new(clusters, device.parse::<Device>()?)
        };
        summarise::kmeans_while(&view, &options, &mut |passes| go_on(passes as u64))
    })?;
    let centres = numbers(&found.table);
    let centres = PyArray2::from_vec2(py, &centres).map_err(|error| {
        raised(
            py,
            &whylight::Error::Shape {
                what: "the centres".to_owned(),
                expected: "as many cells in each".to_owned(),
                got: error.to_string(),
            },
        )
    })?;
    let shares = PyArray1::from_vec(py, found.weights);
    Ok((centres, shares, found.rows, found.device, found.notes))
}

/// The cells of a table of numbers, row by row.
fn numbers(table: &Table) -> Vec<Vec<f64>> {
    let cell = |row: usize, column: usize| match &table.cells {
        Cells::F32(matrix) => f64::from(matrix[[row, column]]),
        Cells::F64(matrix) => matrix[[row, column]],
        Cells::Columns(columns) => match &columns[column] {
            Column::F32(cells) => f64::from(cells[row]),
            Column::F64(cells) => cells[row],
            Column::Labels { .. } => f64::NAN,
        },
    };
    let columns = 0..table.columns();
    let row = |row| columns.clone().map(|column| cell(row, column)).collect();
    (0..table.rows()).map(row).collect()
}

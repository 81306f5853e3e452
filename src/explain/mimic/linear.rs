//! A linear surrogate: least squares by the Cholesky factor of the correlations.

use ndarray::{Array1, Array2, Axis};
use rayon::prelude::*;

use super::Lesson;
use crate::error::Result;
use crate::explain::linear_shap::cholesky::{Factor, Square};
use crate::model::Linear;

/// The weighted sums with the least squared error. Columns that others determine, and constant ones, get no weight.
pub(super) fn fit(lesson: &Lesson<'_>, rows: &[usize]) -> Result<Linear> {
    let cells = lesson.cells.select(Axis(0), rows);
    let margins = lesson.margins.select(Axis(0), rows);
    let count = rows.len().max(1) as f64;
    let (means, targets) = (
        cells.sum_axis(Axis(0)) / count,
        margins.sum_axis(Axis(0)) / count,
    );
    let centred = &cells - &means;
    // What is constant has weights of exactly 0.
    let margins = &margins - &targets;
    let scales: Array1<f64> = (centred.columns().into_iter())
        .map(|column| column.dot(&column).sqrt())
        .collect();
    let varying: Vec<usize> = (0..scales.len()).filter(|&f| scales[f] > 0.0).collect();
    // One column after the other, each of length 1.
    let columns: Vec<Array1<f64>> = (varying.par_iter())
        .map(|&f| centred.column(f).mapv(|cell| cell / scales[f]))
        .collect();
    let size = varying.len();
    let matrix: Vec<f64> = (0..size * size)
        .into_par_iter()
        .map(|at| {
            // Half of them is enough.
            let (i, j) = (at / size, at % size);
            if j <= i {
                columns[i].dot(&columns[j])
            } else {
                0.0
            }
        })
        .collect();
    let matrix = Square::from_fn(size, |i, j| matrix[i.max(j) * size + i.min(j)]);
    let mut factor = Factor::new(&matrix);
    let mut solved: Vec<Vec<f64>> = vec![Vec::new(); margins.ncols()];
    for (at, column) in columns.iter().enumerate() {
        if !factor.push(at) {
            factor.pop();
            continue;
        }
        for (z, margin) in solved.iter_mut().zip(margins.columns()) {
            let next = factor.forward(column.dot(&margin), z);
            z.push(next);
        }
    }
    let mut coefficients = Array2::zeros((margins.ncols(), cells.ncols()));
    for (mut row, z) in coefficients.outer_iter_mut().zip(&mut solved) {
        let mut weights = vec![0.0; z.len()];
        factor.shortest(z, &mut weights);
        for (&at, weight) in factor.members.iter().zip(weights) {
            row[varying[at]] = weight / scales[varying[at]];
        }
    }
    let intercepts = &targets - &coefficients.dot(&means);
    let mut linear = Linear::new(coefficients, intercepts.to_vec())?;
    linear.format = "linear surrogate";
    linear.features = lesson.features.to_vec();
    linear.outputs.clone_from(&lesson.outputs);
    Ok(linear)
}

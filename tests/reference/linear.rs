//! Shapley values of a linear model by their definition (Shapley 1953): every coalition is valued
//! anew, the conditional ones by solving for the regression on the coalition (Aas, Jullum & Løland
//! 2021, equation 8).

use ndarray::{Array2, ArrayView2};

/// The distribution of the features outside a coalition.
pub(crate) struct Distribution {
    pub(crate) mean: Vec<f64>,
    /// `None` for the interventional game.
    pub(crate) covariance: Option<Array2<f64>>,
    /// A share that is added to each variance, and then taken to zero; 0 where the covariance can be
    /// inverted.
    pub(crate) ridge: f64,
}

/// The weighted mean and covariance of rows.
pub(crate) fn moments(rows: &ArrayView2<'_, f64>, weights: &[f64]) -> (Vec<f64>, Array2<f64>) {
    let total: f64 = weights.iter().sum();
    let mean: Vec<f64> = rows
        .columns()
        .into_iter()
        .map(|column| column.iter().zip(weights).map(|(x, w)| x * w).sum::<f64>() / total)
        .collect();
    let covariance = Array2::from_shape_fn((mean.len(), mean.len()), |(i, j)| {
        let terms = rows.outer_iter().zip(weights);
        terms
            .map(|(row, w)| w * (row[i] - mean[i]) * (row[j] - mean[j]))
            .sum::<f64>()
            / total
    });
    (mean, covariance)
}

/// The values of the features for one output of these coefficients.
pub(crate) fn values(coefficients: &[f64], row: &[f64], given: &Distribution) -> Vec<f64> {
    let features = row.len();
    let worth: Vec<f64> = (0..1 << features)
        .map(|coalition| {
            let expected = |ridge| expected(coefficients, row, given, ridge, coalition);
            if given.ridge == 0.0 {
                return expected(0.0);
            }
            // What is linear in the ridge cancels.
            2.0 * expected(given.ridge) - expected(2.0 * given.ridge)
        })
        .collect();
    let factorial = |n: usize| (1..=n).map(|k| k as f64).product::<f64>();
    (0..features)
        .map(|feature| {
            (0..1_usize << features)
                .filter(|coalition| coalition >> feature & 1 == 0)
                .map(|coalition| {
                    let size = coalition.count_ones() as usize;
                    factorial(size) * factorial(features - size - 1) / factorial(features)
                        * (worth[coalition | 1 << feature] - worth[coalition])
                })
                .sum()
        })
        .collect()
}

/// What the output is expected to be, without the intercept, when the features of a coalition take
/// the row's values.
fn expected(
    coefficients: &[f64],
    row: &[f64],
    given: &Distribution,
    ridge: f64,
    coalition: usize,
) -> f64 {
    let inside: Vec<usize> = (0..row.len()).filter(|f| coalition >> f & 1 == 1).collect();
    let mut cells = given.mean.clone();
    if let Some(covariance) = &given.covariance {
        let variance = |f: usize| covariance[[f, f]];
        let known: Vec<usize> = (inside.iter().copied())
            .filter(|&f| variance(f) > 0.0)
            .collect();
        let mut system: Vec<Vec<f64>> = (known.iter())
            .map(|&i| {
                let mut line: Vec<f64> = known.iter().map(|&j| covariance[[i, j]]).collect();
                line.push(row[i] - given.mean[i]);
                line
            })
            .collect();
        for (index, &f) in known.iter().enumerate() {
            system[index][index] += ridge * variance(f);
        }
        let solution = eliminate(system);
        for (f, cell) in cells.iter_mut().enumerate() {
            let terms = known.iter().zip(&solution);
            *cell += terms.map(|(&i, s)| covariance[[f, i]] * s).sum::<f64>();
        }
    }
    for f in inside {
        cells[f] = row[f];
    }
    cells.iter().zip(coefficients).map(|(x, b)| x * b).sum()
}

/// Solves a system whose lines end with their right side, with partial pivoting.
fn eliminate(mut system: Vec<Vec<f64>>) -> Vec<f64> {
    let size = system.len();
    for column in 0..size {
        let pivot = (column..size)
            .max_by(|&a, &b| system[a][column].abs().total_cmp(&system[b][column].abs()))
            .unwrap();
        system.swap(column, pivot);
        let lead = system[column].clone();
        for (row, line) in system.iter_mut().enumerate() {
            if row != column {
                let factor = line[column] / lead[column];
                for (cell, lead) in line.iter_mut().zip(&lead) {
                    *cell -= factor * lead;
                }
            }
        }
    }
    (0..size)
        .map(|row| system[row][size] / system[row][row])
        .collect()
}

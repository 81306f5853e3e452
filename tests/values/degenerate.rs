//! Backgrounds that hardly are any (one row, equal rows, rows of missing cells, rows that count
//! nothing) have the answer of the definition or an error that names them, whatever values add up to.

use ndarray::Array2;
use whylight::data::{Cells, View};
use whylight::explain::{Background, Output, ValueFunction};
use whylight::{Device, Error, Explainer, Options, Table};

use super::outputs::answer;
use super::subject::{Subject, subject};
use crate::onnx::game;
use crate::reference::{interventional, shapley};
use crate::support::native;

/// Margins in float32 tables, in units of `1 + Σ|leaf|`; probabilities in units of 1.
const ROUNDING: f64 = 1e-6;

/// Rows whose coalitions are enumerated.
const DEFINED: usize = 6;

const CASES: [(&str, &str); 4] = [
    ("xgboost", "binary_3_4"),
    ("xgboost", "softprob_3_4"),
    ("lightgbm", "binary_categorical_4_7"),
    ("catboost", "logloss_1_2"),
];

fn options(output: Output, interactions: bool) -> Options {
    Options {
        value_function: ValueFunction::Interventional,
        output,
        interactions,
        ..Options::on(Device::cpu())
    }
}

/// Asserts that this background, which is `other` alone, gives what the definition does.
fn is_one_row(subject: &Subject, cells: &Array2<f64>, weights: &[f64], other: &[f64]) {
    for (output, interactions) in [
        (Output::Raw, false),
        (Output::Raw, true),
        (Output::Probability, false),
        (Output::LogLoss, false),
    ] {
        let background = Background::Weighted(View::f64(cells.view(), None), weights);
        let explainer = Explainer::with_distribution(
            subject.model.clone(),
            background,
            options(output, interactions),
        );
        let explanation = explainer.unwrap().explain(&subject.table).unwrap();
        let margins = |row: &[f64]| {
            let margins = subject.trees.margin(row);
            match output {
                Output::Raw => margins,
                _ => answer(
                    &subject.trees.objective,
                    &margins,
                    output == Output::LogLoss,
                ),
            }
        };
        let bases = margins(other);
        for row in 0..DEFINED {
            let cells = subject.rows.row(row);
            let worth = interventional::of(cells, &[(other.to_vec(), 1.0)], margins);
            for (k, worth) in worth.iter().enumerate() {
                let expected = if interactions {
                    shapley::interactions(worth).concat()
                } else {
                    shapley::values(worth)
                };
                let scale = match output {
                    Output::Raw => {
                        let of = |row: &[f64]| 1.0 + native::magnitude(&subject.trees, row, k);
                        of(cells).max(of(other))
                    }
                    _ => worth.iter().fold(1.0_f64, |a, b| a.max(b.abs())),
                };
                let base = explanation.header.base_values[k];
                assert!((base - bases[k]).abs() <= 1e-12 * scale, "base {base}");
                for (cell, expected) in expected.iter().enumerate() {
                    let value = f64::from(explanation.values[[row, cell, k]]);
                    assert!(
                        (value - expected).abs() <= ROUNDING * scale,
                        "{}, {output}, interactions {interactions}, row {row}, cell {cell}: \
                         {value} is not {expected}",
                        subject.case.name
                    );
                }
            }
        }
    }
}

/// One row over and over.
fn equal(row: &[f64], count: usize) -> Array2<f64> {
    Array2::from_shape_fn((count, row.len()), |(_, column)| row[column])
}

#[test]
fn one_row_and_equal_rows_are_a_background_of_that_row() {
    for (library, name) in CASES {
        let subject = subject(library, name);
        let row = subject.rows.row(9);
        is_one_row(&subject, &equal(row, 1), &[3.0], row);
        is_one_row(&subject, &equal(row, 4), &[1.0, 0.5, 0.0, 7.0], row);
        // A single row that counts, among others.
        let mut cells = equal(row, 3);
        cells.row_mut(0).fill(-1.0);
        cells.row_mut(2).fill(f64::NAN);
        is_one_row(&subject, &cells, &[0.0, 1e-300, 0.0], row);
    }
}

#[test]
fn rows_of_missing_cells_are_a_background_of_one_such_row() {
    for (library, name) in CASES {
        let subject = subject(library, name);
        let row = vec![f64::NAN; subject.trees.features.len()];
        is_one_row(&subject, &equal(&row, 1), &[1.0], &row);
        is_one_row(&subject, &equal(&row, 5), &[1.0; 5], &row);
    }
}

#[test]
fn rows_that_count_nothing_are_refused_by_name() {
    let subject = subject("xgboost", "binary_3_4");
    let table = subject.table.slice(0..3).unwrap();
    for output in [Output::Raw, Output::Probability, Output::LogLoss] {
        let background = Background::Weighted(View::from(&table), &[0.0; 3]);
        let model = subject.model.clone();
        let error = Explainer::with_distribution(model, background, options(output, false));
        let error = error.unwrap_err();
        assert!(
            matches!(
                error,
                Error::Parameter {
                    name: "weights",
                    ..
                }
            ),
            "{error}"
        );
        assert!(error.to_string().contains("0 for every row"), "{error}");
    }
}

/// Covers that are counted from one row, from equal rows and from missing cells: where no row came,
/// both sides count alike.
#[test]
fn covers_of_a_degenerate_background_are_as_defined() {
    for name in ["forest_reg", "boosting_multi", "modes_5"] {
        let mut subject = subject("onnx", name);
        let features = subject.trees.features.len();
        for row in [subject.rows.row(2).to_vec(), vec![f64::NAN; features]] {
            for count in [1, 4] {
                let cells = equal(&row, count);
                subject.trees.clear_covers();
                (0..count).for_each(|_| subject.trees.count_cover(&row));
                let background = Table::new(None, Cells::F64(cells)).unwrap();
                let options = Options {
                    value_function: ValueFunction::PathDependent,
                    ..Options::on(Device::cpu())
                };
                let model = subject.model.clone();
                let explainer = Explainer::new(model, Some(&background), options).unwrap();
                let explanation = explainer.explain(&subject.table).unwrap();
                for row in 0..DEFINED {
                    let cells = subject.rows.row(row);
                    for (k, worth) in game::worth(&subject.trees, cells).iter().enumerate() {
                        let scale = 1.0 + native::magnitude(&subject.trees, cells, k);
                        for (f, expected) in shapley::values(worth).iter().enumerate() {
                            let value = f64::from(explanation.values[[row, f, k]]);
                            assert!(
                                (value - expected).abs() <= ROUNDING * scale,
                                "{name}, row {row}, feature {f}: {value} is not {expected}"
                            );
                        }
                    }
                }
            }
        }
    }
}

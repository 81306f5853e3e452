//! Values against the library's own and against the definition, on every engine.

use std::collections::BTreeMap;

use ndarray::Array3;
use whylight::Explanation;
use whylight::data::Cells;

use super::subject::{AMOUNTS, Amount, LIBRARIES, Subject, explain, options, subjects, together};
use crate::support::native;
use crate::xgboost::oracle;

/// A reference: row by row (output, feature + 1), the last of each output being the base value.
pub(super) type Rows = Vec<Vec<f64>>;

/// How far values may be from a float64 reference, in units of `1 + Σ|leaf|`: tables and factors are
/// float32, a tree's sums are, and so are the values. The largest seen is 2.5e-7.
const ROUNDING: f64 = 1e-6;

/// The same against a library that sums in float32 from tree to tree and divides by small covers on
/// the way, so that most of the difference is its own.
const LIBRARY_ROUNDING: f64 = 3e-6;

/// How far two engines may be apart, in units of the row's largest value.
pub(super) const ENGINES: f64 = 1e-5;

/// Differences of values, at most: in units of what the row's leaves sum up to, `1 + Σ|leaf|`, and
/// in units of the row's largest value.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Worst {
    pub(super) by_leaves: f64,
    pub(super) by_values: f64,
}

/// Differences of `values` from a reference; rows beyond the reference begin it again.
pub(super) fn worst(subject: &Subject, values: &Array3<f32>, reference: &Rows) -> Worst {
    let (rows, features, outputs) = values.dim();
    let mut worst = Worst::default();
    for row in 0..rows {
        let i = row % reference.len();
        for k in 0..outputs {
            let expected = &reference[i][k * (features + 1)..][..features];
            let scale = 1.0 + native::magnitude(&subject.trees, subject.rows.row(i), k);
            let largest = expected.iter().fold(1e-30_f64, |a, v| a.max(v.abs()));
            for (f, expected) in expected.iter().enumerate() {
                let off = (f64::from(values[[row, f, k]]) - expected).abs();
                assert!(
                    off.is_finite(),
                    "{}, row {i}, feature {f}",
                    subject.case.name
                );
                worst.by_leaves = worst.by_leaves.max(off / scale);
                worst.by_values = worst.by_values.max(off / largest);
            }
        }
    }
    worst
}

/// The definition's values of all rows, summed in float64.
fn definition(subject: &Subject) -> Rows {
    (0..subject.rows.shape[0])
        .map(|i| oracle::path_dependent(&subject.trees, subject.rows.row(i)))
        .collect()
}

fn native(subject: &Subject) -> Option<Rows> {
    let values = subject.native()?;
    Some(
        (0..values.shape[0])
            .map(|i| values.row(i).to_vec())
            .collect(),
    )
}

/// Values as a reference for others, without base values.
pub(super) fn reference(values: &Array3<f32>) -> Rows {
    let (_, features, outputs) = values.dim();
    (values.outer_iter())
        .map(|row| {
            let cell = |i: usize| match i % (features + 1) {
                f if f == features => 0.0,
                f => f64::from(row[[f, i / (features + 1)]]),
            };
            (0..outputs * (features + 1)).map(cell).collect()
        })
        .collect()
}

/// Base values against the last column of a reference.
fn base_values_agree(subject: &Subject, base_values: &[f64], reference: &Rows, tolerance: f64) {
    let width = reference[0].len() / base_values.len();
    for (i, expected) in reference.iter().enumerate() {
        for (k, base) in base_values.iter().enumerate() {
            let expected = expected[(k + 1) * width - 1];
            let scale = 1.0 + native::magnitude(&subject.trees, subject.rows.row(i), k);
            assert!(
                (base - expected).abs() <= tolerance * scale,
                "{}, row {i}, output {k}: base value {base} against {expected}",
                subject.case.name
            );
        }
    }
}

/// |base value + Σ values − margin| ≤ 1e-6 · max(1, Σ|leaf|) of every row, and the error that the
/// explanations report is the largest of those rows that were checked.
pub(super) fn values_add_up(subject: &Subject, parts: &[Explanation]) {
    let mut i = 0;
    for part in parts {
        let mut largest = 0.0_f64;
        for values in part.values.outer_iter() {
            let row = subject.rows.row(i % subject.rows.shape[0]);
            i += 1;
            for (k, margin) in subject.trees.margin(row).into_iter().enumerate() {
                let sum: f64 = values.column(k).iter().map(|&v| f64::from(v)).sum();
                let error = (part.header.base_values[k] + sum - margin).abs();
                largest = largest.max(error);
                let scale = native::magnitude(&subject.trees, row, k).max(1.0);
                assert!(
                    error <= 1e-6 * scale,
                    "{}, output {k}: off by {error}",
                    subject.case.name
                );
            }
        }
        let reported = part.trailer.additivity_error;
        if part.trailer.additivity_rows == part.trailer.rows {
            assert!((reported - largest).abs() <= 1e-15, "{reported}, {largest}");
        }
        assert!(reported <= largest + 1e-15, "{reported} of {largest}");
    }
}

/// Everything that must agree for a case. Returns whether the library's own values were compared.
fn check(subject: &Subject) -> bool {
    let name = &subject.case.name;
    let explainer = subject.explainer(options());
    let (definition, native) = (definition(subject), native(subject));
    let base_values = &explainer.header().base_values;
    let native_rounding = if subject.is_float32() {
        LIBRARY_ROUNDING
    } else {
        ROUNDING
    };
    // The definition here has XGBoost's weight of 1e-12 where there is no cover.
    base_values_agree(subject, base_values, &definition, 1e-11);
    if let Some(native) = &native {
        base_values_agree(subject, base_values, native, native_rounding.min(1e-6));
    }
    let mut first = None;
    for amount in AMOUNTS {
        let parts = explain(&explainer, &subject.table, amount);
        values_add_up(subject, &parts);
        let values = together(&parts);
        let from = worst(subject, &values, &definition);
        assert!(
            from.by_leaves <= ROUNDING,
            "{name}, {amount:?}, from the definition: {from:?}"
        );
        if let Some(native) = &native {
            let from = worst(subject, &values, native);
            assert!(
                from.by_leaves <= native_rounding,
                "{name}, {amount:?}, from the library: {from:?}"
            );
        }
        let first = first.get_or_insert_with(|| reference(&values));
        let from = worst(subject, &values, first);
        assert!(
            from.by_values <= ENGINES,
            "{name}, {amount:?}, from another engine: {from:?}"
        );
    }
    native.is_some()
}

fn check_all(library: &str, at_least: usize) {
    let compared = subjects(library).iter().filter(|case| check(case)).count();
    assert!(compared >= at_least, "only {compared} cases with values");
}

#[test]
fn values_of_xgboost_models_are_the_librarys_on_every_engine() {
    check_all("xgboost", 57);
}

#[test]
fn values_of_lightgbm_models_are_the_librarys_on_every_engine() {
    check_all("lightgbm", 30);
}

#[test]
fn values_of_catboost_models_are_the_librarys_on_every_engine() {
    check_all("catboost", 27);
}

#[test]
fn values_of_onnx_models_are_shaps_on_every_engine() {
    check_all("onnx", 30);
}

#[test]
fn values_of_treelite_models_are_those_of_the_definition_on_every_engine() {
    check_all("treelite", 0);
}

#[test]
fn rows_that_are_float32_in_float64_models_have_the_values_of_the_definition() {
    let (mut wide, mut narrow) = (0, 0);
    for library in ["lightgbm", "onnx"] {
        for subject in subjects(library) {
            if subject.is_wide() && matches!(subject.table.cells, Cells::F64(_)) {
                wide += 1;
                let subject = subject.rounded();
                assert!(!subject.is_wide(), "{}", subject.case.name);
                check(&subject);
                narrow += 1;
            }
        }
    }
    assert!(wide > 20 && narrow == wide, "{wide} cases in float64");
}

#[test]
fn every_engine_takes_trees_of_the_corpus() {
    let mut trees = BTreeMap::new();
    for library in LIBRARIES {
        for subject in subjects(library) {
            let explainer = subject.explainer(options());
            for amount in AMOUNTS {
                let parts = explain(&explainer, &subject.table, amount);
                for (engine, count) in &parts[0].trailer.engines {
                    *trees.entry((engine.clone(), amount)).or_insert(0) += count;
                }
            }
        }
    }
    let taken = |engine: &str, amount| trees.get(&(engine.to_owned(), amount)).copied();
    let enough = |count: Option<usize>| count.is_some_and(|count| count >= 40);
    assert!(
        enough(taken("quadrature_few_rows", Amount::Few)),
        "{trees:?}"
    );
    assert!(enough(taken("tables", Amount::Some)), "{trees:?}");
    assert!(enough(taken("quadrature", Amount::Some)), "{trees:?}");
    assert!(enough(taken("tables", Amount::Many)), "{trees:?}");
}

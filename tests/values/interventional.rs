//! Interventional values of the models of the corpus: against the definition, on every engine, and
//! for backgrounds of every kind.

use std::collections::BTreeMap;

use ndarray::{Array2, Array3, array};
use whylight::data::{Cells, View};
use whylight::explain::{Background, ValueFunction};
use whylight::{Device, Error, Explainer, Explanation, Options, Table};

use super::agreement::{ENGINES, reference, values_add_up, worst};
use super::stable::{assert_same_bits, stream};
use super::subject::{AMOUNTS, LIBRARIES, Subject, against_background, explain, subject, together};
use crate::reference::interventional::{self, Other};
use crate::reference::shapley;
use crate::support::native;

/// How far values may be from the definition, in units of `1 + Σ|leaf|`: as path-dependent ones.
const ROUNDING: f64 = 1e-6;

/// Rows that the definition enumerates coalitions for.
const DEFINED: usize = 8;

fn options() -> Options {
    Options {
        value_function: ValueFunction::Interventional,
        ..Options::on(Device::cpu())
    }
}

/// Some of the case's rows as background, with weights that sum to 1.
fn background(subject: &Subject, rows: &[usize]) -> (Table, Vec<f64>, Vec<Other<f64>>) {
    let table = subject.table.select(rows).unwrap();
    let total: f64 = (1..=rows.len()).map(|i| i as f64).sum();
    let weights: Vec<f64> = (1..=rows.len()).map(|i| i as f64).collect();
    let others = rows.iter().zip(&weights);
    let others = others
        .map(|(&i, weight)| (subject.rows.row(i).to_vec(), weight / total))
        .collect();
    (table, weights, others)
}

fn weighted(subject: &Subject, table: &Table, weights: &[f64], options: Options) -> Explainer {
    let background = Background::Weighted(View::from(table), weights);
    Explainer::with_distribution(subject.model.clone(), background, options).unwrap()
}

/// Rows of a case, spread over it.
fn spread(subject: &Subject, count: usize) -> Vec<usize> {
    let rows = subject.table.rows();
    (0..count).map(|i| (i * 37 + 5) % rows).collect()
}

fn is_defined(subject: &Subject, values: &Array3<f32>, others: &[Other<f64>]) {
    for i in 0..DEFINED.min(subject.table.rows()) {
        let row = subject.rows.row(i);
        let worth = interventional::worth_of_model(&subject.trees, row, others);
        for (k, worth) in worth.iter().enumerate() {
            let expected = shapley::values(worth);
            let rows = others.iter().map(|(other, _)| other.as_slice());
            let scale = rows
                .chain([row])
                .map(|row| 1.0 + native::magnitude(&subject.trees, row, k))
                .fold(0.0_f64, f64::max);
            for (f, expected) in expected.iter().enumerate() {
                let off = (f64::from(values[[i, f, k]]) - expected).abs();
                assert!(
                    off <= ROUNDING * scale,
                    "{}, row {i}, feature {f}, output {k}: {} is not {expected}",
                    subject.case.name,
                    values[[i, f, k]]
                );
            }
        }
    }
}

#[test]
fn values_of_every_model_are_as_defined_on_every_engine() {
    let mut engines = BTreeMap::new();
    let mut checked = 0;
    for subject in LIBRARIES.into_iter().flat_map(against_background) {
        let (table, weights, others) = background(&subject, &spread(&subject, 5));
        let explainer = weighted(&subject, &table, &weights, options());
        let header = explainer.header();
        assert_eq!(header.value_function, "interventional");
        assert!(
            header
                .cover
                .starts_with("background of 5 weighted rows, hash "),
            "{}",
            header.cover
        );
        for (k, base) in header.base_values.iter().enumerate() {
            let margins = others
                .iter()
                .map(|(row, w)| w * subject.trees.margin(row)[k]);
            let mean: f64 = margins.sum();
            assert!((base - mean).abs() <= 1e-12 * (1.0 + mean.abs()));
        }
        let mut first = None;
        for amount in AMOUNTS {
            let parts = explain(&explainer, &subject.table, amount);
            values_add_up(&subject, &parts);
            for (engine, count) in &parts[0].trailer.engines {
                *engines.entry(engine.clone()).or_insert(0) += count;
            }
            let values = together(&parts);
            if subject.trees.features.len() <= 9 {
                is_defined(&subject, &values, &others);
            }
            let first = first.get_or_insert_with(|| reference(&values));
            let from = worst(&subject, &values, first);
            assert!(
                from.by_values <= ENGINES || from.by_leaves <= ROUNDING,
                "{}, {amount:?}, from another engine: {from:?}",
                subject.case.name
            );
        }
        checked += 1;
    }
    assert!(checked > 150, "only {checked} cases");
    assert_eq!(
        engines.keys().collect::<Vec<_>>(),
        ["leaves", "pairs", "tables"]
    );
    assert!(engines.values().all(|&count| count > 50), "{engines:?}");
}

/// Asserts that values are the same but for rounding, where either may repeat the rows of the case.
fn assert_close(subject: &Subject, values: &Array3<f32>, expected: &Array3<f32>) {
    let mut expected = reference(expected);
    expected.truncate(subject.table.rows());
    let from = worst(subject, values, &expected);
    assert!(from.by_values <= ENGINES, "{}: {from:?}", subject.case.name);
}

/// The values of all rows, from the engine for many of them.
fn many(subject: &Subject, explainer: &Explainer) -> Vec<Explanation> {
    explain(explainer, &subject.table, AMOUNTS[2])
}

#[test]
fn a_weight_is_a_number_of_equal_rows() {
    for (library, name) in [
        ("xgboost", "binary_3_4"),
        ("lightgbm", "regression_nan_4_7"),
    ] {
        let subject = subject(library, name);
        let rows = [3, 11, 11, 40, 11, 40];
        let repeated = subject.table.select(&rows).unwrap();
        let repeated = Explainer::new(subject.model.clone(), Some(&repeated), options()).unwrap();
        let distinct = subject.table.select(&[3, 7, 11, 40]).unwrap();
        // Row 7 counts nothing; only shares matter, however large.
        let large = f64::MAX / 4.0;
        let weights = [large, 0.0, 3.0 * large, 2.0 * large];
        let distinct = weighted(&subject, &distinct, &weights, options());
        for amount in AMOUNTS {
            let expected = together(&explain(&repeated, &subject.table, amount));
            let values = together(&explain(&distinct, &subject.table, amount));
            assert_close(&subject, &values, &expected);
        }
    }
}

#[test]
fn the_order_of_background_rows_threads_and_batches_do_not_matter() {
    for (library, name) in [
        ("xgboost", "softprob_3_4"),
        ("catboost", "oblivious_1_2"),
        ("onnx", "forest_reg"),
        ("lightgbm", "deep_4_7"),
    ] {
        let subject = subject(library, name);
        let rows: Vec<usize> = (0..700).map(|i| (i * 31) % subject.table.rows()).collect();
        let forward = subject.table.select(&rows).unwrap();
        let backward: Vec<usize> = rows.iter().rev().copied().collect();
        let backward = subject.table.select(&backward).unwrap();
        let with = |background: &Table, threads: usize| {
            let options = Options {
                threads,
                ..options()
            };
            Explainer::new(subject.model.clone(), Some(background), options).unwrap()
        };
        let one = with(&forward, 1);
        let expected = together(&many(&subject, &one));
        let two = together(&many(&subject, &with(&forward, 2)));
        assert_same_bits(name, &expected, &two);
        let all = together(&explain(&one, &subject.table, AMOUNTS[1]));
        let path = subject.case.folder.join("rows.npy");
        let small = Options {
            memory_limit: Some(4096),
            ..options()
        };
        let small = Explainer::new(subject.model.clone(), Some(&forward), small).unwrap();
        let (streamed, blocks) = stream(&small, &path);
        assert!(blocks > 5, "{name}: {blocks} blocks");
        assert_same_bits(name, &all, &streamed);
        let turned = together(&many(&subject, &with(&backward, 2)));
        assert_close(&subject, &turned, &expected);
        // The few rows of a call go through pairs, and give the same.
        let few = together(&explain(&one, &subject.table, AMOUNTS[0]));
        assert_close(&subject, &few, &expected);
    }
}

#[test]
fn deep_trees_against_many_background_rows_are_explained_leaf_by_leaf() {
    let subject = subject("lightgbm", "deep_4_7");
    let rows: Vec<usize> = (0..200).map(|i| (i * 7) % subject.table.rows()).collect();
    let (table, weights, others) = background(&subject, &rows);
    let explainer = weighted(&subject, &table, &weights, options());
    let few = together(&explain(&explainer, &subject.table, AMOUNTS[0]));
    let parts = many(&subject, &explainer);
    let by_leaves = (parts[0].trailer.engines.iter()).find(|(engine, _)| engine == "leaves");
    assert!(by_leaves.is_some(), "{:?}", parts[0].trailer.engines);
    let values = together(&parts);
    is_defined(&subject, &values, &others);
    assert_close(&subject, &few, &values);
    let one_thread = Options {
        threads: 1,
        ..options()
    };
    let one = weighted(&subject, &table, &weights, one_thread);
    assert_same_bits("one thread", &together(&many(&subject, &one)), &values);
    // More rows than are walked at once.
    let repeats = 64 * 256 / subject.table.rows() + 1;
    let all: Vec<usize> = (0..repeats).flat_map(|_| 0..subject.table.rows()).collect();
    let long = subject.table.select(&all).unwrap();
    let long = together(&[explainer.explain(&long).unwrap()]);
    let last = long.slice(ndarray::s![-(subject.table.rows() as isize).., .., ..]);
    let first = values.slice(ndarray::s![..subject.table.rows(), .., ..]);
    assert_same_bits("rows at the end", &last.to_owned(), &first.to_owned());
}

#[test]
fn a_row_that_is_the_whole_background_has_no_values() {
    let subject = subject("xgboost", "binary_3_4");
    for count in [1, 3] {
        let table = subject.table.select(&vec![4; count]).unwrap();
        let explainer = Explainer::new(subject.model.clone(), Some(&table), options()).unwrap();
        for amount in AMOUNTS {
            let values = together(&explain(&explainer, &subject.table, amount));
            let row = values.index_axis(ndarray::Axis(0), 4);
            // Zeros, but for what the integrals of a table round.
            assert!(row.iter().all(|value| value.abs() < 1e-7), "{row}");
        }
    }
}

#[test]
fn a_background_of_missing_cells_is_one_more_row() {
    let subject = subject("xgboost", "binary_3_4");
    let features = subject.trees.features.len();
    let missing = Table {
        names: subject.table.names.clone(),
        cells: Cells::F64(Array2::from_elem((2, features), f64::NAN)),
    };
    let explainer = Explainer::new(subject.model.clone(), Some(&missing), options()).unwrap();
    let values = together(&many(&subject, &explainer));
    is_defined(&subject, &values, &[(vec![f64::NAN; features], 1.0)]);
}

#[test]
fn backgrounds_that_are_none_are_refused_by_name() {
    let subject = subject("xgboost", "binary_3_4");
    let refused = |background: Option<Background<'_>>, value_function| {
        let options = Options {
            value_function,
            ..options()
        };
        let model = subject.model.clone();
        let explainer = match background {
            Some(background) => Explainer::with_distribution(model, background, options),
            None => Explainer::new(model, None, options),
        };
        explainer.unwrap_err()
    };
    let error = refused(None, ValueFunction::Interventional);
    assert!(
        matches!(
            error,
            Error::Parameter {
                name: "background",
                ..
            }
        ),
        "{error}"
    );
    let table = subject.table.slice(0..2).unwrap();
    for (weights, what) in [
        (&[0.0, 0.0][..], "0 for every row"),
        (&[1.0, -1.0], "-1"),
        (&[1.0, f64::NAN], "NaN"),
        (&[1.0], "one for each of 2 rows"),
    ] {
        let background = Background::Weighted(View::from(&table), weights);
        let error = refused(Some(background), ValueFunction::Interventional);
        assert!(error.to_string().contains(what), "{error}");
    }
    let none = subject.table.slice(0..0).unwrap();
    let error = refused(
        Some(Background::Rows(View::from(&none))),
        ValueFunction::Auto,
    );
    assert!(error.to_string().contains("no rows"), "{error}");
    assert!(error.to_string().contains("background"), "{error}");
    let other = array![[1.0, 2.0]];
    let other = Background::Rows(View::f64(other.view(), None));
    let error = refused(Some(other), ValueFunction::Interventional);
    assert!(matches!(error, Error::Shape { .. }), "{error}");
    let moments = Background::Moments {
        mean: &[0.0],
        covariance: None,
    };
    let error = refused(Some(moments), ValueFunction::Interventional);
    assert!(matches!(error, Error::Unsupported { .. }), "{error}");
    let rows = Background::Rows(View::from(&table));
    let error = refused(Some(rows), ValueFunction::Conditional);
    assert!(error.to_string().contains("conditional"), "{error}");
}

#[test]
fn what_auto_took_is_in_the_result() {
    let subject = subject("xgboost", "binary_3_4");
    let took = |background: Option<&Table>| {
        let options = Options::on(Device::cpu());
        let explainer = Explainer::new(subject.model.clone(), background, options).unwrap();
        explainer.header().value_function.clone()
    };
    assert_eq!(took(None), "path_dependent");
    assert_eq!(took(Some(&subject.table)), "interventional");
}

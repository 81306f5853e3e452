//! Models whose leaves are linear in features: what only they have. That their values, interactions,
//! groups and outputs are as defined is tested with those of all models.

use std::path::Path;
use std::sync::Arc;

use ndarray::{Array2, array};
use whylight::data::Cells;
use whylight::explain::{Index, Output, ValueFunction};
use whylight::model::{self, Model, Trees};
use whylight::{Device, Error, Explainer, Options, Table};

use super::stable::{assert_same_bits, stream};
use super::subject::{against_background, subject};
use crate::reference::interventional::{self, Other};
use crate::reference::shapley;

fn options() -> Options {
    Options::on(Device::cpu())
}

fn table(cells: Array2<f64>) -> Table {
    Table::new(None, Cells::F64(cells)).unwrap()
}

/// A split on feature 0 at 0.5, with a leaf on the left that is linear in feature 1, and one on the right
/// that is linear in both; feature 2 is for nothing.
fn two_leaves(objective: &str, constant: f64) -> Arc<Model> {
    let text = format!(
        "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nmax_feature_idx=2\n\
         objective={objective}\nfeature_names=a b c\nfeature_infos=none none none\n\n\
         Tree=0\nnum_leaves=2\nnum_cat=0\nsplit_feature=0\nthreshold=0.5\ndecision_type=10\n\
         left_child=-1\nright_child=-2\nleaf_value=-0.25 0.75\nleaf_count=3 4\n\
         internal_count=7\nis_linear=1\nleaf_const={constant} 0.5\nnum_features=1 2\n\
         leaf_features=1  0 1 \nleaf_coeff=1  -0.5 0.125 \nshrinkage=1\n\n\nend of trees\n"
    );
    Arc::new(model::parse(text.as_bytes(), Path::new("two_leaves")).unwrap())
}

fn trees(model: &Model) -> &Trees {
    let Model::Trees(trees) = model else {
        panic!("not trees");
    };
    trees
}

/// Rows that count alike.
fn others(background: &Array2<f64>) -> Vec<Other<f64>> {
    let share = 1.0 / background.nrows() as f64;
    let rows = background.outer_iter();
    rows.map(|row| (row.to_vec(), share)).collect()
}

#[test]
fn a_cell_of_a_linear_leaf_counts_with_more_digits_than_float32_has() {
    let model = two_leaves("regression", -1e6);
    let background = array![[0.0, 1_000_000.1, 0.0]];
    let row = [0.0, 1_000_000.123, 0.0];
    let worth = interventional::worth_of_model(trees(&model), &row, &others(&background));
    let expected = shapley::values(&worth[0]);
    let explainer = Explainer::new(model, Some(&table(background)), options()).unwrap();
    let rows = Array2::from_shape_vec((1, 3), row.to_vec()).unwrap();
    let values = explainer.explain(&table(rows)).unwrap().values;
    let value = f64::from(values[[0, 1, 0]]);
    assert!((expected[1] - 0.023).abs() < 1e-9, "{expected:?}");
    assert!((value - expected[1]).abs() < 1e-8, "{value}");
}

#[test]
fn features_that_no_split_tests_vary_in_linear_leaves() {
    let model = two_leaves("binary sigmoid:1", 0.5);
    let nan = f64::NAN;
    let background = array![
        [0.0, 1.0, 5.0],
        [0.0, nan, 5.0],
        [nan, 2.0, 5.0],
        [1.0, 1.0, 5.0]
    ];
    let rows = array![
        [0.0, 3.0, 7.0],
        [0.0, nan, 7.0],
        [1.0, 1.0, 7.0],
        [nan, nan, nan]
    ];
    for (output, index) in [
        (Output::Raw, Index::Shapley),
        (Output::Raw, Index::Banzhaf),
        (Output::Probability, Index::Shapley),
        (Output::Probability, Index::Banzhaf),
    ] {
        for used_only in [false, true] {
            let options = Options {
                output,
                index,
                used_only,
                ..options()
            };
            let explainer =
                Explainer::new(model.clone(), Some(&table(background.clone())), options).unwrap();
            let explanation = explainer.explain(&table(rows.clone())).unwrap();
            assert_eq!(explanation.values.dim().1, if used_only { 2 } else { 3 });
            for (row, values) in rows.outer_iter().zip(explanation.values.outer_iter()) {
                let worth = interventional::of(&row.to_vec(), &others(&background), |row| {
                    let margin = trees(&model).margin(row)[0];
                    vec![match output {
                        Output::Raw => margin,
                        _ => 1.0 / (1.0 + (-margin).exp()),
                    }]
                });
                let expected = match index {
                    Index::Banzhaf => shapley::banzhaf(&worth[0]),
                    Index::Shapley => shapley::values(&worth[0]),
                };
                for (value, expected) in values.iter().zip(expected) {
                    let off = (f64::from(*value) - expected).abs();
                    assert!(off < 1e-7, "{output}, row {row}: {value} is not {expected}");
                }
            }
        }
    }
}

#[test]
fn path_dependent_values_of_linear_leaves_are_refused_with_the_way_out() {
    let subject = subject("lightgbm", "linear_4_7");
    let background = subject.table.slice(0..5).unwrap();
    for (background, value_function) in [
        (None, ValueFunction::Auto),
        (None, ValueFunction::PathDependent),
        (Some(&background), ValueFunction::PathDependent),
    ] {
        let options = Options {
            value_function,
            ..options()
        };
        let error = Explainer::new(subject.model.clone(), background, options).unwrap_err();
        assert!(matches!(error, Error::Unsupported { .. }), "{error}");
        insta::allow_duplicates! {
            insta::assert_snapshot!(error, @"path-dependent values of this LightGBM text model, whose leaves are linear in features (linear_tree=true): the file holds no distribution of these is not supported by Tree SHAP: give a background, for interventional values");
        }
    }
}

#[test]
fn cells_that_no_linear_leaf_can_read_are_named() {
    let model = two_leaves("regression", 0.5);
    let good = array![[0.0, 1.0, 5.0], [1.0, 1.0, 5.0]];
    for bad in [f64::INFINITY, f64::NEG_INFINITY, 1e39, -1e30] {
        let bad = array![[0.0, 1.0, f64::INFINITY], [0.0, bad, 5.0]];
        let explainer = Explainer::new(model.clone(), Some(&table(good.clone())), options());
        let error = explainer.unwrap().explain(&table(bad.clone())).unwrap_err();
        assert!(error.to_string().contains("row 2, column 2"), "{error}");
        let error = Explainer::new(model.clone(), Some(&table(bad)), options()).unwrap_err();
        assert!(
            error.to_string().contains("the background: at row 2"),
            "{error}"
        );
        assert!(matches!(error, Error::Data { .. }), "{error}");
    }
}

#[test]
fn threads_and_batches_change_no_bit_of_linear_leaves() {
    for subject in against_background("lightgbm") {
        if !subject.trees.has_linear_leaves() {
            continue;
        }
        let background = subject.table.slice(0..7).unwrap();
        let with = |threads: usize, memory_limit: Option<u64>| {
            let options = Options {
                threads,
                memory_limit,
                ..options()
            };
            Explainer::new(subject.model.clone(), Some(&background), options).unwrap()
        };
        let name = &subject.case.name;
        let whole = with(2, None).explain(&subject.table).unwrap().values;
        let one = with(1, None).explain(&subject.table).unwrap().values;
        assert_same_bits(name, &whole, &one);
        let path = subject.case.folder.join("rows.npy");
        let (streamed, blocks) = stream(&with(2, Some(2048)), &path);
        assert!(blocks > 5, "{name}: {blocks} blocks");
        assert_same_bits(name, &whole, &streamed);
    }
}

#[cfg(feature = "gpu")]
#[test]
fn a_gpu_leaves_linear_leaves_to_the_cpu_and_says_so() {
    let Some(gpu) = crate::twins::gpu() else {
        return;
    };
    let gpu: Device = format!("gpu:{}", gpu.adapter().index).parse().unwrap();
    for (name, of_gpu) in [("linear_4_7", 1), ("linear_forest_4_7", 0)] {
        let subject = subject("lightgbm", name);
        let background = subject.table.slice(0..7).unwrap();
        let trees = subject.trees.trees.len();
        for (output, interactions) in [
            (Output::Raw, false),
            (Output::Raw, true),
            (Output::Response, false),
        ] {
            let explain = |device: &Device| {
                let options = Options {
                    output,
                    interactions,
                    ..Options::on(device.clone())
                };
                let model = subject.model.clone();
                let explainer = Explainer::new(model, Some(&background), options).unwrap();
                explainer.explain(&subject.table).unwrap()
            };
            let (got, expected) = (explain(&gpu), explain(&Device::cpu()));
            let largest = expected.values.iter().fold(0.0_f32, |a, v| a.max(v.abs()));
            for (got, expected) in got.values.iter().zip(&expected.values) {
                assert!(
                    (got - expected).abs() <= 1e-5 * largest,
                    "{got}, {expected}"
                );
            }
            let engines = &got.trailer.engines;
            let on_cpu = ("pairs_on_cpu".to_owned(), trees - of_gpu);
            assert!(engines.contains(&on_cpu), "{name}: {engines:?}");
            let notes = got.trailer.notes.join("; ");
            let expected = "leaves that are linear in features have no GPU kernel";
            assert!(notes.contains(expected), "{name}: {notes}");
        }
        let coalitions = explain_probability(&gpu);
        assert_eq!(coalitions, "coalitions_on_cpu");
    }
}

/// The engine of a probability on a device.
#[cfg(feature = "gpu")]
fn explain_probability(device: &Device) -> String {
    let subject = subject("lightgbm", "linear_binary_4_7");
    let background = subject.table.slice(0..7).unwrap();
    let options = Options {
        output: Output::Probability,
        ..Options::on(device.clone())
    };
    let explainer = Explainer::new(subject.model.clone(), Some(&background), options).unwrap();
    let explanation = explainer.explain(&subject.table).unwrap();
    explanation.trailer.engines[0].0.clone()
}

//! The explainer on a GPU: the CPU's values, the same bits in batches and from several threads, and
//! a model that no GPU holds.

mod games;
mod interactions;
mod pairs;

use std::collections::BTreeMap;
use std::sync::Arc;

use ndarray::Array2;
use whylight::data::Cells;
use whylight::explain::ValueFunction;
use whylight::model::{Feature, Missing, Model, Node, Output, Split, Test, Tree};
use whylight::{Explainer, Options, Table};

use super::agreement::{ENGINES, reference, values_add_up, worst};
use super::stable::{assert_same_bits, from_many_threads, repeated, stream};
use super::subject::{AMOUNTS, Amount, LIBRARIES, explain, options, subject, subjects, together};
use crate::twins;

/// Options for the GPU that the tests run on.
fn on_gpu() -> Option<Options> {
    let device = format!("gpu:{}", twins::gpu()?.adapter().index);
    Some(Options {
        device: device.parse().unwrap(),
        ..options()
    })
}

/// A corpus is many small models: few compare both amounts that a GPU tells apart.
#[test]
fn values_of_every_model_are_the_cpus() {
    let Some(on_gpu) = on_gpu() else { return };
    let mut largest = 0.0_f64;
    let mut checked = 0;
    for subject in LIBRARIES.into_iter().flat_map(subjects) {
        let explainer = subject.explainer(on_gpu.clone());
        let on_cpu = subject.explainer(options());
        let amounts: &[Amount] = if checked % 8 == 0 {
            &AMOUNTS[1..]
        } else {
            &[Amount::Some]
        };
        for &amount in amounts {
            let parts = explain(&explainer, &subject.table, amount);
            values_add_up(&subject, &parts);
            let expected = together(&explain(&on_cpu, &subject.table, Amount::Some));
            let from = worst(&subject, &together(&parts), &reference(&expected));
            assert!(
                from.by_values <= ENGINES,
                "{}, {amount:?}: {from:?}",
                subject.case.name
            );
            largest = largest.max(from.by_values);
        }
        checked += 1;
    }
    eprintln!("largest difference of the GPU's values: {largest:.1e} of the row's largest");
    assert!(checked > 150, "only {checked} cases");
}

/// Against a background of rows of the case: shallow trees by tables, the others leaf by leaf, or pair by
/// pair where rows are few.
#[test]
fn interventional_values_of_every_library_are_the_cpus() {
    let Some(on_gpu) = on_gpu() else { return };
    let mut engines = BTreeMap::new();
    for (library, name) in [
        ("xgboost", "softprob_3_4"),
        ("xgboost", "vector_leaf_3_4"),
        ("xgboost", "deep_3_2"),
        ("lightgbm", "regression_nan_4_7"),
        ("catboost", "one_hot_1_2"),
        ("onnx", "forest_double_5"),
    ] {
        let subject = subject(library, name);
        for count in [2, 40] {
            let background = subject.table.slice(0..count).unwrap();
            let explainer = |options: &Options| {
                let options = Options {
                    value_function: ValueFunction::Interventional,
                    ..options.clone()
                };
                Explainer::new(subject.model.clone(), Some(&background), options).unwrap()
            };
            let (gpu, cpu) = (explainer(&on_gpu), explainer(&options()));
            for amount in &AMOUNTS[1..] {
                let parts = explain(&gpu, &subject.table, *amount);
                values_add_up(&subject, &parts);
                for (engine, trees) in &parts[0].trailer.engines {
                    *engines.entry(engine.clone()).or_insert(0) += trees;
                }
                let expected = together(&explain(&cpu, &subject.table, Amount::Some));
                let from = worst(&subject, &together(&parts), &reference(&expected));
                assert!(
                    from.by_values <= ENGINES,
                    "{name}, {count}, {amount:?}: {from:?}"
                );
            }
        }
    }
    assert_eq!(
        engines.keys().collect::<Vec<_>>(),
        ["leaves", "pairs", "tables"]
    );
}

#[test]
fn batches_change_no_bit() {
    let Some(on_gpu) = on_gpu() else { return };
    let folder = tempfile::tempdir().unwrap();
    for (library, name) in [
        ("xgboost", "vector_leaf_3_4"),
        ("lightgbm", "binary_categorical_4_7"),
        ("onnx", "forest_double_5"),
    ] {
        let mut subject = subject(library, name);
        let path = repeated(&mut subject, 1777, folder.path());
        let (whole, _) = stream(&subject.explainer(on_gpu.clone()), &path);
        let limited = Options {
            memory_limit: Some(100_000),
            ..on_gpu.clone()
        };
        let (parts, blocks) = stream(&subject.explainer(limited), &path);
        assert!(blocks > 3, "{name}: {blocks} blocks");
        assert_same_bits(name, &whole, &parts);
    }
}

#[test]
fn an_explainer_serves_several_threads() {
    let Some(on_gpu) = on_gpu() else { return };
    from_many_threads(&on_gpu, 3);
}

/// A tree that tests one feature.
fn stump(feature: u32) -> Tree {
    let leaf = |leaf| Node::Leaf { leaf, cover: 1.0 };
    let split = Split {
        feature,
        test: Test::Below(0.5),
        missing: Missing::Nan,
        missing_left: true,
        left: 1,
        right: 2,
        cover: 2.0,
    };
    Tree {
        nodes: vec![Node::Split(split), leaf(0), leaf(1)],
        values: vec![-1e-5, 1e-5],
        output: Output::One(0),
        iteration: feature,
        linear: Vec::new(),
    }
}

/// A row of 200,000 features that are used takes more than the 128 MiB that Vulkan promises a kernel.
#[test]
fn a_model_that_a_gpu_cannot_hold_is_explained_by_the_cpu() {
    let Some(on_gpu) = on_gpu() else { return };
    let features = 200_000;
    let limits = &twins::gpu().unwrap().adapter().limits;
    if limits.binding_bytes.min(limits.buffer_bytes) >= 4 * 256 * features as u64 {
        eprintln!("SKIPPED: this GPU holds {features} features");
        return;
    }
    let mut trees = subject("xgboost", "binary_3_4").trees;
    trees.features = vec![Feature::default(); features];
    trees.trees = (0..features as u32).map(stump).collect();
    let model = Arc::new(Model::Trees(trees));
    let cells = Array2::from_shape_fn((2, features), |(row, f)| (row + f % 3) as f32 - 1.0);
    let table = Table::new(None, Cells::F32(cells)).unwrap();
    let explain = |options: Options| {
        let explainer = Explainer::new(model.clone(), None, options).unwrap();
        explainer.explain(&table).unwrap()
    };
    let (got, expected) = (explain(on_gpu), explain(options()));
    let notes = got.trailer.notes.join("; ");
    assert!(notes.contains("cannot hold"), "{notes}");
    let on_cpu = |(engine, _): &(String, usize)| engine.ends_with("_on_cpu");
    assert!(got.trailer.engines.iter().all(on_cpu), "{:?}", got.trailer);
    for (a, b) in got.values.iter().zip(&expected.values) {
        assert!((a - b).abs() <= 1e-5, "{a}, {b}");
    }
}

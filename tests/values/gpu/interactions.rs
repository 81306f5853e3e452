//! Interactions on a GPU against the CPU: read from tables, and of trees that are walked.

use std::sync::Arc;

use ndarray::Array2;
use whylight::data::{Cells, View};
use whylight::explain::{Background, Group, ValueFunction};
use whylight::model::{Model, Output};
use whylight::{Device, Explainer, Explanation, Options, Table};

use super::on_gpu;
use super::pairs::{paths, trees};
use crate::values::stable::{assert_same_bits, repeated, stream};
use crate::values::subject::{Subject, subject};

/// In float32 on the GPU, in units of the row's largest, or of what it is computed from.
const TOLERANCE: f32 = 2e-6;

const GAMES: [ValueFunction; 2] = [ValueFunction::PathDependent, ValueFunction::Interventional];

/// The model, and whether it has trees that tables hold and trees that are walked.
const CASES: [(&str, &str, [bool; 2]); 8] = [
    ("xgboost", "softprob_3_4", [true, false]),
    ("xgboost", "deep_3_2", [false, true]),
    ("xgboost", "chain_3_2", [false, true]),
    ("lightgbm", "regression_none_4_7", [true, true]),
    ("lightgbm", "deep_4_7", [false, true]),
    ("catboost", "oblivious_1_2", [true, false]),
    ("catboost", "repeated_lossguide_1_2", [false, true]),
    ("onnx", "forest_double_5", [true, false]),
];

fn explainer(subject: &Subject, value_function: ValueFunction, options: &Options) -> Explainer {
    let options = Options {
        value_function,
        interactions: true,
        ..options.clone()
    };
    let model = subject.model.clone();
    if value_function == ValueFunction::PathDependent {
        return Explainer::new(model, subject.background.as_ref(), options).unwrap();
    }
    let rows = subject.table.slice(0..7).unwrap();
    let weights = [1.0, 2.0, 0.0, 1.0, 3.0, 1.0, 1.0];
    let background = Background::Weighted(View::from(&rows), &weights);
    Explainer::with_distribution(model, background, options).unwrap()
}

/// The largest difference; values are computed from numbers of this size, or of the row's largest.
fn agree(name: &str, gpu: &Explanation, cpu: &Explanation, size: f32) -> f32 {
    assert_eq!(gpu.values.dim(), cpu.values.dim());
    let mut worst = 0.0_f32;
    let rows = gpu.values.outer_iter().zip(cpu.values.outer_iter());
    for (row, (got, expected)) in rows.enumerate() {
        let largest = expected.iter().fold(size, |a, b| a.max(b.abs()));
        for (got, expected) in got.iter().zip(&expected) {
            let off = (got - expected).abs() / largest;
            assert!(
                off <= TOLERANCE,
                "{name}, row {row}: {got} on the GPU, {expected} on the CPU"
            );
            worst = worst.max(off);
        }
    }
    worst
}

#[test]
fn interactions_of_models_of_every_library_are_the_cpus() {
    let Some(on_gpu) = on_gpu() else { return };
    let mut worst = 0.0_f32;
    for (library, name, [tables, walks]) in CASES {
        let subject = subject(library, name);
        let group = Group {
            name: "ends".to_owned(),
            features: vec![0, subject.trees.features.len() - 1],
        };
        let grouped = Options {
            groups: vec![group],
            ..on_gpu.clone()
        };
        for value_function in GAMES {
            for options in [&on_gpu, &grouped] {
                let on_cpu = Options {
                    device: Device::cpu(),
                    ..options.clone()
                };
                let of = |options: &Options| {
                    let explainer = explainer(&subject, value_function, options);
                    explainer.explain(&subject.table).unwrap()
                };
                let (gpu, cpu) = (of(options), of(&on_cpu));
                let name = format!("{name}, {value_function}");
                worst = worst.max(agree(&name, &gpu, &cpu, 1.0));
                for engine in ["tables_of_pairs", "walks_of_pairs"] {
                    assert_eq!(trees(&gpu, engine), trees(&cpu, engine), "{name}, {engine}");
                }
                let found = ["tables_of_pairs", "walks_of_pairs"].map(|e| trees(&gpu, e) > 0);
                assert_eq!(found, [tables, walks], "{name}: {:?}", gpu.trailer.engines);
                let on_cpu = |(engine, _): &(String, usize)| engine.ends_with("_of_pairs_on_cpu");
                assert!(!gpu.trailer.engines.iter().any(on_cpu), "{name}");
            }
        }
    }
    eprintln!("largest difference of the GPU's interactions: {worst:.1e}");
}

/// No library makes deep trees of several outputs within the size of a corpus.
#[test]
fn interactions_of_walked_trees_of_several_outputs_are_the_cpus() {
    let Some(on_gpu) = on_gpu() else { return };
    let mut subject = subject("lightgbm", "regression_none_4_7");
    let trees_of = &mut subject.trees;
    let walked = trees_of.trees.clone();
    trees_of.outputs = ["a", "b", "c"].map(str::to_owned).to_vec();
    trees_of.base = vec![0.5, 0.0, 1.0];
    for (i, mut tree) in walked.into_iter().enumerate() {
        trees_of.trees[i].output = Output::One(2);
        tree.output = Output::One(i as u32 % 2);
        trees_of.trees.push(tree);
    }
    subject.model = Arc::new(Model::Trees(subject.trees.clone()));
    for value_function in GAMES {
        let of = |options: &Options| {
            let explainer = explainer(&subject, value_function, options);
            explainer.explain(&subject.table).unwrap()
        };
        let cpu = of(&Options {
            device: Device::cpu(),
            ..on_gpu.clone()
        });
        let gpu = of(&on_gpu);
        assert_eq!(gpu.values.dim().2, 3);
        assert_eq!(trees(&gpu, "walks_of_pairs"), 2);
        agree("three outputs", &gpu, &cpu, 1.0);
    }
}

#[test]
fn batches_change_no_bit_of_interactions() {
    let Some(on_gpu) = on_gpu() else { return };
    let folder = tempfile::tempdir().unwrap();
    for name in ["deep_4_7", "regression_none_4_7"] {
        let mut subject = subject("lightgbm", name);
        let path = repeated(&mut subject, 1300, folder.path());
        for value_function in GAMES {
            let (whole, _) = stream(&explainer(&subject, value_function, &on_gpu), &path);
            let limited = Options {
                memory_limit: Some(100_000),
                ..on_gpu.clone()
            };
            let (parts, blocks) = stream(&explainer(&subject, value_function, &limited), &path);
            assert!(blocks > 3, "{name}: {blocks} blocks");
            assert_same_bits(name, &whole, &parts);
        }
    }
}

/// One tree of 70 features on a path, and one of 40.
#[test]
fn interactions_of_too_long_paths_are_walked_by_the_cpu_within_the_call() {
    let Some(on_gpu) = on_gpu() else { return };
    let mut subject = subject("lightgbm", "deep_4_7");
    subject.model = paths(70, 40);
    let Model::Trees(of_model) = &*subject.model else {
        panic!("not trees");
    };
    subject.trees = of_model.clone();
    subject.background = None;
    let cell = |(row, f): (usize, usize)| {
        let is_below = (row * 31 + f * 17).is_multiple_of(19);
        if is_below { -1.0 } else { 1.0 }
    };
    let cells = Array2::from_shape_fn((30, 70), cell);
    subject.table = Table::new(None, Cells::F64(cells)).unwrap();
    for value_function in GAMES {
        let of = |options: &Options| {
            let explainer = explainer(&subject, value_function, options);
            explainer.explain(&subject.table).unwrap()
        };
        let cpu = of(&Options {
            device: Device::cpu(),
            ..on_gpu.clone()
        });
        let gpu = of(&on_gpu);
        // The largest leaf.
        agree("paths", &gpu, &cpu, 10.0);
        assert_eq!(trees(&cpu, "walks_of_pairs"), 2);
        assert_eq!(trees(&gpu, "walks_of_pairs"), 1);
        assert_eq!(trees(&gpu, "walks_of_pairs_on_cpu"), 1);
        let notes = gpu.trailer.notes.join("; ");
        assert!(
            notes.contains("1 trees are too deep for the GPU and their"),
            "{notes}"
        );
    }
}

#[test]
fn a_model_without_splits_has_no_interactions_on_a_gpu_either() {
    let Some(on_gpu) = on_gpu() else { return };
    let mut subject = subject("xgboost", "binary_3_4");
    subject.trees.trees.clear();
    subject.model = Arc::new(Model::Trees(subject.trees.clone()));
    for value_function in GAMES {
        let explainer = explainer(&subject, value_function, &on_gpu);
        let explanation = explainer.explain(&subject.table).unwrap();
        assert!(explanation.values.iter().all(|value| *value == 0.0));
    }
}

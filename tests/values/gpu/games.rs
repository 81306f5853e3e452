//! Groups, Banzhaf values and outputs that are no sums, on a GPU against the CPU.

use std::sync::Arc;

use whylight::data::View;
use whylight::explain::{Background, Estimator, Group, Index, Output, ValueFunction};
use whylight::model::Model;
use whylight::{Device, Explainer, Explanation, Options};

use super::on_gpu;
use crate::values::stable::assert_same_bits;
use crate::values::subject::{Subject, subject};

/// Probabilities in float32 on the GPU, in units of 1 or of the largest value.
const TOLERANCE: f32 = 2e-6;

const CASES: [(&str, &str); 6] = [
    ("xgboost", "softprob_3_4"),
    ("xgboost", "binary_3_4"),
    ("lightgbm", "binary_categorical_4_7"),
    ("lightgbm", "regression_nan_4_7"),
    ("catboost", "multiclass_1_2"),
    ("onnx", "forest_double_5"),
];

fn explained(subject: &Subject, options: Options) -> Explanation {
    let background = match options.value_function {
        ValueFunction::PathDependent => subject.background.clone(),
        _ => Some(subject.table.slice(0..7).unwrap()),
    };
    let weights = [1.0, 2.0, 0.0, 1.0, 3.0, 1.0, 1.0];
    let background = background
        .as_ref()
        .map(|table| match options.value_function {
            ValueFunction::PathDependent => Background::Rows(View::from(table)),
            _ => Background::Weighted(View::from(table), &weights),
        });
    let model = subject.model.clone();
    let explainer = match background {
        Some(background) => Explainer::with_distribution(model, background, options),
        None => Explainer::new(model, None, options),
    };
    explainer.unwrap().explain(&subject.table).unwrap()
}

/// Asserts that a GPU gives what the CPU gives, and returns both.
fn agree(subject: &Subject, options: &Options, tolerance: f32) -> [Explanation; 2] {
    let on_cpu = Options {
        device: Device::cpu(),
        ..options.clone()
    };
    let (gpu, cpu) = (
        explained(subject, options.clone()),
        explained(subject, on_cpu),
    );
    let name = &subject.case.name;
    assert_eq!(gpu.values.dim(), cpu.values.dim());
    for (row, (got, expected)) in gpu
        .values
        .outer_iter()
        .zip(cpu.values.outer_iter())
        .enumerate()
    {
        let largest = expected.iter().fold(1.0_f32, |a, b| a.max(b.abs()));
        for (got, expected) in got.iter().zip(&expected) {
            assert!(
                (got - expected).abs() <= tolerance * largest,
                "{name}, row {row}: {got} on the GPU, {expected} on the CPU"
            );
        }
    }
    [gpu, cpu]
}

#[test]
fn groups_and_banzhaf_values_are_the_cpus() {
    let Some(on_gpu) = on_gpu() else { return };
    for (library, name) in CASES {
        let subject = subject(library, name);
        for value_function in [ValueFunction::PathDependent, ValueFunction::Interventional] {
            let features = subject.trees.features.len();
            let group = Group {
                name: "ends".to_owned(),
                features: vec![0, features - 1],
            };
            for options in [
                Options {
                    groups: vec![group],
                    ..on_gpu.clone()
                },
                Options {
                    index: Index::Banzhaf,
                    ..on_gpu.clone()
                },
            ] {
                let options = Options {
                    value_function,
                    ..options
                };
                agree(&subject, &options, 1e-5);
            }
        }
    }
}

#[test]
fn outputs_are_the_cpus() {
    let Some(on_gpu) = on_gpu() else { return };
    for (library, name) in CASES {
        let subject = subject(library, name);
        for (output, estimator) in [
            (Output::Response, Estimator::Exact),
            (Output::Response, Estimator::Sampled),
            (Output::LogLoss, Estimator::Auto),
        ] {
            let probabilistic = !matches!(name, "regression_nan_4_7" | "forest_double_5");
            if output == Output::LogLoss && !probabilistic {
                continue;
            }
            let options = Options {
                value_function: ValueFunction::Interventional,
                output,
                estimator,
                samples: Some(3),
                ..on_gpu.clone()
            };
            let [gpu, cpu] = agree(&subject, &options, TOLERANCE);
            let engine = if probabilistic {
                "coalitions"
            } else {
                "tables"
            };
            let engines = &gpu.trailer.engines;
            assert!(
                engines.iter().any(|(name, _)| name == engine),
                "{name}: {engines:?}"
            );
            assert_eq!(gpu.standard_errors.is_some(), cpu.standard_errors.is_some());
            // In batches, the same.
            let limited = Options {
                memory_limit: Some(20_000),
                ..options
            };
            assert_same_bits(name, &gpu.values, &explained(&subject, limited).values);
        }
    }
}

#[test]
fn rescaled_values_say_that_the_cpu_computed_them() {
    let Some(on_gpu) = on_gpu() else { return };
    let options = Options {
        value_function: ValueFunction::Interventional,
        output: Output::Probability,
        estimator: Estimator::Rescaled,
        ..on_gpu
    };
    let [gpu, _] = agree(&subject("xgboost", "binary_3_4"), &options, 0.0);
    assert_eq!(gpu.trailer.engines[0].0, "pairs_on_cpu");
    assert!(
        gpu.trailer
            .notes
            .iter()
            .any(|note| note.contains("the CPU compared"))
    );
}

#[test]
fn a_model_without_splits_has_no_players_on_a_gpu_either() {
    let Some(on_gpu) = on_gpu() else { return };
    let mut subject = subject("xgboost", "binary_3_4");
    subject.trees.trees.clear();
    subject.model = Arc::new(Model::Trees(subject.trees.clone()));
    let options = Options {
        value_function: ValueFunction::Interventional,
        output: Output::Probability,
        ..on_gpu
    };
    let [gpu, _] = agree(&subject, &options, 0.0);
    assert!(gpu.values.iter().all(|value| *value == 0.0));
}

//! Shuffled rows on a GPU: trees to the last bit, units as the CPU has them, and importances of both.

use std::sync::Arc;

use ndarray::Array2;
use whylight::Device;
use whylight::explain::permutation::{PermutationImportance, PermutationOptions};
use whylight::gpu_shuffles::GpuShuffles;
use whylight::model::{Feature, Linear, Model};

use super::gpu;
use crate::corpus::cases;
use crate::kernels::shuffled::Case;
use crate::permutation::{Weighted, explain, options};
use crate::support::native::load;
use crate::support::random::Random;

#[test]
fn sums_of_shuffled_rows_have_the_bits_of_the_cpu() {
    let Some(gpu) = gpu() else { return };
    for (seed, leaves) in (0..).zip([1, 2, 30, 200]) {
        for rows in [1, 63, 64, 65, 300] {
            let case = Case::random(leaves, rows, 3, seed);
            let orders: Vec<&[u32]> = case.orders.iter().flatten().map(Vec::as_slice).collect();
            let expected = case.shuffled();
            // All at once, and one shuffle at a time.
            for limit in [None, Some(1)] {
                let held = GpuShuffles::new(gpu, &case.trees, &case.ranks, rows, limit).unwrap();
                let got = held.sums(&case.players, 3, &orders).unwrap();
                assert_eq!(got.len(), 12 * 3 * rows);
                for (player, expected) in expected.iter().enumerate() {
                    for (repeat, expected) in expected.iter().enumerate() {
                        for (row, expected) in expected.iter().enumerate() {
                            let at =
                                |output: usize| ((player * 3 + repeat) * 3 + output) * rows + row;
                            let sums: Vec<i64> = (0..3).map(|output| got[at(output)]).collect();
                            assert_eq!(&sums, expected, "{leaves} leaves, {rows} rows: {player}");
                        }
                    }
                }
            }
        }
    }
}

fn device() -> Option<Device> {
    let index = gpu()?.adapter().index;
    Some(format!("gpu:{index}").parse().unwrap())
}

fn on(device: &Device, from: &PermutationOptions) -> PermutationOptions {
    PermutationOptions {
        device: device.clone(),
        ..from.clone()
    }
}

/// Importances of a device, of answers that weigh 1 at the most each.
fn found(
    model: &Arc<Model>,
    cells: &Array2<f64>,
    options: &PermutationOptions,
    outputs: usize,
) -> PermutationImportance {
    explain(model, cells, &Weighted::of(cells.nrows(), outputs), options).unwrap()
}

#[test]
fn importances_of_trees_have_the_bits_of_the_cpu() {
    let Some(device) = device() else { return };
    let mut compared = 0;
    for library in ["xgboost", "lightgbm", "catboost", "onnx"] {
        for case in cases(library) {
            let Some(matrix) = case.array("rows") else {
                continue;
            };
            if !case.facts["refused"].is_null() {
                continue;
            }
            let mut trees = load(&case);
            if trees.has_linear_leaves() {
                continue;
            }
            let (features, outputs) = (trees.features.len(), trees.outputs.len());
            trees.features = vec![Feature::default(); features];
            let height = matrix.shape[0].min(70);
            let cells = matrix.cells[..height * features].to_vec();
            let cells = Array2::from_shape_vec((height, features), cells).unwrap();
            let model = Arc::new(Model::Trees(trees));
            let options = PermutationOptions {
                n_repeats: 11,
                ..options()
            };
            let cpu = found(&model, &cells, &options, outputs);
            let gpu = found(&model, &cells, &on(&device, &options), outputs);
            assert!(
                gpu.device.starts_with("gpu:"),
                "{}: {}",
                case.name,
                gpu.device_reason
            );
            assert_eq!(cpu.importances, gpu.importances, "{}", case.name);
            compared += 1;
        }
    }
    assert!(compared > 100, "{compared}");
}

#[test]
fn importances_of_machines_perceptrons_bayes_and_neighbours_are_those_of_the_cpu() {
    let Some(device) = device() else { return };
    let mut random = Random(17);
    let cells = Array2::from_shape_simple_fn((67, 6), || 2.0 * random.unit() - 1.0);
    let mut on_gpu = 0;
    for case in crate::native::cases(6) {
        let model = Arc::new(case.model);
        for memory_limit in [None, Some(1 << 16)] {
            let options = PermutationOptions {
                output: case.output,
                n_repeats: 3,
                memory_limit,
                ..options()
            };
            let outputs = explain_outputs(&model, &cells, &options);
            let cpu = found(&model, &cells, &options, outputs);
            let gpu = found(&model, &cells, &on(&device, &options), outputs);
            // Of some sixty answers, each as far off as float32 is.
            let most = cpu
                .importances
                .iter()
                .fold(1.0_f64, |most, x| most.max(x.abs()));
            for (a, b) in cpu.importances.iter().zip(&gpu.importances) {
                assert!((a - b).abs() <= 1e-5 * most, "{}: {a} and {b}", case.name);
            }
            if gpu.device.starts_with("gpu:") {
                on_gpu += 1;
            } else {
                assert!(
                    gpu.device_reason.contains("cannot hold"),
                    "{}: {}",
                    case.name,
                    gpu.device_reason
                );
            }
        }
    }
    assert!(on_gpu > 20, "{on_gpu}");
}

fn explain_outputs(model: &Arc<Model>, cells: &Array2<f64>, options: &PermutationOptions) -> usize {
    let rows = whylight::data::View::f64(cells.view(), None);
    let answers = whylight::explain::permutation::answers(model, &rows, options.output, 0);
    answers.unwrap().ncols()
}

#[test]
fn a_column_without_weight_has_no_importance_on_any_device() {
    let Some(device) = device() else { return };
    let mut random = Random(2);
    let cells = Array2::from_shape_simple_fn((80, 4), || random.unit());
    let weights = Array2::from_shape_fn((1, 4), |(_, feature)| feature as f64);
    let model = Arc::new(Model::Linear(Linear::new(weights, vec![0.5]).unwrap()));
    let cpu = found(&model, &cells, &options(), 1);
    let gpu = found(&model, &cells, &on(&device, &options()), 1);
    assert!(gpu.device.starts_with("gpu:"), "{}", gpu.device_reason);
    for of_device in [&cpu, &gpu] {
        assert!(of_device.importances.row(3).iter().all(|x| x.abs() > 1e-3));
    }
    assert!(gpu.importances.row(0).iter().all(|x| *x == 0.0));
}

//! Gradients on a GPU against the CPU.

use ndarray::{Array2, Axis, s};
use whylight::Options;
use whylight::explain::Estimator;
use whylight::model::network::{Activation, Gather, Operation, Shapes, load};

use super::gpu::{compare, on_gpu};
use super::{explain, incompleteness, rows};
use crate::corpus::cases;
use crate::support::network::{Draft, everything};
use crate::support::random::Random;
use crate::twins::gpu as gpu_of_tests;

const BOTH: [Estimator; 2] = [Estimator::IntegratedGradients, Estimator::ExpectedGradients];

fn by(gpu: &Options, estimator: Estimator, points: u32) -> Options {
    Options {
        estimator,
        samples: Some(points / 2),
        ..gpu.clone()
    }
}

#[test]
fn gradients_of_every_kind_of_step_agree() {
    let Some(gpu) = on_gpu() else { return };
    let mut worst = 0.0_f64;
    for seed in 0..4 {
        let network = everything(seed);
        let mut random = Random(seed + 300);
        for (others, count) in [(1, 1), (1, 20), (3, 5), (33, 3)] {
            let background = rows(&mut random, others, 24);
            let explained = rows(&mut random, count, 24);
            for estimator in BOTH {
                let gpu = by(&gpu, estimator, 40);
                worst = worst.max(compare(&network, &background, &explained, &gpu));
            }
        }
    }
    eprintln!("largest difference: {worst:.1e}");
}

#[test]
fn memory_limits_and_batches_on_a_gpu_change_no_bit_of_gradients() {
    let Some(gpu) = on_gpu() else { return };
    let network = everything(3);
    let mut random = Random(7);
    // Points of a part beyond a run, which tiles are cut by: 80 of the lines, and 38 random ones.
    for (others, count, points) in [(1, 19, [8, 8]), (40, 4, [2, 304])] {
        let background = rows(&mut random, others, 24);
        let explained = rows(&mut random, count, 24);
        for (estimator, points) in BOTH.into_iter().zip(points) {
            let all = by(&gpu, estimator, points);
            let found = explain(&network, &background, &explained, all.clone());
            for memory in [1, 1 << 20] {
                let mut limited = all.clone();
                limited.memory_limit = Some(memory);
                let got = explain(&network, &background, &explained, limited);
                assert_eq!(got.values, found.values, "{others} {points} {memory}");
                assert_eq!(got.standard_errors, found.standard_errors);
                assert_eq!(got.header.base_values, found.header.base_values);
            }
            for (start, end) in [(0, 1), (count / 2, count)] {
                let part = explained.slice(s![start..end, ..]).to_owned();
                let part = explain(&network, &background, &part, all.clone());
                assert_eq!(part.values, found.values.slice(s![start..end, .., ..]));
            }
        }
    }
}

/// Lines begin at layers; what goes around them is the row's.
#[test]
fn gradients_of_a_layer_on_a_gpu_agree() {
    let Some(gpu) = on_gpu() else { return };
    let network = everything(2);
    let mut random = Random(9);
    let (background, explained) = (rows(&mut random, 20, 24), rows(&mut random, 3, 24));
    for layer in ["t2", "t3", "t6", "t9"] {
        for estimator in BOTH {
            let mut gpu = by(&gpu, estimator, 16);
            gpu.layer = Some(layer.to_owned());
            compare(&network, &background, &explained, &gpu);
        }
    }
}

/// Of tokens and numbers: lines go from the rows of tables, and from whole numbers that are used as numbers.
#[test]
fn gradients_of_tokens_on_a_gpu_agree() {
    let Some(gpu) = on_gpu() else { return };
    let mut draft = Draft::new(6, &[(&[1, 4], true), (&[1, 5], false), (&[1, 2], false)]);
    let turned = Gather {
        sources: vec![3, Gather::NONE, 2, 1, 0],
        fill: 2.0,
    };
    let turned = draft.step(Operation::Gather(turned), &[0], &[1, 5]);
    let table = draft.embedding(turned, 9, 3);
    let bent = draft.activation(table, Activation::Tanh);
    let hidden = draft.dense(1, 4);
    let both = draft.gather(&[bent, hidden, 0], 24);
    let both = draft.dense(both, 5);
    draft.softmax(both, 5, false);
    let network = draft.network();
    let mut random = Random(5);
    let mut of = |count| {
        let mut cells = rows(&mut random, count, 11);
        for mut row in cells.outer_iter_mut() {
            for cell in row.iter_mut().take(4) {
                *cell = random.below(9) as f32;
            }
        }
        cells
    };
    let (background, explained) = (of(7), of(6));
    for estimator in BOTH {
        let options = by(&gpu, estimator, 64);
        compare(&network, &background, &explained, &options);
        let found = explain(&network, &background, &explained, options);
        assert!(
            found
                .values
                .slice(s![.., ..4, ..])
                .iter()
                .any(|&value| value != 0.0)
        );
        // Nobody reads the last input.
        let last = found.values.slice(s![.., 9.., ..]);
        assert!(last.iter().all(|&value| value == 0.0));
    }
    let options = by(&gpu, Estimator::IntegratedGradients, 256);
    let found = explain(&network, &background, &explained, options);
    assert!(incompleteness(&network, &background, &explained, &found) < 1e-4);
}

#[test]
fn gradients_of_weighted_rows_on_a_gpu_agree() {
    let Some(gpu) = on_gpu() else { return };
    let network = everything(5);
    let mut random = Random(8);
    let (background, explained) = (rows(&mut random, 4, 24), rows(&mut random, 2, 24));
    let twice = ndarray::concatenate![Axis(0), background, background.slice(s![1..2, ..])];
    let gpu = by(&gpu, Estimator::IntegratedGradients, 32);
    let expected = explain(&network, &twice, &explained, gpu.clone());
    let others = super::table(&background);
    let weighted = whylight::explain::Background::Weighted((&others).into(), &[1.0, 2.0, 1.0, 1.0]);
    let model = std::sync::Arc::new(whylight::Model::Network(network));
    let explainer = whylight::Explainer::with_distribution(model, weighted, gpu).unwrap();
    let got = explainer.explain(&super::table(&explained)).unwrap();
    for (a, b) in got.values.iter().zip(&expected.values) {
        assert!((a - b).abs() < 2e-6, "{a} {b}");
    }
}

#[test]
fn gradients_that_a_gpu_cannot_hold_are_left_to_the_cpu() {
    let Some(gpu) = on_gpu() else { return };
    let limits = gpu_of_tests().unwrap().adapter().limits;
    let cells = (limits.binding_bytes.min(limits.buffer_bytes) / 64) as usize + 1;
    if cells > 1 << 22 {
        eprintln!("SKIPPED: what this GPU cannot hold takes too long here");
        return;
    }
    let mut draft = Draft::new(1, &[(&[1, 2], false)]);
    let gather = Gather {
        sources: (0..cells as u32).map(|cell| cell % 2).collect(),
        fill: 0.0,
    };
    let wide = draft.step(Operation::Gather(gather), &[0], &[1, cells]);
    let sum = whylight::model::network::Sum {
        offsets: vec![0, 2],
        sources: vec![0, 1],
        weights: vec![0.5, 2.0],
    };
    draft.step(Operation::Sum(sum), &[wide], &[1, 1]);
    let network = draft.network();
    let (background, explained) = (Array2::zeros((1, 2)), Array2::ones((1, 2)));
    let options = by(&gpu, Estimator::IntegratedGradients, 4);
    let found = explain(&network, &background, &explained, options);
    for (got, expected) in found.values.iter().zip([0.5, 2.0]) {
        assert!((got - expected).abs() < 1e-6, "{got}");
    }
    assert!(found.header.device.starts_with("cpu"));
    let reason = format!("a tensor of {cells} numbers");
    let mut notes = found.trailer.notes.iter();
    assert!(notes.any(|note| note.contains("was not used") && note.contains(&reason)));
}

/// The networks that `PyTorch` exports.
#[test]
fn gradients_of_exported_networks_agree() {
    let Some(gpu) = on_gpu() else { return };
    let gpu = by(&gpu, Estimator::IntegratedGradients, 6);
    let mut worst = 0.0_f64;
    for case in cases("onnx_network") {
        let network = load(&case.model(), &Shapes::default()).unwrap();
        let cells = case.array("rows").unwrap();
        let width = network.cells();
        let all = Array2::from_shape_fn((3, width), |(row, cell)| cells.row(row)[cell] as f32);
        let (background, explained) = all.view().split_at(Axis(0), 1);
        let (background, explained) = (background.to_owned(), explained.to_owned());
        eprintln!("{}", case.name);
        worst = worst.max(compare(&network, &background, &explained, &gpu));
    }
    eprintln!("largest difference: {worst:.1e}");
}

//! Networks on a GPU against the CPU.

use ndarray::{Array2, Axis, concatenate, s};
use whylight::model::network::{Activation, Gather, Operation, Shapes, Sum, load};
use whylight::model::{Model, Network};
use whylight::{Device, Explainer, Explanation, Options};

use super::{explain, incompleteness, options, rows, table};
use crate::corpus::cases;
use crate::support::compare::{Output, agree};
use crate::support::network::{Draft, everything};
use crate::support::random::Random;
use crate::twins::gpu as gpu_of_tests;

/// GPU and CPU agree within this much of a row's largest |value|.
const TOLERANCE: f64 = 1e-5;

/// Values below this part of the answers count as this: they are differences of numbers of that size, whose last bits are
/// 6e-8 of it.
const FLOOR: f64 = 0.03;

/// Options for the GPU, where there is one.
pub(crate) fn on_gpu() -> Option<Options> {
    let device = Device::Gpu {
        gpu: gpu_of_tests()?.clone(),
        reason: "the tests ask for it".into(),
    };
    Some(Options::on(device))
}

/// The values of an explanation, (row, feature, output).
pub(crate) fn output(found: &Explanation) -> Output {
    let (_, features, outputs) = found.values.dim();
    Output {
        device: found.header.device.clone(),
        width: features * outputs,
        values: found.values.iter().map(|&value| value.into()).collect(),
    }
}

/// Explains on both devices; the largest difference of two values.
pub(crate) fn compare(
    network: &Network,
    background: &Array2<f32>,
    rows: &Array2<f32>,
    gpu: &Options,
) -> f64 {
    let mut on_cpu = options();
    on_cpu.layer.clone_from(&gpu.layer);
    (on_cpu.estimator, on_cpu.samples) = (gpu.estimator, gpu.samples);
    let expected = explain(network, background, rows, on_cpu);
    let got = explain(network, background, rows, gpu.clone());
    assert!(got.header.device.starts_with("gpu:"), "{:?}", got.trailer);
    let bases = expected.header.base_values.iter();
    for (a, b) in bases.zip(&got.header.base_values) {
        assert!((a - b).abs() < TOLERANCE * (1.0 + a.abs()), "{a} {b}");
    }
    compare_errors(&expected, &got);
    let deltas = [&expected, &got].map(|found| found.completeness_delta.as_ref().unwrap());
    let mut worst = 0.0_f64;
    assert_eq!(expected.values.dim(), got.values.dim());
    for (row, a) in expected.values.outer_iter().enumerate() {
        let sums = a.sum_axis(Axis(0));
        let answers = expected.header.base_values.iter().zip(&sums);
        let size = answers.fold(0.0, |size: f64, (base, sum)| {
            size.max(base.abs()).max((base + f64::from(*sum)).abs())
        });
        for (x, y) in deltas[0].row(row).iter().zip(deltas[1].row(row)) {
            let off = f64::from((x - y).abs());
            assert!(
                off <= 2.0 * TOLERANCE * size.max(1.0),
                "row {row}: {x} {y} of {size}"
            );
        }
        let largest = a
            .iter()
            .fold(FLOOR * size, |most, x| most.max(f64::from(x.abs())));
        for ((at, x), y) in a.indexed_iter().zip(got.values.index_axis(Axis(0), row)) {
            let off = f64::from((x - y).abs());
            // NaN is below nothing.
            assert!(
                off <= TOLERANCE * largest,
                "row {row}, {at:?}: {x} {y} of {largest}"
            );
            worst = worst.max(off / largest.max(f64::MIN_POSITIVE));
        }
    }
    worst
}

/// Standard errors agree within [`TOLERANCE`] of the largest value: they are differences of what parts find.
fn compare_errors(expected: &Explanation, got: &Explanation) {
    let [Some(a), Some(b)] = [expected, got].map(|found| found.standard_errors.as_ref()) else {
        assert_eq!(expected.standard_errors, got.standard_errors);
        return;
    };
    let values = expected.values.iter();
    let largest = values.fold(0.0, |most: f32, value| most.max(value.abs()));
    assert!(a.iter().any(|&error| error > 0.0));
    for (a, b) in a.iter().zip(b) {
        let off = f64::from((a - b).abs());
        assert!(
            off <= TOLERANCE * f64::from(largest),
            "{a} {b} of {largest}"
        );
    }
}

#[test]
fn networks_of_every_kind_of_step_agree() {
    let Some(gpu) = on_gpu() else { return };
    let mut worst = 0.0_f64;
    for seed in 0..6 {
        let network = everything(seed);
        let mut random = Random(seed + 300);
        for (others, count) in [(1, 1), (1, 40), (3, 5), (33, 3), (100, 7)] {
            let background = rows(&mut random, others, 24);
            let explained = rows(&mut random, count, 24);
            worst = worst.max(compare(&network, &background, &explained, &gpu));
            let found = explain(&network, &background, &explained, gpu.clone());
            let off = incompleteness(&network, &background, &explained, &found);
            assert!(off < 2e-5, "{seed} {others} {count}: {off}");
        }
    }
    eprintln!("largest difference: {worst:.1e}");
}

#[test]
fn memory_limits_and_batches_on_a_gpu_change_no_bit() {
    let Some(gpu) = on_gpu() else { return };
    let network = everything(3);
    let mut random = Random(7);
    for others in [1, 20, 70] {
        let background = rows(&mut random, others, 24);
        let explained = rows(&mut random, 19, 24);
        let all = explain(&network, &background, &explained, gpu.clone());
        for memory in [1, 1 << 18] {
            let mut limited = gpu.clone();
            limited.memory_limit = Some(memory);
            let got = explain(&network, &background, &explained, limited);
            assert_eq!(got.values, all.values, "{others} {memory}");
            assert_eq!(got.header.base_values, all.header.base_values);
        }
        for (start, end) in [(0, 1), (3, 10), (10, 19)] {
            let part = explained.slice(s![start..end, ..]).to_owned();
            let part = explain(&network, &background, &part, gpu.clone());
            let same = all.values.slice(s![start..end, .., ..]);
            assert_eq!(part.values, same, "{others} {start}");
        }
    }
}

#[test]
fn a_layer_on_a_gpu_agrees() {
    let Some(mut gpu) = on_gpu() else { return };
    let network = everything(2);
    let mut random = Random(9);
    let (background, explained) = (rows(&mut random, 40, 24), rows(&mut random, 5, 24));
    for layer in ["t3", "t6", "t9"] {
        gpu.layer = Some(layer.to_owned());
        compare(&network, &background, &explained, &gpu);
    }
}

#[test]
fn a_weight_on_a_gpu_counts_as_so_many_rows() {
    let Some(gpu) = on_gpu() else { return };
    let network = everything(5);
    let mut random = Random(8);
    let (background, explained) = (rows(&mut random, 35, 24), rows(&mut random, 2, 24));
    let twice = concatenate![Axis(0), background, background.slice(s![1..2, ..])];
    let expected = explain(&network, &twice, &explained, options());
    let others = table(&background);
    let mut weights = vec![1.0; 35];
    weights[1] = 2.0;
    let weighted = whylight::explain::Background::Weighted((&others).into(), &weights);
    let model = std::sync::Arc::new(Model::Network(network));
    let explainer = Explainer::with_distribution(model, weighted, gpu).unwrap();
    let got = explainer.explain(&table(&explained)).unwrap();
    agree(&output(&expected), &output(&got), TOLERANCE).unwrap();
}

/// What the output does not depend on contributes nothing.
#[test]
fn an_input_that_nobody_reads_has_no_part_on_a_gpu() {
    let Some(gpu) = on_gpu() else { return };
    let mut draft = Draft::new(1, &[(&[1, 3], false), (&[1, 4], false)]);
    let hidden = draft.dense(1, 6);
    draft.activation(hidden, Activation::Tanh);
    let network = draft.network();
    let mut random = Random(4);
    let (background, explained) = (rows(&mut random, 6, 7), rows(&mut random, 3, 7));
    compare(&network, &background, &explained, &gpu);
    let found = explain(&network, &background, &explained, gpu);
    assert!(
        found
            .values
            .slice(s![.., ..3, ..])
            .iter()
            .all(|&value| value == 0.0)
    );
}

#[test]
fn what_a_gpu_cannot_hold_is_left_to_the_cpu() {
    let Some(gpu) = on_gpu() else { return };
    let limits = gpu_of_tests().unwrap().adapter().limits;
    // One row of the background, in vectors of 16 lanes.
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
    let sum = Sum {
        offsets: vec![0, 2],
        sources: vec![0, 1],
        weights: vec![0.5, 2.0],
    };
    draft.step(Operation::Sum(sum), &[wide], &[1, 1]);
    let network = draft.network();
    let (background, explained) = (Array2::zeros((1, 2)), Array2::ones((1, 2)));
    let found = explain(&network, &background, &explained, gpu);
    assert_eq!(
        found.values.iter().copied().collect::<Vec<f32>>(),
        [0.5, 2.0]
    );
    assert!(found.header.device.starts_with("cpu"));
    let reason = format!("a tensor of {cells} numbers");
    assert!(
        found.header.device_reason.contains(&reason),
        "{}",
        found.header.device_reason
    );
    let mut notes = found.trailer.notes.iter();
    assert!(notes.any(|note| note.contains("was not used") && note.contains(&reason)));
}

/// The networks that `PyTorch` exports, against the background of half of their rows.
#[test]
fn exported_networks_agree() {
    let Some(gpu) = on_gpu() else { return };
    let mut worst = 0.0_f64;
    for case in cases("onnx_network") {
        let network = load(&case.model(), &Shapes::default()).unwrap();
        let cells = case.array("rows").unwrap();
        let (count, width) = (cells.shape[0], network.cells());
        let all = Array2::from_shape_fn((count, width), |(row, cell)| cells.row(row)[cell] as f32);
        let (background, explained) = all.view().split_at(Axis(0), count.div_ceil(2));
        let (background, explained) = (background.to_owned(), explained.to_owned());
        eprintln!("{}", case.name);
        worst = worst.max(compare(&network, &background, &explained, &gpu));
    }
    eprintln!("largest difference: {worst:.1e}");
}

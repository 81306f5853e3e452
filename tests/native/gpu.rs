//! Kernel SHAP of native models on a GPU: the definition's values, the CPU's, and what a GPU leaves to the CPU.

use ndarray::Array2;
use whylight::explain::{Estimator, Index, Link};
use whylight::model::{Feature, Metric, Model, Neighbours};
use whylight::{Device, Options};

use super::{Case, cases, cells, compare, each_exact, explained, numbers, options, outputs};
use crate::support::compare::{Output, agree};
use crate::support::random::Random;
use crate::twins;

/// GPU and CPU agree within this much of a row's largest |value|.
const TOLERANCE: f64 = 1e-5;

fn device() -> Option<Device> {
    let index = twins::gpu()?.adapter().index;
    Some(format!("gpu:{index}").parse().unwrap())
}

fn on_gpu(device: &Device, case: &Case, estimator: Estimator) -> Options {
    Options {
        device: device.clone(),
        ..options(case, estimator)
    }
}

/// Values (row, cell) of a device, and their standard errors.
fn output(explanation: &whylight::Explanation) -> Output {
    let (mut width, mut values) = (0, Vec::new());
    let errors = explanation.standard_errors.as_ref();
    for row in 0..explanation.values.shape()[0] {
        for numbers in [Some(&explanation.values), errors].into_iter().flatten() {
            let of_row = numbers.index_axis(ndarray::Axis(0), row);
            values.extend(of_row.iter().map(|&number| f64::from(number)));
        }
        width = values.len() / (row + 1);
    }
    Output {
        device: explanation.header.device.clone(),
        width,
        values,
    }
}

#[test]
fn exact_values_are_as_defined() {
    let Some(device) = device() else { return };
    each_exact(|case, background, rows, expected| {
        let options = on_gpu(&device, case, Estimator::Exact);
        let got = explained(&case.model, background, rows, options).unwrap();
        compare(&case.name, &got, expected, TOLERANCE);
    });
}

#[test]
fn values_are_those_of_the_cpu_by_every_way() {
    let Some(device) = device() else { return };
    let (background, rows) = (cells(37, 20, 5), cells(5, 20, 6));
    let (mut worst, mut closed, mut on_cpu) = (0.0_f64, 0, 0);
    for case in cases(20) {
        for (estimator, index) in [
            (Estimator::Auto, Index::Shapley),
            (Estimator::Sampled, Index::Shapley),
            (Estimator::RegressionAdjusted, Index::Shapley),
        ] {
            let run = |options: Options| {
                let options = Options {
                    samples: Some(90),
                    index,
                    ..options
                };
                explained(&case.model, &background, &rows, options).unwrap()
            };
            let expected = run(options(&case, estimator));
            let got = run(on_gpu(&device, &case, estimator));
            assert_eq!(got.header.exact, expected.header.exact, "{}", case.name);
            assert!(got.trailer.additivity_error < 1e-5, "{}", case.name);
            closed += usize::from(got.header.exact);
            if got.header.device == expected.header.device {
                // Sums have values without coalitions.
                assert!(got.header.exact, "{}", case.name);
                assert!(got.trailer.notes[0].contains("was not used"));
                on_cpu += 1;
                continue;
            }
            assert_eq!(got.header.device, device.name());
            let notes = [&got, &expected].map(|explanation| explanation.trailer.notes.len());
            assert_eq!(notes[0], notes[1], "{}", case.name);
            let agreed = agree(&output(&expected), &output(&got), TOLERANCE);
            let name = format!("{}, {estimator:?}", case.name);
            worst = worst.max(agreed.unwrap_or_else(|e| panic!("{name}: {e}")));
        }
    }
    eprintln!("largest difference {worst:.1e}");
    assert!(closed > on_cpu && on_cpu > 0, "{closed} and {on_cpu}");
}

#[test]
fn batches_and_memory_change_no_bit() {
    let Some(device) = device() else { return };
    let (background, rows) = (cells(40, 18, 8), cells(9, 18, 9));
    for case in cases(18).into_iter().step_by(3) {
        let of = |memory_limit, rows: &Array2<f64>| {
            let options = Options {
                memory_limit,
                samples: Some(40),
                ..on_gpu(&device, &case, Estimator::Auto)
            };
            let got = explained(&case.model, &background, rows, options).unwrap();
            (got.values.iter().map(|value| value.to_bits())).collect::<Vec<u32>>()
        };
        let whole = of(None, &rows);
        assert_eq!(of(Some(1 << 16), &rows), whole, "{}", case.name);
        assert_eq!(of(Some(1), &rows), whole, "{}", case.name);
        let one = rows.slice(ndarray::s![7..8, ..]).to_owned();
        let alone = of(None, &one);
        assert_eq!(
            alone,
            whole[7 * alone.len()..8 * alone.len()],
            "{}",
            case.name
        );
    }
}

#[test]
fn what_a_gpu_cannot_hold_is_explained_by_the_cpu() {
    let Some(device) = device() else { return };
    let (background, rows) = (cells(9, 6, 1), cells(3, 6, 2));
    // More neighbours than an invocation has room for.
    let mut random = Random(5);
    let neighbours = Neighbours {
        features: vec![Feature::default(); 6],
        outputs: outputs(2),
        rows: numbers(&mut random, (50, 6), 1.0),
        targets: numbers(&mut random, (50, 2), 0.5),
        count: 40,
        metric: Metric::Euclidean,
        by_distance: false,
        is_classifier: false,
    };
    let case = Case {
        name: "neighbours".to_owned(),
        model: Model::Neighbours(neighbours),
        output: whylight::explain::Output::Raw,
        bound: 0.0,
    };
    let run = |options| explained(&case.model, &background, &rows, options).unwrap();
    let got = run(on_gpu(&device, &case, Estimator::Auto));
    assert!(
        got.header.device.starts_with("cpu"),
        "{}",
        got.header.device
    );
    let note = &got.trailer.notes[0];
    assert!(
        note.contains("was not used") && note.contains("40 neighbours"),
        "{note}"
    );
    assert_eq!(got.values, run(options(&case, Estimator::Auto)).values);
    // Numbers that float32 does not have, in one row of three.
    let mut huge = rows.clone();
    huge.row_mut(1).fill(1e25);
    for case in cases(6) {
        let run = |options| explained(&case.model, &background, &huge, options);
        let (got, expected) = (
            run(on_gpu(&device, &case, Estimator::Auto)),
            run(options(&case, Estimator::Auto)),
        );
        match (got, expected) {
            (Ok(got), Ok(expected)) if got.header.device != expected.header.device => {
                let agreed = agree(&output(&expected), &output(&got), TOLERANCE);
                agreed.unwrap_or_else(|e| panic!("{}: {e}", case.name));
            }
            (Ok(_), Ok(_)) => {}
            (Err(got), Err(expected)) => assert_eq!(got.to_string(), expected.to_string()),
            (got, expected) => panic!("{}: {got:?} and {expected:?}", case.name),
        }
    }
}

#[test]
fn rows_that_are_left_to_the_cpu_are_counted_once_in_all_rounds() {
    let Some(device) = device() else { return };
    let (background, mut rows) = (cells(9, 20, 1), cells(2, 20, 2));
    // Cubes of it are in float32's range, and their sums near its end.
    rows.row_mut(1).fill(1e11);
    let all = cases(20);
    let is_cubic =
        |case: &&Case| case.name == "Polynomial { gamma: 0.3, coef0: 0.7, degree: 3 } of 1";
    let case = all.iter().find(is_cubic).unwrap();
    let run = |options| {
        let options = Options {
            tolerance: Some(1e-9),
            samples: Some(600),
            ..options
        };
        explained(&case.model, &background, &rows, options).unwrap()
    };
    let got = run(on_gpu(&device, case, Estimator::Sampled));
    let on_cpu = run(options(case, Estimator::Sampled));
    let second = ndarray::s![1, .., ..];
    assert_eq!(got.values.slice(second), on_cpu.values.slice(second));
    let notes = got.trailer.notes;
    let is_left = |note: &&String| note.contains("were explained by the CPU");
    let note = notes.iter().find(is_left).expect("a note");
    assert!(note.starts_with("1 rows"), "{note}");
    let is_intolerable = |note: &String| note.contains("the tolerance was not met by 2 rows");
    assert!(notes.iter().any(is_intolerable), "{notes:?}");
}

/// Of files with encoders before the model, read with raw columns.
#[test]
fn encoded_columns_have_the_values_of_the_cpu() {
    let Some(device) = device() else { return };
    let mut seen = 0;
    for case in crate::corpus::cases("onnx_native") {
        if !(case.name.starts_with("encoded") || case.name.starts_with("normalised"))
            || !case.facts["refused"].is_null()
        {
            continue;
        }
        let model = whylight::model::load(&case.model()).unwrap();
        let rows = case.array("rows").unwrap();
        let cells = |range: std::ops::Range<usize>| {
            let cells = Array2::from_shape_fn((range.len(), 4), |(row, column)| {
                rows.row(range.start + row)[column]
            });
            crate::onnx::native::table(&model, &cells)
        };
        let (explained, background) = (cells(0..8), cells(8..16));
        let run = |device: &Device, output| {
            let options = Options {
                output,
                estimator: Estimator::Exact,
                link: Link::Identity,
                device: device.clone(),
                ..Options::on(Device::cpu())
            };
            let model = std::sync::Arc::new(model.clone());
            let explainer = whylight::Explainer::new(model, Some(&background), options)?;
            explainer.explain(&explained)
        };
        let probability = whylight::explain::Output::Probability;
        for kind in [whylight::explain::Output::Raw, probability] {
            let Ok(expected) = run(&Device::cpu(), kind) else {
                assert_eq!(kind, probability, "{}", case.name);
                continue;
            };
            let got = run(&device, kind).unwrap();
            if got.header.device == expected.header.device {
                // Sums have values without coalitions.
                continue;
            }
            seen += 1;
            let agreed = agree(&output(&expected), &output(&got), TOLERANCE);
            agreed.unwrap_or_else(|e| panic!("{}: {e}", case.name));
        }
    }
    assert!(seen >= 16, "{seen} on the GPU");
}

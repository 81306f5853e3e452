//! The normal equations of LIME on a GPU.

use ndarray::Array2;
use whylight::data::View;
use whylight::explain::lime::{Discretizer, LimeOptions};
use whylight::gpu_samples::{GpuSamples, Rows, Samples};
use whylight::model::{Feature, Linear, Model};
use whylight::{Device, Explainer, Explanation, Options};
use whylight_kernels::weighted_gram::Sums;

use super::gpu;
use crate::kernels::weighted_gram::{Case, agree};
use crate::support::random::Random;

/// The exponential function of a GPU is off by some units in the last place of float32.
const TOLERANCE: f64 = 2e-6;

fn narrow(numbers: &[f64]) -> Vec<f32> {
    numbers.iter().map(|&number| number as f32).collect()
}

fn on_gpu(case: &Case, limit: Option<u64>, model: Option<&[f32]>) -> Option<Vec<Sums>> {
    let gpu = gpu()?;
    let samples = Samples {
        compared: &case.compared,
        cells: &narrow(&case.cells),
        answers: &narrow(&case.answers),
        count: case.count,
        kernel_width: case.width as f32,
    };
    let held = GpuSamples::new(gpu, &samples, limit).unwrap();
    // Several rows, of which the second is the case's.
    let mut cells = narrow(&case.row);
    for cell in &mut cells {
        *cell += 1.0;
    }
    cells.extend(narrow(&case.row));
    cells.extend(narrow(&case.row));
    let own = narrow(&case.own).repeat(3);
    let rows = Rows {
        cells: &cells,
        own: &own,
        count: 3,
    };
    Some(match model {
        None => held.sums(rows).unwrap(),
        Some(model) => held.spreads(rows, 1, &model.repeat(3)).unwrap(),
    })
}

#[test]
fn sums_of_samples_agree() {
    for (seed, features) in (0..).zip([1, 2, 5, 11, 30, 65]) {
        for count in [1, 63, 64, 65, 300] {
            for quantities in [0, 40, 100] {
                let case = Case::random(features, 2, count, quantities, seed);
                let Some(got) = on_gpu(&case, None, None) else {
                    return;
                };
                let weights = case.weights();
                let expected = case.defined(&weights);
                let name = format!("{features} features, {count} samples, {quantities} %");
                agree(&expected, &got[1], TOLERANCE).unwrap_or_else(|e| panic!("{name}: {e}"));
                assert_eq!(got[1].zz, got[2].zz, "{name}");
                if count > 64 {
                    assert!(agree(&expected, &got[0], TOLERANCE).is_err(), "{name}");
                }
                let Some(divided) = on_gpu(&case, Some(1), None) else {
                    return;
                };
                assert_eq!(divided[1].zz, got[1].zz, "{name}");

                let model: Vec<f32> = (0..=features).map(|f| 0.1 * f as f32 - 0.2).collect();
                let Some(got) = on_gpu(&case, None, Some(&model)) else {
                    return;
                };
                let square = |(sample, weight): (usize, &f64)| {
                    let z = (0..features).map(|f| f64::from(model[f + 1]) * case.z(sample, f));
                    let said = f64::from(model[0]) + z.sum::<f64>();
                    (weight * (case.t(sample, 1) - said)).powi(2)
                };
                let squares: Vec<f64> = weights.iter().enumerate().map(square).collect();
                let mut expected = case.defined(&squares);
                expected.t.clear();
                expected.tt.clear();
                expected.zt.clear();
                agree(&expected, &got[1], 1e-5).unwrap_or_else(|e| panic!("{name}: {e}"));
            }
        }
    }
}

#[test]
fn lime_on_a_gpu_has_the_values_of_the_cpu() {
    let Some(gpu) = gpu() else { return };
    let mut random = Random(5);
    let training = Array2::from_shape_fn((120, 7), |(_, feature)| match feature {
        6 => random.below(3) as f64,
        _ => random.unit() * 3.0,
    });
    let linear = Linear {
        format: "linear",
        objective: String::new(),
        features: vec![Feature::default(); 7],
        outputs: vec!["a".to_owned(), "b".to_owned()],
        coefficients: Array2::from_shape_fn((2, 7), |(o, f)| (o as f64 - 0.5) * (f as f64 - 2.0)),
        // Large answers that differ little.
        intercepts: vec![1e5, -3.0],
    };
    let model = std::sync::Arc::new(Model::Linear(linear));
    for discretizer in [Discretizer::Quartile, Discretizer::None] {
        for num_features in [None, Some(3)] {
            let explained = |device: Device| -> Explanation {
                let lime = LimeOptions {
                    discretizer,
                    num_features,
                    categorical: vec![6],
                    num_samples: 900,
                    ..LimeOptions::default()
                };
                let options = Options {
                    lime: Some(Box::new(lime)),
                    ..Options::on(device)
                };
                let rows = View::f64(training.view(), None);
                let model = std::sync::Arc::clone(&model);
                let made = Explainer::with_background(model, Some(rows.clone()), options).unwrap();
                let some = rows.slice(0..9).unwrap();
                made.explain_while(&some, &mut |_| true).unwrap().unwrap()
            };
            let cpu = explained(Device::cpu());
            let index = gpu.adapter().index;
            let other = explained(format!("gpu:{index}").parse().unwrap());
            assert!(
                other.header.device.starts_with("gpu:"),
                "{}",
                other.header.device
            );
            assert!(
                cpu.header.device.starts_with("cpu"),
                "{}",
                cpu.header.device
            );
            let largest = cpu
                .values
                .iter()
                .fold(0.0_f32, |most, value| most.max(value.abs()));
            let errors = |of: &Explanation| of.standard_errors.clone().unwrap();
            for (a, b) in cpu.values.iter().zip(&other.values) {
                assert!((a - b).abs() <= 1e-5 * largest, "{discretizer}: {a} {b}");
            }
            for (a, b) in errors(&cpu).iter().zip(&errors(&other)) {
                assert!(
                    (a - b).abs() <= 1e-3 * a.max(1e-3 * largest),
                    "{discretizer}: {a} {b}"
                );
            }
            let (a, b) = (cpu.intercepts.unwrap(), other.intercepts.unwrap());
            for (a, b) in a.iter().zip(&b) {
                assert!(
                    (a - b).abs() <= 1e-5 * f64::from(largest),
                    "{discretizer}: {a} {b}"
                );
            }
        }
    }
}

//! LIME of more features than a block of the matrices has: against the definition, by elimination.

use std::sync::Arc;

use ndarray::{Array1, Array2, Axis};
use whylight::explain::lime::{self, Selection};
use whylight::{Device, Explainer, Options};

use super::{model, view};
use crate::support::random::Random;

/// The inverse, by Gauss and Jordan, of a positive definite matrix.
fn inverse(matrix: &Array2<f64>) -> Array2<f64> {
    let size = matrix.nrows();
    let mut left = matrix.clone();
    let mut right = Array2::eye(size);
    for pivot in 0..size {
        let by = left[[pivot, pivot]];
        for side in [&mut left, &mut right] {
            side.row_mut(pivot).mapv_inplace(|cell| cell / by);
        }
        for row in (0..size).filter(|row| *row != pivot) {
            let share = -left[[row, pivot]];
            for side in [&mut left, &mut right] {
                let own = side.row(pivot).to_owned();
                side.row_mut(row).scaled_add(share, &own);
            }
        }
    }
    right
}

fn assert_close(name: &str, got: &[f64], expected: &[f64]) {
    assert_eq!(got.len(), expected.len());
    let scale = expected.iter().fold(0.0_f64, |a, b| a.max(b.abs()));
    for (at, (got, expected)) in got.iter().zip(expected).enumerate() {
        let apart = (got - expected).abs();
        assert!(apart <= 1e-10 * scale, "{name}[{at}]: {got} {expected}");
    }
}

#[test]
fn a_ridge_of_many_features_and_its_errors_are_those_of_the_definition() {
    let (count, features) = (420, 150);
    let mut random = Random(11);
    let samples = Array2::from_shape_fn((count, features), |_| 2.0 * random.unit() - 1.0);
    let weights: Vec<f64> = (0..count).map(|_| random.unit()).collect();
    let answers = samples.map_axis(Axis(1), |x| x[0] + x[1] * x[2] - x[149].exp());
    let fits = lime::fit(
        samples.view(),
        answers.view().insert_axis(Axis(1)),
        &weights,
        features,
        Selection::None,
    );
    let fit = fits.unwrap().swap_remove(0);

    let weights = Array1::from(weights);
    let means = weights.dot(&samples) / weights.sum();
    let centred = &samples - &means;
    let mean = weights.dot(&answers) / weights.sum();
    let weighted = &centred * &weights.view().insert_axis(Axis(1));
    let inverse = inverse(&(weighted.t().dot(&centred) + Array2::<f64>::eye(features)));
    let values = inverse.dot(&weighted.t().dot(&(&answers - mean)));
    assert_close("values", &fit.values, &values.to_vec());

    // The row itself, which is the first, is the same in every draw.
    let rest = &answers - mean - centred.dot(&values);
    let mut scores = weighted * &rest.insert_axis(Axis(1));
    scores.row_mut(0).fill(0.0);
    let spread = scores.dot(&inverse);
    let drawn = (count - 1) as f64;
    let factor = drawn / (drawn - features as f64);
    let squares = spread.mapv(|cell| cell * cell).sum_axis(Axis(0));
    let errors = squares.mapv(|square| (factor * square).sqrt());
    assert_close("errors", &fit.errors, &errors.to_vec());
}

#[test]
fn rows_of_many_features_have_the_same_bits_on_any_threads() {
    let mut random = Random(4);
    let training = Array2::from_shape_fn((60, 300), |_| random.unit());
    let model = model(300, 1, |row| vec![row[0] * row[1] - row[299]]);
    let rows = training.slice(ndarray::s![..2, ..]).to_owned();
    for discretizer in [lime::Discretizer::Quartile, lime::Discretizer::None] {
        let explained = |threads, memory_limit| {
            let lime = lime::LimeOptions {
                discretizer,
                num_samples: 400,
                num_features: Some(300),
                ..lime::LimeOptions::default()
            };
            let options = Options {
                lime: Some(Box::new(lime)),
                threads,
                memory_limit,
                ..Options::on(Device::cpu())
            };
            let explainer =
                Explainer::with_background(Arc::clone(&model), Some(view(&training)), options);
            let explained = explainer
                .unwrap()
                .explain_while(&view(&rows), &mut |_| true);
            explained.unwrap().unwrap()
        };
        let one = explained(1, None);
        assert!(
            one.standard_errors
                .as_ref()
                .unwrap()
                .iter()
                .all(|error| *error > 0.0)
        );
        // A row at a time, whose blocks threads share; or all rows.
        for memory_limit in [Some(1 << 20), None] {
            let several = explained(3, memory_limit);
            assert_eq!(several.values, one.values);
            assert_eq!(several.standard_errors, one.standard_errors);
        }
    }
}

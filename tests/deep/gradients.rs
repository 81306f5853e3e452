//! Integrated and expected gradients, against derivatives of the definition.

use ndarray::Array2;
use whylight::explain::Estimator;
use whylight::model::Network;
use whylight::model::network::{Activation, Gather, Operation};
use whylight::{Explainer, Options};

use super::{explain, incompleteness, options, rows, table};
use crate::support::network::{Draft, everything};
use crate::support::random::Random;

fn by(estimator: Estimator, points: u32) -> Options {
    Options {
        estimator,
        samples: Some(points / 2),
        ..options()
    }
}

/// A network without corners.
fn smooth(seed: u64) -> Network {
    let mut draft = Draft::new(seed, &[(&[1, 2, 3], false)]);
    let hidden = draft.dense(0, 4);
    let hidden = draft.activation(hidden, Activation::Tanh);
    let soft = draft.softmax(hidden, 4, false);
    let product = draft.product(hidden, soft);
    let flat = draft.gather(&[product, hidden], 8);
    let last = draft.dense(flat, 2);
    draft.activation(last, Activation::Gelu);
    draft.network()
}

/// The mean over the background of (x − r) times the mean derivative on the line, by differences.
fn by_differences(network: &Network, background: &Array2<f32>, row: &[f32]) -> Vec<f64> {
    let (points, step) = (400, 1e-5);
    let outputs = network.outputs.len();
    let mut values = vec![0.0; row.len() * outputs];
    for other in background.outer_iter() {
        for point in 0..points {
            let t = (f64::from(point) + 0.5) / f64::from(points);
            let at: Vec<f64> = (row.iter().zip(other))
                .map(|(&x, &r)| f64::from(r) + t * f64::from(x - r))
                .collect();
            for feature in 0..row.len() {
                let answer = |shift: f64| {
                    let mut at = at.clone();
                    at[feature] += shift;
                    network.raw(&at)
                };
                let difference = f64::from(row[feature] - other[feature]);
                let share = difference / f64::from(points) / background.nrows() as f64;
                let slopes = answer(step).into_iter().zip(answer(-step));
                for (output, (above, below)) in slopes.enumerate() {
                    values[feature * outputs + output] += share * (above - below) / (2.0 * step);
                }
            }
        }
    }
    values
}

#[test]
fn integrated_gradients_are_the_mean_derivatives_of_the_lines() {
    for seed in 0..3 {
        let network = smooth(seed);
        let mut random = Random(seed);
        let (background, explained) = (rows(&mut random, 3, 6), rows(&mut random, 2, 6));
        let options = by(Estimator::IntegratedGradients, 64);
        let found = explain(&network, &background, &explained, options);
        assert_eq!(found.header.estimator, "integrated_gradients");
        assert!(found.header.rules.is_empty() && found.standard_errors.is_none());
        for (row, cells) in explained.outer_iter().enumerate() {
            let expected = by_differences(&network, &background, &cells.to_vec());
            for (place, expected) in expected.iter().enumerate() {
                let got = f64::from(found.values[[row, place / 2, place % 2]]);
                assert!((got - expected).abs() < 2e-5, "{seed}: {got} {expected}");
            }
        }
        assert!(incompleteness(&network, &background, &explained, &found) < 1e-5);
    }
}

/// Corners cost the rule its precision, which the deltas say.
#[test]
fn more_points_leave_less() {
    let network = everything(2);
    let mut random = Random(3);
    let (background, explained) = (rows(&mut random, 4, 24), rows(&mut random, 3, 24));
    let left = |points| {
        let options = by(Estimator::IntegratedGradients, points);
        let found = explain(&network, &background, &explained, options);
        incompleteness(&network, &background, &explained, &found)
    };
    let (few, many) = (left(4), left(512));
    assert!(many < 0.1 * few && many < 0.02, "{few} {many}");
}

#[test]
fn expected_gradients_are_off_by_their_errors() {
    let network = smooth(5);
    let mut random = Random(4);
    let (background, explained) = (rows(&mut random, 6, 6), rows(&mut random, 20, 6));
    let exact = by(Estimator::IntegratedGradients, 64);
    let exact = explain(&network, &background, &explained, exact);
    let estimate = |seed| {
        let options = Options {
            seed,
            ..by(Estimator::ExpectedGradients, 512)
        };
        explain(&network, &background, &explained, options)
    };
    let found = estimate(1);
    let errors = found.standard_errors.as_ref().unwrap();
    let mut within = 0;
    for ((got, exact), error) in found.values.iter().zip(&exact.values).zip(errors) {
        let off = (got - exact).abs();
        assert!(off < 8.0 * error + 1e-6, "{got} {exact} {error}");
        within += usize::from(off <= 2.0 * error);
    }
    // Of normal numbers 95 %, of Student's with seven degrees of freedom 91 %.
    let share = within as f64 / found.values.len() as f64;
    assert!((0.8..=0.99).contains(&share), "{share}");
    assert_eq!(found.values, estimate(1).values);
    assert_ne!(found.values, estimate(2).values);
}

#[test]
fn tokens_have_what_their_rows_contribute() {
    let mut draft = Draft::new(6, &[(&[1, 4], true)]);
    let turned = Gather {
        sources: vec![3, 2, 1, 0],
        fill: 0.0,
    };
    let turned = draft.step(Operation::Gather(turned), &[0], &[1, 4]);
    let rows = draft.embedding(turned, 9, 3);
    let bent = draft.activation(rows, Activation::Tanh);
    let sources = (0..12).collect();
    let flat = Operation::Gather(Gather { sources, fill: 0.0 });
    let flat = draft.step(flat, &[bent], &[1, 12]);
    draft.dense(flat, 2);
    let network = draft.network();
    let x = Array2::from_shape_vec((1, 4), vec![1.0, 2.0, 3.0, 8.0]).unwrap();
    let r = Array2::from_shape_vec((1, 4), vec![1.0, 7.0, 0.0, 4.0]).unwrap();
    let found = explain(&network, &r, &x, by(Estimator::IntegratedGradients, 64));
    // The network is a sum over tokens: each has what it alone changes.
    for token in 0..4 {
        let mut changed: Vec<f64> = r.iter().map(|&cell| cell.into()).collect();
        let before = network.raw(&changed);
        changed[token] = x[[0, token]].into();
        let after = network.raw(&changed);
        for output in 0..2 {
            let got = f64::from(found.values[[0, token, output]]);
            let expected = after[output] - before[output];
            assert!((got - expected).abs() < 1e-5, "{token}: {got} {expected}");
        }
    }
}

#[test]
fn a_layer_has_lines_of_its_own() {
    let network = smooth(7);
    let mut random = Random(8);
    let (background, explained) = (rows(&mut random, 3, 6), rows(&mut random, 2, 6));
    let options = Options {
        layer: Some("t2".to_owned()),
        ..by(Estimator::IntegratedGradients, 64)
    };
    let found = explain(&network, &background, &explained, options);
    assert_eq!(found.values.dim(), (2, 8, 2));
    // All of the network goes through it.
    assert!(incompleteness(&network, &background, &explained, &found) < 1e-5);
}

#[test]
fn batches_and_threads_change_no_bit_of_gradients() {
    let network = everything(1);
    let mut random = Random(9);
    let (background, explained) = (rows(&mut random, 21, 24), rows(&mut random, 5, 24));
    for estimator in [Estimator::IntegratedGradients, Estimator::ExpectedGradients] {
        let all = explain(&network, &background, &explained, by(estimator, 16));
        let one = Options {
            threads: 1,
            ..by(estimator, 16)
        };
        let part = explained.slice(ndarray::s![3..4, ..]).to_owned();
        let part = explain(&network, &background, &part, one);
        assert_eq!(part.values, all.values.slice(ndarray::s![3..4, .., ..]));
    }
}

#[test]
fn memory_limits_change_no_bit_of_gradients() {
    let network = everything(4);
    let mut random = Random(9);
    let (background, explained) = (rows(&mut random, 70, 24), rows(&mut random, 20, 24));
    for layer in [None, Some("t3".to_owned())] {
        for (estimator, points) in [
            (Estimator::IntegratedGradients, 6),
            (Estimator::ExpectedGradients, 1200),
        ] {
            let all = Options {
                layer: layer.clone(),
                ..by(estimator, points)
            };
            let limited = Options {
                memory_limit: Some(1),
                ..all.clone()
            };
            let all = explain(&network, &background, &explained, all);
            let got = explain(&network, &background, &explained, limited);
            assert_eq!(got.values, all.values);
            assert_eq!(got.standard_errors, all.standard_errors);
            assert_eq!(got.header.base_values, all.header.base_values);
        }
    }
}

#[test]
fn points_without_end_are_refused() {
    let network = smooth(1);
    let model = std::sync::Arc::new(whylight::Model::Network(network));
    let background = table(&rows(&mut Random(1), 2, 6));
    let options = by(Estimator::IntegratedGradients, 1 << 20);
    let error = Explainer::new(model, Some(&background), options).unwrap_err();
    assert!(error.to_string().contains("65536"), "{error}");
}

/// The derivative of a square is a line: two points on both sides of the middle have its mean.
#[test]
fn random_points_come_in_pairs_around_the_middle() {
    let mut draft = Draft::new(1, &[(&[1, 3], false)]);
    draft.activation(0, Activation::Power(2.0));
    let network = draft.network();
    let (background, explained) = (rows(&mut Random(1), 1, 3), rows(&mut Random(2), 2, 3));
    let options = by(Estimator::ExpectedGradients, 16);
    let found = explain(&network, &background, &explained, options);
    assert!(incompleteness(&network, &background, &explained, &found) < 1e-5);
}

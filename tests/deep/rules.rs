//! The rules of steps, in cases that can be said by hand.

use ndarray::{Array2, array};
use whylight::explain::rules;
use whylight::model::network::{Activation, Channels, Dense, MatMul, Operation, Windows};

use super::{answers, explain, incompleteness, options, rows};
use crate::support::network::{Draft, everything};
use crate::support::random::Random;

/// The values of one row against one background row, of the first output.
fn values(network: &whylight::model::Network, x: &[f32], r: &[f32]) -> Vec<f32> {
    let table = |row: &[f32]| Array2::from_shape_vec((1, row.len()), row.to_vec()).unwrap();
    let found = explain(network, &table(r), &table(x), options());
    found.values.slice(ndarray::s![0, .., 0]).to_vec()
}

fn near(got: &[f32], expected: &[f32]) {
    assert_eq!(got.len(), expected.len());
    for (a, b) in got.iter().zip(expected) {
        assert!(
            (a - b).abs() < 1e-6 * (1.0 + b.abs()),
            "{got:?} is not {expected:?}"
        );
    }
}

#[test]
fn a_sum_shares_by_its_weights() {
    let mut draft = Draft::new(0, &[(&[1, 3], false)]);
    let dense = Dense {
        weights: vec![2.0, -1.0, 0.5],
        biases: vec![7.0],
        inputs: 3,
    };
    draft.step(Operation::Dense(dense), &[0], &[1, 1]);
    let got = values(&draft.network(), &[1.0, 2.0, 3.0], &[0.0, 5.0, 3.0]);
    near(&got, &[2.0, 3.0, 0.0]);
}

#[test]
fn a_function_of_a_sum_shares_its_difference_by_the_terms() {
    // relu(x0 + x1): from −1 to 3, so 3 for a difference of 4.
    let mut draft = Draft::new(0, &[(&[1, 2], false)]);
    let dense = Dense {
        weights: vec![1.0, 1.0],
        biases: vec![0.0],
        inputs: 2,
    };
    let sum = draft.step(Operation::Dense(dense), &[0], &[1, 1]);
    draft.activation(sum, Activation::Relu);
    let got = values(&draft.network(), &[2.0, 1.0], &[-1.0, 0.0]);
    near(&got, &[3.0 * 0.75, 0.75]);
}

#[test]
fn where_a_function_does_not_change_its_derivative_counts() {
    // tanh(x0 − x1) with both sides at 1: the terms cancel, by the derivative.
    let mut draft = Draft::new(0, &[(&[1, 2], false)]);
    let dense = Dense {
        weights: vec![1.0, -1.0],
        biases: vec![0.0],
        inputs: 2,
    };
    let sum = draft.step(Operation::Dense(dense), &[0], &[1, 1]);
    draft.activation(sum, Activation::Tanh);
    let got = values(&draft.network(), &[3.0, 2.0], &[2.0, 1.0]);
    let slope = 1.0 - 1.0_f32.tanh().powi(2);
    near(&got, &[slope, -slope]);
}

#[test]
fn a_product_is_shared_as_the_game_of_its_factors() {
    let mut draft = Draft::new(0, &[(&[1, 1], false), (&[1, 1], false)]);
    draft.product(0, 1);
    // v(both) = 12, v(first) = 3 · 1, v(second) = 2 · 4, v(none) = 2.
    let got = values(&draft.network(), &[3.0, 4.0], &[2.0, 1.0]);
    near(&got, &[2.5, 7.5]);
}

#[test]
fn the_larger_of_two_maxima_has_the_difference() {
    let mut draft = Draft::new(0, &[(&[1, 3], false)]);
    let windows = Windows {
        offsets: vec![0, 3],
        sources: vec![0, 1, 2],
    };
    draft.step(Operation::Max(windows), &[0], &[1, 1]);
    let network = draft.network();
    near(
        &values(&network, &[1.0, 5.0, 2.0], &[3.0, 0.0, 2.0]),
        &[0.0, 2.0, 0.0],
    );
    near(
        &values(&network, &[1.0, 2.0, 2.0], &[4.0, 0.0, 3.0]),
        &[-2.0, 0.0, 0.0],
    );
    near(
        &values(&network, &[1.0, 2.0, 2.0], &[1.0, 2.0, 2.0]),
        &[0.0, 0.0, 0.0],
    );
}

#[test]
fn a_number_that_names_a_row_has_what_the_row_contributes() {
    let mut draft = Draft::new(4, &[(&[1, 2], true)]);
    let rows = draft.embedding(0, 5, 3);
    draft.spread = 0.5;
    let flat = draft.shape(rows).iter().product();
    let sources = (0..flat as u32).collect();
    let gather = whylight::model::network::Gather { sources, fill: 0.0 };
    let flat = draft.step(Operation::Gather(gather), &[rows], &[1, flat]);
    draft.dense(flat, 1);
    let network = draft.network();
    // A sum of what the two tokens have: each is what it alone changes.
    let answer = |a: f64, b: f64| network.raw(&[a, b])[0];
    let got = values(&network, &[3.0, 1.0], &[0.0, 4.0]);
    let expected = [
        answer(3.0, 4.0) - answer(0.0, 4.0),
        answer(0.0, 1.0) - answer(0.0, 4.0),
    ];
    near(&got, &expected.map(|value| value as f32));
}

/// Softmax's values against the mean of its derivatives, at many points.
#[test]
fn softmax_has_the_mean_of_its_derivatives() {
    for is_log in [false, true] {
        let mut draft = Draft::new(0, &[(&[1, 4], false)]);
        draft.softmax(0, 4, is_log);
        let network = draft.network();
        let (x, r) = ([1.0_f32, -2.0, 0.5, 3.0], [0.0_f32, 1.0, 0.5, -1.0]);
        let got = values(&network, &x, &r);
        let points = 20_000;
        let mut expected = [0.0; 4];
        for point in 0..points {
            let t = (f64::from(point) + 0.5) / f64::from(points);
            let at: Vec<f64> = (x.iter().zip(&r))
                .map(|(&x, &r)| f64::from(r) + t * f64::from(x - r))
                .collect();
            let sum: f64 = at.iter().map(|z| z.exp()).sum();
            let s = |j: usize| at[j].exp() / sum;
            for j in 0..4 {
                let own = f64::from(u8::from(j == 0));
                let slope = own - s(j);
                let slope = if is_log { slope } else { s(0) * slope };
                expected[j] += slope * f64::from(x[j] - r[j]) / f64::from(points);
            }
        }
        for (got, expected) in got.iter().zip(expected) {
            assert!(
                (f64::from(*got) - expected).abs() < 2e-6,
                "{got} {expected}"
            );
        }
    }
}

#[test]
fn masked_cells_take_no_part() {
    let mut draft = Draft::new(0, &[(&[1, 3], false)]);
    draft.softmax(0, 3, false);
    let network = draft.network();
    let masked = values(&network, &[1.0, 2.0, -1e9], &[0.5, -1.0, -1e9]);
    let mut draft = Draft::new(0, &[(&[1, 2], false)]);
    draft.softmax(0, 2, false);
    let plain = values(&draft.network(), &[1.0, 2.0], &[0.5, -1.0]);
    near(&masked[..2], &plain);
    assert_eq!(masked[2], 0.0);
    // A cell that is masked on one side alone has what it changes.
    let x = array![[1.0, 2.0, 0.3]];
    let r = array![[1.0, 2.0, -1e9]];
    let found = explain(&network, &r, &x, options());
    assert!(incompleteness(&network, &r, &x, &found) < 1e-6);
}

/// What is −∞ on both sides changes nothing.
#[test]
fn cells_without_a_bottom_take_no_part() {
    // ln(x0 − x1), ln x2 and ln x3, of which the first is −∞ whatever x0 and x1 are together.
    let mut draft = Draft::new(0, &[(&[1, 4], false)]);
    let sum = whylight::model::network::Sum {
        offsets: vec![0, 2, 3, 4],
        sources: vec![0, 1, 2, 3],
        weights: vec![1.0, -1.0, 1.0, 1.0],
    };
    let sums = draft.step(Operation::Sum(sum), &[0], &[1, 3]);
    let logs = draft.activation(sums, Activation::Log);
    draft.softmax(logs, 3, false);
    let network = draft.network();
    let (x, r) = (array![[1.0, 1.0, 2.0, 3.0]], array![[2.0, 2.0, 1.0, 5.0]]);
    let found = explain(&network, &r, &x, options());
    assert!(incompleteness(&network, &r, &x, &found) < 1e-6);
}

fn curves() -> Vec<Activation> {
    vec![
        Activation::Relu,
        Activation::LeakyRelu(Channels::one(0.1)),
        Activation::Elu(0.7),
        Activation::Selu(1.67, 1.05),
        Activation::Celu(0.6),
        Activation::Gelu,
        Activation::GeluTanh,
        Activation::Swish(1.3),
        Activation::HardSwish,
        Activation::HardSigmoid(0.2, 0.5),
        Activation::Mish,
        Activation::Softplus,
        Activation::Softsign,
        Activation::Sigmoid,
        Activation::Tanh,
        Activation::Clip(-0.5, 0.8),
        Activation::ThresholdedRelu(0.4),
        Activation::Shrink(0.5, 0.2),
        Activation::Exp,
        Activation::Abs,
        Activation::Erf,
        Activation::Sin,
        Activation::Cos,
        Activation::Power(2.0),
        Activation::Power(3.0),
        Activation::Sign,
        Activation::Floor,
        Activation::Ceil,
        Activation::Round,
        Activation::Truncate,
        Activation::Greater(0.2),
        Activation::Less(0.2),
    ]
}

/// Of numbers above 0.
fn positive_curves() -> Vec<Activation> {
    vec![
        Activation::Log,
        Activation::Sqrt,
        Activation::Reciprocal,
        Activation::Power(-0.5),
        Activation::Power(0.3),
        Activation::Power(-1.0),
    ]
}

/// f(x) − f(r), however near x and r are: a difference in float32 would lose it.
#[test]
fn the_rescale_rule_keeps_the_difference_of_every_function() {
    for (activation, shift) in (curves().into_iter().map(|curve| (curve, 0.0)))
        .chain(positive_curves().into_iter().map(|curve| (curve, 2.5)))
    {
        let mut draft = Draft::new(0, &[(&[1, 40], false)]);
        draft.activation(0, activation.clone());
        let network = draft.network();
        let mut random = Random(6);
        let r = rows(&mut random, 1, 40).mapv(|x| x + shift);
        for gap in [1.0, 0.1, 0.01, 1e-3, 1e-4, 1e-6, 0.0] {
            let x = r.mapv(|x| x + gap);
            let found = explain(&network, &r, &x, options());
            let (after, before) = (answers(&network, &x), answers(&network, &r));
            for cell in 0..40 {
                let expected = after[[0, cell]] - before[[0, cell]];
                let got = f64::from(found.values[[0, cell, cell]]);
                let scale = expected.abs() + 0.02 * f64::from(x[[0, cell]] - r[[0, cell]]).abs();
                // A difference of two float32, where it is one.
                let rounding = if gap > 1e-3 {
                    1.2e-7 * after[[0, cell]].abs()
                } else {
                    0.0
                };
                let bound = 4e-5 * scale + rounding + 1e-12;
                let is_step = matches!(
                    activation,
                    Activation::Sign
                        | Activation::Floor
                        | Activation::Ceil
                        | Activation::Round
                        | Activation::Truncate
                        | Activation::Greater(_)
                        | Activation::Less(_)
                );
                let bound = if is_step { 1e-6 } else { bound };
                assert!(
                    (got - expected).abs() <= bound,
                    "{activation:?} from {} by {gap}: {got}, expected {expected}",
                    r[[0, cell]]
                );
            }
        }
    }
}

#[test]
fn matrices_share_as_products_do() {
    let shape = MatMul {
        batch: 2,
        rows: 3,
        inner: 5,
        columns: 2,
    };
    let mut draft = Draft::new(0, &[(&[1, 2, 3, 5], false), (&[1, 2, 5, 2], false)]);
    draft.matmul(0, 1, shape);
    let network = draft.network();
    let mut random = Random(2);
    let (x, r) = (rows(&mut random, 1, 50), rows(&mut random, 1, 50));
    let found = explain(&network, &r, &x, options());
    for output in 0..12 {
        let (batch, row, column) = (output / 6, output / 2 % 3, output % 2);
        for k in 0..5 {
            let (a, b) = ((batch * 3 + row) * 5 + k, 30 + (batch * 5 + k) * 2 + column);
            let value = |cell: usize, other: usize| {
                0.5 * (x[[0, other]] + r[[0, other]]) * (x[[0, cell]] - r[[0, cell]])
            };
            for (cell, other) in [(a, b), (b, a)] {
                let got = found.values[[0, cell, output]];
                assert!((got - value(cell, other)).abs() < 1e-6);
            }
        }
    }
}

#[test]
fn every_step_names_its_rule() {
    let listed = rules(&everything(0));
    let rule = |operation: &str| {
        let of = listed.iter().find(|(_, name, _)| *name == operation);
        of.map(|(_, _, rule)| rule.name()).unwrap()
    };
    let pairs = [
        ("dense", "linear"),
        ("convolution", "linear"),
        ("gelu", "rescale"),
        ("matmul", "product"),
        ("max", "winner"),
        ("log_softmax", "path"),
    ];
    for (operation, expected) in pairs {
        assert_eq!(rule(operation), expected);
    }
}

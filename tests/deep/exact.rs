//! Networks of which multipliers are Shapley values, against all coalitions.

use ndarray::Array2;
use whylight::model::Network;
use whylight::model::network::{Activation, Operation, Windows};

use super::{explain, options, rows};
use crate::reference::shapley;
use crate::support::network::Draft;
use crate::support::random::Random;

/// The Shapley values of a row, of the first output, by the definition.
fn by_force(network: &Network, background: &Array2<f32>, row: &[f32]) -> Vec<f64> {
    let features = row.len();
    let worth = |coalition: usize| {
        let worth = background.outer_iter().map(|other| {
            let cells: Vec<f64> = (0..features)
                .map(|f| {
                    let is_in = coalition >> f & 1 == 1;
                    f64::from(if is_in { row[f] } else { other[f] })
                })
                .collect();
            network.raw(&cells)[0]
        });
        worth.sum::<f64>() / background.nrows() as f64
    };
    shapley::values(&(0..1 << features).map(worth).collect::<Vec<f64>>())
}

fn check(network: &Network, seed: u64) {
    let mut random = Random(seed);
    let features = network.cells();
    let background = rows(&mut random, 5, features);
    let explained = rows(&mut random, 3, features);
    let found = explain(network, &background, &explained, options());
    for (row, cells) in explained.outer_iter().enumerate() {
        let expected = by_force(network, &background, &cells.to_vec());
        for (feature, expected) in expected.iter().enumerate() {
            let got = f64::from(found.values[[row, feature, 0]]);
            assert!((got - expected).abs() < 1e-5, "{feature}: {got} {expected}");
        }
    }
}

#[test]
fn linear_networks() {
    for seed in 0..4 {
        let mut draft = Draft::new(seed, &[(&[1, 6], false)]);
        let hidden = draft.dense(0, 9);
        let hidden = draft.scale(hidden, 1, 9);
        let sums = draft.sum(hidden, 8);
        let moved = draft.gather(&[sums, 0], 10);
        draft.dense(moved, 2);
        check(&draft.network(), seed);
    }
}

#[test]
fn sums_of_functions_of_one_feature() {
    for seed in 0..4 {
        let mut draft = Draft::new(seed, &[(&[1, 6], false)]);
        let scaled = draft.scale(0, 1, 6);
        let bent = draft.activation(scaled, Activation::Relu);
        let waves = draft.activation(scaled, Activation::Tanh);
        let both = draft.gather(&[bent, waves], 14);
        draft.dense(both, 1);
        check(&draft.network(), seed);
    }
}

#[test]
fn products_of_two_features() {
    let mut draft = Draft::new(3, &[(&[1, 3], false), (&[1, 3], false)]);
    let product = draft.product(0, 1);
    draft.dense(product, 1);
    check(&draft.network(), 3);
}

/// The maximum of cells of which one feature is the only one to change is that feature's alone.
#[test]
fn a_maximum_of_functions_of_one_feature() {
    let mut draft = Draft::new(4, &[(&[1, 2], false)]);
    let wide = draft.gather(&[0, 0, 0], 12);
    let scaled = draft.scale(wide, 1, 12);
    let windows = Windows {
        offsets: vec![0, 12],
        sources: (0..12).collect(),
    };
    draft.step(Operation::Max(windows), &[scaled], &[1, 1]);
    let network = draft.network();
    let background = Array2::from_shape_vec((1, 2), vec![0.3, -0.4]).unwrap();
    for x in [-2.0, -0.5, 0.9, 1.7] {
        // The second feature stays: what is left is a function of the first.
        let row = Array2::from_shape_vec((1, 2), vec![x, -0.4]).unwrap();
        let found = explain(&network, &background, &row, options());
        let expected = by_force(&network, &background, &[x, -0.4]);
        for (got, expected) in found.values.iter().zip(expected) {
            assert!(
                (f64::from(*got) - expected).abs() < 1e-6,
                "{got} {expected}"
            );
        }
    }
}

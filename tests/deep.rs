//! Deep SHAP: what multipliers add up to, and what they are where that can be said by hand.

mod completeness;
mod exact;
mod exports;
#[cfg(feature = "gpu")]
pub(crate) mod gpu;
#[cfg(feature = "gpu")]
mod gpu_gradients;
mod gradients;
mod libraries;
mod rules;

use ndarray::Array2;
use whylight::data::Cells;
use whylight::model::{Model, Network};
use whylight::{Device, Explainer, Explanation, Options, Table};

use crate::support::network::{Draft, everything};
use crate::support::random::Random;

/// Rows of numbers in [−2, 2).
pub(crate) fn rows(random: &mut Random, rows: usize, columns: usize) -> Array2<f32> {
    Array2::from_shape_fn((rows, columns), |_| (random.unit() * 4.0 - 2.0) as f32)
}

pub(crate) fn table(cells: &Array2<f32>) -> Table {
    Table {
        names: None,
        cells: Cells::F32(cells.clone()),
    }
}

pub(crate) fn options() -> Options {
    Options::on(Device::cpu())
}

/// The explanation of rows against a background.
pub(crate) fn explain(
    network: &Network,
    background: &Array2<f32>,
    rows: &Array2<f32>,
    options: Options,
) -> Explanation {
    let model = std::sync::Arc::new(Model::Network(network.clone()));
    let background = table(background);
    let explainer = Explainer::new(model, Some(&background), options).unwrap();
    explainer.explain(&table(rows)).unwrap()
}

/// What a network answers to rows, by its definition: (rows, outputs).
pub(crate) fn answers(network: &Network, rows: &Array2<f32>) -> Array2<f64> {
    let of = |row: ndarray::ArrayView1<'_, f32>| {
        network.raw(&row.iter().map(|&cell| cell.into()).collect::<Vec<f64>>())
    };
    let all: Vec<f64> = rows.outer_iter().flat_map(of).collect();
    Array2::from_shape_vec((rows.nrows(), network.outputs.len()), all).unwrap()
}

/// The largest |base value + Σ values − answer|, by the definition of the network.
pub(crate) fn incompleteness(
    network: &Network,
    background: &Array2<f32>,
    rows: &Array2<f32>,
    explanation: &Explanation,
) -> f64 {
    let base = answers(network, background)
        .mean_axis(ndarray::Axis(0))
        .unwrap();
    let answers = answers(network, rows);
    let mut worst = 0.0_f64;
    for ((row, k), answer) in answers.indexed_iter() {
        let values = explanation.values.slice(ndarray::s![row, .., k]);
        let sum: f64 = values.iter().map(|&value| f64::from(value)).sum();
        let off = (base[k] + sum - answer).abs();
        assert!(
            (explanation.header.base_values[k] - base[k]).abs() < 1e-5,
            "base {k}"
        );
        let delta = f64::from(explanation.completeness_delta.as_ref().unwrap()[[row, k]]);
        assert!(
            (delta - (base[k] + sum - answer)).abs() < 2e-5,
            "{delta} of {off}"
        );
        worst = worst.max(off);
    }
    worst
}

#[test]
fn values_of_every_kind_of_step_add_up() {
    for seed in 0..12 {
        let network = everything(seed);
        network.check(std::path::Path::new("drafted")).unwrap();
        let mut random = Random(seed + 100);
        for (others, count) in [(1, 1), (1, 40), (3, 5), (17, 3), (70, 2)] {
            let background = rows(&mut random, others, 24);
            let explained = rows(&mut random, count, 24);
            let found = explain(&network, &background, &explained, options());
            let off = incompleteness(&network, &background, &explained, &found);
            assert!(off < 1e-5, "{seed} {others} {count}: {off}");
        }
    }
}

#[test]
fn batches_threads_and_neighbours_change_no_bit() {
    let network = everything(3);
    let mut random = Random(7);
    for others in [1, 5, 16, 100, 130] {
        let background = rows(&mut random, others, 24);
        let explained = rows(&mut random, 70, 24);
        let all = explain(&network, &background, &explained, options());
        for threads in [1, 2] {
            let mut options = options();
            options.threads = threads;
            options.memory_limit = (threads == 2).then_some(1 << 12);
            for (start, end) in [(0, 1), (3, 10), (33, 70)] {
                let part = explained.slice(ndarray::s![start..end, ..]).to_owned();
                let part = explain(&network, &background, &part, options.clone());
                let same = all.values.slice(ndarray::s![start..end, .., ..]);
                assert_eq!(part.values, same, "{others} {start}");
            }
        }
    }
}

/// Tensors so large that few lanes make a tile.
fn wide(seed: u64) -> Network {
    let mut draft = Draft::new(seed, &[(&[1, 8], false)]);
    let gathered = draft.gather(&[0], 6000);
    let scaled = draft.scale(gathered, 1, 6000);
    let bent = draft.activation(scaled, whylight::model::network::Activation::Tanh);
    let pooled = draft.largest(bent, 20, 300);
    let last = draft.dense(pooled, 3);
    draft.softmax(last, 3, false);
    draft.network()
}

/// A background that stays, some of it or none, and runs forward again for every batch.
#[test]
fn memory_limits_change_no_bit() {
    for (network, sizes) in [
        (everything(3), vec![(5, 70), (1000, 3), (2500, 3)]),
        (wide(2), vec![(2, 9), (16, 3), (40, 3), (130, 2)]),
    ] {
        let mut random = Random(7);
        let columns = network.cells();
        for (others, count) in sizes {
            let background = rows(&mut random, others, columns);
            let explained = rows(&mut random, count, columns);
            let all = explain(&network, &background, &explained, options());
            assert!(incompleteness(&network, &background, &explained, &all) < 2e-5);
            for memory in [1, 1 << 24, 1 << 25] {
                for threads in [1, 2] {
                    let mut options = options();
                    options.threads = threads;
                    options.memory_limit = Some(memory);
                    let got = explain(&network, &background, &explained, options);
                    assert_eq!(got.values, all.values, "{others} {memory}");
                    assert_eq!(got.header.base_values, all.header.base_values);
                }
            }
        }
    }
}

#[test]
fn a_weight_counts_as_so_many_rows() {
    let network = everything(5);
    let mut random = Random(8);
    let background = rows(&mut random, 3, 24);
    let explained = rows(&mut random, 2, 24);
    let twice = ndarray::concatenate![
        ndarray::Axis(0),
        background,
        background.slice(ndarray::s![1..2, ..])
    ];
    let expected = explain(&network, &twice, &explained, options());
    let others = table(&background);
    let model = std::sync::Arc::new(Model::Network(network));
    let weighted = whylight::explain::Background::Weighted((&others).into(), &[1.0, 2.0, 1.0]);
    let explainer = Explainer::with_distribution(model, weighted, options()).unwrap();
    let got = explainer.explain(&table(&explained)).unwrap();
    for (a, b) in got.values.iter().zip(&expected.values) {
        assert!((a - b).abs() < 1e-6, "{a} {b}");
    }
}

#[test]
fn values_of_a_layer_add_up_to_what_the_layer_changes() {
    let mut draft = Draft::new(1, &[(&[1, 5], false)]);
    let hidden = draft.dense(0, 7);
    let hidden = draft.activation(hidden, whylight::model::network::Activation::Relu);
    draft.dense(hidden, 3);
    let network = draft.network();
    let mut random = Random(9);
    let (background, explained) = (rows(&mut random, 4, 5), rows(&mut random, 3, 5));
    let mut options = options();
    options.layer = Some("t2".to_owned());
    let found = explain(&network, &background, &explained, options.clone());
    assert_eq!(found.values.dim(), (3, 7, 3));
    assert_eq!(found.header.feature_names[4], "t2[4]");
    assert!(incompleteness(&network, &background, &explained, &found) < 1e-5);
    options.layer = Some("t9".to_owned());
    let model = std::sync::Arc::new(Model::Network(network));
    let error = Explainer::new(model, Some(&table(&background)), options).unwrap_err();
    assert!(
        error.to_string().contains("t9") && error.to_string().contains("t1"),
        "{error}"
    );
}

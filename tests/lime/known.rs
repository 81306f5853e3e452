//! What LIME says of models that are known.

use ndarray::{Array2, Axis, s};
use whylight::Explanation;
use whylight::explain::lime::{Discretizer, LimeOptions, Selection};

use super::{Arc, Device, Explainer, Model, Options, explainer, model, view};
use crate::support::random::Random;

/// Rows of normal-looking cells, of which the last column is a category of three.
fn rows(count: usize, features: usize, seed: u64) -> Array2<f64> {
    let mut random = Random(seed);
    Array2::from_shape_fn((count, features), |(_, feature)| {
        let sum: f64 = (0..4).map(|_| random.unit()).sum();
        if feature + 1 == features {
            (random.unit() * 3.0).floor()
        } else {
            sum - 2.0
        }
    })
}

fn options(features: usize) -> LimeOptions {
    LimeOptions {
        categorical: vec![features - 1],
        num_samples: 1500,
        ..LimeOptions::default()
    }
}

fn explained(
    model: &Arc<Model>,
    training: &Array2<f64>,
    lime: LimeOptions,
    data: &Array2<f64>,
    seed: u64,
) -> Explanation {
    let explainer = explainer(model, training, lime, seed).unwrap();
    explainer
        .explain_while(&view(data), &mut |_| true)
        .unwrap()
        .unwrap()
}

/// The features of a row by |value|, largest first.
fn order(explanation: &Explanation, row: usize, output: usize) -> Vec<usize> {
    let values = explanation.values.slice(s![row, .., output]);
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[b].abs().total_cmp(&values[a].abs()));
    order
}

#[test]
fn the_values_of_a_class_are_in_the_place_of_the_class() {
    let training = rows(300, 4, 1);
    let model = model(4, 3, |row| row[..3].to_vec());
    for discretizer in [
        Discretizer::Quartile,
        Discretizer::Decile,
        Discretizer::None,
    ] {
        let lime = LimeOptions {
            discretizer,
            ..options(4)
        };
        let mut data = rows(1, 4, 2);
        data.fill(1.5);
        let explanation = explained(&model, &training, lime, &data, 0);
        let first: Vec<usize> = (0..3)
            .map(|class| order(&explanation, 0, class)[0])
            .collect();
        assert_eq!(first, [0, 1, 2]);
    }
}

#[test]
fn features_that_count_come_before_those_that_do_not() {
    let training = rows(400, 8, 3);
    // A sum, an interaction, and a category.
    let model = model(8, 3, |row| {
        vec![
            3.0 * row[1] - 1.5 * row[4],
            // Of signs alone, a pair would have no linear part.
            row[2].max(0.0) * row[5].max(0.0),
            f64::from(u8::from(row[7] == 1.0)),
        ]
    });
    for selection in [
        Selection::Auto,
        Selection::ForwardSelection,
        Selection::HighestWeights,
        Selection::LassoPath,
    ] {
        let lime = LimeOptions {
            num_features: Some(2),
            feature_selection: selection,
            ..options(8)
        };
        let mut data = rows(3, 8, 4);
        data.column_mut(1).fill(2.0);
        data.column_mut(4).fill(-2.0);
        data.column_mut(2).fill(1.4);
        data.column_mut(5).fill(1.4);
        data.column_mut(7).fill(1.0);
        let explanation = explained(&model, &training, lime, &data, 0);
        for row in 0..3 {
            assert_eq!(order(&explanation, row, 0)[..2], [1, 4], "{selection}");
            let mut pair = order(&explanation, row, 1)[..2].to_vec();
            pair.sort_unstable();
            assert_eq!(pair, [2, 5], "{selection}");
            assert_eq!(order(&explanation, row, 2)[0], 7, "{selection}");
            let used = explanation
                .values
                .slice(s![row, .., 0])
                .iter()
                .filter(|v| **v != 0.0)
                .count();
            assert_eq!(used, 2);
        }
    }
}

#[test]
fn more_than_ten_features_have_values() {
    let training = rows(300, 16, 5);
    let model = model(16, 1, |row| vec![row.iter().sum()]);
    let explanation = explained(
        &model,
        &training,
        options(16),
        &training.slice(s![..4, ..]).to_owned(),
        0,
    );
    for values in explanation.values.outer_iter() {
        assert_eq!(values.iter().filter(|value| **value != 0.0).count(), 16);
    }
}

#[test]
fn a_linear_model_is_found_again() {
    let training = rows(500, 5, 6);
    let model = model(5, 1, |row| vec![4.0 + 2.0 * row[0] - row[2] + 0.5 * row[3]]);
    let lime = LimeOptions {
        discretizer: Discretizer::None,
        ..options(5)
    };
    let data = training.slice(s![..3, ..]).to_owned();
    let explanation = explained(&model, &training, lime, &data, 0);
    let expected = [2.0, 0.0, -1.0, 0.5];
    for row in 0..3 {
        assert!(explanation.local_fit.as_ref().unwrap()[[row, 0]] > 0.999);
        for (feature, slope) in expected.into_iter().enumerate() {
            let scale = training.column(feature).std(0.0);
            let got = f64::from(explanation.values[[row, feature, 0]]);
            // The penalty of the ridge takes a part of some hundred samples.
            assert!(
                (got - slope * scale).abs() < 0.01,
                "{feature}: {got} {}",
                slope * scale
            );
        }
    }
}

#[test]
fn standard_errors_are_the_spread_over_seeds() {
    let training = rows(300, 5, 7);
    let model = model(5, 2, |row| {
        vec![
            row[0] * row[1] + row[2].abs(),
            f64::from(u8::from(row[3] > 0.3)) + row[4],
        ]
    });
    let data = training.slice(s![..2, ..]).to_owned();
    for discretizer in [Discretizer::Quartile, Discretizer::None] {
        let runs: Vec<Explanation> = (0..60)
            .map(|seed| {
                let lime = LimeOptions {
                    discretizer,
                    num_samples: 400,
                    ..options(5)
                };
                explained(&model, &training, lime, &data, seed)
            })
            .collect();
        let count = runs.len() as f64;
        let mut ratios = Vec::new();
        for at in ndarray::indices(runs[0].values.dim()) {
            let of = |run: &Explanation| f64::from(run.values[at]);
            let mean = runs.iter().map(of).sum::<f64>() / count;
            let spread = runs.iter().map(|run| (of(run) - mean).powi(2)).sum::<f64>();
            let spread = (spread / (count - 1.0)).sqrt();
            let error = runs
                .iter()
                .map(|run| f64::from(run.standard_errors.as_ref().unwrap()[at]));
            ratios.push(error.sum::<f64>() / count / spread);
        }
        let mean = ratios.iter().sum::<f64>() / ratios.len() as f64;
        // The spread over 60 seeds is itself known to 9 %.
        assert!((0.9..1.15).contains(&mean), "{discretizer}: {mean}");
        for ratio in ratios {
            assert!((0.65..1.5).contains(&ratio), "{discretizer}: {ratio}");
        }
    }
}

#[test]
fn a_row_has_the_same_bits_alone_and_among_others_on_any_threads() {
    let training = rows(200, 6, 8);
    let data = rows(40, 6, 9);
    let model = model(6, 2, |row| vec![row[0] * row[1], row[2].exp()]);
    for discretizer in [Discretizer::Quartile, Discretizer::None] {
        for around in [false, discretizer == Discretizer::None] {
            let lime = LimeOptions {
                discretizer,
                sample_around_instance: around,
                num_samples: 300,
                ..options(6)
            };
            let all = explained(&model, &training, lime.clone(), &data, 5);
            let one = data.slice(s![17..18, ..]).to_owned();
            let alone = explained(&model, &training, lime.clone(), &one, 5);
            assert_eq!(
                all.values.index_axis(Axis(0), 17),
                alone.values.index_axis(Axis(0), 0)
            );
            assert_eq!(
                all.intercepts.as_ref().unwrap().row(17),
                alone.intercepts.as_ref().unwrap().row(0)
            );
            for (threads, memory_limit) in [(1, None), (3, Some(4096))] {
                let options = Options {
                    lime: Some(Box::new(lime.clone())),
                    seed: 5,
                    threads,
                    memory_limit,
                    ..Options::on(Device::cpu())
                };
                let explainer =
                    Explainer::with_background(Arc::clone(&model), Some(view(&training)), options);
                let again = explainer
                    .unwrap()
                    .explain_while(&view(&data), &mut |_| true)
                    .unwrap()
                    .unwrap();
                assert_eq!(again.values, all.values);
                assert_eq!(again.standard_errors, all.standard_errors);
            }
            let other = explained(&model, &training, lime, &data, 6);
            assert_ne!(other.values, all.values);
        }
    }
}

#[test]
fn samples_are_drawn_as_the_training_rows_are() {
    let mut training = rows(2000, 4, 10);
    training
        .column_mut(1)
        .mapv_inplace(|cell| if cell < 0.0 { 0.0 } else { cell });
    training.column_mut(2).fill(5.0);
    let asked = Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    let model = model(4, 1, move |row| {
        seen.lock().unwrap().push(row.to_vec());
        vec![row[0]]
    });
    let lime = LimeOptions {
        num_samples: 20_001,
        ..options(4)
    };
    explainer(&model, &training, lime, 1).unwrap();
    let drawn = asked.lock().unwrap();
    assert_eq!(drawn.len(), 20_000);
    for feature in [0, 1, 3] {
        let quantile = |cells: &mut Vec<f64>, part: f64| {
            cells.sort_by(f64::total_cmp);
            cells[(part * cells.len() as f64) as usize]
        };
        let mut own = training.column(feature).to_vec();
        let mut cells: Vec<f64> = drawn.iter().map(|row| row[feature]).collect();
        // Bins have their frequencies; within them the distribution is normal, whatever that of the rows is.
        for (part, tolerance) in [
            (0.1, 0.2),
            (0.25, 0.03),
            (0.5, 0.03),
            (0.75, 0.03),
            (0.9, 0.2),
        ] {
            let (a, b) = (quantile(&mut cells, part), quantile(&mut own, part));
            assert!((a - b).abs() < tolerance, "{feature} {part}: {a} {b}");
        }
        let (least, most) = (quantile(&mut own, 0.0), quantile(&mut own, 0.999_999));
        assert!(cells.iter().all(|cell| (least..=most).contains(cell)));
    }
    // lime has 0 here, and for the half of column 1 that is 0 only by luck the same.
    assert!(drawn.iter().all(|row| row[2] == 5.0));
    assert!(drawn.iter().filter(|row| row[1] == 0.0).count() > 9000);
}

//! Models whose features matter in a known order.

use std::fmt;
use std::sync::Arc;

use ndarray::Array2;
use whylight::explain::Group;
use whylight::explain::permutation::{PermutationOptions, strata_of};
use whylight::metric::{Decide, Judge, Labels, Metric};
use whylight::model::{BlackBox, Feature, Linear, Model, Predict};

use super::{explain, options};
use crate::support::random::Random;

const ROWS: usize = 4000;

fn uniform(features: usize, seed: u64) -> Array2<f64> {
    let mut random = Random(seed);
    Array2::from_shape_simple_fn((ROWS, features), || 2.0 * random.unit() - 1.0)
}

fn squared(labels: Vec<f64>) -> Judge {
    Judge::new(
        Metric::MeanSquaredError,
        Labels::Numbers(labels),
        Decide::Largest,
    )
    .unwrap()
}

/// A function of a row.
struct Of(fn(&[f64]) -> f64);

impl fmt::Debug for Of {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a function")
    }
}

impl Predict for Of {
    fn predict(&self, rows: Array2<f64>) -> whylight::Result<Array2<f64>> {
        let answers: Vec<f64> = rows
            .outer_iter()
            .map(|row| (self.0)(&row.to_vec()))
            .collect();
        Ok(Array2::from_shape_vec((rows.nrows(), 1), answers).unwrap())
    }
}

fn asked(features: usize, function: fn(&[f64]) -> f64) -> Arc<Model> {
    Arc::new(Model::BlackBox(BlackBox {
        features: vec![Feature::default(); features],
        outputs: vec!["y".to_owned()],
        predict: Arc::new(Of(function)),
    }))
}

#[test]
fn of_a_linear_model_with_no_error_it_is_twice_the_variance() {
    let weights = [3.0, 0.0, -2.0, 0.5];
    let linear = Linear::new(
        Array2::from_shape_fn((1, 4), |(_, j)| weights[j]),
        vec![1.0],
    )
    .unwrap();
    let cells = uniform(4, 5);
    let labels = (cells.outer_iter())
        .map(|row| 1.0 + row.iter().zip(weights).map(|(x, w)| x * w).sum::<f64>())
        .collect();
    let options = PermutationOptions {
        n_repeats: 10,
        ..options()
    };
    let found = explain(
        &Arc::new(Model::Linear(linear)),
        &cells,
        &squared(labels),
        &options,
    )
    .unwrap();
    assert!(found.base_score < 1e-28 && found.is_error, "{found:?}");
    assert_eq!(found.ranking(), [0, 2, 3, 1]);
    // 2 w² Var(x), with Var = 1/3: four standard errors, and 4 % for the variance of the rows.
    for (feature, weight) in weights.iter().enumerate() {
        let expected = 2.0 * weight * weight / 3.0;
        let off = (found.means[feature] - expected).abs();
        let bound = 4.0 * found.standard_errors[feature] + 0.04 * expected + 1e-12;
        assert!(
            off <= bound,
            "{feature}: {} {expected}",
            found.means[feature]
        );
    }
    let spread = found.importances.row(0);
    let mean = spread.sum() / 10.0;
    let variance = spread.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>();
    assert!((found.standard_deviations[0] - (variance / 10.0).sqrt()).abs() < 1e-15);
    assert!((found.standard_errors[0] - (variance / 90.0).sqrt()).abs() < 1e-15);
}

#[test]
fn both_sides_of_an_interaction_matter_and_a_group_of_them_no_more_than_both() {
    let cells = uniform(4, 6);
    let model = asked(4, |row| row[0] * row[2] + 0.1 * row[3]);
    let labels: Vec<f64> = (cells.outer_iter())
        .map(|row| row[0] * row[2] + 0.1 * row[3])
        .collect();
    let score = squared(labels);
    let found = explain(&model, &cells, &score, &options()).unwrap();
    // E (x − x')² E z² = 2/3 · 1/3; of the last 2 · 0.01 / 3.
    for (feature, expected) in [(0, 2.0 / 9.0), (1, 0.0), (2, 2.0 / 9.0), (3, 0.02 / 3.0)] {
        let got = found.means[feature];
        assert!(
            (got - expected).abs() <= 0.05 * expected,
            "{feature}: {got} {expected}"
        );
    }
    let grouped = PermutationOptions {
        groups: vec![Group {
            name: "pair".to_owned(),
            features: vec![0, 2],
        }],
        ..options()
    };
    let found = explain(&model, &cells, &score, &grouped).unwrap();
    assert_eq!(found.feature_names, ["pair", "f1", "f3"]);
    // E (xz − x'z')² = 2/9.
    assert!(
        (found.means[0] - 2.0 / 9.0).abs() < 0.02,
        "{:?}",
        found.means
    );
}

#[test]
fn within_strata_of_its_twin_a_column_does_not_matter() {
    let mut cells = uniform(3, 7);
    let mut random = Random(9);
    for mut row in cells.outer_iter_mut() {
        row[0] = random.below(5) as f64;
        row[1] = row[0];
    }
    let model = asked(3, |row| row[0] + row[1] + 0.3 * row[2]);
    let labels: Vec<f64> = (cells.outer_iter())
        .map(|row| 2.0 * row[0] + 0.3 * row[2])
        .collect();
    let score = squared(labels);
    let freely = explain(&model, &cells, &score, &options()).unwrap();
    assert!(
        freely.means[1] > 1.0 && freely.strata.is_none(),
        "{:?}",
        freely.means
    );
    let twin = cells.column(0).to_vec();
    let within = PermutationOptions {
        strata: Some(strata_of(&[&twin])),
        ..options()
    };
    let within = explain(&model, &cells, &score, &within).unwrap();
    assert_eq!(within.strata, Some(5));
    // What is left is rounding: the labels are summed in another order.
    assert!(
        within.means[0].abs() < 1e-12 && within.means[1].abs() < 1e-12,
        "{:?}",
        within.means
    );
    assert!((within.means[2] - 0.06).abs() < 0.006, "{:?}", within.means);
}

//! LIME of tables: against lime's own fits of lime's own samples, and what its values have to say of known models.

mod bad;
mod known;
mod many;
mod wide;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use ndarray::Array2;
use serde::Deserialize;
use whylight::data::View;
use whylight::explain::lime::{self, Bins, Discretizer, LimeOptions};
use whylight::model::{BlackBox, Feature, Model, Predict};
use whylight::{Device, Explainer, Options, Result};

/// A function of a row, as a model.
struct Function<F>(F);

impl<F> fmt::Debug for Function<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a function")
    }
}

impl<F: Fn(&[f64]) -> Vec<f64> + Send + Sync> Predict for Function<F> {
    fn predict(&self, rows: Array2<f64>) -> Result<Array2<f64>> {
        let answers: Vec<Vec<f64>> = rows
            .outer_iter()
            .map(|row| (self.0)(&row.to_vec()))
            .collect();
        let outputs = answers[0].len();
        Ok(Array2::from_shape_fn(
            (rows.nrows(), outputs),
            |(row, output)| answers[row][output],
        ))
    }
}

fn model(
    features: usize,
    outputs: usize,
    function: impl Fn(&[f64]) -> Vec<f64> + Send + Sync + 'static,
) -> Arc<Model> {
    Arc::new(Model::BlackBox(BlackBox {
        features: vec![Feature::default(); features],
        outputs: (0..outputs).map(|k| format!("class {k}")).collect(),
        predict: Arc::new(Function(function)),
    }))
}

fn explainer(
    model: &Arc<Model>,
    training: &Array2<f64>,
    lime: LimeOptions,
    seed: u64,
) -> Result<Explainer> {
    let options = Options {
        lime: Some(Box::new(lime)),
        seed,
        ..Options::on(Device::cpu())
    };
    Explainer::with_background(Arc::clone(model), Some(view(training)), options)
}

fn view(rows: &Array2<f64>) -> View<'_> {
    View::f64(rows.view(), None)
}

/// What lime made of its own samples: see tests/corpus/make/lime.py.
#[derive(Deserialize)]
struct Golden {
    training: Vec<Vec<f64>>,
    labels: Vec<u32>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    discretizer: String,
    mode: String,
    samples: Vec<Vec<f64>>,
    answers: Vec<Vec<f64>>,
    weights: Vec<f64>,
    #[serde(default)]
    cuts: BTreeMap<String, Vec<f64>>,
    fits: Vec<Expected>,
}

#[derive(Deserialize)]
struct Expected {
    selection: String,
    features: usize,
    output: usize,
    values: Vec<f64>,
    intercept: f64,
    local_fit: f64,
    local_prediction: f64,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("corpus/lime/fits.json")).unwrap()
}

fn matrix(rows: &[Vec<f64>]) -> Array2<f64> {
    let flat = rows.iter().flatten().copied().collect();
    Array2::from_shape_vec((rows.len(), rows[0].len()), flat).unwrap()
}

/// The width that lime takes by default.
fn width(samples: &Array2<f64>) -> f64 {
    0.75 * (samples.ncols() as f64).sqrt()
}

#[test]
fn the_same_samples_give_the_coefficients_of_lime() {
    let mut compared = 0;
    for case in golden().cases {
        let (samples, answers) = (matrix(&case.samples), matrix(&case.answers));
        let weights = lime::weights(samples.view(), width(&samples));
        for (weight, expected) in weights.iter().zip(&case.weights) {
            assert!((weight - expected).abs() < 1e-12, "{weight} {expected}");
        }
        for expected in case.fits {
            let at = format!(
                "{} {} {} of {} for output {}",
                case.discretizer, case.mode, expected.selection, expected.features, expected.output
            );
            let selection = expected.selection.parse().unwrap();
            let (samples, answers) = (samples.view(), answers.view());
            let fits = lime::fit(samples, answers, &weights, expected.features, selection);
            let fit = fits.unwrap().swap_remove(expected.output);
            for (value, expected) in fit.values.iter().zip(&expected.values) {
                assert!((value - expected).abs() < 1e-6, "{at}: {value} {expected}");
            }
            for (got, expected) in [
                (fit.intercept, expected.intercept),
                (fit.local_fit, expected.local_fit),
                (fit.local_prediction, expected.local_prediction),
            ] {
                assert!((got - expected).abs() < 1e-6, "{at}: {got} {expected}");
            }
            compared += 1;
        }
    }
    assert_eq!(compared, 4 * 5 * 4 * (3 + 1));
}

#[test]
fn bins_end_where_those_of_lime_do() {
    let golden = golden();
    let training = matrix(&golden.training);
    let model = model(training.ncols(), 1, |row| vec![row[0]]);
    for case in golden.cases.iter().filter(|case| !case.cuts.is_empty()) {
        let options = LimeOptions {
            discretizer: case.discretizer.parse().unwrap(),
            labels: Some(golden.labels.clone()),
            categorical: vec![4, 6],
            ..LimeOptions::default()
        };
        let explainer = explainer(&model, &training, options, 0).unwrap();
        let bins = &explainer.header().lime.as_ref().unwrap().bins;
        for (feature, expected) in &case.cuts {
            let Bins::Cuts { cuts } = &bins[feature.parse::<usize>().unwrap()] else {
                panic!("{feature} has no bins");
            };
            assert_eq!(cuts.len(), expected.len(), "{feature} {}", case.discretizer);
            for (cut, expected) in cuts.iter().zip(expected) {
                assert!((cut - expected).abs() < 1e-9, "{feature}: {cut} {expected}");
            }
        }
        assert!(matches!(&bins[4], Bins::Categories { values, .. } if *values == [0.0, 1.0, 2.0]));
    }
    assert_eq!(Discretizer::default(), Discretizer::Quartile);
}

#[test]
fn an_explained_row_is_fitted_to_its_own_samples() {
    let golden = golden();
    let training = matrix(&golden.training);
    let model = model(training.ncols(), 2, |row| {
        vec![row[0] * row[1], if row[4] == 1.0 { row[3] } else { 0.0 }]
    });
    for discretizer in [Discretizer::Quartile, Discretizer::None] {
        for around in [false, discretizer == Discretizer::None] {
            let options = LimeOptions {
                discretizer,
                categorical: vec![4, 6],
                num_features: Some(3),
                num_samples: 700,
                sample_around_instance: around,
                ..LimeOptions::default()
            };
            let explainer = explainer(&model, &training, options, 3).unwrap();
            let row = training.slice(ndarray::s![5..6, ..]).to_owned();
            let local = explainer.local_samples(&view(&row)).unwrap().unwrap();
            assert_eq!(local.samples.dim(), (700, training.ncols()));
            let weights = lime::weights(local.samples.view(), width(&local.samples));
            for (a, b) in weights.iter().zip(&local.weights) {
                assert!((a - b).abs() < 1e-12, "{a} {b}");
            }
            let (samples, answers) = (local.samples.view(), local.answers.view());
            let fits = lime::fit(samples, answers, &weights, 3, lime::Selection::Auto).unwrap();
            let explained = explainer.explain_while(&view(&row), &mut |_| true);
            let explained = explained.unwrap().unwrap();
            for (output, fit) in fits.iter().enumerate() {
                assert_eq!(fit.used, local.used[output]);
                assert_eq!(fit.used.len(), 3);
                let errors = explained.standard_errors.as_ref().unwrap();
                for feature in 0..training.ncols() {
                    let got = f64::from(explained.values[[0, feature, output]]);
                    let scale = fit.values.iter().fold(1e-9_f64, |a, b| a.max(b.abs()));
                    assert!((got - fit.values[feature]).abs() < 1e-6 * scale, "{got}");
                    let got = f64::from(errors[[0, feature, output]]);
                    assert!((got - fit.errors[feature]).abs() < 1e-6 * scale, "{got}");
                }
                let got = explained.intercepts.as_ref().unwrap()[[0, output]];
                assert!((got - fit.intercept).abs() < 1e-9 * fit.intercept.abs().max(1.0));
                let got = f64::from(explained.local_fit.as_ref().unwrap()[[0, output]]);
                assert!((got - fit.local_fit).abs() < 1e-6);
            }
        }
    }
}

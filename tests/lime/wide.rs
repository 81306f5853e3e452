//! LIME of more features than samples: against lime's own fits, and what cannot be told from so few.

use ndarray::{Array2, Axis};
use serde::Deserialize;
use whylight::explain::lime::{self, Discretizer, LimeOptions, Selection};
use whylight::report;

use super::{explainer, matrix, model, view};
use crate::support::random::Random;

#[derive(Deserialize)]
struct Wide {
    cases: Vec<WideCase>,
}

#[derive(Deserialize)]
struct WideCase {
    kind: String,
    samples: Vec<Vec<f64>>,
    answers: Vec<Vec<f64>>,
    weights: Vec<f64>,
    fits: Vec<super::Expected>,
}

fn cases() -> Vec<WideCase> {
    let wide: Wide = serde_json::from_str(include_str!("../corpus/lime/wide.json")).unwrap();
    wide.cases
}

#[test]
fn fewer_samples_than_features_give_the_coefficients_of_lime() {
    let mut compared = 0;
    for case in cases() {
        let (samples, answers) = (matrix(&case.samples), matrix(&case.answers));
        assert!(samples.nrows() < samples.ncols());
        for expected in case.fits {
            let at = format!(
                "{} {} of {} for output {}",
                case.kind, expected.selection, expected.features, expected.output
            );
            let selection = expected.selection.parse().unwrap();
            let (some, answers) = (samples.view(), answers.view());
            let fits = lime::fit(some, answers, &case.weights, expected.features, selection);
            let fit = fits.unwrap().swap_remove(expected.output);
            for (value, expected) in fit.values.iter().zip(&expected.values) {
                assert!((value - expected).abs() < 1e-6, "{at}: {value} {expected}");
            }
            for (got, expected) in [
                (fit.intercept, expected.intercept),
                (fit.local_prediction, expected.local_prediction),
            ] {
                assert!((got - expected).abs() < 1e-6, "{at}: {got} {expected}");
            }
            if fit.used.len() + 1 < samples.nrows() {
                let (got, expected) = (fit.local_fit, expected.local_fit);
                assert!((got - expected).abs() < 1e-6, "{at}: {got} {expected}");
                assert!(fit.errors.iter().all(|error| error.is_finite()), "{at}");
            } else {
                assert!(fit.local_fit.is_nan(), "{at}: {}", fit.local_fit);
                assert!(fit.used.iter().all(|&at| fit.errors[at].is_nan()), "{at}");
            }
            compared += 1;
        }
    }
    assert_eq!(compared, 2 * 2 * (4 * 5 - 1));
}

#[test]
fn standard_errors_are_those_of_the_features_that_are_chosen() {
    for case in cases() {
        let (samples, answers) = (matrix(&case.samples), matrix(&case.answers));
        let (samples, answers) = (samples.view(), answers.view());
        let fits = lime::fit(samples, answers, &case.weights, 5, Selection::Auto).unwrap();
        for (output, fit) in fits.iter().enumerate() {
            assert_eq!(fit.used.len(), 5);
            let few = samples.select(Axis(1), &fit.used);
            let alone = lime::fit(few.view(), answers, &case.weights, 5, Selection::None);
            let alone = &alone.unwrap()[output];
            for (place, &feature) in fit.used.iter().enumerate() {
                assert!((fit.values[feature] - alone.values[place]).abs() < 1e-12);
                assert!((fit.errors[feature] - alone.errors[place]).abs() < 1e-12);
                assert!(fit.errors[feature] > 0.0);
            }
            assert!((fit.local_fit - alone.local_fit).abs() < 1e-12);
        }
    }
}

#[test]
fn more_features_than_samples_are_explained_and_said_to_be_undetermined() {
    let (features, samples) = (700, 90);
    let mut random = Random(5);
    let mut training = Array2::from_shape_fn((60, features), |_| random.unit());
    // What never varies takes no part.
    training.column_mut(3).fill(2.0);
    let model = model(features, 2, |row| {
        vec![row[0] - 2.0 * row[1], row[2] * row[5]]
    });
    for discretizer in [Discretizer::Quartile, Discretizer::None] {
        for most in [None, Some(8)] {
            let options = LimeOptions {
                discretizer,
                num_samples: samples,
                num_features: most,
                ..LimeOptions::default()
            };
            let explainer = explainer(&model, &training, options, 3).unwrap();
            let rows = training.slice(ndarray::s![5..8, ..]).to_owned();
            let explained = explainer.explain_while(&view(&rows), &mut |_| true);
            let explained = explained.unwrap().unwrap();
            let row = rows.slice(ndarray::s![..1, ..]).to_owned();
            let local = explainer.local_samples(&view(&row)).unwrap().unwrap();
            let (some, answers) = (local.samples.view(), local.answers.view());
            let wanted = most.unwrap_or(features);
            let fits = lime::fit(some, answers, &local.weights, wanted, Selection::Auto).unwrap();
            let errors = explained.standard_errors.as_ref().unwrap();
            let local_fit = explained.local_fit.as_ref().unwrap();
            for (output, fit) in fits.iter().enumerate() {
                assert_eq!(fit.used, local.used[output]);
                let scale = fit.values.iter().fold(1e-9_f64, |a, b| a.max(b.abs()));
                for feature in 0..features {
                    let got = f64::from(explained.values[[0, feature, output]]);
                    assert!((got - fit.values[feature]).abs() < 1e-6 * scale, "{got}");
                    let is_open = most.is_none() && feature != 3;
                    assert_eq!(errors[[0, feature, output]].is_nan(), is_open, "{feature}");
                }
                assert_eq!(local_fit[[0, output]].is_nan(), most.is_none());
                assert_eq!(explained.values[[0, 3, output]], 0.0);
            }
            let notes = explained.trailer.notes.join("\n");
            let said = "the models of 3 rows have no standard errors and no local fit";
            assert_eq!(notes.contains(said), most.is_none(), "{notes}");
            assert_eq!(explained.trailer.standard_error.is_nan(), most.is_none());
            let mut json = Vec::new();
            report::json(&explained, &mut json).unwrap();
            let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
            assert_eq!(json["standard_error"].is_null(), most.is_none());
            assert_eq!(json["standard_errors"][0][0][0].is_null(), most.is_none());
            assert_eq!(json["local_fit"][0][0].is_null(), most.is_none());
        }
    }
}

#[test]
fn a_model_without_features_that_vary_is_its_mean() {
    let training = Array2::from_elem((20, 30), 1.5);
    let model = model(30, 1, |_| vec![0.25]);
    let options = LimeOptions {
        num_samples: 10,
        ..LimeOptions::default()
    };
    let explainer = explainer(&model, &training, options, 0).unwrap();
    let explained = explainer.explain_while(&view(&training), &mut |_| true);
    let explained = explained.unwrap().unwrap();
    assert!(explained.values.iter().all(|value| *value == 0.0));
    assert_eq!(explained.intercepts.unwrap()[[0, 0]], 0.25);
}

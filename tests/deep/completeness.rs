//! Rows past the tolerance: which they are, and what computes them again.

use ndarray::{Array2, s};
use whylight::explain::Estimator;
use whylight::explanation::Explanation;
use whylight::model::{Model, Network};
use whylight::{Explainer, Options};

use super::{explain, options, rows, table};
use crate::support::network::{Draft, everything};
use crate::support::random::Random;

/// A network, its background and rows, some of which have larger deltas than others, with the options of a layer that
/// half of the answer goes around.
fn case() -> (Network, Array2<f32>, Array2<f32>, Options) {
    let mut draft = Draft::new(4, &[(&[1, 5], false)]);
    let hidden = draft.dense(0, 6);
    let hidden = draft.activation(hidden, whylight::model::network::Activation::Tanh);
    let both = draft.gather(&[hidden, 0], 8);
    draft.dense(both, 2);
    let network = draft.network();
    let mut random = Random(3);
    let background = rows(&mut random, 3, 5);
    let explained = rows(&mut random, 40, 5);
    let options = Options {
        layer: Some(format!("t{hidden}")),
        ..options()
    };
    (network, background, explained, options)
}

/// The larger delta of each row.
fn deltas(explanation: &Explanation) -> Vec<f32> {
    let deltas = explanation.completeness_delta.as_ref().unwrap();
    let largest =
        |row: ndarray::ArrayView1<'_, f32>| row.fold(0.0_f32, |most, d| most.max(d.abs()));
    deltas.outer_iter().map(largest).collect()
}

/// The delta that 19 of 40 rows pass, and one has.
fn middle(explanation: &Explanation) -> f32 {
    let mut sizes = deltas(explanation);
    sizes.sort_by(f32::total_cmp);
    sizes[20]
}

#[test]
fn rows_past_the_tolerance_are_marked_and_stay_as_they_are() {
    let (network, background, explained, options) = case();
    let plain = explain(&network, &background, &explained, options.clone());
    assert_eq!(plain.past_tolerance(), None);
    let tolerance = middle(&plain);
    let expected: Vec<bool> = deltas(&plain)
        .iter()
        .map(|&size| size > tolerance)
        .collect();
    let marked = Options {
        tolerance: Some(tolerance.into()),
        ..options
    };
    let found = explain(&network, &background, &explained, marked);
    assert_eq!(found.values, plain.values);
    assert_eq!(found.past_tolerance(), Some(expected));
    assert_eq!(found.recomputed, None);
    let note = "the completeness delta of 19 rows passes the tolerance".to_owned();
    assert!(
        found.trailer.notes.contains(&note),
        "{:?}",
        found.trailer.notes
    );
}

#[test]
fn a_fallback_computes_the_rows_past_the_tolerance_and_no_others() {
    let (network, background, explained, options) = case();
    let plain = explain(&network, &background, &explained, options.clone());
    let tolerance = middle(&plain);
    for by in [Estimator::IntegratedGradients, Estimator::ExpectedGradients] {
        let alone = Options {
            estimator: by,
            samples: Some(40),
            ..options.clone()
        };
        let alone = explain(&network, &background, &explained, alone);
        for memory_limit in [None, Some(1 << 12)] {
            let found = Options {
                tolerance: Some(tolerance.into()),
                fallback: Some(by),
                samples: Some(40),
                memory_limit,
                ..options.clone()
            };
            let found = explain(&network, &background, &explained, found);
            let recomputed = found.recomputed.as_ref().unwrap();
            let expected: Vec<bool> = deltas(&plain)
                .iter()
                .map(|&size| size > tolerance)
                .collect();
            assert_eq!(recomputed, &expected);
            assert_eq!(found.header.fallback, by.name());
            assert_eq!(found.header.estimator, "deeplift");
            let past = found.past_tolerance().unwrap();
            for (row, &is_again) in recomputed.iter().enumerate() {
                let source = if is_again { &alone } else { &plain };
                let (a, b) = (s![row, .., ..], s![row, ..]);
                assert_eq!(found.values.slice(a), source.values.slice(a), "{by} {row}");
                let delta =
                    |of: &Explanation| of.completeness_delta.as_ref().unwrap().slice(b).to_owned();
                assert_eq!(delta(&found), delta(source), "{by} {row}");
                assert_eq!(past[row], deltas(source)[row] > tolerance);
                if let Some(errors) = &found.standard_errors {
                    let errors = errors.slice(a);
                    match &source.standard_errors {
                        Some(source) => assert_eq!(errors, source.slice(a)),
                        None => assert!(errors.iter().all(|&error| error == 0.0)),
                    }
                }
            }
            assert_eq!(
                found.standard_errors.is_some(),
                by == Estimator::ExpectedGradients
            );
            let note =
                "19 rows passed the tolerance and were computed again by the fallback".to_owned();
            assert!(
                found.trailer.notes.contains(&note),
                "{:?}",
                found.trailer.notes
            );
        }
    }
}

#[test]
fn where_no_row_is_past_the_tolerance_the_fallback_changes_no_bit() {
    let network = everything(2);
    let mut random = Random(5);
    let (background, explained) = (rows(&mut random, 4, 24), rows(&mut random, 6, 24));
    let plain = explain(&network, &background, &explained, options());
    let found = Options {
        tolerance: Some(1e-3),
        fallback: Some(Estimator::IntegratedGradients),
        ..options()
    };
    let found = explain(&network, &background, &explained, found);
    assert_eq!(found.values, plain.values);
    assert_eq!(found.recomputed, Some(vec![false; 6]));
    assert_eq!(found.past_tolerance(), Some(vec![false; 6]));
    assert!(found.trailer.notes.is_empty(), "{:?}", found.trailer.notes);
}

#[test]
fn what_leads_to_no_fallback_is_refused() {
    let (network, background, _, options) = case();
    let model = std::sync::Arc::new(Model::Network(network));
    let refused = |options: Options| {
        let made = Explainer::new(model.clone(), Some(&table(&background)), options);
        made.unwrap_err().to_string()
    };
    let with = |tolerance, fallback, estimator| Options {
        tolerance,
        fallback,
        estimator,
        ..options.clone()
    };
    let gradients = Estimator::IntegratedGradients;
    for tolerance in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let error = refused(with(Some(tolerance), None, Estimator::Auto));
        assert!(
            error.contains("tolerance") && error.contains("completeness"),
            "{error}"
        );
    }
    let error = refused(with(None, Some(gradients), Estimator::Auto));
    assert!(error.contains("without a tolerance"), "{error}");
    for other in [Estimator::Auto, Estimator::Sampled] {
        let error = refused(with(Some(0.1), Some(other), Estimator::Auto));
        assert!(error.contains("expected_gradients"), "{error}");
    }
    let error = refused(with(
        Some(0.1),
        Some(gradients),
        Estimator::ExpectedGradients,
    ));
    assert!(error.contains("a fallback with the estimator"), "{error}");
}

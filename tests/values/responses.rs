//! What libraries make of margins: their own predictions of the corpus's models.

use whylight::explain::{Estimator, Output};
use whylight::{Device, Error, Explainer, Options};

use super::subject::{LIBRARIES, against_background, subject};

/// XGBoost predicts in float32.
const ROUNDING: f64 = 2e-6;

#[test]
fn responses_are_what_the_libraries_predict() {
    let mut objectives = Vec::new();
    for subject in LIBRARIES.into_iter().flat_map(against_background) {
        let Some(predicted) = subject.case.array("response") else {
            continue;
        };
        let (trees, name) = (&subject.trees, &subject.case.name);
        let link = trees.link().unwrap();
        assert_eq!(
            predicted.shape,
            [subject.rows.shape[0], trees.outputs.len()]
        );
        for row in 0..predicted.shape[0] {
            let found = link.predict(&trees.margin(subject.rows.row(row)));
            for (found, expected) in found.iter().zip(predicted.row(row)) {
                let off = (found - expected).abs();
                assert!(
                    off <= ROUNDING * expected.abs().max(1.0),
                    "{name}, row {row}: {found} is not {expected}"
                );
            }
        }
        let objective = trees.objective.split(' ').next().unwrap_or_default();
        objectives.push(objective.to_owned());
    }
    objectives.sort();
    objectives.dedup();
    insta::assert_debug_snapshot!(objectives, @r#"
    [
        "Cox",
        "Logloss",
        "Poisson",
        "RMSEWithUncertainty",
        "binary",
        "binary:hinge",
        "binary:logistic",
        "multi:softprob",
        "multiclass",
        "multiclassova",
        "poisson",
        "reg:expectileerror",
        "reg:gamma",
        "regression",
        "survival:cox",
    ]
    "#);
}

#[test]
fn a_step_and_expectiles_are_no_probabilities_and_cannot_be_rescaled() {
    for (case, outputs) in [
        ("hinge_3_4", [Output::Probability, Output::LogLoss]),
        ("expectile_3_4", [Output::Probability, Output::LogLoss]),
    ] {
        let subject = subject("xgboost", case);
        let background = subject.table.slice(0..5).unwrap();
        let refused = |output: Output, estimator: Estimator| {
            let options = Options {
                output,
                estimator,
                ..Options::on(Device::cpu())
            };
            Explainer::new(subject.model.clone(), Some(&background), options).unwrap_err()
        };
        for output in outputs {
            let error = refused(output, Estimator::Auto);
            assert!(matches!(error, Error::Parameter { .. }), "{error}");
            assert!(error.to_string().contains("response"), "{error}");
        }
        let error = refused(Output::Response, Estimator::Rescaled);
        assert!(error.to_string().contains("rescaled values of"), "{error}");
    }
}

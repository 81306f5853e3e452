//! What a black box can be asked for.

use crate::error::{Error, Result};
use crate::explain::{Estimator, Index, Options, Output, ValueFunction};

/// What the options may not ask of a model; of a black box they may ask for its answer alone.
pub(super) fn check(options: &Options, is_black_box: bool) -> Result<()> {
    let is_interventional = matches!(
        options.value_function,
        ValueFunction::Auto | ValueFunction::Interventional
    );
    if !is_interventional {
        return Err(refused(
            &format!("the {} value function", options.value_function),
            "take interventional",
        ));
    }
    if options.interactions && !matches!(options.estimator, Estimator::Auto | Estimator::Exact) {
        return Err(refused(
            &format!("interactions with the estimator {}", options.estimator),
            "take auto or exact: they come from all coalitions of up to 16 players",
        ));
    }
    if options.interactions && options.index != Index::Shapley {
        return Err(refused(
            "the interactions of Banzhaf values, which add up to nothing",
            "take the interactions of Shapley values, or the Banzhaf values",
        ));
    }
    if let Some(tolerance) = options.tolerance {
        if !(tolerance > 0.0 && tolerance.is_finite()) {
            return Err(Error::Parameter {
                name: "tolerance",
                got: tolerance.to_string(),
                allowed:
                    "the largest standard error that a value may have, above 0, in the units of \
                          the output"
                        .to_owned(),
            });
        }
        if options.estimator == Estimator::ShapSampling {
            return Err(refused(
                "a tolerance with the estimator shap_sampling, whose coalitions do not grow",
                "take auto, sampled, regression_adjusted or permutation",
            ));
        }
    }
    if options.used_only {
        return Err(refused(
            "to leave out unused features",
            "leave out used_only: nobody knows which features a black box uses",
        ));
    }
    if is_black_box && options.output != Output::Raw {
        return Err(refused(
            &format!("the output {}", options.output),
            "explain the raw output, which is what the model answers",
        ));
    }
    if matches!(
        options.estimator,
        Estimator::IntegratedGradients | Estimator::ExpectedGradients
    ) {
        return Err(refused(
            &format!("the estimator {}", options.estimator),
            "take another, or explain the graph of a network by deep SHAP",
        ));
    }
    if options.estimator == Estimator::Rescaled {
        return Err(refused(
            "the estimator rescaled",
            "take auto, exact, sampled, regression_adjusted, shap_sampling or permutation",
        ));
    }
    if options.index != Index::Shapley && options.estimator != Estimator::Exact {
        return Err(refused(
            "an estimate of Banzhaf values",
            "take the estimator exact, or the Shapley value",
        ));
    }
    Ok(())
}

pub(super) fn refused(what: &str, instead: &str) -> Error {
    Error::Unsupported {
        what: what.to_owned(),
        by: "Kernel SHAP".to_owned(),
        instead: instead.to_owned(),
    }
}

//! What Deep SHAP cannot explain, or cannot read.

use super::of_networks;
use crate::error::{Error, MEMORY, Result};
use crate::explain::method::unusable;
use crate::explain::{Estimator, Index, Link, Options, Output, ValueFunction};
use crate::model::Network;

/// Refuses cells that a network cannot read.
pub(super) fn check_row(
    network: &Network,
    cells: &[f64],
    at: impl Fn(usize) -> String,
) -> Result<()> {
    let bad = |cell: &f64| !(*cell as f32).is_finite();
    if let Some(feature) = cells.iter().position(bad) {
        return Err(unusable(MEMORY, at(feature), cells[feature]));
    }
    let mut first = 0;
    for (tensor, input) in network.inputs.iter().enumerate() {
        let own = first..first + input.cells();
        first = own.end;
        if !input.is_whole {
            continue;
        }
        let entries = network.entries(tensor);
        let fits = |cell: &f64| {
            cell.fract() == 0.0 && entries.is_none_or(|n| *cell >= 0.0 && *cell < n as f64)
        };
        if let Some(place) = cells[own.clone()].iter().position(|cell| !fits(cell)) {
            let limit = entries.map_or_else(String::new, |n| format!(" from 0 to {}", n - 1));
            return Err(Error::Data {
                path: MEMORY.into(),
                at: at(own.start + place),
                reason: format!(
                    "the cell is {}, but the input \"{}\" takes whole numbers{limit}",
                    cells[own.start + place],
                    input.name
                ),
            });
        }
    }
    Ok(())
}

/// The error for a layer that is not there.
pub(super) fn unknown(name: &str, network: &Network) -> Error {
    let mut some: Vec<&str> = Vec::new();
    for (layer, _) in &network.layers {
        if some.len() < 12 && !some.contains(&layer.as_str()) {
            some.push(layer);
        }
    }
    Error::Parameter {
        name: "layer",
        got: format!("\"{name}\""),
        allowed: format!(
            "a name of a node or a value of the network, such as {}",
            some.join(", ")
        ),
    }
}

/// Refuses what the method has no meaning for.
pub(super) fn check(options: &Options) -> Result<()> {
    let what = match options {
        Options {
            interactions: true, ..
        } => "interactions".to_owned(),
        Options { index, .. } if *index != Index::Shapley => format!("the index {}", index.name()),
        Options { output, .. } if *output != Output::Raw => format!("the output {output}"),
        Options { link, .. } if *link != Link::Identity => format!("the link {link}"),
        Options { estimator, .. } if !of_networks(*estimator) => {
            format!("the estimator {estimator}")
        }
        Options { value_function, .. }
            if !matches!(
                value_function,
                ValueFunction::Auto | ValueFunction::Interventional
            ) =>
        {
            format!("the value function {}", value_function.name())
        }
        Options {
            fallback: Some(_),
            estimator: by,
            ..
        } if *by != Estimator::Auto => format!("a fallback with the estimator {by}"),
        _ => return completeness(options),
    };
    Err(refused(
        &what,
        "leave it out, or explain the network by kernel SHAP",
    ))
}

/// Refuses a tolerance that is none, and a fallback that nothing leads to.
fn completeness(options: &Options) -> Result<()> {
    let refused = |name, got: String, allowed: &str| {
        let allowed = allowed.to_owned();
        Err(Error::Parameter { name, got, allowed })
    };
    if let Some(tolerance) = options
        .tolerance
        .filter(|&by| !(by > 0.0 && by.is_finite()))
    {
        return refused(
            "tolerance",
            tolerance.to_string(),
            "the completeness delta that a row may have, above 0, in the units of the output",
        );
    }
    match options.fallback {
        Some(by) if by == Estimator::Auto || !of_networks(by) => refused(
            "fallback",
            by.to_string(),
            "integrated_gradients or expected_gradients",
        ),
        Some(by) if options.tolerance.is_none() => refused(
            "fallback",
            format!("{by} without a tolerance"),
            "give the tolerance, too: the completeness delta from which on a row is computed again",
        ),
        _ => Ok(()),
    }
}

/// The error for what is not explained.
pub(super) fn refused(what: &str, instead: &str) -> Error {
    Error::Unsupported {
        what: what.to_owned(),
        by: "deep SHAP".to_owned(),
        instead: instead.to_owned(),
    }
}

//! The linear model of a row as a table of rules.

use std::fmt::Write;

use super::text::{self, Decimals, WIDTH, cut, number, plain};

/// The linear model of a row and an output.
#[derive(Debug, Clone, Copy)]
pub struct Coefficients<'a> {
    /// What is true of the row's samples that count, such as `age <= 28.0`: one per feature.
    pub rules: &'a [String],
    /// One coefficient per feature.
    pub values: &'a [f32],
    /// Their standard errors; NaN where one is not known.
    pub errors: &'a [f32],
    /// What the model says where no rule holds.
    pub intercept: f64,
    /// The weighted R² of its samples; NaN where it is not known.
    pub local_fit: f32,
}

/// The coefficients of largest size, of those that are not 0, as a table of at most 80 columns, with their standard errors.
pub fn coefficients(model: Coefficients<'_>, top: usize) -> String {
    let mut order: Vec<usize> = (0..model.values.len().min(model.rules.len())).collect();
    order.retain(|&at| model.values[at] != 0.0);
    order.sort_by(|&a, &b| model.values[b].abs().total_cmp(&model.values[a].abs()));
    let hidden = order.len().saturating_sub(top);
    order.truncate(top);
    let decimals = Decimals::of(order.iter().map(|&at| f64::from(model.values[at])));
    let shown = |value: f32| {
        if value.is_nan() {
            "unknown".to_owned()
        } else {
            decimals.show(f64::from(value))
        }
    };
    let numbers = order
        .iter()
        .map(|&at| shown(model.values[at]).len())
        .max()
        .unwrap_or(0);
    let rules = order
        .iter()
        .map(|&at| model.rules[at].chars().count())
        .max()
        .unwrap_or(0);
    let numbers = numbers.clamp("coefficient".len(), WIDTH / 4);
    let rules = rules.clamp("rule".len(), WIDTH - 2 * numbers - 4);
    let mut out = format!(
        "local fit {}, intercept {}\n\n{:rules$}  {:>numbers$}  {:>numbers$}\n",
        if model.local_fit.is_nan() {
            "unknown".to_owned()
        } else {
            number(f64::from(model.local_fit))
        },
        number(model.intercept),
        "rule",
        "coefficient",
        "± error"
    );
    for at in order {
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "{:rules$}  {:>numbers$}  {:>numbers$}",
            cut(&plain(&model.rules[at]), rules),
            shown(model.values[at]),
            model
                .errors
                .get(at)
                .map_or_else(String::new, |&error| shown(error)),
        );
    }
    if hidden > 0 {
        let _ = writeln!(out, "and {hidden} smaller ones");
    }
    text::trimmed(&out)
}

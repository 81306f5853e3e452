//! Permutation importances as JSON, as a table of CSV, and for a person.

use std::fmt::Write as _;
use std::io::{self, Write};

use super::text::{self, Decimals, WIDTH, bar, cut, plain};
use crate::explain::permutation::PermutationImportance;

/// A feature as it is shown: its name, importance and standard error, and the importance itself.
type Line = (String, String, String, f64);

/// Columns that names may take.
const NAME: usize = 32;

/// The whole result as one JSON object, whose keys are the names of its fields; NaN is `null`.
///
/// # Errors
/// What `out` says.
pub fn importance_json(importance: &PermutationImportance, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, importance)?;
    out.write_all(b"\n")
}

/// A line per feature, in their order: its name, the mean, standard deviation and standard error of its importance, and
/// its importance in each repeat. What is no number is empty.
///
/// # Errors
/// What `out` says.
pub fn importance_csv(importance: &PermutationImportance, out: &mut dyn Write) -> io::Result<()> {
    let mut table = csv::Writer::from_writer(out);
    let mut head: Vec<String> = [
        "feature",
        "importance",
        "standard_deviation",
        "standard_error",
    ]
    .map(str::to_owned)
    .to_vec();
    head.extend((0..importance.n_repeats).map(|repeat| format!("repeat_{repeat}")));
    table.write_record(&head)?;
    let number = |number: f64| {
        if number.is_nan() {
            String::new()
        } else {
            number.to_string()
        }
    };
    for (feature, name) in importance.feature_names.iter().enumerate() {
        let mut line = vec![
            name.clone(),
            number(importance.means[feature]),
            number(importance.standard_deviations[feature]),
            number(importance.standard_errors[feature]),
        ];
        let repeats = importance.importances.row(feature);
        line.extend(repeats.iter().map(|&importance| number(importance)));
        table.write_record(&line)?;
    }
    table.flush()
}

/// The first `top` features by importance, with standard errors, as a table of at most 80 columns.
pub fn importance_ranking(importance: &PermutationImportance, top: usize) -> String {
    let order = importance.ranking();
    let shown = &order[..order.len().min(top)];
    let decimals = Decimals::of(shown.iter().map(|&feature| importance.means[feature]));
    let line = |&feature: &usize| {
        let error = importance.standard_errors[feature];
        let error = if error.is_nan() {
            String::new()
        } else {
            format!("± {}", decimals.show(error))
        };
        (
            plain(&importance.feature_names[feature]),
            decimals.show(importance.means[feature]),
            error,
            importance.means[feature],
        )
    };
    let lines: Vec<Line> = shown.iter().map(line).collect();
    let longest = |of: &dyn Fn(&Line) -> usize, least: usize| {
        lines.iter().map(of).max().unwrap_or(0).max(least)
    };
    let names = longest(&|line| line.0.chars().count(), "feature".len()).min(NAME);
    let numbers = longest(&|line| line.1.len(), "importance".len());
    let errors = longest(
        &|line| line.2.chars().count(),
        "± std. error".chars().count(),
    );
    let bars = WIDTH.saturating_sub(names + numbers + errors + 5);
    let scale = lines.iter().map(|line| line.3).fold(0.0, f64::max);
    let error = if importance.n_repeats > 1 {
        "± std. error"
    } else {
        ""
    };
    let mut out = format!(
        "{:names$}  {:>numbers$} {error:<errors$}\n",
        "feature", "importance"
    );
    for (name, mean, error, size) in &lines {
        let share = if scale > 0.0 {
            (size / scale).max(0.0)
        } else {
            0.0
        };
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "{:names$}  {mean:>numbers$} {error:<errors$}  {}",
            cut(name, names),
            bar(share, bars)
        );
    }
    if order.len() > top {
        let _ = writeln!(out, "and {} others", order.len() - top);
    }
    text::trimmed(&out)
}

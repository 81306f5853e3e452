//! One row's values as a waterfall from the base value to the output.

use std::fmt::Write;

use super::cell::{self, Cell};
use super::text::{Decimals, WIDTH, cut, plain, trimmed};
use crate::data::Table;

/// Columns that `feature = value` may take.
const LABEL: usize = 36;

/// One row of one output.
#[derive(Debug, Clone, Copy)]
pub struct Waterfall<'a> {
    /// What the values add up to with the base value, as its line is named: `margin`, ….
    pub output: &'a str,
    /// What the values are added to.
    pub base_value: f64,
    /// One value per feature.
    pub values: &'a [f32],
    /// One name per feature, or group of features.
    pub features: &'a [String],
    /// The names of the model's columns, as [`crate::explanation::Header::columns`].
    pub columns: &'a [String],
    /// The explained table and the row in it, where its cells are to be shown.
    pub data: Option<(&'a Table, usize)>,
}

struct Step {
    label: String,
    value: f64,
    /// The sum with this value.
    sum: f64,
}

/// The `top` largest values of a row with their cells, each with the running sum and a bar from
/// the sum before to the sum after it: `█` where the value raises the sum, `░` where it lowers it.
/// The other features are one step before the last line. At most 80 columns.
pub fn waterfall(row: Waterfall<'_>, top: usize) -> String {
    let steps = steps(row, top);
    let total = steps.last().map_or(row.base_value, |step| step.sum);
    let sums = || {
        [row.base_value]
            .into_iter()
            .chain(steps.iter().map(|step| step.sum))
    };
    let decimals = Decimals::of(sums().chain(steps.iter().map(|step| step.value)));
    let longest = |lengths: &mut dyn Iterator<Item = usize>| lengths.max().unwrap_or(0);
    let labels = longest(&mut steps.iter().map(|step| step.label.chars().count()));
    let labels = labels
        .max(row.output.len())
        .max("base value".len())
        .max("feature = value".len());
    let values = longest(&mut steps.iter().map(|step| decimals.signed(step.value).len()));
    let values = values.max("contribution".len());
    let totals = longest(&mut sums().map(|sum| decimals.show(sum).len())).max("sum".len());
    let bars = WIDTH - labels - values - totals - 6;
    let low = sums().fold(f64::INFINITY, f64::min);
    let high = sums().fold(f64::NEG_INFINITY, f64::max);
    let mut out = String::new();
    let mut line = |label: &str, value: &str, sum: &str, bar: &str| {
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "{label:labels$}  {value:>values$}  {sum:>totals$}  {bar}"
        );
    };
    line("feature = value", "contribution", "sum", "");
    line("base value", "", &decimals.show(row.base_value), "");
    let mut before = row.base_value;
    for step in &steps {
        let scaled = |sum: f64| (sum - low) / (high - low);
        let bar = if step.value == 0.0 {
            String::new()
        } else {
            bar(scaled(before), scaled(step.sum), bars)
        };
        line(
            &step.label,
            &decimals.signed(step.value),
            &decimals.show(step.sum),
            &bar,
        );
        before = step.sum;
    }
    line(row.output, "", &decimals.show(total), "");
    trimmed(&out)
}

fn steps(row: Waterfall<'_>, top: usize) -> Vec<Step> {
    let mut largest: Vec<usize> = (0..row.values.len()).collect();
    let size = |feature: usize| row.values[feature].abs();
    largest.sort_by(|&a, &b| size(b).total_cmp(&size(a)));
    let order = row.data.map(|(table, _)| cell::order(row.columns, table));
    // A group has several cells, and shows none.
    let column_of = |feature: usize| {
        if row.features.len() == row.columns.len() {
            return Some(feature);
        }
        let name = row.features.get(feature)?;
        row.columns.iter().position(|column| column == name)
    };
    let label = |feature: usize| {
        let name = row
            .features
            .get(feature)
            .map_or_else(String::new, |n| plain(n));
        let column = order
            .as_ref()
            .and_then(|order| order.get(column_of(feature)?));
        let (Some((table, row)), Some(&column)) = (row.data, column) else {
            return cut(&name, LABEL);
        };
        let cell = cut(&format!(" = {}", Cell::of(table, row, column)), LABEL / 2);
        cut(&name, LABEL - cell.chars().count()) + &cell
    };
    let mut sum = row.base_value;
    let mut step = |label: String, value: f64| {
        sum += value;
        Step { label, value, sum }
    };
    // A single feature left over is better named than counted.
    let top = if largest.len() == top + 1 {
        top + 1
    } else {
        top
    };
    let mut steps: Vec<Step> = (largest.iter().take(top))
        .map(|&feature| step(label(feature), f64::from(row.values[feature])))
        .collect();
    if let Some(others) = largest.get(top..).filter(|others| !others.is_empty()) {
        let value = others
            .iter()
            .map(|&feature| f64::from(row.values[feature]))
            .sum();
        steps.push(step(format!("the {} other features", others.len()), value));
    }
    steps
}

/// A bar between two places from 0 to 1 of `width` columns, at least one column wide.
fn bar(from: f64, to: f64, width: usize) -> String {
    if !from.is_finite() || !to.is_finite() {
        return String::new();
    }
    let column = |place: f64| (place * width as f64).round() as usize;
    let (start, end) = (column(from.min(to)).min(width - 1), column(from.max(to)));
    let fill = if to >= from { "█" } else { "░" };
    " ".repeat(start) + &fill.repeat((end - start.min(end)).max(1))
}

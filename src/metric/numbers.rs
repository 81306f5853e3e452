//! Metrics of a number for each row.

use super::Metric;

/// The machine's epsilon, below which no label is taken to divide by.
const LEAST: f64 = f64::EPSILON;

/// Of labels and predictions of one length, at least one.
pub(super) fn score(metric: Metric, labels: &[f64], told: &[f64]) -> f64 {
    let mean = |term: &dyn Fn(f64, f64) -> f64| mean(labels, told, term);
    match metric {
        Metric::MeanSquaredError => mean(&|y, p| (y - p) * (y - p)),
        Metric::RootMeanSquaredError => mean(&|y, p| (y - p) * (y - p)).sqrt(),
        Metric::MeanSquaredLogError => mean(&log_square),
        Metric::RootMeanSquaredLogError => mean(&log_square).sqrt(),
        Metric::MeanAbsolutePercentageError => mean(&|y, p| (y - p).abs() / y.abs().max(LEAST)),
        Metric::MedianAbsoluteError => {
            let mut errors: Vec<f64> = labels
                .iter()
                .zip(told)
                .map(|(y, p)| (y - p).abs())
                .collect();
            let (middle, is_odd) = (errors.len() / 2, errors.len() % 2 == 1);
            let (below, upper, _) = errors.select_nth_unstable_by(middle, f64::total_cmp);
            let lower = below.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            if is_odd {
                *upper
            } else {
                f64::midpoint(lower, *upper)
            }
        }
        Metric::MaxError => {
            let errors = labels.iter().zip(told).map(|(y, p)| (y - p).abs());
            errors.fold(0.0, f64::max)
        }
        Metric::R2 => one_minus(
            mean(&|y, p| (y - p) * (y - p)),
            variance(labels.iter().copied()),
        ),
        Metric::ExplainedVariance => one_minus(
            variance(labels.iter().zip(told).map(|(y, p)| y - p)),
            variance(labels.iter().copied()),
        ),
        Metric::Pinball { alpha } => mean(&|y, p| {
            if y >= p {
                alpha * (y - p)
            } else {
                (1.0 - alpha) * (p - y)
            }
        }),
        Metric::PoissonDeviance => mean(&|y, p| {
            let log = if y == 0.0 { 0.0 } else { y * (y / p).ln() };
            2.0 * (log - y + p)
        }),
        Metric::GammaDeviance => mean(&|y, p| 2.0 * ((p / y).ln() + y / p - 1.0)),
        // The others are of classes.
        _ => mean(&|y, p| (y - p).abs()),
    }
}

fn log_square(y: f64, p: f64) -> f64 {
    let off = y.ln_1p() - p.ln_1p();
    off * off
}

fn mean(labels: &[f64], told: &[f64], term: &dyn Fn(f64, f64) -> f64) -> f64 {
    let terms = labels.iter().zip(told).map(|(y, p)| term(*y, *p));
    terms.sum::<f64>() / labels.len() as f64
}

fn variance(numbers: impl Iterator<Item = f64> + Clone) -> f64 {
    let count = numbers.clone().count() as f64;
    let mean = numbers.clone().sum::<f64>() / count;
    numbers.map(|x| (x - mean) * (x - mean)).sum::<f64>() / count
}

/// `1 − a / b`; of labels that are all the same 1 for no error, else 0, as scikit-learn has it.
fn one_minus(a: f64, b: f64) -> f64 {
    match (a == 0.0, b == 0.0) {
        (true, true) => 1.0,
        (false, true) => 0.0,
        _ => 1.0 - a / b,
    }
}

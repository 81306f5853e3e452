//! Metrics of a number for each class of a row: areas under curves, and losses of probabilities.

use ndarray::{ArrayView1, ArrayView2};

/// The number of a class of a row, where one column stands for the second of two.
pub(super) fn probability(answers: &ArrayView2<'_, f64>, row: usize, class: usize) -> f64 {
    match (answers.ncols(), class) {
        (1, 0) => 1.0 - answers[[row, 0]],
        (1, _) => answers[[row, 0]],
        _ => answers[[row, class]],
    }
}

/// The mean of −ln p of the true class.
pub(super) fn log_loss(truth: &[u32], answers: &ArrayView2<'_, f64>) -> f64 {
    let loss = |(row, class): (usize, &u32)| {
        let p = probability(answers, row, *class as usize);
        -p.clamp(f64::EPSILON, 1.0 - f64::EPSILON).ln()
    };
    truth.iter().enumerate().map(loss).sum::<f64>() / truth.len() as f64
}

/// The mean of `Σ (p − [class])²`, halved of two classes.
pub(super) fn brier(truth: &[u32], classes: usize, answers: &ArrayView2<'_, f64>) -> f64 {
    let mut sum = 0.0;
    for (row, &class) in truth.iter().enumerate() {
        for k in 0..classes {
            let off = probability(answers, row, k) - f64::from(u8::from(k == class as usize));
            sum += off * off;
        }
    }
    let scale = if classes < 3 { 0.5 } else { 1.0 };
    scale * sum / truth.len() as f64
}

/// Rows of a class, and others, from the largest number down: how many there were of each, after every number that is
/// another one.
fn steps(is_of: impl Fn(usize) -> bool, numbers: &ArrayView1<'_, f64>) -> Vec<[f64; 2]> {
    let mut order: Vec<usize> = (0..numbers.len()).collect();
    order.sort_unstable_by(|&a, &b| numbers[b].total_cmp(&numbers[a]));
    let mut steps = Vec::new();
    let mut counts = [0.0, 0.0];
    for (place, &row) in order.iter().enumerate() {
        counts[usize::from(!is_of(row))] += 1.0;
        let next = order.get(place + 1);
        // 0 and −0 are one number.
        if next.is_none_or(|&next| numbers[next] != numbers[row]) {
            steps.push(counts);
        }
    }
    steps
}

/// The area under the ROC curve of one class against the rest.
pub(super) fn roc_auc(is_of: impl Fn(usize) -> bool, numbers: &ArrayView1<'_, f64>) -> f64 {
    let steps = steps(is_of, numbers);
    let [all, others] = steps.last().copied().unwrap_or_default();
    let (mut area, mut before) = (0.0, [0.0, 0.0]);
    for step in steps {
        // Pairs of whole numbers, and half of those at the same number.
        area += (step[1] - before[1]) * (step[0] + before[0]);
        before = step;
    }
    area / (2.0 * all * others)
}

/// The average precision of one class against the rest.
pub(super) fn average_precision(
    is_of: impl Fn(usize) -> bool,
    numbers: &ArrayView1<'_, f64>,
) -> f64 {
    let steps = steps(is_of, numbers);
    let [all, _] = steps.last().copied().unwrap_or_default();
    let (mut sum, mut before) = (0.0, 0.0);
    for [right, wrong] in steps {
        sum += (right - before) * right / (right + wrong);
        before = right;
    }
    sum / all
}

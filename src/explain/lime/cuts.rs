//! Where the bins of a column of numbers end.

/// Levels of the tree that tells labels apart.
const DEPTH: usize = 3;

/// Cells that differ by no more are not told apart, as scikit-learn has it.
const APART: f32 = 1e-7;

/// The ends of so many bins of as many cells each, ascending and each once, for cells in ascending order: the quantiles,
/// linear between cells.
pub(super) fn quantiles(sorted: &[f64], bins: usize) -> Vec<f64> {
    let last = sorted.len().saturating_sub(1);
    let quantile = |k: usize| {
        let place = k as f64 / bins as f64 * last as f64;
        let (below, part) = (place.floor() as usize, place.fract());
        let (a, b) = (sorted[below], sorted[(below + 1).min(last)]);
        // From the nearer end, as NumPy interpolates.
        if part < 0.5 {
            a + (b - a) * part
        } else {
            b - (b - a) * (1.0 - part)
        }
    };
    let mut cuts: Vec<f64> = if sorted.is_empty() {
        Vec::new()
    } else {
        (1..bins).map(quantile).collect()
    };
    cuts.dedup();
    cuts
}

/// The thresholds of a decision tree on cells with labels, which splits by entropy, in float32, as scikit-learn does; the
/// median if there is nothing to tell apart.
pub(super) fn entropy(cells: &[f64], labels: &[u32]) -> Vec<f64> {
    let mut pairs: Vec<(f32, u32)> = (cells.iter().map(|&cell| cell as f32))
        .zip(labels.iter().copied())
        .collect();
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
    let classes = labels.iter().max().map_or(0, |&most| most as usize + 1);
    let mut cuts = Vec::new();
    split(&pairs, classes, DEPTH, &mut cuts);
    if cuts.is_empty() {
        let mut sorted = cells.to_vec();
        sorted.sort_by(f64::total_cmp);
        return quantiles(&sorted, 2);
    }
    cuts.sort_by(f64::total_cmp);
    cuts.dedup();
    cuts
}

fn split(pairs: &[(f32, u32)], classes: usize, depth: usize, cuts: &mut Vec<f64>) {
    let mut right = vec![0_usize; classes];
    for &(_, label) in pairs {
        right[label as usize] += 1;
    }
    let is_pure = right.iter().filter(|&&count| count > 0).count() < 2;
    if depth == 0 || is_pure {
        return;
    }
    let mut left = vec![0_usize; classes];
    let mut best: Option<(f64, usize)> = None;
    for at in 1..pairs.len() {
        let label = pairs[at - 1].1 as usize;
        left[label] += 1;
        right[label] -= 1;
        if pairs[at].0 <= pairs[at - 1].0 + APART {
            continue;
        }
        let gain = -disorder(&left) - disorder(&right);
        if best.is_none_or(|(most, _)| gain > most) {
            best = Some((gain, at));
        }
    }
    let Some((_, at)) = best else { return };
    let (below, above) = (f64::from(pairs[at - 1].0), f64::from(pairs[at].0));
    cuts.push(below / 2.0 + above / 2.0);
    split(&pairs[..at], classes, depth - 1, cuts);
    split(&pairs[at..], classes, depth - 1, cuts);
}

/// The entropy of the labels, times their number.
fn disorder(counts: &[usize]) -> f64 {
    let total = counts.iter().sum::<usize>() as f64;
    let of = |&count: &usize| {
        let part = count as f64 / total;
        if count > 0 { -part * part.log2() } else { 0.0 }
    };
    total * counts.iter().map(of).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_linear_between_cells_and_each_is_there_once() {
        assert_eq!(quantiles(&[1.0, 2.0, 3.0, 4.0], 4), [1.75, 2.5, 3.25]);
        assert_eq!(quantiles(&[5.0; 9], 4), [5.0]);
        assert_eq!(quantiles(&[0.0, 0.0, 0.0, 8.0], 4), [0.0, 2.0]);
        assert!(quantiles(&[], 4).is_empty());
    }

    #[test]
    fn entropy_cuts_where_labels_change() {
        let cells: Vec<f64> = (0..40).map(f64::from).collect();
        let labels: Vec<u32> = (0..40).map(|cell| u32::from(cell / 10 % 2 == 1)).collect();
        assert_eq!(entropy(&cells, &labels), [9.5, 19.5, 29.5]);
        assert_eq!(entropy(&cells, &[1; 40]), [19.5]);
    }
}

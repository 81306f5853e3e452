//! Least angle regression with the lasso's modification (Efron, Hastie, Johnstone & Tibshirani 2004), on the normal
//! equations.

use std::borrow::Cow;

use super::select::Regression;
use super::square::Cholesky;

/// Steps at most, as scikit-learn takes them.
const STEPS: usize = 500;

/// The share of a correlation, by sample, below which the path ends: the precision of float32.
const ENOUGH: f64 = f32::EPSILON as f64;

/// What those in the path determine of a feature that may join them, at the least.
const DETERMINED: f64 = 1e-7;

/// Which features have a coefficient at each vertex of the lasso's path, from none on, over so many samples.
pub(super) fn path(regression: &dyn Regression, samples: usize) -> Vec<Vec<usize>> {
    let (squares, products) = (regression.squares(), regression.products());
    let size = products.len();
    let mut vertices = vec![Vec::new()];
    let mut active: Vec<usize> = Vec::new();
    // The products of each of them and all.
    let mut rows: Vec<Cow<'_, [f64]>> = Vec::new();
    let mut beta = vec![0.0; size];
    let mut left = products.to_vec();
    let mut is_refused = vec![false; size];
    // The feature that lost its coefficient in the last step.
    let mut dropped = None;
    let mut before = f64::INFINITY;
    while vertices.len() <= STEPS {
        let open = (0..size).filter(|feature| !is_refused[*feature] && !active.contains(feature));
        let open: Vec<usize> = open.collect();
        let largest = |best: Option<usize>, &feature: &usize| match best {
            Some(other) if left[other].abs() >= left[feature].abs() => best,
            _ => Some(feature),
        };
        let next = open.iter().fold(None, largest);
        let most = next.map_or(0.0, |feature| left[feature].abs());
        if most / samples as f64 <= ENOUGH || active.len() >= size {
            break;
        }
        if dropped.is_none() {
            let Some(feature) = next else { break };
            if pivot(squares[feature], &rows, &active, feature) < DETERMINED {
                is_refused[feature] = true;
                continue;
            }
            active.push(feature);
            rows.push(regression.row(feature));
        }
        if most > before {
            break;
        }
        before = most;
        let signs: Vec<f64> = active.iter().map(|&f| left[f].signum()).collect();
        let Some(factor) = Cholesky::new(active.len(), among(&rows, &active)) else {
            break;
        };
        let mut direction = signs.clone();
        factor.solve(&mut direction);
        let inner: f64 = direction.iter().zip(&signs).map(|(a, b)| a * b).sum();
        let angle = 1.0 / inner.sqrt();
        for step in &mut direction {
            *step *= angle;
        }
        let slope = |feature: usize| -> f64 {
            let pairs = rows.iter().zip(&direction);
            pairs.map(|(row, d)| row[feature] * d).sum()
        };
        let mut step = most / angle;
        for &feature in open.iter().filter(|f| !active.contains(f)) {
            // One that was dropped is where the others are: it is met again on the other side alone.
            let (slope, left) = (slope(feature), left[feature]);
            let sides = [
                (most - left, angle - slope, left > 0.0),
                (most + left, angle + slope, left < 0.0),
            ];
            for (gap, pace, is_near) in sides {
                let at = gap / pace;
                if at > 0.0 && at < step && !(is_near && dropped == Some(feature)) {
                    step = at;
                }
            }
        }
        // The first coefficient that reaches 0 leaves.
        dropped = None;
        let mut leaves = None;
        for (place, &feature) in active.iter().enumerate() {
            let at = -beta[feature] / direction[place];
            if at > 0.0 && at < step {
                step = at;
                leaves = Some(place);
            }
        }
        for (&feature, direction) in active.iter().zip(&direction) {
            beta[feature] += step * direction;
        }
        for (feature, left) in left.iter_mut().enumerate() {
            *left -= step * slope(feature);
        }
        if let Some(place) = leaves {
            let feature = active.remove(place);
            rows.remove(place);
            beta[feature] = 0.0;
            dropped = Some(feature);
        }
        let mut with = active.clone();
        with.retain(|&feature| beta[feature] != 0.0);
        with.sort_unstable();
        vertices.push(with);
    }
    vertices
}

/// The root of what a feature has beside those that are active.
fn pivot(own: f64, rows: &[Cow<'_, [f64]>], active: &[usize], feature: usize) -> f64 {
    let Some(factor) = Cholesky::new(active.len(), among(rows, active)) else {
        return 0.0;
    };
    let with: Vec<f64> = rows.iter().map(|row| row[feature]).collect();
    let mut solved = with.clone();
    factor.solve(&mut solved);
    let shared: f64 = with.iter().zip(&solved).map(|(a, b)| a * b).sum();
    (own - shared).max(0.0).sqrt()
}

/// The products of those that are active among themselves.
fn among(rows: &[Cow<'_, [f64]>], active: &[usize]) -> Vec<f64> {
    let of = |row: &Cow<'_, [f64]>| active.iter().map(|&f| row[f]).collect::<Vec<f64>>();
    rows.iter().flat_map(of).collect()
}

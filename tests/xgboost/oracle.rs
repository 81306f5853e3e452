//! Path-dependent Shapley values by their definition as an integral, leaf by leaf, in float64.

use std::collections::BTreeMap;
use std::sync::Mutex;

use whylight::model::{Node, Output, Trees};

/// A feature on a path: whether the row takes all of its turns, and its share of the cover.
type Step = (usize, bool, f64);

/// The values of a row, (output, feature + 1), the last of each output being the expected value.
pub(crate) fn path_dependent(trees: &Trees, row: &[f64]) -> Vec<f64> {
    let width = trees.features.len() + 1;
    let mut values = vec![0.0; trees.outputs.len() * width];
    for (k, base) in trees.base.iter().enumerate() {
        values[k * width + width - 1] = *base;
    }
    for tree in &trees.trees {
        let mut stack = vec![(0_usize, Vec::<Step>::new())];
        while let Some((n, path)) = stack.pop() {
            let split = match &tree.nodes[n] {
                Node::Split(split) => split,
                Node::Leaf { leaf, .. } => {
                    let leaf = *leaf as usize;
                    match tree.output {
                        Output::One(k) => {
                            let values = &mut values[k as usize * width..][..width];
                            add(values, &path, tree.values[leaf]);
                        }
                        Output::All => {
                            for (k, values) in values.chunks_mut(width).enumerate() {
                                add(values, &path, tree.values[leaf * trees.outputs.len() + k]);
                            }
                        }
                    }
                    continue;
                }
            };
            let feature = split.feature as usize;
            let left = split.left(row[feature], trees.precision, trees.fraction);
            for (child, taken) in [(split.left, left), (split.right, !left)] {
                let cover = match &tree.nodes[child as usize] {
                    Node::Split(child) => child.cover,
                    Node::Leaf { cover, .. } => *cover,
                };
                // XGBoost's rule for covers of zero.
                let share = match split.cover {
                    0.0 => 0.5,
                    parent => (cover / parent).max(1e-12),
                };
                let mut path = path.clone();
                match path.iter_mut().find(|step| step.0 == feature) {
                    Some(step) => *step = (feature, step.1 && taken, step.2 * share),
                    None => path.push((feature, taken, share)),
                }
                stack.push((child as usize, path));
            }
        }
    }
    values
}

/// Adds what a leaf of `value` at the end of `path` gives to each feature.
fn add(values: &mut [f64], path: &[Step], value: f64) {
    *values.last_mut().unwrap() += value * path.iter().map(|step| step.2).product::<f64>();
    let taken = |step: &Step| f64::from(u8::from(step.1));
    // others[j] is the product of all factors but that of step j.
    let mut others = vec![0.0; path.len()];
    for (u, weight) in rule(path.len() / 2 + 1) {
        let factor = |step: &Step| (1.0 - u) * step.2 + u * taken(step);
        let mut product = 1.0;
        for (others, step) in others.iter_mut().zip(path) {
            *others = product;
            product *= factor(step);
        }
        product = 1.0;
        for (others, step) in others.iter().zip(path).rev() {
            values[step.0] += weight * value * (taken(step) - step.2) * others * product;
            product *= factor(step);
        }
    }
}

/// Gauss–Legendre points and weights on [0, 1], by Newton's method on the Legendre polynomial.
fn rule(n: usize) -> Vec<(f64, f64)> {
    static KNOWN: Mutex<BTreeMap<usize, Vec<(f64, f64)>>> = Mutex::new(BTreeMap::new());
    if let Some(rule) = KNOWN.lock().unwrap().get(&n) {
        return rule.clone();
    }
    let points = (0..n).map(|i| {
        let mut x = (std::f64::consts::PI * (i as f64 + 0.75) / (n as f64 + 0.5)).cos();
        let mut slope = 1.0;
        for _ in 0..100 {
            let (mut before, mut now) = (0.0, 1.0);
            for j in 1..=n {
                let j = j as f64;
                let next = ((2.0 * j - 1.0) * x * now - (j - 1.0) * before) / j;
                (before, now) = (now, next);
            }
            slope = n as f64 * (x * now - before) / (x * x - 1.0);
            x -= now / slope;
        }
        ((1.0 - x) / 2.0, 1.0 / ((1.0 - x * x) * slope * slope))
    });
    let rule: Vec<_> = points.collect();
    KNOWN.lock().unwrap().insert(n, rule.clone());
    rule
}

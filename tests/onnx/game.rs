//! The path-dependent game by its definition: all subsets of the features, one expectation each.

use whylight::model::{Node, Output, Trees};

use crate::corpus::Matrix;

/// Sets each node's cover to the number of rows that reach it.
pub(crate) fn count_covers(trees: &mut Trees, rows: &Matrix) {
    let (precision, fraction) = (trees.precision, trees.fraction);
    for i in 0..rows.shape[0] {
        let row = rows.row(i);
        for tree in &mut trees.trees {
            let mut n = 0;
            loop {
                match &mut tree.nodes[n] {
                    Node::Leaf { cover, .. } => {
                        *cover += 1.0;
                        break;
                    }
                    Node::Split(split) => {
                        split.cover += 1.0;
                        let left = split.left(row[split.feature as usize], precision, fraction);
                        n = if left { split.left } else { split.right } as usize;
                    }
                }
            }
        }
    }
}

/// What every coalition of features is worth, (output, coalition).
pub(crate) fn worth(trees: &Trees, row: &[f64]) -> Vec<Vec<f64>> {
    let worth = by_coalition(trees, row);
    let output = |k: usize| worth.iter().map(|worth| worth[k]).collect();
    (0..trees.outputs.len()).map(output).collect()
}

fn by_coalition(trees: &Trees, row: &[f64]) -> Vec<Vec<f64>> {
    (0..1_usize << trees.features.len())
        .map(|subset| {
            let mut worth = trees.base.clone();
            for t in 0..trees.trees.len() {
                expect(trees, t, 0, row, subset, 1.0, &mut worth);
            }
            worth
        })
        .collect()
}

/// The values of a row, (output, feature + 1), the last of each output being the expected value.
pub(crate) fn path_dependent(trees: &Trees, row: &[f64]) -> Vec<f64> {
    let (features, outputs) = (trees.features.len(), trees.outputs.len());
    let worth = by_coalition(trees, row);
    let factorial = |n: usize| (1..=n).map(|i| i as f64).product::<f64>();
    let mut values = vec![0.0; outputs * (features + 1)];
    for k in 0..outputs {
        let values = &mut values[k * (features + 1)..][..=features];
        values[features] = worth[0][k];
        for (f, value) in values[..features].iter_mut().enumerate() {
            for subset in (0..worth.len()).filter(|subset| subset >> f & 1 == 0) {
                let size = subset.count_ones() as usize;
                let orders = factorial(size) * factorial(features - size - 1);
                let gain = worth[subset | 1 << f][k] - worth[subset][k];
                *value += orders / factorial(features) * gain;
            }
        }
    }
    values
}

/// Adds `share` of what is expected below node `n` if the features of `subset` are known.
fn expect(
    trees: &Trees,
    t: usize,
    n: usize,
    row: &[f64],
    subset: usize,
    share: f64,
    worth: &mut [f64],
) {
    let tree = &trees.trees[t];
    let split = match &tree.nodes[n] {
        Node::Split(split) => split,
        Node::Leaf { leaf, .. } => {
            let leaf = *leaf as usize;
            match tree.output {
                Output::One(k) => worth[k as usize] += share * tree.values[leaf],
                Output::All => {
                    let values = &tree.values[leaf * worth.len()..];
                    for (worth, value) in worth.iter_mut().zip(values) {
                        *worth += share * value;
                    }
                }
            }
            return;
        }
    };
    let feature = split.feature as usize;
    let left = split.left(row[feature], trees.precision, trees.fraction);
    for (child, taken) in [(split.left, left), (split.right, !left)] {
        let cover = match &tree.nodes[child as usize] {
            Node::Split(child) => child.cover,
            Node::Leaf { cover, .. } => *cover,
        };
        let part = match (subset >> feature & 1 == 1, taken) {
            (true, true) => 1.0,
            (true, false) => continue,
            // Where no row came, both sides count alike.
            (false, _) if split.cover == 0.0 => 0.5,
            (false, _) => cover / split.cover,
        };
        expect(trees, t, child as usize, row, subset, share * part, worth);
    }
}

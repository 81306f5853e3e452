//! Interventional Shapley values by their definition: the features outside a coalition take the
//! values of a background row, on average over the background (Janzing et al. 2020), and every
//! coalition is evaluated.

use whylight::model::Trees;
use whylight_kernels::Forest;
use whylight_kernels::legendre::Rule;

use super::shapley;

/// A background row and its weight; the weights of a background sum to 1.
pub(crate) type Other<Cell> = (Vec<Cell>, f64);

/// Values (output, feature) of a row given as prepared cells, one per feature; at most 20 features.
pub(crate) fn values(
    forest: &Forest,
    thresholds: &[f32],
    row: &[f32],
    background: &[Other<f32>],
) -> Vec<Vec<f64>> {
    let worth = worth(forest, thresholds, row, background);
    worth.iter().map(|worth| shapley::values(worth)).collect()
}

/// What every coalition is worth, (output, coalition).
pub(crate) fn worth(
    forest: &Forest,
    thresholds: &[f32],
    row: &[f32],
    background: &[Other<f32>],
) -> Vec<Vec<f64>> {
    let margins = |row: &[f32]| {
        let mut margins = vec![0.0; forest.outputs as usize];
        for (&root, &output) in forest.roots.iter().zip(&forest.tree_outputs) {
            let mut n = root;
            while !forest.nodes[n as usize].is_leaf() {
                let node = &forest.nodes[n as usize];
                let x = row[node.column as usize];
                let left = node.test.left(x, thresholds[n as usize], &forest.sets);
                n = if left { node.left } else { node.right };
            }
            margins[output as usize] += forest.nodes[n as usize].value;
        }
        margins
    };
    of(row, background, margins)
}

/// What every coalition of the features of a model is worth, (output, coalition).
pub(crate) fn worth_of_model(
    trees: &Trees,
    row: &[f64],
    background: &[Other<f64>],
) -> Vec<Vec<f64>> {
    of(row, background, |row| trees.margin(row))
}

/// The same of any function of a row.
pub(crate) fn of<Cell: Copy>(
    row: &[Cell],
    background: &[Other<Cell>],
    margins: impl Fn(&[Cell]) -> Vec<f64>,
) -> Vec<Vec<f64>> {
    let features = row.len();
    let outputs = margins(row).len();
    let mut worth = vec![vec![0.0; 1 << features]; outputs];
    for coalition in 0..1_usize << features {
        for (other, weight) in background {
            let cell = |f: usize| {
                if coalition >> f & 1 == 1 {
                    row[f]
                } else {
                    other[f]
                }
            };
            let mixed: Vec<Cell> = (0..features).map(cell).collect();
            for (worth, margin) in worth.iter_mut().zip(margins(&mixed)) {
                worth[coalition] += weight * margin;
            }
        }
    }
    worth
}

/// The interactions (output, pair) for any number of features, the pairs in the order (0, 1), (0, 2),
/// …, (1, 2), …: each leaf pays to the coalitions with all features of one set, where only the row
/// keeps to its path, and none of another, where only the background row does. The second derivative
/// of that product is integrated with more points than it needs.
pub(crate) fn interactions_by_paths(
    forest: &Forest,
    thresholds: &[f32],
    row: &[f32],
    background: &[Other<f32>],
) -> Vec<Vec<f64>> {
    let features = forest.features as usize;
    let pairs = features * features.saturating_sub(1) / 2;
    let mut interactions = vec![vec![0.0; pairs]; forest.outputs as usize];
    let rule = Rule::new(features / 2 + 3);
    for (other, weight) in background {
        for (&root, &output) in forest.roots.iter().zip(&forest.tree_outputs) {
            // By feature, whether the row and the background row keep to the path.
            let mut open = vec![(root, vec![[true; 2]; features])];
            while let Some((n, keeps)) = open.pop() {
                let node = &forest.nodes[n as usize];
                if !node.is_leaf() {
                    for (child, is_left) in [(node.left, true), (node.right, false)] {
                        let mut keeps = keeps.clone();
                        let of_feature = &mut keeps[node.feature as usize];
                        for (keeps, cells) in of_feature.iter_mut().zip([row, other]) {
                            let x = cells[node.column as usize];
                            let left = node.test.left(x, thresholds[n as usize], &forest.sets);
                            *keeps &= left == is_left;
                        }
                        if *of_feature != [false; 2] {
                            open.push((child, keeps));
                        }
                    }
                    continue;
                }
                let mut pair = 0;
                for i in 0..features {
                    for j in i + 1..features {
                        let slope = |f: usize| match keeps[f] {
                            [true, false] => 1.0,
                            [false, true] => -1.0,
                            _ => 0.0,
                        };
                        let slopes: f64 = slope(i) * slope(j);
                        if slopes != 0.0 {
                            let at = |u: f64| -> f64 {
                                let others = (0..features).filter(|f| *f != i && *f != j);
                                let factors = others.map(|f| match keeps[f] {
                                    [true, false] => u,
                                    [false, true] => 1.0 - u,
                                    _ => 1.0,
                                });
                                factors.product()
                            };
                            let points = rule.points.iter().zip(&rule.weights);
                            let integral: f64 = points.map(|(&u, w)| w * at(u)).sum();
                            interactions[output as usize][pair] +=
                                0.5 * weight * node.value * slopes * integral;
                        }
                        pair += 1;
                    }
                }
            }
        }
    }
    interactions
}

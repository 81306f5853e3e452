//! Interventional Shapley values by their definition: the features outside a coalition take the
//! values of a background row, on average over the background (Janzing et al. 2020), and every
//! coalition is evaluated.

use whylight::model::Trees;
use whylight_kernels::Forest;

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

//! Interventional Shapley values by their definition: the features outside a coalition take the
//! values of a background row, on average over the background (Janzing et al. 2020), and every
//! coalition is evaluated.

use whylight::model::Trees;
use whylight_kernels::Forest;

use super::path_dependent::weight;

/// A background row and its weight; the weights of a background sum to 1.
pub(crate) type Other<Cell> = (Vec<Cell>, f64);

/// Values (output, feature) of a row given as prepared cells, one per feature; at most 20 features.
pub(crate) fn values(
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

/// Values (output, feature) of a row of a model, in the order of its features.
pub(crate) fn of_model(trees: &Trees, row: &[f64], background: &[Other<f64>]) -> Vec<Vec<f64>> {
    of(row, background, |row| trees.margin(row))
}

fn of<Cell: Copy>(
    row: &[Cell],
    background: &[Other<Cell>],
    margins: impl Fn(&[Cell]) -> Vec<f64>,
) -> Vec<Vec<f64>> {
    let features = row.len();
    let worth: Vec<Vec<f64>> = (0..1_usize << features)
        .map(|coalition| {
            let mut worth = Vec::new();
            for (other, weight) in background {
                let cell = |f: usize| {
                    if coalition >> f & 1 == 1 {
                        row[f]
                    } else {
                        other[f]
                    }
                };
                let mixed: Vec<Cell> = (0..features).map(cell).collect();
                let margins = margins(&mixed);
                worth.resize(margins.len(), 0.0);
                for (worth, margin) in worth.iter_mut().zip(margins) {
                    *worth += weight * margin;
                }
            }
            worth
        })
        .collect();
    let value = |output: usize, feature: usize| {
        let without = (0..worth.len()).filter(|coalition| coalition >> feature & 1 == 0);
        let gains = without.map(|coalition| {
            let gain = worth[coalition | 1 << feature][output] - worth[coalition][output];
            weight(coalition.count_ones() as usize, features) * gain
        });
        gains.sum::<f64>()
    };
    (0..worth[0].len())
        .map(|output| {
            (0..features)
                .map(|feature| value(output, feature))
                .collect()
        })
        .collect()
}

//! Path-dependent Shapley values by their definition: every coalition is evaluated with
//! Algorithm 1 of Lundberg et al. (2020), and weighted as Shapley (1953) does.

use whylight_kernels::Forest;

use super::shapley;

/// Values (output, feature) of a row given as prepared cells, one per column; at most 20 features.
pub(crate) fn values(forest: &Forest, thresholds: &[f32], row: &[f32]) -> Vec<Vec<f64>> {
    let worth = worth(forest, thresholds, row);
    worth.iter().map(|worth| shapley::values(worth)).collect()
}

/// What every coalition is worth, (output, coalition).
pub(crate) fn worth(forest: &Forest, thresholds: &[f32], row: &[f32]) -> Vec<Vec<f64>> {
    let coalitions = 1_usize << forest.features;
    let mut worth = vec![vec![0.0; coalitions]; forest.outputs as usize];
    for (&root, &output) in forest.roots.iter().zip(&forest.tree_outputs) {
        for (coalition, worth) in worth[output as usize].iter_mut().enumerate() {
            *worth += expected(forest, thresholds, row, root, coalition);
        }
    }
    worth
}

/// The expected value of the subtree under `n` when the features of `coalition` take the row's
/// values and all others follow the cover.
fn expected(forest: &Forest, thresholds: &[f32], row: &[f32], n: u32, coalition: usize) -> f64 {
    let node = &forest.nodes[n as usize];
    if node.is_leaf() {
        return node.value;
    }
    let below = |child: u32| expected(forest, thresholds, row, child, coalition);
    if coalition >> node.feature & 1 == 1 {
        let x = row[node.column as usize];
        let left = node.test.left(x, thresholds[n as usize], &forest.sets);
        below(if left { node.left } else { node.right })
    } else {
        let fraction = |child: u32| forest.nodes[child as usize].fraction;
        fraction(node.left) * below(node.left) + fraction(node.right) * below(node.right)
    }
}

/// The same values for any number of features, in float64: each leaf's game over the features of
/// its path, whose multilinear extension is integrated with more points than it needs.
pub(crate) fn values_by_paths(forest: &Forest, thresholds: &[f32], row: &[f32]) -> Vec<Vec<f64>> {
    let features = forest.features as usize;
    let mut values = vec![vec![0.0; features]; forest.outputs as usize];
    for (&root, &output) in forest.roots.iter().zip(&forest.tree_outputs) {
        let mut open = vec![(root, Vec::<(u32, bool, f64)>::new())];
        while let Some((n, path)) = open.pop() {
            let node = &forest.nodes[n as usize];
            if node.is_leaf() {
                add_leaf(node.value, &path, &mut values[output as usize]);
                continue;
            }
            let x = row[node.column as usize];
            let goes_left = node.test.left(x, thresholds[n as usize], &forest.sets);
            for (child, is_left) in [(node.left, true), (node.right, false)] {
                let mut path = path.clone();
                let met = goes_left == is_left;
                let fraction = forest.nodes[child as usize].fraction;
                match path.iter_mut().find(|known| known.0 == node.feature) {
                    Some(known) => *known = (known.0, known.1 && met, known.2 * fraction),
                    None => path.push((node.feature, met, fraction)),
                }
                open.push((child, path));
            }
        }
    }
    values
}

fn add_leaf(value: f64, path: &[(u32, bool, f64)], values: &mut [f64]) {
    let rule = whylight_kernels::legendre::Rule::new(path.len() / 2 + 3);
    for (i, &(feature, met, z)) in path.iter().enumerate() {
        let mut integral = 0.0;
        for (&u, &weight) in rule.points.iter().zip(&rule.weights) {
            let others = path.iter().enumerate().filter(|(j, _)| *j != i);
            let product: f64 = others
                .map(|(_, &(_, met, z))| z * (1.0 - u) + if met { u } else { 0.0 })
                .product();
            integral += weight * product;
        }
        values[feature as usize] += value * (f64::from(u8::from(met)) - z) * integral;
    }
}

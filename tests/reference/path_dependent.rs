//! Path-dependent Shapley values by their definition: every coalition is evaluated with
//! Algorithm 1 of Lundberg et al. (2020), and weighted as Shapley (1953) does.

use whylight_kernels::Forest;
use whylight_kernels::legendre::Rule;

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
    let mut values = vec![vec![0.0; forest.features as usize]; forest.outputs as usize];
    for_each_leaf(forest, thresholds, row, |output, value, path, rule| {
        for (i, &(feature, met, z)) in path.iter().enumerate() {
            let gain = f64::from(u8::from(met)) - z;
            values[output][feature as usize] += value * gain * integral(rule, path, &[i]);
        }
    });
    values
}

/// The interactions (output, pair) in the same way, the pairs in the order (0, 1), (0, 2), …, (1, 2), ….
pub(crate) fn interactions_by_paths(
    forest: &Forest,
    thresholds: &[f32],
    row: &[f32],
) -> Vec<Vec<f64>> {
    let features = forest.features as usize;
    let pairs = features * features.saturating_sub(1) / 2;
    let mut interactions = vec![vec![0.0; pairs]; forest.outputs as usize];
    for_each_leaf(forest, thresholds, row, |output, value, path, rule| {
        let mut path = path.to_vec();
        path.sort_by_key(|condition| condition.0);
        for (a, &(i, met_i, z_i)) in path.iter().enumerate() {
            for (b, &(j, met_j, z_j)) in path.iter().enumerate().skip(a + 1) {
                let (i, j) = (i as usize, j as usize);
                let before: usize = (0..i).map(|i| features - 1 - i).sum();
                let gains = (f64::from(u8::from(met_i)) - z_i) * (f64::from(u8::from(met_j)) - z_j);
                interactions[output][before + j - i - 1] +=
                    0.5 * value * gains * integral(rule, &path, &[a, b]);
            }
        }
    });
    interactions
}

/// A feature of a path, whether the row meets all of its tests there, and their fraction of the cover.
type Condition = (u32, bool, f64);

/// Gives the output, the value and the path of every leaf, and a rule that integrates its game.
fn for_each_leaf(
    forest: &Forest,
    thresholds: &[f32],
    row: &[f32],
    mut leaf: impl FnMut(usize, f64, &[Condition], &Rule),
) {
    for (&root, &output) in forest.roots.iter().zip(&forest.tree_outputs) {
        let mut open = vec![(root, Vec::<Condition>::new())];
        while let Some((n, path)) = open.pop() {
            let node = &forest.nodes[n as usize];
            if node.is_leaf() {
                let rule = Rule::new(path.len() / 2 + 3);
                leaf(output as usize, node.value, &path, &rule);
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
}

/// The integral of the product over the conditions of a path without some.
fn integral(rule: &Rule, path: &[Condition], without: &[usize]) -> f64 {
    let points = rule.points.iter().zip(&rule.weights);
    let products = points.map(|(&u, &weight)| {
        let others = path.iter().enumerate();
        let others = others.filter(|(k, _)| !without.contains(k));
        let factors = others.map(|(_, &(_, met, z))| z * (1.0 - u) + if met { u } else { 0.0 });
        weight * factors.product::<f64>()
    });
    products.sum()
}

//! A tree that random generation rarely makes.

use whylight_kernels::{Forest, Node, ROWS, Test};

use super::forest::leaf;
use super::random::Random;

/// One path of `depth` splits over `features` features in turn, with a leaf beside each; its
/// thresholds; and as many blocks of prepared cells, (column, [`ROWS`]) each.
pub(crate) fn chain(
    seed: u64,
    features: usize,
    depth: usize,
    blocks: usize,
) -> (Forest, Vec<f32>, Vec<Vec<f32>>) {
    let mut random = Random(seed);
    let mut forest = Forest {
        roots: vec![0],
        tree_outputs: vec![0],
        columns: features as u32,
        features: features as u32,
        outputs: 1,
        ..Forest::default()
    };
    let mut thresholds = Vec::new();
    let mut fraction = 1.0;
    for level in 0..depth {
        let next = forest.nodes.len() as u32;
        let feature = (level % features) as u32;
        let leaf_fraction = 0.02 + 0.2 * random.unit();
        let leaf_left = random.chance(0.5);
        let (left, right) = if leaf_left {
            (next + 1, next + 2)
        } else {
            (next + 2, next + 1)
        };
        forest.nodes.push(Node {
            feature,
            column: feature,
            test: Test::Below {
                missing_left: random.chance(0.5),
            },
            left,
            right,
            fraction,
            value: 0.0,
        });
        forest.nodes.push(leaf(leaf_fraction, &mut random));
        // Most rows stay on the path.
        let far = 1.2 * random.unit() as f32;
        thresholds.extend([if leaf_left { -far } else { far }, 0.0]);
        fraction = 1.0 - leaf_fraction;
    }
    forest.nodes.push(leaf(fraction, &mut random));
    thresholds.push(0.0);
    let cells = |random: &mut Random| {
        let cell = |_| match random.below(10) {
            0 => f32::NAN,
            _ => random.unit() as f32 * 3.0 - 1.5,
        };
        (0..features * ROWS).map(cell).collect()
    };
    let blocks = (0..blocks).map(|_| cells(&mut random)).collect();
    (forest, thresholds, blocks)
}

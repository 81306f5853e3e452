//! Random forests with everything that is hard: repeated features, both missing directions,
//! categories, empty children, single leaves; and rows with everything that is hard for them.

use whylight_kernels::{Forest, Node, ROWS, Test, forest::LEAF};

use super::random::Random;

/// What [`forest`] makes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spec {
    pub(crate) trees: usize,
    pub(crate) depth: usize,
    pub(crate) features: usize,
    pub(crate) outputs: usize,
    /// Probability that a node above the depth is split.
    pub(crate) split: f64,
    /// Probability that a child has no cover.
    pub(crate) empty: f64,
    /// Whether all nodes of a level make the same test.
    pub(crate) oblivious: bool,
}

impl Default for Spec {
    fn default() -> Self {
        Self {
            trees: 5,
            depth: 5,
            features: 7,
            outputs: 1,
            split: 0.85,
            empty: 0.05,
            oblivious: false,
        }
    }
}

/// A forest and its thresholds. Column `f` belongs to feature `f`; the last feature is categorical.
pub(crate) fn forest(spec: Spec, seed: u64) -> (Forest, Vec<f32>) {
    let mut random = Random(seed);
    let mut forest = Forest {
        columns: spec.features as u32,
        features: spec.features as u32,
        outputs: spec.outputs as u32,
        ..Forest::default()
    };
    let mut thresholds = Vec::new();
    for tree in 0..spec.trees {
        forest.roots.push(forest.nodes.len() as u32);
        forest.tree_outputs.push((tree % spec.outputs) as u32);
        let levels: Vec<_> = (0..spec.depth)
            .map(|_| split(&mut forest, spec, &mut random))
            .collect();
        let root = forest.nodes.len();
        forest.nodes.push(leaf(1.0, &mut random));
        thresholds.push(0.0);
        let mut open = vec![(root, 0)];
        while let Some((n, depth)) = open.pop() {
            let is_split = spec.oblivious || random.chance(spec.split);
            if depth == spec.depth || !is_split {
                continue;
            }
            let (feature, test, threshold) = if spec.oblivious {
                levels[depth]
            } else {
                split(&mut forest, spec, &mut random)
            };
            let fraction = match random.below(2) {
                side if random.chance(spec.empty) => side as f64,
                _ => 0.02 + 0.96 * random.unit(),
            };
            let left = forest.nodes.len();
            forest.nodes.push(leaf(fraction, &mut random));
            forest.nodes.push(leaf(1.0 - fraction, &mut random));
            thresholds.extend([0.0, 0.0]);
            thresholds[n] = threshold;
            forest.nodes[n] = Node {
                feature,
                column: feature,
                test,
                left: left as u32,
                right: left as u32 + 1,
                value: 0.0,
                ..forest.nodes[n]
            };
            open.extend([(left, depth + 1), (left + 1, depth + 1)]);
        }
    }
    (forest, thresholds)
}

pub(super) fn leaf(fraction: f64, random: &mut Random) -> Node {
    Node {
        feature: LEAF,
        column: 0,
        test: Test::Below {
            missing_left: false,
        },
        left: 0,
        right: 0,
        fraction,
        value: random.unit() * 4.0 - 2.0,
    }
}

fn split(forest: &mut Forest, spec: Spec, random: &mut Random) -> (u32, Test, f32) {
    let feature = random.below(spec.features) as u32;
    let missing_left = random.chance(0.5);
    if feature + 1 < spec.features as u32 {
        // Few distinct thresholds, so that rows hit them exactly.
        let threshold = random.below(7) as f32 / 4.0 - 0.75;
        return (feature, Test::Below { missing_left }, threshold);
    }
    let first = forest.sets.len() as u32;
    let words = 1 + random.below(3) as u32;
    forest.sets.extend((0..words).map(|_| random.next() as u32));
    let test = Test::Category {
        first,
        words,
        members_left: random.chance(0.5),
        missing_left,
    };
    (feature, test, 0.0)
}

/// Prepared cells, laid out (column, [`ROWS`]), with 25 % missing, infinities, and values equal to
/// a threshold and next to it.
pub(crate) fn rows(spec: Spec, seed: u64) -> Vec<f32> {
    let mut random = Random(seed ^ 0xABCD);
    let mut cells = vec![0.0; spec.features * ROWS];
    for (i, cell) in cells.iter_mut().enumerate() {
        let threshold = random.below(7) as f32 / 4.0 - 0.75;
        *cell = match random.below(16) {
            0..4 => f32::NAN,
            4 => f32::INFINITY,
            5 => f32::NEG_INFINITY,
            6 => threshold,
            7 => threshold.next_up(),
            8 => threshold.next_down(),
            _ => random.unit() as f32 * 3.0 - 1.5,
        };
        if i / ROWS + 1 == spec.features {
            *cell = match random.below(8) {
                0..2 => f32::NAN,
                2 => -1.0,
                3 => 1e9,
                _ => random.below(110) as f32,
            };
        }
    }
    cells
}

/// The cells of one row.
pub(crate) fn row(cells: &[f32], row: usize) -> Vec<f32> {
    cells.chunks(ROWS).map(|column| column[row]).collect()
}

//! Interventional values pair by pair, on a GPU.

pub(super) mod against;

use whylight::gpu_trees::{Background, GpuTrees, Plan};
use whylight_kernels::{Node, ROWS, Test, forest::LEAF, tree_pairs, tree_tables};

use self::against::Against;
use super::run::{Case, Limits};
use super::{TOLERANCE, bits, gpu};
use crate::support::chain::chain;
use crate::support::compare::agree;
use crate::support::forest::Spec;

#[test]
fn pairs_of_trees_of_every_shape_agree() {
    let Some(gpu) = gpu() else { return };
    let mut worst = 0.0_f64;
    let counts = [1, 63, 64, 65, 255, 256, 257, 300];
    let backgrounds = [1, 2, 9, 33, 63, 64, 65, 130];
    for seed in 0..48_u64 {
        let spec = Spec {
            trees: 1 + seed as usize % 5,
            depth: seed as usize % 9,
            features: 2 + seed as usize % 8,
            outputs: 1 + seed as usize % 3,
            split: if seed.is_multiple_of(5) { 1.0 } else { 0.8 },
            oblivious: seed % 6 == 5,
            ..Spec::default()
        };
        let rows = counts[seed as usize % 8];
        let count = backgrounds[(seed + seed / 8) as usize % 8];
        let against = Against::random(spec, seed, rows, count);
        let name = format!("seed {seed}, {rows} rows against {count}, {spec:?}");
        worst = worst.max(against.check(gpu, &name));
    }
    eprintln!("largest difference: {worst:.1e} by pairs");
}

#[test]
fn pairs_on_a_gpu_are_as_defined() {
    let Some(gpu) = gpu() else { return };
    for seed in 0..12_u64 {
        let spec = Spec {
            trees: 4,
            depth: 2 + seed as usize,
            features: 6,
            outputs: 1 + seed as usize % 2,
            ..Spec::default()
        };
        let against = Against::random(spec, seed, 5, 1 + 11 * seed as usize);
        let agreed = agree(&against.as_defined(), &against.on_gpu(gpu), TOLERANCE);
        agreed.unwrap_or_else(|e| panic!("seed {seed}: {e}"));
    }
}

#[test]
fn pairs_of_constant_columns_agree() {
    let Some(gpu) = gpu() else { return };
    let spec = Spec {
        features: 4,
        ..Spec::default()
    };
    let mut against = Against::random(spec, 3, 300, 40);
    for block in &mut against.case.blocks {
        block[..ROWS].fill(0.25);
        block[ROWS..2 * ROWS].fill(f32::NAN);
    }
    for row in against.cells.chunks_mut(4) {
        row[..2].copy_from_slice(&[0.25, f32::NAN]);
    }
    let got = against.on_gpu(gpu);
    agree(&against.on_cpu(), &got, TOLERANCE).unwrap();
    // What is the same on both sides has no value at all.
    assert!(got.values.chunks(4).all(|row| row[..2] == [0.0, 0.0]));
}

/// The stack, and both words of the sets, of up to as many features as a path may have.
#[test]
fn pairs_of_paths_over_many_features_agree() {
    let Some(gpu) = gpu() else { return };
    let mut worst = 0.0_f64;
    for (seed, (features, depth)) in (0..).zip([(31, 31), (33, 33), (45, 45), (64, 64), (44, 200)])
    {
        let (forest, thresholds, mut blocks) = chain(seed, features, depth, 2);
        let others = blocks.split_off(1);
        let case = Case {
            forest,
            thresholds,
            rows: 65,
            blocks,
        };
        let against = Against::new(case, &others, 20, seed);
        worst = worst.max(against.check(gpu, &format!("{depth} levels over {features} features")));
    }
    eprintln!("largest difference: {worst:.1e} by pairs over long paths");
}

/// By level of a path, whether the row stays on it and the background row does not, or the other way
/// round; `None` where both stay. If all levels part, what the lowest leaves give is next to nothing.
pub(super) const STAYS: [fn(usize) -> Option<bool>; 3] = [
    |_| Some(true),
    |_| Some(false),
    |level| (level % 9 == 5).then_some(level % 2 == 0),
];

/// A path of 64 features, on which a row and a background row part where they are told.
pub(super) fn parting(row_stays: fn(usize) -> Option<bool>) -> Against {
    let (forest, thresholds, mut blocks) = chain(9, 64, 64, 1);
    let mut others = blocks.clone();
    for (n, node) in forest
        .nodes
        .iter()
        .enumerate()
        .filter(|(_, n)| !n.is_leaf())
    {
        let stays_left = !forest.nodes[node.left as usize].is_leaf();
        let column = node.column as usize * ROWS;
        let far = |left: bool| thresholds[n] + if left { -1.0 } else { 1.0 };
        // A leaf stands beside every split.
        let row_stays = row_stays(n / 2);
        let row = far(stays_left == row_stays.unwrap_or(true));
        let other = far(stays_left == row_stays.is_none_or(|stays| !stays));
        blocks[0][column..column + ROWS].fill(row);
        others[0][column..column + ROWS].fill(other);
    }
    let case = Case {
        forest,
        thresholds,
        rows: 2,
        blocks,
    };
    Against::new(case, &others, 3, 1)
}

#[test]
fn paths_on_which_rows_part_agree() {
    let Some(gpu) = gpu() else { return };
    for (i, row_stays) in STAYS.into_iter().enumerate() {
        parting(row_stays).check(gpu, &format!("case {i}"));
    }
}

#[test]
fn trees_of_too_many_features_are_left() {
    let Some(gpu) = gpu() else { return };
    let (mut forest, mut thresholds, blocks) = chain(5, 65, 65, 1);
    let root = forest.nodes.len() as u32;
    forest.roots.push(root);
    forest.tree_outputs.push(0);
    let leaf = Node {
        feature: LEAF,
        ..forest.nodes[root as usize - 1]
    };
    let split = Node {
        left: root + 1,
        right: root + 2,
        ..forest.nodes[0]
    };
    let other = Node { value: 7.0, ..leaf };
    forest.nodes.extend([split, leaf, other]);
    thresholds.extend([0.0; 3]);
    let case = Case {
        forest,
        thresholds,
        rows: 10,
        blocks: blocks.clone(),
    };
    let against = Against::new(case, &blocks, 4, 5);
    let trees = against.upload(gpu, Limits::default());
    assert_eq!(trees.left(), [0]);
    let mut values = vec![f32::NAN; 650];
    let fill = |start, rows, cells: &mut [f32]| {
        against.case.fill(start, rows, cells);
        Ok(())
    };
    trees.values(0, 10, fill, &mut values).unwrap();
    assert!(values.iter().any(|&value| value != 0.0));
    // The other tree has one feature.
    let rows = values.chunks(65);
    assert!(
        rows.into_iter()
            .all(|row| row[1..].iter().all(|&v| v == 0.0))
    );
}

#[test]
fn pairs_of_more_features_than_a_tile_holds_agree() {
    let Some(gpu) = gpu() else { return };
    for (trees, depth) in [(30, 6), (2, 9)] {
        let spec = Spec {
            trees,
            features: 150,
            depth,
            outputs: 2,
            split: 0.97,
            ..Spec::default()
        };
        let against = Against::random(spec, 11, 70, 30);
        against.check(gpu, &format!("{trees} trees"));
    }
}

/// Differences between leaves that are large and close together.
#[test]
fn leaves_far_from_zero_agree() {
    let Some(gpu) = gpu() else { return };
    let spec = Spec {
        trees: 6,
        ..Spec::default()
    };
    let mut against = Against::random(spec, 17, 65, 30);
    for node in &mut against.case.forest.nodes {
        if node.is_leaf() {
            node.value += 1e6;
        }
    }
    against.check(gpu, "leaves of a million");
}

/// As rows of float64 models are compared by ranks, where the background may be numbers, or the other
/// way round.
#[test]
fn rows_and_background_may_be_on_different_scales() {
    let Some(gpu) = gpu() else { return };
    let spec = Spec {
        features: 5,
        depth: 7,
        ..Spec::default()
    };
    let against = Against::random(spec, 23, 130, 50);
    let expected = against.on_cpu();
    let twice = |x: &f32| 2.0 * x;
    let is_category = |node: &Node| matches!(node.test, Test::Category { .. });
    let (mut cells, mut doubled) = (against.cells.clone(), against.case.thresholds.clone());
    for row in cells.chunks_mut(5) {
        for cell in &mut row[..4] {
            *cell = twice(cell);
        }
    }
    for (threshold, node) in doubled.iter_mut().zip(&against.forest().nodes) {
        if !is_category(node) {
            *threshold = twice(threshold);
        }
    }
    let shares = against.shares();
    let trees: Vec<u32> = (0..against.forest().trees() as u32).collect();
    let plan = Plan {
        forest: against.forest(),
        thresholds: &[&vec![-9.0; doubled.len()], &against.case.thresholds],
        tables: &tree_tables::Pack::default(),
        quadrature: &[],
        background: Some(Background {
            rows: tree_pairs::Background {
                cells: &cells,
                thresholds: &doubled,
                ..against.background(&shares)
            },
            pairs: &trees,
            leaves: &[],
        }),
        margins: false,
        memory_limit: None,
        buffer_limit: None,
    };
    let trees = GpuTrees::new(gpu, &plan).unwrap();
    let mut values = vec![f32::NAN; 130 * against.width()];
    let fill = |start, rows, cells: &mut [f32]| {
        against.case.fill(start, rows, cells);
        Ok(())
    };
    trees.values(1, 130, fill, &mut values).unwrap();
    let got = against.output("gpu", values.into_iter().map(f64::from).collect());
    agree(&expected, &got, TOLERANCE).unwrap();
}

#[test]
fn no_limit_changes_a_bit_of_pairs() {
    let Some(gpu) = gpu() else { return };
    let spec = Spec {
        trees: 60,
        features: 6,
        depth: 4,
        outputs: 2,
        ..Spec::default()
    };
    let against = Against::random(spec, 21, 260, 30);
    let whole = against.upload(gpu, Limits::default());
    let expected = against.run(&whole).values;
    let again = against.on_gpu(gpu).values;
    assert_eq!(bits(&expected), bits(&again), "run again");
    for (memory, buffer) in [
        (Some(1), None),
        (None, Some(12_300)),
        (Some(1), Some(13_300)),
    ] {
        let limits = Limits { memory, buffer };
        let trees = against.upload(gpu, limits);
        let got = against.run(&trees).values;
        assert_eq!(bits(&expected), bits(&got), "{limits:?}");
        let layout = trees.layout();
        assert!(layout.batch_rows < whole.layout().batch_rows);
        let [.., nodes, others] = layout.parts;
        assert_eq!((nodes > 1, others > 1), (buffer.is_some(), false));
    }
    // A background in parts.
    let mut long = against.clone();
    long.case.rows = 3;
    let part = Limits {
        memory: None,
        buffer: Some(14_000),
    };
    long.cells = long.cells.repeat(40);
    long.weights = long.weights.repeat(40);
    let expected = long.on_gpu(gpu).values;
    let trees = long.upload(gpu, part);
    let [.., others] = trees.layout().parts;
    assert!(others > 1, "the background has not been divided");
    let got = long.run(&trees).values;
    assert_eq!(bits(&expected), bits(&got), "the background in parts");
}

#[test]
fn pairs_of_a_row_have_the_same_bits_wherever_it_stands() {
    let Some(gpu) = gpu() else { return };
    let spec = Spec {
        trees: 8,
        ..Spec::default()
    };
    let against = Against::random(spec, 31, 400, 70);
    let all = against.on_gpu(gpu).values;
    let mut alone = against.clone();
    alone.case.rows = 1;
    let first = alone.on_gpu(gpu).values;
    assert_eq!(bits(&all[..against.width()]), bits(&first));
}

/// More pairs than a software adapter has loop iterations, a tree that takes most of them, and rows
/// that together with it are too much for one launch on any GPU.
#[test]
fn more_pairs_and_rows_than_a_launch_takes_agree() {
    let Some(gpu) = gpu() else { return };
    let spec = Spec {
        trees: 1000,
        depth: 1,
        features: 3,
        split: 1.0,
        ..Spec::default()
    };
    Against::random(spec, 41, 2, 100).check(gpu, "many trees");
    let spec = Spec {
        trees: 1,
        depth: 13,
        features: 9,
        split: 1.0,
        ..Spec::default()
    };
    Against::random(spec, 43, 2, 70).check(gpu, "a large tree");
    Against::random(spec, 47, 1100, 2).check(gpu, "many rows");
}

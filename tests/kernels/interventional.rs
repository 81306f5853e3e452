//! Interventional values: tables and pairs, on every instruction set of this machine, against the
//! definition.

use whylight_kernels::{Block, Forest, Level, ROWS, tree_leaves, tree_pairs, tree_tables};

use crate::reference::interventional::{self, Other};
use crate::support::chain::chain;
use crate::support::forest::{Spec, forest, row, rows};
use crate::support::random::Random;

/// As path-dependent values have it: tables in float32, summed per tree.
const TOLERANCE: f64 = 2e-6;

type Values = Vec<[f64; ROWS]>;

/// Background rows in blocks, and their weights.
pub(super) struct Others {
    pub(super) blocks: Vec<Vec<f32>>,
    pub(super) weights: Vec<f64>,
}

impl Others {
    pub(super) fn new(blocks: Vec<Vec<f32>>, count: usize, seed: u64) -> Self {
        let mut random = Random(seed ^ 0x77);
        let mut weights: Vec<f64> = (0..count)
            .map(|_| {
                if random.chance(0.1) {
                    0.0
                } else {
                    random.unit()
                }
            })
            .collect();
        // One row at the least has a weight.
        weights[0] += 0.5;
        let total: f64 = weights.iter().sum();
        for weight in &mut weights {
            *weight /= total;
        }
        Self { blocks, weights }
    }

    pub(super) fn rows(&self) -> Vec<Other<f32>> {
        let row = |i: usize| row(&self.blocks[i / ROWS], i % ROWS);
        let weights = self.weights.iter().enumerate();
        weights.map(|(i, &weight)| (row(i), weight)).collect()
    }
}

pub(super) fn in_order(forest: &Forest) -> Vec<usize> {
    let mut trees: Vec<usize> = (0..forest.trees()).collect();
    trees.sort_by_key(|&tree| forest.tree_outputs[tree]);
    trees
}

fn tables(
    level: Level,
    forest: &Forest,
    thresholds: &[f32],
    block: Block<'_>,
    others: &Others,
) -> Option<Values> {
    let mut trees = Vec::new();
    for tree in in_order(forest) {
        let cover = tree_tables::cover(forest, thresholds, tree, tree_tables::Limits::default())?;
        trees.push((tree as u32, cover));
    }
    let mut pack =
        tree_tables::Pack::without_tables(forest, thresholds, &trees, tree_tables::Lanes::Features);
    let mut scratch = tree_tables::Scratch::default();
    let mut histograms = vec![0.0; pack.entries_of(0..trees.len()).end];
    // Tree by tree, as threads do it.
    for tree in 0..trees.len() {
        for (cells, weights) in others.blocks.iter().zip(others.weights.chunks(ROWS)) {
            let entries = pack.entries_of(tree..tree + 1);
            tree_tables::histogram(
                level,
                forest,
                thresholds,
                &pack,
                tree..tree + 1,
                (Block::new(cells, weights.len()), weights),
                &mut scratch,
                &mut histograms[entries],
            );
        }
    }
    let game = tree_tables::Game::Interventional(&histograms);
    pack.fill(forest, thresholds, &trees, game);
    let features = forest.features as usize;
    let mut values = vec![[0.0; ROWS]; forest.outputs as usize * features];
    for (output, values) in (0..).zip(values.chunks_mut(features)) {
        tree_tables::run(
            level,
            forest,
            thresholds,
            &pack,
            pack.trees_of(output),
            block,
            &mut scratch,
            values,
        );
    }
    Some(values)
}

fn pairs(forest: &Forest, thresholds: &[f32], block: Block<'_>, others: &Others) -> Values {
    let rows = others.rows();
    let cells: Vec<f32> = rows.iter().flat_map(|(row, _)| row.clone()).collect();
    let shares = tree_pairs::Shares::new(forest.index, forest.features as usize);
    let background = tree_pairs::Background {
        cells: &cells,
        thresholds,
        weights: &others.weights,
        shares: &shares,
    };
    let mut scratch = tree_pairs::Scratch::default();
    let features = forest.features as usize;
    let mut values = vec![[0.0; ROWS]; forest.outputs as usize * features];
    for (output, values) in (0..).zip(values.chunks_mut(features)) {
        let trees = in_order(forest).into_iter().map(|tree| tree as u32);
        let trees: Vec<u32> = trees
            .filter(|&tree| forest.tree_outputs[tree as usize] == output)
            .collect();
        tree_pairs::run(
            forest,
            thresholds,
            &trees,
            block,
            background,
            &mut scratch,
            values,
        );
    }
    values
}

/// Leaf by leaf, with tables for paths of up to so many features and lists for the others.
fn leaves(
    level: Level,
    forest: &Forest,
    thresholds: &[f32],
    block: Block<'_>,
    others: &Others,
    most_in_table: usize,
) -> Values {
    let shares = tree_pairs::Shares::new(forest.index, forest.features as usize);
    let blocks = others.blocks.iter().zip(others.weights.chunks(ROWS));
    let blocks: Vec<Block<'_>> = blocks
        .map(|(cells, weights)| Block::new(cells, weights.len()))
        .collect();
    let background = tree_leaves::Background {
        rows: tree_leaves::Rows {
            blocks: &blocks,
            thresholds,
        },
        weights: &others.weights,
        shares: &shares,
    };
    let rows = tree_leaves::Rows {
        blocks: &[block],
        thresholds,
    };
    let (features, count) = (forest.features as usize, block.rows());
    let mut values = vec![[0.0; ROWS]; forest.outputs as usize * features];
    let mut scratch = tree_leaves::Scratch::default();
    for tree in in_order(forest) {
        let mut of_tree = vec![0.0; features * count];
        let tree = tree as u32;
        tree_leaves::run(
            level,
            forest,
            tree,
            rows,
            background,
            most_in_table,
            &mut scratch,
            &mut of_tree,
        );
        let first = forest.tree_outputs[tree as usize] as usize * features;
        for (values, of_tree) in values[first..].iter_mut().zip(of_tree.chunks(count)) {
            for (value, of_tree) in values.iter_mut().zip(of_tree) {
                *value += of_tree;
            }
        }
    }
    values
}

/// The rows that are compared: the first ones and those at the edge of the vectors.
const CHECKED: [usize; 10] = [0, 1, 2, 7, 8, 9, 31, 32, 63, 64];

fn assert_same(name: &str, expected: &[f64], row: usize, got: &Values) {
    let scale = expected.iter().fold(1e-3_f64, |a, v| a.max(v.abs()));
    for (cell, expected) in expected.iter().enumerate() {
        let got = got[cell][row];
        assert!(
            (got - expected).abs() <= TOLERANCE * scale,
            "{name}, row {row}, cell {cell}: {got} is not {expected}"
        );
    }
}

/// Returns whether the forest has tables.
fn check(spec: Spec, seed: u64, count: usize) -> bool {
    let (forest, thresholds) = forest(spec, seed);
    let cells = rows(spec, seed);
    let blocks = (0..count.div_ceil(ROWS) as u64).map(|b| rows(spec, seed + 500 + b));
    let others = Others::new(blocks.collect(), count, seed);
    let block = Block::new(&cells, 65);
    let mut engines = vec![(
        "pairs".to_owned(),
        pairs(&forest, &thresholds, block, &others),
    )];
    let mut with_tables = false;
    for level in Level::available() {
        if let Some(values) = tables(level, &forest, &thresholds, block, &others) {
            engines.push((format!("tables on {}", level.name()), values));
            with_tables = true;
        }
        for most in [0, 3, tree_leaves::MOST_IN_TABLE] {
            let values = leaves(level, &forest, &thresholds, block, &others, most);
            let name = format!("leaves on {}, {most} in tables", level.name());
            engines.push((name, values));
        }
    }
    let background = others.rows();
    for r in CHECKED {
        let row = row(&cells, r);
        let expected = interventional::values(&forest, &thresholds, &row, &background).concat();
        for (engine, values) in &engines {
            let name = format!("{engine}, {count} background rows, seed {seed}, {spec:?}");
            assert_same(&name, &expected, r, values);
        }
    }
    with_tables
}

#[test]
fn values_of_trees_of_every_shape_are_as_defined() {
    let mut with_tables = 0;
    for seed in 0..40 {
        let spec = Spec {
            trees: 1 + seed as usize % 4,
            depth: seed as usize % 9,
            features: 2 + seed as usize % 6,
            outputs: 1 + seed as usize % 3,
            split: if seed % 5 == 0 { 1.0 } else { 0.8 },
            ..Spec::default()
        };
        let count = [1, 2, 9, 33][seed as usize % 4];
        with_tables += usize::from(check(spec, seed, count));
    }
    assert!(with_tables > 15, "only {with_tables} forests had tables");
}

#[test]
fn values_against_more_than_a_block_of_background_rows_are_as_defined() {
    let spec = Spec {
        trees: 3,
        depth: 4,
        features: 4,
        ..Spec::default()
    };
    assert!(check(spec, 5, ROWS + 13));
}

#[test]
fn values_of_oblivious_trees_are_as_defined() {
    for seed in 0..6 {
        let spec = Spec {
            oblivious: true,
            depth: 2 + seed as usize,
            features: 8,
            ..Spec::default()
        };
        assert!(check(spec, seed, 12), "an oblivious tree has one group");
    }
}

#[test]
fn values_of_a_path_over_many_features_are_as_defined() {
    for seed in 0..2 {
        let spec = Spec {
            trees: 1,
            depth: 40,
            features: 11,
            split: 0.55,
            ..Spec::default()
        };
        check(spec, 100 + seed, 3);
    }
}

/// The parts of 200 levels add up, where there is no definition to enumerate.
#[test]
fn values_of_two_hundred_levels_add_up_to_the_difference_of_the_margins() {
    let (forest, thresholds, blocks) = chain(77, 44, 200, 1);
    let cells = &blocks[0];
    let others = Others {
        blocks: vec![cells.clone()],
        weights: vec![0.0, 0.25, 0.5, 0.0, 0.25],
    };
    let values = pairs(&forest, &thresholds, Block::new(cells, 65), &others);
    let margin = |r: usize| {
        let mut n = forest.roots[0];
        let row = row(cells, r);
        while !forest.nodes[n as usize].is_leaf() {
            let node = &forest.nodes[n as usize];
            let x = row[node.column as usize];
            let left = node.test.left(x, thresholds[n as usize], &forest.sets);
            n = if left { node.left } else { node.right };
        }
        forest.nodes[n as usize].value
    };
    let expected = 0.25 * margin(1) + 0.5 * margin(2) + 0.25 * margin(4);
    assert_eq!(forest.trees(), 1);
    let mut moved = 0;
    for r in 0..65 {
        let sum: f64 = values.iter().map(|value| value[r]).sum();
        let difference = margin(r) - expected;
        moved += usize::from(difference != 0.0);
        assert!((sum - difference).abs() < 1e-12, "{r}: {sum}, {difference}");
    }
    assert!(moved > 10);
}

/// Paths over 20 and more features, which have lists, against the values of pairs.
#[test]
fn leaves_of_long_paths_have_the_values_of_pairs() {
    for (features, depth) in [(17, 60), (32, 40)] {
        let (forest, thresholds, blocks) = chain(78, features, depth, 2);
        let others = Others::new(blocks[1..].to_vec(), 100, 3);
        let block = Block::new(&blocks[0], 65);
        let expected = pairs(&forest, &thresholds, block, &others);
        let scale = expected
            .iter()
            .flatten()
            .fold(0.0_f64, |a, v| a.max(v.abs()));
        assert!(scale > 0.0);
        for level in Level::available() {
            let most = tree_leaves::MOST_IN_TABLE;
            let got = leaves(level, &forest, &thresholds, block, &others, most);
            for (got, expected) in got.iter().flatten().zip(expected.iter().flatten()) {
                assert!(
                    (got - expected).abs() <= 1e-12 * scale,
                    "{got} is not {expected}"
                );
            }
        }
    }
}

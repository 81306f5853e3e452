//! Interactions of trees of any shape, path-dependent by quadrature and interventional by pairs of
//! rows, against the definition.

use whylight_kernels::tree_tables::pair_cell;
use whylight_kernels::{
    Block, Forest, Level, ROWS, tree_pairs, tree_pairs_interactions, tree_quadrature_interactions,
};

use super::interventional::{Others, in_order};
use crate::reference::{interventional, path_dependent, shapley};
use crate::support::chain::chain;
use crate::support::forest::{Spec, forest, row, rows};

/// All is in float64.
const TOLERANCE: f64 = 1e-12;

/// The rows that are compared: the first ones and those at the edge of the vectors.
const CHECKED: [usize; 8] = [0, 1, 6, 7, 8, 9, 63, 64];

/// By output, sums of the pairs, (pair, row).
type Pairs = Vec<Vec<[f64; ROWS]>>;

fn per_output(forest: &Forest, mut run: impl FnMut(&[(u32, u32)], &mut [[f64; ROWS]])) -> Pairs {
    let features = forest.features as usize;
    let shapes = forest.shapes();
    let of_output = |output: u32| {
        let mut pairs = vec![[0.0; ROWS]; features * features.saturating_sub(1) / 2];
        let trees = in_order(forest).into_iter();
        let trees = trees.filter(|&tree| forest.tree_outputs[tree] == output);
        let trees: Vec<(u32, u32)> = trees
            .map(|tree| (tree as u32, shapes[tree].path_features))
            .collect();
        run(&trees, &mut pairs);
        pairs
    };
    (0..forest.outputs).map(of_output).collect()
}

fn by_quadrature(level: Level, forest: &Forest, thresholds: &[f32], block: Block<'_>) -> Pairs {
    let mut scratch = tree_quadrature_interactions::Scratch::default();
    per_output(forest, |trees, pairs| {
        tree_quadrature_interactions::run(
            level,
            forest,
            thresholds,
            trees,
            block,
            &mut scratch,
            pairs,
        );
    })
}

fn by_pairs(forest: &Forest, thresholds: &[f32], block: Block<'_>, others: &Others) -> Pairs {
    let rows = others.rows();
    let cells: Vec<f32> = rows.iter().flat_map(|(row, _)| row.clone()).collect();
    let shares = tree_pairs::Shares::new(forest.index, forest.features as usize);
    let background = tree_pairs::Background {
        cells: &cells,
        thresholds,
        weights: &others.weights,
        shares: &shares,
    };
    let mut scratch = tree_pairs_interactions::Scratch::default();
    per_output(forest, |trees, pairs| {
        let trees: Vec<u32> = trees.iter().map(|(tree, _)| *tree).collect();
        tree_pairs_interactions::run(
            forest,
            thresholds,
            &trees,
            block,
            background,
            &mut scratch,
            pairs,
        );
    })
}

fn assert_defined(name: &str, worth: &[Vec<f64>], row: usize, got: &Pairs) {
    for (worth, got) in worth.iter().zip(got) {
        let expected = shapley::interactions(worth);
        let scale = worth.iter().fold(1.0_f64, |a, v| a.max(v.abs()));
        for j in 0..expected.len() {
            for i in 0..j {
                let expected = expected[i][j];
                let cell = pair_cell(i as u32, j as u32, worth.len().ilog2());
                let got = got[cell as usize][row];
                assert!(
                    (got - expected).abs() <= TOLERANCE * scale,
                    "{name}, row {row}, pair {i}, {j}: {got} is not {expected}"
                );
            }
        }
    }
}

/// Holds both kernels against the definition.
fn check(spec: Spec, seed: u64, count: usize) {
    let (forest, thresholds) = forest(spec, seed);
    let cells = rows(spec, seed);
    let blocks = (0..count.div_ceil(ROWS) as u64).map(|b| rows(spec, seed + 500 + b));
    let others = Others::new(blocks.collect(), count, seed);
    let block = Block::new(&cells, 65);
    let levels = Level::available().into_iter().map(|level| {
        let pairs = by_quadrature(level, &forest, &thresholds, block);
        (level.name(), pairs)
    });
    let levels: Vec<_> = levels.collect();
    let against = by_pairs(&forest, &thresholds, block, &others);
    let background = others.rows();
    for r in CHECKED {
        let row = row(&cells, r);
        let worth = path_dependent::worth(&forest, &thresholds, &row);
        for (level, pairs) in &levels {
            assert_defined(&format!("{level}, seed {seed}, {spec:?}"), &worth, r, pairs);
        }
        let worth = interventional::worth(&forest, &thresholds, &row, &background);
        let name = format!("{count} background rows, seed {seed}, {spec:?}");
        assert_defined(&name, &worth, r, &against);
    }
}

#[test]
fn interactions_of_trees_of_every_shape_are_as_defined() {
    for seed in 0..40 {
        let spec = Spec {
            trees: 1 + seed as usize % 4,
            depth: seed as usize % 9,
            features: 2 + seed as usize % 6,
            outputs: 1 + seed as usize % 3,
            split: if seed % 5 == 0 { 1.0 } else { 0.8 },
            empty: if seed % 3 == 0 { 0.4 } else { 0.05 },
            ..Spec::default()
        };
        check(spec, seed, [1, 2, 9, 33][seed as usize % 4]);
    }
}

#[test]
fn interactions_of_a_path_over_many_features_are_as_defined() {
    let spec = Spec {
        trees: 1,
        depth: 40,
        features: 11,
        split: 0.6,
        ..Spec::default()
    };
    // Most such trees end early.
    let long = (0..).filter(|&seed| {
        let shape = forest(spec, seed).0.shapes()[0];
        shape.path_features >= 10 && shape.leaves < 500
    });
    for seed in long.take(2) {
        check(spec, seed, 3);
    }
}

#[test]
fn interactions_of_one_row_are_those_it_has_among_others() {
    let spec = Spec {
        trees: 3,
        depth: 10,
        ..Spec::default()
    };
    let (forest, thresholds) = forest(spec, 3);
    let cells = rows(spec, 3);
    let bits = |level, rows: usize| -> Vec<u64> {
        let pairs = by_quadrature(level, &forest, &thresholds, Block::new(&cells, rows));
        let first = pairs[0].iter().map(|pair| pair[0].to_bits());
        first.collect()
    };
    let expected = bits(Level::Portable, ROWS);
    for level in Level::available() {
        for rows in [1, 7, 9, 200] {
            assert_eq!(bits(level, rows), expected, "{}, {rows} rows", level.name());
        }
    }
}

/// 24 features, so a rule of two passes, and each of them up to nine times on a path.
#[test]
fn interactions_of_two_hundred_levels_are_as_defined() {
    let (forest, thresholds, blocks) = chain(77, 24, 200, 1);
    let block = Block::new(&blocks[0], 65);
    let levels = Level::available().into_iter();
    let of_levels: Vec<Pairs> = levels
        .map(|level| by_quadrature(level, &forest, &thresholds, block))
        .collect();
    for r in [0, 64] {
        let row = row(&blocks[0], r);
        let expected = path_dependent::interactions_by_paths(&forest, &thresholds, &row);
        for pairs in &of_levels {
            for (pair, (got, expected)) in pairs[0].iter().zip(&expected[0]).enumerate() {
                let got = got[r];
                assert!(
                    (got - expected).abs() <= TOLERANCE,
                    "row {r}, pair {pair}: {got} is not {expected}"
                );
            }
        }
    }
}

/// Of a row that stays on the path, and one that leaves it at every second level: past the shares that
/// are looked up, too.
#[test]
fn interactions_of_two_hundred_levels_against_a_background_are_as_defined() {
    let (forest, thresholds, mut blocks) = chain(77, 50, 200, 1);
    for column in blocks[0].chunks_mut(ROWS) {
        (column[64], column[1]) = (0.0, 2.0);
    }
    let others = Others {
        blocks: blocks.clone(),
        weights: vec![0.0, 0.75, 0.25],
    };
    let pairs = by_pairs(&forest, &thresholds, Block::new(&blocks[0], 65), &others);
    let mut moved = 0;
    for r in [0, 1, 64] {
        let row = row(&blocks[0], r);
        let expected =
            interventional::interactions_by_paths(&forest, &thresholds, &row, &others.rows());
        for (pair, (got, expected)) in pairs[0].iter().zip(&expected[0]).enumerate() {
            let got = got[r];
            moved += usize::from(*expected != 0.0);
            assert!(
                (got - expected).abs() <= TOLERANCE,
                "row {r}, pair {pair}: {got} is not {expected}"
            );
        }
    }
    assert!(moved > 500, "only {moved} pairs interact");
}

//! Path-dependent values: tables, quadrature and quadrature for few rows, on every instruction set
//! of this machine, against the definition.

use whylight_kernels::{Block, Forest, Level, ROWS, tree_quadrature, tree_tables};

use crate::reference::path_dependent;
use crate::support::chain::chain;
use crate::support::forest::{Spec, forest, row, rows};

/// Float32 tables and factors, summed per tree: a few units in the last place of the largest value.
const TOLERANCE: f64 = 2e-6;

type Values = Vec<[f64; ROWS]>;

fn tables(level: Level, forest: &Forest, thresholds: &[f32], block: Block<'_>) -> Option<Values> {
    let mut trees = Vec::new();
    for output in 0..forest.outputs {
        for tree in (0..forest.trees()).filter(|&tree| forest.tree_outputs[tree] == output) {
            let cover =
                tree_tables::cover(forest, thresholds, tree, tree_tables::Limits::default())?;
            trees.push((tree as u32, cover));
        }
    }
    let pack = tree_tables::Pack::new(
        forest,
        thresholds,
        &trees,
        tree_tables::Lanes::Features,
        tree_tables::Game::PathDependent,
    );
    let mut scratch = tree_tables::Scratch::default();
    Some(per_output(forest, |output, values| {
        let trees = pack.trees_of(output);
        tree_tables::run(
            level,
            forest,
            thresholds,
            &pack,
            trees,
            block,
            &mut scratch,
            values,
        );
    }))
}

fn quadrature(level: Level, forest: &Forest, thresholds: &[f32], block: Block<'_>) -> Values {
    let mut pack = tree_quadrature::Pack::default();
    let shapes = forest.shapes();
    for output in 0..forest.outputs {
        for tree in (0..forest.trees()).filter(|&tree| forest.tree_outputs[tree] == output) {
            let points = tree_quadrature::points(forest.index, shapes[tree].path_features as usize);
            pack.push(forest, tree, points);
        }
    }
    let mut scratch = tree_quadrature::Scratch::default();
    per_output(forest, |output, values| {
        let trees = pack.trees_of(output);
        tree_quadrature::run(
            level,
            forest,
            thresholds,
            &pack,
            trees,
            block,
            &mut scratch,
            values,
        );
    })
}

fn few(level: Level, forest: &Forest, thresholds: &[f32], block: Block<'_>) -> Values {
    let trees: Vec<(u32, u32)> = (0..)
        .zip(forest.shapes())
        .map(|(tree, shape)| (tree, shape.path_features))
        .collect();
    let mut values = vec![[0.0; ROWS]; (forest.outputs * forest.features) as usize];
    tree_quadrature::few::run(
        level,
        forest,
        thresholds,
        &trees,
        block,
        (0, forest.features as usize),
        &mut values,
    );
    values
}

fn per_output(forest: &Forest, mut run: impl FnMut(u32, &mut [[f64; ROWS]])) -> Values {
    let features = forest.features as usize;
    let mut values = vec![[0.0; ROWS]; forest.outputs as usize * features];
    for (output, values) in (0..).zip(values.chunks_mut(features)) {
        run(output, values);
    }
    values
}

/// The rows that are compared: the first ones and those at the edge of the vectors.
const CHECKED: [usize; 12] = [0, 1, 2, 6, 7, 8, 9, 31, 32, 33, 63, 64];

fn assert_defined(name: &str, spec: Spec, seed: u64, expected: &[(usize, Vec<f64>)], got: &Values) {
    for (row, expected) in expected {
        let scale = expected
            .iter()
            .fold(1e-3_f64, |scale, v| scale.max(v.abs()));
        for (cell, expected) in expected.iter().enumerate() {
            let got = got[cell][*row];
            assert!(
                (got - expected).abs() <= TOLERANCE * scale,
                "{name}, seed {seed}, row {row}, cell {cell}: {got} is not {expected}; {spec:?}"
            );
        }
    }
}

fn check(spec: Spec, seed: u64) -> bool {
    let (forest, thresholds) = forest(spec, seed);
    let cells = rows(spec, seed);
    let expected: Vec<(usize, Vec<f64>)> = CHECKED
        .iter()
        .map(|&r| {
            let values = path_dependent::values(&forest, &thresholds, &row(&cells, r));
            (r, values.concat())
        })
        .collect();
    let mut has_tables = false;
    for level in Level::available() {
        let block = Block::new(&cells, 65);
        let name = |engine: &str| format!("{engine} on {}", level.name());
        if let Some(got) = tables(level, &forest, &thresholds, block) {
            has_tables = true;
            assert_defined(&name("tables"), spec, seed, &expected, &got);
        }
        let got = quadrature(level, &forest, &thresholds, block);
        assert_defined(&name("quadrature"), spec, seed, &expected, &got);
        let got = few(level, &forest, &thresholds, block);
        assert_defined(&name("few"), spec, seed, &expected, &got);
    }
    has_tables
}

#[test]
fn values_of_trees_of_every_shape_are_as_defined() {
    let mut with_tables = 0;
    for seed in 0..60 {
        let spec = Spec {
            trees: 1 + seed as usize % 4,
            depth: seed as usize % 9,
            features: 2 + seed as usize % 8,
            outputs: 1 + seed as usize % 3,
            split: if seed % 5 == 0 { 1.0 } else { 0.8 },
            ..Spec::default()
        };
        with_tables += usize::from(check(spec, seed));
    }
    assert!(
        with_tables > 20,
        "only {with_tables} of 60 forests had tables"
    );
}

#[test]
fn values_of_oblivious_trees_are_as_defined() {
    for seed in 0..12 {
        let spec = Spec {
            oblivious: true,
            depth: 2 + seed as usize % 7,
            features: 9,
            ..Spec::default()
        };
        assert!(check(spec, seed), "an oblivious tree has one group");
    }
}

/// As a test of 200 levels needs it: a definition that looks at paths, not at coalitions.
#[test]
fn values_of_two_hundred_levels_are_as_defined() {
    let (forest, thresholds, blocks) = chain(77, 44, 200, 1);
    let cells = &blocks[0];
    let expected: Vec<(usize, Vec<f64>)> = CHECKED
        .iter()
        .map(|&r| {
            let values = path_dependent::values_by_paths(&forest, &thresholds, &row(cells, r));
            (r, values.concat())
        })
        .collect();
    for level in Level::available() {
        let block = Block::new(cells, 65);
        for (engine, got) in [
            ("quadrature", quadrature(level, &forest, &thresholds, block)),
            ("few", few(level, &forest, &thresholds, block)),
        ] {
            let name = format!("{engine} on {}", level.name());
            assert_defined(&name, Spec::default(), 77, &expected, &got);
        }
    }
}

#[test]
fn values_of_a_path_over_many_features_are_as_defined() {
    for seed in 0..4 {
        let spec = Spec {
            trees: 1,
            depth: 60,
            features: 14,
            split: 0.55,
            ..Spec::default()
        };
        check(spec, 100 + seed);
    }
}

//! Raw margins against a definition that follows no path: a leaf counts if every test on the way to
//! it is met.

use whylight_kernels::{Block, Forest, ROWS, Test, predict_trees};

use crate::support::forest::{Spec, forest, row, rows};

/// Whether a cell goes left.
fn goes_left(test: Test, cell: f32, threshold: f32, sets: &[u32]) -> bool {
    match test {
        Test::Below { missing_left } if cell.is_nan() => missing_left,
        Test::Below { .. } => cell < threshold,
        Test::Category { missing_left, .. } if cell.is_nan() => missing_left,
        Test::Category {
            first,
            words,
            members_left,
            ..
        } => {
            let is_member = (0..words * 32).any(|category| {
                let word = sets[(first + category / 32) as usize];
                word & (1 << (category % 32)) != 0 && cell == category as f32
            });
            is_member == members_left
        }
    }
}

/// The sum of the leaves whose tests are all met, by output.
fn margins(forest: &Forest, thresholds: &[f32], row: &[f32]) -> Vec<f64> {
    let mut margins = vec![0.0; forest.outputs as usize];
    for (&root, &output) in forest.roots.iter().zip(&forest.tree_outputs) {
        let mut open = vec![(root, true)];
        while let Some((n, met)) = open.pop() {
            let node = &forest.nodes[n as usize];
            if node.is_leaf() {
                margins[output as usize] += if met { node.value } else { 0.0 };
                continue;
            }
            let cell = row[node.column as usize];
            let left = goes_left(node.test, cell, thresholds[n as usize], &forest.sets);
            open.push((node.left, met && left));
            open.push((node.right, met && !left));
        }
    }
    margins
}

#[test]
fn margins_of_trees_of_every_shape_are_as_defined() {
    for seed in 0..40 {
        let spec = Spec {
            trees: 1 + seed as usize % 9,
            depth: seed as usize % 9,
            features: 2 + seed as usize % 8,
            outputs: 1 + seed as usize % 3,
            ..Spec::default()
        };
        let (forest, thresholds) = forest(spec, seed);
        let cells = rows(spec, seed);
        let count = [1, 63, 64, 255, ROWS][seed as usize % 5];
        let mut got = vec![[0.0; ROWS]; spec.outputs];
        predict_trees::run(&forest, &thresholds, Block::new(&cells, count), &mut got);
        for r in 0..ROWS {
            let expected = margins(&forest, &thresholds, &row(&cells, r));
            for (got, expected) in got.iter().zip(expected) {
                let expected = if r < count { expected } else { 0.0 };
                assert!((got[r] - expected).abs() < 1e-12, "seed {seed}, row {r}");
            }
        }
    }
}

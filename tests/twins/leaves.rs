//! Interventional values leaf by leaf, on a GPU.

use whylight_kernels::ROWS;
use whylight_kernels::legendre::Index;
use whylight_kernels::tree_leaves::MOST_IN_TABLE;

use super::pairs::against::{Against, By};
use super::run::{Case, Limits};
use super::{TOLERANCE, bits, gpu};
use crate::support::chain::chain;
use crate::support::compare::agree;
use crate::support::forest::Spec;

fn random(spec: Spec, seed: u64, rows: usize, count: usize) -> Against {
    Against {
        by: By::Leaves,
        ..Against::random(spec, seed, rows, count)
    }
}

#[test]
fn leaves_of_trees_of_every_shape_agree() {
    let Some(gpu) = gpu() else { return };
    let mut worst = 0.0_f64;
    let counts = [1, 63, 64, 65, 255, 256, 257, 300];
    let backgrounds = [1, 2, 9, 33, 63, 64, 65, 130];
    for seed in 0..48_u64 {
        let spec = Spec {
            trees: 1 + seed as usize % 5,
            depth: seed as usize % 13,
            features: 2 + seed as usize % 11,
            outputs: 1 + seed as usize % 3,
            split: if seed.is_multiple_of(5) { 0.95 } else { 0.8 },
            oblivious: seed % 6 == 5,
            ..Spec::default()
        };
        let rows = counts[seed as usize % 8];
        let count = backgrounds[(seed + seed / 8) as usize % 8];
        let mut against = random(spec, seed, rows, count);
        if seed % 4 == 3 {
            against.case.forest.index = Index::Banzhaf;
        }
        let name = format!("seed {seed}, {rows} rows against {count}, {spec:?}");
        worst = worst.max(against.check(gpu, &name));
    }
    eprintln!("largest difference: {worst:.1e} by leaves");
}

#[test]
fn leaves_on_a_gpu_are_as_defined() {
    let Some(gpu) = gpu() else { return };
    for seed in 0..12_u64 {
        let spec = Spec {
            trees: 4,
            depth: 2 + seed as usize,
            features: 6,
            outputs: 1 + seed as usize % 2,
            ..Spec::default()
        };
        let against = random(spec, seed, 5, 1 + 11 * seed as usize);
        let agreed = agree(&against.as_defined(), &against.on_gpu(gpu), TOLERANCE);
        agreed.unwrap_or_else(|e| panic!("seed {seed}: {e}"));
    }
}

/// Tables of one workgroup and of several, up to the largest.
#[test]
fn leaves_over_as_many_features_as_have_tables_agree() {
    let Some(gpu) = gpu() else { return };
    let mut worst = 0.0_f64;
    for features in [1, 2, 6, 7, 10, 11, 13, MOST_IN_TABLE] {
        let (forest, thresholds, mut blocks) = chain(3, features, features, 2);
        let others = blocks.split_off(1);
        let case = Case {
            forest,
            thresholds,
            rows: 130,
            blocks,
        };
        let against = Against {
            by: By::Leaves,
            ..Against::new(case, &others, 90, 7)
        };
        worst = worst.max(against.check(gpu, &format!("{features} features")));
    }
    eprintln!("largest difference: {worst:.1e} by leaves over long paths");
}

#[test]
fn trees_with_a_leaf_over_more_features_are_left() {
    let Some(gpu) = gpu() else { return };
    let features = MOST_IN_TABLE + 1;
    let (forest, thresholds, blocks) = chain(3, features, features, 1);
    let case = Case {
        forest,
        thresholds,
        rows: 9,
        blocks: blocks.clone(),
    };
    let against = Against {
        by: By::Leaves,
        ..Against::new(case, &blocks, 4, 5)
    };
    assert_eq!(against.upload(gpu, Limits::default()).left(), [0]);
    // A table that no buffer holds.
    let against = random(Spec::default(), 3, 9, 4);
    let limits = Limits {
        memory: None,
        buffer: Some(100_000),
    };
    assert!(against.upload(gpu, limits).left().is_empty());
    let (forest, thresholds, blocks) = chain(3, MOST_IN_TABLE, MOST_IN_TABLE, 1);
    let case = Case {
        forest,
        thresholds,
        rows: 9,
        blocks: blocks.clone(),
    };
    let against = Against {
        by: By::Leaves,
        ..Against::new(case, &blocks, 4, 5)
    };
    assert!(against.upload(gpu, Limits::default()).left().is_empty());
    assert_eq!(against.upload(gpu, limits).left(), [0]);
}

#[test]
fn constant_columns_have_no_values() {
    let Some(gpu) = gpu() else { return };
    let spec = Spec {
        features: 4,
        ..Spec::default()
    };
    let mut against = random(spec, 3, 300, 40);
    for block in &mut against.case.blocks {
        block[..ROWS].fill(0.25);
        block[ROWS..2 * ROWS].fill(f32::NAN);
    }
    for row in against.cells.chunks_mut(4) {
        row[..2].copy_from_slice(&[0.25, f32::NAN]);
    }
    against.check(gpu, "constant columns");
}

#[test]
fn leaves_over_more_features_than_a_tile_holds_agree() {
    let Some(gpu) = gpu() else { return };
    let spec = Spec {
        trees: 30,
        features: 150,
        depth: 6,
        outputs: 2,
        split: 0.97,
        ..Spec::default()
    };
    random(spec, 11, 70, 30).check(gpu, "150 features");
}

/// Differences between leaves that are large and close together.
#[test]
fn leaves_by_table_far_from_zero_agree() {
    let Some(gpu) = gpu() else { return };
    let spec = Spec {
        trees: 6,
        ..Spec::default()
    };
    let mut against = random(spec, 17, 65, 30);
    for node in &mut against.case.forest.nodes {
        if node.is_leaf() {
            node.value += 1e6;
        }
    }
    against.check(gpu, "leaves of a million");
}

/// Most of the background meets every condition of one leaf, and rows do: what the tables hold for it is
/// large, and what is left of it small.
#[test]
fn backgrounds_that_are_mostly_alike_agree() {
    let Some(gpu) = gpu() else { return };
    let spec = Spec {
        trees: 20,
        depth: 8,
        features: 12,
        ..Spec::default()
    };
    let mut against = random(spec, 29, 200, 400);
    let first = against.cells[..12].to_vec();
    for row in against.cells.chunks_mut(12).skip(4) {
        row.copy_from_slice(&first);
    }
    against.check(gpu, "mostly one row");
}

#[test]
fn no_limit_changes_a_bit_of_leaves() {
    let Some(gpu) = gpu() else { return };
    let spec = Spec {
        trees: 60,
        features: 6,
        depth: 4,
        outputs: 2,
        ..Spec::default()
    };
    let against = random(spec, 21, 260, 500);
    let whole = against.upload(gpu, Limits::default());
    let expected = against.run(&whole).values;
    let again = against.on_gpu(gpu).values;
    assert_eq!(bits(&expected), bits(&again), "run again");
    for (memory, buffer) in [
        (Some(1), None),
        (None, Some(12_500)),
        (Some(1), Some(12_400)),
    ] {
        let limits = Limits { memory, buffer };
        let trees = against.upload(gpu, limits);
        let got = against.run(&trees).values;
        assert_eq!(bits(&expected), bits(&got), "{limits:?}");
        let layout = trees.layout();
        assert!(layout.batch_rows < whole.layout().batch_rows);
        let [_, leaves, _, _, others] = layout.parts;
        assert_eq!(leaves > 1, buffer.is_some(), "{limits:?}");
        assert_eq!(others > 1, buffer.is_some(), "{limits:?}");
    }
}

#[test]
fn leaves_of_a_row_have_the_same_bits_wherever_it_stands() {
    let Some(gpu) = gpu() else { return };
    let spec = Spec {
        trees: 8,
        ..Spec::default()
    };
    let against = random(spec, 31, 400, 70);
    let all = against.on_gpu(gpu).values;
    let mut alone = against.clone();
    alone.case.rows = 1;
    let first = alone.on_gpu(gpu).values;
    assert_eq!(bits(&all[..against.width()]), bits(&first));
}

/// More leaves than a software adapter has loop iterations, and a tree that takes most of them.
#[test]
fn more_leaves_than_a_launch_takes_agree() {
    let Some(gpu) = gpu() else { return };
    let spec = Spec {
        trees: 3000,
        depth: 2,
        features: 3,
        split: 1.0,
        ..Spec::default()
    };
    random(spec, 41, 2, 100).check(gpu, "many trees");
    let spec = Spec {
        trees: 1,
        depth: 13,
        features: 9,
        split: 1.0,
        ..Spec::default()
    };
    random(spec, 43, 2, 70).check(gpu, "a large tree");
}

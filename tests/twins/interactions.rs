//! Interactions of the pairs of features of trees that are walked, on a GPU against the CPU.

use whylight::gpu::Gpu;
use whylight::gpu_trees::{Background, GpuTrees, Layout, Plan};
use whylight_kernels::tree_tables::{self, Lanes};
use whylight_kernels::{
    Block, Forest, Level, Node, ROWS, Test, forest::LEAF, tree_pairs_interactions,
    tree_quadrature_interactions,
};

use super::pairs::against::Against;
use super::pairs::{STAYS, parting};
use super::run::{Case, Limits};
use super::{TOLERANCE, bits, gpu};
use crate::support::chain::chain;
use crate::support::compare::{Output, agree};
use crate::support::forest::Spec;

/// Who is compared with the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Game {
    PathDependent,
    Interventional,
}

const GAMES: [Game; 2] = [Game::PathDependent, Game::Interventional];

fn width(against: &Against) -> usize {
    let forest = against.forest();
    Lanes::Pairs.values(forest.features) as usize * forest.outputs as usize
}

fn output(against: &Against, device: &str, values: Vec<f64>) -> Output {
    assert_eq!(values.len(), against.case.rows * width(against));
    Output {
        device: device.to_owned(),
        width: width(against),
        values,
    }
}

/// Interactions (row, pair, output).
fn on_cpu(against: &Against, game: Game) -> Output {
    let (forest, shares) = (against.forest(), against.shares());
    let shapes = forest.shapes();
    let pairs = Lanes::Pairs.values(forest.features) as usize;
    let mut values = Vec::new();
    for (b, cells) in against.case.blocks.iter().enumerate() {
        let rows = ROWS.min(against.case.rows - b * ROWS);
        let block = Block::new(cells, rows);
        let of_output = |output: u32| {
            let trees = 0..forest.trees() as u32;
            let trees: Vec<(u32, u32)> = trees
                .filter(|&tree| forest.tree_outputs[tree as usize] == output)
                .map(|tree| (tree, shapes[tree as usize].path_features))
                .collect();
            let mut sums = vec![[0.0; ROWS]; pairs];
            if game == Game::PathDependent {
                tree_quadrature_interactions::run(
                    Level::detect(),
                    forest,
                    &against.case.thresholds,
                    &trees,
                    block,
                    &mut tree_quadrature_interactions::Scratch::default(),
                    &mut sums,
                );
                return sums;
            }
            let trees: Vec<u32> = trees.into_iter().map(|(tree, _)| tree).collect();
            tree_pairs_interactions::run(
                forest,
                &against.case.thresholds,
                &trees,
                block,
                against.background(&shares),
                &mut tree_pairs_interactions::Scratch::default(),
                &mut sums,
            );
            sums
        };
        let sums: Vec<_> = (0..forest.outputs).map(of_output).collect();
        for row in 0..rows {
            for pair in 0..pairs {
                values.extend(sums.iter().map(|sums| sums[pair][row]));
            }
        }
    }
    output(against, "cpu", values)
}

fn upload(against: &Against, gpu: &Gpu, game: Game, limits: Limits) -> GpuTrees {
    let trees: Vec<u32> = (0..against.forest().trees() as u32).collect();
    let shares = against.shares();
    let (quadrature, background) = match game {
        Game::PathDependent => (&trees[..], None),
        Game::Interventional => {
            let background = Background {
                rows: against.background(&shares),
                pairs: &trees,
                leaves: &[],
            };
            (&[][..], Some(background))
        }
    };
    let plan = Plan {
        forest: against.forest(),
        thresholds: &[&against.case.thresholds],
        tables: &tree_tables::Pack {
            lanes: Lanes::Pairs,
            ..tree_tables::Pack::default()
        },
        quadrature,
        background,
        margins: false,
        memory_limit: limits.memory,
        buffer_limit: limits.buffer,
    };
    GpuTrees::new(gpu, &plan).unwrap()
}

fn run(against: &Against, trees: &GpuTrees) -> Output {
    let case = &against.case;
    let mut values = vec![f32::NAN; case.rows * width(against)];
    let fill = |start, rows, cells: &mut [f32]| {
        case.fill(start, rows, cells);
        Ok(())
    };
    trees.values(0, case.rows, fill, &mut values).unwrap();
    output(against, "gpu", values.into_iter().map(f64::from).collect())
}

/// The largest difference of the devices, none of whose trees the GPU leaves.
fn check(against: &Against, gpu: &Gpu, game: Game, name: &str) -> f64 {
    let trees = upload(against, gpu, game, Limits::default());
    assert!(trees.left().is_empty(), "{name}, {game:?}");
    let worst = agree(&on_cpu(against, game), &run(against, &trees), TOLERANCE);
    worst.unwrap_or_else(|e| panic!("{name}, {game:?}: {e}"))
}

#[test]
fn interactions_of_trees_of_every_shape_agree() {
    let Some(gpu) = gpu() else { return };
    let mut worst = [0.0_f64; 2];
    let counts = [1, 63, 64, 65, 255, 256, 257, 300];
    let backgrounds = [1, 2, 9, 33, 63, 64, 65, 130];
    for seed in 0..40_u64 {
        let spec = Spec {
            trees: 1 + seed as usize % 5,
            depth: seed as usize % 9,
            features: 2 + seed as usize % 8,
            outputs: 1 + seed as usize % 3,
            split: if seed.is_multiple_of(5) { 1.0 } else { 0.8 },
            empty: if seed.is_multiple_of(3) { 0.4 } else { 0.05 },
            oblivious: seed % 6 == 5,
        };
        let rows = counts[seed as usize % 8];
        let count = backgrounds[(seed + seed / 8) as usize % 8];
        let against = Against::random(spec, seed, rows, count);
        let name = format!("seed {seed}, {rows} rows against {count}, {spec:?}");
        for (worst, game) in worst.iter_mut().zip(GAMES) {
            *worst = worst.max(check(&against, gpu, game, &name));
        }
    }
    eprintln!(
        "largest difference of interactions: {:.1e} by quadrature, {:.1e} by pairs",
        worst[0], worst[1]
    );
}

/// The features of a path, and both words of the sets, up to as many as a path may have.
#[test]
fn interactions_of_paths_over_many_features_agree() {
    let Some(gpu) = gpu() else { return };
    let mut worst = [0.0_f64; 2];
    let shapes = [(33, 33), (64, 64), (30, 90)];
    for (seed, (features, depth)) in (0..).zip(shapes) {
        let (forest, thresholds, mut blocks) = chain(seed, features, depth, 2);
        let others = blocks.split_off(1);
        let case = Case {
            forest,
            thresholds,
            rows: 20,
            blocks,
        };
        let against = Against::new(case, &others, 6, seed);
        let name = format!("{depth} levels over {features} features");
        for (worst, game) in worst.iter_mut().zip(GAMES) {
            *worst = worst.max(check(&against, gpu, game, &name));
        }
    }
    eprintln!(
        "largest difference of interactions over long paths: {:.1e} by quadrature, {:.1e} by pairs",
        worst[0], worst[1]
    );
}

#[test]
fn interactions_of_paths_on_which_rows_part_agree() {
    let Some(gpu) = gpu() else { return };
    for (i, row_stays) in STAYS.into_iter().enumerate() {
        let against = parting(row_stays);
        for game in GAMES {
            check(&against, gpu, game, &format!("case {i}"));
        }
    }
}

/// Features beyond those of a tile, of several segments and of one tree; several outputs.
#[test]
fn interactions_of_more_features_than_a_tile_holds_agree() {
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
        let against = Against::random(spec, 11, 9, 5);
        for game in GAMES {
            check(&against, gpu, game, &format!("{trees} trees"));
        }
    }
}

#[test]
fn interactions_of_trees_of_too_many_features_are_left() {
    let Some(gpu) = gpu() else { return };
    let (forest, thresholds, blocks) = chain(5, 65, 65, 1);
    let case = Case {
        forest,
        thresholds,
        rows: 10,
        blocks: blocks.clone(),
    };
    let against = Against::new(case, &blocks, 4, 5);
    for game in GAMES {
        let trees = upload(&against, gpu, game, Limits::default());
        assert_eq!(trees.left(), [0], "{game:?}");
        let values = run(&against, &trees).values;
        assert!(values.iter().all(|&value| value == 0.0), "{game:?}");
    }
}

#[test]
fn interactions_of_one_feature_are_none() {
    let Some(gpu) = gpu() else { return };
    let spec = Spec {
        features: 1,
        ..Spec::default()
    };
    let against = Against::random(spec, 3, 10, 4);
    for game in GAMES {
        let trees = upload(&against, gpu, game, Limits::default());
        assert!(run(&against, &trees).values.is_empty());
    }
}

/// Nor a tile: fewer rows of a batch take more of them.
#[test]
fn no_limit_changes_a_bit_of_interactions() {
    let Some(gpu) = gpu() else { return };
    let spec = Spec {
        trees: 30,
        features: 6,
        depth: 5,
        ..Spec::default()
    };
    let against = Against::random(spec, 21, 1100, 5);
    for game in GAMES {
        let whole = upload(&against, gpu, game, Limits::default());
        let expected = run(&against, &whole).values;
        let parts = |layout: Layout| layout.parts.iter().sum::<usize>();
        for (memory, buffer) in [
            (Some(1), None),
            (None, Some(16_000)),
            (Some(1), Some(17_000)),
        ] {
            let trees = upload(&against, gpu, game, Limits { memory, buffer });
            let name = format!("{game:?}, memory {memory:?}, buffer {buffer:?}");
            let got = run(&against, &trees).values;
            assert_eq!(bits(&expected), bits(&got), "{name}");
            assert!(trees.layout().batch_rows < whole.layout().batch_rows);
            let is_divided = parts(trees.layout()) > parts(whole.layout());
            assert_eq!(is_divided, buffer.is_some(), "{name}");
        }
        let mut alone = against.clone();
        alone.case.rows = 1;
        let first = run(&alone, &upload(&alone, gpu, game, Limits::default())).values;
        assert_eq!(bits(&expected[..width(&against)]), bits(&first), "{game:?}");
    }
}

/// More leaves and pairs than a software adapter has loop iterations, a tree that takes most of them,
/// and rows that together with it are too much for one launch on any GPU.
#[test]
fn interactions_of_more_than_a_launch_takes_agree() {
    let Some(gpu) = gpu() else { return };
    let spec = Spec {
        trees: 600,
        depth: 3,
        features: 4,
        split: 1.0,
        ..Spec::default()
    };
    let many = Against::random(spec, 41, 2, 100);
    let spec = Spec {
        trees: 1,
        depth: 12,
        features: 9,
        split: 1.0,
        ..Spec::default()
    };
    let large = Against::random(spec, 43, 2, 70);
    for game in GAMES {
        check(&many, gpu, game, "many trees");
        check(&large, gpu, game, "a large tree");
    }
    let rows = Against::random(spec, 47, 1100, 2);
    check(&rows, gpu, Game::Interventional, "many rows");
}

#[test]
fn sums_of_interactions_keep_what_a_plain_float32_sum_would_lose() {
    let Some(gpu) = gpu() else { return };
    let mut forest = Forest {
        columns: 2,
        features: 2,
        outputs: 1,
        ..Forest::default()
    };
    for tree in 0..96 {
        let value = match tree / 24 {
            0 => f64::from(1 << 20),
            2 => -f64::from(1 << 20),
            _ => 0.1 + f64::from(tree) * 0.01,
        };
        let root = forest.nodes.len() as u32;
        forest.roots.push(root);
        forest.tree_outputs.push(0);
        let node = |feature: u32, left: u32, value: f64| Node {
            feature,
            column: feature % LEAF,
            test: Test::Below {
                missing_left: false,
            },
            left,
            right: left + 1,
            fraction: 0.5,
            value,
        };
        let leaf = |value: f64| node(LEAF, 0, value);
        let (left, right) = (node(1, root + 3, 0.0), node(1, root + 5, 0.0));
        forest.nodes.extend([node(0, root + 1, 0.0), left, right]);
        forest
            .nodes
            .extend([value, -value, -value, value].map(leaf));
    }
    let rows = [-1.0, 1.0].map(|cell| [vec![cell], vec![1.0; ROWS - 1]].concat());
    let case = Case {
        thresholds: vec![0.0; forest.nodes.len()],
        forest,
        rows: 2,
        blocks: vec![rows.concat()],
    };
    let others = [vec![-1.0; ROWS], vec![-1.0; ROWS]].concat();
    let against = Against::new(case, &[others], 1, 1);
    for game in GAMES {
        let trees = upload(&against, gpu, game, Limits::default());
        let (expected, got) = (on_cpu(&against, game), run(&against, &trees));
        assert!(expected.values.iter().any(|value| value.abs() > 1.0));
        agree(&expected, &got, 1e-7).unwrap_or_else(|e| panic!("{game:?}: {e}"));
    }
}

//! The kernels on a GPU against those on the CPU. Without an adapter these tests say so and pass,
//! unless `WHYLIGHT_REQUIRE_GPU=1`.

mod coalitions;
mod games;
mod han;
mod interactions;
mod least_squares;
mod leaves;
mod nearest;
mod network;
mod pairs;
mod run;
mod shuffled;
mod weighted_gram;

use std::sync::OnceLock;

use whylight::gpu::{AdapterKind, Gpu};
use whylight_kernels::{Forest, Node, ROWS, Test, forest::LEAF};

use self::run::{Case, Limits, Split};
use crate::support::chain::chain;
use crate::support::compare::agree;
use crate::support::forest::Spec;

/// GPU and CPU agree within this much of a row's largest |value|.
const TOLERANCE: f64 = 1e-5;

/// A GPU where there is one, else a software adapter; `None` without either.
pub(crate) fn gpu() -> Option<&'static Gpu> {
    static GPU: OnceLock<Option<Gpu>> = OnceLock::new();
    let gpu = GPU.get_or_init(|| {
        let mut adapters = Gpu::adapters();
        adapters.sort_by_key(|adapter| (adapter.kind == AdapterKind::Other, adapter.kind));
        let first = adapters.first()?;
        let gpu = Gpu::open(first.index).unwrap();
        eprintln!("GPU tests run on {}, a {}", first.name, first.kind);
        Some(gpu)
    });
    if gpu.is_none() {
        let is_required = std::env::var("WHYLIGHT_REQUIRE_GPU").is_ok_and(|value| value == "1");
        assert!(
            !is_required,
            "WHYLIGHT_REQUIRE_GPU=1, but there is no adapter"
        );
        eprintln!("SKIPPED: no GPU and no software adapter; install mesa-vulkan-drivers");
    }
    gpu.as_ref()
}

/// Compares values and margins of a case; the largest difference seen.
fn check(gpu: &Gpu, case: &Case, split: Split, name: &str) -> f64 {
    let expected = case.on_cpu(split);
    let got = case.on_gpu(gpu, split, Limits::default());
    let worst = agree(&expected, &got, TOLERANCE).unwrap_or_else(|e| panic!("{name}: {e}"));
    let margins = agree(
        &case.margins_on_cpu(),
        &case.margins_on_gpu(gpu, Limits::default()),
        1e-12,
    );
    margins.unwrap_or_else(|e| panic!("{name}, margins: {e}"));
    worst
}

#[test]
fn values_of_trees_of_every_shape_agree() {
    let Some(gpu) = gpu() else { return };
    let mut worst = [0.0_f64; 2];
    let counts = [1, 63, 64, 65, 255, 256, 257, 600];
    for seed in 0..40_u64 {
        let spec = Spec {
            trees: 1 + seed as usize % 7,
            depth: seed as usize % 9,
            features: 2 + seed as usize % 8,
            outputs: 1 + seed as usize % 3,
            split: if seed.is_multiple_of(5) { 1.0 } else { 0.8 },
            oblivious: seed % 6 == 5,
            ..Spec::default()
        };
        let case = Case::random(spec, seed, counts[seed as usize % counts.len()]);
        for (worst, split) in worst.iter_mut().zip([Split::Tables, Split::Quadrature]) {
            let name = format!("{split:?}, seed {seed}, {spec:?}");
            *worst = worst.max(check(gpu, &case, split, &name));
        }
    }
    eprintln!(
        "largest difference: {:.1e} by tables, {:.1e} by quadrature",
        worst[0], worst[1]
    );
}

#[test]
fn values_of_constant_columns_agree() {
    let Some(gpu) = gpu() else { return };
    let spec = Spec {
        features: 4,
        ..Spec::default()
    };
    let mut case = Case::random(spec, 3, 300);
    for block in &mut case.blocks {
        block[..ROWS].fill(0.25);
        block[ROWS..2 * ROWS].fill(f32::NAN);
    }
    check(gpu, &case, Split::Tables, "tables");
    check(gpu, &case, Split::Quadrature, "quadrature");
}

#[test]
fn values_of_paths_over_many_features_agree() {
    let Some(gpu) = gpu() else { return };
    let mut worst = 0.0_f64;
    for (seed, (features, depth)) in (0..).zip([(33, 33), (45, 45), (70, 64), (44, 200)]) {
        let (forest, thresholds, blocks) = chain(seed, features, depth, 1);
        let case = Case {
            forest,
            thresholds,
            rows: 65,
            blocks,
        };
        let name = format!("{depth} levels over {features} features");
        let few = Case {
            rows: 12,
            ..case.clone()
        };
        let got = few.on_gpu(gpu, Split::Quadrature, Limits::default());
        let defined = agree(&few.as_defined(), &got, TOLERANCE);
        worst = worst.max(defined.unwrap_or_else(|e| panic!("{name}: {e}")));
        check(gpu, &case, Split::Quadrature, &name);
    }
    eprintln!("largest difference: {worst:.1e} by quadrature over long paths");
}

/// A software adapter leaves the loops of an invocation after a number of turns, and counts the test that ends a
/// loop: of short paths, these are many.
#[test]
fn more_short_paths_than_a_launch_takes_agree() {
    let Some(gpu) = gpu() else { return };
    for (trees, depth) in [1, 2, 4, 6, 8].map(|depth| (9000 >> depth, depth)) {
        let spec = Spec {
            trees,
            depth,
            features: 12,
            split: 1.0,
            ..Spec::default()
        };
        let case = Case::random(spec, 7, 5);
        for split in [Split::Quadrature, Split::Tables] {
            let got = case.on_gpu(gpu, split, Limits::default());
            let worst = agree(&case.on_cpu(split), &got, TOLERANCE);
            worst.unwrap_or_else(|e| panic!("{split:?}, {trees} of depth {depth}: {e}"));
        }
    }
}

#[test]
fn more_features_than_a_tile_holds_agree() {
    let Some(gpu) = gpu() else { return };
    let spec = Spec {
        trees: 30,
        features: 150,
        depth: 6,
        outputs: 2,
        ..Spec::default()
    };
    let case = Case::random(spec, 11, 300);
    check(gpu, &case, Split::Tables, "tables");
    check(gpu, &case, Split::Quadrature, "quadrature");
}

#[test]
fn no_limit_changes_a_bit() {
    let Some(gpu) = gpu() else { return };
    let spec = Spec {
        trees: 90,
        features: 6,
        outputs: 2,
        ..Spec::default()
    };
    let case = Case::random(spec, 21, 600);
    for split in [Split::Tables, Split::Quadrature] {
        let whole = case.layout_on_gpu(gpu, split, Limits::default());
        let expected = case.on_gpu(gpu, split, Limits::default()).values;
        let again = case.on_gpu(gpu, split, Limits::default()).values;
        assert_eq!(bits(&expected), bits(&again), "{split:?}: run again");
        let buffer = match split {
            Split::Tables => 170 << 10,
            Split::Quadrature => 24 << 10,
        };
        let small = [
            (Some(1), None),
            (Some(1 << 18), None),
            (None, Some(buffer)),
            (Some(1), Some(buffer + 1000)),
        ];
        for (memory, buffer) in small {
            let limits = Limits { memory, buffer };
            let got = case.on_gpu(gpu, split, limits).values;
            assert_eq!(bits(&expected), bits(&got), "{split:?}: {limits:?}");
            let layout = case.layout_on_gpu(gpu, split, limits);
            let parts = |layout: &whylight::gpu_trees::Layout| layout.parts.iter().sum::<usize>();
            assert!(
                layout.batch_rows < whole.batch_rows,
                "{split:?}: {limits:?} has not divided the rows"
            );
            assert!(
                buffer.is_none() || parts(&layout) > parts(&whole),
                "{split:?}: {limits:?} has not divided the model: {layout:?}"
            );
        }
        let margins = case.margins_on_gpu(gpu, Limits::default()).values;
        let divided = Limits {
            memory: Some(1),
            buffer: Some(32 << 10),
        };
        let got = case.margins_on_gpu(gpu, divided).values;
        assert_eq!(bits(&margins), bits(&got), "margins");
    }
}

fn bits(values: &[f64]) -> Vec<u64> {
    values.iter().map(|value| value.to_bits()).collect()
}

#[test]
fn a_row_has_the_same_bits_wherever_it_stands() {
    let Some(gpu) = gpu() else { return };
    let spec = Spec {
        trees: 20,
        ..Spec::default()
    };
    let case = Case::random(spec, 31, 600);
    for split in [Split::Tables, Split::Quadrature] {
        let all = case.on_gpu(gpu, split, Limits::default());
        let mut alone = case.clone();
        alone.rows = 1;
        let first = alone.on_gpu(gpu, split, Limits::default());
        assert_eq!(bits(&all.values[..all.width]), bits(&first.values));
    }
}

#[test]
fn sums_keep_what_a_plain_float32_sum_would_lose() {
    let Some(gpu) = gpu() else { return };
    let mut forest = Forest {
        columns: 1,
        features: 1,
        outputs: 1,
        ..Forest::default()
    };
    let leaf = |value: f64| Node {
        feature: LEAF,
        column: 0,
        test: Test::Below {
            missing_left: false,
        },
        left: 0,
        right: 0,
        fraction: 0.5,
        value,
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
        forest.nodes.push(Node {
            feature: 0,
            left: root + 1,
            right: root + 2,
            fraction: 1.0,
            ..leaf(0.0)
        });
        forest.nodes.extend([leaf(value), leaf(-value)]);
    }
    let case = Case {
        thresholds: vec![0.0; forest.nodes.len()],
        forest,
        rows: 2,
        blocks: vec![[vec![-1.0, 1.0], vec![0.0; ROWS - 2]].concat()],
    };
    for split in [Split::Tables, Split::Quadrature] {
        let expected = case.on_cpu(split);
        let got = case.on_gpu(gpu, split, Limits::default());
        agree(&expected, &got, 1e-7).unwrap_or_else(|e| panic!("{split:?}: {e}"));
    }
    let got = case.margins_on_gpu(gpu, Limits::default());
    // 48 bits of the largest sum under way.
    agree(&case.margins_on_cpu(), &got, 1e-8).unwrap();
}

#[test]
fn more_trees_than_a_software_adapter_has_loop_iterations_agree() {
    let Some(gpu) = gpu() else { return };
    let spec = Spec {
        trees: 25_000,
        depth: 1,
        features: 3,
        split: 1.0,
        ..Spec::default()
    };
    let case = Case::random(spec, 41, 20);
    check(gpu, &case, Split::Tables, "tables");
    check(gpu, &case, Split::Quadrature, "quadrature");
}

#[test]
fn wrong_buffers_and_kinds_are_refused() {
    let Some(gpu) = gpu() else { return };
    let case = Case::random(Spec::default(), 1, 10);
    let trees = case.upload(gpu, Split::Tables, Limits::default()).unwrap();
    let fill = |start, rows, cells: &mut [f32]| {
        case.fill(start, rows, cells);
        Ok(())
    };
    assert!(trees.values(0, 10, fill, &mut [0.0; 69]).is_err());
    assert!(trees.values(1, 10, fill, &mut [0.0; 70]).is_err());
    let fails = |_: usize, _: usize, _: &mut [f32]| {
        Err(whylight::Error::Parameter {
            name: "rows",
            got: "nonsense".to_owned(),
            allowed: "sense".to_owned(),
        })
    };
    assert!(trees.values(0, 10, fails, &mut [0.0; 70]).is_err());
    // An error in the middle leaves the model usable.
    trees.values(0, 10, fill, &mut [0.0; 70]).unwrap();
    let limits = Limits {
        buffer: Some(1024),
        memory: None,
    };
    let error = case.upload(gpu, Split::Tables, limits).unwrap_err();
    assert!(error.to_string().contains("device cpu"), "{error}");
}

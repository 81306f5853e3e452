//! The kernels on one thread of the CPU.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput};
use whylight_kernels::{Level, ROWS, predict_trees as predict, tree_quadrature as quadrature};
use whylight_kernels::{tree_quadrature::few, tree_tables as tables};

use super::case::Case;

/// Bytes of the tables that all blocks read before the next tables, as the explainer has it.
const SPAN: usize = 96 << 10;

/// Measures `run`, which adds to sums laid out (block, cell, [`ROWS`]), `width` cells a block.
fn measure(
    criterion: &mut Criterion,
    kernel: &str,
    device: &str,
    case: &Case,
    width: usize,
    mut run: impl FnMut(&mut [[f64; ROWS]]),
) {
    let mut sums = vec![[0.0; ROWS]; case.rows.div_ceil(ROWS) * width];
    let mut group = criterion.benchmark_group(kernel);
    group.throughput(Throughput::Elements(case.rows as u64));
    group.bench_function(BenchmarkId::new(device, case.name()), |bencher| {
        bencher.iter(|| {
            sums.fill([0.0; ROWS]);
            run(&mut sums);
            black_box(&sums);
        });
    });
    group.finish();
}

fn build<P>(criterion: &mut Criterion, kernel: &str, case: &Case, pack: impl Fn(&Case) -> P) {
    let mut group = criterion.benchmark_group(kernel);
    group.throughput(Throughput::Elements(case.forest.trees() as u64));
    group.bench_function(BenchmarkId::new("cpu", case.model()), |bencher| {
        bencher.iter_with_large_drop(|| pack(case));
    });
    group.finish();
}

fn each_level(mut run: impl FnMut(Level, &str)) {
    for level in Level::available() {
        run(level, &format!("cpu-{}", level.name()));
    }
}

pub(crate) fn predict_trees(criterion: &mut Criterion, case: &Case) {
    let blocks = case.blocks();
    measure(criterion, "predict_trees", "cpu", case, 1, |sums| {
        for (block, sums) in blocks.iter().zip(sums.chunks_mut(1)) {
            predict::run(&case.forest, &case.thresholds, *block, sums);
        }
    });
}

pub(crate) fn tree_tables(criterion: &mut Criterion, case: &Case) {
    let (forest, thresholds) = (&case.forest, &case.thresholds);
    let (blocks, pack) = (case.blocks(), case.tables());
    let spans = pack.spans(SPAN);
    let features = forest.features as usize;
    each_level(|level, device| {
        let mut scratch = tables::Scratch::default();
        measure(criterion, "tree_tables", device, case, features, |sums| {
            for (_, trees) in &spans {
                for (block, sums) in blocks.iter().zip(sums.chunks_mut(features)) {
                    let (trees, scratch) = (trees.clone(), &mut scratch);
                    tables::run(
                        level, forest, thresholds, &pack, trees, *block, scratch, sums,
                    );
                }
            }
        });
    });
}

pub(crate) fn tree_quadrature(criterion: &mut Criterion, case: &Case) {
    let (forest, thresholds) = (&case.forest, &case.thresholds);
    let (blocks, pack) = (case.blocks(), case.factors());
    let features = forest.features as usize;
    each_level(|level, device| {
        let mut scratch = quadrature::Scratch::default();
        measure(
            criterion,
            "tree_quadrature",
            device,
            case,
            features,
            |sums| {
                for tree in 0..pack.len() {
                    for (block, sums) in blocks.iter().zip(sums.chunks_mut(features)) {
                        let (trees, scratch) = (tree..tree + 1, &mut scratch);
                        quadrature::run(
                            level, forest, thresholds, &pack, trees, *block, scratch, sums,
                        );
                    }
                }
            },
        );
    });
}

pub(crate) fn tree_quadrature_few(criterion: &mut Criterion, case: &Case) {
    let (blocks, paths) = (case.blocks(), case.paths());
    let features = case.forest.features as usize;
    each_level(|level, device| {
        measure(
            criterion,
            "tree_quadrature_few",
            device,
            case,
            features,
            |sums| {
                for (block, sums) in blocks.iter().zip(sums.chunks_mut(features)) {
                    few::run(
                        level,
                        &case.forest,
                        &case.thresholds,
                        &paths,
                        *block,
                        (0, case.forest.features as usize),
                        sums,
                    );
                }
            },
        );
    });
}

pub(crate) fn tree_tables_build(criterion: &mut Criterion, case: &Case) {
    build(criterion, "tree_tables_build", case, Case::tables);
}

pub(crate) fn tree_quadrature_build(criterion: &mut Criterion, case: &Case) {
    build(criterion, "tree_quadrature_build", case, Case::factors);
}

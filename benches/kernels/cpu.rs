//! The kernels on one thread of the CPU.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput};
use whylight_kernels::legendre::Index;
use whylight_kernels::{Block, Level, ROWS};
use whylight_kernels::{kmeans_assign as assign, predict_trees as predict};
use whylight_kernels::{tree_leaves as leaves, tree_pairs as pairs};
use whylight_kernels::{
    tree_quadrature as quadrature, tree_quadrature::few, tree_tables as tables,
};

use super::case::Case;

/// Bytes of the tables that all blocks read before the next tables, as the explainer has it.
const SPAN: usize = 96 << 10;

/// Rows of a background, and centres.
const OTHERS: usize = 10;

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
    look_up(criterion, "tree_tables", case, &case.tables());
    look_up(criterion, "tree_tables_pairs", case, &case.pair_tables());
}

fn look_up(criterion: &mut Criterion, kernel: &str, case: &Case, pack: &tables::Pack) {
    let (forest, thresholds) = (&case.forest, &case.thresholds);
    let blocks = case.blocks();
    let spans = pack.spans(SPAN);
    let features = pack.lanes.values(forest.features) as usize;
    each_level(|level, device| {
        let mut scratch = tables::Scratch::default();
        measure(criterion, kernel, device, case, features, |sums| {
            for (_, trees) in &spans {
                for (block, sums) in blocks.iter().zip(sums.chunks_mut(features)) {
                    let (trees, scratch) = (trees.clone(), &mut scratch);
                    tables::run(
                        level, forest, thresholds, pack, trees, *block, scratch, sums,
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
    let pairs = "tree_tables_pairs_build";
    build(criterion, pairs, case, Case::pair_tables);
    let background = "tree_tables_background_build";
    build(criterion, background, case, Case::background_tables);
}

pub(crate) fn tree_quadrature_build(criterion: &mut Criterion, case: &Case) {
    build(criterion, "tree_quadrature_build", case, Case::factors);
}

/// The first [`OTHERS`] rows as a background, from the cells by row.
pub(crate) fn others<'a>(
    case: &'a Case,
    cells: &'a [f32],
    shares: &'a pairs::Shares,
) -> pairs::Background<'a> {
    pairs::Background {
        cells: &cells[..OTHERS * case.forest.columns as usize],
        thresholds: &case.thresholds,
        weights: &[1.0 / OTHERS as f64; OTHERS],
        shares,
    }
}

/// Every row against the first [`OTHERS`] rows.
pub(crate) fn tree_pairs(criterion: &mut Criterion, case: &Case) {
    let (forest, thresholds) = (&case.forest, &case.thresholds);
    let blocks = case.blocks();
    let features = forest.features as usize;
    let (cells, shares) = (case.by_row(), pairs::Shares::new(Index::Shapley, features));
    let background = others(case, &cells, &shares);
    let trees: Vec<u32> = (0..forest.trees() as u32).collect();
    let mut scratch = pairs::Scratch::default();
    measure(criterion, "tree_pairs", "cpu", case, features, |sums| {
        for (block, sums) in blocks.iter().zip(sums.chunks_mut(features)) {
            let scratch = &mut scratch;
            pairs::run(
                forest, thresholds, &trees, *block, background, scratch, sums,
            );
        }
    });
}

/// Every row against the first [`OTHERS`] rows, leaf by leaf.
pub(crate) fn tree_leaves(criterion: &mut Criterion, case: &Case) {
    let forest = &case.forest;
    let blocks = case.blocks();
    let cells = case.by_row();
    let first: Vec<f32> = {
        let mut block = vec![f32::NAN; forest.columns as usize * ROWS];
        for (row, cells) in cells
            .chunks(forest.columns as usize)
            .take(OTHERS)
            .enumerate()
        {
            for (column, &cell) in cells.iter().enumerate() {
                block[column * ROWS + row] = cell;
            }
        }
        block
    };
    let others = [Block::new(&first, OTHERS)];
    let shares = pairs::Shares::new(Index::Shapley, forest.features as usize);
    let rows = |blocks| leaves::Rows {
        blocks,
        thresholds: &case.thresholds,
    };
    let background = leaves::Background {
        rows: rows(&others),
        weights: &[1.0 / OTHERS as f64; OTHERS],
        shares: &shares,
    };
    let most = leaves::most_in_table(case.rows as f64, OTHERS);
    let mut scratch = leaves::Scratch::default();
    let mut values = vec![0.0; forest.features as usize * case.rows];
    each_level(|level, device| {
        let mut group = criterion.benchmark_group("tree_leaves");
        group.throughput(Throughput::Elements(case.rows as u64));
        group.bench_function(BenchmarkId::new(device, case.name()), |bencher| {
            bencher.iter(|| {
                for tree in 0..forest.trees() as u32 {
                    let (rows, scratch) = (rows(&blocks), &mut scratch);
                    leaves::run(
                        level,
                        forest,
                        tree,
                        rows,
                        background,
                        most,
                        scratch,
                        &mut values,
                    );
                }
                black_box(&values);
            });
        });
        group.finish();
    });
}

/// Every row to the nearest of the first [`OTHERS`] rows; missing cells count as 0.
pub(crate) fn kmeans_assign(criterion: &mut Criterion, case: &Case) {
    let present = |cell: &f32| if cell.is_nan() { 0.0 } else { *cell };
    let columns = case.forest.columns as usize;
    let rows: Vec<f32> = case.by_row().iter().map(present).collect();
    let centres = &rows[..OTHERS * columns];
    let cells: Vec<Vec<f32>> = case
        .cells()
        .map(|cells| cells.iter().map(present).collect())
        .collect();
    each_level(|level, device| {
        let mut nearest = [0; ROWS];
        let mut distances = [0.0; ROWS];
        let mut group = criterion.benchmark_group("kmeans_assign");
        group.throughput(Throughput::Elements(case.rows as u64));
        group.bench_function(BenchmarkId::new(device, case.name()), |bencher| {
            bencher.iter(|| {
                for (cells, block) in cells.iter().zip(case.blocks()) {
                    let block = Block::new(cells, block.rows());
                    assign::run(level, block, centres, 0, &mut nearest, &mut distances);
                    black_box((&nearest, &distances));
                }
            });
        });
        group.finish();
    });
}

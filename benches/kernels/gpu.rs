//! The kernels on a GPU, the model resident.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput};
use whylight::Result;
use whylight::gpu::{AdapterKind, Gpu};
use whylight::gpu_trees::{Background, GpuTrees, Plan};
use whylight_kernels::{ROWS, tree_pairs as pairs, tree_tables as tables};

use super::case::Case;
use super::cpu;

/// The GPUs to measure.
pub(crate) fn open() -> Vec<Gpu> {
    let wanted = std::env::var("WHYLIGHT_BENCH_DEVICE").unwrap_or_default();
    let wanted: Vec<&str> = wanted.split(',').filter(|name| !name.is_empty()).collect();
    let mut adapters = Gpu::adapters();
    if wanted.is_empty() {
        adapters.retain(|adapter| adapter.kind < AdapterKind::Other);
    } else {
        let names: Vec<String> = (adapters.iter())
            .map(|adapter| format!("gpu:{}", adapter.index))
            .chain(["cpu".to_owned()])
            .collect();
        for name in &wanted {
            assert!(
                names.iter().any(|known| known == name),
                "WHYLIGHT_BENCH_DEVICE names {name}; this machine has {}",
                names.join(", ")
            );
        }
        adapters.retain(|adapter| wanted.contains(&format!("gpu:{}", adapter.index).as_str()));
    }
    let opened = adapters.iter().map(|adapter| Gpu::open(adapter.index));
    opened
        .collect::<Result<_>>()
        .unwrap_or_else(|error| panic!("{error}"))
}

/// The name of a GPU as a part of an id.
fn name(gpu: &Gpu) -> String {
    let adapter = gpu.adapter();
    let words = adapter.name.split(|c: char| !c.is_ascii_alphanumeric());
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    format!(
        "gpu{}-{}",
        adapter.index,
        words.join("-").to_ascii_lowercase()
    )
}

fn upload(
    gpu: &Gpu,
    case: &Case,
    tables: &tables::Pack,
    quadrature: &[u32],
    background: Option<Background<'_>>,
    margins: bool,
) -> GpuTrees {
    let plan = Plan {
        forest: &case.forest,
        thresholds: &[&case.thresholds],
        tables,
        quadrature,
        background,
        margins,
        memory_limit: None,
        buffer_limit: None,
    };
    let trees = GpuTrees::new(gpu, &plan).unwrap_or_else(|error| panic!("{error}"));
    assert!(trees.left().is_empty(), "a case is too deep for the GPU");
    trees
}

fn measure(
    criterion: &mut Criterion,
    kernel: &str,
    gpu: &Gpu,
    case: &Case,
    mut run: impl FnMut() -> Result<()>,
) {
    let mut group = criterion.benchmark_group(kernel);
    group.throughput(Throughput::Elements(case.rows as u64));
    group.bench_function(BenchmarkId::new(name(gpu), case.name()), |bencher| {
        bencher.iter(|| run().unwrap_or_else(|error| panic!("{error}")));
    });
    group.finish();
}

/// Copies the cells of a block.
fn fill(blocks: &[&[f32]]) -> impl Fn(usize, usize, &mut [f32]) -> Result<()> + Sync {
    |start, _rows, cells| {
        cells.copy_from_slice(blocks[start / ROWS]);
        Ok(())
    }
}

fn values(criterion: &mut Criterion, kernel: &str, gpu: &Gpu, case: &Case, trees: &GpuTrees) {
    let blocks: Vec<&[f32]> = case.cells().collect();
    let mut out = vec![0.0; case.rows * case.forest.features as usize];
    measure(criterion, kernel, gpu, case, || {
        trees.values(0, case.rows, fill(&blocks), &mut out)?;
        black_box(&out);
        Ok(())
    });
}

pub(crate) fn predict_trees(criterion: &mut Criterion, gpu: &Gpu, case: &Case) {
    let trees = upload(gpu, case, &tables::Pack::default(), &[], None, true);
    let blocks: Vec<&[f32]> = case.cells().collect();
    let mut out = vec![0.0; case.rows];
    measure(criterion, "predict_trees", gpu, case, || {
        trees.margins(0, case.rows, fill(&blocks), &mut out)?;
        black_box(&out);
        Ok(())
    });
}

pub(crate) fn tree_tables(criterion: &mut Criterion, gpu: &Gpu, case: &Case) {
    let trees = upload(gpu, case, &case.tables(), &[], None, false);
    values(criterion, "tree_tables", gpu, case, &trees);
}

pub(crate) fn tree_quadrature(criterion: &mut Criterion, gpu: &Gpu, case: &Case) {
    let all: Vec<u32> = (0..case.forest.trees() as u32).collect();
    let trees = upload(gpu, case, &tables::Pack::default(), &all, None, false);
    values(criterion, "tree_quadrature", gpu, case, &trees);
}

/// Every row against the first rows.
fn compared(criterion: &mut Criterion, kernel: &str, gpu: &Gpu, case: &Case) {
    let all: Vec<u32> = (0..case.forest.trees() as u32).collect();
    let shares = pairs::Shares::new(case.forest.index, case.forest.features as usize);
    let cells = case.by_row();
    let is_leaves = kernel == "tree_leaves";
    let background = Background {
        rows: cpu::others(case, &cells, &shares),
        pairs: if is_leaves { &[] } else { &all },
        leaves: if is_leaves { &all } else { &[] },
    };
    let tables = tables::Pack::default();
    let trees = upload(gpu, case, &tables, &[], Some(background), false);
    values(criterion, kernel, gpu, case, &trees);
}

pub(crate) fn tree_pairs(criterion: &mut Criterion, gpu: &Gpu, case: &Case) {
    compared(criterion, "tree_pairs", gpu, case);
}

pub(crate) fn tree_leaves(criterion: &mut Criterion, gpu: &Gpu, case: &Case) {
    compared(criterion, "tree_leaves", gpu, case);
}

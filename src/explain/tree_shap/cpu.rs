//! Tree SHAP on the CPU: which engine takes which tree, and the blocks of rows.

use std::ops::Range;
use std::sync::OnceLock;

use rayon::prelude::*;
use whylight_kernels::{Block, Level, ROWS, tree_quadrature, tree_tables};

use super::columns::{self, Scale};
use super::compile::Compiled;
use crate::data::Batch;
use crate::error::Result;

/// Up to this many rows no pack pays for itself.
const FEW_ROWS: u64 = 24;

/// From this many rows on the build of a table is small beside its use.
const MANY_ROWS: u64 = 1500;

/// Bytes of all tables, and of all factors, of an explainer. Trees beyond take the next engine,
/// which needs less.
const PACK_BYTES: usize = 384 << 20;

/// Groups of a tree at most; beyond, its tables would not stay in the cache.
const MAX_GROUPS: usize = 1000;

/// Trees that one thread packs at a time.
const TREES_PER_TASK: usize = 8;

/// How many rows one call explains, as far as it matters for the choice of engines. It depends on
/// the rows of the whole call alone, so neither batches nor threads change a bit of the values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Amount {
    Few,
    Some,
    Many,
}

impl Amount {
    pub(super) fn of(rows: Option<u64>) -> Self {
        match rows {
            Some(rows) if rows <= FEW_ROWS => Amount::Few,
            Some(rows) if rows < MANY_ROWS => Amount::Some,
            _ => Amount::Many,
        }
    }
}

/// The packs for each amount of rows, made when first needed.
#[derive(Debug, Default)]
pub(super) struct Cpu {
    packs: [OnceLock<Packs>; 3],
}

/// The trees, divided among the engines.
#[derive(Debug, Default)]
pub(super) struct Packs {
    tables: tree_tables::Pack,
    table_spans: Vec<(u32, Range<usize>)>,
    quadrature: tree_quadrature::Pack,
    /// Trees without a pack, with the features of their longest path.
    few: Vec<(u32, u32)>,
}

/// Which engine takes a tree.
#[derive(Debug)]
enum Engine {
    Tables(tree_tables::Cover),
    Quadrature,
    Few,
}

/// Bytes of the cells and sums of a tile: with the tables of a span they stay in the cache, so that
/// neither tables nor rows come from memory more often than once per tile and span.
const TILE_BYTES: usize = 320 << 10;

/// Bytes of the tables that all blocks of a tile read before the next tables.
const SPAN_BYTES: usize = 96 << 10;

#[derive(Debug, Default)]
struct Scratch {
    columns: columns::Scratch,
    tables: tree_tables::Scratch,
    quadrature: tree_quadrature::Scratch,
    /// Block by block: prepared cells (column, row) and sums (output, feature, row).
    cells: Vec<f32>,
    values: Vec<[f64; ROWS]>,
}

impl Cpu {
    pub(super) fn packs(&self, compiled: &Compiled, amount: Amount) -> &Packs {
        self.packs[amount as usize].get_or_init(|| Packs::new(compiled, amount))
    }

    /// Writes the values of a batch to `out`, laid out (rows, features, outputs).
    pub(super) fn values(
        &self,
        compiled: &Compiled,
        batch: &Batch<'_>,
        amount: Amount,
        out: &mut [f32],
    ) -> Result<()> {
        let packs = self.packs(compiled, amount);
        let forest = &compiled.forest;
        let width = (forest.features * forest.outputs) as usize;
        if width == 0 {
            return Ok(());
        }
        let scale = compiled.scale(batch);
        let block_bytes = ROWS * (forest.columns as usize * 4 + width * 8);
        let tile = ROWS * (TILE_BYTES / block_bytes).clamp(1, 16);
        let work = |scratch: &mut Scratch, (t, out): (usize, &mut [f32])| {
            packs.tile(compiled, batch, scale, t * tile, width, scratch, out)
        };
        if out.len() <= tile * width {
            return work(&mut Scratch::default(), (0, out));
        }
        out.par_chunks_mut(tile * width)
            .enumerate()
            .try_for_each_init(Scratch::default, work)
    }
}

impl Packs {
    fn new(compiled: &Compiled, amount: Amount) -> Self {
        let forest = &compiled.forest;
        let shapes = &compiled.shapes;
        let mut order: Vec<usize> = (0..forest.trees()).collect();
        order.sort_by_key(|&tree| forest.tree_outputs[tree]);
        if amount == Amount::Few {
            let few = |&tree: &usize| (tree as u32, shapes[tree].path_features);
            return Self {
                few: order.iter().map(few).collect(),
                ..Self::default()
            };
        }
        // Tables and factors do not depend on the scale, only on which tests are the same.
        let thresholds = compiled.identities();
        // To find a division costs as much as some hundred rows of quadrature; a tree that is one
        // group is found at once.
        let max_groups = if amount == Amount::Some {
            1
        } else {
            MAX_GROUPS
        };
        let covers: Vec<Option<tree_tables::Cover>> = (order.par_iter())
            .map(|&tree| {
                let points = tree_quadrature::points(shapes[tree].path_features as usize);
                tree_tables::cover(forest, thresholds, tree, max_groups)
                    .filter(|cover| pays(cover, shapes[tree].leaves as usize, points, amount))
            })
            .collect();
        let (mut table_bytes, mut factor_bytes) = (0, 0);
        let mut engines = Vec::with_capacity(order.len());
        for (&tree, cover) in order.iter().zip(covers) {
            let shape = shapes[tree];
            let points = tree_quadrature::points(shape.path_features as usize);
            let factors = shape.leaves as usize * (160 + 16 * points);
            engines.push(match cover {
                Some(cover) if table_bytes + cover.entries * 32 <= PACK_BYTES => {
                    table_bytes += cover.entries * 32;
                    Engine::Tables(cover)
                }
                _ if factor_bytes + factors <= PACK_BYTES => {
                    factor_bytes += factors;
                    Engine::Quadrature
                }
                _ => Engine::Few,
            });
        }
        let work: Vec<(usize, Engine)> = order.into_iter().zip(engines).collect();
        let parts: Vec<Self> = work
            .par_chunks(TREES_PER_TASK)
            .map(|work| {
                let mut part = Self::default();
                for (tree, engine) in work {
                    let features = shapes[*tree].path_features;
                    match engine {
                        Engine::Tables(cover) => part.tables.push(forest, thresholds, *tree, cover),
                        Engine::Quadrature => {
                            let points = tree_quadrature::points(features as usize);
                            part.quadrature.push(forest, *tree, points);
                        }
                        Engine::Few => part.few.push((*tree as u32, features)),
                    }
                }
                part
            })
            .collect();
        let mut packs = Self::default();
        for part in parts {
            packs.tables.append(&part.tables);
            packs.quadrature.append(&part.quadrature);
            packs.few.extend(part.few);
        }
        packs.tables.finish();
        packs.table_spans = packs.tables.spans(SPAN_BYTES);
        packs
    }

    /// How many trees each engine takes.
    pub(super) fn engines(&self) -> Vec<(String, usize)> {
        [
            ("tables", self.tables.trees.len()),
            ("quadrature", self.quadrature.len()),
            ("quadrature_few_rows", self.few.len()),
        ]
        .into_iter()
        .filter(|(_, trees)| *trees > 0)
        .map(|(engine, trees)| (engine.to_owned(), trees))
        .collect()
    }

    /// Writes the values of the rows from `start` to `out`, laid out (rows, width).
    #[expect(
        clippy::too_many_arguments,
        reason = "what a batch shares and what a tile owns"
    )]
    fn tile(
        &self,
        compiled: &Compiled,
        batch: &Batch<'_>,
        scale: Scale,
        start: usize,
        width: usize,
        scratch: &mut Scratch,
        out: &mut [f32],
    ) -> Result<()> {
        let level = Level::detect();
        let forest = &compiled.forest;
        let thresholds = compiled.thresholds(scale);
        let features = forest.features as usize;
        let rows = out.len() / width;
        let blocks = rows.div_ceil(ROWS);
        let block_cells = compiled.columns.len() * ROWS;
        let Scratch {
            columns,
            tables,
            quadrature,
            cells,
            values,
        } = scratch;
        cells.resize(blocks * block_cells, 0.0);
        values.clear();
        values.resize(blocks * width, [0.0; ROWS]);
        let rows_of = |block: usize| (rows - block * ROWS).min(ROWS);
        for block in 0..blocks {
            let cells = &mut cells[block * block_cells..][..block_cells];
            compiled.fill(
                batch,
                scale,
                start + block * ROWS,
                rows_of(block),
                columns,
                cells,
            )?;
        }
        let block_of =
            |block: usize| Block::new(&cells[block * block_cells..][..block_cells], rows_of(block));
        let sums = |output: u32, block: usize| {
            let first = block * width + output as usize * features;
            first..first + features
        };
        if !self.few.is_empty() {
            for (block, values) in values.chunks_mut(width).enumerate() {
                let (few, block) = (&self.few, block_of(block));
                tree_quadrature::few::run(level, forest, thresholds, few, block, values);
            }
        }
        for (output, trees) in &self.table_spans {
            for block in 0..blocks {
                let (pack, values) = (&self.tables, &mut values[sums(*output, block)]);
                let (trees, block) = (trees.clone(), block_of(block));
                tree_tables::run(
                    level, forest, thresholds, pack, trees, block, tables, values,
                );
            }
        }
        for tree in 0..self.quadrature.len() {
            for block in 0..blocks {
                let pack = &self.quadrature;
                let values = &mut values[sums(pack.output(tree), block)];
                let (tree, block) = (tree..tree + 1, block_of(block));
                tree_quadrature::run(
                    level, forest, thresholds, pack, tree, block, quadrature, values,
                );
            }
        }
        for (values, out) in values.chunks(width).zip(out.chunks_mut(ROWS * width)) {
            write(values, features, out);
        }
        Ok(())
    }
}

/// Whether tables are cheaper than quadrature, in nanoseconds per row as measured on one AVX2 core
/// (benches/kernels.rs), the build shared by the rows.
fn pays(cover: &tree_tables::Cover, leaves: usize, points: usize, amount: Amount) -> bool {
    let rows = match amount {
        Amount::Few => return false,
        Amount::Some => 300.0,
        Amount::Many => 5000.0,
    };
    let entries = cover.entries as f64;
    let tables = 1.2 * cover.groups() as f64 + 0.1 * leaves as f64 + 30.0 * entries / rows;
    let quadrature = (0.2 + 0.3 * points as f64) * leaves as f64 * (1.0 + 100.0 / rows);
    tables < quadrature
}

/// `values` (output, feature, row) to `out` (row, feature, output).
fn write(values: &[[f64; ROWS]], features: usize, out: &mut [f32]) {
    let width = values.len();
    let outputs = width / features;
    for (cell, values) in values.iter().enumerate() {
        let (output, feature) = (cell / features, cell % features);
        let column = feature * outputs + output;
        for (value, out) in values.iter().zip(out[column..].iter_mut().step_by(width)) {
            *out = *value as f32;
        }
    }
}

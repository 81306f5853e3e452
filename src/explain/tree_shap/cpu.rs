//! Tree SHAP on the CPU: the packs of the engines, and the tiles of rows.

use std::ops::Range;
use std::sync::OnceLock;

use rayon::prelude::*;
use whylight_kernels::{Block, Level, ROWS, tree_quadrature, tree_tables};

use super::columns::{self, Scale};
use super::compile::Compiled;
use super::plan::{self, Amount, Engine};
use crate::data::Batch;
use crate::error::Result;

/// Trees that one thread packs at a time.
const TREES_PER_TASK: usize = 8;

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

/// Bytes of the cells and sums of a tile. Each tile reads all tables anew and its own data in order:
/// more than the second-level cache holds is better than more tiles.
const TILE_BYTES: usize = 640 << 10;

/// Blocks of a tile at most.
const MOST_BLOCKS: usize = 16;

/// Where at most so many blocks are left for each thread, it takes them at once.
const LAST_BLOCKS: usize = 6;

/// Bytes of the tables that all blocks of a tile read before the next tables, which come to the
/// second-level cache meanwhile.
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
        self.packs[amount as usize]
            .get_or_init(|| Packs::new(compiled, plan::choose(compiled, amount)))
    }

    /// Writes the values of a batch to `out`, laid out (rows, features, outputs).
    pub(super) fn values(
        &self,
        compiled: &Compiled,
        batch: &Batch<'_>,
        amount: Amount,
        out: &mut [f32],
    ) -> Result<()> {
        self.packs(compiled, amount).values(compiled, batch, out)
    }
}

impl Packs {
    /// Writes the values of a batch to `out`, laid out (rows, features, outputs).
    pub(super) fn values(
        &self,
        compiled: &Compiled,
        batch: &Batch<'_>,
        out: &mut [f32],
    ) -> Result<()> {
        let forest = &compiled.forest;
        let width = (forest.features * forest.outputs) as usize;
        if width == 0 {
            return Ok(());
        }
        let scale = compiled.scale(batch);
        let block_bytes = ROWS * (forest.columns as usize * 4 + width * 8);
        let most = TILE_BYTES / block_bytes;
        let work = |scratch: &mut Scratch, (start, out): (usize, &mut [f32])| {
            self.tile(compiled, batch, scale, start, width, scratch, out)
        };
        if out.len() <= ROWS * width {
            return work(&mut Scratch::default(), (0, out));
        }
        tiles(out, width, most, rayon::current_num_threads())
            .par_bridge()
            .try_for_each_init(Scratch::default, work)
    }
}

/// Divides rows of `width` values into tiles of at most `most` blocks, each with its first row. The
/// threads take alike in rounds, the last of small tiles, so that none waits long for another.
fn tiles(
    mut rest: &mut [f32],
    width: usize,
    most: usize,
    threads: usize,
) -> impl Iterator<Item = (usize, &mut [f32])> {
    let most = most.clamp(1, MOST_BLOCKS);
    let (mut start, mut size, mut round) = (0, most, 0..0);
    std::iter::from_fn(move || {
        let rows = rest.len() / width;
        if threads > 1 && round.next().is_none() {
            let share = rows.div_ceil(ROWS).div_ceil(threads);
            let last = share <= LAST_BLOCKS;
            size = most.min(if last { share } else { share * 3 / 4 });
            round = 1..threads;
        }
        let rows = rows.min(size * ROWS);
        let (tile, tail) = std::mem::take(&mut rest).split_at_mut(rows * width);
        rest = tail;
        start += rows;
        (rows > 0).then_some((start - rows, tile))
    })
}

impl Packs {
    pub(super) fn new(compiled: &Compiled, plan: Vec<(u32, Engine)>) -> Self {
        let forest = &compiled.forest;
        let tests = compiled.identities();
        let mut packs = Self::default();
        let (mut tables, mut factors) = (Vec::new(), Vec::new());
        for (tree, engine) in plan {
            let features = compiled.shapes[tree as usize].path_features;
            match engine {
                Engine::Tables(cover) => tables.push((tree, cover)),
                Engine::Quadrature => factors.push((tree, features)),
                Engine::Few => packs.few.push((tree, features)),
            }
        }
        packs.tables = tree_tables::Pack::new(forest, tests, &tables);
        let pack = |trees: &[(u32, u32)]| {
            let mut pack = tree_quadrature::Pack::default();
            for &(tree, features) in trees {
                let points = tree_quadrature::points(features as usize);
                pack.push(forest, tree as usize, points);
            }
            pack
        };
        let parts: Vec<_> = factors.par_chunks(TREES_PER_TASK).map(pack).collect();
        for part in parts {
            packs.quadrature.append(&part);
        }
        packs.table_spans = packs.tables.spans(SPAN_BYTES);
        packs
    }

    /// The trees that are explained by tables.
    #[cfg(feature = "gpu")]
    pub(super) fn tables(&self) -> &tree_tables::Pack {
        &self.tables
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
        for (s, (output, trees)) in self.table_spans.iter().enumerate() {
            for block in 0..blocks {
                if let Some((_, next)) = self.table_spans.get(s + 1) {
                    self.tables.prefetch(next.clone(), block, blocks);
                }
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

#[cfg(test)]
mod tests {
    use super::{LAST_BLOCKS, MOST_BLOCKS, ROWS, tiles};

    #[test]
    fn tiles_take_every_row_once_and_end_small_where_threads_share() {
        for (rows, width, most, threads) in [
            (1, 3, 8, 4),
            (ROWS + 1, 2, 8, 2),
            (40 * ROWS - 7, 5, 8, 2),
            (40 * ROWS, 1, 0, 3),
            (40 * ROWS, 1, 99, 2),
            (4 * ROWS, 1, 99, 2),
            (100 * ROWS, 1, 99, 1),
        ] {
            let mut cells = vec![0.0; rows * width];
            let mut sizes = Vec::new();
            let mut next = 0;
            for (start, tile) in tiles(&mut cells, width, most, threads) {
                assert_eq!(start, next);
                next += tile.len() / width;
                sizes.push(tile.len() / width);
                for cell in tile {
                    *cell += 1.0;
                }
            }
            assert_eq!(next, rows);
            assert!(cells.iter().all(|&cell| cell == 1.0));
            assert!(
                sizes
                    .iter()
                    .all(|&size| size <= most.clamp(1, MOST_BLOCKS) * ROWS)
            );
            let last = sizes.pop().unwrap_or_default();
            assert!(sizes.iter().all(|size| size % ROWS == 0));
            assert!(threads == 1 || last <= LAST_BLOCKS * ROWS);
        }
    }
}

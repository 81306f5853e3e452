//! Tree SHAP on the CPU: the packs of the engines, and the tiles of rows.

use std::ops::Range;
use std::sync::OnceLock;

use rayon::prelude::*;
use whylight_kernels::tree_tables::Lanes;
use whylight_kernels::{Block, Level, ROWS, tree_pairs, tree_quadrature, tree_tables};

use super::columns::{self, Scale};
use super::compile::Compiled;
use super::interactions::{self, Interactions, SPAN_BYTES, game};
use super::layout::{Layout, write};
use super::leaves::{self, LeafSums};
use super::plan::{self, Engine};
use super::tiles::{TABLE_GRAIN, WALK_GRAIN, tiles};
use crate::data::Batch;
use crate::error::Result;
use crate::explain::amount::Amount;

/// Trees that one thread packs at a time.
const TREES_PER_TASK: usize = 8;

/// The packs for each amount of rows, made when first needed.
#[derive(Debug, Default)]
pub(super) struct Cpu {
    packs: [OnceLock<Packs>; 3],
    pairs: OnceLock<Interactions>,
}

/// The trees, divided among the engines.
#[derive(Debug, Default)]
pub(super) struct Packs {
    tables: tree_tables::Pack,
    table_spans: Vec<(u32, Range<usize>)>,
    /// Trees by output, some in each pack: in one, they would be moved as it grows, which takes as long
    /// as tens of rows.
    quadrature: Vec<tree_quadrature::Pack>,
    /// Trees without a pack, by output, with the features of their longest path.
    few: Vec<(u32, u32)>,
    /// Trees whose leaves are looked at one by one, with the features of the longest path whose patterns
    /// have a table.
    leaves: Vec<(u32, usize)>,
    /// Trees that are walked with every background row, by output.
    pairs: Vec<u32>,
}

/// Bytes of the cells and sums of a tile. Each tile reads all tables anew and its own data in order:
/// more than the second-level cache holds is better than more tiles.
const TILE_BYTES: usize = 640 << 10;

#[derive(Debug, Default)]
struct Scratch {
    columns: columns::Scratch,
    tables: tree_tables::Scratch,
    quadrature: tree_quadrature::Scratch,
    pairs: tree_pairs::Scratch,
    interactions: interactions::Scratch,
    /// Block by block: prepared cells (column, row) and sums (output, feature, row).
    cells: Vec<f32>,
    values: Vec<[f64; ROWS]>,
}

impl Cpu {
    pub(super) fn packs(&self, compiled: &Compiled, amount: Amount) -> &Packs {
        let known = &self.packs[amount as usize];
        known.get().unwrap_or_else(|| {
            // Not inside `get_or_init`: a thread that waits for its share of this work may begin
            // another call, which would wait for this one.
            let packs = Packs::new(compiled, plan::choose(compiled, amount));
            known.get_or_init(|| packs)
        })
    }

    /// Writes the values of a batch to `out`, laid out (rows, features, outputs).
    pub(super) fn values(
        &self,
        compiled: &Compiled,
        batch: &Batch<'_>,
        amount: Amount,
        out: &mut [f32],
    ) -> Result<()> {
        let pairs = self.pairs(compiled);
        self.packs(compiled, amount)
            .values(compiled, batch, pairs, out)
    }

    /// The engines of the interactions, if these are wanted.
    fn pairs(&self, compiled: &Compiled) -> Option<&Interactions> {
        let plan = compiled.interactions.as_ref()?;
        self.pairs.get().or_else(|| {
            // As above.
            let pairs = Interactions::new(compiled, plan);
            Some(self.pairs.get_or_init(|| pairs))
        })
    }
}

impl Packs {
    /// Writes the values of a batch to `out`, laid out (rows, features, outputs), or with `pairs` the
    /// interactions (rows, features, features, outputs).
    pub(super) fn values(
        &self,
        compiled: &Compiled,
        batch: &Batch<'_>,
        pairs: Option<&Interactions>,
        out: &mut [f32],
    ) -> Result<()> {
        let layout = Layout::new(compiled, pairs);
        let width = layout.width;
        if width == 0 {
            return Ok(());
        }
        if !self.leaves.is_empty() {
            let at_once = leaves::rows_at_once(&compiled.forest);
            for (first, out) in (0..).step_by(at_once).zip(out.chunks_mut(at_once * width)) {
                let rows = first..first + out.len() / width;
                let sums = LeafSums::new(compiled, &self.leaves, batch, rows)?;
                self.rows(compiled, batch, layout, Some(&sums), first, out)?;
            }
            return Ok(());
        }
        self.rows(compiled, batch, layout, None, 0, out)
    }

    /// Writes the values of the rows from `first` on.
    fn rows(
        &self,
        compiled: &Compiled,
        batch: &Batch<'_>,
        layout: Layout<'_>,
        leaves: Option<&LeafSums>,
        first: usize,
        out: &mut [f32],
    ) -> Result<()> {
        let forest = &compiled.forest;
        let width = layout.width;
        let scale = compiled.scale(batch);
        let sums = layout.sums * layout.outputs_at_once;
        let most = TILE_BYTES / (ROWS * (forest.columns as usize * 4 + sums * 8));
        let work = |scratch: &mut Scratch, (start, out): (usize, &mut [f32])| {
            let rows = (first + start, leaves.map(|leaves| (leaves, start)));
            self.tile(compiled, batch, scale, rows, layout, scratch, out)
        };
        if out.len() <= ROWS * width {
            return work(&mut Scratch::default(), (0, out));
        }
        let walks = layout.pairs.is_some_and(|pairs| pairs.walks.len() > 0);
        let grain = if walks || self.tables.trees.is_empty() {
            WALK_GRAIN
        } else {
            TABLE_GRAIN
        };
        tiles(out, width, most, grain, rayon::current_num_threads())
            .par_bridge()
            .try_for_each_init(Scratch::default, work)
    }
}

impl Packs {
    pub(super) fn new(compiled: &Compiled, plan: Vec<(u32, Engine)>) -> Self {
        let forest = &compiled.forest;
        let mut packs = Self::default();
        let (mut tables, mut factors) = (Vec::new(), Vec::new());
        for (tree, engine) in plan {
            let features = compiled.shapes[tree as usize].path_features;
            match engine {
                Engine::Tables(cover) => tables.push((tree, cover)),
                Engine::Quadrature => factors.push((tree, features)),
                Engine::Few => packs.few.push((tree, features)),
                Engine::Leaves(in_table) => packs.leaves.push((tree, in_table)),
                Engine::Pairs => packs.pairs.push(tree),
            }
        }
        // Deep forests have no tables, and what these compare is long to make.
        if !tables.is_empty() {
            let tests = compiled.identities();
            packs.tables =
                tree_tables::Pack::without_tables(forest, tests, &tables, Lanes::Features);
            let histograms = (compiled.background.as_ref())
                .map(|background| background.histograms(compiled, &packs.tables));
            let game = game(histograms.as_deref());
            packs.tables.fill(forest, tests, &tables, game);
        }
        let pack = |trees: &[(u32, u32)]| {
            let mut pack = tree_quadrature::Pack::default();
            for &(tree, features) in trees {
                let points = tree_quadrature::points(forest.index, features as usize);
                pack.push(forest, tree as usize, points);
            }
            pack
        };
        let parts: Vec<_> = factors.par_chunks(TREES_PER_TASK).map(pack).collect();
        packs.quadrature = parts;
        packs.table_spans = packs.tables.spans(SPAN_BYTES);
        packs
    }

    /// The trees that are explained by tables.
    #[cfg(feature = "gpu")]
    pub(super) fn tables(&self) -> &tree_tables::Pack {
        &self.tables
    }

    /// The trees that are compared with a background row by row, and its rows.
    fn pairs<'a>(
        &'a self,
        compiled: &'a Compiled,
    ) -> Option<(&'a [u32], tree_pairs::Background<'a>)> {
        let background = compiled.background.as_ref()?;
        (!self.pairs.is_empty()).then(|| (&self.pairs[..], background.pairwise(compiled)))
    }

    /// How many trees each engine takes.
    pub(super) fn engines(&self) -> Vec<(String, usize)> {
        [
            ("tables", self.tables.trees.len()),
            (
                "quadrature",
                self.quadrature.iter().map(tree_quadrature::Pack::len).sum(),
            ),
            ("quadrature_few_rows", self.few.len()),
            ("leaves", self.leaves.len()),
            ("pairs", self.pairs.len()),
        ]
        .into_iter()
        .filter(|(_, trees)| *trees > 0)
        .map(|(engine, trees)| (engine.to_owned(), trees))
        .collect()
    }

    /// Writes the values of the rows from `start` to `out`, laid out (rows, width). What leaves have given
    /// these rows stands from a row of its own on.
    #[expect(
        clippy::too_many_arguments,
        reason = "what a batch shares and what a tile owns"
    )]
    fn tile(
        &self,
        compiled: &Compiled,
        batch: &Batch<'_>,
        scale: Scale,
        (start, leaves): (usize, Option<(&LeafSums, usize)>),
        layout: Layout<'_>,
        scratch: &mut Scratch,
        out: &mut [f32],
    ) -> Result<()> {
        let forest = &compiled.forest;
        let width = layout.width;
        let rows = out.len() / width;
        let block_cells = compiled.columns.len() * ROWS;
        let rows_of = |block: usize| (rows - block * ROWS).min(ROWS);
        let blocks = 0..rows.div_ceil(ROWS);
        let mut cells = std::mem::take(&mut scratch.cells);
        cells.resize(blocks.len() * block_cells, 0.0);
        for block in blocks.clone() {
            let cells = &mut cells[block * block_cells..][..block_cells];
            compiled.fill(
                batch,
                scale,
                start + block * ROWS,
                rows_of(block),
                &mut scratch.columns,
                cells,
            )?;
        }
        let cells_of = |block: usize| &cells[block * block_cells..][..block_cells];
        let blocks: Vec<Block<'_>> = blocks
            .map(|block| Block::new(cells_of(block), rows_of(block)))
            .collect();
        let thresholds = compiled.thresholds(scale);
        let at_once = layout.outputs_at_once;
        for first in (0..forest.outputs).step_by(at_once) {
            let outputs = first..forest.outputs.min(first + at_once as u32);
            let sums = outputs.len() * layout.sums;
            scratch.values.clear();
            scratch.values.resize(blocks.len() * sums, [0.0; ROWS]);
            if let Some((leaves, start)) = leaves {
                let of_blocks = scratch.values.chunks_mut(sums);
                for (start, values) in (start..).step_by(ROWS).zip(of_blocks) {
                    let of_outputs = values.chunks_mut(layout.sums);
                    for (output, values) in outputs.clone().zip(of_outputs) {
                        leaves.add(output, start, &mut values[..layout.features]);
                    }
                }
            }
            self.sum(compiled, thresholds, outputs, layout, &blocks, scratch);
            let tiles = scratch.values.chunks_mut(sums);
            for (values, out) in tiles.zip(out.chunks_mut(ROWS * width)) {
                let of_output = values.chunks_mut(layout.sums);
                for (output, values) in (first as usize..).zip(of_output) {
                    write(values, layout, output, out);
                }
            }
        }
        scratch.cells = cells;
        Ok(())
    }

    /// Adds the values of some outputs to `scratch.values`, laid out (block, output, sum, row).
    fn sum(
        &self,
        compiled: &Compiled,
        thresholds: &[f32],
        outputs: Range<u32>,
        layout: Layout<'_>,
        blocks: &[Block<'_>],
        scratch: &mut Scratch,
    ) {
        let level = Level::detect();
        let forest = &compiled.forest;
        let (features, sums) = (layout.features, layout.sums);
        let Range { start: first, end } = outputs;
        let width = outputs.len() * sums;
        let Scratch {
            tables,
            quadrature,
            pairs,
            interactions,
            values,
            ..
        } = scratch;
        let of = |output: u32, block: usize| {
            let first = block * width + (output - first) as usize * sums;
            first..first + features
        };
        let few = |end: u32| {
            let output = |&(tree, _): &(u32, u32)| forest.tree_outputs[tree as usize];
            self.few.partition_point(|tree| output(tree) < end)
        };
        let few = &self.few[few(first)..few(end)];
        if !few.is_empty() {
            let values = values.chunks_mut(width);
            for (&block, values) in blocks.iter().zip(values) {
                let at = (first, sums);
                tree_quadrature::few::run(level, forest, thresholds, few, block, at, values);
            }
        }
        if let Some((trees, others)) = self.pairs(compiled) {
            let output = |tree: &u32| forest.tree_outputs[*tree as usize];
            for trees in trees.chunk_by(|a, b| output(a) == output(b)) {
                let output = output(&trees[0]);
                if !(first..end).contains(&output) {
                    continue;
                }
                for (b, &block) in blocks.iter().enumerate() {
                    let values = &mut values[of(output, b)];
                    tree_pairs::run(forest, thresholds, trees, block, others, pairs, values);
                }
            }
        }
        let mut look_up = |pack: &tree_tables::Pack,
                           spans: &[(u32, Range<usize>)],
                           of: &dyn Fn(u32, usize) -> Range<usize>| {
            let span = |end: u32| spans.partition_point(|span| span.0 < end);
            for s in span(first)..span(end) {
                let (output, trees) = &spans[s];
                for (b, &block) in blocks.iter().enumerate() {
                    if let Some((_, next)) = spans.get(s + 1) {
                        pack.prefetch(next.clone(), b, blocks.len());
                    }
                    tree_tables::run(
                        level,
                        forest,
                        thresholds,
                        pack,
                        trees.clone(),
                        block,
                        tables,
                        &mut values[of(*output, b)],
                    );
                }
            }
        };
        look_up(&self.tables, &self.table_spans, &of);
        if let Some(engines) = layout.pairs {
            let pairs_of = |output: u32, block: usize| {
                let Range { end, .. } = of(output, block);
                end..end - features + sums
            };
            look_up(&engines.tables, &engines.spans, &pairs_of);
            for output in first..end {
                for (b, &block) in blocks.iter().enumerate() {
                    let pairs = &mut values[pairs_of(output, b)];
                    let walks = &engines.walks;
                    walks.add(compiled, thresholds, output, block, interactions, pairs);
                }
            }
        }
        for pack in &self.quadrature {
            for tree in pack.trees_of(first).start..pack.trees_of(end - 1).end {
                for (b, &block) in blocks.iter().enumerate() {
                    let values = &mut values[of(pack.output(tree), b)];
                    tree_quadrature::run(
                        level,
                        forest,
                        thresholds,
                        pack,
                        tree..tree + 1,
                        block,
                        quadrature,
                        values,
                    );
                }
            }
        }
    }
}

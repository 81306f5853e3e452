//! The parts of a model on a GPU, and the launches that go through them.

use whylight_kernels::words::{List, rounds};
use whylight_kernels::{ROWS, predict_trees, tree_patterns, tree_quadrature, tree_tables};

use super::GpuTrees;
use super::stream::Workspace;
use crate::error::Result;
use crate::gpu::{Batch, Buffer, Gpu};
use crate::kernel;

/// Loop iterations of all rows of one launch: a fraction of a second on a small GPU, whose driver kills
/// what takes longer than a few seconds.
pub(super) const WORK: u64 = 1 << 31;

/// Tables and the steps to their patterns.
#[derive(Debug)]
pub(super) struct Tables {
    count: u32,
    trees: Buffer,
    ops: Vec<Buffer>,
    groups: u32,
    rounds: Vec<(u32, u32)>,
    lists: Buffer,
    slots: Buffer,
    values: Buffer,
}

impl Tables {
    pub(super) fn new(gpu: &Gpu, mut words: tree_tables::words::Words) -> Self {
        Self {
            count: words.trees.len() as u32 - 1,
            trees: gpu.upload("trees", &words.trees),
            ops: uploads(gpu, "ops", &words.ops),
            groups: words.groups,
            rounds: rounds(&mut words.lists),
            lists: gpu.upload("lists", &words.lists),
            slots: gpu.upload("slots", &words.slots),
            values: gpu.upload("tables", &words.tables),
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        let rest = [&self.trees, &self.lists, &self.slots, &self.values];
        rest.into_iter().chain(&self.ops).map(Buffer::bytes).sum()
    }

    pub(super) fn launch(
        &self,
        model: &GpuTrees,
        kind: usize,
        batch: &mut Batch,
        space: &Workspace,
        blocks: u32,
    ) -> Result<()> {
        let quads = u64::from(blocks) * ROWS as u64 / 4;
        kernel::tree_patterns.launch(
            &model.gpu,
            batch,
            tree_patterns::Params {
                blocks,
                columns: model.columns,
                trees: self.count,
                groups: self.groups,
                zero: 0,
            },
            &[
                &self.trees,
                &self.ops[kind],
                &model.sets,
                &space.cells,
                &space.patterns,
            ],
            quads * u64::from(self.count),
        )?;
        self.rounds.iter().try_for_each(|&(first, lists)| {
            kernel::tree_tables.launch(
                &model.gpu,
                batch,
                tree_tables::Params {
                    blocks,
                    groups: self.groups,
                    cells: model.values * model.outputs,
                    first,
                    lists,
                    zero: 0,
                },
                &[
                    &self.lists,
                    &self.slots,
                    &self.values,
                    &space.patterns,
                    &space.high,
                    &space.low,
                ],
                quads * u64::from(lists),
            )
        })?;
        // A pattern, and an entry of each lane, per group.
        let work = u64::from(self.groups) * (1 + tree_tables::SLOTS as u64);
        let rows = u64::from(blocks) * ROWS as u64;
        model.gpu.pace(batch, work * rows, WORK);
        Ok(())
    }
}

/// Paths for quadrature.
#[derive(Debug)]
pub(super) struct Paths {
    lists: Vec<List>,
    /// Loop iterations per row, by segment.
    work: Vec<u64>,
    /// Most iterations of one invocation.
    most: u64,
    segments: Buffer,
    leaves: Buffer,
    conditions: Vec<Buffer>,
    rules: Buffer,
}

impl Paths {
    pub(super) fn new(gpu: &Gpu, words: &tree_quadrature::words::Words) -> Self {
        let work = |segment: u32| {
            let segment = words.segments[segment as usize];
            let leaves = &words.leaves[segment.first as usize..segment.end as usize];
            // Two passes over the conditions per quadruple of points; then the sums of the tile. A loop that ends
            // counts once more.
            let work = |leaf: &tree_quadrature::words::Leaf| {
                2 * leaf.work() + 3 * u64::from(leaf.chunks) + 2
            };
            leaves.iter().map(work).sum::<u64>() + u64::from(kernel::tile()) + 3
        };
        Self {
            lists: words.lists.clone(),
            work: (0..words.segments.len() as u32).map(work).collect(),
            most: gpu.adapter().limits.iterations,
            segments: gpu.upload("segments", &words.segments),
            leaves: gpu.upload("leaves", &words.leaves),
            conditions: uploads(gpu, "conditions", &words.conditions),
            rules: gpu.upload("rules", &words.rules),
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        let rest = [&self.segments, &self.leaves, &self.rules];
        let conditions = self.conditions.iter();
        rest.into_iter().chain(conditions).map(Buffer::bytes).sum()
    }

    pub(super) fn launch(
        &self,
        model: &GpuTrees,
        kind: usize,
        batch: &mut Batch,
        space: &Workspace,
        blocks: u32,
    ) -> Result<()> {
        let tiles = model.features.div_ceil(kernel::tile());
        let invocations = u64::from(blocks) * ROWS as u64 * u64::from(tiles);
        let most = self.most.min(WORK / invocations);
        for list in &self.lists {
            let mut first = list.first;
            while first < list.end {
                let (mut end, mut work) = (first, 0);
                while end < list.end && (end == first || work + self.work[end as usize] <= most) {
                    work += self.work[end as usize];
                    end += 1;
                }
                kernel::tree_quadrature.launch(
                    &model.gpu,
                    batch,
                    tree_quadrature::Params {
                        blocks,
                        columns: model.columns,
                        features: model.features,
                        outputs: model.outputs,
                        output: list.to,
                        first,
                        end,
                        tiles,
                        zero: 0,
                    },
                    &[
                        &self.segments,
                        &self.leaves,
                        &self.conditions[kind],
                        &self.rules,
                        &model.sets,
                        &space.cells,
                        &space.high,
                        &space.low,
                    ],
                    invocations,
                )?;
                model.gpu.pace(batch, work * invocations, WORK);
                first = end;
            }
        }
        Ok(())
    }
}

/// Nodes for margins.
#[derive(Debug)]
pub(super) struct Walks {
    rounds: Vec<(u32, u32)>,
    lists: Buffer,
    roots: Buffer,
    nodes: Vec<Buffer>,
}

impl Walks {
    pub(super) fn new(gpu: &Gpu, mut words: predict_trees::words::Words) -> Self {
        Self {
            rounds: rounds(&mut words.lists),
            lists: gpu.upload("lists", &words.lists),
            roots: gpu.upload("roots", &words.roots),
            nodes: uploads(gpu, "nodes", &words.nodes),
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        let rest = [&self.lists, &self.roots];
        rest.into_iter().chain(&self.nodes).map(Buffer::bytes).sum()
    }

    pub(super) fn launch(
        &self,
        model: &GpuTrees,
        kind: usize,
        batch: &mut Batch,
        space: &Workspace,
        blocks: u32,
    ) -> Result<()> {
        self.rounds.iter().try_for_each(|&(first, lists)| {
            kernel::predict_trees.launch(
                &model.gpu,
                batch,
                predict_trees::Params {
                    blocks,
                    columns: model.columns,
                    outputs: model.outputs,
                    first,
                    lists,
                    zero: 0,
                },
                &[
                    &self.lists,
                    &self.roots,
                    &self.nodes[kind],
                    &model.sets,
                    &space.cells,
                    &space.high,
                    &space.low,
                ],
                u64::from(blocks) * ROWS as u64 * u64::from(lists),
            )
        })
    }
}

pub(super) fn uploads<T: bytemuck::Pod>(gpu: &Gpu, label: &str, kinds: &[Vec<T>]) -> Vec<Buffer> {
    kinds.iter().map(|items| gpu.upload(label, items)).collect()
}

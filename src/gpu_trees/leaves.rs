//! Leaves whose patterns have a table, on a GPU: the tables of a group of leaves are made, used and
//! forgotten, once per batch of rows.

use std::ops::Range;

use whylight_kernels::tree_leaves::words;
use whylight_kernels::words::Sets;
use whylight_kernels::{
    Forest, ROWS, tree_leaf_tables, tree_leaf_weights, tree_leaves, tree_quadrature,
};

use super::GpuTrees;
use super::others::Others;
use super::part::{WORK, uploads};
use super::stream::Workspace;
use crate::error::Result;
use crate::gpu::{Batch, Buffer, Gpu};
use crate::kernel;

/// Entries of the tables of a group at most: 192 MiB with what the background weighs.
const MOST_ENTRIES: u64 = 1 << 24;

/// Bytes of an entry of a table.
const ENTRY: u64 = 8;

/// Iterations of a workgroup per point and entry that it reads the weights of, at most, and per feature
/// whose sets it sums over.
const READ: u64 = 32;
const SUM: u64 = 12;

/// Pairs of a leaf and a background row in one launch at most: their numbers are 32 bits wide.
const MOST_PAIRS: u64 = 1 << 31;

/// The leaves of some trees.
#[derive(Debug)]
pub(super) struct Leaves {
    parts: Vec<Part>,
    /// Most iterations of one invocation.
    most: u64,
    /// Entries of the largest group.
    entries: u64,
}

/// Leaves that fit into one buffer.
#[derive(Debug)]
struct Part {
    groups: Vec<words::Group>,
    /// Conditions before each leaf, and before the end.
    before: Vec<u64>,
    /// Loop iterations per row, by segment.
    work: Vec<u64>,
    segments: Buffer,
    leaves: Buffer,
    items: Buffer,
    rules: Buffer,
    /// For each kind of thresholds of the rows.
    conditions: Vec<Buffer>,
    of_background: Buffer,
}

/// Where a batch is computed.
pub(super) struct Target<'a> {
    pub(super) model: &'a GpuTrees,
    pub(super) kind: usize,
    pub(super) space: &'a Workspace,
    pub(super) others: &'a Others,
    pub(super) blocks: u32,
}

impl Leaves {
    /// Lays leaves out and uploads them; the second result are the trees that the GPU cannot hold. The
    /// last kind of thresholds is the background's. `limit` is that of a buffer, in bytes.
    pub(super) fn new(
        gpu: &Gpu,
        forest: &Forest,
        thresholds: &[&[f32]],
        sets: &Sets,
        trees: &[u32],
        paths: tree_quadrature::words::Limits,
    ) -> (Self, Vec<u32>) {
        let limits = words::Limits {
            paths,
            entries: MOST_ENTRIES.min(paths.bytes / ENTRY),
        };
        let (parts, left) = words::divide(forest, thresholds, sets, trees, limits);
        let groups = parts.iter().flat_map(|part| &part.groups);
        let leaves = Self {
            most: gpu.adapter().limits.iterations,
            entries: groups.map(|group| group.entries).max().unwrap_or(0),
            parts: parts.iter().map(|part| Part::new(gpu, part)).collect(),
        };
        (leaves, left)
    }

    /// Entries of the tables that are there at a time.
    pub(super) fn entries(&self) -> u64 {
        self.entries
    }

    pub(super) fn parts(&self) -> usize {
        self.parts.len()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.parts.iter().map(Part::bytes).sum()
    }

    pub(super) fn launch(&self, target: &Target<'_>, batch: &mut Batch) -> Result<()> {
        for part in &self.parts {
            for group in &part.groups {
                batch.clear(&target.space.weights, 4 * group.entries);
                part.weigh(target, group, batch)?;
                part.tabulate(target, group, batch)?;
                part.add(target, group, self.most, batch)?;
            }
        }
        Ok(())
    }
}

impl Part {
    fn new(gpu: &Gpu, words: &words::Words) -> Self {
        let conditions = words
            .leaves
            .iter()
            .map(|leaf| u64::from(leaf.end - leaf.first));
        let mut before = vec![0];
        for conditions in conditions {
            before.push(before[before.len() - 1] + conditions);
        }
        let work = |segment: &tree_quadrature::words::Segment| {
            let (first, end) = (segment.first as usize, segment.end as usize);
            // Two passes over the conditions; then the sums of the tile. A loop that ends counts once more.
            2 * (before[end] - before[first])
                + 3 * (end - first) as u64
                + u64::from(kernel::tile())
                + 2
        };
        let work = words.segments.iter().map(work).collect();
        let mut conditions = uploads(gpu, "conditions", &words.conditions);
        Self {
            groups: words.groups.clone(),
            before,
            work,
            segments: gpu.upload("segments", &words.segments),
            leaves: gpu.upload("leaves", &words.leaves),
            items: gpu.upload("items", &words.items),
            rules: gpu.upload("rules", &words.rules),
            of_background: match conditions.pop() {
                Some(last) => last,
                None => gpu.upload::<u32>("conditions", &[]),
            },
            conditions,
        }
    }

    fn bytes(&self) -> u64 {
        let rest = [
            &self.segments,
            &self.leaves,
            &self.items,
            &self.rules,
            &self.of_background,
        ];
        rest.into_iter()
            .chain(&self.conditions)
            .map(Buffer::bytes)
            .sum()
    }

    /// Weighs the background at the leaves of a group, by pattern.
    fn weigh(&self, target: &Target<'_>, group: &words::Group, batch: &mut Batch) -> Result<()> {
        let Target { model, space, .. } = target;
        for (rows, others) in target.others.parts() {
            let rows = u64::from(*rows);
            let work = |leaves: &Range<u32>| {
                let [first, end] =
                    [leaves.start, leaves.end].map(|leaf| self.before[leaf as usize]);
                rows * (end - first)
            };
            let fits = |leaves: &Range<u32>| {
                work(leaves) <= WORK && rows * leaves.len() as u64 <= MOST_PAIRS
            };
            for leaves in runs(group.leaves.clone(), fits) {
                kernel::tree_leaf_weights.launch(
                    &model.gpu,
                    batch,
                    tree_leaf_weights::Params {
                        first: leaves.start,
                        leaves: leaves.len() as u32,
                        columns: model.columns,
                        backgrounds: rows as u32,
                    },
                    &[
                        &self.leaves,
                        &self.of_background,
                        &model.sets,
                        others,
                        &space.weights,
                    ],
                    rows * leaves.len() as u64,
                )?;
                model.gpu.pace(batch, work(&leaves), WORK);
            }
        }
        Ok(())
    }

    /// Makes the tables of a group.
    fn tabulate(&self, target: &Target<'_>, group: &words::Group, batch: &mut Batch) -> Result<()> {
        let Target { model, space, .. } = target;
        let held = u64::from(tree_leaf_tables::MOST_HELD);
        let points = tree_leaves::MOST_IN_TABLE as u64 / 2;
        let item = points * (held * READ + u64::from(tree_leaf_tables::LOW) * SUM);
        let item = item * u64::from(kernel::WORKGROUP);
        for items in runs(group.items.clone(), |items| {
            items.len() as u64 * item <= WORK
        }) {
            let count = items.len() as u64;
            kernel::tree_leaf_tables.launch(
                &model.gpu,
                batch,
                tree_leaf_tables::Params {
                    first: items.start,
                    items: count as u32,
                    unit: target.others.unit().to_bits(),
                },
                &[
                    &self.leaves,
                    &self.items,
                    &self.rules,
                    &space.weights,
                    &space.tables,
                ],
                count * u64::from(kernel::WORKGROUP),
            )?;
            model.gpu.pace(batch, count * item, WORK);
        }
        Ok(())
    }

    /// Adds what the leaves of a group give to the rows.
    fn add(
        &self,
        target: &Target<'_>,
        group: &words::Group,
        most: u64,
        batch: &mut Batch,
    ) -> Result<()> {
        let Target { model, space, .. } = target;
        let tiles = model.features.div_ceil(kernel::tile());
        let invocations = u64::from(target.blocks) * ROWS as u64 * u64::from(tiles);
        let most = most.min(WORK / invocations);
        let work = |segments: &Range<u32>| {
            let work = &self.work[segments.start as usize..segments.end as usize];
            work.iter().sum::<u64>()
        };
        for segments in runs(group.segments.clone(), |segments| work(segments) <= most) {
            kernel::tree_leaves.launch(
                &model.gpu,
                batch,
                tree_leaves::Params {
                    blocks: target.blocks,
                    columns: model.columns,
                    features: model.features,
                    outputs: model.outputs,
                    output: group.output,
                    first: segments.start,
                    end: segments.end,
                    tiles,
                    zero: 0,
                },
                &[
                    &self.segments,
                    &self.leaves,
                    &self.conditions[target.kind],
                    &space.tables,
                    &model.sets,
                    &space.cells,
                    &space.high,
                    &space.low,
                ],
                invocations,
            )?;
            model.gpu.pace(batch, work(&segments) * invocations, WORK);
        }
        Ok(())
    }
}

/// A range in runs that fit, of one at least.
fn runs(all: Range<u32>, fits: impl Fn(&Range<u32>) -> bool) -> impl Iterator<Item = Range<u32>> {
    let mut first = all.start;
    std::iter::from_fn(move || {
        let mut run = first..all.end;
        if run.is_empty() {
            return None;
        }
        while run.len() > 1 && !fits(&run) {
            run.end = run.start + run.len() as u32 / 2;
        }
        first = run.end;
        Some(run)
    })
}

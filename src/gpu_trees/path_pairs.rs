//! Paths whose leaves give to the pairs of their features, on a GPU.

use std::ops::Range;

use whylight_kernels::words::LAST;
use whylight_kernels::{ROWS, tree_quadrature, tree_quadrature_interactions};

use super::GpuTrees;
use super::part::{WORK, uploads};
use super::stream::Workspace;
use crate::error::Result;
use crate::gpu::{Batch, Buffer, Gpu};
use crate::kernel;

/// Loop iterations of all rows of one launch: most of them read and write sums in memory.
const WORK_OF_PAIRS: u64 = WORK / 4;

/// Paths for the interactions of quadrature.
#[derive(Debug)]
pub(super) struct PathPairs {
    /// Outputs, and their leaves.
    lists: Vec<(u32, Range<u32>)>,
    /// Loop iterations per row, by leaf.
    work: Vec<u32>,
    /// Most iterations of one invocation.
    most: u64,
    /// Invocations that keep the GPU busy.
    busy: u64,
    leaves: Buffer,
    conditions: Vec<Buffer>,
    rules: Buffer,
}

impl PathPairs {
    pub(super) fn new(gpu: &Gpu, words: &tree_quadrature::words::Words) -> Self {
        let lists = words.lists.iter().map(|list| {
            let segments = &words.segments[list.first as usize..list.end as usize];
            let first = segments.first().map_or(0, |segment| segment.first);
            (list.to, first..segments.last().map_or(0, |last| last.end))
        });
        // As many for each kind of thresholds.
        let conditions = words.conditions.first().map_or(&[][..], Vec::as_slice);
        let work = words.leaves.iter().map(|leaf| {
            let conditions = &conditions[leaf.first as usize..leaf.end as usize];
            let features = conditions.iter().filter(|c| c.test & LAST != 0).count() as u32;
            // The conditions; then, per quadruple of points, the effects and all pairs. A loop that ends
            // counts once more.
            let pairs = features * (features + 2);
            conditions.len() as u32 + 3 + leaf.chunks * (pairs + features + 3)
        });
        let limits = &gpu.adapter().limits;
        Self {
            lists: lists.collect(),
            work: work.collect(),
            most: limits.iterations,
            busy: limits.busy,
            leaves: gpu.upload("leaves", &words.leaves),
            conditions: uploads(gpu, "conditions", &words.conditions),
            rules: gpu.upload("rules", &words.rules),
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        let rest = [&self.leaves, &self.rules];
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
        let rows = u64::from(blocks) * ROWS as u64;
        // A tile takes the products of its leaves again, which pays where rows are few.
        let tiles = (self.busy / rows).clamp(1, u64::from(model.features)) as u32;
        let width = model.features.div_ceil(tiles);
        let tiles = model.features.div_ceil(width);
        let invocations = rows * u64::from(tiles);
        let most = self.most.min(WORK_OF_PAIRS / invocations);
        for (output, leaves) in &self.lists {
            let mut first = leaves.start;
            while first < leaves.end {
                let (mut end, mut work) = (first, 0);
                while end < leaves.end {
                    let more = u64::from(self.work[end as usize]);
                    if end > first && work + more > most {
                        break;
                    }
                    work += more;
                    end += 1;
                }
                kernel::tree_quadrature_interactions.launch(
                    &model.gpu,
                    batch,
                    tree_quadrature_interactions::Params {
                        blocks,
                        columns: model.columns,
                        features: model.features,
                        outputs: model.outputs,
                        output: *output,
                        first,
                        end,
                        tiles,
                        width,
                        zero: 0,
                    },
                    &[
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
                model.gpu.pace(batch, work * invocations, WORK_OF_PAIRS);
                first = end;
            }
        }
        Ok(())
    }
}

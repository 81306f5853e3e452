//! Trees that walk with every pair of a row and a background row, on a GPU.

use std::ops::Range;

use whylight_kernels::Forest;
use whylight_kernels::tree_pairs::{self, words};
use whylight_kernels::tree_tables::Lanes;
use whylight_kernels::words::Sets;

use super::GpuTrees;
use super::others::Others;
use super::part::{WORK, uploads};
use super::stream::Workspace;
use crate::error::Result;
use crate::gpu::{Batch, Buffer, Gpu};
use crate::kernel;

/// Pairs of one launch at most: their numbers, and one more background, are 32 bits wide.
const MOST_PAIRS: u64 = 1 << 30;

/// Iterations that clear the sums of a workgroup.
const CLEAR: u64 = kernel::tile() as u64;

/// Iterations that add the sums of a workgroup up after each walk.
const UNIT: u64 = kernel::WORKGROUP as u64 + 2;

/// Features of a segment of several trees, whose pairs every tile of them walks again: those of four tiles.
const NAMES_OF_PAIRS: u32 = 23;

/// Nodes that are walked with background rows.
#[derive(Debug)]
pub(super) struct PairWalks {
    lanes: Lanes,
    /// Iterations before the first walk.
    begin: u64,
    parts: Vec<Part>,
    shares: Buffer,
    /// Most iterations of one invocation.
    most: u64,
}

/// Trees that fit into one buffer.
#[derive(Debug)]
struct Part {
    segments: Vec<words::Segment>,
    members: Buffer,
    nodes: Vec<Buffer>,
}

/// Where a batch is computed.
struct Target<'a> {
    model: &'a GpuTrees,
    kind: usize,
    space: &'a Workspace,
    rows: u32,
}

/// Trees of a segment, and background rows.
struct Task<'a> {
    part: &'a Part,
    segment: &'a words::Segment,
    roots: Range<u32>,
    others: &'a (u32, Buffer),
}

impl PairWalks {
    /// Lays trees out and uploads them; the second result are the trees that the GPU cannot walk. `limit` is that of a buffer, in bytes.
    pub(super) fn new(
        gpu: &Gpu,
        forest: &Forest,
        thresholds: &[&[f32]],
        sets: &Sets,
        (trees, background): (&[u32], &tree_pairs::Background<'_>),
        (lanes, limit): (Lanes, u64),
    ) -> (Self, Vec<u32>) {
        let most = gpu.adapter().limits.iterations;
        let (features, begin) = match lanes {
            Lanes::Features => (kernel::tile(), CLEAR),
            // The features of a pair are found one by one.
            Lanes::Pairs => (NAMES_OF_PAIRS, CLEAR + u64::from(forest.features)),
        };
        let limits = words::Limits {
            bytes: limit,
            // The sums of the workgroup are cleared, and then added up.
            steps: most.saturating_sub(begin + UNIT),
            features,
            lanes,
        };
        let others = background.thresholds;
        let (parts, left) = words::divide(forest, thresholds, others, sets, trees, limits);
        let part = |part: words::Words| Part {
            segments: part.segments,
            members: gpu.upload("members", &part.members),
            nodes: uploads(gpu, "nodes", &part.nodes),
        };
        let walks = Self {
            lanes,
            begin,
            parts: parts.into_iter().map(part).collect(),
            shares: gpu.upload("shares", &words::shares(background.shares)),
            most,
        };
        (walks, left)
    }

    pub(super) fn parts(&self) -> usize {
        self.parts.len()
    }

    pub(super) fn bytes(&self) -> u64 {
        let nodes = self.parts.iter().flat_map(|part| &part.nodes);
        let members = self.parts.iter().map(|part| &part.members);
        let all = nodes.chain(members).chain([&self.shares]);
        all.map(Buffer::bytes).sum()
    }

    pub(super) fn launch(
        &self,
        model: &GpuTrees,
        kind: usize,
        batch: &mut Batch,
        (space, others): (&Workspace, &Others),
        rows: u32,
    ) -> Result<()> {
        let target = Target {
            model,
            kind,
            space,
            rows,
        };
        for part in &self.parts {
            for segment in &part.segments {
                // The order is that of the trees, then of the background rows, however many parts
                // these have.
                let roots = segment.roots.clone();
                let at_once = if others.parts().len() == 1 {
                    roots.len()
                } else {
                    1
                };
                for first in roots.clone().step_by(at_once) {
                    for others in others.parts() {
                        let task = Task {
                            part,
                            segment,
                            roots: first..roots.end.min(first + at_once as u32),
                            others,
                        };
                        self.run(&target, &task, batch)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// All pairs of some trees and background rows, in launches that no driver takes for a hang.
    fn run(&self, target: &Target<'_>, task: &Task<'_>, batch: &mut Batch) -> Result<()> {
        let Target { model, space, .. } = target;
        let kernel = match self.lanes {
            Lanes::Features => kernel::tree_pairs,
            Lanes::Pairs => kernel::tree_pairs_interactions,
        };
        let (backgrounds, others) = task.others;
        let workgroup = u64::from(kernel::WORKGROUP);
        let names = task.segment.features.len() as u32;
        let tiles = self.lanes.values(names).div_ceil(kernel::tile());
        if tiles == 0 {
            // One feature has no pairs.
            return Ok(());
        }
        let lanes = u64::from(tiles) * workgroup;
        let unit = task.segment.steps + UNIT;
        let pairs = task.roots.len() as u64 * u64::from(*backgrounds);
        let rows_at_once = (WORK / (lanes * unit)).clamp(1, u64::from(target.rows)) as u32;
        let invocations = u64::from(rows_at_once) * lanes;
        let most = (self.most - self.begin).min(WORK / invocations) / unit;
        let pairs_at_once = (most.max(1) * workgroup).min(MOST_PAIRS);
        for first_row in (0..target.rows).step_by(rows_at_once as usize) {
            let rows = rows_at_once.min(target.rows - first_row);
            let mut done = 0;
            while done < pairs {
                let count = pairs_at_once.min(pairs - done);
                kernel.launch(
                    &model.gpu,
                    batch,
                    tree_pairs::Params {
                        first_row,
                        rows,
                        columns: model.columns,
                        features: model.features,
                        outputs: model.outputs,
                        output: task.segment.output,
                        named: task.segment.features.start,
                        names,
                        tiles,
                        root: task.roots.start + (done / u64::from(*backgrounds)) as u32,
                        backgrounds: *backgrounds,
                        first: (done % u64::from(*backgrounds)) as u32,
                        pairs: count as u32,
                        zero: 0,
                    },
                    &[
                        &task.part.members,
                        &task.part.nodes[target.kind],
                        &model.sets,
                        &self.shares,
                        others,
                        &space.cells,
                        &space.high,
                        &space.low,
                    ],
                    u64::from(rows) * lanes,
                )?;
                let work = count.div_ceil(workgroup) * unit * u64::from(rows) * lanes;
                model.gpu.pace(batch, work, WORK);
                done += count;
            }
        }
        Ok(())
    }
}

//! How much goes at a time: of rows, of the background, and of lanes.

use whylight_kernels::contributions::RUN;
use whylight_kernels::tile;

use super::slots::{Backward, Forward};
use super::steps::refused;
use crate::error::Result;
use crate::explain::deep_shap::graph::Graph;
use crate::gpu::Gpu;

/// Rows that run forward at a time at most.
const MOST_ROWS: usize = 1 << 12;

/// Lanes of a tile at most: more do not make a GPU busier, and an invocation that sums up so many background rows takes
/// fewer steps than any adapter has.
const MOST_LANES: usize = 1 << 17;

/// Bytes of sums at most, so that shaders can number their invocations.
const MOST_SUMS: u64 = 1 << 30;

/// Loop iterations of an invocation for a cell of a softmax: what it takes for all outputs, and for every four of them.
const SOFTMAX_STEPS: [u64; 2] = [3, 3];

/// How lanes are cut.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    /// Rows that run forward at a time.
    pub(super) rows: usize,
    /// Background rows of a part.
    pub(super) part: usize,
    /// Lanes of a tile at most, but for the least tile.
    pub(super) lanes: usize,
    /// Background rows of a tile, and outputs.
    pub(super) others: usize,
    pub(super) outputs: usize,
}

/// What a plan is made for.
#[derive(Clone, Copy)]
pub(super) struct Sizes<'a> {
    pub(super) gpu: &'a Gpu,
    pub(super) graph: &'a Graph,
    pub(super) others: usize,
    pub(super) forward: &'a Forward,
    pub(super) backward: &'a Backward,
    pub(super) limit: u64,
}

impl Plan {
    pub(super) fn new(network: &Sizes<'_>, memory: u64) -> Result<Self> {
        let Sizes {
            gpu,
            graph,
            others,
            forward,
            backward,
            limit,
        } = *network;
        let most = |cells: &[usize]| cells.iter().copied().max().unwrap_or(1).max(1) as u64;
        let all = |cells: &[usize]| cells.iter().sum::<usize>().max(1) as u64;
        let outputs = graph.cells[graph.output];
        let inputs = most(&graph.cells[..graph.inputs]);
        // Lanes of which all tensors fit into memory, and the largest into a buffer: whole vectors.
        let fit = |most: u64, all: u64, memory: u64| {
            let held = (memory / (4 * all)).min(limit / (4 * most));
            usize::try_from(held).unwrap_or(usize::MAX) / tile::LANES * tile::LANES
        };
        let largest = most(&forward.cells).max(inputs);
        let least = tile::stride(others.min(RUN as usize));
        let cells = largest.max(most(&backward.cells));
        if limit / (4 * cells) < least as u64 {
            return Err(refused(gpu, &format!("a tensor of {cells} numbers")));
        }
        let sums = 4 * (graph.target_cells() * outputs) as u64;
        if sums > limit.min(MOST_SUMS) {
            return Err(refused(gpu, "so many inputs times outputs"));
        }
        let all_forward = all(&forward.cells) + all(&graph.cells[..graph.inputs]);
        let of_row = all_forward + sums / 2;
        let rows = fit(largest, of_row, memory / 4).clamp(tile::LANES, MOST_ROWS);
        let rows = rows.min(usize::try_from(limit.min(MOST_SUMS) / sums).unwrap_or(rows));
        let whole = |count: usize, most: usize| {
            let runs = (most / RUN as usize).max(1) * RUN as usize;
            if count <= most {
                count
            } else {
                runs.min(count)
            }
        };
        let part = whole(others, fit(largest, all_forward, memory / 4));
        let lanes = fit(most(&backward.cells), all(&backward.cells), memory / 2);
        let lanes = lanes.min(MOST_LANES);
        let others = whole(part, lanes);
        let mut outputs_of_tile = (lanes / others).clamp(1, outputs);
        if let Some(length) = graph.longest_softmax() {
            let [once, fours] = SOFTMAX_STEPS;
            let steps = gpu.adapter().limits.iterations / length as u64;
            let fours = steps.saturating_sub(once) / fours;
            if fours == 0 {
                return Err(refused(gpu, &format!("a softmax of {length} cells")));
            }
            let most = usize::try_from(fours.saturating_mul(4)).unwrap_or(outputs);
            outputs_of_tile = outputs_of_tile.min(most);
        }
        Ok(Self {
            rows,
            part,
            lanes,
            others,
            outputs: outputs_of_tile,
        })
    }

    /// Rows of a tile, of those that there are.
    pub(super) fn rows_of_tile(&self, rows: usize) -> usize {
        (self.lanes / (self.others * self.outputs)).clamp(1, rows)
    }
}

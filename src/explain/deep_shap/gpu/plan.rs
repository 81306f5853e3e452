//! How much goes at a time: of rows, of the background, and of lanes.

use whylight_kernels::contributions::RUN;
use whylight_kernels::tile;

use super::resident::limit;
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
    pub(super) backward: &'a Backward,
    /// Background rows, or points of a part.
    pub(super) others: usize,
}

fn most(cells: &[usize]) -> usize {
    cells.iter().copied().max().unwrap_or(1).max(1)
}

fn all(cells: &[usize]) -> usize {
    cells.iter().sum::<usize>().max(1)
}

/// As many of so many as there is room for: all, or whole runs.
fn whole(count: usize, most: usize) -> usize {
    if count <= most {
        return count;
    }
    let runs = (most / RUN as usize).max(1) * RUN as usize;
    runs.min(count)
}

impl Sizes<'_> {
    /// Lanes of which all tensors fit into memory, and the largest into a buffer: whole vectors.
    fn fit(&self, most: usize, all: usize, memory: u64) -> usize {
        let limit = limit(self.gpu) / (4 * most as u64);
        let held = (memory / (4 * all as u64)).min(limit);
        usize::try_from(held).unwrap_or(usize::MAX) / tile::LANES * tile::LANES
    }

    /// Refuses tensors of which the GPU has no room for the least tile.
    fn check(&self, cells: usize) -> Result<()> {
        let least = tile::stride(self.others.min(RUN as usize));
        let fits = limit(self.gpu) / (4 * cells as u64) >= least as u64;
        let what = || format!("a tensor of {cells} numbers");
        fits.then_some(()).ok_or_else(|| refused(self.gpu, &what()))
    }

    /// Rows that run forward at a time, given the cells that one takes, and its sums, of which there is more than one of
    /// each.
    fn rows(&self, largest: usize, all: usize, sums: usize, memory: u64) -> Result<usize> {
        let limit = limit(self.gpu).min(MOST_SUMS);
        let bytes = 4 * sums as u64;
        if bytes > limit {
            let what = "so many inputs times outputs";
            return Err(refused(self.gpu, what));
        }
        let rows = self.fit(largest, all + 2 * sums, memory);
        let rows = rows.clamp(tile::LANES, MOST_ROWS);
        Ok(rows.min(usize::try_from(limit / bytes).unwrap_or(rows)))
    }

    /// Outputs of a tile of so many pairs at least, with room for so many lanes.
    fn outputs(&self, pairs: usize, lanes: usize) -> Result<usize> {
        let Sizes { gpu, graph, .. } = *self;
        let outputs = (lanes / pairs).clamp(1, graph.cells[graph.output]);
        let Some(length) = graph.longest_softmax() else {
            return Ok(outputs);
        };
        let [once, fours] = SOFTMAX_STEPS;
        let steps = gpu.adapter().limits.iterations / length as u64;
        let fours = steps.saturating_sub(once) / fours;
        if fours == 0 {
            return Err(refused(gpu, &format!("a softmax of {length} cells")));
        }
        let most = usize::try_from(fours.saturating_mul(4)).unwrap_or(outputs);
        Ok(outputs.min(most))
    }
}

impl Plan {
    pub(super) fn new(network: &Sizes<'_>, forward: &Forward, memory: u64) -> Result<Self> {
        let Sizes {
            graph, backward, ..
        } = *network;
        let inputs = &graph.cells[..graph.inputs];
        let largest = most(&forward.cells).max(most(inputs));
        network.check(largest.max(most(&backward.cells)))?;
        let all_forward = all(&forward.cells) + all(inputs);
        let sums = graph.target_cells() * graph.cells[graph.output];
        let rows = network.rows(largest, all_forward, sums, memory / 4)?;
        let part = network.fit(largest, all_forward, memory / 4);
        let part = whole(network.others, part);
        let lanes = network.fit(most(&backward.cells), all(&backward.cells), memory / 2);
        let lanes = lanes.min(MOST_LANES);
        let others = whole(part, lanes);
        Ok(Self {
            rows,
            part,
            lanes,
            others,
            outputs: network.outputs(others, lanes)?,
        })
    }

    /// Rows of a tile, of those that there are.
    pub(super) fn rows_of_tile(&self, rows: usize) -> usize {
        (self.lanes / (self.others * self.outputs)).clamp(1, rows)
    }
}

/// How points are cut.
#[derive(Debug, Clone, Copy)]
pub(super) struct Blocks {
    /// Rows that run forward to what lines go through, at a time: of those that are explained, and of the background.
    pub(super) rows: usize,
    /// Points of a tile: of a part, all or whole runs.
    pub(super) points: usize,
    /// Explained rows of a tile at most, and outputs.
    pub(super) rows_of_tile: usize,
    pub(super) outputs: usize,
}

impl Blocks {
    /// For rows on the way `to` what lines go through, whose points go the way `from` there, and sums of so many parts.
    pub(super) fn new(
        network: &Sizes<'_>,
        [to, from]: [&Forward; 2],
        parts: usize,
        memory: u64,
    ) -> Result<Self> {
        let Sizes {
            graph, backward, ..
        } = *network;
        let inputs = &graph.cells[..graph.inputs];
        let largest = [&to.cells, &from.cells, inputs].map(most);
        let [of_rows, of_points, of_inputs] = largest;
        network.check(most(&largest).max(most(&backward.cells)))?;
        let all_of_rows = all(&to.cells) + all(inputs);
        let sums = parts * graph.target_cells() * graph.cells[graph.output];
        let rows = network.rows(of_rows.max(of_inputs), all_of_rows, sums, memory / 4)?;
        // Beside a point there is the background's side of its line.
        let all_of_points = all(&from.cells) + all(inputs) + graph.target_cells();
        let forward = network.fit(of_points.max(of_inputs), all_of_points, memory / 4);
        let back = network.fit(most(&backward.cells), all(&backward.cells), memory / 2);
        let (forward, back) = (forward.min(MOST_LANES), back.min(MOST_LANES));
        let points = whole(network.others, forward.min(back));
        let outputs = network.outputs(points, back)?;
        let rows_of_tile = (forward / points).min(back / (points * outputs));
        Ok(Self {
            rows,
            points,
            rows_of_tile: rows_of_tile.clamp(1, rows),
            outputs,
        })
    }
}

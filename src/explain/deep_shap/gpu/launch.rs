//! The launches of a network: its steps forward, and the multipliers of a tile back.

use std::sync::Arc;

use whylight_kernels::contributions::TEAM;
use whylight_kernels::products::Shape;
use whylight_kernels::{contributions, gather, products, scale};

use super::resident::{Examples, Resident};
use super::steps::{Constants, Map, OnLists};
use crate::error::Result;
use crate::gpu::{Batch, Buffer};
use crate::kernel::{self, Kernel, WORKGROUP};

/// Operations of all invocations of one submission: a fraction of a second on a small GPU, whose driver kills what takes
/// longer than a few seconds.
const WORK: u64 = 1 << 31;

/// The lanes of multipliers: pairs of some rows and some background rows, for some outputs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lanes {
    pub(super) rows: usize,
    pub(super) others: usize,
    pub(super) outputs: usize,
    pub(super) first_row: usize,
    pub(super) first_other: usize,
    pub(super) first_output: usize,
    /// Whether a pair is an example and itself, and not a row and a background row.
    pub(super) is_alone: bool,
}

impl Lanes {
    pub(super) fn pairs(self) -> usize {
        self.rows * self.others
    }

    /// Numbers from one cell to the next.
    pub(super) fn stride(self) -> usize {
        whylight_kernels::tile::stride(self.pairs() * self.outputs)
    }
}

/// A batch of launches.
#[derive(Debug)]
pub(super) struct Launches<'a> {
    pub(super) network: &'a Resident,
    pub(super) batch: Batch,
}

/// Lanes, and the numbers of their examples.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tile<'a> {
    pub(super) lanes: Lanes,
    pub(super) rows: &'a Examples,
    pub(super) others: &'a Examples,
    /// The multipliers of the tensors on the way.
    pub(super) slots: &'a [Arc<Buffer>],
}

/// Where contributions go.
#[derive(Debug, Clone, Copy)]
pub(super) struct To<'a> {
    /// By background row; and that of the first of a tile.
    pub(super) weights: &'a Buffer,
    pub(super) first_weight: usize,
    /// (row, part, target cell, output): rounded, and what that lost.
    pub(super) sums: &'a [Buffer; 2],
    /// Parts that a row has sums of, and the one of these that is meant.
    pub(super) parts: usize,
    pub(super) part: usize,
}

impl<'a> Launches<'a> {
    pub(super) fn new(network: &'a Resident) -> Self {
        Self {
            batch: network.gpu.batch(),
            network,
        }
    }

    pub(super) fn launch<P: whylight_kernels::binding::Params>(
        &mut self,
        kernel: Kernel,
        params: P,
        buffers: &[&Buffer],
        invocations: usize,
        work: usize,
    ) -> Result<()> {
        let gpu = &self.network.gpu;
        kernel.launch(gpu, &mut self.batch, params, buffers, invocations as u64)?;
        gpu.pace(&mut self.batch, work as u64, WORK);
        Ok(())
    }

    /// Adds what the targets contribute to sums.
    pub(super) fn contribute(&mut self, tile: Tile<'_>, to: To<'_>) -> Result<()> {
        let network = self.network;
        let lanes = tile.lanes;
        let all_cells = network.graph.target_cells();
        let mut first_cell = to.part * all_cells;
        let slots = network.graph.targets.iter().zip(&network.backward.targets);
        for (&target, &slot) in slots {
            let cells = network.graph.cells[target];
            if let Some(slot) = slot {
                let params = contributions::Params {
                    cells: cells as u32,
                    outputs: lanes.outputs as u32,
                    rows: lanes.rows as u32,
                    others: lanes.others as u32,
                    first_row: lanes.first_row as u32,
                    first_other: lanes.first_other as u32,
                    row_stride: tile.rows.stride as u32,
                    other_stride: tile.others.stride as u32,
                    stride: lanes.stride() as u32,
                    first_weight: to.first_weight as u32,
                    all_cells: (to.parts * all_cells) as u32,
                    first_cell: first_cell as u32,
                    all_outputs: network.graph.cells[network.graph.output] as u32,
                    first_output: lanes.first_output as u32,
                    zero: 0,
                };
                let owners = cells * lanes.outputs * lanes.rows;
                self.launch(
                    kernel::contributions,
                    params,
                    &[
                        tile.rows.tensor(target),
                        tile.others.tensor(target),
                        to.weights,
                        &tile.slots[slot],
                        &to.sums[0],
                        &to.sums[1],
                    ],
                    owners * TEAM as usize,
                    4 * owners * lanes.others,
                )?;
            }
            first_cell += cells;
        }
        Ok(())
    }

    /// Without an x, in place.
    pub(super) fn scale(
        &mut self,
        factors: &Constants,
        shifts: Option<&Constants>,
        [cells, stride]: [usize; 2],
        (x, y): (Option<&Buffer>, &Buffer),
        adds: bool,
    ) -> Result<()> {
        let params = scale::Params {
            cells: cells as u32,
            stride: stride as u32,
            factors: factors.count as u32,
            factors_inner: factors.inner as u32,
            shifts: shifts.map_or(0, |shifts| shifts.count as u32),
            shifts_inner: shifts.map_or(1, |shifts| shifts.inner as u32),
            adds: u32::from(adds),
            in_place: u32::from(x.is_none()),
        };
        let none: &Buffer = &self.network.nothing;
        let shifts = shifts.map_or(none, |shifts| &shifts.values);
        let buffers = [&factors.values, shifts, x.unwrap_or(none), y];
        let all = cells * stride;
        self.launch(kernel::scale, params, &buffers, all, 2 * all)
    }

    pub(super) fn gather(
        &mut self,
        lists: &OnLists,
        [x, y]: [&Buffer; 2],
        stride: usize,
        adds: bool,
    ) -> Result<()> {
        let params = gather::Params {
            targets: lists.count as u32,
            stride: stride as u32,
            weighted: u32::from(lists.is_weighted),
            start: lists.start.to_bits(),
            adds: u32::from(adds),
        };
        let buffers = [
            &lists.targets,
            &lists.offsets,
            &lists.sources,
            &lists.weights,
            x,
            y,
        ];
        let work = (lists.count + 2 * lists.entries) * stride;
        self.launch(kernel::gather, params, &buffers, lists.count * stride, work)
    }

    pub(super) fn convolve(
        &mut self,
        map: &Map,
        [x, y]: [&Buffer; 2],
        stride: usize,
        adds: bool,
    ) -> Result<()> {
        let quads = stride / 4;
        let chunk = quads.min(WORKGROUP as usize);
        // A launch takes as many channels as an invocation has steps for.
        let steps = self.network.gpu.adapter().limits.iterations;
        let most = (steps / map.longest.max(1) as u64).saturating_sub(1).max(1);
        let most = u32::try_from(most).unwrap_or(u32::MAX);
        let params = map.params;
        let mut begin = 0;
        while begin < params.inputs {
            let end = params.inputs.min(begin.saturating_add(most));
            let params = whylight_kernels::convolution::Params {
                quads: quads as u32,
                chunk: chunk as u32,
                begin,
                end,
                adds: u32::from(adds || begin > 0),
                ..params
            };
            let blocks = [params.blocks, params.groups, params.positions];
            let blocks: usize = blocks.iter().map(|&count| count as usize).product();
            self.launch(
                kernel::convolution,
                params,
                &[&map.offsets, &map.taps, &map.weights, &map.biases, x, y],
                quads.div_ceil(chunk) * chunk * blocks,
                map.operations * stride,
            )?;
            begin = end;
        }
        Ok(())
    }

    pub(super) fn multiply(
        &mut self,
        shape: Shape,
        params: products::Params,
        buffers: &[&Buffer],
    ) -> Result<()> {
        let blocks = shape.batch * shape.rows.div_ceil(4) * shape.columns.div_ceil(4);
        let lanes = params.lanes as usize;
        let work = shape.batch * shape.rows * shape.inner * shape.columns * lanes;
        self.launch(kernel::products, params, buffers, blocks * lanes, 2 * work)
    }
}

pub(super) fn of_shape(shape: Shape) -> products::Params {
    products::Params {
        batch: shape.batch as u32,
        rows: shape.rows as u32,
        inner: shape.inner as u32,
        columns: shape.columns as u32,
        first_row_step: shape.first[0] as u32,
        first_column_step: shape.first[1] as u32,
        second_row_step: shape.second[0] as u32,
        second_column_step: shape.second[1] as u32,
        ..products::Params::default()
    }
}

//! Multipliers, from the output back to the targets.

use whylight_kernels::pooling::Task;
use whylight_kernels::products::Mean;
use whylight_kernels::softmax::LOWEST;
use whylight_kernels::{embedding, pooling, products, rescale, seeds, softmax};

use super::launch::{Launches, Tile, of_shape};
use super::slots::Move;
use super::steps::OnGpu;
use crate::error::Result;
use crate::gpu::Buffer;
use crate::kernel;

/// What a softmax costs at a cell and a pair, in multiplications, roughly: its exponentials at the points of the way.
const SOFTMAX: usize = 400;

impl Launches<'_> {
    /// Computes the multipliers of the targets.
    pub(super) fn backward(&mut self, tile: Tile<'_>) -> Result<()> {
        let network = self.network;
        let (lanes, stride) = (tile.lanes, tile.lanes.stride());
        let cells = network.graph.cells[network.graph.output];
        let params = seeds::Params {
            cells: cells as u32,
            pairs: lanes.pairs() as u32,
            first: lanes.first_output as u32,
            stride: stride as u32,
        };
        let to = &tile.slots[network.backward.seeds];
        self.launch(kernel::seeds, params, &[to], cells * stride, cells * stride)?;
        for step in &network.backward.moves {
            self.back(tile, step)?;
        }
        Ok(())
    }

    /// The multipliers of one input of a step.
    fn back(&mut self, tile: Tile<'_>, step: &Move) -> Result<()> {
        let network = self.network;
        let Move {
            place,
            adds,
            outward,
            inward,
            ..
        } = *step;
        let of_step = &network.graph.steps[step.step];
        let (input, output) = (of_step.inputs[place], of_step.output);
        let is_in_place = outward == inward;
        let inward: &Buffer = &tile.slots[inward];
        // No kernel binds a buffer twice.
        let outward: &Buffer = if is_in_place {
            &network.nothing
        } else {
            &tile.slots[outward]
        };
        let cells = network.graph.cells[input];
        let (lanes, stride) = (tile.lanes, tile.lanes.stride());
        let sides = |tensor| [tile.rows.tensor(tensor), tile.others.tensor(tensor)];
        let ([x, r], [y, s]) = (sides(input), sides(output));
        let none: &Buffer = &network.nothing;
        let adding = u32::from(adds);
        // What kernels over pairs have in common.
        let others = if lanes.is_alone { 0 } else { lanes.others };
        let [pairs, others, outputs] =
            [lanes.pairs(), others, lanes.outputs].map(|count| count as u32);
        let [first_row, first_other] = [lanes.first_row, lanes.first_other].map(|at| at as u32);
        let [row_stride, other_stride, lane_stride] =
            [tile.rows.stride, tile.others.stride, stride].map(|stride| stride as u32);
        match &network.steps[step.step] {
            OnGpu::Scale(factors, _) => {
                let from = (!is_in_place).then_some(outward);
                self.scale(factors, None, [cells, stride], (from, inward), adds)?;
            }
            OnGpu::Convolution(both) => {
                self.convolve(&both[1], [outward, inward], stride, adds)?;
            }
            OnGpu::Gather(parts, _) => {
                self.gather(&parts[place][1], [outward, inward], stride, adds)?;
            }
            OnGpu::Curves { code, slopes } => {
                let params = rescale::Params {
                    cells: cells as u32,
                    pairs,
                    others,
                    first_row,
                    first_other,
                    row_stride,
                    other_stride,
                    stride: lane_stride,
                    outputs,
                    curve: code[0],
                    a: code[1],
                    b: code[2],
                    each: u32::from(slopes.is_some()),
                    values: 0,
                    adds: adding,
                    in_place: u32::from(is_in_place),
                };
                let slopes = slopes.as_ref().unwrap_or(none);
                let invocations = cells * lanes.pairs();
                self.launch(
                    kernel::rescale,
                    params,
                    &[x, r, y, s, slopes, outward, inward],
                    invocations,
                    invocations * (20 + 2 * lanes.outputs),
                )?;
            }
            OnGpu::Add(factors) => {
                let both = (Some(outward), inward);
                self.scale(&factors[place], None, [cells, stride], both, adds)?;
            }
            OnGpu::Products(shape) => {
                let (shape, mean) = match place {
                    0 => (shape.to_first(), Mean::Second),
                    _ => (shape.to_second(), Mean::First),
                };
                let [x, r] = sides(of_step.inputs[1 - place]);
                let params = products::Params {
                    pairs,
                    others,
                    first_row,
                    first_other,
                    row_stride,
                    other_stride,
                    stride: lane_stride,
                    lanes: pairs * outputs,
                    mean: mean.code(),
                    adds: adding,
                    ..of_shape(shape)
                };
                self.multiply(shape, params, &[outward, x, r, inward])?;
            }
            OnGpu::Max([windows, back]) => {
                let winners = step
                    .scratch
                    .map_or(&network.spare, |slot| &tile.slots[slot]);
                let params = pooling::Params {
                    task: Task::Winners.code(),
                    cells: windows.count as u32,
                    pairs,
                    others,
                    first_row,
                    first_other,
                    row_stride,
                    other_stride,
                    stride: lane_stride,
                    outputs: 1,
                    adds: 0,
                };
                let lists = [&windows.offsets, &windows.sources];
                let spare = &network.spare;
                let invocations = windows.count * lanes.pairs();
                self.launch(
                    kernel::pooling,
                    params,
                    &[lists[0], lists[1], x, r, none, winners, spare],
                    invocations,
                    4 * windows.entries * lanes.pairs(),
                )?;
                let params = pooling::Params {
                    task: Task::Multipliers.code(),
                    cells: cells as u32,
                    outputs,
                    adds: adding,
                    ..params
                };
                let lists = [&back.offsets, &back.sources];
                let all = lanes.pairs() * lanes.outputs;
                self.launch(
                    kernel::pooling,
                    params,
                    &[lists[0], lists[1], none, none, outward, winners, inward],
                    cells * all,
                    (cells + 2 * back.entries) * all,
                )?;
            }
            OnGpu::Softmax { length, is_log } => {
                let params = softmax::Params {
                    runs: (cells / length) as u32,
                    length: *length as u32,
                    is_log: u32::from(*is_log),
                    pairs,
                    others,
                    first_row,
                    first_other,
                    row_stride,
                    other_stride,
                    stride: lane_stride,
                    outputs,
                    lowest: LOWEST.to_bits(),
                    values: 0,
                    adds: adding,
                    zero: 0,
                };
                let work = cells * lanes.pairs() * SOFTMAX * (1 + lanes.outputs.div_ceil(4));
                self.launch(
                    kernel::softmax,
                    params,
                    &[&network.rule, x, r, y, s, outward, inward],
                    cells / length * lanes.pairs(),
                    work,
                )?;
            }
            OnGpu::Embedding { width, .. } => {
                let params = embedding::Params {
                    cells: cells as u32,
                    width: *width as u32,
                    pairs,
                    others,
                    first_row,
                    first_other,
                    row_stride,
                    other_stride,
                    stride: lane_stride,
                    outputs,
                    adds: adding,
                    ..embedding::Params::default()
                };
                let all = cells * lanes.pairs() * lanes.outputs;
                self.launch(
                    kernel::embedding,
                    params,
                    &[none, x, r, y, s, outward, inward],
                    all,
                    3 * all * width,
                )?;
            }
        }
        Ok(())
    }
}

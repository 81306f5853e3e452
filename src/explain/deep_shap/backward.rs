//! The multipliers of pairs of examples, from the output back to the targets.

use whylight_kernels::Level;
use whylight_kernels::convolution::convolve;
use whylight_kernels::embedding::share_rows;
use whylight_kernels::gather::gather;
use whylight_kernels::pooling::unpool;
use whylight_kernels::products::{Factor, means, multiply_matrices, share};
use whylight_kernels::rescale::{rescale, rescale_in_place};
use whylight_kernels::scale::{Channels, scale, scale_in_place};
use whylight_kernels::seeds::seed;
use whylight_kernels::softmax::share_softmax;
use whylight_kernels::tile::{Side, Tile};

use super::forward::Examples;
use super::graph::{Graph, Kernel, Step};

/// Pairs of examples: the explained ones, and those of the background.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pairs<'a> {
    pub(super) rows: &'a Examples,
    pub(super) others: &'a Examples,
    /// The example of the first pair, of each.
    pub(super) first: [usize; 2],
    /// Whether all pairs have the same explained example.
    pub(super) is_one_row: bool,
}

impl<'a> Pairs<'a> {
    /// The two sides of a tensor.
    pub(super) fn sides(&self, tensor: usize) -> [Side<'a>; 2] {
        let side = |examples: &'a Examples, first, is_one| Side {
            numbers: &examples.tensors[tensor],
            stride: examples.stride,
            first,
            is_one,
        };
        [
            side(self.rows, self.first[0], self.is_one_row),
            side(self.others, self.first[1], false),
        ]
    }
}

/// The multipliers of a tile, and buffers that the next one takes again.
#[derive(Debug, Default)]
pub(super) struct Multipliers {
    /// (cell, lane) of each tensor on the way.
    tensors: Vec<Option<Buffer>>,
    free: Vec<Vec<f32>>,
}

/// The first numbers of a vector, which may have more: to shorten one and lengthen it again would write zeros.
#[derive(Debug)]
struct Buffer {
    numbers: Vec<f32>,
    length: usize,
}

impl Buffer {
    fn read(&self) -> &[f32] {
        &self.numbers[..self.length]
    }

    fn write(&mut self) -> &mut [f32] {
        &mut self.numbers[..self.length]
    }
}

impl Multipliers {
    /// Computes those of the targets, for the outputs of the tile, of which `output` is the first.
    pub(super) fn run(
        &mut self,
        graph: &Graph,
        level: Level,
        pairs: Pairs<'_>,
        tile: Tile,
        output: usize,
    ) {
        for tensor in &mut self.tensors {
            self.free.extend(tensor.take().map(|buffer| buffer.numbers));
        }
        self.tensors.resize_with(graph.cells.len(), || None);
        let mut seeds = self.buffer(graph.cells[graph.output] * tile.stride());
        seed(tile, output, seeds.write());
        self.tensors[graph.output] = Some(seeds);
        for step in graph.steps.iter().rev() {
            if !graph.depends[step.output] || graph.targets.contains(&step.output) {
                continue;
            }
            // What the output does not depend on has no multipliers.
            let Some(mut outward) = self.tensors[step.output].take() else {
                continue;
            };
            if let [input] = step.inputs[..]
                && self.tensors[input].is_none()
                && step.back_in_place(level, pairs, tile, outward.write())
            {
                self.tensors[input] = Some(outward);
                continue;
            }
            for place in 0..step.inputs.len() {
                let input = step.inputs[place];
                if !graph.depends[input] {
                    continue;
                }
                let (mut inward, adds) = match self.tensors[input].take() {
                    Some(inward) => (inward, true),
                    None => (self.buffer(graph.cells[input] * tile.stride()), false),
                };
                let (from, to) = (outward.read(), inward.write());
                step.back(level, place, pairs, tile, from, to, adds, self);
                self.tensors[input] = Some(inward);
            }
            self.free.push(outward.numbers);
        }
    }

    /// Those of a target; `None` if the output does not depend on it.
    pub(super) fn of(&self, target: usize) -> Option<&[f32]> {
        self.tensors[target].as_ref().map(Buffer::read)
    }

    /// A buffer of so many numbers, whatever they are.
    fn buffer(&mut self, numbers: usize) -> Buffer {
        // The one that fits best: a large one should be left for a large tensor.
        let fits = self.free.iter().enumerate();
        let best = fits
            .filter(|(_, free)| free.len() >= numbers)
            .min_by_key(|(_, free)| free.len());
        let mut buffer = match best {
            Some((place, _)) => self.free.swap_remove(place),
            None => self.free.pop().unwrap_or_default(),
        };
        if buffer.len() < numbers {
            buffer.resize(numbers, 0.0);
        }
        Buffer {
            numbers: buffer,
            length: numbers,
        }
    }
}

impl Step {
    /// Makes the multipliers of the result those of the one input, cell by cell; false where they are not made like that.
    fn back_in_place(
        &self,
        level: Level,
        pairs: Pairs<'_>,
        tile: Tile,
        multipliers: &mut [f32],
    ) -> bool {
        match &self.kernel {
            Kernel::Scale(factors, _) => scale_in_place(factors, multipliers, tile.stride()),
            Kernel::Curves(curves) => {
                let (inputs, results) = (pairs.sides(self.inputs[0]), pairs.sides(self.output));
                rescale_in_place(level, curves, inputs, results, tile, multipliers);
            }
            _ => return false,
        }
        true
    }

    /// The multipliers of the input at this place.
    #[expect(clippy::too_many_arguments, reason = "what every kernel takes")]
    fn back(
        &self,
        level: Level,
        place: usize,
        pairs: Pairs<'_>,
        tile: Tile,
        outward: &[f32],
        inward: &mut [f32],
        adds: bool,
        buffers: &mut Multipliers,
    ) {
        let input = self.inputs[place];
        let stride = tile.stride();
        let (inputs, results) = (pairs.sides(input), pairs.sides(self.output));
        match &self.kernel {
            Kernel::Scale(factors, _) => scale(level, factors, None, outward, inward, stride, adds),
            Kernel::Convolution(both) => convolve(level, &both[1], outward, inward, stride, adds),
            Kernel::Gather(parts, _) => {
                gather(level, &parts[place][1], outward, inward, stride, adds);
            }
            Kernel::Curves(curves) => {
                rescale(level, curves, inputs, results, tile, outward, inward, adds);
            }
            Kernel::Add(factors) => {
                let factor = Channels::one(factors[place]);
                scale(level, &factor, None, outward, inward, stride, adds);
            }
            Kernel::Product => {
                let other = pairs.sides(self.inputs[1 - place]);
                share(level, other, tile, outward, inward, adds);
            }
            Kernel::MatMul(shape) => {
                let other = self.inputs[1 - place];
                let sides = pairs.sides(other);
                let cells = sides[0].numbers.len() / sides[0].stride;
                let mut mean = buffers.buffer(cells * tile.pairs);
                means(sides, tile.pairs, mean.write());
                let mean_factor = Factor {
                    numbers: mean.read(),
                    is_shared: true,
                };
                let multipliers = Factor {
                    numbers: outward,
                    is_shared: false,
                };
                if place == 0 {
                    let shape = shape.to_first();
                    multiply_matrices(level, shape, multipliers, mean_factor, tile, inward, adds);
                } else {
                    let shape = shape.to_second();
                    multiply_matrices(level, shape, mean_factor, multipliers, tile, inward, adds);
                }
                buffers.free.push(mean.numbers);
            }
            Kernel::Max(windows) => {
                if !adds {
                    inward.fill(0.0);
                }
                unpool(level, windows, inputs, tile, outward, inward);
            }
            Kernel::Softmax { length, is_log } => share_softmax(
                level, *length, *is_log, inputs, results, tile, outward, inward, adds,
            ),
            Kernel::Embedding { width, .. } => {
                share_rows(level, *width, inputs, results, tile, outward, inward, adds);
            }
        }
    }
}

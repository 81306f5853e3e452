//! What a network computes of examples that lie side by side.

use whylight_kernels::Level;
use whylight_kernels::convolution::convolve;
use whylight_kernels::embedding::look_up;
use whylight_kernels::gather::gather;
use whylight_kernels::lines;
use whylight_kernels::pooling::pool;
use whylight_kernels::products::{Factor, multiply, multiply_matrices};
use whylight_kernels::rescale::activate;
use whylight_kernels::scale::{Channels, scale};
use whylight_kernels::softmax::softmax;
use whylight_kernels::tile::{self, Tile};

use super::graph::{Graph, Kernel, Step};
use super::way::Way;

/// The numbers of some examples.
#[derive(Debug)]
pub(super) struct Examples {
    /// Numbers from one cell to the next.
    pub(super) stride: usize,
    /// (cell, example) of each tensor; empty for those that nobody reads any more.
    pub(super) tensors: Vec<Vec<f32>>,
}

impl Examples {
    /// Runs the steps of a way on what is known, the inputs at least, (cell, example) each, `stride` numbers a cell.
    pub(super) fn run(
        graph: &Graph,
        way: &Way,
        level: Level,
        stride: usize,
        known: Vec<Vec<f32>>,
    ) -> Self {
        let mut tensors = known;
        tensors.resize(graph.cells.len(), Vec::new());
        for (number, step) in graph.steps.iter().enumerate() {
            if !way.runs[number] {
                continue;
            }
            let mut y = vec![0.0; graph.cells[step.output] * stride];
            step.run(level, &tensors, &mut y, stride);
            tensors[step.output] = y;
            for &input in &step.inputs {
                if way.last[input] == Some(number) && !way.keeps[input] {
                    tensors[input] = Vec::new();
                }
            }
        }
        // What no step has read, or written for another.
        for (numbers, &keeps) in tensors.iter_mut().zip(&way.keeps) {
            if !keeps {
                *numbers = Vec::new();
            }
        }
        Self { stride, tensors }
    }

    /// Runs the steps of a way on rows of cells.
    pub(super) fn of_rows(graph: &Graph, way: &Way, level: Level, rows: &[&[f64]]) -> Self {
        Self::run(
            graph,
            way,
            level,
            tile::stride(rows.len()),
            graph.inputs(rows),
        )
    }

    /// Some tensors of all examples, so many, of which each block but the last has whole vectors.
    pub(super) fn join(blocks: Vec<Self>, of: &[usize], count: usize) -> Self {
        let stride = tile::stride(count);
        let mut tensors = vec![Vec::new(); blocks.first().map_or(0, |block| block.tensors.len())];
        for &tensor in of {
            let cells = blocks
                .first()
                .map_or(0, |block| block.tensors[tensor].len() / block.stride);
            tensors[tensor] = vec![0.0; cells * stride];
        }
        let mut first = 0;
        for block in blocks {
            for &tensor in of {
                let from = block.tensors[tensor].chunks(block.stride);
                for (to, from) in tensors[tensor].chunks_mut(stride).zip(from) {
                    to[first..first + block.stride].copy_from_slice(from);
                }
            }
            first += block.stride;
        }
        Self { stride, tensors }
    }

    /// The answers, (example, output), of so many.
    pub(super) fn answers(&self, graph: &Graph, count: usize) -> Vec<f64> {
        let answers = &self.tensors[graph.output];
        let of_example = |example: usize| {
            let answer = move |k: usize| f64::from(answers[k * self.stride + example]);
            (0..graph.cells[graph.output]).map(answer)
        };
        (0..count).flat_map(of_example).collect()
    }

    /// The numbers of other lanes, each of which is one of these examples, in the tensors that are kept.
    pub(super) fn spread(&self, graph: &Graph, lanes: &[usize]) -> Self {
        let stride = tile::stride(lanes.len());
        let of_tensor = |(numbers, &is_kept): (&Vec<f32>, &bool)| {
            if !is_kept {
                return Vec::new();
            }
            let mut spread = vec![0.0; numbers.len() / self.stride * stride];
            lines::spread(numbers, self.stride, lanes, &mut spread, stride);
            spread
        };
        Self {
            stride,
            tensors: (self.tensors.iter().zip(&graph.is_kept))
                .map(of_tensor)
                .collect(),
        }
    }
}

impl Step {
    fn run(&self, level: Level, tensors: &[Vec<f32>], y: &mut [f32], stride: usize) {
        let x = &*tensors[self.inputs[0]];
        match &self.kernel {
            Kernel::Scale(factors, shifts) => {
                scale(level, factors, Some(shifts), x, y, stride, false);
            }
            Kernel::Convolution(both) => convolve(level, &both[0], x, y, stride, false),
            Kernel::Gather(parts, fill) => {
                if *fill != 0.0 {
                    y.fill(*fill);
                }
                for (part, &input) in parts.iter().zip(&self.inputs) {
                    gather(level, &part[0], &tensors[input], y, stride, false);
                }
            }
            Kernel::Curves(curves) => activate(curves, x, y, stride),
            Kernel::Add(factors) => {
                for (k, (&factor, &input)) in factors.iter().zip(&self.inputs).enumerate() {
                    let factor = Channels::one(factor);
                    scale(level, &factor, None, &tensors[input], y, stride, k > 0);
                }
            }
            Kernel::Product => multiply(x, &tensors[self.inputs[1]], y),
            Kernel::MatMul(shape) => {
                let factor = |numbers| Factor {
                    numbers,
                    is_shared: false,
                };
                let tile = Tile {
                    pairs: stride,
                    outputs: 1,
                };
                let (a, b) = (factor(x), factor(&tensors[self.inputs[1]]));
                multiply_matrices(level, *shape, a, b, tile, y, false);
            }
            Kernel::Max(windows) => pool(level, windows, x, y, stride),
            Kernel::Softmax { length, is_log } => softmax(*length, *is_log, x, y, stride),
            Kernel::Embedding { table, width } => look_up(table, *width, x, y, stride),
        }
    }
}

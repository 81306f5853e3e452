//! Steps forward.

use whylight_kernels::pooling::Task;
use whylight_kernels::products::Mean;
use whylight_kernels::{embedding, pooling, products, rescale, softmax};

use super::launch::{Launches, of_shape};
use super::resident::Examples;
use super::steps::OnGpu;
use crate::error::Result;
use crate::explain::deep_shap::way::Way;
use crate::gpu::Buffer;
use crate::kernel;

impl Launches<'_> {
    /// Runs examples forward, on a way.
    pub(super) fn forward(&mut self, examples: &Examples, way: &Way) -> Result<()> {
        let network = self.network;
        let stride = examples.stride;
        let steps = network.graph.steps.iter().zip(&network.steps);
        for ((step, own), _) in steps.zip(&way.runs).filter(|(_, runs)| **runs) {
            let x = examples.tensor(step.inputs[0]);
            let y = examples.tensor(step.output);
            let cells = network.graph.cells[step.output];
            let work = cells * stride;
            let none: &Buffer = &network.nothing;
            let of_values = u32::from(true);
            match own {
                OnGpu::Scale(factors, shifts) => {
                    let size = [cells, stride];
                    self.scale(factors, Some(shifts), size, (Some(x), y), false)?;
                }
                OnGpu::Convolution(both) => self.convolve(&both[0], [x, y], stride, false)?,
                OnGpu::Gather(parts, others) => {
                    if let Some(others) = others {
                        self.gather(others, [x, y], stride, false)?;
                    }
                    for (part, &input) in parts.iter().zip(&step.inputs) {
                        self.gather(&part[0], [examples.tensor(input), y], stride, false)?;
                    }
                }
                OnGpu::Curves { code, slopes } => {
                    let params = rescale::Params {
                        cells: cells as u32,
                        pairs: stride as u32,
                        stride: stride as u32,
                        others: 1,
                        curve: code[0],
                        a: code[1],
                        b: code[2],
                        each: u32::from(slopes.is_some()),
                        values: of_values,
                        ..rescale::Params::default()
                    };
                    let slopes = slopes.as_ref().unwrap_or(none);
                    let buffers = [x, none, none, none, slopes, none, y];
                    self.launch(kernel::rescale, params, &buffers, work, 20 * work)?;
                }
                OnGpu::Add(factors) => {
                    for (k, (factor, &input)) in factors.iter().zip(&step.inputs).enumerate() {
                        let x = examples.tensor(input);
                        let both = (Some(x), y);
                        self.scale(factor, None, [cells, stride], both, k > 0)?;
                    }
                }
                OnGpu::Products(shape) => {
                    let params = products::Params {
                        pairs: stride as u32,
                        others: 1,
                        stride: stride as u32,
                        lanes: stride as u32,
                        mean: Mean::Neither.code(),
                        ..of_shape(*shape)
                    };
                    let b = examples.tensor(step.inputs[1]);
                    self.multiply(*shape, params, &[x, b, none, y])?;
                }
                OnGpu::Max([windows, _]) => {
                    let params = pooling::Params {
                        task: Task::Values.code(),
                        cells: cells as u32,
                        pairs: stride as u32,
                        others: 1,
                        stride: stride as u32,
                        outputs: 1,
                        ..pooling::Params::default()
                    };
                    let spare = &network.spare;
                    let buffers = [&windows.offsets, &windows.sources, x, none, none, spare, y];
                    let reads = windows.entries * stride;
                    self.launch(kernel::pooling, params, &buffers, work, reads)?;
                }
                OnGpu::Softmax { length, is_log } => {
                    let params = softmax::Params {
                        runs: (cells / length) as u32,
                        length: *length as u32,
                        is_log: u32::from(*is_log),
                        pairs: stride as u32,
                        others: 1,
                        stride: stride as u32,
                        values: of_values,
                        ..softmax::Params::default()
                    };
                    let buffers = [&network.rule, x, none, none, none, none, y];
                    let invocations = work / length;
                    self.launch(kernel::softmax, params, &buffers, invocations, 40 * work)?;
                }
                OnGpu::Embedding {
                    table,
                    width,
                    entries,
                } => {
                    let params = embedding::Params {
                        cells: cells as u32,
                        width: *width as u32,
                        entries: *entries as u32,
                        pairs: stride as u32,
                        others: 1,
                        stride: stride as u32,
                        outputs: 1,
                        values: of_values,
                        ..embedding::Params::default()
                    };
                    let buffers = [table, x, none, none, none, none, y];
                    self.launch(kernel::embedding, params, &buffers, work, work)?;
                }
            }
        }
        Ok(())
    }
}

//! The constants of a network's steps on a GPU.

use whylight_kernels::convolution::{Convolution, Params};
use whylight_kernels::curve::Curve;
use whylight_kernels::gather::Lists;
use whylight_kernels::pooling::targets_of;
use whylight_kernels::products::Shape;
use whylight_kernels::rescale::Curves;
use whylight_kernels::scale::Channels;

use crate::error::{Error, Result};
use crate::explain::deep_shap::graph::{Graph, Kernel, Step};
use crate::gpu::{Buffer, Gpu};

/// What a step reads beside tensors.
#[derive(Debug)]
pub(super) enum OnGpu {
    Scale(Constants, Constants),
    /// Forward, and back.
    Convolution(Box<[Map; 2]>),
    /// Of each input its part, forward and back; and the cells of no input.
    Gather(Vec<[OnLists; 2]>, Option<OnLists>),
    Curves {
        code: [u32; 3],
        slopes: Option<Buffer>,
    },
    Add(Vec<Constants>),
    Products(Shape),
    /// Forward, and the targets of each cell.
    Max([OnLists; 2]),
    Softmax {
        length: usize,
        is_log: bool,
    },
    Embedding {
        table: Buffer,
        width: usize,
        entries: usize,
    },
}

/// Constants that repeat.
#[derive(Debug)]
pub(super) struct Constants {
    pub(super) values: Buffer,
    pub(super) count: usize,
    pub(super) inner: usize,
}

/// A convolution, one way.
#[derive(Debug)]
pub(super) struct Map {
    pub(super) offsets: Buffer,
    pub(super) taps: Buffer,
    pub(super) weights: Buffer,
    pub(super) biases: Buffer,
    /// For no lanes.
    pub(super) params: Params,
    /// Links of a position at the most.
    pub(super) longest: usize,
    /// Multiplications and additions of a lane.
    pub(super) operations: usize,
}

/// Lists of cells.
#[derive(Debug)]
pub(super) struct OnLists {
    pub(super) targets: Buffer,
    pub(super) offsets: Buffer,
    pub(super) sources: Buffer,
    pub(super) weights: Buffer,
    pub(super) count: usize,
    pub(super) entries: usize,
    pub(super) is_weighted: bool,
    /// What sums begin with.
    pub(super) start: f32,
}

/// Uploads what the GPU has room for.
struct Uploads<'a> {
    gpu: &'a Gpu,
    limit: u64,
}

pub(super) fn refused(gpu: &Gpu, what: &str) -> Error {
    Error::Unsupported {
        what: what.to_owned(),
        by: format!("GPU {}", gpu.adapter().name),
        instead: "use device cpu".to_owned(),
    }
}

/// Uploads all steps of a graph.
///
/// # Errors
/// [`Error::Unsupported`] if the GPU has no room for one of them.
pub(super) fn upload(gpu: &Gpu, limit: u64, graph: &Graph) -> Result<Vec<OnGpu>> {
    let uploads = Uploads { gpu, limit };
    let steps = graph.steps.iter();
    steps.map(|step| uploads.step(graph, step)).collect()
}

impl Uploads<'_> {
    fn step(&self, graph: &Graph, step: &Step) -> Result<OnGpu> {
        Ok(match &step.kernel {
            Kernel::Scale(factors, shifts) => {
                OnGpu::Scale(self.constants(factors)?, self.constants(shifts)?)
            }
            Kernel::Convolution(both) => {
                OnGpu::Convolution(Box::new([self.map(&both[0])?, self.map(&both[1])?]))
            }
            Kernel::Gather(parts, fill) => {
                let mut is_taken = vec![false; graph.cells[step.output]];
                let mut uploaded = Vec::with_capacity(parts.len());
                for [forward, back] in parts {
                    for &target in &forward.targets {
                        is_taken[target as usize] = true;
                    }
                    uploaded.push([self.lists(forward, 0.0)?, self.lists(back, 0.0)?]);
                }
                let cells = (0..).zip(is_taken);
                let others: Vec<u32> = cells
                    .filter(|(_, is_taken)| !is_taken)
                    .map(|(cell, _)| cell)
                    .collect();
                let filled = Lists {
                    offsets: vec![0; others.len() + 1],
                    targets: others,
                    ..Lists::default()
                };
                let is_whole = filled.targets.is_empty();
                let filled = (!is_whole).then(|| self.lists(&filled, *fill));
                OnGpu::Gather(uploaded, filled.transpose()?)
            }
            Kernel::Curves(Curves::One(curve)) => OnGpu::Curves {
                code: curve.code(),
                slopes: None,
            },
            Kernel::Curves(Curves::Each(curves)) => {
                let slopes: Vec<u32> = curves.iter().map(|curve| curve.code()[1]).collect();
                OnGpu::Curves {
                    code: Curve::Leaky(0.0).code(),
                    slopes: Some(self.upload("slopes", &slopes)?),
                }
            }
            Kernel::Add(factors) => {
                let factors = factors.iter().map(|&factor| Channels::one(factor));
                let factors = factors.map(|factor| self.constants(&factor));
                OnGpu::Add(factors.collect::<Result<_>>()?)
            }
            // Cells alone are matrices of one row and one column.
            Kernel::Product => OnGpu::Products(Shape::new(graph.cells[step.output], 1, 1, 1)),
            Kernel::MatMul(shape) => {
                // Back, rows and columns are what sums go over.
                self.sum(shape.inner.max(shape.rows).max(shape.columns))?;
                OnGpu::Products(*shape)
            }
            Kernel::Max(windows) => {
                let back = targets_of(windows, graph.cells[step.inputs[0]]);
                OnGpu::Max([self.lists(windows, 0.0)?, self.lists(&back, 0.0)?])
            }
            Kernel::Softmax { length, is_log } => OnGpu::Softmax {
                length: *length,
                is_log: *is_log,
            },
            Kernel::Embedding { table, width } => {
                self.sum(*width)?;
                OnGpu::Embedding {
                    table: self.upload("table", table)?,
                    width: *width,
                    entries: table.len() / width,
                }
            }
        })
    }

    fn upload<T: bytemuck::Pod>(&self, label: &str, items: &[T]) -> Result<Buffer> {
        if size_of_val(items) as u64 > self.limit {
            let what = format!("a network of {} {label} in one step", items.len());
            return Err(refused(self.gpu, &what));
        }
        Ok(self.gpu.upload(label, items))
    }

    /// Refuses sums that an invocation has no steps for.
    fn sum(&self, cells: usize) -> Result<()> {
        if cells as u64 > self.gpu.adapter().limits.iterations {
            return Err(refused(self.gpu, &format!("a sum of {cells} cells")));
        }
        Ok(())
    }

    fn constants(&self, channels: &Channels) -> Result<Constants> {
        Ok(Constants {
            values: self.upload("constants", &channels.values)?,
            count: channels.values.len(),
            inner: channels.inner,
        })
    }

    fn map(&self, convolution: &Convolution) -> Result<Map> {
        let words = convolution.words();
        Ok(Map {
            offsets: self.upload("offsets", &words.offsets)?,
            taps: self.upload("taps", &words.taps)?,
            weights: self.upload("weights", &words.weights)?,
            biases: self.upload("biases", &words.biases)?,
            params: convolution.params(0, false),
            longest: convolution.longest(),
            operations: convolution.operations(),
        })
    }

    fn lists(&self, lists: &Lists, start: f32) -> Result<OnLists> {
        let ends = lists.offsets.windows(2);
        let longest = ends.map(|ends| ends[1] - ends[0]).max().unwrap_or(0);
        self.sum(longest as usize)?;
        Ok(OnLists {
            targets: self.upload("targets", &lists.targets)?,
            offsets: self.upload("offsets", &lists.offsets)?,
            sources: self.upload("sources", &lists.sources)?,
            weights: self.upload("weights", &lists.weights)?,
            count: lists.targets.len(),
            entries: lists.sources.len(),
            is_weighted: !lists.weights.is_empty(),
            start,
        })
    }
}

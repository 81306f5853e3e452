//! What must hold of a [`Network`] before any kernel sees it.

use std::path::Path;

use super::{Activation, Channels, Convolution, Gather, Network, Operation, Step, Windows};
use crate::error::{Error, Result};

/// Cells of all tensors of an example together: 1 GiB of float32.
pub(in crate::model) const MAX_CELLS: usize = 1 << 28;

/// Float32 holds whole numbers up to this.
const MAX_ENTRIES: usize = 1 << 24;

impl Network {
    /// Checks that the parts fit together, that every index is in range and every number finite; `path` only names the
    /// model in errors.
    ///
    /// # Errors
    /// [`Error::Model`] that names the step and what is wrong with it.
    pub fn check(&self, path: &Path) -> Result<()> {
        let fail = |at: &str, reason: String| {
            Err(Error::Model {
                path: path.to_owned(),
                format: Self::FORMAT,
                at: at.to_owned(),
                reason,
            })
        };
        let mut total = 0_usize;
        for tensor in &self.tensors {
            let sizes = tensor.shape.iter();
            let cells = sizes.fold(1_usize, |cells, &size| cells.saturating_mul(size));
            total = total.saturating_add(cells);
            if cells == 0 || total > MAX_CELLS {
                let at = format!("tensor \"{}\"", tensor.name);
                let reason = format!(
                    "its shape is {:?}; expected at least one cell, and no more than {MAX_CELLS} of all \
                     tensors together",
                    tensor.shape
                );
                return fail(&at, reason);
            }
        }
        let inputs = self.inputs.len();
        let same = |(input, tensor): (&super::Input, &super::Tensor)| input.shape == tensor.shape;
        if inputs == 0
            || inputs > self.tensors.len()
            || !self.inputs.iter().zip(&self.tensors).all(same)
            || self.features.len() != self.cells()
        {
            return fail(
                "its inputs",
                "tensors and features are not theirs".to_owned(),
            );
        }
        let mut known = vec![false; self.tensors.len()];
        known[..inputs].fill(true);
        for step in &self.steps {
            let fits = step.inputs.iter().all(|&t| known.get(t) == Some(&true));
            if !fits || step.inputs.is_empty() || known.get(step.output) != Some(&false) {
                let reason = "it reads what is not computed yet, or writes what is".to_owned();
                return fail(&step.node, reason);
            }
            if let Err(reason) = self.check_step(step) {
                return fail(&step.node, reason);
            }
            known[step.output] = true;
        }
        let output = self.tensors.get(self.output);
        if known.get(self.output) != Some(&true)
            || output.is_none_or(|tensor| tensor.cells() != self.outputs.len())
        {
            return fail(
                "its output",
                "there is no tensor of as many cells".to_owned(),
            );
        }
        Ok(())
    }

    fn check_step(&self, step: &Step) -> Result<(), String> {
        let cells = |t: usize| self.tensors[t].cells();
        let (x, y) = (cells(step.inputs[0]), cells(step.output));
        let wanted = match &step.operation {
            Operation::Product | Operation::MatMul(_) => 2,
            Operation::Add(factors) => factors.len(),
            Operation::Gather(_) => step.inputs.len(),
            _ => 1,
        };
        let fits = step.inputs.len() == wanted
            && match &step.operation {
                Operation::Scale(scale, shift) => x == y && scale.is_valid() && shift.is_valid(),
                Operation::Dense(dense) => {
                    let outputs = dense.outputs();
                    dense.inputs > 0
                        && outputs > 0
                        && x.is_multiple_of(dense.inputs)
                        && Some(y) == (x / dense.inputs).checked_mul(outputs)
                        && Some(dense.weights.len()) == dense.inputs.checked_mul(outputs)
                        && finite(&dense.weights)
                        && finite(&dense.biases)
                }
                Operation::Convolution(convolution) => convolution.fits(x, y),
                Operation::Gather(gather) => {
                    let all: usize = step.inputs.iter().map(|&t| cells(t)).sum();
                    let is_in = |&s: &u32| s == Gather::NONE || (s as usize) < all;
                    gather.sources.len() == y
                        && gather.sources.iter().all(is_in)
                        && gather.fill.is_finite()
                }
                Operation::Sum(sum) => {
                    is_list(&sum.offsets, &sum.sources, x, y)
                        && sum.weights.len() == sum.sources.len()
                        && finite(&sum.weights)
                }
                Operation::Activation(activation) => x == y && activation.is_valid(),
                Operation::Add(factors) => {
                    step.inputs.iter().all(|&t| cells(t) == y) && finite(factors)
                }
                Operation::Product => x == y && cells(step.inputs[1]) == y,
                Operation::MatMul(matmul) => {
                    let size = |a: usize, b: usize| {
                        matmul.batch.checked_mul(a).and_then(|n| n.checked_mul(b))
                    };
                    size(matmul.rows, matmul.inner) == Some(x)
                        && size(matmul.inner, matmul.columns) == Some(cells(step.inputs[1]))
                        && size(matmul.rows, matmul.columns) == Some(y)
                }
                Operation::Max(Windows { offsets, sources }) => {
                    is_list(offsets, sources, x, y) && offsets.windows(2).all(|w| w[0] < w[1])
                }
                Operation::Softmax(length) | Operation::LogSoftmax(length) => {
                    x == y && *length > 0 && x.is_multiple_of(*length)
                }
                Operation::Embedding(embedding) => {
                    let width = embedding.width;
                    width > 0
                        && Some(y) == x.checked_mul(width)
                        && embedding.table.len().is_multiple_of(width)
                        && (1..=MAX_ENTRIES).contains(&(embedding.table.len() / width))
                        && finite(&embedding.table)
                }
            };
        fits.then_some(()).ok_or_else(|| {
            "its sizes do not fit those of its tensors, or one of its numbers is not a finite float32"
                .to_owned()
        })
    }
}

impl Channels {
    fn is_valid(&self) -> bool {
        self.inner > 0 && !self.values.is_empty() && finite(&self.values)
    }
}

impl Activation {
    fn is_valid(&self) -> bool {
        match self {
            Activation::LeakyRelu(slopes) => slopes.is_valid(),
            Activation::Celu(alpha) => alpha.is_finite() && *alpha != 0.0,
            Activation::Clip(low, high) => low <= high,
            Activation::Elu(a)
            | Activation::Swish(a)
            | Activation::ThresholdedRelu(a)
            | Activation::Power(a)
            | Activation::Equal(a)
            | Activation::Greater(a)
            | Activation::Less(a) => a.is_finite(),
            Activation::Selu(a, b) | Activation::HardSigmoid(a, b) | Activation::Shrink(a, b) => {
                a.is_finite() && b.is_finite()
            }
            _ => true,
        }
    }
}

impl Convolution {
    fn fits(&self, x: usize, y: usize) -> bool {
        let count = |sizes: [usize; 3]| {
            let mut sizes = sizes.iter();
            sizes.try_fold(self.groups, |n, &size| n.checked_mul(size))
        };
        let [inputs, outputs] = self.channels;
        let all = |sizes: [usize; 3]| sizes.iter().all(|&size| size > 0);
        let weights = count(self.kernel).and_then(|n| n.checked_mul(inputs)?.checked_mul(outputs));
        [self.strides, self.dilations, self.kernel, self.output].map(all) == [true; 4]
            && count(self.input).and_then(|n| n.checked_mul(inputs)) == Some(x)
            && count(self.output).and_then(|n| n.checked_mul(outputs)) == Some(y)
            && weights == Some(self.weights.len())
            && self.biases.len() == self.groups * outputs
            && finite(&self.weights)
            && finite(&self.biases)
    }
}

/// Whether offsets are those of `y` lists of sources among `x` cells.
fn is_list(offsets: &[u32], sources: &[u32], x: usize, y: usize) -> bool {
    offsets.len() == y + 1
        && offsets[0] == 0
        && offsets.is_sorted()
        && offsets[y] as usize == sources.len()
        && sources.iter().all(|&source| (source as usize) < x)
}

fn finite(numbers: &[f32]) -> bool {
    numbers.iter().all(|number| number.is_finite())
}

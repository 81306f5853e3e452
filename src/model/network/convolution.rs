//! Convolutions over up to three axes.

/// A convolution, or with [`Convolution::is_transposed`] the map whose matrix is the transpose of one's. Sizes of axes
/// that are not there are 1; tensors are (channels, positions…).
#[derive(Debug, Clone, PartialEq)]
pub struct Convolution {
    /// Groups of channels that do not mix.
    pub groups: usize,
    /// Channels of a group that it reads, and writes.
    pub channels: [usize; 2],
    /// Positions that it reads, by axis.
    pub input: [usize; 3],
    /// Positions that it writes, by axis.
    pub output: [usize; 3],
    /// Of the kernel.
    pub kernel: [usize; 3],
    /// Positions from one window to the next.
    pub strides: [usize; 3],
    /// Positions from one of the kernel's to the next.
    pub dilations: [usize; 3],
    /// Positions of padding before the first; those behind the last follow from `output`.
    pub before: [usize; 3],
    /// (group, output channel of it, input channel of it, kernel), whether transposed or not.
    pub weights: Vec<f32>,
    /// By output channel of all groups.
    pub biases: Vec<f32>,
    /// Whether windows lie in the output.
    pub is_transposed: bool,
}

impl Convolution {
    /// Calls `tap` with each pair of positions that are linked, and the position in the kernel that links
    /// them: (output, input, kernel), output by output.
    pub fn taps(&self, mut tap: impl FnMut(usize, usize, usize)) {
        let kernels = positions(self.kernel);
        for to in 0..positions(self.output) {
            let at = place(to, self.output);
            for k in 0..kernels {
                let offset = place(k, self.kernel);
                let from: Option<Vec<usize>> = (0..3)
                    .map(|axis| self.source(axis, at[axis], offset[axis]))
                    .collect();
                if let Some(from) = from {
                    let input = (from[0] * self.input[1] + from[1]) * self.input[2] + from[2];
                    tap(to, input, k);
                }
            }
        }
    }

    /// The input position along an axis that an output position is linked with, if there is one.
    fn source(&self, axis: usize, output: usize, kernel: usize) -> Option<usize> {
        let (stride, offset) = (self.strides[axis], kernel * self.dilations[axis]);
        let input = if self.is_transposed {
            let shifted = (output + self.before[axis]).checked_sub(offset)?;
            (shifted % stride == 0).then_some(shifted / stride)?
        } else {
            (output * stride + offset).checked_sub(self.before[axis])?
        };
        (input < self.input[axis]).then_some(input)
    }
}

fn positions(sizes: [usize; 3]) -> usize {
    sizes.iter().product()
}

fn place(position: usize, sizes: [usize; 3]) -> [usize; 3] {
    let rest = position / sizes[2];
    [rest / sizes[1], rest % sizes[1], position % sizes[2]]
}

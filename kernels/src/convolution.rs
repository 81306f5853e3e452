//! Convolutions and layers of neurons: sums over channels and over positions that a kernel links.
//! Twin: `shaders/convolution.wgsl`
//!
//! A layer of neurons is a convolution whose kernel has one position. Positions are linked by a list, which
//! holds whatever strides, dilations and padding are; the transposed map has the list and the weights the other
//! way round, and is the same kernel.
#![allow(
    clippy::needless_range_loop,
    reason = "registers by their number: what the compiler unrolls"
)]

mod spans;
mod words;

use std::ops::Range;

use crate::binding::{bindings, params};
use crate::simd::wide::{Wide, wide_instances};
use crate::tile::LANES;

use self::spans::Spans;
pub use self::words::Words;

bindings! {
    offsets: Read,
    taps: Read,
    weights: Read,
    biases: Read,
    x: Read,
    y: Write,
}

params! {
    /// Parameters of the shader.
    {
        /// Lanes by fours.
        quads,
        /// Of these, how many go together.
        chunk,
        /// Groups.
        groups,
        /// Output channels of a group by eights.
        blocks,
        /// Output channels of a group.
        outputs,
        /// Input channels of a group.
        inputs,
        /// Positions of the kernel.
        kernels,
        /// Output positions.
        positions,
        /// Cells from an input channel to the next.
        from_channel,
        /// Cells from an input position to the next.
        from_position,
        /// Cells from an output channel to the next.
        to_channel,
        /// Cells from an output position to the next.
        to_position,
        /// The first input channel of the launch.
        begin,
        /// The end of its input channels.
        end,
        /// 1 to add to what is there, without the biases.
        adds,
    }
}

/// Output channels of a block of weights.
pub(crate) const BLOCK: usize = 8;

/// Lanes that are summed at a time, at most.
const MOST: usize = 6 * LANES;

/// Where the cells of channels and positions are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Cells from a channel to the next.
    pub channel: usize,
    /// Cells from a position to the next.
    pub position: usize,
}

/// One side of a convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ends {
    /// Channels of a group.
    pub channels: usize,
    /// Positions.
    pub positions: usize,
    /// Where they are.
    pub layout: Layout,
}

/// A convolution made ready.
#[derive(Debug, Clone)]
pub struct Convolution {
    groups: usize,
    from: Ends,
    to: Ends,
    /// Position by position.
    plain: Form,
    /// Several positions together, where that is faster.
    spans: Option<Form>,
    /// By output channel of all groups; empty for none.
    biases: Vec<f32>,
}

/// How positions are written: one by one, or several that are neighbours together, as if each were a channel more. What
/// these read is mostly the same, and is read once.
#[derive(Debug, Clone)]
struct Form {
    /// Positions that are written together.
    span: usize,
    /// Positions of the kernel, or the ways in which those of a span are linked with what they read.
    kernels: usize,
    /// Of span p: those of `taps` from `offsets[p]` on.
    offsets: Vec<u32>,
    /// Input position, and which of `kernels`.
    taps: Vec<[u32; 2]>,
    /// (group, block, kernel, input channel, place in the block), of the channels of each position of a span, one position
    /// after the other, in blocks as wide as [`widths`] says.
    weights: Vec<f32>,
}

/// How often positions of a span read the same, on average, at least.
const SHARED: usize = 2;

/// The widths of the blocks of so many channels, widest first: powers of two, at most [`BLOCK`].
fn widths(channels: usize) -> impl Iterator<Item = usize> {
    let rest = channels % BLOCK;
    let wide = std::iter::repeat_n(BLOCK, channels / BLOCK);
    wide.chain([4, 2, 1].into_iter().filter(move |width| rest & width != 0))
}

impl Convolution {
    /// Of links (output position, input position, position in the kernel), by output position, and of weights by
    /// group, output channel, input channel and position in the kernel.
    pub fn new(
        groups: usize,
        [from, to]: [Ends; 2],
        kernels: usize,
        links: &[[u32; 3]],
        weight: impl Fn(usize, usize, usize, usize) -> f32,
        biases: Vec<f32>,
    ) -> Self {
        let form = |spans: Spans| {
            let width = spans.width * to.channels;
            let kinds = spans.kinds.len();
            let mut weights = Vec::with_capacity(groups * width * from.channels * kinds);
            for group in 0..groups {
                let mut first = 0;
                for block in widths(width) {
                    for kind in &spans.kinds {
                        for input in 0..from.channels {
                            weights.extend((first..first + block).map(|place| {
                                let (position, output) = (place / to.channels, place % to.channels);
                                let linked = kind.iter().find(|link| link[0] as usize == position);
                                linked.map_or(0.0, |link| {
                                    weight(group, output, input, link[1] as usize)
                                })
                            }));
                        }
                    }
                    first += block;
                }
            }
            Form {
                span: spans.width,
                kernels: kinds,
                offsets: spans.offsets,
                taps: spans.taps,
                weights,
            }
        };
        let widest = (BLOCK / to.channels.max(1)).min(to.positions);
        let together = (widest > 1).then(|| Spans::new(links, to.positions, widest));
        // A span whose positions share less is not worth its zeros.
        let together = together.filter(|spans| spans.taps.len() * SHARED <= links.len());
        Self {
            groups,
            from,
            to,
            plain: form(Spans::alone(links, to.positions, kernels)),
            spans: together.map(form),
            biases,
        }
    }

    /// Cells that it reads.
    pub fn inputs(&self) -> usize {
        self.groups * self.from.channels * self.from.positions
    }

    /// Cells that it writes.
    pub fn outputs(&self) -> usize {
        self.groups * self.to.channels * self.to.positions
    }

    /// The links.
    pub fn taps(&self) -> usize {
        self.plain.taps.len()
    }

    /// Multiplications and additions of a lane.
    pub fn operations(&self) -> usize {
        self.plain.taps.len() * self.groups * self.from.channels * self.to.channels
    }
}

wide_instances! {
    /// Writes the sums of `x`, (input cell, lane), to `y`, (output cell, lane), `stride` lanes each, a multiple of
    /// [`LANES`]; with `adds`, adds them to what is there, without the biases.
    pub fn convolve = run(
        convolution: &Convolution, x: &[f32], y: &mut [f32], stride: usize, adds: bool,
    )
}

#[inline(always)]
fn run<W: Wide>(convolution: &Convolution, x: &[f32], y: &mut [f32], stride: usize, adds: bool) {
    debug_assert_eq!(stride % LANES, 0);
    let (from, to) = (convolution.from, convolution.to);
    let form = convolution.spans.as_ref().unwrap_or(&convolution.plain);
    let width = form.span * to.channels;
    let group_weights = form.kernels * from.channels * width;
    // Positions inside of lanes: windows overlap, and what one reads the next finds in a cache.
    for lane in (0..stride).step_by(MOST) {
        let lanes = lane..stride.min(lane + MOST);
        for group in 0..convolution.groups {
            let weights = &form.weights[group * group_weights..][..group_weights];
            for span in 0..form.offsets.len() - 1 {
                let mut weights = weights;
                let mut first = 0;
                for width in widths(width) {
                    let block;
                    (block, weights) = weights.split_at(form.kernels * from.channels * width);
                    let part = Part {
                        convolution,
                        form,
                        group,
                        first,
                        span,
                        weights: block,
                        stride,
                        adds,
                    };
                    let lanes = lanes.clone();
                    match (width, W::REGISTERS) {
                        (8, 32) => part.run::<W, 8, 3>(x, y, lanes),
                        // Eight sums of one vector each, and one register of what they are made of.
                        (8, _) => part.run::<W, 8, 1>(x, y, lanes),
                        (4, _) => part.run::<W, 4, 3>(x, y, lanes),
                        (2, _) => part.run::<W, 2, 3>(x, y, lanes),
                        _ => part.run::<W, 1, 6>(x, y, lanes),
                    }
                    first += width;
                }
            }
        }
    }
}

/// The channels of a block at a span.
struct Part<'a> {
    convolution: &'a Convolution,
    form: &'a Form,
    group: usize,
    /// The place of the block's first channel among those of the positions of the span.
    first: usize,
    span: usize,
    /// (kernel, input channel, output channel of the block).
    weights: &'a [f32],
    stride: usize,
    adds: bool,
}

impl Part<'_> {
    /// Runs lanes, `V` vectors at a time.
    #[inline(always)]
    fn run<W: Wide, const B: usize, const V: usize>(
        &self,
        x: &[f32],
        y: &mut [f32],
        lanes: Range<usize>,
    ) {
        let step = V * W::LANES;
        let mut lane = lanes.start;
        while lane + step <= lanes.end {
            self.lanes::<W, B, V>(x, y, lane);
            lane += step;
        }
        while lane < lanes.end {
            self.lanes::<W, B, 1>(x, y, lane);
            lane += W::LANES;
        }
    }

    /// `V` vectors of lanes from `lane` on.
    #[inline(always)]
    fn lanes<W: Wide, const B: usize, const V: usize>(
        &self,
        x: &[f32],
        y: &mut [f32],
        lane: usize,
    ) {
        let Convolution {
            from, to, biases, ..
        } = self.convolution;
        let Form { offsets, taps, .. } = self.form;
        let (stride, width) = (self.stride, V * W::LANES);
        let mut sums = [[W::splat(0.0); V]; B];
        let (begin, end) = (offsets[self.span], offsets[self.span + 1]);
        for &[place, kernel] in &taps[begin as usize..end as usize] {
            let channel = self.group * from.channels;
            let cell = channel * from.layout.channel + place as usize * from.layout.position;
            let start = kernel as usize * from.channels * B;
            let (weights, _) = self.weights[start..start + from.channels * B].as_chunks::<B>();
            let x = &x[cell * stride + lane..];
            sums = channels::<W, B, V>(sums, weights, x, from.layout.channel * stride);
        }
        let mut rows = [[0.0; MOST]; B];
        for b in 0..B {
            for v in 0..V {
                W::store(sums[b][v], &mut rows[b][v * W::LANES..]);
            }
        }
        for (b, sums) in rows.iter().enumerate() {
            let (place, channel) = (
                (self.first + b) / to.channels,
                (self.first + b) % to.channels + self.group * to.channels,
            );
            let position = self.span * self.form.span + place;
            if position >= to.positions {
                break;
            }
            let cell = channel * to.layout.channel + position * to.layout.position;
            let y = &mut y[cell * stride + lane..][..width];
            if self.adds {
                for (y, sum) in y.iter_mut().zip(sums) {
                    *y += sum;
                }
            } else {
                let bias = biases.get(channel).copied().unwrap_or(0.0);
                for (y, sum) in y.iter_mut().zip(sums) {
                    *y = sum + bias;
                }
            }
        }
    }
}

/// Adds the products of all input channels of one link. Sums come and go by value, so that they stay in registers.
#[inline(always)]
fn channels<W: Wide, const B: usize, const V: usize>(
    mut sums: [[W::V; V]; B],
    weights: &[[f32; B]],
    x: &[f32],
    step: usize,
) -> [[W::V; V]; B] {
    for (weights, x) in weights.iter().zip(x.chunks(step)) {
        let x = &x[..V * W::LANES];
        let mut vectors = [W::splat(0.0); V];
        for v in 0..V {
            vectors[v] = W::load(&x[v * W::LANES..]);
        }
        for b in 0..B {
            let weight = W::splat(weights[b]);
            for v in 0..V {
                sums[b][v] = W::mul_add(weight, vectors[v], sums[b][v]);
            }
        }
    }
    sums
}

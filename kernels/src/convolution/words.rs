//! A convolution as its shader reads it.

use super::{BLOCK, Convolution, Params, widths};

/// A convolution as its shader reads it.
#[derive(Debug, Clone)]
pub struct Words {
    /// Of output position p: those of `taps` from `offsets[p]` on.
    pub offsets: Vec<u32>,
    /// Input position, and position in the kernel.
    pub taps: Vec<[u32; 2]>,
    /// (group, block of output channels, kernel, input channel, output channel of the block); 0 behind the last.
    pub weights: Vec<f32>,
    /// (group, block, output channel of the block).
    pub biases: Vec<f32>,
}

impl Convolution {
    /// Links of an output position at the most.
    pub fn longest(&self) -> usize {
        let ends = self.plain.offsets.windows(2);
        ends.map(|ends| (ends[1] - ends[0]) as usize)
            .max()
            .unwrap_or(0)
    }

    /// What the shader reads.
    pub fn words(&self) -> Words {
        let (inputs, outputs) = (self.from.channels, self.to.channels);
        let blocks = outputs.div_ceil(BLOCK);
        let mut weights = vec![0.0; self.groups * blocks * self.plain.kernels * inputs * BLOCK];
        let mut biases = vec![0.0; self.groups * blocks * BLOCK];
        let mut own = self.plain.weights.iter();
        for group in 0..self.groups {
            let mut first = 0;
            for width in widths(outputs) {
                let block = group * blocks + first / BLOCK;
                for row in 0..self.plain.kernels * inputs {
                    let to = (block * self.plain.kernels * inputs + row) * BLOCK + first % BLOCK;
                    for (to, weight) in weights[to..to + width].iter_mut().zip(&mut own) {
                        *to = *weight;
                    }
                }
                first += width;
            }
            for (channel, bias) in biases[group * blocks * BLOCK..][..outputs]
                .iter_mut()
                .enumerate()
            {
                let known = self.biases.get(group * outputs + channel);
                *bias = known.copied().unwrap_or(0.0);
            }
        }
        Words {
            offsets: self.plain.offsets.clone(),
            taps: self.plain.taps.clone(),
            weights,
            biases,
        }
    }

    /// Parameters of the shader, for `stride` lanes and all input channels.
    pub fn params(&self, stride: usize, adds: bool) -> Params {
        Params {
            quads: (stride / 4) as u32,
            chunk: 0,
            groups: self.groups as u32,
            blocks: self.to.channels.div_ceil(BLOCK) as u32,
            outputs: self.to.channels as u32,
            inputs: self.from.channels as u32,
            kernels: self.plain.kernels as u32,
            positions: self.to.positions as u32,
            from_channel: self.from.layout.channel as u32,
            from_position: self.from.layout.position as u32,
            to_channel: self.to.layout.channel as u32,
            to_position: self.to.layout.position as u32,
            begin: 0,
            end: self.from.channels as u32,
            adds: u32::from(adds),
        }
    }
}

//! Small networks, step by step.

use whylight::model::Feature;
use whylight::model::network::{
    Activation, Channels, Convolution, Dense, Embedding, Gather, Input, MatMul, Network, Operation,
    Step, Sum, Tensor, Windows,
};

use super::random::Random;

/// A network that grows.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) random: Random,
    inputs: Vec<Input>,
    tensors: Vec<Tensor>,
    steps: Vec<Step>,
    /// Weights are between minus this and this.
    pub(crate) spread: f64,
}

impl Draft {
    /// Of inputs of these shapes; whole numbers below `whole` where that is not 0.
    pub(crate) fn new(seed: u64, shapes: &[(&[usize], bool)]) -> Self {
        let inputs: Vec<Input> = (shapes.iter().enumerate())
            .map(|(number, (shape, is_whole))| Input {
                name: format!("input{number}"),
                shape: shape.to_vec(),
                is_whole: *is_whole,
            })
            .collect();
        let tensor = |input: &Input| Tensor {
            name: input.name.clone(),
            shape: input.shape.clone(),
        };
        Self {
            random: Random(seed),
            tensors: inputs.iter().map(tensor).collect(),
            inputs,
            steps: Vec::new(),
            spread: 1.0,
        }
    }

    pub(crate) fn shape(&self, tensor: usize) -> Vec<usize> {
        self.tensors[tensor].shape.clone()
    }

    pub(crate) fn cells(&self, tensor: usize) -> usize {
        self.tensors[tensor].cells()
    }

    pub(crate) fn number(&mut self) -> f32 {
        ((self.random.unit() * 2.0 - 1.0) * self.spread) as f32
    }

    pub(crate) fn numbers(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.number()).collect()
    }

    /// Adds a step; the tensor that it writes.
    pub(crate) fn step(
        &mut self,
        operation: Operation,
        inputs: &[usize],
        shape: &[usize],
    ) -> usize {
        let output = self.tensors.len();
        self.tensors.push(Tensor {
            name: format!("t{output}"),
            shape: shape.to_vec(),
        });
        self.steps.push(Step {
            node: format!("node{output} ({})", operation.name()),
            operation,
            inputs: inputs.to_vec(),
            output,
        });
        output
    }

    pub(crate) fn dense(&mut self, x: usize, outputs: usize) -> usize {
        let mut shape = self.shape(x);
        let inputs = shape.pop().unwrap();
        shape.push(outputs);
        let scale = (inputs as f32).sqrt().recip();
        let weights = self.numbers(inputs * outputs);
        let dense = Dense {
            weights: weights.iter().map(|weight| 2.0 * scale * weight).collect(),
            biases: self.numbers(outputs),
            inputs,
        };
        self.step(Operation::Dense(dense), &[x], &shape)
    }

    pub(crate) fn activation(&mut self, x: usize, activation: Activation) -> usize {
        let shape = self.shape(x);
        self.step(Operation::Activation(activation), &[x], &shape)
    }

    pub(crate) fn scale(&mut self, x: usize, inner: usize, channels: usize) -> usize {
        let shape = self.shape(x);
        let (scale, shift) = (self.numbers(channels), self.numbers(channels));
        let channels = |values| Channels { values, inner };
        self.step(
            Operation::Scale(channels(scale), channels(shift)),
            &[x],
            &shape,
        )
    }

    /// Of `groups` groups, of which each reads `from` channels and writes `to`, over up to three axes.
    pub(crate) fn convolution(
        &mut self,
        x: usize,
        groups: usize,
        channels: [usize; 2],
        sizes: [[usize; 3]; 6],
        is_transposed: bool,
    ) -> usize {
        let [input, output, kernel, strides, dilations, before] = sizes;
        let weights = groups * channels[0] * channels[1] * kernel.iter().product::<usize>();
        let convolution = Convolution {
            groups,
            channels,
            input,
            output,
            kernel,
            strides,
            dilations,
            before,
            weights: self.numbers(weights),
            biases: self.numbers(groups * channels[1]),
            is_transposed,
        };
        let shape = [1, groups * channels[1], output[0], output[1], output[2]];
        self.step(Operation::Convolution(convolution), &[x], &shape)
    }

    /// Cells of some tensors in any order, some of them twice, and some constants.
    pub(crate) fn gather(&mut self, inputs: &[usize], cells: usize) -> usize {
        let all: usize = inputs.iter().map(|&t| self.cells(t)).sum();
        let sources = (0..cells)
            .map(|_| {
                if self.random.chance(0.1) {
                    Gather::NONE
                } else {
                    self.random.below(all) as u32
                }
            })
            .collect();
        let gather = Gather {
            sources,
            fill: 0.25,
        };
        self.step(Operation::Gather(gather), inputs, &[1, cells])
    }

    pub(crate) fn sum(&mut self, x: usize, cells: usize) -> usize {
        let (mut offsets, mut sources) = (vec![0], Vec::new());
        for _ in 0..cells {
            let terms = self.random.below(4);
            sources.extend((0..terms).map(|_| self.random.below(self.tensors[x].cells()) as u32));
            offsets.push(sources.len() as u32);
        }
        let weights = self.numbers(sources.len());
        let sum = Sum {
            offsets,
            sources,
            weights,
        };
        self.step(Operation::Sum(sum), &[x], &[1, cells])
    }

    pub(crate) fn largest(&mut self, x: usize, cells: usize, most: usize) -> usize {
        let (mut offsets, mut sources) = (vec![0], Vec::new());
        for _ in 0..cells {
            let count = 1 + self.random.below(most);
            sources.extend((0..count).map(|_| self.random.below(self.tensors[x].cells()) as u32));
            offsets.push(sources.len() as u32);
        }
        self.step(
            Operation::Max(Windows { offsets, sources }),
            &[x],
            &[1, cells],
        )
    }

    pub(crate) fn add(&mut self, inputs: &[usize]) -> usize {
        let shape = self.shape(inputs[0]);
        let factors = self.numbers(inputs.len());
        self.step(Operation::Add(factors), inputs, &shape)
    }

    pub(crate) fn product(&mut self, a: usize, b: usize) -> usize {
        let shape = self.shape(a);
        self.step(Operation::Product, &[a, b], &shape)
    }

    pub(crate) fn matmul(&mut self, a: usize, b: usize, matmul: MatMul) -> usize {
        let shape = [1, matmul.batch, matmul.rows, matmul.columns];
        self.step(Operation::MatMul(matmul), &[a, b], &shape)
    }

    pub(crate) fn softmax(&mut self, x: usize, length: usize, is_log: bool) -> usize {
        let shape = self.shape(x);
        let operation = if is_log {
            Operation::LogSoftmax(length)
        } else {
            Operation::Softmax(length)
        };
        self.step(operation, &[x], &shape)
    }

    pub(crate) fn embedding(&mut self, x: usize, entries: usize, width: usize) -> usize {
        let mut shape = self.shape(x);
        shape.push(width);
        let table = self.numbers(entries * width);
        self.step(
            Operation::Embedding(Embedding { table, width }),
            &[x],
            &shape,
        )
    }

    /// The network that answers with the last tensor.
    pub(crate) fn network(self) -> Network {
        let output = self.tensors.len() - 1;
        let layers = self.tensors.iter().enumerate();
        Network {
            outputs: (0..self.tensors[output].cells())
                .map(|k| k.to_string())
                .collect(),
            features: vec![Feature::default(); self.inputs.iter().map(Input::cells).sum()],
            layers: layers.map(|(t, tensor)| (tensor.name.clone(), t)).collect(),
            inputs: self.inputs,
            tensors: self.tensors,
            steps: self.steps,
            output,
        }
    }
}

/// Every kind of step, in one network of 24 numbers.
pub(crate) fn everything(seed: u64) -> Network {
    let mut draft = Draft::new(seed, &[(&[1, 4, 6], false)]);
    let scaled = draft.scale(0, 6, 4);
    let hidden = draft.dense(scaled, 8);
    let hidden = draft.activation(hidden, Activation::Relu);
    let sizes = [
        [1, 4, 8],
        [1, 4, 4],
        [1, 3, 3],
        [1, 1, 2],
        [1, 1, 1],
        [0, 1, 1],
    ];
    let image = draft.gather(&[hidden, 0], 32);
    let image = draft.convolution(image, 1, [1, 3], sizes, false);
    let image = draft.activation(image, Activation::Gelu);
    let back = [
        [1, 4, 4],
        [1, 8, 8],
        [1, 2, 2],
        [1, 2, 2],
        [1, 1, 1],
        [0, 0, 0],
    ];
    let wide = draft.convolution(image, 3, [1, 2], back, true);
    let pooled = draft.largest(wide, 36, 5);
    let sums = draft.sum(wide, 36);
    let slopes = draft.numbers(6);
    let leaky = Activation::LeakyRelu(Channels {
        values: slopes,
        inner: 6,
    });
    let pooled = draft.activation(pooled, leaky);
    let sums = draft.activation(sums, Activation::Tanh);
    let matmul = |rows, inner, columns| MatMul {
        batch: 2,
        rows,
        inner,
        columns,
    };
    let scores = draft.matmul(pooled, sums, matmul(6, 3, 6));
    let attention = draft.softmax(scores, 6, false);
    let mixed = draft.matmul(attention, pooled, matmul(6, 6, 3));
    let squared = draft.product(mixed, mixed);
    let added = draft.gather(&[squared, sums], 36);
    let added = draft.add(&[added, pooled]);
    let added = draft.activation(added, Activation::Swish(1.0));
    let last = draft.gather(&[added], 36);
    let last = draft.dense(last, 5);
    draft.softmax(last, 5, true);
    draft.network()
}

//! What a network answers, step by step in float64: the definition that faster code is held to.

use super::{Convolution, Dense, Embedding, MatMul, Network, Operation, Step};

impl Network {
    /// The answers to an example, its inputs' cells one after the other.
    pub fn raw(&self, cells: &[f64]) -> Vec<f64> {
        self.values(cells).swap_remove(self.output)
    }

    /// The cells of all tensors of an example.
    pub fn values(&self, cells: &[f64]) -> Vec<Vec<f64>> {
        let mut values: Vec<Vec<f64>> = Vec::with_capacity(self.tensors.len());
        let mut rest = cells;
        for input in &self.inputs {
            let (own, others) = rest.split_at(input.cells());
            values.push(own.to_vec());
            rest = others;
        }
        values.resize(self.tensors.len(), Vec::new());
        for step in &self.steps {
            let inputs: Vec<&[f64]> = step.inputs.iter().map(|&t| &*values[t]).collect();
            values[step.output] = step.operation.of(&inputs);
        }
        values
    }
}

impl Network {
    /// About how many products of two numbers an example takes.
    pub(in crate::model) fn products(&self) -> usize {
        let cells = |t: usize| self.tensors[t].cells();
        let of = |step: &Step| match &step.operation {
            Operation::Dense(dense) => cells(step.output).saturating_mul(dense.inputs),
            Operation::Convolution(convolution) => {
                let kernel: usize = convolution.kernel.iter().product();
                let positions = convolution.output.iter().product::<usize>();
                (convolution.weights.len() / kernel)
                    .saturating_mul(positions)
                    .saturating_mul(kernel)
            }
            Operation::MatMul(matmul) => cells(step.output).saturating_mul(matmul.inner),
            _ => cells(step.output),
        };
        self.steps.iter().map(of).fold(0, usize::saturating_add)
    }
}

impl Operation {
    /// Its result for these inputs.
    fn of(&self, inputs: &[&[f64]]) -> Vec<f64> {
        let x = inputs[0];
        match self {
            Operation::Scale(scale, shift) => (x.iter().enumerate())
                .map(|(i, x)| f64::from(scale.at(i)) * x + f64::from(shift.at(i)))
                .collect(),
            Operation::Dense(dense) => dense.of(x),
            Operation::Convolution(convolution) => convolution.of(x),
            Operation::Gather(gather) => {
                let cells = inputs.concat();
                let cell = |&source: &u32| cells.get(source as usize).copied();
                let taken = gather.sources.iter().map(cell);
                taken
                    .map(|cell| cell.unwrap_or(gather.fill.into()))
                    .collect()
            }
            Operation::Sum(sum) => (sum.offsets.windows(2))
                .map(|ends| {
                    let terms = ends[0] as usize..ends[1] as usize;
                    let term = |k: usize| f64::from(sum.weights[k]) * x[sum.sources[k] as usize];
                    terms.map(term).sum()
                })
                .collect(),
            Operation::Activation(activation) => (x.iter().enumerate())
                .map(|(i, &x)| activation.of(x, i))
                .collect(),
            Operation::Add(factors) => (0..x.len())
                .map(|i| {
                    let terms = factors.iter().zip(inputs);
                    terms.map(|(&factor, x)| f64::from(factor) * x[i]).sum()
                })
                .collect(),
            Operation::Product => x.iter().zip(inputs[1]).map(|(a, b)| a * b).collect(),
            Operation::MatMul(matmul) => matmul.of(x, inputs[1]),
            Operation::Max(windows) => (windows.offsets.windows(2))
                .map(|ends| {
                    let sources = &windows.sources[ends[0] as usize..ends[1] as usize];
                    let cells = sources.iter().map(|&source| x[source as usize]);
                    cells.fold(f64::NEG_INFINITY, f64::max)
                })
                .collect(),
            Operation::Softmax(length) => {
                let rows = x.chunks(*length).flat_map(log_softmax);
                rows.map(f64::exp).collect()
            }
            Operation::LogSoftmax(length) => x.chunks(*length).flat_map(log_softmax).collect(),
            Operation::Embedding(embedding) => (x.iter())
                .flat_map(|&entry| embedding.row(entry as usize))
                .map(|&number| number.into())
                .collect(),
        }
    }
}

impl Dense {
    fn of(&self, x: &[f64]) -> Vec<f64> {
        let outputs = self.outputs();
        let rows = x.chunks(self.inputs);
        rows.flat_map(|row| {
            (0..outputs).map(move |k| {
                let terms = row.iter().enumerate();
                let sum: f64 = terms
                    .map(|(j, x)| f64::from(self.weights[j * outputs + k]) * x)
                    .sum();
                sum + f64::from(self.biases[k])
            })
        })
        .collect()
    }
}

impl Convolution {
    fn of(&self, x: &[f64]) -> Vec<f64> {
        let count = |sizes: [usize; 3]| sizes.iter().product::<usize>();
        let [from, to] = [count(self.input), count(self.output)];
        let kernels = count(self.kernel);
        let [inputs, outputs] = self.channels;
        let mut y: Vec<f64> = (0..self.groups * outputs * to)
            .map(|cell| self.biases[cell / to].into())
            .collect();
        self.taps(|output, input, k| {
            for channel in 0..self.groups * outputs {
                let group = channel / outputs;
                for j in 0..inputs {
                    let weight = self.weights[(channel * inputs + j) * kernels + k];
                    y[channel * to + output] +=
                        f64::from(weight) * x[(group * inputs + j) * from + input];
                }
            }
        });
        y
    }
}

impl Embedding {
    /// The vector of an entry, or of the last one where there are fewer.
    fn row(&self, entry: usize) -> &[f32] {
        let start = entry.min(self.entries() - 1) * self.width;
        &self.table[start..start + self.width]
    }
}

impl MatMul {
    fn of(&self, a: &[f64], b: &[f64]) -> Vec<f64> {
        let Self {
            batch,
            rows,
            inner,
            columns,
        } = *self;
        let cell = |at: usize| {
            let (row, column) = (at / columns, at % columns);
            let batch = row / rows;
            let terms = 0..inner;
            terms
                .map(|k| a[row * inner + k] * b[(batch * inner + k) * columns + column])
                .sum()
        };
        (0..batch * rows * columns).map(cell).collect()
    }
}

fn log_softmax(x: &[f64]) -> Vec<f64> {
    let most = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = x.iter().map(|x| (x - most).exp()).sum();
    x.iter().map(|x| x - most - sum.ln()).collect()
}

//! A network made ready for the kernels: forward, and backward.

use whylight_kernels::convolution::{Convolution, Ends, Layout};
use whylight_kernels::curve::Curve;
use whylight_kernels::gather::Lists;
use whylight_kernels::products::Shape;
use whylight_kernels::rescale::Curves;
use whylight_kernels::scale::Channels;
use whylight_kernels::tile;

use crate::model::Network;
use crate::model::network::{self, Activation, Dense, Gather, Operation};

/// A network whose steps are kernels.
#[derive(Debug)]
pub(super) struct Graph {
    /// Cells of each tensor.
    pub(super) cells: Vec<usize>,
    /// Tensors that are inputs: the first ones.
    pub(super) inputs: usize,
    pub(super) steps: Vec<Step>,
    /// What values are of: the inputs, or a layer.
    pub(super) targets: Vec<usize>,
    pub(super) output: usize,
    /// Whether a tensor depends on a target.
    pub(super) depends: Vec<bool>,
    /// Whether the way back reads the tensor's numbers.
    pub(super) is_kept: Vec<bool>,
}

/// One kernel.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) kernel: Kernel,
    pub(super) inputs: Vec<usize>,
    pub(super) output: usize,
}

/// What a step runs.
#[derive(Debug)]
pub(super) enum Kernel {
    Scale(Channels, Channels),
    /// Forward, and the transposed one.
    Convolution(Box<[Convolution; 2]>),
    /// Of each input its part of the results, and back; and what is in the others.
    Gather(Vec<[Lists; 2]>, f32),
    Curves(Curves),
    Add(Vec<f32>),
    Product,
    MatMul(Shape),
    Max(Lists),
    Softmax {
        length: usize,
        is_log: bool,
    },
    Embedding {
        table: Vec<f32>,
        width: usize,
    },
}

impl Graph {
    /// Of a network, for values of its inputs, or of a layer.
    pub(super) fn new(network: &Network, layer: Option<usize>) -> Self {
        let inputs = || (0..network.inputs.len()).collect();
        Self::of_targets(network, layer.map_or_else(inputs, |layer| vec![layer]))
    }

    /// For values of some tensors.
    pub(super) fn of_targets(network: &Network, targets: Vec<usize>) -> Self {
        let cells: Vec<usize> = network.tensors.iter().map(network::Tensor::cells).collect();
        let steps: Vec<Step> = (network.steps.iter())
            .map(|step| Step {
                kernel: Kernel::new(&step.operation, &step.inputs, step.output, &cells),
                inputs: step.inputs.clone(),
                output: step.output,
            })
            .collect();
        let mut depends = vec![false; cells.len()];
        for &target in &targets {
            depends[target] = true;
        }
        let mut is_kept = depends.clone();
        is_kept[network.output] = true;
        for step in &steps {
            let is_on_the_way = step.inputs.iter().any(|&t| depends[t]);
            // A target is a beginning, whatever it depends on.
            depends[step.output] |= is_on_the_way;
            for &input in &step.inputs {
                is_kept[input] |= is_on_the_way && step.kernel.reads_inputs();
            }
            is_kept[step.output] |= is_on_the_way && step.kernel.reads_result();
        }
        Self {
            cells,
            inputs: network.inputs.len(),
            steps,
            targets,
            output: network.output,
            depends,
            is_kept,
        }
    }

    /// The inputs' numbers, (cell, example) each, of rows of their cells.
    pub(super) fn inputs(&self, rows: &[&[f64]]) -> Vec<Vec<f32>> {
        let stride = tile::stride(rows.len());
        let mut first = 0;
        (self.cells[..self.inputs].iter())
            .map(|&cells| {
                let mut numbers = vec![0.0; cells * stride];
                for (lane, row) in rows.iter().enumerate() {
                    for (cell, &number) in row[first..first + cells].iter().enumerate() {
                        numbers[cell * stride + lane] = number as f32;
                    }
                }
                first += cells;
                numbers
            })
            .collect()
    }

    /// Cells of the targets.
    pub(super) fn target_cells(&self) -> usize {
        self.targets.iter().map(|&target| self.cells[target]).sum()
    }

    /// Cells that the way back reads, of one example.
    pub(super) fn kept_cells(&self) -> usize {
        let cells = self.cells.iter().zip(&self.is_kept);
        cells
            .filter(|(_, is_kept)| **is_kept)
            .map(|(cells, _)| cells)
            .sum()
    }

    /// Cells of the largest tensor on the way.
    pub(super) fn largest(&self) -> usize {
        let cells = self.cells.iter().zip(&self.depends);
        let on_the_way = cells.filter(|(_, depends)| **depends);
        on_the_way.map(|(cells, _)| *cells).max().unwrap_or(1)
    }

    /// Cells of the longest softmax, if there is one.
    #[cfg(feature = "gpu")]
    pub(super) fn longest_softmax(&self) -> Option<usize> {
        let of_step = |step: &Step| match &step.kernel {
            Kernel::Softmax { length, .. } => Some(*length),
            _ => None,
        };
        self.steps.iter().filter_map(of_step).max()
    }

    /// Multiplications and additions of one lane, forward or back, roughly.
    pub(super) fn operations(&self) -> f64 {
        let of_step = |step: &Step| match &step.kernel {
            Kernel::Convolution(both) => both[0].operations() as f64,
            Kernel::MatMul(shape) => {
                (shape.batch * shape.rows * shape.inner * shape.columns) as f64
            }
            Kernel::Softmax { .. } => 100.0 * self.cells[step.output] as f64,
            _ => 4.0 * self.cells[step.output] as f64,
        };
        self.steps.iter().map(of_step).sum()
    }
}

impl Kernel {
    fn new(operation: &Operation, inputs: &[usize], output: usize, cells: &[usize]) -> Self {
        match operation {
            Operation::Scale(factors, shifts) => Kernel::Scale(channels(factors), channels(shifts)),
            Operation::Dense(dense) => {
                Kernel::Convolution(Box::new(of_dense(dense, cells[inputs[0]])))
            }
            Operation::Convolution(convolution) => {
                Kernel::Convolution(Box::new(of_convolution(convolution)))
            }
            Operation::Gather(gather) => {
                Kernel::Gather(of_gather(gather, inputs, cells), gather.fill)
            }
            Operation::Sum(sum) => {
                let entries: Vec<(u32, u32, f32)> = (0..cells[output])
                    .flat_map(|cell| {
                        let terms = sum.offsets[cell] as usize..sum.offsets[cell + 1] as usize;
                        terms.map(move |k| (cell as u32, sum.sources[k], sum.weights[k]))
                    })
                    .collect();
                Kernel::Gather(
                    vec![both_ways(cells[output], cells[inputs[0]], &entries)],
                    0.0,
                )
            }
            Operation::Activation(activation) => Kernel::Curves(curves(activation, cells[output])),
            Operation::Add(factors) => Kernel::Add(factors.clone()),
            Operation::Product => Kernel::Product,
            Operation::MatMul(shape) => Kernel::MatMul(Shape::new(
                shape.batch,
                shape.rows,
                shape.inner,
                shape.columns,
            )),
            Operation::Max(windows) => Kernel::Max(Lists {
                targets: (0..cells[output] as u32).collect(),
                offsets: windows.offsets.clone(),
                sources: windows.sources.clone(),
                weights: Vec::new(),
            }),
            Operation::Softmax(length) => Kernel::Softmax {
                length: *length,
                is_log: false,
            },
            Operation::LogSoftmax(length) => Kernel::Softmax {
                length: *length,
                is_log: true,
            },
            Operation::Embedding(embedding) => Kernel::Embedding {
                table: embedding.table.clone(),
                width: embedding.width,
            },
        }
    }

    /// Whether the way back reads what the step reads.
    fn reads_inputs(&self) -> bool {
        !matches!(
            self,
            Kernel::Scale(..) | Kernel::Convolution(_) | Kernel::Gather(..) | Kernel::Add(_)
        )
    }

    /// Whether the way back reads what the step writes.
    fn reads_result(&self) -> bool {
        matches!(
            self,
            Kernel::Curves(_) | Kernel::Softmax { .. } | Kernel::Embedding { .. }
        )
    }
}

fn channels(channels: &network::Channels) -> Channels {
    Channels {
        values: channels.values.clone(),
        inner: channels.inner,
    }
}

/// The lists of a sum, and those of its multipliers.
fn both_ways(targets: usize, sources: usize, entries: &[(u32, u32, f32)]) -> [Lists; 2] {
    let back: Vec<(u32, u32, f32)> = entries.iter().map(|&(t, s, w)| (s, t, w)).collect();
    [Lists::new(targets, entries), Lists::new(sources, &back)]
}

fn of_gather(gather: &Gather, inputs: &[usize], cells: &[usize]) -> Vec<[Lists; 2]> {
    let mut first = 0_u32;
    let mut parts = Vec::with_capacity(inputs.len());
    for &input in inputs {
        let own = first..first + cells[input] as u32;
        let places = gather.sources.iter().enumerate();
        let entries: Vec<(u32, u32, f32)> = places
            .filter(|(_, source)| own.contains(source))
            .map(|(target, source)| (target as u32, source - own.start, 1.0))
            .collect();
        let [mut forward, back] = both_ways(gather.sources.len(), cells[input], &entries);
        if entries.len() < gather.sources.len() {
            // The other cells are another input's.
            forward.targets = entries.iter().map(|entry| entry.0).collect();
            forward.offsets = (0..=entries.len() as u32).collect();
        }
        parts.push([forward, back]);
        first = own.end;
    }
    parts
}

fn of_dense(dense: &Dense, cells: usize) -> [Convolution; 2] {
    let rows = cells / dense.inputs;
    let outputs = dense.outputs();
    let ends = |channels: usize| Ends {
        channels,
        positions: rows,
        layout: Layout {
            channel: 1,
            position: channels,
        },
    };
    let (from, to) = (ends(dense.inputs), ends(outputs));
    let links: Vec<[u32; 3]> = (0..rows as u32).map(|row| [row, row, 0]).collect();
    let weight = |input: usize, output: usize| dense.weights[input * outputs + output];
    [
        Convolution::new(
            1,
            [from, to],
            1,
            &links,
            |_, output, input, _| weight(input, output),
            dense.biases.clone(),
        ),
        Convolution::new(
            1,
            [to, from],
            1,
            &links,
            |_, input, output, _| weight(input, output),
            Vec::new(),
        ),
    ]
}

fn of_convolution(convolution: &network::Convolution) -> [Convolution; 2] {
    let count = |sizes: [usize; 3]| sizes.iter().product::<usize>();
    let kernels = count(convolution.kernel);
    let [inputs, outputs] = convolution.channels;
    let ends = |channels: usize, positions: usize| Ends {
        channels,
        positions,
        layout: Layout {
            channel: positions,
            position: 1,
        },
    };
    let from = ends(inputs, count(convolution.input));
    let to = ends(outputs, count(convolution.output));
    let mut links = Vec::new();
    convolution.taps(|output, input, k| links.push([output as u32, input as u32, k as u32]));
    let mut back: Vec<[u32; 3]> = links.iter().map(|&[o, i, k]| [i, o, k]).collect();
    back.sort_unstable();
    let weight = |group: usize, output: usize, input: usize, k: usize| {
        let channel = group * outputs + output;
        convolution.weights[(channel * inputs + input) * kernels + k]
    };
    let groups = convolution.groups;
    [
        Convolution::new(
            groups,
            [from, to],
            kernels,
            &links,
            weight,
            convolution.biases.clone(),
        ),
        Convolution::new(
            groups,
            [to, from],
            kernels,
            &back,
            |group, input, output, k| weight(group, output, input, k),
            Vec::new(),
        ),
    ]
}

/// The function of each cell.
fn curves(activation: &Activation, cells: usize) -> Curves {
    let one = match *activation {
        Activation::LeakyRelu(ref slopes) => {
            if let [slope] = slopes.values[..] {
                Curve::Leaky(slope)
            } else {
                let each = (0..cells).map(|cell| Curve::Leaky(slopes.at(cell)));
                return Curves::Each(each.collect());
            }
        }
        Activation::Relu => Curve::Relu,
        Activation::Elu(alpha) => Curve::Selu(alpha, 1.0),
        Activation::Selu(alpha, gamma) => Curve::Selu(alpha, gamma),
        Activation::Celu(alpha) => Curve::Celu(alpha),
        Activation::Gelu => Curve::Gelu,
        Activation::GeluTanh => Curve::GeluTanh,
        Activation::Swish(beta) => Curve::Swish(beta),
        Activation::HardSwish => Curve::HardSwish,
        Activation::HardSigmoid(alpha, beta) => Curve::HardSigmoid(alpha, beta),
        Activation::Mish => Curve::Mish,
        Activation::Softplus => Curve::Softplus,
        Activation::Softsign => Curve::Softsign,
        Activation::Sigmoid => Curve::Sigmoid,
        Activation::Tanh => Curve::Tanh,
        Activation::Clip(low, high) => Curve::Clip(low, high),
        Activation::ThresholdedRelu(alpha) => Curve::ThresholdedRelu(alpha),
        Activation::Shrink(lambda, bias) => Curve::Shrink(lambda, bias),
        Activation::Exp => Curve::Exp,
        Activation::Log => Curve::Log,
        Activation::Sqrt => Curve::Sqrt,
        Activation::Reciprocal => Curve::Reciprocal,
        Activation::Power(power) => Curve::Power(power),
        Activation::Abs => Curve::Abs,
        Activation::Erf => Curve::Erf,
        Activation::Sin => Curve::Sin,
        Activation::Cos => Curve::Cos,
        Activation::Sign => Curve::Sign,
        Activation::Floor => Curve::Floor,
        Activation::Ceil => Curve::Ceil,
        Activation::Round => Curve::Round,
        Activation::Truncate => Curve::Truncate,
        Activation::Equal(to) => Curve::Equal(to),
        Activation::Greater(than) => Curve::Greater(than),
        Activation::Less(than) => Curve::Less(than),
    };
    Curves::One(one)
}

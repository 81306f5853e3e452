//! Networks of any shape: a list of steps over tensors, all of whose sizes are known.
//!
//! A network is run for one example at a time, and tensors have the shapes that they have then, wherever the
//! graph of the file keeps its batch: whoever computes many examples lays them side by side. Whatever
//! does not change with the example is a constant inside a step. What layouts, broadcasting, padding or pooling do
//! to cells is one of two steps: [`Operation::Gather`], which moves them, and [`Operation::Sum`], which adds them up.
//! Normalisations and recurrent cells are written out in steps, so that each rule of an explainer is a rule for one step.

mod activation;
mod check;
mod convolution;
mod definition;
mod perceptron;

pub use activation::Activation;
pub(in crate::model) use check::MAX_CELLS;
pub use convolution::Convolution;

pub use super::onnx::network::{Shapes, load, parse};
use super::trees::Feature;

/// A network, made of steps.
#[derive(Debug, Clone)]
pub struct Network {
    /// What an example consists of; their cells, one input after the other, are the features.
    pub inputs: Vec<Input>,
    /// What is computed of an example; those of the inputs come first, in their order.
    pub tensors: Vec<Tensor>,
    /// In an order in which each can be computed. Each needs an input of the network and is needed by the output.
    pub steps: Vec<Step>,
    /// The tensor of the answers.
    pub output: usize,
    /// The names of its cells.
    pub outputs: Vec<String>,
    /// One for each cell of the inputs.
    pub features: Vec<Feature>,
    /// The names that tensors have in the file; one may have several, as it is reshaped.
    pub layers: Vec<(String, usize)>,
}

/// An input of a network.
#[derive(Debug, Clone, PartialEq)]
pub struct Input {
    /// Its name in the file.
    pub name: String,
    /// Of one example, with the sizes of 1 that the file gives to the batch.
    pub shape: Vec<usize>,
    /// Whether its cells are whole numbers, such as tokens: they have no values in between.
    pub is_whole: bool,
}

/// A tensor of one example.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// Its name in the file, or one made of the name of the node that it is part of.
    pub name: String,
    /// Of one example.
    pub shape: Vec<usize>,
}

/// One operation.
#[derive(Debug, Clone)]
pub struct Step {
    /// The node of the file that it comes from, as messages call it.
    pub node: String,
    /// What it does.
    pub operation: Operation,
    /// The tensors that it reads.
    pub inputs: Vec<usize>,
    /// The tensor that it writes.
    pub output: usize,
}

/// What a step computes. Cells count in the order of a tensor's shape, the last axis fastest.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Operation {
    /// `scale · x + shift`.
    Scale(Channels, Channels),
    /// `x · weights + biases`.
    Dense(Dense),
    /// A convolution, or a transposed one.
    Convolution(Convolution),
    /// Cell by cell one of the inputs', or a constant.
    Gather(Gather),
    /// Cell by cell a weighted sum.
    Sum(Sum),
    /// A function, cell by cell.
    Activation(Activation),
    /// `Σ factor · x` of inputs of one size, a factor for each.
    Add(Vec<f32>),
    /// The product of two inputs of one size, cell by cell.
    Product,
    /// The matrix products of two inputs.
    MatMul(MatMul),
    /// Cell by cell the largest of some cells of the input.
    Max(Windows),
    /// `exp x / Σ exp x` along the last axis, of this size.
    Softmax(usize),
    /// The logarithm of [`Operation::Softmax`].
    LogSoftmax(usize),
    /// The rows of a table that whole numbers name.
    Embedding(Embedding),
}

/// Constants that repeat: the one of a cell is `values[cell / inner % values.len()]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Channels {
    /// At least one.
    pub values: Vec<f32>,
    /// Cells in a row that have the same, at least 1.
    pub inner: usize,
}

/// A layer of neurons, for each row of the last axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Dense {
    /// (inputs, outputs).
    pub weights: Vec<f32>,
    /// By output.
    pub biases: Vec<f32>,
    /// The size of the last axis of what it reads.
    pub inputs: usize,
}

/// Cells that move: the inputs' cells count on from one input to the next.
#[derive(Debug, Clone, PartialEq)]
pub struct Gather {
    /// By output cell: the cell that it takes, or [`Gather::NONE`].
    pub sources: Vec<u32>,
    /// What cells have that take none.
    pub fill: f32,
}

/// Weighted sums of cells: output cell `i` is `Σ weights[k] · x[sources[k]]` for k in `offsets[i]..offsets[i + 1]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Sum {
    /// One more than output cells, from 0, ascending.
    pub offsets: Vec<u32>,
    /// Cells of the input.
    pub sources: Vec<u32>,
    /// As many as sources.
    pub weights: Vec<f32>,
}

/// `batch` products of matrices (rows, inner) and (inner, columns).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MatMul {
    /// How many.
    pub batch: usize,
    /// Rows of the first and of the product.
    pub rows: usize,
    /// Columns of the first, rows of the second.
    pub inner: usize,
    /// Columns of the second and of the product.
    pub columns: usize,
}

/// Sets of cells, at least one each: those of output cell `i` are `sources[offsets[i]..offsets[i + 1]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Windows {
    /// One more than output cells, from 0, ascending.
    pub offsets: Vec<u32>,
    /// Cells of the input. Of equal cells the first is the largest.
    pub sources: Vec<u32>,
}

/// A table of vectors.
#[derive(Debug, Clone, PartialEq)]
pub struct Embedding {
    /// (entries, width).
    pub table: Vec<f32>,
    /// Numbers of an entry.
    pub width: usize,
}

impl Gather {
    /// No cell.
    pub const NONE: u32 = u32::MAX;
}

impl Channels {
    /// One constant for all cells.
    pub fn one(value: f32) -> Self {
        Self {
            values: vec![value],
            inner: 1,
        }
    }

    /// The constant of a cell.
    pub fn at(&self, cell: usize) -> f32 {
        self.values[cell / self.inner % self.values.len()]
    }
}

impl Input {
    /// Its cells.
    pub fn cells(&self) -> usize {
        self.shape.iter().product()
    }
}

impl Tensor {
    /// Its cells.
    pub fn cells(&self) -> usize {
        self.shape.iter().product()
    }
}

impl Dense {
    /// The size of the last axis of what it writes.
    pub fn outputs(&self) -> usize {
        self.biases.len()
    }
}

impl Embedding {
    /// How many there are.
    pub fn entries(&self) -> usize {
        self.table.len() / self.width
    }
}

impl Operation {
    /// Its name in lists and messages.
    pub fn name(&self) -> &'static str {
        match self {
            Operation::Scale(..) => "scale",
            Operation::Dense(_) => "dense",
            Operation::Convolution(_) => "convolution",
            Operation::Gather(_) => "gather",
            Operation::Sum(_) => "sum",
            Operation::Activation(activation) => activation.name(),
            Operation::Add(_) => "add",
            Operation::Product => "product",
            Operation::MatMul(_) => "matmul",
            Operation::Max(_) => "max",
            Operation::Softmax(_) => "softmax",
            Operation::LogSoftmax(_) => "log_softmax",
            Operation::Embedding(_) => "embedding",
        }
    }
}

impl Network {
    pub(super) const FORMAT: &'static str = "network";

    /// Cells of an example.
    pub fn cells(&self) -> usize {
        self.inputs.iter().map(Input::cells).sum()
    }

    /// Rows of the smallest table that the numbers of an input name rows of; `None` if they name none.
    pub fn entries(&self, input: usize) -> Option<usize> {
        let steps = self.steps.iter();
        let of_step = |step: &Step| match &step.operation {
            Operation::Embedding(embedding) if step.inputs[0] == input => Some(embedding.entries()),
            _ => None,
        };
        steps.filter_map(of_step).min()
    }

    /// The tensor of a name in the file.
    pub fn layer(&self, name: &str) -> Option<usize> {
        let mut layers = self.layers.iter();
        layers.find(|(known, _)| known == name).map(|(_, t)| *t)
    }
}

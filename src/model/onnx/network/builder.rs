//! A network in the making: each method adds the steps of one operation, or computes it where nothing changes.

use std::collections::HashMap;

use super::array::{Array, Kind};
use super::axes::{self, Line, Taps};
use super::{Made, fault};
use crate::model::network::{
    Activation, Channels, MAX_CELLS, Operation, Step, Sum, Tensor, Windows,
};
use crate::model::onnx::Fault;

/// Steps of a network.
const MAX_STEPS: usize = 200_000;

/// Entries of all index lists together.
const MAX_INDEXES: usize = 1 << 27;

/// Cells of all constants that are computed.
const MAX_FOLDED: usize = 1 << 26;

/// Cells that all nodes read together, constants too: what reading may take.
const MAX_READ: usize = 1 << 32;

/// Nodes that are run, those of functions each time that they are called.
const MAX_NODES: usize = 1 << 20;

/// What is computed of an example.
#[derive(Debug, Clone)]
pub(super) struct Active {
    pub(super) tensor: usize,
    /// As the graph sees it here: reshaping needs no step.
    pub(super) shape: Vec<usize>,
    pub(super) kind: Kind,
}

/// A value of the graph.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Constant(Array),
    Active(Active),
}

/// A tensor, what its numbers are, its shape and the one that it is repeated to.
type Repeat = (usize, Kind, Vec<usize>, Vec<usize>);

/// The steps so far. Nothing is allocated before it is counted here.
#[derive(Debug)]
pub(super) struct Builder {
    pub(super) tensors: Vec<Tensor>,
    pub(super) steps: Vec<Step>,
    /// How messages call the node that steps belong to now.
    pub(super) title: String,
    /// What its tensors are called.
    pub(super) name: String,
    /// The names that tensors have in the file.
    pub(super) layers: Vec<(String, usize)>,
    /// Tensors as they have been repeated.
    pub(super) repeats: HashMap<Repeat, Value>,
    /// How many inputs the network has.
    inputs: usize,
    cells: usize,
    indexes: usize,
    folded: usize,
    nodes: usize,
    read: usize,
}

impl Value {
    pub(super) fn shape(&self) -> &[usize] {
        match self {
            Value::Constant(array) => &array.shape,
            Value::Active(active) => &active.shape,
        }
    }

    pub(super) fn rank(&self) -> usize {
        self.shape().len()
    }

    pub(super) fn kind(&self) -> Kind {
        match self {
            Value::Constant(array) => array.kind,
            Value::Active(active) => active.kind,
        }
    }

    pub(super) fn cells(&self) -> usize {
        self.shape().iter().product()
    }

    /// The same cells in another shape of as many.
    pub(super) fn reshaped(&self, shape: Vec<usize>) -> Made<Value> {
        if axes::cells(&shape) != Some(self.cells()) {
            return fault(format!(
                "{:?} has {} cells, which the shape {shape:?} does not have",
                self.shape(),
                self.cells()
            ));
        }
        Ok(match self {
            Value::Constant(array) => Value::Constant(array.reshaped(shape)),
            Value::Active(active) => Value::Active(Active {
                shape,
                ..active.clone()
            }),
        })
    }
}

impl Active {
    pub(super) fn cells(&self) -> usize {
        self.shape.iter().product()
    }
}

fn spend(left: &mut usize, count: Option<usize>, what: &str) -> Made<()> {
    match count.and_then(|count| left.checked_sub(count)) {
        Some(rest) => {
            *left = rest;
            Ok(())
        }
        None => Err(Fault::Unsupported {
            what: format!("a network this large: with this node it has too many {what}"),
            instead: "explain smaller inputs, or a part of the network".to_owned(),
        }),
    }
}

impl Builder {
    pub(super) fn new(tensors: Vec<Tensor>) -> Made<Self> {
        let mut builder = Self {
            inputs: tensors.len(),
            tensors: Vec::new(),
            steps: Vec::new(),
            title: "its inputs".to_owned(),
            name: String::new(),
            layers: Vec::new(),
            repeats: HashMap::new(),
            // Some of them will not be needed.
            cells: 2 * MAX_CELLS,
            indexes: MAX_INDEXES,
            folded: MAX_FOLDED,
            nodes: MAX_NODES,
            read: MAX_READ,
        };
        for tensor in tensors {
            builder.room(&tensor.shape)?;
            builder.tensors.push(tensor);
        }
        Ok(builder)
    }

    /// One that is thrown away, with what is left of the counts.
    pub(super) fn scratch(&self, tensors: Vec<Tensor>) -> Made<Self> {
        let mut scratch = Self::new(tensors)?;
        (scratch.cells, scratch.indexes) = (self.cells, self.indexes);
        (scratch.folded, scratch.title) = (self.folded, self.title.clone());
        Ok(scratch)
    }

    /// Counts what was counted in another.
    pub(super) fn count_as(&mut self, scratch: &Self) {
        (self.cells, self.indexes) = (scratch.cells, scratch.indexes);
        self.folded = scratch.folded;
    }

    /// Counts a node that is run, and what it reads.
    pub(super) fn enter(&mut self, inputs: &[Option<Value>]) -> Made<()> {
        self.visit(1)?;
        let cells = inputs.iter().flatten().map(Value::cells).sum();
        spend(&mut self.read, Some(cells), "nodes that read large tensors")
    }

    /// Counts nodes that are looked at.
    pub(super) fn visit(&mut self, count: usize) -> Made<()> {
        spend(&mut self.nodes, Some(count), "nodes")
    }

    /// Whether this many steps can still be added.
    pub(super) fn has_room(&self, steps: usize) -> Made<()> {
        let mut left = MAX_STEPS - self.steps.len().min(MAX_STEPS);
        spend(&mut left, Some(steps), "steps")
    }

    /// Counts cells of constants.
    pub(super) fn fold(&mut self, shape: &[usize]) -> Made<usize> {
        let cells = axes::cells(shape);
        spend(&mut self.folded, cells, "cells of constants")?;
        cells.map_or_else(|| fault("its shape cannot be counted"), Ok)
    }

    /// Counts entries of index lists.
    pub(super) fn index(&mut self, count: Option<usize>) -> Made<()> {
        spend(&mut self.indexes, count, "entries in index lists")
    }

    /// Counts the cells of a tensor, which has at least one.
    fn room(&mut self, shape: &[usize]) -> Made<usize> {
        let cells = axes::cells(shape);
        spend(&mut self.cells, cells, "cells")?;
        match cells {
            Some(cells) if cells > 0 => Ok(cells),
            _ => fault(format!("it makes a tensor of shape {shape:?}")),
        }
    }

    /// Counts what an operation on a value writes, before its lists are made.
    pub(super) fn claim(&mut self, x: &Value, shape: &[usize]) -> Made<usize> {
        match x {
            Value::Constant(_) => self.fold(shape),
            Value::Active(_) => {
                let cells = axes::cells(shape);
                self.index(cells)?;
                cells.map_or_else(|| fault("its shape cannot be counted"), Ok)
            }
        }
    }

    /// Adds a step.
    pub(super) fn push(
        &mut self,
        operation: Operation,
        inputs: Vec<usize>,
        shape: Vec<usize>,
        kind: Kind,
    ) -> Made<Active> {
        self.room(&shape)?;
        self.has_room(1)?;
        let tensor = self.tensors.len();
        self.tensors.push(Tensor {
            name: format!("{}/{}", self.name, operation.name()),
            shape: shape.clone(),
        });
        self.steps.push(Step {
            node: self.title.clone(),
            operation,
            inputs,
            output: tensor,
        });
        Ok(Active {
            tensor,
            shape,
            kind,
        })
    }

    /// The step that writes a tensor, if one does.
    pub(super) fn writer(&self, tensor: usize) -> Option<&Step> {
        self.steps.get(tensor.checked_sub(self.inputs)?)
    }

    /// The product of lines of a value.
    pub(super) fn lined(&mut self, x: &Value, lines: &[Line], fill: f64) -> Made<Value> {
        let shape: Vec<usize> = lines.iter().map(Vec::len).collect();
        self.claim(x, &shape)?;
        self.moved(x, axes::grid(lines), shape, fill)
    }

    /// Weighted sums over the product of axes.
    pub(super) fn summed(&mut self, x: &Value, axes: &[Taps]) -> Made<Value> {
        let shape: Vec<usize> = axes.iter().map(Vec::len).collect();
        self.claim(x, &shape)?;
        self.index(axes::count(axes))?;
        match x {
            Value::Constant(array) => {
                let mut sums = Vec::new();
                axes::walk(axes, &mut |taps| {
                    let terms = taps
                        .iter()
                        .map(|&(at, weight)| weight * array.at(at as usize));
                    sums.push(terms.sum());
                });
                Ok(Value::Constant(Array::of(
                    array.kind,
                    shape,
                    sums.into_iter(),
                )))
            }
            Value::Active(active) => {
                let mut sum = Sum {
                    offsets: vec![0],
                    sources: Vec::new(),
                    weights: Vec::new(),
                };
                axes::walk(axes, &mut |taps| {
                    sum.sources.extend(taps.iter().map(|tap| tap.0));
                    sum.weights.extend(taps.iter().map(|tap| tap.1 as f32));
                    sum.offsets.push(sum.sources.len() as u32);
                });
                let inputs = vec![active.tensor];
                let made = self.push(Operation::Sum(sum), inputs, shape, active.kind)?;
                Ok(Value::Active(made))
            }
        }
    }

    /// The largest over the product of axes.
    pub(super) fn largest(&mut self, x: &Value, axes: &[Taps]) -> Made<Value> {
        let shape: Vec<usize> = axes.iter().map(Vec::len).collect();
        self.claim(x, &shape)?;
        self.index(axes::count(axes))?;
        if axes.iter().flatten().any(Vec::is_empty) {
            return fault("one of its windows holds no cell");
        }
        match x {
            Value::Constant(array) => {
                let mut found = Vec::new();
                axes::walk(axes, &mut |taps| {
                    let cells = taps.iter().map(|tap| array.at(tap.0 as usize));
                    found.push(cells.fold(f64::NEG_INFINITY, f64::max));
                });
                let found = found.into_iter();
                Ok(Value::Constant(Array::of(array.kind, shape, found)))
            }
            Value::Active(active) => {
                let mut windows = Windows {
                    offsets: vec![0],
                    sources: Vec::new(),
                };
                axes::walk(axes, &mut |taps| {
                    windows.sources.extend(taps.iter().map(|tap| tap.0));
                    windows.offsets.push(windows.sources.len() as u32);
                });
                let inputs = vec![active.tensor];
                let made = self.push(Operation::Max(windows), inputs, shape, active.kind)?;
                Ok(Value::Active(made))
            }
        }
    }

    /// A function of each cell.
    pub(super) fn activation(&mut self, x: &Value, activation: Activation) -> Made<Value> {
        match x {
            Value::Constant(array) => {
                self.fold(&array.shape)?;
                let cells = array.numbers().enumerate();
                let cells = cells.map(|(i, x)| activation.of(x, i));
                let shape = array.shape.clone();
                Ok(Value::Constant(Array::of(array.kind, shape, cells)))
            }
            Value::Active(active) => self.apply(active, Operation::Activation(activation)),
        }
    }

    /// A step from one tensor to another of its shape.
    pub(super) fn apply(&mut self, x: &Active, operation: Operation) -> Made<Value> {
        let (shape, kind) = (x.shape.clone(), x.kind);
        self.push(operation, vec![x.tensor], shape, kind)
            .map(Value::Active)
    }

    /// `scale · x + shift` with one number each.
    pub(super) fn affine(&mut self, x: &Active, scale: f64, shift: f64) -> Made<Value> {
        let of = |number: f64| Channels::one(number as f32);
        self.apply(x, Operation::Scale(of(scale), of(shift)))
    }
}

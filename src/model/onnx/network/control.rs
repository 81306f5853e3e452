//! Nodes with graphs inside: the branch of an `If` that is taken, and loops, written out turn by turn.
//!
//! How often a graph is run has to follow from constants: the network is the same for every example.

use std::collections::HashSet;

use super::array::Array;
use super::axes;
use super::builder::{Builder, Value};
use super::call::Call;
use super::inline::{Needed, Runner, Scope, read};
use super::needs::needed_nodes;
use super::{Made, fault, unsupported};
use crate::error::Result;
use crate::model::onnx::Fault;
use crate::model::onnx::message::{GraphMessage, NodeMessage};

/// Whether an operator has graphs inside.
pub(super) fn is_control(domain: &str, name: &str) -> bool {
    matches!(domain, "" | "ai.onnx") && matches!(name, "If" | "Loop" | "Scan")
}

/// The nodes that a loop runs.
pub(super) fn of_loop(node: &NodeMessage) -> Vec<&NodeMessage> {
    let graph = node.attribute("body").and_then(|a| a.graph.as_deref());
    graph.map_or_else(Vec::new, |graph| {
        let mut names: HashSet<&str> = graph.output.iter().map(|v| v.name.as_str()).collect();
        needed_nodes(&graph.node, &mut names)
    })
}

/// A graph inside a node, made ready to be run again and again.
struct Inner<'g, 's> {
    graph: &'g GraphMessage,
    needed: Needed<'g>,
    /// Its constants, and what is around it.
    scope: Scope<'s>,
    depth: usize,
}

impl Runner<'_> {
    /// The outputs of a node with graphs inside.
    pub(super) fn control(
        &self,
        builder: &mut Builder,
        call: &Call<'_>,
        scope: &Scope<'_>,
        depth: usize,
    ) -> Result<Vec<Option<Value>>> {
        let title = builder.title.clone();
        let at = |fault: Fault| self.file.fault(title.clone(), fault);
        let name = match call.node.op_type.as_str() {
            "If" => branch(call).map_err(at)?,
            _ => "body",
        };
        let graph = call.node.attribute(name);
        let graph = graph.and_then(|attribute| attribute.graph.as_deref());
        let graph = graph.map_or_else(|| fault(format!("it has no {name}")), Ok);
        let graph = graph.map_err(at)?;
        builder.visit(graph.node.len()).map_err(at)?;
        let names: Vec<&str> = graph.output.iter().map(|v| v.name.as_str()).collect();
        let needed = self.needed(graph, &names, true)?;
        let mut inner = Scope::inside(scope);
        self.constants(&needed, &mut inner)?;
        let inner = Inner {
            graph,
            needed,
            scope: inner,
            depth: depth + 1,
        };
        match call.node.op_type.as_str() {
            "If" => self.turn(builder, &inner, Vec::new()),
            "Loop" => self.repeated(builder, call, &inner),
            _ => self.scanned(builder, call, &inner),
        }
    }

    /// The outputs of a graph for some values of its inputs.
    fn turn(
        &self,
        builder: &mut Builder,
        inner: &Inner<'_, '_>,
        values: Vec<Option<Value>>,
    ) -> Result<Vec<Option<Value>>> {
        let title = builder.title.clone();
        let at = |fault: Fault| self.file.fault(title.clone(), fault);
        // A turn costs something even where its graph is empty.
        builder.visit(1 + inner.graph.output.len()).map_err(at)?;
        let mut scope = Scope::inside(&inner.scope);
        for (input, value) in inner.graph.input.iter().zip(values) {
            if let Some(value) = value {
                scope.set(input.name.clone(), value);
            }
        }
        self.nodes_of(builder, &inner.needed, &mut scope, inner.depth)?;
        let outputs = inner.graph.output.iter();
        outputs
            .map(|output| read(&scope, &output.name).map_err(at))
            .collect()
    }

    /// A `Loop`: as many turns as its number of trips and its condition allow.
    fn repeated(
        &self,
        builder: &mut Builder,
        call: &Call<'_>,
        inner: &Inner<'_, '_>,
    ) -> Result<Vec<Option<Value>>> {
        let title = builder.title.clone();
        let at = |fault: Fault| self.file.fault(title.clone(), fault);
        let trips = call.number(0).map_err(at)?;
        let mut goes_on = match call.optional(1) {
            Some(condition) => truth(condition).map_err(at)?,
            None => true,
        };
        let mut carried: Vec<Option<Value>> = call.inputs.iter().skip(2).cloned().collect();
        let count = carried.len();
        if inner.graph.output.len() <= count {
            return Err(at(short(inner.graph)));
        }
        let mut stacks = vec![Vec::new(); inner.graph.output.len() - count - 1];
        let mut turn = 0;
        while goes_on && trips.is_none_or(|trips| (turn as f64) < trips) {
            let mut values = vec![
                Some(Value::Constant(Array::ints(Vec::new(), vec![turn]))),
                Some(Value::Constant(Array::truths(
                    Vec::new(),
                    [true].into_iter(),
                ))),
            ];
            values.extend(carried);
            let mut made = self.turn(builder, inner, values)?.into_iter();
            goes_on = match made.next().flatten() {
                Some(condition) => truth(&condition).map_err(at)?,
                None => true,
            };
            carried = made.by_ref().take(count).collect();
            for (stack, value) in stacks.iter_mut().zip(made) {
                stack.extend(value);
            }
            turn += 1;
        }
        for stack in stacks {
            carried.push(Some(stacked(builder, &stack, 0).map_err(at)?));
        }
        Ok(carried)
    }

    /// A `Scan`: a turn for each position of the values that it reads one after the other.
    fn scanned(
        &self,
        builder: &mut Builder,
        call: &Call<'_>,
        inner: &Inner<'_, '_>,
    ) -> Result<Vec<Option<Value>>> {
        let title = builder.title.clone();
        let at = |fault: Fault| self.file.fault(title.clone(), fault);
        let read = Lines::of(call).map_err(at)?;
        let states = call.inputs.len() - read.lines.len();
        let mut carried: Vec<Option<Value>> = call.inputs[..states].to_vec();
        if inner.graph.output.len() < states {
            return Err(at(short(inner.graph)));
        }
        let mut stacks = vec![Vec::new(); inner.graph.output.len() - states];
        for turn in 0..read.turns {
            let mut values = carried;
            for line in &read.lines {
                values.push(Some(line.at(builder, turn, read.turns).map_err(at)?));
            }
            let mut made = self.turn(builder, inner, values)?.into_iter();
            carried = made.by_ref().take(states).collect();
            for (stack, value) in stacks.iter_mut().zip(made) {
                stack.extend(value);
            }
        }
        let list = |name: &str| call.node.attribute(name).map(|a| a.ints.clone());
        let axes = list("scan_output_axes").unwrap_or_default();
        let backwards = list("scan_output_directions").unwrap_or_default();
        for (place, mut stack) in stacks.into_iter().enumerate() {
            if backwards.get(place) == Some(&1) {
                stack.reverse();
            }
            let axis = axes.get(place).copied().unwrap_or(0);
            carried.push(Some(stacked(builder, &stack, axis).map_err(at)?));
        }
        Ok(carried)
    }
}

/// What a `Scan` reads position by position.
struct Lines<'v> {
    lines: Vec<Line<'v>>,
    turns: usize,
}

struct Line<'v> {
    value: &'v Value,
    axis: usize,
    is_backwards: bool,
}

impl<'v> Lines<'v> {
    fn of(call: &'v Call<'_>) -> Made<Self> {
        if call.opset < 9 {
            return unsupported("Scan before opset 9", "export the model with a later opset");
        }
        let count = usize::try_from(call.int("num_scan_inputs", 0)).unwrap_or(0);
        if count == 0 || count > call.inputs.len() {
            return fault(format!("it scans {count} of {} inputs", call.inputs.len()));
        }
        let first = call.inputs.len() - count;
        let list = |name: &str| call.node.attribute(name).map(|a| a.ints.clone());
        let axes = list("scan_input_axes").unwrap_or_default();
        let backwards = list("scan_input_directions").unwrap_or_default();
        let line = |place: usize| -> Made<Line<'v>> {
            let value = call.input(first + place)?;
            let axis = axes.get(place).copied().unwrap_or(0);
            Ok(Line {
                value,
                axis: axes::axis(axis, value.rank())?,
                is_backwards: backwards.get(place) == Some(&1),
            })
        };
        let lines = (0..count).map(line).collect::<Made<Vec<_>>>()?;
        let turns: Vec<usize> = (lines.iter())
            .map(|line| line.value.shape()[line.axis])
            .collect();
        if turns.iter().any(|&of_line| of_line != turns[0]) {
            return fault(format!("it scans lines of the lengths {turns:?}"));
        }
        let turns = turns[0];
        Ok(Self { lines, turns })
    }
}

impl Line<'_> {
    /// The value at the position of a turn, without the axis.
    fn at(&self, builder: &mut Builder, turn: usize, turns: usize) -> Made<Value> {
        let place = if self.is_backwards {
            turns - 1 - turn
        } else {
            turn
        };
        let cut = builder.cut(self.value, self.axis, place, place + 1)?;
        let mut shape = cut.shape().to_vec();
        shape.remove(self.axis);
        cut.reshaped(shape)
    }
}

fn short(graph: &GraphMessage) -> Fault {
    let count = graph.output.len();
    Fault::Bad(format!(
        "its graph has {count} outputs: fewer than it carries from turn to turn"
    ))
}

/// A truth that is known.
fn truth(value: &Value) -> Made<bool> {
    match value {
        Value::Constant(array) if array.len() == 1 => Ok(array.at(0) != 0.0),
        Value::Constant(_) => fault("its condition is not one truth"),
        Value::Active(_) => unsupported(
            "a condition that changes with the example",
            "export the model without control flow",
        ),
    }
}

/// The branch of an `If` that is taken.
fn branch(call: &Call<'_>) -> Made<&'static str> {
    let holds = truth(call.input(0)?)?;
    Ok(if holds { "then_branch" } else { "else_branch" })
}

/// What the turns made, along an axis of its own.
fn stacked(builder: &mut Builder, turns: &[Value], axis: i64) -> Made<Value> {
    let Some(first) = turns.first() else {
        return unsupported(
            "a loop that takes no turn",
            "export the model for longer sequences",
        );
    };
    let axis = axes::axis(axis, first.rank() + 1)?;
    let raised = turns.iter().map(|value| {
        let mut shape = value.shape().to_vec();
        shape.insert(axis.min(shape.len()), 1);
        value.reshaped(shape)
    });
    let raised = raised.collect::<Made<Vec<_>>>()?;
    builder.concat(&raised, axis)
}

//! Which nodes of a graph are needed, and what a function's take from its caller.

use std::collections::HashSet;

use crate::model::onnx::message::{AttributeMessage, FunctionMessage, NodeMessage};

/// The nodes that values need, in their order; the names of all values that these read are added.
pub(super) fn needed_nodes<'n>(
    nodes: &'n [NodeMessage],
    names: &mut HashSet<&'n str>,
) -> Vec<&'n NodeMessage> {
    let mut needed: Vec<&NodeMessage> = Vec::new();
    for node in nodes.iter().rev() {
        if node
            .output
            .iter()
            .any(|output| names.contains(output.as_str()))
        {
            reads(node, names);
            needed.push(node);
        }
    }
    needed.reverse();
    needed
}

/// Adds the names of what a node reads, and what its subgraphs read.
fn reads<'n>(node: &'n NodeMessage, names: &mut HashSet<&'n str>) {
    names.extend(node.input.iter().map(String::as_str));
    for graph in node.attribute.iter().filter_map(|a| a.graph.as_deref()) {
        names.extend(graph.output.iter().map(|value| value.name.as_str()));
        graph.node.iter().for_each(|node| reads(node, names));
    }
}

/// Whether a node of a function, or one inside it, has an attribute of its caller.
pub(super) fn asks(node: &NodeMessage) -> bool {
    node.attribute.iter().any(|attribute| {
        let graph = attribute.graph.as_deref();
        !attribute.caller.is_empty() || graph.is_some_and(|graph| graph.node.iter().any(asks))
    })
}

/// Puts the caller's attributes in.
pub(super) fn resolve(node: &mut NodeMessage, caller: &NodeMessage, function: &FunctionMessage) {
    for attribute in &mut node.attribute {
        if let Some(graph) = &mut attribute.graph {
            let nodes = graph.node.iter_mut();
            nodes.for_each(|node| resolve(node, caller, function));
        }
    }
    let attributes = std::mem::take(&mut node.attribute).into_iter();
    let found = |attribute: AttributeMessage| {
        if attribute.caller.is_empty() {
            return Some(attribute);
        }
        let mut defaults = function.default.iter();
        let given = caller.attribute(&attribute.caller);
        let given = given.or_else(|| defaults.find(|a| a.name == attribute.caller))?;
        Some(AttributeMessage {
            name: attribute.name,
            ..given.clone()
        })
    };
    node.attribute = attributes.filter_map(found).collect();
}

//! Which value of the graph is explained, and what its cells are called.

use std::collections::HashMap;

use super::super::File;
use super::Shapes;
use crate::error::{Error, Result};
use crate::model::onnx::message::{
    BFLOAT16, DOUBLE, FLOAT, FLOAT16, GraphMessage, NodeMessage, TensorMessage, ValueMessage,
};

/// What is explained.
#[derive(Debug)]
pub(super) struct Target {
    /// The name of the value.
    pub(super) value: String,
    /// The names of classes that the file has, of which there may be another number than of cells.
    pub(super) classes: Vec<String>,
}

/// The value that is asked for, or the first output of numbers that are no labels.
pub(super) fn find<'n>(file: File<'_>, graph: &'n GraphMessage, shapes: &Shapes) -> Result<Target> {
    let outputs = |node: &'n NodeMessage| node.output.iter().map(move |o| (o.as_str(), node));
    let writers: HashMap<&str, &NodeMessage> = graph.node.iter().flat_map(outputs).collect();
    let writer = |name: &str| writers.get(name).copied();
    let is_map = |node: &&NodeMessage| node.op_type == "ZipMap";
    let asked = match &shapes.output {
        Some(name) if writer(name).is_some() => name.as_str(),
        Some(name) => {
            let outputs: Vec<&str> = graph.output.iter().map(|o| o.name.as_str()).collect();
            return Err(Error::Parameter {
                name: "the output",
                got: format!("\"{name}\" of {}", file.path.display()),
                allowed: format!("no node makes it; the outputs are {}", outputs.join(", ")),
            });
        }
        None => {
            let fits = |value: &&ValueMessage| {
                graph.output.len() == 1
                    || is_float(value)
                    || writer(&value.name).is_some_and(|node| is_map(&node))
            };
            let Some(first) = graph.output.iter().find(fits) else {
                let reason = "none of its outputs is a tensor of floats; name the value to explain";
                return Err(file.bad("its outputs", reason));
            };
            &first.name
        }
    };
    let map = writer(asked).filter(is_map);
    let value = map
        .and_then(|node| node.input.first())
        .map_or(asked, String::as_str);
    Ok(Target {
        value: value.to_owned(),
        classes: map.map_or_else(|| classes(graph), listed),
    })
}

fn is_float(value: &ValueMessage) -> bool {
    let tensor = value.kind.as_ref().and_then(|kind| kind.tensor.as_ref());
    tensor.is_some_and(|tensor| [FLOAT, FLOAT16, BFLOAT16, DOUBLE].contains(&tensor.elem_type))
}

/// The classes that an attribute lists.
fn listed(node: &NodeMessage) -> Vec<String> {
    let text = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).into_owned();
    for name in [
        "classlabels_strings",
        "classlabels_ints",
        "classlabels_int64s",
    ] {
        let (ints, strings) = (node.ints(name), node.strings(name));
        if !strings.is_empty() {
            return strings.iter().map(text).collect();
        }
        if !ints.is_empty() {
            return ints.iter().map(i64::to_string).collect();
        }
    }
    Vec::new()
}

/// The classes that a label is taken from.
fn classes(graph: &GraphMessage) -> Vec<String> {
    let own = graph
        .node
        .iter()
        .find(|node| node.op_type == "LinearClassifier");
    if let Some(node) = own {
        return listed(node);
    }
    let labels = |node: &NodeMessage| {
        let is_choice = node.op_type == "ArrayFeatureExtractor";
        let name = node.input.first().filter(|_| is_choice)?;
        let tensor = graph
            .initializer
            .iter()
            .find(|tensor| tensor.name == *name)?;
        Some(texts(tensor))
    };
    graph.node.iter().find_map(labels).unwrap_or_default()
}

fn texts(tensor: &TensorMessage) -> Vec<String> {
    if !tensor.string_data.is_empty() {
        let text = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).into_owned();
        return tensor.string_data.iter().map(text).collect();
    }
    let numbers = tensor.numbers().unwrap_or_default();
    numbers.iter().map(f64::to_string).collect()
}

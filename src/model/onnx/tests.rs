//! Models built in memory: node semantics, the graph around the trees, and hostile files.

#![expect(
    clippy::float_cmp,
    reason = "routing is exact, and so are the sums of the small numbers here"
)]

mod columns;
mod graph;
mod hostile;
mod native;
mod network;
mod semantics;

use std::path::Path;

use prost::Message;

use super::message::{
    AttributeMessage, DOUBLE, DimensionMessage, FLOAT, GraphMessage, ModelMessage, NodeMessage,
    ShapeMessage, TensorMessage, TensorTypeMessage, TypeMessage, ValueMessage,
};
use crate::error::Error;
use crate::model::{Model, Trees};

fn attribute(name: &str) -> AttributeMessage {
    AttributeMessage {
        name: name.to_owned(),
        ..AttributeMessage::default()
    }
}

impl NodeMessage {
    fn new(domain: &str, op: &str, inputs: &[&str], outputs: &[&str]) -> NodeMessage {
        let own = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        NodeMessage {
            input: own(inputs),
            output: own(outputs),
            name: format!("the {}", outputs[0]),
            op_type: op.to_owned(),
            attribute: Vec::new(),
            domain: domain.to_owned(),
        }
    }

    /// Sets an attribute, replacing the one of the same name.
    fn with(mut self, new: AttributeMessage) -> NodeMessage {
        self.attribute.retain(|old| old.name != new.name);
        self.attribute.push(new);
        self
    }

    fn with_ints(self, name: &str, ints: &[i64]) -> NodeMessage {
        self.with(AttributeMessage {
            ints: ints.to_vec(),
            ..attribute(name)
        })
    }

    fn with_floats(self, name: &str, floats: &[f32]) -> NodeMessage {
        self.with(AttributeMessage {
            floats: floats.to_vec(),
            ..attribute(name)
        })
    }

    fn with_strings(self, name: &str, strings: &[&str]) -> NodeMessage {
        self.with(AttributeMessage {
            strings: strings.iter().map(|s| s.as_bytes().to_vec()).collect(),
            ..attribute(name)
        })
    }

    fn with_int(self, name: &str, i: i64) -> NodeMessage {
        self.with(AttributeMessage {
            i,
            ..attribute(name)
        })
    }

    fn with_text(self, name: &str, text: &str) -> NodeMessage {
        self.with(AttributeMessage {
            s: text.as_bytes().to_vec(),
            ..attribute(name)
        })
    }

    fn with_tensor(self, name: &str, tensor: TensorMessage) -> NodeMessage {
        self.with(AttributeMessage {
            t: Some(tensor),
            ..attribute(name)
        })
    }
}

fn floats(name: &str, values: &[f32]) -> TensorMessage {
    TensorMessage {
        dims: vec![values.len() as i64],
        data_type: FLOAT,
        float_data: values.to_vec(),
        name: name.to_owned(),
        ..TensorMessage::default()
    }
}

fn doubles(name: &str, values: &[f64]) -> TensorMessage {
    TensorMessage {
        dims: vec![values.len() as i64],
        data_type: DOUBLE,
        double_data: values.to_vec(),
        name: name.to_owned(),
        ..TensorMessage::default()
    }
}

fn bytes(values: &[u8]) -> TensorMessage {
    TensorMessage {
        dims: vec![values.len() as i64],
        data_type: super::message::UINT8,
        raw_data: values.to_vec(),
        ..TensorMessage::default()
    }
}

fn value(name: &str, elem_type: i32, columns: i64) -> ValueMessage {
    let dim = |value| DimensionMessage {
        value,
        ..DimensionMessage::default()
    };
    let shape = Some(ShapeMessage {
        dim: vec![dim(0), dim(columns)],
    });
    let tensor = Some(TensorTypeMessage { elem_type, shape });
    ValueMessage {
        name: name.to_owned(),
        kind: Some(TypeMessage { tensor }),
    }
}

/// `x[0] <= 0.5 ? 1 : 2`, from "x" to "y".
fn stump() -> NodeMessage {
    NodeMessage::new("ai.onnx.ml", "TreeEnsembleRegressor", &["x"], &["y"])
        .with_int("n_targets", 1)
        .with_ints("nodes_treeids", &[0, 0, 0])
        .with_ints("nodes_nodeids", &[0, 1, 2])
        .with_ints("nodes_featureids", &[0, 0, 0])
        .with_strings("nodes_modes", &["BRANCH_LEQ", "LEAF", "LEAF"])
        .with_floats("nodes_values", &[0.5, 0.0, 0.0])
        .with_ints("nodes_truenodeids", &[1, 0, 0])
        .with_ints("nodes_falsenodeids", &[2, 0, 0])
        .with_ints("target_ids", &[0, 0])
        .with_ints("target_treeids", &[0, 0])
        .with_ints("target_nodeids", &[1, 2])
        .with_floats("target_weights", &[1.0, 2.0])
}

/// The same for two classes, with labels "no" and "yes", from "x" to "label" and "y".
fn stump_of_classes(ids: &[i64]) -> NodeMessage {
    let mut node = stump();
    node.op_type = "TreeEnsembleClassifier".to_owned();
    node.output = vec!["label".to_owned(), "y".to_owned()];
    node.attribute.retain(|a| !a.name.starts_with("target"));
    node.with_strings("classlabels_strings", &["no", "yes"])
        .with_ints("class_ids", ids)
        .with_ints("class_treeids", &[0, 0])
        .with_ints("class_nodeids", &[1, 2])
        .with_floats("class_weights", &[0.25, 0.75])
}

/// The same in opset 5.
fn stump_5() -> NodeMessage {
    NodeMessage::new("ai.onnx.ml", "TreeEnsemble", &["x"], &["y"])
        .with_int("n_targets", 1)
        .with_ints("tree_roots", &[0])
        .with_ints("nodes_featureids", &[0])
        .with_tensor("nodes_modes", bytes(&[0]))
        .with_tensor("nodes_splits", floats("", &[0.5]))
        .with_ints("nodes_truenodeids", &[0])
        .with_ints("nodes_trueleafs", &[1])
        .with_ints("nodes_falsenodeids", &[1])
        .with_ints("nodes_falseleafs", &[1])
        .with_ints("leaf_targetids", &[0, 0])
        .with_tensor("leaf_weights", floats("", &[1.0, 2.0]))
}

/// A model with the float32 input "x" of two columns and the output "out".
fn model(node: Vec<NodeMessage>, initializer: Vec<TensorMessage>) -> GraphMessage {
    GraphMessage {
        node,
        initializer,
        input: vec![value("x", FLOAT, 2)],
        output: vec![value("out", FLOAT, 1)],
    }
}

fn parse(graph: GraphMessage) -> Result<Trees, Error> {
    match parse_any(graph)? {
        Model::Trees(trees) => Ok(trees),
        other => panic!("{other:?}"),
    }
}

fn parse_any(graph: GraphMessage) -> Result<Model, Error> {
    let model = ModelMessage {
        ir_version: 8,
        graph: Some(graph),
        ..ModelMessage::default()
    };
    super::parse(&model.encode_to_vec(), Path::new("made.onnx"))
}

/// The model of one node.
fn read(node: NodeMessage) -> Trees {
    parse(model(vec![node], Vec::new())).unwrap()
}

/// What reading the model of one node says is wrong.
fn complaint(node: NodeMessage) -> String {
    parse(model(vec![node], Vec::new()))
        .unwrap_err()
        .to_string()
}

/// The margin of the first output at `x[0]`.
fn at(trees: &Trees, x: f64) -> f64 {
    trees.margin(&vec![x; trees.features.len()])[0]
}

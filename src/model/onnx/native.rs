//! Models without trees: one chain of scalings, layers or machines, from the rows to the answer, as skl2onnx and
//! `torch.onnx` write them.
//!
//! The graph is walked once, in its order, and every value that changes with the rows gets a meaning: the rows or
//! the neurons that have become of them, the answer of the model, or a label. Before the first layer, they are followed
//! column by column ([`columns`]), through what takes columns apart, encodes their categories and puts them together:
//! where that leaves other columns than the raw ones, or rows that are divided by a norm, the model is
//! [`Model::Encoded`]. Scalings and layers with no
//! activation between them are one affine map ([`network`]), which goes into the first layer, or into the support
//! vectors ([`machine`]). What has no meaning here is refused by name.
//!
//! **Raw margin.** What a final Sigmoid, Softmax, or LOGISTIC is taken of. Of two classes there is one margin, above 0
//! for the second; ONNX Runtime's scores of an `SVMClassifier` of two classes, `[−m, m]`, have it the other way
//! round. Without probabilities, the margins of more classes are those of their pairs.
//!
//! **Precision.** The runtime computes in float32, the engine in float64, with the file's numbers.

mod answer;
mod columns;
mod encoder;
mod entry;
mod layer;
mod linear;
mod machine;
mod network;

use std::collections::HashMap;

use self::answer::Answer;
use self::columns::{List, Raw};
use self::network::Network;
use super::graph::{Graph, ML};
use super::message::{DOUBLE, FLOAT, NodeMessage};
use super::{DENSE, Fault, MAX_OUTPUTS};
use crate::error::{Error, Result};
use crate::model::trees::Feature;
use crate::model::{Column, KernelMachine, Model, Norm};

/// Multiplications that joining layers may take.
const MOST_PRODUCTS: usize = 1 << 33;

const INSTEAD: &str = "of ONNX, whylight reads tree ensembles; and, after OneHotEncoder, LabelEncoder, Scaler, Gather, \
                       ArrayFeatureExtractor, Cast, Reshape and Concat of columns, and a Normalizer, one chain of \
                       Scaler, Gemm, MatMul, Add, Sub, Mul, Div with Relu, Sigmoid, Tanh and Softmax, \
                       LinearClassifier, LinearRegressor, SVMClassifier or SVMRegressor, and of what makes labels of \
                       their answers";

/// What a value of the graph is.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Value {
    /// An input of the graph, by its place among them.
    Input(usize),
    /// Columns before the first layer, by the place of their list.
    Columns(usize),
    /// The neurons of the network when it had so many steps.
    Neurons(usize),
    /// What the model answers.
    Answer(Answer),
    /// A class, or whether it is one.
    Label,
}

/// Some numbers that do not change with the rows.
struct Constant {
    dims: Vec<i64>,
    numbers: Vec<f64>,
}

struct Walk<'a, 'g> {
    graph: &'g Graph<'a>,
    values: HashMap<&'a str, Value>,
    features: Vec<Feature>,
    /// The columns of the inputs, once one of them is looked at.
    raw: Option<Raw>,
    lists: Vec<List>,
    /// What makes the columns of the first layer, where they are not the raw ones.
    encoding: Option<Vec<Column>>,
    /// What divides the rows of that.
    norm: Option<Norm>,
    /// The network so far, empty before the first step.
    network: Network,
    machine: Option<KernelMachine>,
    /// The names of the classes.
    classes: Vec<String>,
    budget: Budget,
}

/// What a file may ask for.
struct Budget {
    products: usize,
    numbers: usize,
}

impl Budget {
    fn spend(&mut self, products: usize, numbers: usize) -> Result<(), Fault> {
        let left = (self.products.checked_sub(products)).zip(self.numbers.checked_sub(numbers));
        let Some((products, numbers)) = left else {
            return Err(unsupported("layers that, joined, are larger than the file"));
        };
        *self = Budget { products, numbers };
        Ok(())
    }
}

fn unsupported(what: impl Into<String>) -> Fault {
    Fault::Unsupported {
        what: what.into(),
        instead: INSTEAD.to_owned(),
    }
}

/// Reads a graph without tree ensembles.
///
/// # Errors
/// [`Error::Unsupported`] for a graph with no exact translation, naming a node; [`Error::Model`] for one whose parts
/// do not fit together.
pub(super) fn read(graph: &Graph<'_>, file_bytes: usize) -> Result<Model> {
    let mut walk = Walk {
        graph,
        values: HashMap::new(),
        features: Vec::new(),
        raw: None,
        lists: Vec::new(),
        encoding: None,
        norm: None,
        network: Network::default(),
        machine: None,
        classes: Vec::new(),
        budget: Budget {
            products: MOST_PRODUCTS,
            numbers: DENSE.max(file_bytes),
        },
    };
    for (place, input) in graph.message.input.iter().enumerate() {
        if graph.inputs.contains_key(input.name.as_str()) {
            walk.values.insert(&input.name, Value::Input(place));
        }
    }
    for node in &graph.message.node {
        let value = walk.step(node);
        let Some(value) = value.map_err(|fault| graph.file.fault(node.title(), fault))? else {
            continue;
        };
        let classifies = matches!(node.op_type.as_str(), "LinearClassifier" | "SVMClassifier");
        for (place, output) in node.output.iter().enumerate() {
            let is_label = classifies && place == 0;
            let value = if is_label { Value::Label } else { value };
            // Optional outputs that are left out have empty names.
            if !output.is_empty() {
                walk.values.insert(output, value);
            }
        }
    }
    let model = walk.model()?;
    match &model {
        Model::KernelMachine(machine) => machine.check(graph.file.path)?,
        Model::Mlp(mlp) => mlp.check(graph.file.path)?,
        Model::Encoded(encoded) => encoded.check(graph.file.path)?,
        _ => {}
    }
    Ok(model)
}

impl<'a> Walk<'a, '_> {
    /// The meaning of a node's outputs; `None` where nothing of it changes with the rows.
    fn step(&mut self, node: &'a NodeMessage) -> Result<Option<Value>, Fault> {
        let known: Vec<(usize, Value)> = (node.input.iter().enumerate())
            .filter_map(|(place, name)| Some((place, *self.values.get(name.as_str())?)))
            .collect();
        if known.is_empty() {
            return Ok(None);
        }
        let operator = operator(node);
        if known
            .iter()
            .all(|(_, value)| matches!(value, Value::Input(_) | Value::Columns(_)))
            && let Some(value) = self.of_columns(node, operator, &known)?
        {
            return Ok(Some(value));
        }
        if let [(0, Value::Input(_))] = known[..]
            && (operator == "Identity" || operator == "Cast" && is_float(node))
        {
            return Ok(Some(known[0].1));
        }
        // Whatever becomes of labels: they are not explained.
        if known.iter().all(|(_, value)| *value == Value::Label) {
            self.classes_of(node, operator)?;
            return Ok(Some(Value::Label));
        }
        if let Some(value) = self.of_answer(node, operator, &known)? {
            return Ok(Some(value));
        }
        let [(place, value)] = known[..] else {
            return Err(unsupported(format!(
                "{} values that change with the rows",
                known.len()
            )));
        };
        match value {
            Value::Input(_) | Value::Columns(_) => self.begin(value)?,
            Value::Neurons(steps) if steps == self.network.steps && self.machine.is_none() => {}
            _ => {
                return Err(unsupported("what does not follow the last layer"));
            }
        }
        match operator {
            "Identity" => {}
            "Cast" if is_float(node) => {}
            "Dropout" if node.input.len() <= 2 => {}
            "Flatten" if matches!(node.int("axis"), None | Some(1)) => {}
            "Scaler" | "Add" | "Sub" | "Mul" | "Div" | "Neg" => {
                self.scale(node, operator, place)?;
            }
            "MatMul" | "Gemm" if place == 0 => self.dense(node, operator)?,
            "Relu" | "Tanh" | "Sigmoid" | "Softmax" => self.activation(node, operator)?,
            "LinearRegressor" => self.linear_regressor(node)?,
            "LinearClassifier" => return self.linear_classifier(node).map(Some),
            "SVMRegressor" => return self.svm_regressor(node).map(Some),
            "SVMClassifier" => return self.svm_classifier(node).map(Some),
            _ => return Err(unsupported("an operator of no meaning here")),
        }
        Ok(Some(Value::Neurons(self.network.steps)))
    }

    /// The network of no step yet, on columns, or on the one input.
    fn begin(&mut self, value: Value) -> Result<(), Fault> {
        if self.network.steps > 0 || self.machine.is_some() {
            return Err(unsupported("the rows beside another part of the model"));
        }
        if let Some(list) = self.list(value)? {
            let (scales, shifts) = self.enter(list)?;
            self.network = Network::scaled(scales, shifts);
            return Ok(());
        }
        if self.graph.inputs.len() != 1 {
            return Err(unsupported("an input of unknown width beside another"));
        }
        if let Value::Input(place) = value {
            let input = &self.graph.message.input[place];
            self.graph.column_type(input).map_err(|error| match error {
                Error::Unsupported { what, .. } => unsupported(what),
                other => Fault::Bad(other.to_string()),
            })?;
        }
        self.network = Network::new(None);
        Ok(())
    }

    /// A constant of the graph, as numbers; `None` if it is none.
    fn constant(&mut self, name: &str) -> Result<Option<Constant>, Fault> {
        let mut tensor = self.graph.constants.get(name).copied();
        if let (None, Some(&n)) = (tensor, self.graph.producer.get(name)) {
            let node = &self.graph.message.node[n];
            if node.op_type != "Constant" || !matches!(node.domain.as_str(), "" | "ai.onnx") {
                return Ok(None);
            }
            if let Some(value) = node.float("value_float") {
                return Ok(Some(Constant {
                    dims: Vec::new(),
                    numbers: vec![value.into()],
                }));
            }
            tensor = node.tensor("value");
        }
        let Some(tensor) = tensor else {
            return Ok(None);
        };
        if !tensor.is_here_as_numbers() {
            return Err(unsupported(format!(
                "\"{name}\", whose numbers are in another file or of another type"
            )));
        }
        let numbers = tensor.numbers().map_err(Fault::Bad)?;
        self.budget.spend(0, numbers.len())?;
        Ok(Some(Constant {
            dims: tensor.dims.clone(),
            numbers,
        }))
    }

    /// The names of the classes, of a list of which labels are taken by their number.
    fn classes_of(&mut self, node: &'a NodeMessage, operator: &str) -> Result<(), Fault> {
        let Some(name) = node.input.first() else {
            return Ok(());
        };
        let tensor = self.graph.constants.get(name.as_str());
        if operator != "ArrayFeatureExtractor"
            || !self.classes.is_empty()
            || !tensor.is_some_and(|tensor| tensor.is_here_as_numbers())
        {
            return Ok(());
        }
        if let Some(constant) = self.constant(name)? {
            self.classes = constant.numbers.iter().map(ToString::to_string).collect();
        }
        Ok(())
    }

    /// The names of the classes of a classifier.
    fn label(&mut self, node: &NodeMessage, strings: &str, integers: &str) {
        let texts = node.strings(strings);
        self.classes = if texts.is_empty() {
            node.ints(integers)
                .iter()
                .map(ToString::to_string)
                .collect()
        } else {
            let text = |label: &Vec<u8>| String::from_utf8_lossy(label).into_owned();
            texts.iter().map(text).collect()
        };
    }
}

/// The operator of a node, of a domain that is known; else no name.
fn operator(node: &NodeMessage) -> &str {
    let is_ml = matches!(
        node.op_type.as_str(),
        "ArrayFeatureExtractor"
            | "FeatureVectorizer"
            | "LabelEncoder"
            | "LinearClassifier"
            | "LinearRegressor"
            | "Normalizer"
            | "OneHotEncoder"
            | "Scaler"
            | "SVMClassifier"
            | "SVMRegressor"
            | "ZipMap"
    );
    match node.domain.as_str() {
        ML if is_ml => &node.op_type,
        "" | "ai.onnx" if !is_ml => &node.op_type,
        // Some converters write Identity in their own domain.
        _ if node.op_type == "Identity" => &node.op_type,
        _ => "",
    }
}

/// Whether a Cast is to float32 or float64.
fn is_float(node: &NodeMessage) -> bool {
    [FLOAT, DOUBLE]
        .map(|kind| Some(kind.into()))
        .contains(&node.int("to"))
}

/// A list of an attribute's float32, as float64.
fn widened(numbers: &[f32]) -> Vec<f64> {
    numbers.iter().map(|&number| number.into()).collect()
}

/// How many classes a classifier names: at least two.
fn class_count(classes: &[String]) -> Result<usize, Fault> {
    match classes.len() {
        count @ 2..=MAX_OUTPUTS => Ok(count),
        count => Err(Fault::Bad(format!(
            "it names {count} classes, expected 2 to {MAX_OUTPUTS}"
        ))),
    }
}

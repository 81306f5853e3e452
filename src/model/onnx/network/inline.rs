//! Runs the nodes of a graph, and of functions in the place of their calls.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use prost::Message;

use super::array::{Array, width};
use super::axes;
use super::builder::{Builder, Value};
use super::call::Call;
use super::control::{is_control, of_loop};
use super::external::External;
use super::lift::{is_lifted, lifted};
use super::needs::{asks, needed_nodes, resolve};
use super::operators::{Operator, operator, skipped};
use super::{Made, fault};
use crate::error::Result;
use crate::model::onnx::message::{
    EXTERNAL, FunctionMessage, GraphMessage, ModelMessage, NodeMessage, OpsetMessage, TensorMessage,
};
use crate::model::onnx::{Fault, File};

/// Graphs and functions inside each other.
const MAX_DEPTH: usize = 32;

/// Characters of a name that are kept.
const MAX_NAME: usize = 200;

/// Operators that one message names.
const MAX_NAMED: usize = 10;

/// The values of a graph; a subgraph sees those around it.
#[derive(Debug, Default)]
pub(super) struct Scope<'s> {
    values: HashMap<String, Value>,
    outer: Option<&'s Scope<'s>>,
}

/// What of a graph some of its values need.
#[derive(Debug)]
pub(super) struct Needed<'a> {
    nodes: Vec<&'a NodeMessage>,
    constants: Vec<&'a TensorMessage>,
}

/// What is the same for all graphs of a file.
#[derive(Debug)]
pub(super) struct Runner<'a> {
    pub(super) file: File<'a>,
    functions: HashMap<(&'a str, &'a str), &'a FunctionMessage>,
    external: External,
    opset: i64,
}

impl<'s> Scope<'s> {
    /// A scope without values of its own.
    pub(super) fn inside(outer: &'s Scope<'s>) -> Self {
        Self {
            values: HashMap::new(),
            outer: Some(outer),
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        let mut scope = Some(self);
        while let Some(inner) = scope {
            if let Some(value) = inner.values.get(name) {
                return Some(value);
            }
            scope = inner.outer;
        }
        None
    }

    pub(super) fn set(&mut self, name: String, value: Value) {
        self.values.insert(name, value);
    }
}

/// The version of the standard operators in a list.
pub(super) fn opset(list: &[OpsetMessage]) -> Option<i64> {
    let standard = |opset: &&OpsetMessage| matches!(opset.domain.as_str(), "" | "ai.onnx");
    list.iter().find(standard).map(|opset| opset.version)
}

/// What a node does here.
enum Means<'a> {
    Operator(Operator),
    Function(&'a FunctionMessage),
    Control,
    Nothing,
}

impl<'a> Runner<'a> {
    pub(super) fn new(file: File<'a>, model: &'a ModelMessage, opset: i64) -> Self {
        let functions = model.function.iter();
        Self {
            file,
            functions: functions
                .map(|f| ((f.domain.as_str(), f.name.as_str()), f))
                .collect(),
            external: External::beside(file.path),
            opset,
        }
    }

    fn means(&self, node: &NodeMessage) -> Means<'a> {
        let key = (node.domain.as_str(), node.op_type.as_str());
        // A function of the file stands above an operator of its name.
        if let Some(function) = self.functions.get(&key) {
            return Means::Function(function);
        }
        match key {
            (domain, name) if is_control(domain, name) => Means::Control,
            (domain, name) => operator(domain, name).map_or(Means::Nothing, Means::Operator),
        }
    }

    /// The nodes and constants that these values of a graph need; the functions that an inner one calls are known.
    ///
    /// # Errors
    /// [`crate::Error::Unsupported`] with the nodes whose operators are not known.
    pub(super) fn needed<'g>(
        &self,
        graph: &'g GraphMessage,
        outputs: &[&'g str],
        is_inner: bool,
    ) -> Result<Needed<'g>> {
        let mut names: HashSet<&str> = outputs.iter().copied().collect();
        let nodes = needed_nodes(&graph.node, &mut names);
        self.check(&nodes, is_inner)?;
        let constants = graph.initializer.iter();
        Ok(Needed {
            nodes,
            constants: constants
                .filter(|tensor| names.contains(tensor.name.as_str()))
                .collect(),
        })
    }

    /// Checks that the operators of nodes are known, and those of the functions that they call.
    fn check(&self, nodes: &[&NodeMessage], is_inner: bool) -> Result<()> {
        let mut unknown: Vec<String> = Vec::new();
        let mut called: HashSet<*const FunctionMessage> = HashSet::new();
        let mut seen: HashSet<*const NodeMessage> = HashSet::new();
        let mut open: Vec<&NodeMessage> = nodes.iter().rev().copied().collect();
        while let Some(node) = open.pop() {
            match self.means(node) {
                Means::Nothing => {
                    let domain = match node.domain.as_str() {
                        "" | "ai.onnx" => String::new(),
                        domain => format!(" of {domain}"),
                    };
                    unknown.push(format!("{}{domain}", node.title()));
                }
                Means::Function(function) if !is_inner && called.insert(function) => {
                    open.extend(function.node.iter().rev());
                }
                Means::Control if !is_inner && seen.insert(node) => open.extend(of_loop(node)),
                _ => {}
            }
        }
        if unknown.is_empty() {
            return Ok(());
        }
        let more = unknown.len().saturating_sub(MAX_NAMED);
        unknown.truncate(MAX_NAMED);
        let mut named = unknown.join(", ");
        if more > 0 {
            named = format!("{named} and {more} more");
        }
        Err(self.file.unsupported(
            &named,
            "export the model without these operators, or explain it as a black box, with Kernel SHAP",
        ))
    }

    /// Runs the nodes of a graph.
    pub(super) fn run(
        &self,
        builder: &mut Builder,
        needed: &Needed<'_>,
        scope: &mut Scope<'_>,
        depth: usize,
    ) -> Result<()> {
        self.constants(needed, scope)?;
        self.nodes_of(builder, needed, scope, depth)
    }

    /// Reads the constants that are needed.
    pub(super) fn constants(&self, needed: &Needed<'_>, scope: &mut Scope<'_>) -> Result<()> {
        for tensor in &needed.constants {
            if scope.values.contains_key(&tensor.name) {
                continue;
            }
            let at = || format!("initializer \"{}\"", tensor.name);
            let array = self.tensor(tensor);
            let array = array.map_err(|fault| self.file.fault(at(), fault))?;
            scope.set(tensor.name.clone(), Value::Constant(array));
        }
        Ok(())
    }

    /// Runs the nodes that are needed, whose constants are known.
    pub(super) fn nodes_of(
        &self,
        builder: &mut Builder,
        needed: &Needed<'_>,
        scope: &mut Scope<'_>,
        depth: usize,
    ) -> Result<()> {
        let nodes = needed.nodes.iter().map(|&node| Cow::Borrowed(node));
        self.nodes(builder, nodes, scope, depth, self.opset)
    }

    fn nodes<'n>(
        &self,
        builder: &mut Builder,
        nodes: impl Iterator<Item = Cow<'n, NodeMessage>>,
        scope: &mut Scope<'_>,
        depth: usize,
        opset: i64,
    ) -> Result<()> {
        let outer = std::mem::take(&mut builder.title);
        for node in nodes {
            let node = node.as_ref();
            builder.title = short(&if depth == 0 {
                node.title()
            } else {
                format!("{} in {outer}", node.title())
            });
            builder.name = match node.output.first() {
                Some(output) if !output.is_empty() => short(output),
                _ => short(&node.name),
            };
            let title = builder.title.clone();
            let values = self.node(builder, node, scope, depth, opset)?;
            builder.title = title;
            for (name, value) in node.output.iter().zip(values) {
                let Some(value) = value.filter(|_| !name.is_empty()) else {
                    continue;
                };
                if let Value::Active(active) = &value {
                    let tensor = &mut builder.tensors[active.tensor];
                    if tensor.name.starts_with(&format!("{}/", builder.name)) {
                        tensor.name.clone_from(name);
                    }
                    builder.layers.push((name.clone(), active.tensor));
                    if !node.name.is_empty() && node.output.first() == Some(name) {
                        builder.layers.push((node.name.clone(), active.tensor));
                    }
                }
                if scope.values.insert(name.clone(), value).is_some() {
                    let reason = format!("its output \"{name}\" is made twice");
                    return Err(self.file.bad(node.title(), reason));
                }
            }
        }
        builder.title = outer;
        Ok(())
    }

    /// The outputs of a node.
    fn node(
        &self,
        builder: &mut Builder,
        node: &NodeMessage,
        scope: &Scope<'_>,
        depth: usize,
        opset: i64,
    ) -> Result<Vec<Option<Value>>> {
        let title = builder.title.clone();
        let at = |fault: Fault| self.file.fault(title.clone(), fault);
        let inputs: Made<Vec<Option<Value>>> = node.input.iter().map(|n| read(scope, n)).collect();
        let inputs = inputs.map_err(at)?;
        builder.enter(&inputs).map_err(at)?;
        match self.means(node) {
            Means::Operator(operator) => {
                let call = Call {
                    node,
                    inputs,
                    opset,
                };
                let values = match &call.inputs[..] {
                    [Some(Value::Constant(_)), ..] if is_lifted(&node.op_type) => {
                        lifted(builder, operator, call)
                    }
                    _ => operator(builder, &call),
                };
                let values = values.map_err(at)?;
                let labels = std::iter::repeat_n(None, skipped(&node.op_type));
                Ok(labels.chain(values.into_iter().map(Some)).collect())
            }
            _ if depth >= MAX_DEPTH => Err(at(Fault::Unsupported {
                what: format!("{MAX_DEPTH} graphs inside each other"),
                instead: "export the model without functions".to_owned(),
            })),
            Means::Function(function) => self.function(builder, node, function, inputs, depth),
            Means::Control => {
                let call = Call {
                    node,
                    inputs,
                    opset,
                };
                self.control(builder, &call, scope, depth)
            }
            Means::Nothing => Err(at(Fault::Unsupported {
                what: "this operator".to_owned(),
                instead: "export the model without it".to_owned(),
            })),
        }
    }

    fn function(
        &self,
        builder: &mut Builder,
        node: &NodeMessage,
        function: &FunctionMessage,
        inputs: Vec<Option<Value>>,
        depth: usize,
    ) -> Result<Vec<Option<Value>>> {
        let title = builder.title.clone();
        let at = |fault: Fault| self.file.fault(title.clone(), fault);
        builder.visit(function.node.len()).map_err(at)?;
        let mut scope = Scope::default();
        for (name, value) in function.input.iter().zip(inputs) {
            if let Some(value) = value {
                scope.set(name.clone(), value);
            }
        }
        let mut names: HashSet<&str> = function.output.iter().map(String::as_str).collect();
        let nodes = needed_nodes(&function.node, &mut names);
        let mut resolved = Vec::with_capacity(nodes.len());
        for inner in nodes {
            resolved.push(if asks(inner) {
                builder.fold(&[inner.encoded_len()]).map_err(at)?;
                let mut inner = inner.clone();
                resolve(&mut inner, node, function);
                Cow::Owned(inner)
            } else {
                Cow::Borrowed(inner)
            });
        }
        let opset = opset(&function.opset).unwrap_or(self.opset);
        self.nodes(builder, resolved.into_iter(), &mut scope, depth + 1, opset)?;
        let outputs = function.output.iter();
        Ok(outputs.map(|name| scope.get(name).cloned()).collect())
    }

    /// The array of a tensor, wherever its elements are.
    fn tensor(&self, tensor: &TensorMessage) -> Made<Array> {
        if tensor.data_location != EXTERNAL {
            return Array::read(tensor, None);
        }
        let size = |&dim: &i64| usize::try_from(dim).ok();
        let shape: Option<Vec<usize>> = tensor.dims.iter().map(size).collect();
        let bytes =
            shape.and_then(|shape| axes::cells(&shape)?.checked_mul(width(tensor.data_type)));
        let Some(bytes) = bytes else {
            return fault(format!("its tensor has the shape {:?}", tensor.dims));
        };
        let bytes = self.external.read(tensor, bytes)?;
        Array::read(tensor, Some(&bytes))
    }
}

/// A name as steps carry it: a file's may be of any length.
fn short(name: &str) -> String {
    match name.char_indices().nth(MAX_NAME) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name.to_owned(),
    }
}

/// A value of a scope; `None` for one that is left out.
pub(super) fn read(scope: &Scope<'_>, name: &str) -> Made<Option<Value>> {
    if name.is_empty() {
        return Ok(None);
    }
    match scope.get(name) {
        Some(value) => Ok(Some(value.clone())),
        None => fault(format!(
            "\"{name}\" is not there before this node: it is none of the outputs that are read, there is a cycle, or the nodes are out of order"
        )),
    }
}

//! The way of the rows to the ensembles: casts, changes of shape, and a Concat of columns.

use super::decision::Reading;
use super::graph::Graph;
use super::message::{DOUBLE, FLOAT, INT32, INT64, NodeMessage, ValueMessage};
use crate::error::Result;
use crate::model::trees::{Feature, Precision};

/// Input columns beyond this many are refused.
pub(super) const MAX_FEATURES: usize = 1 << 20;

/// Nodes and columns on the ways of all ensembles' inputs, each followed for itself.
const MAX_STEPS: usize = 1 << 24;

/// Where the ensembles' input comes from.
#[derive(Debug, PartialEq)]
pub(super) struct Source {
    pub(super) reading: Reading,
    /// The input's columns; empty where the file does not say how many there are.
    pub(super) features: Vec<Feature>,
    /// The nodes between the graph's input and the ensembles, sorted.
    pub(super) nodes: Vec<usize>,
}

impl<'a> Graph<'a> {
    /// The common input of all ensembles.
    ///
    /// # Errors
    /// [`crate::Error::Unsupported`] for anything before an ensemble that changes the columns, naming it.
    pub(super) fn source(&self) -> Result<Source> {
        let mut common: Option<(&str, Source)> = None;
        let mut nodes = Vec::new();
        let mut steps = 0;
        for &n in &self.ensembles {
            let node = &self.message.node[n];
            let Some(input) = node.input.first() else {
                return Err(self.file.bad(node.title(), "it has no input"));
            };
            match &common {
                Some((known, _)) if known == input => {}
                Some((_, first)) => {
                    let mut source = self.trace(node, input)?;
                    steps += source.nodes.len() + source.features.len();
                    if steps > MAX_STEPS {
                        return Err(self.file.bad(
                            node.title(),
                            "its input is another way to the same columns, after many such; merge \
                             the ensembles' inputs",
                        ));
                    }
                    nodes.append(&mut source.nodes);
                    if (source.reading, &source.features) != (first.reading, &first.features) {
                        return Err(self.file.unsupported(
                            &format!("{}, which reads other columns than the first", node.title()),
                            "all ensembles of a graph must read the same input",
                        ));
                    }
                }
                None => {
                    let mut source = self.trace(node, input)?;
                    nodes.append(&mut source.nodes);
                    common = Some((input, source));
                }
            }
        }
        nodes.sort_unstable();
        nodes.dedup();
        common
            .map(|(_, source)| Source { nodes, ..source })
            .ok_or_else(|| self.file.bad("the graph", "it holds no ensemble"))
    }

    /// Follows an ensemble's input back to the inputs of the graph.
    fn trace(&self, ensemble: &NodeMessage, input: &'a str) -> Result<Source> {
        let mut name = input;
        let mut types = Vec::new();
        let mut nodes = Vec::new();
        let (first_type, features) = loop {
            if let Some(value) = self.inputs.get(name) {
                let (kind, width) = self.column_type(value)?;
                break (kind, vec![Feature::default(); width.unwrap_or(0)]);
            }
            let Some(&n) = self.producer.get(name) else {
                return Err(self.file.bad(
                    ensemble.title(),
                    format!("its input comes from \"{name}\", which is nothing that changes with the rows"),
                ));
            };
            if nodes.len() > self.message.node.len() {
                return Err(self
                    .file
                    .bad(ensemble.title(), "its input depends on itself"));
            }
            nodes.push(n);
            let node = &self.message.node[n];
            let standard = node.domain.is_empty() || node.domain == "ai.onnx";
            match node.op_type.as_str() {
                "Cast" if standard => types.push(self.cast_type(node)?),
                // Some converters write Identity in their own domain.
                "Identity" => {}
                "Reshape" | "Flatten" | "Squeeze" | "Unsqueeze" if standard => {}
                "Concat" if standard => break self.columns(node)?,
                _ => {
                    return Err(self.file.unsupported(
                        &format!("{} before {}", node.title(), ensemble.title()),
                        "apply the preprocessing to the table and export the trees alone; only \
                         Cast, Identity, Reshape and a Concat of inputs may precede them",
                    ));
                }
            }
            let Some(next) = node.input.first() else {
                return Err(self.file.bad(node.title(), "it has no input"));
            };
            name = next;
        };
        types.push(first_type);
        let narrow = types.contains(&FLOAT);
        // Whole numbers go to the ensemble as float32, unless a Cast makes them float64.
        let compare = match types.first() {
            Some(&DOUBLE) => Precision::F64,
            _ => Precision::F32,
        };
        let cell = match compare {
            Precision::F64 if !narrow => Precision::F64,
            _ => Precision::F32,
        };
        Ok(Source {
            reading: Reading { cell, compare },
            features,
            nodes,
        })
    }

    /// The element type of a graph input and its number of columns, where the file says it.
    pub(super) fn column_type(&self, value: &ValueMessage) -> Result<(i32, Option<usize>)> {
        let (kind, width) = self.column_of_any_type(value)?;
        if ![FLOAT, DOUBLE, INT32, INT64].contains(&kind) {
            return Err(self.file.unsupported(
                &format!("graph input \"{}\" of element type {kind}", value.name),
                "expected float (1), double (11), int32 (6) or int64 (7)",
            ));
        }
        Ok((kind, width))
    }

    /// As [`Graph::column_type`], of what may be no number.
    pub(super) fn column_of_any_type(&self, value: &ValueMessage) -> Result<(i32, Option<usize>)> {
        let at = || format!("graph input \"{}\"", value.name);
        let Some(tensor) = value.kind.as_ref().and_then(|kind| kind.tensor.as_ref()) else {
            return Err(self.file.bad(at(), "it is no tensor"));
        };
        let dims = tensor.shape.as_ref().map_or(&[][..], |shape| &shape.dim);
        let width = match dims {
            [_, columns] if columns.value != 0 => {
                match usize::try_from(columns.value) {
                    Ok(width) if width <= MAX_FEATURES => Some(width),
                    // A negative size is how some converters write an unknown one.
                    Err(_) => None,
                    Ok(width) => {
                        return Err(self.file.bad(
                            at(),
                            format!(
                                "it has {width} columns, more than {MAX_FEATURES} are not read"
                            ),
                        ));
                    }
                }
            }
            _ => None,
        };
        Ok((tensor.elem_type, width))
    }

    fn cast_type(&self, node: &NodeMessage) -> Result<i32> {
        match node.int("to") {
            Some(to) if to == i64::from(FLOAT) || to == i64::from(DOUBLE) => Ok(to as i32),
            to => Err(self.file.unsupported(
                &format!("{} to element type {}", node.title(), to.unwrap_or(0)),
                "before trees, only casts to float (1) and double (11) are read",
            )),
        }
    }

    /// The columns of a Concat of graph inputs, each named after its input.
    fn columns(&self, concat: &NodeMessage) -> Result<(i32, Vec<Feature>)> {
        let refuse = |what: String| {
            let instead = "only a Concat along axis 1 of the graph's inputs, all of one type and \
                           of known width, may precede trees";
            Err(self.file.unsupported(&what, instead))
        };
        if !matches!(concat.int("axis"), Some(1 | -1)) {
            return refuse(format!("{} along another axis", concat.title()));
        }
        let mut kind = None;
        let mut features = Vec::new();
        for name in &concat.input {
            let Some(value) = self.inputs.get(name.as_str()) else {
                return refuse(format!("{} of \"{name}\"", concat.title()));
            };
            let (this, width) = self.column_type(value)?;
            let width = match width {
                Some(width) if *kind.get_or_insert(this) == this => width,
                _ => return refuse(format!("{} of graph input \"{name}\"", concat.title())),
            };
            if features.len() + width > MAX_FEATURES {
                return refuse(format!(
                    "{} of more than {MAX_FEATURES} columns",
                    concat.title()
                ));
            }
            let named = (width == 1).then(|| name.clone());
            features.resize(
                features.len() + width,
                Feature {
                    name: named,
                    categories: None,
                },
            );
        }
        match kind {
            Some(kind) => Ok((kind, features)),
            None => refuse(format!("{} of nothing", concat.title())),
        }
    }
}

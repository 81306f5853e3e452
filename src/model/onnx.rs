//! ONNX files: tree ensembles, and the models of [`native`].
//!
//! Tree ensembles are `TreeEnsembleRegressor` and `TreeEnsembleClassifier` (ai.onnx.ml 1–3) and
//! `TreeEnsemble` (5), as converters write them, run as ONNX Runtime runs them.
//!
//! **Raw margin.** The margin is the ensemble's sum before its `post_transform`, with `base_values`
//! and any additions, scalings and sums by constants that directly follow in the graph. What comes
//! after that (sigmoid, softmax, exponential, labels, `ZipMap`) is post-processing and is left out.
//! A classifier of two classes that stores one score per leaf has one output, the second class's.
//! For forests that vote, the margin therefore is the averaged probability.
//!
//! **Precision.** A float32 input is compared in float32, with the file's thresholds as they were
//! rounded by the converter; a float64 input in float64, even where thresholds are stored as
//! float32.
//!
//! **Cover.** `nodes_hitrates` is taken as the cover where every node's hit rate is the sum of its
//! children's. Converters write 1 everywhere, so mostly there is no cover, and it must be counted
//! from a background table; opset 5 has none for leaves.

mod classic;
mod decision;
mod graph;
mod indexed;
mod message;
mod native;
pub(super) mod network;
mod place;
mod source;
mod sum;
mod target;

use std::path::Path;

use prost::Message;

use self::decision::Reading;
use self::graph::Graph;
use self::message::{ModelMessage, NodeMessage, TensorMessage};
use self::source::MAX_FEATURES;
use self::sum::Sum;
use super::Model;
use super::trees::{Feature, Fraction, Node, Output, Precision, Test, Tree, Trees};
use crate::error::{Error, Result};

const FORMAT: &str = "ONNX";

/// Leaf vectors are stored dense: an ensemble may ask for this many values, or for
/// [`DENSE_PER_WEIGHT`] times its own number of weights if that is more; all ensembles of a file
/// together for this many, or for [`DENSE_PER_BYTE`] times the file's bytes.
const DENSE: usize = 1 << 22;
const DENSE_PER_WEIGHT: usize = 256;
const DENSE_PER_BYTE: usize = 64;

/// Words of category sets, 128 MiB, of an ensemble and of all.
const SET_WORDS: usize = 1 << 25;

/// Outputs of one ensemble, and of all together.
const MAX_OUTPUTS: usize = 1 << 16;
const ALL_OUTPUTS: usize = 1 << 20;

/// Why a part of the file cannot be used; its place is added where it is known.
#[derive(Debug)]
enum Fault {
    Bad(String),
    Unsupported { what: String, instead: String },
}

impl Fault {
    fn bad(reason: impl Into<String>) -> Fault {
        Fault::Bad(reason.into())
    }
}

/// The file that errors name.
#[derive(Debug, Clone, Copy)]
struct File<'a> {
    path: &'a Path,
}

impl File<'_> {
    fn bad(self, at: impl Into<String>, reason: impl Into<String>) -> Error {
        Error::Model {
            path: self.path.to_owned(),
            format: FORMAT,
            at: at.into(),
            reason: reason.into(),
        }
    }

    fn unsupported(self, what: &str, instead: impl Into<String>) -> Error {
        Error::Unsupported {
            what: format!("{}: {what}", self.path.display()),
            by: "the ONNX loader".to_owned(),
            instead: instead.into(),
        }
    }

    fn fault(self, at: impl Into<String>, fault: Fault) -> Error {
        match fault {
            Fault::Bad(reason) => self.bad(at, reason),
            Fault::Unsupported { what, instead } => {
                self.unsupported(&format!("{what} at {}", at.into()), instead)
            }
        }
    }
}

/// One ensemble node, read.
#[derive(Debug)]
struct Ensemble {
    trees: Vec<Tree>,
    /// Raw margins before any tree.
    base: Vec<f64>,
    outputs: Vec<String>,
    /// One more than the largest feature index.
    features: usize,
    has_cover: bool,
    averaged: bool,
    /// The `post_transform`; empty for none.
    transform: String,
    /// The node's score output is the raw margin itself, column for column.
    raw: bool,
}

/// Whether the bytes begin as a serialised ONNX model does: with one of its first fields, in the
/// order that protobuf writers keep.
pub(super) fn recognises(bytes: &[u8]) -> bool {
    // ir_version, producer_name, graph, opset_import.
    matches!(bytes.first(), Some(0x08 | 0x12 | 0x3a | 0x42))
}

/// Reads an ONNX model.
///
/// # Errors
/// [`Error::Model`] for a damaged file, [`Error::Unsupported`] for a graph that is more than a sum
/// of tree ensembles with post-processing, or than one of the models of [`native`].
pub(super) fn parse(bytes: &[u8], path: &Path) -> Result<Model> {
    let file = File { path };
    let model = ModelMessage::decode(bytes)
        .map_err(|error| file.bad("the protobuf message", error.to_string()))?;
    let message = model.graph.ok_or_else(|| {
        file.bad(
            "the protobuf message",
            "it holds no graph; export the model again",
        )
    })?;
    let graph = Graph::new(file, &message)?;
    if graph.ensembles.is_empty() {
        return native::read(&graph, bytes.len());
    }
    let source = graph.source()?;
    let mut ensembles = Vec::with_capacity(graph.ensembles.len());
    let mut total = Size::default();
    for &n in &graph.ensembles {
        let node = &message.node[n];
        let ensemble = read(file, node, source.reading)?;
        total.add(&ensemble);
        if !total.is_allowed(bytes.len()) {
            let reason = "with it the file's ensembles have more outputs, leaf values or category \
                          sets than its size allows; merge the ensembles";
            return Err(file.bad(node.title(), reason));
        }
        ensembles.push(ensemble);
    }
    let sum = graph.sum(&ensembles)?;
    graph.check_rest(&source, &sum)?;

    let mut features = source.features;
    if features.is_empty() {
        let count = ensembles.iter().map(|e| e.features).max().unwrap_or(0);
        if count > MAX_FEATURES {
            return Err(file.bad(
                "the nodes' feature indexes",
                format!(
                    "the largest is {}, more than {} features are not read",
                    count - 1,
                    MAX_FEATURES
                ),
            ));
        }
        features = vec![Feature::default(); count];
    }
    let trees = assemble(ensembles, &sum, features, source.reading.cell);
    trees.check(path)?;
    Ok(Model::Trees(trees))
}

/// What the ensembles of a file take together.
#[derive(Debug, Default)]
struct Size {
    outputs: usize,
    values: usize,
    set_words: usize,
}

impl Size {
    fn add(&mut self, ensemble: &Ensemble) {
        self.outputs += ensemble.outputs.len();
        for tree in &ensemble.trees {
            self.values += tree.values.len();
            let splits = tree.nodes.iter().filter_map(|node| match node {
                Node::Split(split) => Some(&split.test),
                Node::Leaf { .. } => None,
            });
            self.set_words += splits.map(Test::set_words).sum::<usize>();
        }
    }

    fn is_allowed(&self, file_bytes: usize) -> bool {
        self.outputs <= ALL_OUTPUTS
            && self.values <= DENSE.max(file_bytes.saturating_mul(DENSE_PER_BYTE))
            && self.set_words <= SET_WORDS
    }
}

fn read(file: File<'_>, node: &NodeMessage, reading: Reading) -> Result<Ensemble> {
    match node.op_type.as_str() {
        "TreeEnsemble" => indexed::read(file, node, reading),
        _ => classic::read(file, node, reading),
    }
}

/// The sum of the ensembles, with the scales and shifts of the graph in leaf values and base.
fn assemble(
    ensembles: Vec<Ensemble>,
    sum: &Sum,
    features: Vec<Feature>,
    precision: Precision,
) -> Trees {
    let mut base = sum.shift.clone();
    let mut trees = Vec::new();
    let mut outputs = Vec::new();
    let mut objective = String::new();
    let mut has_cover = true;
    let averaged = ensembles.len() == 1 && ensembles.iter().all(|e| e.averaged);
    for (e, ensemble) in ensembles.into_iter().enumerate() {
        let Some((_, scale)) = sum.terms.iter().find(|(term, _)| *term == e) else {
            continue;
        };
        for ((base, own), scale) in base.iter_mut().zip(&ensemble.base).zip(scale) {
            *base += own * scale;
        }
        for mut tree in ensemble.trees {
            match tree.output {
                Output::One(k) => {
                    let scale = scale.get(k as usize).copied().unwrap_or(1.0);
                    tree.values.iter_mut().for_each(|value| *value *= scale);
                }
                Output::All => {
                    for leaf in tree.values.chunks_exact_mut(scale.len()) {
                        for (value, scale) in leaf.iter_mut().zip(scale) {
                            *value *= scale;
                        }
                    }
                }
            }
            tree.iteration = trees.len() as u32;
            trees.push(tree);
        }
        has_cover &= ensemble.has_cover;
        if outputs.is_empty() {
            outputs = ensemble.outputs;
            objective = ensemble.transform;
        }
    }
    Trees {
        format: FORMAT,
        objective,
        features,
        outputs,
        base,
        precision,
        fraction: Fraction::Truncate,
        trees,
        averaged,
        best_iteration: None,
        has_cover,
    }
}

/// Whether the covers of a tree are counts: every node's is the sum of its children's.
fn covers_add_up(nodes: &[Node]) -> bool {
    let cover = |n: u32| nodes.get(n as usize).map_or(f64::NAN, Node::cover);
    nodes.iter().all(|node| match node {
        Node::Split(split) => {
            let children = cover(split.left) + cover(split.right);
            split.cover > 0.0 && (split.cover - children).abs() <= 1e-4 * split.cover
        }
        Node::Leaf { .. } => true,
    })
}

fn not_additive(name: &str) -> Fault {
    Fault::Unsupported {
        what: format!("the aggregate_function {name}"),
        instead: "the explanation of trees needs a SUM or an AVERAGE".to_owned(),
    }
}

/// How many trees a sum is divided by.
fn divisor(average: bool, trees: usize) -> f64 {
    if average { trees.max(1) as f64 } else { 1.0 }
}

/// The values of an attribute that is a list of float32 or, under the same name with
/// `_as_tensor`, a tensor of the type compared in. Empty where the file has neither.
fn numbers(node: &NodeMessage, name: &str, compare: Precision) -> Result<Vec<f64>, Fault> {
    let floats = node.floats(name);
    match node.tensor(&format!("{name}_as_tensor")) {
        Some(_) if !floats.is_empty() => Err(Fault::Bad(format!(
            "it has both {name} and {name}_as_tensor; expected one of them"
        ))),
        Some(tensor) => typed(tensor, &format!("{name}_as_tensor"), compare),
        None => Ok(floats.iter().map(|&v| v.into()).collect()),
    }
}

/// The elements of a tensor attribute, whose type must be the one compared in.
fn typed(tensor: &TensorMessage, name: &str, compare: Precision) -> Result<Vec<f64>, Fault> {
    let wanted = match compare {
        Precision::F32 => message::FLOAT,
        Precision::F64 => message::DOUBLE,
    };
    if tensor.data_type != wanted {
        return Err(Fault::Bad(format!(
            "{name} has element type {}, but the ensemble's input has type {wanted}; both must be \
             float (1) or both double (11)",
            tensor.data_type
        )));
    }
    tensor
        .numbers()
        .map_err(|reason| Fault::Bad(format!("{name}: {reason}")))
}

/// A list must have one entry per node, leaf or weight.
fn same_length(name: &str, got: usize, other: &str, wanted: usize) -> Result<(), Fault> {
    if got == wanted {
        return Ok(());
    }
    Err(Fault::Bad(format!(
        "{name} has {got} entries, but {other} has {wanted}; expected the same number"
    )))
}

/// The number of outputs, from an attribute or a list of labels.
fn output_count(name: &str, count: i64) -> Result<usize, Fault> {
    match usize::try_from(count) {
        Ok(count) if (1..=MAX_OUTPUTS).contains(&count) => Ok(count),
        _ => Err(Fault::Bad(format!(
            "{name} is {count}, expected 1 to {MAX_OUTPUTS}"
        ))),
    }
}

/// A value of a list of 0s and 1s that may be absent.
fn flag(list: &[i64], at: usize) -> bool {
    list.get(at) == Some(&1)
}

/// A hit rate of a list that may be absent.
fn hit_rate(list: &[f64], at: usize) -> Result<f64, Fault> {
    let rate = list.get(at).copied().unwrap_or(0.0);
    if rate.is_finite() && rate >= 0.0 {
        return Ok(rate);
    }
    Err(Fault::Bad(format!(
        "its hit rate {rate} is not a finite number of at least 0"
    )))
}

fn output_names(count: usize) -> Vec<String> {
    (0..count).map(|k| format!("output {k}")).collect()
}

#[cfg(test)]
mod tests;

//! The graph around the ensembles: its names, and what of it may be left out.

use std::collections::{HashMap, HashSet};

use super::File;
use super::message::{GraphMessage, TensorMessage, ValueMessage};
use super::source::Source;
use super::sum::Sum;
use crate::error::Result;

/// Ensemble nodes of one graph beyond this many are refused.
const MAX_ENSEMBLES: usize = 4096;

pub(super) const ML: &str = "ai.onnx.ml";

/// Operators that may follow the margin: none of them moves a row's score to another row.
const AFTER: &str = "
    Abs Add And ArgMax ArgMin ArrayFeatureExtractor Binarizer Cast CastLike Clip Concat
    Constant ConstantOfShape Div Equal Erf Exp Expand Flatten Gather Greater
    GreaterOrEqual Identity LabelEncoder Less LessOrEqual Log LogSoftmax Max Min Mul Neg
    Normalizer Not Or Pow ReduceMax ReduceSum Relu Reshape Shape Sigmoid Sign Slice
    Softmax Softplus Split Sqrt Squeeze Sub Sum Tanh Transpose Unsqueeze Where Xor ZipMap
";

/// A graph with its names looked up.
#[derive(Debug)]
pub(super) struct Graph<'a> {
    pub(super) file: File<'a>,
    pub(super) message: &'a GraphMessage,
    /// Which node makes a value.
    pub(super) producer: HashMap<&'a str, usize>,
    /// Which nodes read a value, once per reading.
    pub(super) readers: HashMap<&'a str, Vec<usize>>,
    /// The inputs that change with the rows.
    pub(super) inputs: HashMap<&'a str, &'a ValueMessage>,
    pub(super) constants: HashMap<&'a str, &'a TensorMessage>,
    pub(super) outputs: HashSet<&'a str>,
    /// The tree ensembles among the nodes.
    pub(super) ensembles: Vec<usize>,
}

impl<'a> Graph<'a> {
    /// Looks up the names of a graph.
    ///
    /// # Errors
    /// [`crate::Error::Model`] if a value is made twice, [`crate::Error::Unsupported`] for too many ensembles.
    pub(super) fn new(file: File<'a>, message: &'a GraphMessage) -> Result<Graph<'a>> {
        let mut producer = HashMap::new();
        let mut readers: HashMap<&str, Vec<usize>> = HashMap::new();
        let mut ensembles = Vec::new();
        for (n, node) in message.node.iter().enumerate() {
            // Optional outputs that are left out have empty names.
            for output in node.output.iter().filter(|name| !name.is_empty()) {
                if producer.insert(output.as_str(), n).is_some() {
                    return Err(file.bad(
                        node.title(),
                        format!("its output \"{output}\" is another node's output, too"),
                    ));
                }
            }
            for input in node.input.iter().filter(|name| !name.is_empty()) {
                readers.entry(input.as_str()).or_default().push(n);
            }
            let known = matches!(
                node.op_type.as_str(),
                "TreeEnsemble" | "TreeEnsembleClassifier" | "TreeEnsembleRegressor"
            );
            if known && node.domain == ML {
                ensembles.push(n);
            }
        }
        if ensembles.len() > MAX_ENSEMBLES {
            return Err(file.unsupported(
                &format!("a graph of {} tree ensembles", ensembles.len()),
                format!("up to {MAX_ENSEMBLES} are read"),
            ));
        }
        let initializers = message.initializer.iter();
        let constants: HashMap<_, _> = initializers.map(|t| (t.name.as_str(), t)).collect();
        // Old exports list initializers among the inputs: those are constants.
        let inputs = message
            .input
            .iter()
            .map(|value| (value.name.as_str(), value));
        Ok(Graph {
            file,
            message,
            producer,
            readers,
            inputs: inputs
                .filter(|(name, _)| !constants.contains_key(name))
                .collect(),
            constants,
            outputs: message
                .output
                .iter()
                .map(|value| value.name.as_str())
                .collect(),
            ensembles,
        })
    }

    /// Checks that all other nodes are post-processing.
    ///
    /// # Errors
    /// [`crate::Error::Unsupported`], naming the first node that is not.
    pub(super) fn check_rest(&self, source: &Source, sum: &Sum) -> Result<()> {
        let mut known = vec![false; self.message.node.len()];
        for &n in self.ensembles.iter().chain(&source.nodes).chain(&sum.nodes) {
            known[n] = true;
        }
        let after: HashSet<&str> = AFTER.split_whitespace().collect();
        for (n, node) in self.message.node.iter().enumerate() {
            if known[n] {
                continue;
            }
            let domain = matches!(node.domain.as_str(), "" | "ai.onnx" | ML);
            let listed = after.contains(node.op_type.as_str());
            if !listed || !domain && node.op_type != "Identity" {
                return Err(self.file.unsupported(
                    &format!("{} beside or after the trees", node.title()),
                    "export the trees without it; whylight explains their raw scores",
                ));
            }
            let direct = |name: &&String| {
                let name = name.as_str();
                let of_source = |&n: &usize| source.nodes.binary_search(&n).is_ok();
                self.inputs.contains_key(name) || self.producer.get(name).is_some_and(of_source)
            };
            if let Some(name) = node.input.iter().find(direct)
                && node.op_type != "Shape"
            {
                return Err(self.file.unsupported(
                    &format!(
                        "{}, which reads the input \"{name}\" beside the trees",
                        node.title()
                    ),
                    "the model must depend on its input through the trees alone",
                ));
            }
        }
        Ok(())
    }
}

//! What follows the model in the graph, and the model that comes of the walk.

use super::network::Ending;
use super::{Constant, INSTEAD, Value, Walk, is_float, unsupported};
use crate::error::Result;
use crate::model::onnx::message::NodeMessage;
use crate::model::onnx::{Fault, output_names};
use crate::model::trees::Feature;
use crate::model::{Activation, Decision, Mlp, Model};

/// A value that is the model's answer, or a part of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Answer {
    /// A column for each margin.
    Margins,
    /// `−m` and `m` of the one margin m.
    Mirrored,
    /// `m` and `−m`.
    Swapped,
    /// `1 − p` of the one margin.
    First,
    /// p.
    Second,
    /// `1 − p` and p.
    Pair,
    /// The softmax of the margins.
    Softmax,
    /// The probabilities of the classes of machines.
    Classes,
}

/// A column or row of which there is one.
const SHAPES: [&str; 4] = ["Flatten", "Reshape", "Squeeze", "Unsqueeze"];
/// What makes labels.
const LABELS: [&str; 6] = [
    "ArgMax",
    "Greater",
    "GreaterOrEqual",
    "Less",
    "LessOrEqual",
    "Sign",
];

impl<'a> Walk<'a, '_> {
    /// A value as an answer, if the graph could end there.
    fn answer(&self, value: Value) -> Option<Answer> {
        match value {
            Value::Answer(answer) => Some(answer),
            Value::Neurons(steps) if steps == self.network.steps && steps > 0 => {
                let is_one = self.network.map.width() == 1;
                match self.network.ending {
                    Ending::Activation(Activation::Logistic) if is_one => Some(Answer::Second),
                    Ending::Softmax => Some(Answer::Softmax),
                    _ => Some(Answer::Margins),
                }
            }
            _ => None,
        }
    }

    /// What a node makes of an answer; `None` if it does not follow one.
    pub(super) fn of_answer(
        &mut self,
        node: &'a NodeMessage,
        operator: &str,
        known: &[(usize, Value)],
    ) -> Result<Option<Value>, Fault> {
        if let [(_, first), (_, second)] = known {
            let both = (self.answer(*first), self.answer(*second));
            let is_joined = operator == "Concat"
                && node.input.len() == 2
                && matches!(node.int("axis"), Some(1 | -1));
            return Ok(match both {
                (Some(Answer::First), Some(Answer::Second)) if is_joined => {
                    Some(Value::Answer(Answer::Pair))
                }
                _ => None,
            });
        }
        let [(place, value)] = *known else {
            return Ok(None);
        };
        let Some(answer) = self.answer(value) else {
            return Ok(None);
        };
        if operator == "ZipMap" {
            self.label(node, "classlabels_strings", "classlabels_int64s");
            return Ok(Some(value));
        }
        if LABELS.contains(&operator) {
            return Ok(Some(Value::Label));
        }
        let is_one = match (&self.machine, answer) {
            (Some(machine), Answer::Margins) => machine.intercepts.len() == 1,
            (None, Answer::Margins | Answer::First | Answer::Second) => {
                self.network.map.width() == 1
            }
            _ => false,
        };
        if is_one && SHAPES.contains(&operator) {
            return Ok(Some(value));
        }
        let is_distribution = matches!(answer, Answer::Pair | Answer::Softmax | Answer::Classes);
        if operator == "Normalizer" && is_distribution {
            return match node.text("norm").as_deref() {
                Some("L1") => Ok(Some(value)),
                _ => Err(unsupported("probabilities that are scaled")),
            };
        }
        let next = match (operator, answer) {
            ("Sub", Answer::Second) if place == 1 && self.is(node, 0, 1.0)? => Answer::First,
            ("Mul", Answer::Swapped) if self.is(node, 1 - place.min(1), -1.0)? => Answer::Mirrored,
            ("Neg", Answer::Swapped) => Answer::Mirrored,
            ("ArrayFeatureExtractor", Answer::Mirrored)
                if place == 0 && self.is(node, 1, 1.0)? =>
            {
                Answer::Margins
            }
            ("Cast", _) if !is_float(node) => return Ok(Some(Value::Label)),
            ("Identity" | "Cast", answer) => answer,
            _ => return Ok(None),
        };
        Ok(Some(match (next == answer, value) {
            (true, value) => value,
            _ => Value::Answer(next),
        }))
    }

    /// Whether an input of a node is this one number.
    fn is(&mut self, node: &'a NodeMessage, place: usize, number: f64) -> Result<bool, Fault> {
        let constant = match node.input.get(place) {
            Some(name) => self.constant(name)?,
            None => None,
        };
        Ok(constant.is_some_and(|Constant { numbers, .. }| numbers == [number]))
    }

    /// The model that the outputs of the graph are of.
    ///
    /// # Errors
    /// [`crate::Error::Unsupported`] if they are of none, or of several.
    pub(super) fn model(mut self) -> Result<Model> {
        let graph = self.graph;
        let refuse = |what: &str| {
            let nodes = &graph.message.node;
            let first = nodes
                .first()
                .map_or_else(|| "missing".to_owned(), NodeMessage::title);
            let what = format!(
                "a graph of {} nodes {what} (its first is {first})",
                nodes.len()
            );
            graph.file.unsupported(&what, INSTEAD)
        };
        let mut found = None;
        for output in &graph.message.output {
            let value = self.values.get(output.name.as_str()).copied();
            if value == Some(Value::Label) {
                continue;
            }
            let Some(answer) = value.and_then(|value| self.answer(value)) else {
                return Err(refuse(&format!(
                    "without a tree ensemble, whose output \"{}\" is not its answer",
                    output.name
                )));
            };
            if *found.get_or_insert(answer) != answer {
                return Err(refuse("with several answers"));
            }
        }
        let Some(answer) = found else {
            return Err(refuse(
                "without a tree ensemble, or another model that is read",
            ));
        };
        if matches!(answer, Answer::First) {
            return Err(refuse(
                "that answers the probability of the first class alone",
            ));
        }
        let model = match self.machine.take() {
            Some(machine) => Model::KernelMachine(machine),
            None => (self.perceptron(answer))
                .map_err(|fault| graph.file.fault("its last layer", fault))?,
        };
        Ok(self.encoded(model))
    }

    fn perceptron(&mut self, answer: Answer) -> Result<Model, Fault> {
        let ending = self.network.ending;
        if let (Answer::Margins, Ending::Activation(_)) = (answer, ending) {
            // The answer is what an activation makes: a layer that adds nothing comes after it.
            self.network.next(None, &mut self.budget)?;
        }
        let network = std::mem::take(&mut self.network);
        let last = network.map.layer(&mut self.budget)?;
        let count = last.biases.len();
        let mut layers = network.layers;
        layers.push(last);
        let probability = match answer {
            Answer::Pair | Answer::Second => Some(Decision::Pair),
            Answer::Softmax => Some(Decision::Softmax),
            _ => None,
        };
        let wanted = if probability == Some(Decision::Pair) {
            2
        } else {
            count
        };
        let outputs = match self.classes.as_slice() {
            [_, second] if wanted == 1 => vec![second.clone()],
            classes if classes.len() == wanted => classes.to_vec(),
            _ => output_names(wanted),
        };
        let mut features = std::mem::take(&mut self.features);
        let width = layers.first().map_or(0, |layer| layer.weights.ncols());
        features.resize(width, Feature::default());
        Ok(Model::Mlp(Mlp {
            features,
            outputs,
            activation: network.activation.unwrap_or(Activation::Identity),
            layers,
            probability,
        }))
    }
}

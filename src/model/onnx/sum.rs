//! The model's margin in the graph: the sum of the ensembles' scores, and the scales and shifts by
//! constants that follow.

use std::collections::HashMap;

use super::Ensemble;
use super::graph::Graph;
use super::message::{DOUBLE, FLOAT, NodeMessage, TensorMessage};
use crate::error::{Error, Result};

/// A sum of ensembles: Σ scaleₑ·scoreₑ + shift, column for column.
#[derive(Debug)]
pub(super) struct Sum {
    /// Ensembles by their position in [`Graph::ensembles`], each with one scale per output.
    pub(super) terms: Vec<(usize, Vec<f64>)>,
    pub(super) shift: Vec<f64>,
    /// The nodes that make the sum.
    pub(super) nodes: Vec<usize>,
}

/// A value of the graph that is a sum of ensembles.
struct Head<'a> {
    name: &'a str,
    sum: Sum,
}

impl<'a> Graph<'a> {
    /// The sum of all ensembles' scores that the graph goes on from.
    ///
    /// # Errors
    /// [`Error::Unsupported`] where several ensembles are not summed, naming two of them.
    pub(super) fn sum(&self, ensembles: &[Ensemble]) -> Result<Sum> {
        let mut pending: Vec<Head<'a>> = Vec::new();
        let mut ends = Vec::new();
        for (e, &n) in self.ensembles.iter().enumerate() {
            let node = &self.message.node[n];
            let score = usize::from(node.op_type == "TreeEnsembleClassifier");
            let width = ensembles[e].base.len();
            let head = Head {
                name: node.output.get(score).map_or("", String::as_str),
                sum: Sum {
                    terms: vec![(e, vec![1.0; width])],
                    shift: vec![0.0; width],
                    nodes: Vec::new(),
                },
            };
            if ensembles[e].raw {
                pending.push(head);
            } else {
                ends.push(head);
            }
        }
        // Sums wait at the node that adds them until the last of its inputs has come.
        let mut waiting: HashMap<usize, Vec<Head<'a>>> = HashMap::new();
        let mut budget = self.message.node.len() + 1;
        while let Some(mut head) = pending.pop() {
            let Some((n, node)) = self.only_reader(head.name) else {
                ends.push(head);
                continue;
            };
            if budget == 0 {
                return Err(self.file.bad(node.title(), "its input depends on itself"));
            }
            if self.fold(node, head.name, &mut head.sum)? {
                budget -= 1;
                head.sum.nodes.push(n);
                head.name = node.output.first().map_or("", String::as_str);
                pending.push(head);
            } else if matches!(node.op_type.as_str(), "Add" | "Sum") && node.domain.is_empty() {
                let here = waiting.entry(n).or_default();
                here.push(head);
                if here.len() == node.input.len()
                    && let Some(heads) = waiting.remove(&n)
                {
                    budget = budget.saturating_sub(1);
                    match add(heads, n) {
                        Ok(sum) => pending.push(Head {
                            name: node.output.first().map_or("", String::as_str),
                            sum,
                        }),
                        Err(mut heads) => ends.append(&mut heads),
                    }
                }
            } else {
                ends.push(head);
            }
        }
        let mut left: Vec<_> = waiting.into_values().flatten().collect();
        ends.append(&mut left);
        match ends.pop() {
            Some(head) if ends.is_empty() => Ok(head.sum),
            _ => Err(self.not_summed()),
        }
    }

    fn not_summed(&self) -> Error {
        let titles: Vec<_> = self
            .ensembles
            .iter()
            .take(2)
            .map(|&n| self.message.node[n].title())
            .collect();
        self.file.unsupported(
            &format!(
                "a graph of {} tree ensembles that are not summed ({})",
                self.ensembles.len(),
                titles.join(", ")
            ),
            "the raw scores of all ensembles must be added up; export one model at a time, without \
             outputs for decision paths or leaves",
        )
    }

    /// The one node that reads a value; `None` if it is an output of the graph or read otherwise.
    fn only_reader(&self, name: &str) -> Option<(usize, &'a NodeMessage)> {
        if self.outputs.contains(name) {
            return None;
        }
        match self.readers.get(name)?.as_slice() {
            [n] => Some((*n, &self.message.node[*n])),
            _ => None,
        }
    }

    /// Takes a node into the sum if it leaves, scales or shifts it by constants; else false.
    fn fold(&self, node: &NodeMessage, score: &str, sum: &mut Sum) -> Result<bool> {
        let width = sum.shift.len();
        if node.op_type == "Identity" {
            return Ok(true);
        }
        if !node.domain.is_empty() {
            return Ok(false);
        }
        match node.op_type.as_str() {
            "Cast" => {
                let to = node.int("to");
                return Ok(to == Some(FLOAT.into()) || to == Some(DOUBLE.into()));
            }
            "Reshape" | "Flatten" | "Squeeze" | "Unsqueeze" => {
                let first = node.input.first().is_some_and(|name| name == score);
                return Ok(first && width == 1);
            }
            "Neg" => {
                sum.transform(|_| -1.0, |_| 0.0);
                return Ok(true);
            }
            "Add" | "Sub" | "Mul" | "Div" => {}
            _ => return Ok(false),
        }
        let (other, score_first) = match node.input.as_slice() {
            [a, b] if a == score => (b, true),
            [a, b] if b == score => (a, false),
            _ => return Ok(false),
        };
        let Some(constant) = self.constant(other, width)? else {
            return Ok(false);
        };
        let c = |k: usize| constant[if constant.len() == 1 { 0 } else { k }];
        match (node.op_type.as_str(), score_first) {
            ("Add", _) => sum.transform(|_| 1.0, c),
            ("Sub", true) => sum.transform(|_| 1.0, |k| -c(k)),
            ("Sub", false) => sum.transform(|_| -1.0, c),
            ("Mul", _) => sum.transform(c, |_| 0.0),
            ("Div", true) if constant.iter().all(|&c| c != 0.0) => {
                sum.transform(|k| 1.0 / c(k), |_| 0.0);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// A constant that has one number for all columns, or one per column.
    fn constant(&self, name: &str, width: usize) -> Result<Option<Vec<f64>>> {
        let fits = |dims: &[i64], count: usize| {
            count == 1 || count == width && dims.last() == Some(&(width as i64))
        };
        let read = |tensor: &TensorMessage, at: String| {
            if !fits(
                &tensor.dims,
                tensor
                    .dims
                    .iter()
                    .fold(1, |n: usize, &d| n.saturating_mul(d.max(0) as usize)),
            ) {
                return Ok(None);
            }
            match tensor.numbers() {
                Ok(numbers) => Ok(Some(numbers)),
                Err(reason) => Err(self.file.bad(at, reason)),
            }
        };
        if let Some(tensor) = self.constants.get(name) {
            return read(tensor, format!("initializer \"{name}\""));
        }
        let Some(&n) = self.producer.get(name) else {
            return Ok(None);
        };
        let node = &self.message.node[n];
        if node.op_type != "Constant" || !node.domain.is_empty() {
            return Ok(None);
        }
        if let Some(tensor) = node.tensor("value") {
            return read(tensor, node.title());
        }
        if let Some(value) = node.float("value_float") {
            return Ok(Some(vec![value.into()]));
        }
        if let Some(value) = node.int("value_int") {
            return Ok(Some(vec![value as f64]));
        }
        let list = node.floats("value_floats");
        Ok(
            fits(&[list.len() as i64], list.len())
                .then(|| list.iter().map(|&v| v.into()).collect()),
        )
    }
}

impl Sum {
    /// Replaces the sum s of output k by `scale(k)`·s + `shift(k)`.
    fn transform(&mut self, scale: impl Fn(usize) -> f64, shift: impl Fn(usize) -> f64) {
        for (_, scales) in &mut self.terms {
            scales
                .iter_mut()
                .enumerate()
                .for_each(|(k, s)| *s *= scale(k));
        }
        for (k, s) in self.shift.iter_mut().enumerate() {
            *s = *s * scale(k) + shift(k);
        }
    }
}

/// The sum of several; the heads themselves if they do not have the same number of outputs.
fn add(heads: Vec<Head<'_>>, node: usize) -> std::result::Result<Sum, Vec<Head<'_>>> {
    let width = heads.first().map_or(0, |head| head.sum.shift.len());
    if heads.iter().any(|head| head.sum.shift.len() != width) {
        return Err(heads);
    }
    let mut sum = Sum {
        terms: Vec::new(),
        shift: vec![0.0; width],
        nodes: vec![node],
    };
    for mut head in heads {
        if head.sum.terms.len() > sum.terms.len() {
            std::mem::swap(&mut head.sum.terms, &mut sum.terms);
        }
        sum.terms.append(&mut head.sum.terms);
        sum.nodes.append(&mut head.sum.nodes);
        for (total, shift) in sum.shift.iter_mut().zip(&head.sum.shift) {
            *total += shift;
        }
    }
    Ok(sum)
}

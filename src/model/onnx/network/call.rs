//! A node with the values that it reads.

use super::array::Array;
use super::axes;
use super::builder::{Active, Value};
use super::{Made, fault};
use crate::model::onnx::Fault;
use crate::model::onnx::message::NodeMessage;

/// A node that is being read.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub(super) node: &'a NodeMessage,
    /// `None` for an optional one that is left out.
    pub(super) inputs: Vec<Option<Value>>,
    /// The version of the standard operators.
    pub(super) opset: i64,
}

impl Call<'_> {
    /// An input, if it is there.
    pub(super) fn optional(&self, index: usize) -> Option<&Value> {
        self.inputs.get(index)?.as_ref()
    }

    /// An input.
    pub(super) fn input(&self, index: usize) -> Made<&Value> {
        let missing = || Fault::Bad(format!("its input {index} is missing"));
        self.optional(index).ok_or_else(missing)
    }

    /// The inputs that are there, at least one.
    pub(super) fn all(&self) -> Made<Vec<Value>> {
        self.input(0)?;
        Ok(self.inputs.iter().flatten().cloned().collect())
    }

    /// An input that does not change with the example, if it is there.
    pub(super) fn constant(&self, index: usize) -> Made<Option<&Array>> {
        match self.optional(index) {
            None => Ok(None),
            Some(Value::Constant(array)) => Ok(Some(array)),
            Some(Value::Active(_)) => {
                let name = self.node.input.get(index).map_or("", String::as_str);
                Err(Fault::Unsupported {
                    what: format!("the input \"{name}\", which changes with the example,"),
                    instead: "it must be a constant of the graph here".to_owned(),
                })
            }
        }
    }

    /// An input that does not change with the example.
    pub(super) fn needed(&self, index: usize) -> Made<&Array> {
        self.input(index)?;
        let missing = || Fault::Bad(format!("its input {index} is missing"));
        self.constant(index)?.ok_or_else(missing)
    }

    /// An input of whole numbers that do not change with the example, if it is there.
    pub(super) fn list(&self, index: usize) -> Made<Option<Vec<i64>>> {
        let array = self.constant(index)?;
        Ok(array.map(|array| array.whole().collect()))
    }

    /// An input that is one number, if it is there.
    pub(super) fn number(&self, index: usize) -> Made<Option<f64>> {
        match self.constant(index)? {
            None => Ok(None),
            Some(array) if array.len() == 1 => Ok(Some(array.at(0))),
            Some(array) => fault(format!(
                "its input {index} has {} elements; expected one",
                array.len()
            )),
        }
    }

    /// An input that changes with the example.
    pub(super) fn active(&self, index: usize) -> Made<&Active> {
        match self.input(index)? {
            Value::Active(active) => Ok(active),
            Value::Constant(_) => Err(Fault::Unsupported {
                what: "an operation on constants alone".to_owned(),
                instead: "export the model with its constants folded".to_owned(),
            }),
        }
    }

    pub(super) fn int(&self, name: &str, default: i64) -> i64 {
        self.node.int(name).unwrap_or(default)
    }

    pub(super) fn flag(&self, name: &str, default: bool) -> bool {
        self.int(name, default.into()) != 0
    }

    pub(super) fn float(&self, name: &str, default: f32) -> f32 {
        self.node.float(name).unwrap_or(default)
    }

    pub(super) fn text(&self, name: &str, default: &str) -> String {
        (self.node.text(name))
            .filter(|text| !text.is_empty())
            .unwrap_or_else(|| default.to_owned())
    }

    /// An attribute that is an axis.
    pub(super) fn axis(&self, default: i64, rank: usize) -> Made<usize> {
        axes::axis(self.int("axis", default), rank)
    }

    /// A list that is an input in new versions of the operator and an attribute in old ones, if it is there.
    pub(super) fn either(&self, index: usize, name: &str) -> Made<Option<Vec<i64>>> {
        match self.list(index)? {
            Some(list) => Ok(Some(list)),
            None => Ok(self.node.attribute(name).map(|a| a.ints.clone())),
        }
    }

    /// [`Call::either`] as axes, none twice.
    pub(super) fn axes(&self, index: usize, rank: usize) -> Made<Option<Vec<usize>>> {
        let Some(list) = self.either(index, "axes")? else {
            return Ok(None);
        };
        distinct(&list, rank).map(Some)
    }

    /// A list attribute of as many whole numbers as there are axes, none negative.
    pub(super) fn sizes(&self, name: &str, count: usize, default: usize) -> Made<Vec<usize>> {
        let list = self.node.ints(name);
        if list.is_empty() {
            return Ok(vec![default; count]);
        }
        if list.len() != count {
            return fault(format!(
                "{name} has {} numbers; expected {count}",
                list.len()
            ));
        }
        let size = |&n: &i64| usize::try_from(n).ok().filter(|&n| n < 1 << 31);
        let sizes: Option<Vec<usize>> = list.iter().map(size).collect();
        sizes.map_or_else(|| fault(format!("{name} is {list:?}")), Ok)
    }
}

/// Axes, none twice.
pub(super) fn distinct(list: &[i64], rank: usize) -> Made<Vec<usize>> {
    let found: Made<Vec<usize>> = list.iter().map(|&n| axes::axis(n, rank)).collect();
    let found = found?;
    let mut seen = vec![false; rank];
    for &axis in &found {
        if std::mem::replace(&mut seen[axis], true) {
            return fault(format!("its axes are {list:?}: one is there twice"));
        }
    }
    Ok(found)
}

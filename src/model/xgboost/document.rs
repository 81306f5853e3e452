//! The tree of values that both of XGBoost's encodings hold, and typed access to its parts.
//!
//! Arrays of numbers are kept flat: a model file is little else, and a general JSON value takes
//! eight times the space of a float32.

use std::borrow::Cow;
use std::path::Path;

use crate::error::{Error, Result};

/// Nesting beyond this depth is refused; the library's own files reach seven.
pub(super) const MAX_DEPTH: usize = 32;

/// A value of a model file. Booleans are integers: the library itself mixes them freely.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Null,
    Int(i64),
    Float(f32),
    Text(String),
    Ints(Vec<i64>),
    Floats(Vec<f32>),
    Array(Vec<Value>),
    Object(Vec<(String, Value)>),
}

impl Value {
    /// Appends an element to an array that is being read, and keeps arrays of numbers flat.
    pub(super) fn push(&mut self, item: Value) {
        match (&mut *self, item) {
            (Value::Ints(list), Value::Int(item)) => list.push(item),
            (Value::Floats(list), Value::Float(item)) => list.push(item),
            (Value::Floats(list), Value::Int(item)) => list.push(item as f32),
            (Value::Ints(list), Value::Float(item)) => {
                let mut floats: Vec<f32> = list.iter().map(|&item| item as f32).collect();
                floats.push(item);
                *self = Value::Floats(floats);
            }
            (Value::Array(list), item) if !list.is_empty() => list.push(item),
            (Value::Ints(list), item) => {
                let mut items: Vec<Value> = list.drain(..).map(Value::Int).collect();
                items.push(item);
                *self = Value::Array(items);
            }
            (Value::Floats(list), item) => {
                let mut items: Vec<Value> = list.drain(..).map(Value::Float).collect();
                items.push(item);
                *self = Value::Array(items);
            }
            (_, Value::Int(item)) => *self = Value::Ints(vec![item]),
            (_, Value::Float(item)) => *self = Value::Floats(vec![item]),
            (_, item) => *self = Value::Array(vec![item]),
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Int(_) => "an integer",
            Value::Float(_) => "a number",
            Value::Text(_) => "a string",
            Value::Ints(_) => "a list of integers",
            Value::Floats(_) => "a list of numbers",
            Value::Array(_) => "a list",
            Value::Object(_) => "an object",
        }
    }
}

/// A file as errors name it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) path: &'a Path,
    pub(super) format: &'static str,
}

impl Source<'_> {
    /// The error for a fault in this file.
    pub(super) fn fault(&self, at: impl Into<String>, reason: impl Into<String>) -> Error {
        Error::Model {
            path: self.path.to_owned(),
            format: self.format,
            at: at.into(),
            reason: reason.into(),
        }
    }
}

/// An object of a model file and its place there.
#[derive(Debug, Clone)]
pub(super) struct Section<'a> {
    pub(super) source: Source<'a>,
    pub(super) at: String,
    fields: &'a [(String, Value)],
}

impl<'a> Section<'a> {
    /// `value` as an object; `at` names its place in errors.
    pub(super) fn new(value: &'a Value, source: Source<'a>, at: String) -> Result<Section<'a>> {
        match value {
            Value::Object(fields) => Ok(Section { source, at, fields }),
            other => Err(source.fault(at, format!("expected an object, found {}", other.kind()))),
        }
    }

    /// The error for a fault of this section.
    pub(super) fn fault(&self, reason: impl Into<String>) -> Error {
        self.source.fault(self.at.clone(), reason)
    }

    fn expected(&self, key: &str, wanted: &str, found: &Value) -> Error {
        self.fault(format!(
            "\"{key}\" should be {wanted}, but is {}",
            found.kind()
        ))
    }

    /// The value of `key`, if there is one; `null` counts as none.
    pub(super) fn find(&self, key: &str) -> Option<&'a Value> {
        let found = self.fields.iter().find(|(name, _)| name == key);
        found
            .map(|(_, value)| value)
            .filter(|value| **value != Value::Null)
    }

    /// The value of `key`.
    pub(super) fn get(&self, key: &str) -> Result<&'a Value> {
        self.find(key).ok_or_else(|| {
            self.fault(format!(
                "\"{key}\" is missing; the file is incomplete, save the model again"
            ))
        })
    }

    /// The object under `key`.
    pub(super) fn section(&self, key: &str) -> Result<Section<'a>> {
        Section::new(self.get(key)?, self.source, format!("{}.{key}", self.at))
    }

    /// The string under `key`.
    pub(super) fn text(&self, key: &str) -> Result<&'a str> {
        match self.get(key)? {
            Value::Text(text) => Ok(text),
            other => Err(self.expected(key, "a string", other)),
        }
    }

    /// The integer ≥ 0 under `key`, which the library writes as a string.
    pub(super) fn count(&self, key: &str) -> Result<usize> {
        let count = match self.get(key)? {
            Value::Text(text) => text.trim().parse().ok(),
            Value::Int(count) => usize::try_from(*count).ok(),
            _ => None,
        };
        count.ok_or_else(|| self.fault(format!("\"{key}\" should be an integer of at least 0")))
    }

    /// [`Section::count`], or `default` if there is no such key.
    pub(super) fn count_or(&self, key: &str, default: usize) -> Result<usize> {
        self.find(key).map_or(Ok(default), |_| self.count(key))
    }

    /// The integers under `key`.
    pub(super) fn ints(&self, key: &str) -> Result<&'a [i64]> {
        match self.get(key)? {
            Value::Ints(list) => Ok(list),
            Value::Array(list) if list.is_empty() => Ok(&[]),
            other => Err(self.expected(key, "a list of integers", other)),
        }
    }

    /// The numbers under `key`.
    pub(super) fn floats(&self, key: &str) -> Result<Cow<'a, [f32]>> {
        match self.get(key)? {
            Value::Floats(list) => Ok(Cow::Borrowed(list)),
            Value::Ints(list) => Ok(list.iter().map(|&item| item as f32).collect()),
            Value::Array(list) if list.is_empty() => Ok(Cow::Borrowed(&[])),
            other => Err(self.expected(key, "a list of numbers", other)),
        }
    }

    /// The values under `key`, which are not numbers.
    pub(super) fn list(&self, key: &str) -> Result<&'a [Value]> {
        match self.get(key)? {
            Value::Array(list) => Ok(list),
            other => Err(self.expected(key, "a list", other)),
        }
    }

    /// The strings under `key`; none if there is no such key.
    pub(super) fn texts(&self, key: &str) -> Result<Vec<String>> {
        if self.find(key).is_none() {
            return Ok(Vec::new());
        }
        let texts = self.list(key)?.iter().map(|item| match item {
            Value::Text(text) => Ok(text.clone()),
            other => Err(self.expected(key, "a list of strings", other)),
        });
        texts.collect()
    }

    /// An error unless a list under `key` has `wanted` elements.
    pub(super) fn check_length(&self, key: &str, found: usize, wanted: usize) -> Result<()> {
        if found == wanted {
            return Ok(());
        }
        Err(self.fault(format!("\"{key}\" has {found} elements, expected {wanted}")))
    }
}

#[cfg(test)]
mod tests {
    use super::Value;

    fn list(items: Vec<Value>) -> Value {
        let mut list = Value::Array(Vec::new());
        for item in items {
            list.push(item);
        }
        list
    }

    #[test]
    fn arrays_of_numbers_are_flat_and_mixed_ones_keep_every_element() {
        use Value::{Array, Float, Floats, Int, Ints, Text};
        assert_eq!(list(vec![]), Array(vec![]));
        assert_eq!(list(vec![Int(1), Int(2)]), Ints(vec![1, 2]));
        assert_eq!(
            list(vec![Int(1), Float(0.5), Int(2)]),
            Floats(vec![1.0, 0.5, 2.0])
        );
        let text = || Text("a".to_owned());
        assert_eq!(
            list(vec![Int(1), text(), Int(2)]),
            Array(vec![Int(1), text(), Int(2)])
        );
        assert_eq!(
            list(vec![Float(1.0), text()]),
            Array(vec![Float(1.0), text()])
        );
        assert_eq!(
            list(vec![text(), Float(1.0)]),
            Array(vec![text(), Float(1.0)])
        );
    }
}

//! `OneHotEncoder` and `LabelEncoder`: what stands for the categories of raw columns.

use std::sync::Arc;

use super::columns::List;
use super::{Walk, unsupported, widened};
use crate::model::onnx::message::NodeMessage;
use crate::model::onnx::source::MAX_FEATURES;
use crate::model::onnx::{Fault, same_length};
use crate::model::{Column, Lookup, Part};

impl Walk<'_, '_> {
    /// A column for each category of each column.
    pub(super) fn one_hot(&mut self, node: &NodeMessage, list: usize) -> Result<List, Fault> {
        let (texts, integers) = (node.strings("cats_strings"), node.ints("cats_int64s"));
        let count = texts.len().max(integers.len());
        if texts.is_empty() == integers.is_empty() {
            return Err(Fault::bad("it has not one of cats_strings and cats_int64s"));
        }
        let groups = self.lists[list].columns.len();
        let total = groups.saturating_mul(count);
        if total > MAX_FEATURES {
            return Err(unsupported(format!("more than {MAX_FEATURES} columns")));
        }
        if self.lists[list].groups.is_some() {
            return Err(unsupported(
                "categories of columns that no Reshape puts side by side",
            ));
        }
        self.budget.spend(0, total)?;
        let is_strict = node.int("zeros") == Some(0);
        let mut columns = Vec::with_capacity(total);
        for column in self.lists[list].columns.clone() {
            let is_plain = matches!(column.part, Part::Cell | Part::Whole) && !column.is_scaled();
            if !is_plain || self.is_text(&column) == texts.is_empty() {
                return Err(unsupported(
                    "categories of other than raw columns of their type",
                ));
            }
            let categories = if texts.is_empty() {
                integers.to_vec()
            } else {
                self.categories(column.feature, texts)?
            };
            let mut sorted = categories.clone();
            sorted.sort_unstable();
            if sorted.windows(2).any(|pair| pair[0] == pair[1]) {
                return Err(Fault::bad("it names a category twice"));
            }
            if let Some(raw) = self.raw.as_mut().filter(|_| is_strict) {
                raw.strict.push((column.feature, sorted.into()));
            }
            columns.extend(categories.into_iter().map(|category| Column {
                part: Part::Is(category),
                ..Column::of(column.feature)
            }));
        }
        Ok(List {
            columns,
            groups: Some(groups),
        })
    }

    /// The numbers of categories of a column of text.
    fn categories(&mut self, feature: usize, texts: &[Vec<u8>]) -> Result<Vec<i64>, Fault> {
        let bytes: usize = texts.iter().map(Vec::len).sum();
        self.budget.spend(0, texts.len().saturating_add(bytes))?;
        let raw = self.raw.as_mut();
        let found = raw.and_then(|raw| {
            let labels = &mut raw.features[feature].categories.as_mut()?.labels;
            Some((labels, raw.labels[feature].as_mut()?))
        });
        let (labels, known) = found.ok_or_else(|| Fault::bad("categories of no text"))?;
        let category = |text: &Vec<u8>| {
            let text = String::from_utf8(text.clone())
                .map_err(|_| Fault::bad("a category that is no UTF-8 text"))?;
            Ok(*known.entry(text).or_insert_with_key(|text| {
                labels.push(text.clone());
                labels.len() as i64 - 1
            }))
        };
        texts.iter().map(category).collect()
    }

    /// A number for each category.
    pub(super) fn looked_up(&mut self, node: &NodeMessage, list: usize) -> Result<List, Fault> {
        let (numbers, default) = match (node.ints("values_int64s"), node.floats("values_floats")) {
            (integers, []) if !integers.is_empty() => (
                integers.iter().map(|&number| number as f64).collect(),
                node.int("default_int64").unwrap_or(-1) as f64,
            ),
            ([], floats) if !floats.is_empty() => (
                widened(floats),
                f64::from(node.float("default_float").unwrap_or(0.0)),
            ),
            _ => {
                return Err(unsupported(
                    "other values than values_int64s or values_floats",
                ));
            }
        };
        let numbers: Vec<f64> = numbers;
        let (texts, integers) = (node.strings("keys_strings"), node.ints("keys_int64s"));
        let floats = widened(node.floats("keys_floats"));
        let keys = [texts.len(), integers.len(), floats.len()];
        if keys.iter().filter(|&&count| count > 0).count() != 1 {
            return Err(unsupported(
                "other keys than keys_strings, keys_int64s or keys_floats",
            ));
        }
        same_length(
            "its values",
            numbers.len(),
            "the list of keys",
            keys.iter().sum(),
        )?;
        let List {
            mut columns,
            groups,
        } = self.lists[list].clone();
        self.budget
            .spend(0, columns.len().saturating_mul(numbers.len()))?;
        let whole = !integers.is_empty();
        for column in &mut columns {
            let is_its_type = match column.part {
                Part::Cell if self.is_text(column) => !texts.is_empty(),
                Part::Cell | Part::Whole => texts.is_empty(),
                _ => false,
            };
            if !is_its_type || column.is_scaled() {
                return Err(unsupported(
                    "labels of other than raw columns of their type",
                ));
            }
            let keys: Vec<f64> = if !texts.is_empty() {
                let categories = self.categories(column.feature, texts)?;
                categories
                    .into_iter()
                    .map(|category| category as f64)
                    .collect()
            } else if whole {
                integers.iter().map(|&key| key as f64).collect()
            } else {
                floats.clone()
            };
            let entries = keys.into_iter().zip(numbers.iter().copied()).collect();
            let is_whole = whole || column.part == Part::Whole;
            column.part = Part::Lookup(Arc::new(Lookup::new(entries, default, is_whole)));
        }
        Ok(List { columns, groups })
    }
}

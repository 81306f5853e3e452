//! A column of category labels in a CSV file.

use std::collections::HashMap;

use super::cell::Numbers;
use crate::data::Column;

/// A label column of a batch while it grows.
pub(super) struct Labels {
    /// The column of the file.
    pub(super) column: usize,
    pub(super) codes: Vec<i32>,
    pub(super) words: Vec<String>,
    codes_by_word: HashMap<Vec<u8>, i32>,
}

impl Labels {
    pub(super) fn new(column: usize, known: &[String]) -> Self {
        let mut positions = HashMap::with_capacity(known.len());
        for (code, label) in known.iter().enumerate() {
            positions
                .entry(label.clone().into_bytes())
                .or_insert(code as i32);
        }
        Self {
            column,
            codes: Vec::new(),
            words: known.to_vec(),
            codes_by_word: positions,
        }
    }

    /// Appends a cell; false if it is not UTF-8.
    pub(super) fn push(&mut self, cell: &[u8], numbers: &Numbers) -> bool {
        let code = if let Some(&code) = self.codes_by_word.get(cell) {
            code
        } else if numbers.is_missing(cell) {
            -1
        } else {
            let Ok(label) = std::str::from_utf8(cell) else {
                return false;
            };
            let code = self.words.len() as i32;
            self.words.push(label.to_owned());
            self.codes_by_word.insert(cell.to_vec(), code);
            code
        };
        self.codes.push(code);
        true
    }

    pub(super) fn into_column(self) -> Column {
        Column::Labels {
            codes: self.codes,
            labels: self.words,
        }
    }
}

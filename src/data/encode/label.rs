//! Category labels: from the text or the number in a cell to the model's category number.

use std::collections::HashMap;

use crate::model::{Categories, Numbers};

/// What the labels of one feature mean.
#[derive(Debug, Clone)]
pub(super) struct LabelMap {
    by_text: HashMap<String, i32>,
    /// By the bits of a number, for labels that are the shortest decimal text of one; `None` where
    /// numbers are category numbers already.
    by_number: Option<NumberMap>,
}

/// Category numbers by the bits of the float64 that a label spells.
pub(super) type NumberMap = HashMap<u64, i32>;

impl LabelMap {
    pub(super) fn new(categories: &Categories) -> Self {
        let mut by_text = HashMap::with_capacity(categories.labels.len());
        let mut by_number = HashMap::new();
        for (code, label) in categories.labels.iter().enumerate() {
            let code = code as i32;
            by_text.entry(label.clone()).or_insert(code);
            if let Ok(number) = label.parse::<f64>()
                && number.to_string() == *label
                && !number.is_nan()
            {
                by_number.entry(bits(number)).or_insert(code);
            }
        }
        Self {
            by_text,
            by_number: (categories.numbers == Numbers::Labels).then_some(by_number),
        }
    }

    /// The map for numeric cells, where they are labels.
    pub(super) fn numbers(&self) -> Option<&NumberMap> {
        self.by_number.as_ref()
    }

    /// The category number of each of a batch's labels; -1 for those that the model has not seen.
    pub(super) fn translate(&self, labels: &[String]) -> Vec<i32> {
        let code = |label: &String| self.by_text.get(label).copied().unwrap_or(-1);
        labels.iter().map(code).collect()
    }
}

/// The category number of a number that is a label: NaN stays missing, unseen ones are -1.
pub(super) fn category(map: &NumberMap, number: f64) -> f64 {
    if number.is_nan() {
        return number;
    }
    map.get(&bits(number)).map_or(-1.0, |&code| f64::from(code))
}

/// The same bits for equal numbers: -0 is 0.
fn bits(number: f64) -> u64 {
    (number + 0.0).to_bits()
}

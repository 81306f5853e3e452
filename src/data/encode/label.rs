//! Category labels: from the text or the number in a cell to the model's category number.

use std::collections::HashMap;

use super::city_hash::city_hash;
use crate::model::{Categories, Numbers};

/// What the labels of one feature mean.
#[derive(Debug, Clone)]
pub(super) struct LabelMap {
    texts: Texts,
    /// `None` where numbers are category numbers already.
    numbers: Option<NumberMap>,
    /// A text that is no label but spells a number is that number.
    by_value: bool,
}

/// Category numbers by label.
#[derive(Debug, Clone)]
enum Texts {
    Labels(HashMap<String, i32>),
    Hashes(HashMap<u32, i32>),
}

/// Category numbers of numbers that are labels.
#[derive(Debug, Clone)]
pub(super) enum NumberMap {
    /// By the bits of the float64 that a label spells; where the text is the label, if it is the
    /// number's shortest.
    Labels(HashMap<u64, i32>),
    /// By the hash of the number's shortest decimal text.
    Hashes(HashMap<u32, i32>),
}

impl LabelMap {
    pub(super) fn new(categories: &Categories) -> Self {
        if categories.numbers == Numbers::Hashes {
            let hashes = hashes(categories);
            return Self {
                texts: Texts::Hashes(hashes.clone()),
                numbers: Some(NumberMap::Hashes(hashes)),
                by_value: false,
            };
        }
        let by_value = categories.numbers == Numbers::Values;
        let mut by_text = HashMap::with_capacity(categories.labels.len());
        let mut by_number = HashMap::new();
        for (code, label) in categories.labels.iter().enumerate() {
            let code = code as i32;
            by_text.entry(label.clone()).or_insert(code);
            if let Ok(number) = label.parse::<f64>()
                && (by_value || number.to_string() == *label)
                && !number.is_nan()
            {
                by_number.entry(bits(number)).or_insert(code);
            }
        }
        let are_codes = categories.numbers == Numbers::Codes;
        Self {
            texts: Texts::Labels(by_text),
            numbers: (!are_codes).then_some(NumberMap::Labels(by_number)),
            by_value,
        }
    }

    /// The map for numeric cells, where they are labels.
    pub(super) fn numbers(&self) -> Option<&NumberMap> {
        self.numbers.as_ref()
    }

    /// The category number of each of a batch's labels; -1 for those that the model has not seen.
    pub(super) fn translate(&self, labels: &[String]) -> Vec<i32> {
        let code = |label: &String| match &self.texts {
            Texts::Labels(codes) => codes.get(label),
            Texts::Hashes(codes) => codes.get(&hash(label)),
        };
        let by_value = |label: &String| match &self.numbers {
            Some(NumberMap::Labels(codes)) if self.by_value => {
                codes.get(&bits(label.trim().parse().ok()?))
            }
            _ => None,
        };
        (labels.iter())
            .map(|label| {
                code(label)
                    .or_else(|| by_value(label))
                    .copied()
                    .unwrap_or(-1)
            })
            .collect()
    }
}

/// Category numbers by the hashes that stand in the place of labels.
fn hashes(categories: &Categories) -> HashMap<u32, i32> {
    let hashes = (0..).zip(&categories.labels);
    hashes
        .filter_map(|(code, hash)| Some((hash.parse().ok()?, code)))
        .collect()
}

/// The labels that are known before a table is read: the model's, or, where it has only hashes,
/// those of the marks for missing cells that are labels to it.
pub(in crate::data) fn known(categories: &Categories, marks: &[String]) -> Vec<String> {
    if categories.numbers != Numbers::Hashes {
        return categories.labels.clone();
    }
    let hashes = hashes(categories);
    let is_label = |mark: &&String| hashes.contains_key(&hash(mark));
    marks.iter().filter(is_label).cloned().collect()
}

/// `CatBoost`'s hash of a label.
fn hash(label: &str) -> u32 {
    city_hash(label.as_bytes()) as u32
}

/// The category number of a number that is a label: NaN stays missing, unseen ones are -1.
pub(super) fn category(map: &NumberMap, number: f64) -> f64 {
    if number.is_nan() {
        return number;
    }
    let code = match map {
        NumberMap::Labels(codes) => codes.get(&bits(number)),
        NumberMap::Hashes(codes) => codes.get(&hash(&(number + 0.0).to_string())),
    };
    code.map_or(-1.0, |&code| f64::from(code))
}

/// The same bits for equal numbers: -0 is 0.
fn bits(number: f64) -> u64 {
    (number + 0.0).to_bits()
}

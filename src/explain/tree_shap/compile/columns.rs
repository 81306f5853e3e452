//! The columns that a forest reads, as they are found.

use std::collections::HashMap;

use super::{Column, Kind};
use crate::model::{Missing, Node, Split, Test, Trees};

/// The columns so far, and where to find them.
pub(super) struct Columns {
    pub(super) list: Vec<Column>,
    /// By feature and missing rule, the column of numbers.
    numbers: Vec<[Option<u32>; 3]>,
    others: HashMap<(u32, Missing, u8), u32>,
    /// By feature, the values that any split tests for equality, ascending.
    pub(super) values: HashMap<u32, Vec<f64>>,
    /// Where in [`Forest::sets`] the words of a set begin.
    pub(super) sets: HashMap<Vec<u32>, u32>,
}

impl Columns {
    pub(super) fn new(trees: &Trees) -> Self {
        let mut values: HashMap<u32, Vec<f64>> = HashMap::new();
        for node in trees.trees.iter().flat_map(|tree| &tree.nodes) {
            if let Node::Split(Split {
                feature,
                test: Test::OneOf(of),
                ..
            }) = node
            {
                // −0 equals 0 and has one position with it.
                let of = of.iter().map(|&value| value + 0.0);
                values.entry(*feature).or_default().extend(of);
            }
        }
        #[expect(clippy::iter_over_hash_type, reason = "each entry is sorted by itself")]
        for values in values.values_mut() {
            values.sort_by(f64::total_cmp);
            values.dedup();
        }
        Self {
            list: Vec::new(),
            numbers: vec![[None; 3]; trees.features.len()],
            others: HashMap::new(),
            values,
            sets: HashMap::new(),
        }
    }

    pub(super) fn of(&mut self, feature: u32, missing: Missing, test: &Test) -> u32 {
        let next = self.list.len() as u32;
        let (kind, known) = match test {
            Test::Below(_) => {
                let known = &mut self.numbers[feature as usize][missing as usize];
                if let Some(known) = known {
                    return *known;
                }
                (Kind::Number, known.insert(next))
            }
            Test::Category(_) => (
                Kind::Category,
                self.others.entry((feature, missing, 0)).or_insert(next),
            ),
            Test::OneOf(_) => (
                Kind::Position(self.values.get(&feature).cloned().unwrap_or_default()),
                self.others.entry((feature, missing, 1)).or_insert(next),
            ),
            Test::Always => (
                Kind::Present,
                self.others.entry((feature, missing, 2)).or_insert(next),
            ),
        };
        if *known == next {
            self.list.push(Column {
                feature,
                missing,
                kind,
            });
        }
        *known
    }

    /// The columns of a feature's number rounded to float32, and of what rounding takes away.
    pub(super) fn of_parts(&mut self, feature: u32) -> [u32; 2] {
        [Kind::High, Kind::Low].map(|kind| {
            let next = self.list.len() as u32;
            let key = (
                feature,
                Missing::Nan,
                if kind == Kind::High { 3 } else { 4 },
            );
            let known = *self.others.entry(key).or_insert(next);
            if known == next {
                self.list.push(Column {
                    feature,
                    missing: Missing::Nan,
                    kind,
                });
            }
            known
        })
    }
}

//! Raw columns in the place of those that an encoder makes of them: each gives what its columns give together.

use std::collections::HashMap;

use super::Lowered;
use crate::model::{Column, Encoded, Part, Precision, whole};

/// What each raw column gives.
#[derive(Debug)]
pub(super) struct Encoding {
    columns: Vec<Column>,
    precisions: Vec<Precision>,
    raw: Vec<Raw>,
}

/// The columns that are made of a raw one, by their places in the model.
#[derive(Debug, Default)]
struct Raw {
    /// Those that are numbers.
    numbers: Vec<usize>,
    /// Those that are 1 for a category, by category.
    categories: HashMap<i64, Vec<usize>>,
    /// What all of these add to the units for a cell of no such category; empty without them.
    none: Vec<f64>,
}

impl Encoding {
    /// A model in its units, with an encoder before it.
    pub(super) fn before(mut lowered: Lowered, encoded: &Encoded) -> Lowered {
        let mut raw: Vec<Raw> = Vec::new();
        raw.resize_with(encoded.features.len(), Raw::default);
        for (place, column) in encoded.columns.iter().enumerate() {
            let raw = &mut raw[column.feature];
            let Part::Is(category) = column.part else {
                raw.numbers.push(place);
                continue;
            };
            raw.categories.entry(category).or_default().push(place);
            raw.none.resize(lowered.units(), 0.0);
            lowered.add_column(place, column.shift, &mut raw.none);
        }
        lowered.encoding = Some(Self {
            columns: encoded.columns.clone(),
            precisions: encoded.precisions.clone(),
            raw,
        });
        lowered
    }

    pub(super) fn add(&self, lowered: &Lowered, feature: usize, cell: f64, sums: &mut [f64]) {
        let (raw, cell) = (&self.raw[feature], self.precisions[feature].read(cell));
        for &place in &raw.numbers {
            lowered.add_column(place, self.columns[place].value(cell), sums);
        }
        for (sum, none) in sums.iter_mut().zip(&raw.none) {
            *sum += none;
        }
        let Some(places) = raw.categories.get(&whole(cell)) else {
            return;
        };
        let mut without = vec![0.0; sums.len()];
        for &place in places {
            lowered.add_column(place, self.columns[place].value(cell), sums);
            lowered.add_column(place, self.columns[place].shift, &mut without);
        }
        for (sum, without) in sums.iter_mut().zip(without) {
            *sum -= without;
        }
    }
}

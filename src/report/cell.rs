//! The explained cells, in the order of the features.

use std::fmt;

use serde::{Serialize, Serializer};

use super::text;
use crate::data::{Cells, Column, Table};

/// A cell of a table, as a report shows it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cell<'a> {
    /// A number that its file holds as float32.
    F32(f32),
    /// A number.
    F64(f64),
    /// A category label.
    Label(&'a str),
    /// No value.
    Missing,
}

impl<'a> Cell<'a> {
    /// The cell in this row and column of a table; beyond the table it is missing.
    pub fn of(table: &'a Table, row: usize, column: usize) -> Self {
        let narrow = |cell: Option<&f32>| match cell {
            Some(&cell) if !cell.is_nan() => Cell::F32(cell),
            _ => Cell::Missing,
        };
        let wide = |cell: Option<&f64>| match cell {
            Some(&cell) if !cell.is_nan() => Cell::F64(cell),
            _ => Cell::Missing,
        };
        match &table.cells {
            Cells::F32(matrix) => narrow(matrix.get((row, column))),
            Cells::F64(matrix) => wide(matrix.get((row, column))),
            Cells::Columns(columns) => match columns.get(column) {
                Some(Column::F32(cells)) => narrow(cells.get(row)),
                Some(Column::F64(cells)) => wide(cells.get(row)),
                Some(Column::Labels { codes, labels }) => codes
                    .get(row)
                    .and_then(|&code| labels.get(usize::try_from(code).ok()?))
                    .map_or(Cell::Missing, |label| Cell::Label(label)),
                None => Cell::Missing,
            },
        }
    }
}

/// Numbers that are not finite have no JSON form and become `null`, like missing cells.
impl Serialize for Cell<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match *self {
            Cell::F32(cell) => cell.serialize(serializer),
            Cell::F64(cell) => cell.serialize(serializer),
            Cell::Label(label) => label.serialize(serializer),
            Cell::Missing => serializer.serialize_unit(),
        }
    }
}

impl fmt::Display for Cell<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Cell::F32(cell) => formatter.write_str(&text::number(f64::from(cell))),
            Cell::F64(cell) => formatter.write_str(&text::number(cell)),
            Cell::Label(label) => formatter.write_str(&text::plain(label)),
            Cell::Missing => formatter.write_str("missing"),
        }
    }
}

/// The table's column for each feature: by name where every feature's name is a column's, by
/// position otherwise; a blank in a column's name stands for `_`, as where columns are matched.
pub(super) fn order(features: &[String], table: &Table) -> Vec<usize> {
    let by_position = || (0..features.len()).collect();
    let Some(names) = &table.names else {
        return by_position();
    };
    let spaced = |name: &String| name.replace(char::is_whitespace, "_");
    let by_name: Option<Vec<usize>> = features
        .iter()
        .map(|feature| {
            (names.iter().position(|name| name == feature))
                .or_else(|| names.iter().position(|name| spaced(name) == *feature))
        })
        .collect();
    by_name.unwrap_or_else(by_position)
}

//! The whole result as one JSON object, whose keys are the names of the Python attributes.

use std::io::{self, Write};

use ndarray::{ArrayView2, Axis};
use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};

use super::cell::{self, Cell};
use crate::data::Table;
use crate::explanation::Explanation;

/// Writes an explanation as a JSON object: what was computed first, then `values` and `data` with
/// one row per line. `values` is (rows, features), or (rows, features, outputs) for several
/// outputs, and for interactions has the features twice; `data` is (rows, columns of the model) with `null` for missing cells and for
/// numbers that are not finite.
///
/// # Errors
/// What `out` says.
pub fn json(explanation: &Explanation, out: &mut dyn Write) -> io::Result<()> {
    let (header, trailer) = (&explanation.header, &explanation.trailer);
    let mut object = Object { out, empty: true };
    object.field("method", &header.method)?;
    object.field("value_function", &header.value_function)?;
    object.field("output", &header.output)?;
    object.field("estimator", &header.estimator)?;
    object.field("exact", &header.exact)?;
    object.field("model_format", &header.model_format)?;
    object.field("objective", &header.objective)?;
    object.field("index", &header.index)?;
    object.field("interactions", &header.interactions)?;
    if !header.rules.is_empty() {
        object.field("rules", &header.rules)?;
    }
    if let Some(tolerance) = &header.tolerance {
        object.field("tolerance", tolerance)?;
    }
    if !header.fallback.is_empty() {
        object.field("fallback", &header.fallback)?;
    }
    object.field("cover", &header.cover)?;
    object.field("device", &header.device)?;
    object.field("device_reason", &header.device_reason)?;
    object.field("engines", &Named(&trailer.engines))?;
    object.field("seed", &header.seed)?;
    object.field("version", &header.version)?;
    object.field("notes", &trailer.notes)?;
    object.field("additivity_error", &trailer.additivity_error)?;
    object.field("additivity_rows", &trailer.additivity_rows)?;
    object.field("standard_error", &trailer.standard_error)?;
    object.field("approximation_error", &trailer.approximation_error)?;
    object.field("output_names", &header.output_names)?;
    if let Some(lime) = &header.lime {
        object.field("lime", lime)?;
    }
    if let Some(picked) = &explanation.picked {
        object.field("picked", picked)?;
    }
    match &explanation.intercepts {
        Some(own) => object.rows(
            "base_values",
            own.axis_iter(Axis(0)).map(|row| row.to_vec()),
        )?,
        None => object.field("base_values", &header.base_values)?,
    }
    object.field("feature_names", &header.feature_names)?;
    object.field("groups", &Named(&header.groups))?;
    let rows = explanation.values.axis_iter(Axis(0));
    if header.interactions {
        let features = header.feature_names.len();
        object.rows("values", rows.map(|values| Pairs { values, features }))?;
    } else {
        object.rows("values", rows.map(Values))?;
    }
    if let Some(errors) = &explanation.standard_errors {
        object.rows("standard_errors", errors.axis_iter(Axis(0)).map(Values))?;
    }
    if let Some(deltas) = &explanation.completeness_delta {
        object.rows(
            "completeness_delta",
            deltas.axis_iter(Axis(0)).map(|row| row.to_vec()),
        )?;
    }
    if let Some(fits) = &explanation.local_fit {
        object.rows("local_fit", fits.axis_iter(Axis(0)).map(|row| row.to_vec()))?;
    }
    if let Some(marks) = explanation.past_tolerance() {
        object.field("past_tolerance", &marks)?;
    }
    if let Some(marks) = &explanation.recomputed {
        object.field("recomputed", marks)?;
    }
    if let Some(table) = &explanation.data {
        let order = cell::order(&header.columns, table);
        let rows = (0..table.rows()).map(|row| Data {
            table,
            order: &order,
            row,
        });
        object.rows("data", rows)?;
    } else {
        object.field("data", &())?;
    }
    object.end()
}

struct Object<'a> {
    out: &'a mut dyn Write,
    empty: bool,
}

impl Object<'_> {
    fn key(&mut self, key: &str) -> io::Result<()> {
        let before = if self.empty { "{\n  " } else { ",\n  " };
        self.empty = false;
        write!(self.out, "{before}\"{key}\": ")
    }

    fn field(&mut self, key: &str, value: &impl Serialize) -> io::Result<()> {
        self.key(key)?;
        serde_json::to_writer(&mut *self.out, value)?;
        Ok(())
    }

    fn rows(&mut self, key: &str, rows: impl Iterator<Item = impl Serialize>) -> io::Result<()> {
        self.key(key)?;
        self.out.write_all(b"[")?;
        for (index, row) in rows.enumerate() {
            let before = if index == 0 { "\n    " } else { ",\n    " };
            self.out.write_all(before.as_bytes())?;
            serde_json::to_writer(&mut *self.out, &row)?;
        }
        self.out.write_all(b"\n  ]")
    }

    fn end(self) -> io::Result<()> {
        self.out.write_all(b"\n}\n")?;
        self.out.flush()
    }
}

/// What stands by names, as an object in the order of the list.
struct Named<'a, T>(&'a [(String, T)]);

impl<T: Serialize> Serialize for Named<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

/// The values of a row (features, outputs); without the second dimension for one output.
struct Values<'a>(ArrayView2<'a, f32>);

impl Serialize for Values<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut row = serializer.serialize_seq(Some(self.0.nrows()))?;
        for feature in self.0.rows() {
            match feature.as_slice() {
                Some([value]) => row.serialize_element(value)?,
                _ => row.serialize_element(&feature.to_vec())?,
            }
        }
        row.end()
    }
}

/// The interactions of a row (features · features, outputs), as (features, features, outputs).
struct Pairs<'a> {
    values: ArrayView2<'a, f32>,
    features: usize,
}

impl Serialize for Pairs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let one = self.values.axis_chunks_iter(Axis(0), self.features.max(1));
        serializer.collect_seq(one.map(Values))
    }
}

struct Data<'a> {
    table: &'a Table,
    order: &'a [usize],
    row: usize,
}

impl Serialize for Data<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let cells = self.order.iter();
        serializer.collect_seq(cells.map(|&column| Cell::of(self.table, self.row, column)))
    }
}

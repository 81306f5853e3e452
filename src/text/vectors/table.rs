//! Word vectors as a Parquet table: a column of words, and columns of numbers or one of lists.

use std::fs::File;
use std::path::Path;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Float32Type, Schema};
use arrow::error::ArrowError;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::{Found, is_kept};
use crate::data::guarded;
use crate::error::{Error, Result};
use crate::text::WordCounts;

/// Rows that are decoded at a time.
const ROWS: usize = 4096;

/// Where a file is wrong, and why.
type Fault = (String, String);

pub(super) fn read(path: &Path, keep: Option<&WordCounts>) -> Result<Found> {
    let mut found = Found::default();
    batches(path, &mut |batch| add(&mut found, batch, keep))?;
    Ok(found)
}

/// The one column of words of a Parquet file.
pub(in crate::text) fn words(path: &Path) -> Result<Vec<String>> {
    let mut all = Vec::new();
    batches(path, &mut |batch| {
        let schema = batch.schema();
        let texts = columns(&schema, &is_text);
        let &[column] = &texts[..] else {
            let reason = format!("{} of text; expected one, of words", texts.len());
            return Err(("its columns".to_owned(), reason));
        };
        let words = cast(batch.column(column), &DataType::Utf8).map_err(|error| unread(&error))?;
        for word in words.as_string::<i32>() {
            let at = || {
                (
                    format!("row {}", all.len() + 1),
                    "no word; expected one in each row".to_owned(),
                )
            };
            all.push(word.ok_or_else(at)?.to_owned());
        }
        Ok(())
    })?;
    Ok(all)
}

/// Hands the record batches of a file on, one after the other.
fn batches(path: &Path, take: &mut dyn FnMut(&RecordBatch) -> Result<(), Fault>) -> Result<()> {
    let wrong = |(at, reason): Fault| Error::Data {
        path: path.to_owned(),
        at,
        reason,
    };
    let damaged = |error: &dyn std::fmt::Display| {
        wrong((
            "its pages".to_owned(),
            format!("{error}; write the file again"),
        ))
    };
    let file = File::open(path).map_err(|source| Error::Io {
        path: path.to_owned(),
        source,
    })?;
    guarded(path, "its pages", || {
        let builder =
            ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| damaged(&error))?;
        let reader = builder
            .with_batch_size(ROWS)
            .build()
            .map_err(|error| damaged(&error))?;
        for batch in reader {
            take(&batch.map_err(|error| damaged(&error))?).map_err(wrong)?;
        }
        Ok(())
    })
}

fn unread(error: &ArrowError) -> Fault {
    ("its columns".to_owned(), error.to_string())
}

fn add(found: &mut Found, batch: &RecordBatch, keep: Option<&WordCounts>) -> Result<(), Fault> {
    let schema = batch.schema();
    let (words, numbers) = layout(&schema).map_err(|reason| ("its columns".to_owned(), reason))?;
    let words = cast(batch.column(words), &DataType::Utf8).map_err(|error| unread(&error))?;
    let words = words.as_string::<i32>();
    let mut columns: Vec<ArrayRef> = Vec::new();
    for &column in &numbers {
        let array = batch.column(column);
        let wanted = if is_list(array.data_type()) {
            DataType::LargeList(Field::new_list_field(DataType::Float32, true).into())
        } else {
            DataType::Float32
        };
        columns.push(cast(array, &wanted).map_err(|error| unread(&error))?);
    }
    for row in 0..batch.num_rows() {
        let at = || format!("row {}", found.in_file + 1);
        if words.is_null(row) {
            return Err((at(), "no word; expected one in each row".to_owned()));
        }
        let word = words.value(row);
        let before = found.cells.len();
        for column in &columns {
            if let Some(numbers) = column.as_primitive_opt::<Float32Type>() {
                let cell = (!numbers.is_null(row)).then(|| numbers.value(row));
                found.cells.push(cell.unwrap_or(f32::NAN));
            } else if !column.is_null(row) {
                let list = column.as_list::<i64>().value(row);
                let numbers = list.as_primitive::<Float32Type>().iter();
                found
                    .cells
                    .extend(numbers.map(|cell| cell.unwrap_or(f32::NAN)));
            }
        }
        let cells = &found.cells[before..];
        if found.in_file == 0 {
            found.dimensions = cells.len();
        }
        let finite = cells.iter().filter(|cell| cell.is_finite()).count();
        if finite != found.dimensions || cells.len() != finite {
            let reason = format!(
                "{} numbers, {finite} of them finite, in the vector of \"{word}\"; expected {}",
                cells.len(),
                found.dimensions
            );
            return Err((at(), reason));
        }
        found.in_file += 1;
        if is_kept(keep, word) {
            found.words.push(word.to_owned());
        } else {
            found.cells.truncate(before);
        }
    }
    Ok(())
}

fn is_text(kind: &DataType) -> bool {
    match kind {
        DataType::Dictionary(_, values) => values.is_string(),
        kind => kind.is_string(),
    }
}

fn is_list(kind: &DataType) -> bool {
    match kind {
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            item.data_type().is_numeric()
        }
        _ => false,
    }
}

fn columns(schema: &Schema, is: &dyn Fn(&DataType) -> bool) -> Vec<usize> {
    let fields = schema.fields().iter().enumerate();
    fields
        .filter(|(_, field)| is(field.data_type()))
        .map(|(column, _)| column)
        .collect()
}

/// The column of words, and those of numbers.
fn layout(schema: &Schema) -> Result<(usize, Vec<usize>), String> {
    let (texts, lists) = (columns(schema, &is_text), columns(schema, &is_list));
    let numbers = columns(schema, &DataType::is_numeric);
    match (&texts[..], &lists[..]) {
        (&[words], []) if !numbers.is_empty() => Ok((words, numbers)),
        // Numbers beside lists are the rows' own, not their vectors'.
        (&[words], &[list]) => Ok((words, vec![list])),
        _ => Err(format!(
            "{} of text, {} of lists and {} of numbers; expected one of words, and one of lists or one of numbers for \
             each dimension",
            texts.len(),
            lists.len(),
            numbers.len()
        )),
    }
}

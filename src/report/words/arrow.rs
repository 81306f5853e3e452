//! Words as Arrow record batches, one for each document with words, in Parquet and Arrow IPC files.

use std::io::{self, Write};
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Builder, Int64Builder, RecordBatch, StringBuilder};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::ipc::writer::FileWriter;
use parquet::arrow::ArrowWriter;
use parquet::errors::ParquetError;

use super::{COLUMNS, rows};
use crate::explain::text::TextExplanation;

fn schema() -> SchemaRef {
    let field = |name: &&str| {
        let kind = match *name {
            "output" | "word" => DataType::Utf8,
            "value" | "standard_error" | "base_value" => DataType::Float64,
            _ => DataType::Int64,
        };
        Field::new(*name, kind, *name == "standard_error")
    };
    Arc::new(Schema::new(COLUMNS.iter().map(field).collect::<Vec<_>>()))
}

/// The rows of a document.
fn batch(
    explanation: &TextExplanation,
    document: usize,
    schema: &SchemaRef,
) -> io::Result<RecordBatch> {
    let mut whole: [Int64Builder; 4] = Default::default();
    let mut text: [StringBuilder; 2] = Default::default();
    let mut real: [Float64Builder; 3] = Default::default();
    rows(explanation, document, |row| {
        let numbers = [row.document, row.start, row.end, row.sentence as usize];
        for (builder, number) in whole.iter_mut().zip(numbers) {
            builder.append_value(number as i64);
        }
        text[0].append_value(row.output);
        text[1].append_value(row.word);
        real[0].append_value(row.value);
        real[1].append_option(row.standard_error);
        real[2].append_value(row.base_value);
        Ok(())
    })?;
    let [mut document, mut start, mut end, mut sentence] = whole;
    let [mut output, mut word] = text;
    let [mut value, mut error, mut base] = real;
    let columns: Vec<ArrayRef> = vec![
        Arc::new(document.finish()),
        Arc::new(output.finish()),
        Arc::new(word.finish()),
        Arc::new(start.finish()),
        Arc::new(end.finish()),
        Arc::new(sentence.finish()),
        Arc::new(value.finish()),
        Arc::new(error.finish()),
        Arc::new(base.finish()),
    ];
    RecordBatch::try_new(Arc::clone(schema), columns).map_err(failed)
}

pub(super) fn parquet(
    explanation: &TextExplanation,
    out: &mut (impl Write + Send),
) -> io::Result<()> {
    let failed = |error: ParquetError| io::Error::other(error.to_string());
    let schema = schema();
    let mut writer = ArrowWriter::try_new(out, Arc::clone(&schema), None).map_err(failed)?;
    for document in 0..explanation.documents.len() {
        writer
            .write(&batch(explanation, document, &schema)?)
            .map_err(failed)?;
    }
    writer.close().map_err(failed)?;
    Ok(())
}

pub(super) fn ipc(explanation: &TextExplanation, out: &mut impl Write) -> io::Result<()> {
    let schema = schema();
    let mut writer = FileWriter::try_new(out, &schema).map_err(failed)?;
    for document in 0..explanation.documents.len() {
        writer
            .write(&batch(explanation, document, &schema)?)
            .map_err(failed)?;
    }
    writer.finish().map_err(failed)?;
    writer.flush().map_err(failed)
}

#[expect(clippy::needless_pass_by_value, reason = "as errors are mapped")]
fn failed(error: ArrowError) -> io::Error {
    io::Error::other(error.to_string())
}

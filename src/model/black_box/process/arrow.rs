//! Rows and answers as record batches of Arrow IPC streams.

use std::io::{BufRead, BufReader, BufWriter, Write};
use std::process::{ChildStdin, ChildStdout};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender};

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Float64Type, Schema};
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use ndarray::Array2;

use super::Takes;
use super::csv::shown;
use super::talk::{Heard, Question};

/// Writes batches, until there are no more or nobody reads.
pub(super) fn write(
    stdin: ChildStdin,
    columns: &[String],
    takes: Takes,
    batches: &Receiver<Question>,
) {
    // Nobody reads; the thread that reads finds the end.
    let _ = stream(stdin, columns, takes, batches);
}

fn stream(
    stdin: ChildStdin,
    columns: &[String],
    takes: Takes,
    batches: &Receiver<Question>,
) -> Result<(), ArrowError> {
    let kind = match takes {
        Takes::Rows => DataType::Float64,
        Takes::Texts => DataType::Utf8,
    };
    let fields: Vec<Field> = (columns.iter())
        .map(|name| Field::new(name, kind.clone(), false))
        .collect();
    let schema = Arc::new(Schema::new(fields));
    let mut writer = StreamWriter::try_new(BufWriter::new(stdin), &schema)?;
    writer.get_mut().flush()?;
    let column = |cells: ndarray::ArrayView1<'_, f64>| -> ArrayRef {
        Arc::new(Float64Array::from_iter_values(cells.iter().copied()))
    };
    for question in batches {
        let columns = match question {
            Question::Rows(rows) => rows.columns().into_iter().map(column).collect(),
            Question::Texts(texts) => {
                let texts: ArrayRef = Arc::new(StringArray::from_iter_values(texts));
                vec![texts]
            }
        };
        writer.write(&RecordBatch::try_new(Arc::clone(&schema), columns)?)?;
        writer.get_mut().flush()?;
    }
    writer.finish()
}

/// Reads an answer of so many rows for each number that comes, until the program's output ends or cannot be
/// understood.
pub(super) fn read(stdout: ChildStdout, expected: &Receiver<usize>, answers: &SyncSender<Heard>) {
    let mut stdout = Some(stdout);
    let mut reader = None;
    for rows in expected {
        // The stream's head comes with its first batch.
        if let Some(stdout) = stdout.take() {
            let mut stdout = BufReader::new(stdout);
            if let Some(heard) = beginning(stdout.fill_buf().unwrap_or_default()) {
                let _ = answers.send(heard);
                return;
            }
            reader = match StreamReader::try_new(stdout, None) {
                Ok(reader) => Some(reader),
                Err(error) => {
                    let _ = answers.send(fault(&error));
                    return;
                }
            };
        }
        let heard = match reader.as_mut().and_then(Iterator::next) {
            None => Heard::End,
            Some(Err(error)) => fault(&error),
            Some(Ok(batch)) => answer(&batch, rows).map_or_else(Heard::Wrong, Heard::Answer),
        };
        let goes_on = matches!(heard, Heard::Answer(_));
        if answers.send(heard).is_err() || !goes_on {
            return;
        }
    }
}

/// What is wrong with the first bytes of a stream. Text in their place would be read as an enormous length.
fn beginning(bytes: &[u8]) -> Option<Heard> {
    if bytes.is_empty() {
        return Some(Heard::End);
    }
    let is_stream = bytes.iter().take(4).all(|byte| *byte == u8::MAX);
    (!is_stream).then(|| {
        Heard::Wrong(format!(
            "it begins with {}; expected an Arrow IPC stream; messages belong on the standard error",
            shown(String::from_utf8_lossy(bytes).trim())
        ))
    })
}

/// A program that ends leaves a stream that is cut.
fn fault(error: &ArrowError) -> Heard {
    let text = error.to_string();
    let is_end = matches!(error, ArrowError::IoError(_, error) if error.kind() == std::io::ErrorKind::UnexpectedEof);
    if is_end {
        Heard::End
    } else {
        Heard::Wrong(format!(
            "a damaged Arrow IPC stream: {text}; messages belong on the standard error"
        ))
    }
}

fn answer(batch: &RecordBatch, rows: usize) -> Result<Array2<f64>, String> {
    if batch.num_rows() != rows {
        return Err(format!(
            "a record batch of {} rows; expected one batch with a row for each",
            batch.num_rows()
        ));
    }
    let mut outputs = Array2::zeros((rows, batch.num_columns()));
    for (number, (column, field)) in batch
        .columns()
        .iter()
        .zip(batch.schema().fields())
        .enumerate()
    {
        let is_number = field.data_type().is_numeric() || field.data_type() == &DataType::Boolean;
        let numbers = is_number
            .then(|| cast(column, &DataType::Float64).ok())
            .flatten();
        let Some(numbers) = numbers else {
            return Err(format!(
                "the column \"{}\" holds {}; expected numbers, such as probabilities",
                field.name(),
                field.data_type()
            ));
        };
        let numbers = numbers.as_primitive::<Float64Type>();
        for (row, cell) in outputs.column_mut(number).iter_mut().enumerate() {
            *cell = if numbers.is_null(row) {
                f64::NAN
            } else {
                numbers.value(row)
            };
        }
    }
    Ok(outputs)
}

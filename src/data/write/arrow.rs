//! Parquet and Arrow IPC files, in record batches of a good size.

use std::collections::HashMap;
use std::fmt::{Debug, Formatter};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use ::arrow::array::{ArrayRef, Float32Array, Float64Array, RecordBatch};
use ::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use ::arrow::error::ArrowError;
use ::arrow::ipc::writer::{FileWriter, StreamWriter};
use ::parquet::arrow::ArrowWriter;
use ::parquet::arrow::arrow_writer::ArrowWriterOptions;
use ::parquet::basic::Compression;
use ::parquet::file::metadata::KeyValue;
use ::parquet::file::properties::{EnabledStatistics, WriterProperties};

use super::{Block, Sink, Width};
use crate::data::Column;

/// Cells of a record batch.
const CELLS: usize = 1 << 20;
/// Bytes of a Parquet row group that are held before it is written.
const ROW_GROUP: usize = 32 << 20;

/// What writes record batches.
enum Batches {
    Parquet(Box<ArrowWriter<BufWriter<File>>>),
    Ipc(Box<FileWriter<BufWriter<File>>>),
    Stream(Box<StreamWriter<BufWriter<File>>>),
}

/// What a file says of itself before its rows.
pub(super) struct Description<'a> {
    pub(super) columns: Vec<(String, Width)>,
    /// Text under keys.
    pub(super) metadata: &'a [(String, String)],
}

#[derive(Debug)]
struct Arrow {
    schema: SchemaRef,
    /// Rows that no batch holds yet, by column.
    columns: Vec<Column>,
    batches: Batches,
}

impl Debug for Batches {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Batches::Parquet(_) => "Parquet",
            Batches::Ipc(_) => "Ipc",
            Batches::Stream(_) => "Stream",
        })
    }
}

impl Description<'_> {
    fn schema(&self) -> Schema {
        let field = |(name, width): &(String, Width)| {
            let data_type = match width {
                Width::F32 => DataType::Float32,
                Width::F64 => DataType::Float64,
            };
            Field::new(name, data_type, false)
        };
        Schema::new(self.columns.iter().map(field).collect::<Vec<_>>())
    }

    fn sink(&self, schema: SchemaRef, batches: Batches) -> Box<dyn Sink> {
        let columns = self.columns.iter().map(|(_, width)| match width {
            Width::F32 => Column::F32(Vec::new()),
            Width::F64 => Column::F64(Vec::new()),
        });
        Box::new(Arrow {
            schema,
            columns: columns.collect(),
            batches,
        })
    }
}

pub(super) fn parquet(file: BufWriter<File>, table: &Description<'_>) -> io::Result<Box<dyn Sink>> {
    let metadata: Vec<KeyValue> = (table.metadata.iter())
        .map(|(key, value)| KeyValue::new(key.clone(), value.clone()))
        .collect();
    // Explanations hardly repeat, so that a dictionary of them would cost time and save no space.
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_dictionary_enabled(false)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_max_row_group_bytes(Some(ROW_GROUP))
        .set_key_value_metadata((!metadata.is_empty()).then_some(metadata))
        .build();
    let schema = Arc::new(table.schema());
    // Where a file holds the schema in Arrow's own form, too, some readers take the text from there.
    let options = ArrowWriterOptions::new()
        .with_properties(properties)
        .with_skip_arrow_metadata(!table.metadata.is_empty());
    let writer = ArrowWriter::try_new_with_options(file, schema.clone(), options)?;
    Ok(table.sink(schema, Batches::Parquet(Box::new(writer))))
}

/// An IPC file, or a stream where the path ends in `.arrows`.
pub(super) fn ipc(
    path: &Path,
    file: BufWriter<File>,
    table: &Description<'_>,
) -> io::Result<Box<dyn Sink>> {
    let metadata: HashMap<String, String> = table.metadata.iter().cloned().collect();
    let schema = Arc::new(table.schema().with_metadata(metadata));
    let batches = if path.extension().is_some_and(|ending| ending == "arrows") {
        Batches::Stream(Box::new(
            StreamWriter::try_new(file, &schema).map_err(plain)?,
        ))
    } else {
        Batches::Ipc(Box::new(FileWriter::try_new(file, &schema).map_err(plain)?))
    };
    Ok(table.sink(schema, batches))
}

fn plain(error: ArrowError) -> io::Error {
    match error {
        ArrowError::IoError(_, source) => source,
        other => io::Error::other(other),
    }
}

/// What reached a column that was announced with another type.
fn other_type() -> io::Error {
    io::Error::other("a column changed its type; write it as it was announced")
}

impl Arrow {
    fn flush(&mut self) -> io::Result<()> {
        let columns = self
            .columns
            .iter_mut()
            .map(|column| -> io::Result<ArrayRef> {
                match column {
                    Column::F32(cells) => Ok(Arc::new(Float32Array::from(std::mem::take(cells)))),
                    Column::F64(cells) => Ok(Arc::new(Float64Array::from(std::mem::take(cells)))),
                    Column::Labels { .. } => Err(other_type()),
                }
            });
        let arrays = columns.collect::<io::Result<Vec<_>>>()?;
        if arrays.first().is_none_or(|array| array.is_empty()) {
            return Ok(());
        }
        let batch = RecordBatch::try_new(self.schema.clone(), arrays).map_err(plain)?;
        match &mut self.batches {
            Batches::Parquet(writer) => writer.write(&batch).map_err(io::Error::from),
            Batches::Ipc(writer) => writer.write(&batch).map_err(plain),
            Batches::Stream(writer) => writer.write(&batch).map_err(plain),
        }
    }
}

impl Arrow {
    fn flush_if_full(&mut self) -> io::Result<()> {
        let held = self.columns.first().map_or(0, Column::len);
        if held * self.columns.len() >= CELLS {
            self.flush()?;
        }
        Ok(())
    }
}

impl Sink for Arrow {
    fn write(&mut self, block: Block<'_>) -> io::Result<()> {
        let width = self.columns.len();
        for (index, column) in self.columns.iter_mut().enumerate() {
            match (column, block) {
                (Column::F32(column), Block::F32(cells)) => {
                    column.extend(cells.iter().skip(index).step_by(width));
                }
                (Column::F64(column), Block::F64(cells)) => {
                    column.extend(cells.iter().skip(index).step_by(width));
                }
                _ => return Err(other_type()),
            }
        }
        self.flush_if_full()
    }

    fn write_columns(&mut self, columns: &[Column]) -> io::Result<()> {
        for (column, more) in self.columns.iter_mut().zip(columns) {
            match (column, more) {
                (Column::F32(column), Column::F32(cells)) => column.extend(cells),
                (Column::F64(column), Column::F64(cells)) => column.extend(cells),
                _ => return Err(other_type()),
            }
        }
        self.flush_if_full()
    }

    fn finish(mut self: Box<Self>, _rows: u64) -> io::Result<()> {
        self.flush()?;
        let mut file = match self.batches {
            Batches::Parquet(writer) => writer.into_inner()?,
            Batches::Ipc(mut writer) => {
                writer.finish().map_err(plain)?;
                writer.into_inner().map_err(plain)?
            }
            Batches::Stream(mut writer) => {
                writer.finish().map_err(plain)?;
                writer.into_inner().map_err(plain)?
            }
        };
        file.flush()
    }
}

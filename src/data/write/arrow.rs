//! Parquet and Arrow IPC files, in record batches of a good size.

use std::fmt::{Debug, Formatter};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::sync::Arc;

use ::arrow::array::{ArrayRef, Float32Array, Float64Array, RecordBatch};
use ::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use ::arrow::error::ArrowError;
use ::arrow::ipc::writer::{FileWriter, StreamWriter};
use ::parquet::arrow::ArrowWriter;
use ::parquet::basic::Compression;
use ::parquet::file::properties::{EnabledStatistics, WriterProperties};

use super::{Block, Sink, Width, WriteOptions};

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

#[derive(Debug)]
struct Arrow {
    schema: SchemaRef,
    /// Rows that no batch holds yet, by column; one of the two is in use.
    narrow: Vec<Vec<f32>>,
    wide: Vec<Vec<f64>>,
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

fn schema(options: &WriteOptions) -> SchemaRef {
    let data_type = match options.width {
        Width::F32 => DataType::Float32,
        Width::F64 => DataType::Float64,
    };
    let field = |name: &String| Field::new(name, data_type.clone(), false);
    Arc::new(Schema::new(
        options.names.iter().map(field).collect::<Vec<_>>(),
    ))
}

fn sink(options: &WriteOptions, schema: SchemaRef, batches: Batches) -> Box<dyn Sink> {
    Box::new(Arrow {
        schema,
        narrow: vec![Vec::new(); options.names.len()],
        wide: vec![Vec::new(); options.names.len()],
        batches,
    })
}

pub(super) fn parquet(file: BufWriter<File>, options: &WriteOptions) -> io::Result<Box<dyn Sink>> {
    // Explanations hardly repeat, so that a dictionary of them would cost time and save no space.
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_dictionary_enabled(false)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_max_row_group_bytes(Some(ROW_GROUP))
        .build();
    let schema = schema(options);
    let writer = ArrowWriter::try_new(file, schema.clone(), Some(properties))?;
    Ok(sink(options, schema, Batches::Parquet(Box::new(writer))))
}

pub(super) fn ipc(file: BufWriter<File>, options: &WriteOptions) -> io::Result<Box<dyn Sink>> {
    let schema = schema(options);
    let writer = FileWriter::try_new(file, &schema).map_err(plain)?;
    Ok(sink(options, schema, Batches::Ipc(Box::new(writer))))
}

pub(super) fn stream(file: BufWriter<File>, options: &WriteOptions) -> io::Result<Box<dyn Sink>> {
    let schema = schema(options);
    let writer = StreamWriter::try_new(file, &schema).map_err(plain)?;
    Ok(sink(options, schema, Batches::Stream(Box::new(writer))))
}

fn plain(error: ArrowError) -> io::Error {
    match error {
        ArrowError::IoError(_, source) => source,
        other => io::Error::other(other),
    }
}

/// Appends rows to columns.
fn spread<T: Copy>(cells: &[T], columns: &mut [Vec<T>]) {
    let width = columns.len();
    for (index, column) in columns.iter_mut().enumerate() {
        column.extend(cells.iter().skip(index).step_by(width));
    }
}

impl Arrow {
    fn held(&self) -> usize {
        let narrow = self.narrow.first().map_or(0, Vec::len);
        narrow + self.wide.first().map_or(0, Vec::len)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.held() == 0 {
            return Ok(());
        }
        let arrays: Vec<ArrayRef> = if self.narrow.iter().any(|column| !column.is_empty()) {
            let columns = self.narrow.iter_mut().map(std::mem::take);
            columns
                .map(|column| Arc::new(Float32Array::from(column)) as _)
                .collect()
        } else {
            let columns = self.wide.iter_mut().map(std::mem::take);
            columns
                .map(|column| Arc::new(Float64Array::from(column)) as _)
                .collect()
        };
        let batch = RecordBatch::try_new(self.schema.clone(), arrays).map_err(plain)?;
        match &mut self.batches {
            Batches::Parquet(writer) => writer.write(&batch).map_err(io::Error::from),
            Batches::Ipc(writer) => writer.write(&batch).map_err(plain),
            Batches::Stream(writer) => writer.write(&batch).map_err(plain),
        }
    }
}

impl Sink for Arrow {
    fn write(&mut self, block: Block<'_>) -> io::Result<()> {
        match block {
            Block::F32(cells) => spread(cells, &mut self.narrow),
            Block::F64(cells) => spread(cells, &mut self.wide),
        }
        if self.held() * self.narrow.len() >= CELLS {
            self.flush()?;
        }
        Ok(())
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

//! Arrow: IPC files and streams, and what Parquet shares with them.

mod column;
mod message;

use std::collections::HashMap;
use std::fmt::Debug;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::arrow::array::{ArrayRef, RecordBatch};
use ::arrow::buffer::Buffer;
use ::arrow::datatypes::{DataType, Schema, SchemaRef};
use ::arrow::error::ArrowError;
use ::arrow::ipc::reader::{read_dictionary, read_record_batch};
use ::arrow::ipc::{MetadataVersion, convert};

use self::message::{Message, Messages};
use super::reader::{ReadOptions, Source};
use super::{Cells, Table, name};
use crate::error::{Error, Result};

pub(super) fn fault(path: &Path, at: &str, reason: String) -> Error {
    Error::Data {
        path: path.to_owned(),
        at: at.to_owned(),
        reason,
    }
}

/// Runs a decoder on bytes that somebody else wrote. The decoders of Arrow and Parquet check most
/// of what they read, but some damaged files still make them panic where they should fail.
pub(crate) fn guarded<T>(path: &Path, at: &str, decode: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(decode)).unwrap_or_else(|_| {
        Err(fault(
            path,
            at,
            "the file is damaged: its parts contradict each other; write it again".to_owned(),
        ))
    })
}

/// The columns of a schema that are read.
#[derive(Debug)]
pub(super) struct Columns {
    path: PathBuf,
    names: Vec<String>,
    /// Positions in the file.
    pub(super) kept: Vec<usize>,
    /// Text under keys.
    metadata: HashMap<String, String>,
}

impl Columns {
    pub(super) fn new(path: &Path, schema: &Schema, options: &ReadOptions) -> Result<Self> {
        let all: Vec<String> = (schema.fields().iter())
            .map(|field| field.name().clone())
            .collect();
        name::check_unique(path, "its schema", &all)?;
        let keep = options.kept(path, Some(&all), all.len())?;
        let kept: Vec<usize> = (0..all.len()).filter(|&column| keep[column]).collect();
        for &column in &kept {
            column::check(schema.field(column))?;
        }
        // Columns of type Null store nothing, so that nothing bounds their number of rows.
        let empty = |&column: &usize| *schema.field(column).data_type() == DataType::Null;
        if kept.iter().all(empty) {
            return Err(fault(
                path,
                "its schema",
                format!(
                    "{} columns, of which none that is kept holds values; expected at least one",
                    all.len()
                ),
            ));
        }
        Ok(Self {
            path: path.to_owned(),
            names: kept.iter().map(|&column| all[column].clone()).collect(),
            kept,
            metadata: schema.metadata().clone().into(),
        })
    }

    /// Converts a batch that holds the kept columns, whose first row is the file's `row`-th.
    fn table(&self, batch: &RecordBatch, row: u64) -> Result<Table> {
        let columns = batch.columns().iter().enumerate().map(|(index, array)| {
            column::convert(array).map_err(|bad| {
                let column = name::column(Some(&self.names), index);
                let at = format!("row {}, {column}", row + bad.row as u64 + 1);
                let drop = name::shown(&self.names[index]);
                let reason = format!("{}, or leave it out with --drop {drop}", bad.reason);
                fault(&self.path, &at, reason)
            })
        });
        Table::new(
            Some(self.names.clone()),
            Cells::Columns(columns.collect::<Result<_>>()?),
        )
    }
}

/// Where record batches of the kept columns come from.
pub(super) trait Batches: Debug + Send {
    /// Number of rows in the file.
    fn rows(&self) -> u64;
    /// The next batch, which can be empty.
    fn next(&mut self) -> Result<Option<RecordBatch>>;
}

/// Record batches, cut to the number of rows that the caller wants.
#[derive(Debug)]
pub(super) struct Batched<B> {
    columns: Columns,
    batches: B,
    /// What is left of the last batch.
    rest: Option<RecordBatch>,
    /// Rows that were returned.
    row: u64,
    failed: bool,
}

impl<B: Batches> Batched<B> {
    pub(super) fn new(columns: Columns, batches: B) -> Self {
        Self {
            columns,
            batches,
            rest: None,
            row: 0,
            failed: false,
        }
    }

    fn read(&mut self, max_rows: usize) -> Result<Option<Table>> {
        let path = &self.columns.path;
        let batch = loop {
            let Some(batch) = self.rest.take() else {
                let at = format!("row {}", self.row + 1);
                match guarded(path, &at, || self.batches.next())? {
                    Some(batch) => self.rest = Some(batch),
                    None => break None,
                }
                continue;
            };
            if batch.num_rows() > 0 {
                break Some(batch);
            }
        };
        let rows = batch.as_ref().map_or(0, |batch| batch.num_rows() as u64);
        let total = self.batches.rows();
        if self.row + rows > total || batch.is_none() && self.row < total {
            let held = match &batch {
                Some(_) => "more".to_owned(),
                None => self.row.to_string(),
            };
            return Err(fault(
                path,
                "its end",
                format!("the file announces {total} rows and holds {held}; write it again"),
            ));
        }
        let Some(batch) = batch else {
            return Ok(None);
        };
        let rows = batch.num_rows().min(max_rows);
        let table = self.columns.table(&batch.slice(0, rows), self.row)?;
        self.rest = Some(batch.slice(rows, batch.num_rows() - rows));
        self.row += rows as u64;
        Ok(Some(table))
    }
}

impl<B: Batches> Source for Batched<B> {
    fn names(&self) -> Option<&[String]> {
        Some(&self.columns.names)
    }

    fn columns(&self) -> usize {
        self.columns.kept.len()
    }

    fn rows(&self) -> Option<u64> {
        Some(self.batches.rows())
    }

    fn metadata(&self, key: &str) -> Option<&str> {
        self.columns.metadata.get(key).map(String::as_str)
    }

    fn next(&mut self, max_rows: usize) -> Result<Option<Table>> {
        if self.failed {
            return Ok(None);
        }
        let table = self.read(max_rows);
        self.failed = table.is_err();
        table
    }
}

/// An Arrow IPC file or stream.
pub(super) struct Ipc {
    path: PathBuf,
    messages: Messages,
    schema: SchemaRef,
    kept: Vec<usize>,
    dictionaries: HashMap<i64, ArrayRef>,
    rows: u64,
}

impl Debug for Ipc {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ipc")
            .field("path", &self.path)
            .field("schema", &self.schema)
            .finish_non_exhaustive()
    }
}

/// Opens an Arrow IPC file or stream.
pub(super) fn open(path: &Path, file: File, options: &ReadOptions) -> Result<Batched<Ipc>> {
    guarded(path, "its schema", || {
        let mut messages = Messages::new(path, file)?;
        let schema = messages.schema()?;
        let schema = convert::try_fb_to_schema(schema).map_err(|error| {
            let reason = format!("{error}; write the file again");
            fault(path, "its schema", reason)
        })?;
        let columns = Columns::new(path, &schema, options)?;
        let rows = messages.count_rows()?;
        let ipc = Ipc {
            path: path.to_owned(),
            messages,
            schema: Arc::new(schema),
            kept: columns.kept.clone(),
            dictionaries: HashMap::new(),
            rows,
        };
        Ok(Batched::new(columns, ipc))
    })
}

impl Batches for Ipc {
    fn rows(&self) -> u64 {
        self.rows
    }

    fn next(&mut self) -> Result<Option<RecordBatch>> {
        let damaged = |error: ArrowError| {
            let reason = format!("{error}; write the file again");
            fault(&self.path, "a record batch", reason)
        };
        while let Some(Message { header, body }) = self.messages.next()? {
            let message = message::parse(&self.path, &header)?;
            let body = Buffer::from_vec(body);
            let version: MetadataVersion = message.version();
            if let Some(batch) = message.header_as_dictionary_batch() {
                let dictionaries = &mut self.dictionaries;
                read_dictionary(&body, batch, &self.schema, dictionaries, &version)
                    .map_err(damaged)?;
            } else if let Some(batch) = message.header_as_record_batch() {
                let schema = self.schema.clone();
                let kept = Some(&self.kept[..]);
                return read_record_batch(&body, batch, schema, &self.dictionaries, kept, &version)
                    .map(Some)
                    .map_err(damaged);
            }
        }
        Ok(None)
    }
}

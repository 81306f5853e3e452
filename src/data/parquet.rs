//! Parquet tables, read in batches through Arrow.

use std::fmt::{Debug, Formatter};
use std::fs::File;
use std::path::{Path, PathBuf};

use ::arrow::array::RecordBatch;
use ::parquet::arrow::ProjectionMask;
use ::parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use ::parquet::basic::Compression;

use super::arrow::{Batched, Batches, Columns, fault, guarded};
use super::reader::ReadOptions;
use crate::error::{Error, Result};

/// Cells that are decoded at a time.
const CELLS: usize = 1 << 21;
/// Rows that are decoded at a time, at most.
const ROWS: usize = 1 << 16;

/// A Parquet file.
pub(super) struct Parquet {
    path: PathBuf,
    batches: ParquetRecordBatchReader,
    rows: u64,
}

impl Debug for Parquet {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parquet")
            .field("path", &self.path)
            .field("rows", &self.rows)
            .finish_non_exhaustive()
    }
}

/// Opens a Parquet file.
pub(super) fn open(path: &Path, file: File, options: &ReadOptions) -> Result<Batched<Parquet>> {
    let damaged = |error: ::parquet::errors::ParquetError| {
        fault(
            path,
            "its metadata",
            format!("{error}; write the file again"),
        )
    };
    guarded(path, "its metadata", || {
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(damaged)?;
        let columns = Columns::new(path, builder.schema(), options)?;
        let rows = builder.metadata().file_metadata().num_rows();
        let rows = u64::try_from(rows).map_err(|_| {
            fault(
                path,
                "its metadata",
                format!("{rows} rows; write the file again"),
            )
        })?;
        for group in builder.metadata().row_groups() {
            for chunk in group.columns() {
                check(path, chunk.compression())?;
            }
        }
        let mask = ProjectionMask::roots(builder.parquet_schema(), columns.kept.iter().copied());
        let height = (CELLS / columns.kept.len()).clamp(1, ROWS);
        let batches = builder
            .with_projection(mask)
            .with_batch_size(height)
            .build()
            .map_err(damaged)?;
        let path = path.to_owned();
        Ok(Batched::new(
            columns,
            Parquet {
                path,
                batches,
                rows,
            },
        ))
    })
}

/// Refuses the compressions that this build has no decoder for.
fn check(path: &Path, compression: Compression) -> Result<()> {
    match compression {
        Compression::UNCOMPRESSED
        | Compression::SNAPPY
        | Compression::LZ4
        | Compression::LZ4_RAW
        | Compression::ZSTD(_) => Ok(()),
        other => Err(Error::Unsupported {
            what: format!("{}, which is compressed with {other:?},", path.display()),
            by: "the Parquet reader".to_owned(),
            instead: "write it with snappy, zstd, lz4 or without compression".to_owned(),
        }),
    }
}

impl Batches for Parquet {
    fn rows(&self) -> u64 {
        self.rows
    }

    fn next(&mut self) -> Result<Option<RecordBatch>> {
        self.batches.next().transpose().map_err(|error| {
            let reason = format!("{error}; write the file again");
            fault(&self.path, "its pages", reason)
        })
    }
}

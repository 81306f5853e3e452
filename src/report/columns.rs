//! A row of values per explained row, as Parquet, Arrow IPC or CSV.

use std::path::{Path, PathBuf};

use ndarray::ArrayView3;

use crate::data::{TableWriter, Width, WriteOptions};
use crate::error::{Error, Result};
use crate::explanation::{Header, Sink, Trailer};

/// One name per value of an output: the features, or for interactions the pairs `feature × feature`.
pub fn cell_names(header: &Header) -> Vec<String> {
    let features = &header.feature_names;
    if !header.interactions {
        return features.clone();
    }
    let with = |one| features.iter().map(move |other| format!("{one} × {other}"));
    features.iter().flat_map(with).collect()
}

/// One name per column: those of [`cell_names`]; with several outputs `output · feature`, the outputs
/// of a feature side by side.
pub fn column_names(header: &Header) -> Vec<String> {
    let features = cell_names(header);
    if header.output_names.len() == 1 {
        return features;
    }
    let outputs = &header.output_names;
    (features.iter())
        .flat_map(|feature| {
            outputs
                .iter()
                .map(move |output| format!("{output} · {feature}"))
        })
        .collect()
}

/// Writes values to a table file with a column per feature and output, in constant memory.
#[derive(Debug)]
pub struct Columns {
    file: File,
}

impl Columns {
    /// Creates the file in the format of its ending: `.parquet`, `.arrow`, `.csv`, ….
    ///
    /// # Errors
    /// As [`TableWriter::create`].
    pub fn create(path: &Path, header: &Header) -> Result<Self> {
        Ok(Self {
            file: File::create(path, header, Vec::new())?,
        })
    }
}

impl Sink for Columns {
    fn begin(&mut self, _header: &Header) -> Result<()> {
        Ok(())
    }

    fn block(&mut self, values: ArrayView3<'_, f32>) -> Result<()> {
        self.file.block(&values)
    }

    fn end(&mut self, _trailer: &Trailer) -> Result<()> {
        self.file.end()
    }
}

/// A table file of values.
#[derive(Debug)]
pub(super) struct File {
    path: PathBuf,
    /// None once the file is complete.
    writer: Option<TableWriter>,
}

impl File {
    pub(super) fn create(path: &Path, header: &Header, row_shape: Vec<usize>) -> Result<Self> {
        let options = WriteOptions {
            names: column_names(header),
            width: Width::F32,
            row_shape,
        };
        Ok(Self {
            path: path.to_owned(),
            writer: Some(TableWriter::create(path, &options)?),
        })
    }

    pub(super) fn block(&mut self, values: &ArrayView3<'_, f32>) -> Result<()> {
        let Some(writer) = &mut self.writer else {
            return Err(self.complete());
        };
        match values.as_slice() {
            Some(cells) => writer.write_f32(cells),
            None => writer.write_f32(&values.iter().copied().collect::<Vec<f32>>()),
        }
    }

    pub(super) fn end(&mut self) -> Result<()> {
        let writer = self.writer.take().ok_or_else(|| self.complete())?;
        writer.finish().map(|_rows| ())
    }

    fn complete(&self) -> Error {
        Error::Io {
            path: self.path.clone(),
            source: std::io::Error::other("the file is complete; write other values to a new one"),
        }
    }
}

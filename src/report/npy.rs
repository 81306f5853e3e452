//! The values alone, as NumPy reads them.

use std::path::Path;

use super::columns::{File, column_names};
use crate::error::Result;
use crate::explanation::{Block, Header, Sink, Trailer};

/// Writes values to an npy file of float32, in constant memory: (rows, features) for one output,
/// (rows, features, outputs) for several; of interactions (rows, features, features[, outputs]).
#[derive(Debug)]
pub struct Npy {
    file: File,
}

impl Npy {
    /// Creates the file.
    ///
    /// # Errors
    /// As [`TableWriter::create`](crate::data::TableWriter::create).
    pub fn create(path: &Path, header: &Header) -> Result<Self> {
        let features = header.feature_names.len();
        let mut row_shape = vec![features; if header.interactions { 2 } else { 1 }];
        let outputs = header.output_names.len();
        if outputs > 1 {
            row_shape.push(outputs);
        }
        Ok(Self {
            file: File::create(path, column_names(header), row_shape)?,
        })
    }
}

impl Sink for Npy {
    fn begin(&mut self, _header: &Header) -> Result<()> {
        Ok(())
    }

    fn block(&mut self, block: &Block<'_>) -> Result<()> {
        self.file.values(block)
    }

    fn end(&mut self, _trailer: &Trailer) -> Result<()> {
        self.file.end()
    }
}

//! A row of values per explained row, as Parquet, Arrow IPC or CSV.

use std::path::{Path, PathBuf};

use ndarray::Axis;

use crate::data::{TableWriter, Width, WriteOptions};
use crate::error::{Error, Result};
use crate::explanation::{Block, Header, Sink, Trailer};

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

/// The columns that follow the values: of LIME the intercept of each row, and how well its model fits; of networks what each row misses the answer by, and with a tolerance whether it
/// passes it (1 or 0), and with a fallback whether that computed the row.
pub fn extra_column_names(header: &Header) -> Vec<String> {
    let mut names = Vec::new();
    let mut push = |title: &str| match &*header.output_names {
        [_] => names.push(title.to_owned()),
        outputs => names.extend(outputs.iter().map(|output| format!("{output} · {title}"))),
    };
    if header.has_intercepts() {
        push("intercept");
        push("local_fit");
    }
    if !header.has_completeness_delta() {
        return names;
    }
    push("completeness_delta");
    if header.tolerance.is_some() {
        names.push("past_tolerance".to_owned());
    }
    if !header.fallback.is_empty() {
        names.push("recomputed".to_owned());
    }
    names
}

/// Writes values to a table file with a column per feature and output, and what [`extra_column_names`] names, in constant
/// memory.
#[derive(Debug)]
pub struct Columns {
    file: File,
    header: Header,
}

impl Columns {
    /// Creates the file in the format of its ending: `.parquet`, `.arrow`, `.csv`, ….
    ///
    /// # Errors
    /// As [`TableWriter::create`].
    pub fn create(path: &Path, header: &Header) -> Result<Self> {
        let names = [column_names(header), extra_column_names(header)].concat();
        Ok(Self {
            file: File::create(path, names, Vec::new())?,
            header: header.clone(),
        })
    }

    /// The rows of a block that has more than values.
    fn rows(&self, block: &Block<'_>) -> Vec<f32> {
        let mut cells = Vec::new();
        for (row, values) in block.values.axis_iter(Axis(0)).enumerate() {
            cells.extend(values);
            if let Some(intercepts) = block.intercepts {
                cells.extend(
                    intercepts
                        .row(row)
                        .iter()
                        .map(|&intercept| intercept as f32),
                );
            }
            if let Some(fits) = block.local_fit {
                cells.extend(fits.row(row));
            }
            let deltas = block
                .completeness_delta
                .map(|deltas| deltas.row(row).to_vec());
            if let Some(deltas) = deltas {
                let is_past = self.header.is_past_tolerance(&deltas);
                cells.extend(deltas);
                cells.extend(self.header.tolerance.map(|_| f32::from(u8::from(is_past))));
            }
            let mark = block
                .recomputed
                .map(|marks| f32::from(u8::from(marks[row])));
            cells.extend(mark);
        }
        cells
    }
}

impl Sink for Columns {
    fn begin(&mut self, _header: &Header) -> Result<()> {
        Ok(())
    }

    fn block(&mut self, block: &Block<'_>) -> Result<()> {
        if self.header.has_completeness_delta() || self.header.has_intercepts() {
            let rows = self.rows(block);
            return self.file.write(&rows);
        }
        self.file.values(block)
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
    pub(super) fn create(path: &Path, names: Vec<String>, row_shape: Vec<usize>) -> Result<Self> {
        let options = WriteOptions {
            names,
            width: Width::F32,
            row_shape,
        };
        Ok(Self {
            path: path.to_owned(),
            writer: Some(TableWriter::create(path, &options)?),
        })
    }

    /// Writes the values of a block alone.
    pub(super) fn values(&mut self, block: &Block<'_>) -> Result<()> {
        match block.values.as_slice() {
            Some(cells) => self.write(cells),
            None => self.write(&block.values.iter().copied().collect::<Vec<f32>>()),
        }
    }

    fn write(&mut self, cells: &[f32]) -> Result<()> {
        match &mut self.writer {
            Some(writer) => writer.write_f32(cells),
            None => Err(self.complete()),
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

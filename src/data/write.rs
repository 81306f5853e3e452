//! Writes rows of numbers as they come: CSV, npy, Parquet or Arrow IPC, in constant memory.

#[cfg(feature = "arrow")]
mod arrow;
mod csv;
mod npy;

use std::fmt::Debug;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::name;
use super::reader::Format;
use super::table::shape;
use crate::error::{Error, MEMORY, Result};

const BUFFER: usize = 1 << 20;

/// The type of the numbers in a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Width {
    /// float32.
    #[default]
    F32,
    /// float64.
    F64,
}

/// What a table file is made of.
#[derive(Debug, Clone)]
pub struct WriteOptions {
    /// Column names; npy does not keep them.
    pub names: Vec<String>,
    /// The type of the numbers.
    pub width: Width,
    /// The dimensions of a row in an npy file, whose product is the number of columns: `[features,
    /// outputs]` makes an array of three dimensions. Empty for one dimension.
    pub row_shape: Vec<usize>,
}

/// Rows of numbers, row-major.
#[derive(Debug, Clone, Copy)]
enum Block<'a> {
    F32(&'a [f32]),
    F64(&'a [f64]),
}

/// One file format's way of writing blocks of whole rows.
trait Sink: Debug + Send {
    fn write(&mut self, block: Block<'_>) -> io::Result<()>;
    /// Completes the file, of this many rows.
    fn finish(self: Box<Self>, rows: u64) -> io::Result<()>;
}

/// A table file while it is written. It appears under its name when it is finished; until then,
/// and after a failure, whatever had that name is as it was.
#[derive(Debug)]
pub struct TableWriter {
    path: PathBuf,
    /// The file that is written; `None` once it bears its name.
    part: Option<PathBuf>,
    sink: Option<Box<dyn Sink>>,
    columns: usize,
    width: Width,
    rows: u64,
}

impl TableWriter {
    /// Creates a file, in the format of its ending: `.csv`, `.tsv`, `.npy`, `.parquet`, `.arrow`, ….
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be created, [`Error::Unsupported`] for an ending that is none of
    /// these, [`Error::Shape`] or [`Error::Data`] for names that do not fit.
    pub fn create(path: &Path, options: &WriteOptions) -> Result<Self> {
        let columns = options.names.len();
        let row_shape: &[usize] = match &options.row_shape[..] {
            [] => &[columns],
            given => given,
        };
        let cells = row_shape
            .iter()
            .try_fold(1usize, |cells, &n| cells.checked_mul(n));
        if columns == 0 || cells != Some(columns) {
            return Err(shape(
                "the shape of a row",
                format!("dimensions whose product is the {columns} columns, at least one"),
                format!("{row_shape:?}"),
            ));
        }
        let format = Format::of(path).ok_or_else(|| Format::unknown(path))?;
        if format != Format::Npy {
            name::check_unique(MEMORY.as_ref(), "the column names", &options.names)?;
        }
        let target = target(path)?;
        let (part, file) = part(&target).map_err(|source| failed(path, source))?;
        let mut writer = Self {
            path: target,
            part: Some(part),
            sink: None,
            columns,
            width: options.width,
            rows: 0,
        };
        let file = BufWriter::with_capacity(BUFFER, file);
        let sink: io::Result<Box<dyn Sink>> = match format {
            Format::Csv => csv::Csv::create(path, file, options).map(|sink| Box::new(sink) as _),
            Format::Npy => {
                npy::Npy::create(file, options.width, row_shape).map(|sink| Box::new(sink) as _)
            }
            #[cfg(feature = "arrow")]
            Format::Parquet => arrow::parquet(file, options),
            #[cfg(feature = "arrow")]
            Format::Arrow if path.extension().is_some_and(|ending| ending == "arrows") => {
                arrow::stream(file, options)
            }
            #[cfg(feature = "arrow")]
            Format::Arrow => arrow::ipc(file, options),
            #[cfg(not(feature = "arrow"))]
            Format::Parquet | Format::Arrow => return Err(format.not_built(path)),
        };
        writer.sink = Some(sink.map_err(|source| failed(path, source))?);
        Ok(writer)
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Number of rows written so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Appends whole rows, row-major; float32 numbers become float64 in a file of such.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Shape`] for a part of a row.
    pub fn write_f32(&mut self, cells: &[f32]) -> Result<()> {
        match self.width {
            Width::F32 => self.write(cells.len(), Block::F32(cells)),
            Width::F64 => {
                let wide: Vec<f64> = cells.iter().copied().map(f64::from).collect();
                self.write(cells.len(), Block::F64(&wide))
            }
        }
    }

    /// Appends whole rows, row-major, to a file of float64.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Shape`] for a part of a row, and for a file of float32.
    pub fn write_f64(&mut self, cells: &[f64]) -> Result<()> {
        match self.width {
            Width::F64 => self.write(cells.len(), Block::F64(cells)),
            Width::F32 => Err(shape(
                "the numbers to write",
                "float32, as the file was created for",
                "float64; create the file for float64",
            )),
        }
    }

    fn write(&mut self, cells: usize, block: Block<'_>) -> Result<()> {
        if !cells.is_multiple_of(self.columns) {
            return Err(shape(
                "the cells to write",
                format!("whole rows of {}", self.columns),
                cells.to_string(),
            ));
        }
        let Some(sink) = &mut self.sink else {
            return Err(self.closed());
        };
        if let Err(source) = sink.write(block) {
            // What the file holds now is unknown.
            self.sink = None;
            return Err(failed(&self.path, source));
        }
        self.rows += (cells / self.columns) as u64;
        Ok(())
    }

    /// Completes the file, gives it its name, and tells its number of rows.
    ///
    /// # Errors
    /// [`Error::Io`], also after a failed write.
    pub fn finish(mut self) -> Result<u64> {
        let (Some(sink), Some(part)) = (self.sink.take(), &self.part) else {
            return Err(self.closed());
        };
        sink.finish(self.rows)
            .and_then(|()| std::fs::rename(part, &self.path))
            .map_err(|source| failed(&self.path, source))?;
        self.part = None;
        Ok(self.rows)
    }

    fn closed(&self) -> Error {
        let source = io::Error::other("an earlier write failed, so the file cannot be completed");
        failed(&self.path, source)
    }
}

impl Drop for TableWriter {
    fn drop(&mut self) {
        self.sink = None;
        if let Some(part) = &self.part {
            // There is nobody to tell; a file that stays is marked as a part by its name.
            let _ = std::fs::remove_file(part);
        }
    }
}

fn failed(path: &Path, source: io::Error) -> Error {
    super::reader::io(path, source)
}

/// The file that the path means: a link stays a link.
fn target(path: &Path) -> Result<PathBuf> {
    let target = match std::fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_symlink() => std::fs::canonicalize(path),
        _ => Ok(path.to_owned()),
    }
    .map_err(|source| failed(path, source))?;
    match std::fs::metadata(&target) {
        Ok(metadata) if !metadata.is_file() => {
            let source = io::Error::other("not a file; name a file to write");
            Err(failed(path, source))
        }
        _ => Ok(target),
    }
}

/// Creates the file to write, beside the one that it becomes.
fn part(target: &Path) -> io::Result<(PathBuf, File)> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let process = std::process::id();
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    loop {
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let part = target.with_file_name(format!(".{name}.{process}-{count}.part"));
        match OpenOptions::new().write(true).create_new(true).open(&part) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            file => return Ok((part, file?)),
        }
    }
}

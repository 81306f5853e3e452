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

#[cfg(feature = "arrow")]
use super::Column;
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
    /// Appends columns of one length, each of the type that it was announced with.
    #[cfg(feature = "arrow")]
    fn write_columns(&mut self, _columns: &[Column]) -> io::Result<()> {
        Err(io::Error::other(
            "this format is written row by row; name a .parquet or .arrow file",
        ))
    }
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
    /// `None` where every column has a type of its own.
    width: Option<Width>,
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
        let (mut writer, file) = Self::begin(path, columns, Some(options.width))?;
        #[cfg(feature = "arrow")]
        let table = || arrow::Description {
            columns: (options.names.iter())
                .map(|name| (name.clone(), options.width))
                .collect(),
            metadata: &[],
        };
        let sink: io::Result<Box<dyn Sink>> = match format {
            Format::Csv => csv::Csv::create(path, file, options).map(|sink| Box::new(sink) as _),
            Format::Npy => {
                npy::Npy::create(file, options.width, row_shape).map(|sink| Box::new(sink) as _)
            }
            #[cfg(feature = "arrow")]
            Format::Parquet => arrow::parquet(file, &table()),
            #[cfg(feature = "arrow")]
            Format::Arrow => arrow::ipc(path, file, &table()),
            #[cfg(not(feature = "arrow"))]
            Format::Parquet | Format::Arrow => return Err(format.not_built(path)),
        };
        writer.sink = Some(sink.map_err(|source| failed(path, source))?);
        Ok(writer)
    }

    /// Creates a Parquet or Arrow file whose columns have a type each, with text under keys beside
    /// them; its rows come through [`write_columns`](Self::write_columns).
    ///
    /// # Errors
    /// As [`create`](Self::create).
    #[cfg(feature = "arrow")]
    pub fn create_typed(
        path: &Path,
        columns: &[(String, Width)],
        metadata: &[(String, String)],
    ) -> Result<Self> {
        if columns.is_empty() {
            return Err(shape("the columns to write", "at least one", "none"));
        }
        let format = Format::of(path).ok_or_else(|| Format::unknown(path))?;
        let names: Vec<String> = columns.iter().map(|(name, _)| name.clone()).collect();
        name::check_unique(MEMORY.as_ref(), "the column names", &names)?;
        if matches!(format, Format::Csv | Format::Npy) {
            return Err(Error::Unsupported {
                what: format!("a table of columns of several types ({})", path.display()),
                by: "this format".to_owned(),
                instead: "name a .parquet or .arrow file".to_owned(),
            });
        }
        let (mut writer, file) = Self::begin(path, columns.len(), None)?;
        let table = arrow::Description {
            columns: columns.to_vec(),
            metadata,
        };
        let sink = match format {
            Format::Parquet => arrow::parquet(file, &table),
            _ => arrow::ipc(path, file, &table),
        };
        writer.sink = Some(sink.map_err(|source| failed(path, source))?);
        Ok(writer)
    }

    /// A writer that has no sink yet, and the file for it.
    fn begin(path: &Path, columns: usize, width: Option<Width>) -> Result<(Self, BufWriter<File>)> {
        let target = target(path)?;
        let (part, file) = part(&target).map_err(|source| failed(path, source))?;
        let writer = Self {
            path: target,
            part: Some(part),
            sink: None,
            columns,
            width,
            rows: 0,
        };
        Ok((writer, BufWriter::with_capacity(BUFFER, file)))
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
            Some(Width::F32) => self.write(cells.len(), Block::F32(cells)),
            Some(Width::F64) => {
                let wide: Vec<f64> = cells.iter().copied().map(f64::from).collect();
                self.write(cells.len(), Block::F64(&wide))
            }
            None => Err(by_column()),
        }
    }

    /// Appends whole rows, row-major, to a file of float64.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Shape`] for a part of a row, and for a file of float32.
    pub fn write_f64(&mut self, cells: &[f64]) -> Result<()> {
        match self.width {
            Some(Width::F64) => self.write(cells.len(), Block::F64(cells)),
            Some(Width::F32) => Err(shape(
                "the numbers to write",
                "float32, as the file was created for",
                "float64; create the file for float64",
            )),
            None => Err(by_column()),
        }
    }

    /// Appends rows to a file of [`create_typed`](Self::create_typed), column by column.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Shape`] for columns of other types or lengths.
    #[cfg(feature = "arrow")]
    pub fn write_columns(&mut self, columns: &[Column]) -> Result<()> {
        let rows = columns.first().map_or(0, Column::len);
        if self.width.is_some()
            || columns.len() != self.columns
            || columns.iter().any(|column| column.len() != rows)
        {
            return Err(shape(
                "the columns to write",
                format!(
                    "{} of one length, for a file created for columns",
                    self.columns
                ),
                format!("{} columns, the first of {rows} rows", columns.len()),
            ));
        }
        self.put(rows, |sink| sink.write_columns(columns))
    }

    fn write(&mut self, cells: usize, block: Block<'_>) -> Result<()> {
        if !cells.is_multiple_of(self.columns) {
            return Err(shape(
                "the cells to write",
                format!("whole rows of {}", self.columns),
                cells.to_string(),
            ));
        }
        self.put(cells / self.columns, |sink| sink.write(block))
    }

    fn put(
        &mut self,
        rows: usize,
        put: impl FnOnce(&mut dyn Sink) -> io::Result<()>,
    ) -> Result<()> {
        let Some(sink) = &mut self.sink else {
            return Err(self.closed());
        };
        if let Err(source) = put(&mut **sink) {
            // What the file holds now is unknown.
            self.sink = None;
            return Err(failed(&self.path, source));
        }
        self.rows += rows as u64;
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

fn by_column() -> Error {
    shape(
        "the numbers to write",
        "columns, as the file was created for",
        "rows; use write_columns",
    )
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

#[cfg(all(test, feature = "arrow"))]
mod tests {
    use super::*;
    use crate::data::{Cells, ReadOptions, Reader};

    fn columns() -> Vec<(String, Width)> {
        vec![("a".to_owned(), Width::F32), ("b".to_owned(), Width::F64)]
    }

    #[test]
    fn columns_of_two_types_and_text_beside_them_are_read_back() {
        let folder = tempfile::tempdir().unwrap();
        for ending in ["parquet", "arrow", "arrows"] {
            let path = folder.path().join(format!("t.{ending}"));
            let text = [("key".to_owned(), "{\"ü\": \"1\\n\"}".to_owned())];
            let mut writer = TableWriter::create_typed(&path, &columns(), &text).unwrap();
            let numbers = [0.1f32, -0.0, f32::NAN];
            let wide = [0.1f64, f64::INFINITY, 5e-324];
            for rows in [0..1, 1..3] {
                let block = [
                    Column::F32(numbers[rows.clone()].to_vec()),
                    Column::F64(wide[rows].to_vec()),
                ];
                writer.write_columns(&block).unwrap();
            }
            assert_eq!(writer.finish().unwrap(), 3);
            let mut reader = Reader::open(&path, &ReadOptions::default()).unwrap();
            assert_eq!(reader.metadata("key"), Some(text[0].1.as_str()));
            assert_eq!(reader.metadata("other"), None);
            let table = reader.next(9).unwrap().unwrap();
            let Cells::Columns(read) = table.cells else {
                panic!("columns were written")
            };
            let (Column::F32(a), Column::F64(b)) = (&read[0], &read[1]) else {
                panic!("float32 and float64 were written")
            };
            assert_eq!(
                a.iter().map(|n| n.to_bits()).collect::<Vec<_>>(),
                numbers.map(f32::to_bits)
            );
            assert_eq!(b[..], wide);
        }
    }

    #[test]
    fn columns_that_were_not_announced_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let create = |name: &str, columns: &[(String, Width)]| {
            TableWriter::create_typed(&folder.path().join(name), columns, &[])
        };
        assert!(matches!(create("a.parquet", &[]), Err(Error::Shape { .. })));
        for name in ["a.csv", "a.npy", "a.xlsx"] {
            let made = create(name, &columns());
            assert!(matches!(made, Err(Error::Unsupported { .. })), "{name}");
        }
        let mut writer = create("a.parquet", &columns()).unwrap();
        let narrow = || Column::F32(vec![1.0]);
        for block in [vec![narrow()], vec![narrow(), Column::F64(vec![1.0, 2.0])]] {
            let written = writer.write_columns(&block);
            assert!(matches!(written, Err(Error::Shape { .. })));
        }
        let rows = writer.write_f32(&[1.0, 2.0]);
        assert!(matches!(rows, Err(Error::Shape { .. })));
        let other = writer.write_columns(&[narrow(), narrow()]);
        assert!(matches!(other, Err(Error::Io { .. })));
        assert!(matches!(writer.finish(), Err(Error::Io { .. })));
    }
}

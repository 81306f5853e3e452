//! One reader for all table formats: rows in batches, in constant memory.

use std::fmt::Debug;
use std::fs::File;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};

use super::{Table, csv, encode, name, npy};
use crate::error::{Error, Result};
use crate::model::Feature;

/// Whether the first row of a CSV file holds the column names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Header {
    /// It does if any of its cells is neither a number nor a missing mark.
    #[default]
    Auto,
    /// It does.
    Yes,
    /// It is a row of data.
    No,
}

/// A CSV column whose cells are category labels. Other formats say so themselves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LabelColumn {
    /// Its name, which counts where the file has names.
    pub name: Option<String>,
    /// Its position from 0 among the columns that are not dropped, which counts otherwise.
    pub index: Option<usize>,
    /// Labels that are known before the file is read: they come first in every batch, and one of
    /// them is a label even where it is spelled like a missing mark.
    pub known: Vec<String>,
}

/// How a table is read; the default suits a CSV file of numbers.
#[derive(Debug, Clone)]
pub struct ReadOptions {
    /// Whether a CSV file begins with column names.
    pub header: Header,
    /// The byte between CSV cells; `None` is a tab for `.tsv` and a comma otherwise.
    pub delimiter: Option<u8>,
    /// CSV cells that mean "missing", compared without the spaces around them.
    pub missing: Vec<String>,
    /// CSV columns of category labels.
    pub labels: Vec<LabelColumn>,
    /// Columns to leave out, by name, or by position from 1 where the file has no names.
    pub drop: Vec<String>,
    /// The columns to read, named as those of [`ReadOptions::drop`], in the order of the file; empty for all that are
    /// not left out.
    pub only: Vec<String>,
}

impl Default for ReadOptions {
    fn default() -> Self {
        let marks = ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "?"];
        Self {
            header: Header::Auto,
            delimiter: None,
            missing: marks.map(str::to_owned).to_vec(),
            labels: Vec::new(),
            drop: Vec::new(),
            only: Vec::new(),
        }
    }
}

impl ReadOptions {
    /// By column of a file, whether it is read.
    pub(super) fn kept(
        &self,
        path: &Path,
        names: Option<&[String]>,
        columns: usize,
    ) -> Result<Vec<bool>> {
        let mut keep = vec![self.only.is_empty(); columns];
        for (wanted, is_kept) in (self.only.iter().map(|only| (only, true)))
            .chain(self.drop.iter().map(|drop| (drop, false)))
        {
            keep[name::position(path, names, columns, wanted)?] = is_kept;
        }
        Ok(keep)
    }

    /// Options for a table that a model with these features reads: every feature with category
    /// labels is a label column, matched as [`Encoder`](super::Encoder) matches it.
    pub fn for_features(features: &[Feature]) -> Self {
        let named = encode::all_named(features);
        let options = Self::default();
        let labels = features
            .iter()
            .enumerate()
            .filter_map(|(index, feature)| {
                let categories = feature.categories.as_ref()?;
                Some(LabelColumn {
                    name: feature.name.clone().filter(|_| named),
                    index: Some(index),
                    known: encode::known_labels(categories, &options.missing),
                })
            })
            .collect();
        Self { labels, ..options }
    }
}

/// A stream of tables from one file.
pub(super) trait Source: Debug + Send {
    /// Names of the columns that are kept.
    fn names(&self) -> Option<&[String]>;
    /// Number of columns that are kept.
    fn columns(&self) -> usize;
    /// Number of rows in the file, where it says so or they are few.
    fn rows(&self) -> Option<u64>;
    /// The text that the file holds under a key.
    fn metadata(&self, _key: &str) -> Option<&str> {
        None
    }
    /// The next rows, 1 to `max_rows` of them; `None` after the last.
    fn next(&mut self, max_rows: usize) -> Result<Option<Table>>;
}

/// An open table file, read in batches of rows.
#[derive(Debug)]
pub struct Reader {
    path: PathBuf,
    source: Box<dyn Source>,
    started: bool,
}

/// A table format, told from the ending of a file's name and checked by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Csv,
    Npy,
    Parquet,
    Arrow,
}

const ENDINGS: [(&str, Format); 9] = [
    ("csv", Format::Csv),
    ("tsv", Format::Csv),
    ("txt", Format::Csv),
    ("npy", Format::Npy),
    ("parquet", Format::Parquet),
    ("pq", Format::Parquet),
    ("arrow", Format::Arrow),
    ("feather", Format::Arrow),
    ("arrows", Format::Arrow),
];

impl Format {
    pub(super) fn of(path: &Path) -> Option<Self> {
        let ending = path.extension()?.to_str()?.to_ascii_lowercase();
        ENDINGS
            .iter()
            .find(|(known, _)| *known == ending)
            .map(|(_, format)| *format)
    }

    /// The format that these first bytes prove; none prove CSV.
    fn proven_by(start: &[u8]) -> Option<Self> {
        if start.starts_with(npy::MAGIC) {
            Some(Self::Npy)
        } else if start.starts_with(b"PAR1") {
            Some(Self::Parquet)
        } else if start.starts_with(b"ARROW1") || start.starts_with(&[0xff; 4]) {
            Some(Self::Arrow)
        } else {
            None
        }
    }

    /// The error for an ending that belongs to no format.
    pub(super) fn unknown(path: &Path) -> Error {
        Error::Unsupported {
            what: format!("the ending of {}", path.display()),
            by: "tables".to_owned(),
            instead: format!(
                "name the file after its format: {}",
                ENDINGS.map(|(ending, _)| format!(".{ending}")).join(", ")
            ),
        }
    }

    /// The error for a format that this build leaves out.
    #[cfg(not(feature = "arrow"))]
    pub(super) fn not_built(self, path: &Path) -> Error {
        Error::Unsupported {
            what: format!("{} ({})", self.name(), path.display()),
            by: "this build".to_owned(),
            instead: "build with the feature `arrow`, or use CSV or npy".to_owned(),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Csv => "CSV",
            Self::Npy => "npy",
            Self::Parquet => "Parquet",
            Self::Arrow => "Arrow IPC",
        }
    }
}

impl Reader {
    /// Opens a table: CSV (`.csv`, `.tsv`, `.txt`), NumPy (`.npy`), Parquet (`.parquet`, `.pq`) or
    /// Arrow IPC (`.arrow`, `.feather`, `.arrows`), by its ending, checked by its first bytes.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read, [`Error::Data`] if it is not what its ending says,
    /// has no columns, or has two columns of one name, [`Error::Unsupported`] if it holds a type
    /// that is no number and no label, or if this build lacks the format.
    pub fn open(path: &Path, options: &ReadOptions) -> Result<Self> {
        let mut file = File::open(path).map_err(|source| io(path, source))?;
        let mut start = Vec::with_capacity(8);
        (&mut file)
            .take(8)
            .read_to_end(&mut start)
            .map_err(|source| io(path, source))?;
        let format = format(path, &start)?;
        let source: Box<dyn Source> = match format {
            Format::Csv => Box::new(csv::Csv::open(path, file, &start, options)?),
            Format::Npy => {
                file.rewind().map_err(|source| io(path, source))?;
                Box::new(npy::Npy::open(path, file, options)?)
            }
            #[cfg(feature = "arrow")]
            Format::Parquet => Box::new(super::parquet::open(path, file, options)?),
            #[cfg(feature = "arrow")]
            Format::Arrow => Box::new(super::arrow::open(path, file, options)?),
            #[cfg(not(feature = "arrow"))]
            Format::Parquet | Format::Arrow => return Err(format.not_built(path)),
        };
        Ok(Self {
            path: path.to_owned(),
            source,
            started: false,
        })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Column names, without those dropped; `None` where the file has none.
    pub fn names(&self) -> Option<&[String]> {
        self.source.names()
    }

    /// Number of columns, without those dropped.
    pub fn columns(&self) -> usize {
        self.source.columns()
    }

    /// Number of rows, where the file says so without being read whole; of CSV where they are few
    /// and come from a file that can be read twice.
    pub fn rows(&self) -> Option<u64> {
        self.source.rows()
    }

    /// The text that the file holds beside its rows under a key: Parquet and Arrow have such.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.source.metadata(key)
    }

    /// The next rows, from 1 to `max_rows` of them; `None` after the last. A batch can hold fewer
    /// rows than asked for though more follow.
    ///
    /// # Errors
    /// [`Error::Data`] for a cell that is not what its column holds, with its row (counted from
    /// 1) and column, and for a file without rows; [`Error::Io`].
    pub fn next(&mut self, max_rows: usize) -> Result<Option<Table>> {
        let table = self.source.next(max_rows.max(1))?;
        if table.is_none() && !self.started {
            return Err(Error::Data {
                path: self.path.clone(),
                at: "its end".to_owned(),
                reason: "no rows; expected at least one".to_owned(),
            });
        }
        self.started = true;
        Ok(table)
    }
}

/// Reads the first rows of a table, so many if it has them.
///
/// # Errors
/// As [`Reader::open`] and [`Reader::next`].
pub fn head(path: &Path, options: &ReadOptions, rows: usize) -> Result<Table> {
    let mut reader = Reader::open(path, options)?;
    let mut parts = Vec::new();
    let mut missing = rows.max(1);
    while missing > 0 {
        let Some(part) = reader.next(missing)? else {
            break;
        };
        missing = missing.saturating_sub(part.rows());
        parts.push(part);
    }
    Table::concat(parts)
}

/// Reads a whole table.
///
/// # Errors
/// As [`Reader::open`] and [`Reader::next`].
pub fn read(path: &Path, options: &ReadOptions) -> Result<Table> {
    let mut reader = Reader::open(path, options)?;
    let mut parts = Vec::new();
    while let Some(part) = reader.next(usize::MAX)? {
        parts.push(part);
    }
    Table::concat(parts)
}

fn format(path: &Path, start: &[u8]) -> Result<Format> {
    let refused = |reason| Error::Data {
        path: path.to_owned(),
        at: "its first bytes".to_owned(),
        reason,
    };
    let proven = Format::proven_by(start);
    let Some(format) = Format::of(path).or(proven) else {
        return Err(Format::unknown(path));
    };
    match proven {
        Some(proven) if proven == format => Ok(format),
        Some(proven) => Err(refused(format!(
            "the ending says {}, the content is {}; rename the file",
            format.name(),
            proven.name()
        ))),
        None if start.is_empty() => Err(refused("the file is empty; expected a table".to_owned())),
        None if start.starts_with(&[0x1f, 0x8b]) || start.starts_with(b"PK\x03\x04") => Err(
            refused("the file is compressed; unpack it first".to_owned()),
        ),
        None if format == Format::Csv => {
            if start.starts_with(&[0xff, 0xfe])
                || start.starts_with(&[0xfe, 0xff])
                || start.contains(&0)
            {
                return Err(refused(
                    "this is not UTF-8 text; save the table as CSV in UTF-8".to_owned(),
                ));
            }
            Ok(format)
        }
        None => Err(refused(format!(
            "the ending says {}, the content is something else; expected {}",
            format.name(),
            match format {
                Format::Npy => "\\x93NUMPY",
                Format::Parquet => "PAR1",
                _ => "ARROW1 (the first version of Feather is not read)",
            }
        ))),
    }
}

pub(super) fn io(path: &Path, source: std::io::Error) -> Error {
    Error::Io {
        path: path.to_owned(),
        source,
    }
}

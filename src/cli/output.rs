//! Where results go: a file that is opened before the work and named after it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use whylight::explanation::{Explanation, Header, Sink};
use whylight::report::{self, Columns, Npy};
use whylight::{Error, Result};

/// What a file of results holds, by the ending of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// The whole result.
    Json,
    /// The values alone.
    Npy,
    /// A row of values per explained row.
    Columns,
}

impl Format {
    pub(super) fn of(path: &Path) -> Result<Self> {
        let ending = path.extension().unwrap_or_default().to_string_lossy();
        match ending.to_ascii_lowercase().as_str() {
            "json" => Ok(Self::Json),
            "npy" => Ok(Self::Npy),
            "parquet" | "arrow" | "csv" => Ok(Self::Columns),
            _ => Err(Error::Parameter {
                name: "out",
                got: path.display().to_string(),
                allowed: "a file that ends in .json (the whole result), .npy (the values), or \
                          .parquet, .arrow or .csv (a row per explained row)"
                    .to_owned(),
            }),
        }
    }

    /// The sink of a format that is written as the rows come; none for JSON.
    pub(super) fn sink(self, path: &Path, header: &Header) -> Result<Option<Box<dyn Sink>>> {
        Ok(match self {
            Self::Json => None,
            Self::Npy => Some(Box::new(Npy::create(path, header)?)),
            Self::Columns => Some(Box::new(Columns::create(path, header)?)),
        })
    }
}

/// A file to be. It takes its name when it is complete; until then, and after a failure,
/// whatever had that name is as it was.
#[derive(Debug)]
pub(super) struct PartFile {
    path: PathBuf,
    part: PathBuf,
    file: Option<File>,
}

impl PartFile {
    pub(super) fn create(path: &Path) -> Result<Self> {
        let failed = |source| failed(path, source);
        if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
            return Err(failed(io::Error::other("not a file; name a file to write")));
        }
        // A link stays a link.
        let path = match fs::symlink_metadata(path) {
            Ok(found) if found.is_symlink() => fs::canonicalize(path).map_err(failed)?,
            _ => path.to_owned(),
        };
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let part = path.with_file_name(format!(".{name}.{}.part", std::process::id()));
        let file = OpenOptions::new().write(true).create_new(true).open(&part);
        Ok(Self {
            file: Some(file.map_err(failed)?),
            path,
            part,
        })
    }

    pub(super) fn write(self, explanation: &Explanation) -> Result<()> {
        self.write_with(|file| report::json(explanation, file))
    }

    /// Writes what is written to it.
    pub(super) fn write_with(
        mut self,
        write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
    ) -> Result<()> {
        let Some(file) = self.file.take() else {
            return Ok(());
        };
        let mut file = BufWriter::with_capacity(1 << 20, file);
        write(&mut file)
            .and_then(|()| fs::rename(&self.part, &self.path))
            .map_err(|source| failed(&self.path, source))
    }
}

impl Drop for PartFile {
    fn drop(&mut self) {
        // After the renaming there is none; after a failure there is nobody to tell.
        let _ = fs::remove_file(&self.part);
    }
}

fn failed(path: &Path, source: io::Error) -> Error {
    Error::Io {
        path: path.to_owned(),
        source,
    }
}

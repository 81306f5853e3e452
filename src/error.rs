//! The one error type: each variant names the thing, what is wrong with it, and the way out.

use std::path::{Path, PathBuf};

/// The path of a table that comes from no file.
pub(crate) const MEMORY: &str = "<memory>";

/// What can go wrong between a model file and an explanation.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be opened, read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },

    /// A model file is not what its format demands.
    #[error("{}: not a usable {format} model: at {at}: {reason}", path.display())]
    Model {
        /// The file.
        path: PathBuf,
        /// The format that it was read as, such as `XGBoost JSON`.
        format: &'static str,
        /// The place in the file, such as `tree 3, node 17`.
        at: String,
        /// What was expected, what was found, and what to do.
        reason: String,
    },

    /// A table cannot be read, or holds a cell that cannot be used.
    #[error("{}: at {at}: {reason}", path.display())]
    Data {
        /// The file; `<memory>` for a table that comes from none.
        path: PathBuf,
        /// The place, such as `row 7, column "age"`.
        at: String,
        /// What was expected, what was found, and what to do.
        reason: String,
    },

    /// Two things that belong together do not fit.
    #[error("{what}: expected {expected}, got {got}")]
    Shape {
        /// What was compared.
        what: String,
        /// What it should have been.
        expected: String,
        /// What it was.
        got: String,
    },

    /// A parameter has a value outside its range.
    #[error("{name}: {got} is not allowed: {allowed}")]
    Parameter {
        /// The parameter, named as in the command and in Python.
        name: &'static str,
        /// The value that was given.
        got: String,
        /// What is allowed.
        allowed: String,
    },

    /// Something that is well-formed but that whylight does not do.
    #[error("{what} is not supported by {by}: {instead}")]
    Unsupported {
        /// The thing asked for.
        what: String,
        /// Who cannot do it.
        by: String,
        /// What to do instead.
        instead: String,
    },

    /// The device asked for cannot be had.
    #[error("device {wanted}: {reason}")]
    Device {
        /// The device as the caller named it.
        wanted: String,
        /// Why it cannot be had, and the way out.
        reason: String,
    },

    /// A black box did not answer.
    #[error("the model did not answer: {source}")]
    Predict {
        /// What it said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },

    /// The GPU failed at work that it had accepted.
    #[error("GPU {adapter}: {doing}: {reason}")]
    Gpu {
        /// The adapter's name.
        adapter: String,
        /// What it was doing, such as `kernel tree_tables`.
        doing: String,
        /// What it said.
        reason: String,
    },
}

impl Error {
    /// The same error, of a table that comes from a file: it names the file.
    #[must_use]
    pub fn in_file(self, file: &Path) -> Self {
        match self {
            Self::Data { path, at, reason } if path == Path::new(MEMORY) => Self::Data {
                path: file.to_owned(),
                at,
                reason,
            },
            Self::Shape {
                what,
                expected,
                got,
            } => Self::Shape {
                what: format!("{}: {what}", file.display()),
                expected,
                got,
            },
            other => other,
        }
    }
}

/// A result with this crate's [`enum@Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

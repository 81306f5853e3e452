//! Texts of a file: a column of a table, or lines.

use std::path::Path;

use ndarray::Array2;

use crate::data::{Cells, Column, Header, LabelColumn, ReadOptions, Reader};
use crate::error::{Error, Result};

/// Rows of a table that are read at a time.
const ROWS: usize = 4096;

/// The texts of a file, and numbers beside them.
#[derive(Debug, Clone)]
pub struct Corpus {
    /// The texts, at least one.
    pub texts: Vec<String>,
    /// (text, column): the columns of numbers that were asked for.
    pub numbers: Array2<f64>,
}

/// Reads a column of texts, and columns of numbers beside it, from `.csv`, `.tsv`, `.parquet` or `.arrow`; or from `.txt`
/// a text in each line that is not empty.
///
/// # Errors
/// [`Error::Io`]; [`Error::Data`] for a file without texts, a row without one, or a column that is not there or that is
/// none of text; [`Error::Parameter`] for columns of numbers beside the lines of a text file.
pub fn read_corpus(path: &Path, column: &str, numbers: &[String]) -> Result<Corpus> {
    let corpus = if is_lines(path) {
        if !numbers.is_empty() {
            return Err(Error::Parameter {
                name: "columns",
                got: numbers.join(", "),
                allowed: format!("{} has lines of text alone; name a table", path.display()),
            });
        }
        let mut texts = lines(path)?;
        texts.retain(|text| !text.trim().is_empty());
        Corpus {
            numbers: Array2::zeros((texts.len(), 0)),
            texts,
        }
    } else {
        table(path, column, numbers)?
    };
    if corpus.texts.is_empty() {
        return Err(Error::Data {
            path: path.to_owned(),
            at: "its end".to_owned(),
            reason: "no texts; expected at least one".to_owned(),
        });
    }
    Ok(corpus)
}

/// The words of a list: the lines of a text file, or the column of text of a Parquet file.
pub(super) fn words(path: &Path) -> Result<Vec<String>> {
    if is_lines(path) {
        return lines(path);
    }
    #[cfg(feature = "arrow")]
    if path
        .extension()
        .is_some_and(|e| e.eq_ignore_ascii_case("parquet"))
    {
        return super::vectors::words(path);
    }
    Err(Error::Unsupported {
        what: path.display().to_string(),
        by: "the reader of words".to_owned(),
        instead: "name a .txt file with one in each line, or a .parquet file with a column of them"
            .to_owned(),
    })
}

fn is_lines(path: &Path) -> bool {
    let ending = path.extension().unwrap_or_default();
    ["txt", "text"]
        .iter()
        .any(|lines| ending.eq_ignore_ascii_case(lines))
}

fn lines(path: &Path) -> Result<Vec<String>> {
    let text = std::fs::read(path).map_err(|source| Error::Io {
        path: path.to_owned(),
        source,
    })?;
    let text = String::from_utf8(text).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = memchr::memchr_iter(b'\n', before).count() + 1;
        Error::Data {
            path: path.to_owned(),
            at: format!("line {line}"),
            reason: "not UTF-8; save the file as UTF-8".to_owned(),
        }
    })?;
    let text = text.trim_start_matches('\u{feff}');
    Ok(text.lines().map(str::to_owned).collect())
}

fn table(path: &Path, column: &str, numbers: &[String]) -> Result<Corpus> {
    let mut only = vec![column.to_owned()];
    only.extend(numbers.iter().filter(|name| *name != column).cloned());
    let options = ReadOptions {
        header: Header::Yes,
        missing: Vec::new(),
        labels: vec![LabelColumn {
            name: Some(column.to_owned()),
            ..LabelColumn::default()
        }],
        only,
        ..ReadOptions::default()
    };
    let mut reader = Reader::open(path, &options)?;
    let place = |name: &str| {
        reader
            .names()
            .and_then(|names| names.iter().position(|n| n == name))
    };
    let wrong = |at: String, reason: &str| Error::Data {
        path: path.to_owned(),
        at,
        reason: reason.to_owned(),
    };
    let no_text = "it holds no text; name the column that does";
    let Some(at) = place(column) else {
        return Err(wrong(format!("column \"{column}\""), no_text));
    };
    let others: Vec<usize> = numbers.iter().filter_map(|name| place(name)).collect();
    let mut texts = Vec::new();
    let mut cells = Vec::new();
    while let Some(table) = reader.next(ROWS)? {
        let Cells::Columns(columns) = &table.cells else {
            return Err(wrong(format!("column \"{column}\""), no_text));
        };
        let Some(Column::Labels { codes, labels }) = columns.get(at) else {
            return Err(wrong(format!("column \"{column}\""), no_text));
        };
        for (row, &code) in codes.iter().enumerate() {
            let Some(text) = usize::try_from(code).ok().and_then(|code| labels.get(code)) else {
                let at = format!("row {}, column \"{column}\"", texts.len() + 1);
                return Err(wrong(at, "no text; expected one in each row"));
            };
            texts.push(text.clone());
            for (&other, name) in others.iter().zip(numbers) {
                cells.push(match columns.get(other) {
                    Some(Column::F32(cells)) => f64::from(cells[row]),
                    Some(Column::F64(cells)) => cells[row],
                    _ => {
                        let reason = "it holds text; expected numbers, as a model answered";
                        return Err(wrong(format!("column \"{name}\""), reason));
                    }
                });
            }
        }
    }
    let shape = (texts.len(), others.len());
    let numbers = Array2::from_shape_vec(shape, cells)
        .map_err(|error| wrong("its rows".to_owned(), &error.to_string()))?;
    Ok(Corpus { texts, numbers })
}

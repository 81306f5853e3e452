//! The values of the words of texts: a row for each document, output and word, as Parquet, Arrow IPC, CSV or JSON; or the
//! texts with their words highlighted, as HTML.

#[cfg(feature = "arrow")]
mod arrow;
mod html;

use std::io::{self, Write};
use std::path::Path;

use ndarray::Array2;
use serde::Serialize;

use crate::error::{Error, Result};
use crate::explain::text::{TextExplanation, TextValues};
use crate::text::Span;

/// The columns of a row.
pub(crate) const COLUMNS: [&str; 9] = [
    "document",
    "output",
    "word",
    "start",
    "end",
    "sentence",
    "value",
    "standard_error",
    "base_value",
];

/// What a file of words is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum WordsFormat {
    /// Rows between commas.
    Csv,
    /// An object with all that is known, and a list of rows.
    Json,
    /// Highlighted texts.
    Html,
    /// A Parquet table.
    #[cfg(feature = "arrow")]
    Parquet,
    /// An Arrow IPC file.
    #[cfg(feature = "arrow")]
    Arrow,
}

impl WordsFormat {
    /// The format of a file's ending.
    ///
    /// # Errors
    /// [`Error::Parameter`] for an ending that is none of these; [`Error::Unsupported`] for one that this build has not.
    pub fn of(path: &Path) -> Result<Self> {
        let ending = path.extension().unwrap_or_default().to_string_lossy();
        match ending.to_ascii_lowercase().as_str() {
            "csv" => Ok(Self::Csv),
            "json" => Ok(Self::Json),
            "html" | "htm" => Ok(Self::Html),
            #[cfg(feature = "arrow")]
            "parquet" => Ok(Self::Parquet),
            #[cfg(feature = "arrow")]
            "arrow" => Ok(Self::Arrow),
            #[cfg(not(feature = "arrow"))]
            "parquet" | "arrow" => Err(Error::Unsupported {
                what: path.display().to_string(),
                by: "this build of whylight".to_owned(),
                instead: "build it with the feature arrow, or name a .csv file".to_owned(),
            }),
            _ => Err(Error::Parameter {
                name: "out",
                got: path.display().to_string(),
                allowed: "a file that ends in .parquet, .arrow, .csv or .json (a row for each document, output and \
                          word), or .html (the texts, with their words highlighted)"
                    .to_owned(),
            }),
        }
    }
}

/// A word's value for an output. Documents and sentences are counted from 0, places in characters.
#[derive(Debug, Serialize)]
pub(crate) struct Row<'a> {
    document: usize,
    output: &'a str,
    word: &'a str,
    start: usize,
    end: usize,
    sentence: u32,
    value: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    standard_error: Option<f64>,
    base_value: f64,
}

/// The words of a document, ready to be written.
struct Words<'a> {
    of: &'a TextValues,
    values: Array2<f64>,
    errors: Option<Array2<f64>>,
    places: Vec<Span>,
}

impl<'a> Words<'a> {
    fn new(of: &'a TextValues) -> Self {
        Self {
            of,
            values: of.word_values(),
            errors: of.word_errors(),
            places: of.document.character_spans(),
        }
    }

    fn row(&self, document: usize, word: usize, output: usize, names: &'a [String]) -> Row<'a> {
        let place = self.places[word];
        Row {
            document,
            output: &names[output],
            word: self.of.document.word(word),
            start: place.start,
            end: place.end,
            sentence: self.of.document.sentence_of()[word],
            value: self.values[[word, output]],
            standard_error: self.errors.as_ref().map(|errors| errors[[word, output]]),
            base_value: self.of.base_values[output],
        }
    }
}

/// Hands the rows of a document on.
fn rows<'a>(
    explanation: &'a TextExplanation,
    document: usize,
    mut take: impl FnMut(Row<'a>) -> io::Result<()>,
) -> io::Result<()> {
    let words = Words::new(&explanation.documents[document]);
    for output in 0..explanation.output_names.len() {
        for word in 0..words.places.len() {
            take(words.row(document, word, output, &explanation.output_names))?;
        }
    }
    Ok(())
}

/// Writes an explanation of texts.
///
/// # Errors
/// What writing fails with.
pub fn words(
    explanation: &TextExplanation,
    format: WordsFormat,
    out: &mut (impl Write + Send),
) -> io::Result<()> {
    match format {
        WordsFormat::Csv => csv(explanation, out),
        WordsFormat::Json => json(explanation, out),
        WordsFormat::Html => html::write(explanation, out),
        #[cfg(feature = "arrow")]
        WordsFormat::Parquet => arrow::parquet(explanation, out),
        #[cfg(feature = "arrow")]
        WordsFormat::Arrow => arrow::ipc(explanation, out),
    }
}

fn csv(explanation: &TextExplanation, out: &mut impl Write) -> io::Result<()> {
    let mut writer = ::csv::Writer::from_writer(out);
    writer.write_record(COLUMNS)?;
    for document in 0..explanation.documents.len() {
        rows(explanation, document, |row| {
            let error = row.standard_error.map(|error| error.to_string());
            writer.write_record([
                &row.document.to_string(),
                row.output,
                row.word,
                &row.start.to_string(),
                &row.end.to_string(),
                &row.sentence.to_string(),
                &row.value.to_string(),
                &error.unwrap_or_default(),
                &row.base_value.to_string(),
            ])?;
            Ok(())
        })?;
    }
    writer.flush()
}

/// What is known of a document beside its words.
#[derive(Debug, Serialize)]
struct Document<'a> {
    text: &'a str,
    method: &'static str,
    exact: bool,
    base_values: &'a [f64],
    answers: &'a [f64],
    #[serde(skip_serializing_if = "Option::is_none")]
    local_fit: Option<&'a [f64]>,
    texts: u64,
    words: Vec<Row<'a>>,
}

fn json(explanation: &TextExplanation, out: &mut impl Write) -> io::Result<()> {
    let head = serde_json::json!({
        "model": explanation.model,
        "output_names": explanation.output_names,
        "calls": explanation.calls,
        "texts": explanation.texts,
        "seed": explanation.seed,
        "version": explanation.version,
    });
    // Documents one after the other, so that their rows are in memory one at a time.
    let head = head.to_string();
    write!(out, "{},\"documents\":[", head.trim_end_matches('}'))?;
    for (place, values) in explanation.documents.iter().enumerate() {
        let mut words = Vec::new();
        rows(explanation, place, |row| {
            words.push(row);
            Ok(())
        })?;
        let document = Document {
            text: values.document.text(),
            method: values.method.name(),
            exact: values.exact,
            base_values: &values.base_values,
            answers: &values.answers,
            local_fit: values.local_fit.as_deref(),
            texts: values.texts,
            words,
        };
        out.write_all(if place > 0 { b",\n" } else { b"\n" })?;
        serde_json::to_writer(&mut *out, &document)?;
    }
    out.write_all(b"\n]}\n")?;
    out.flush()
}

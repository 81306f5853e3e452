//! A model that is a program: it is started once, reads rows from its standard input, and writes what it
//! answers to its standard output.

#[cfg(feature = "arrow")]
mod arrow;
mod csv;
mod talk;

use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ndarray::{Array2, Axis, concatenate};

use self::talk::{Fault, Question, Talk};
use super::{BlackBox, Predict, PredictText};
use crate::error::{Error, Result};

/// How rows go to a program, and answers come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Exchange {
    /// Lines of cells between commas, after a line with their number.
    #[default]
    Csv,
    /// Record batches of an Arrow IPC stream.
    #[cfg(feature = "arrow")]
    Arrow,
}

/// How a program is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessOptions {
    /// How rows are written and answers read; CSV by default.
    pub exchange: Exchange,
    /// Rows of a batch at most, at least 1; 1000 by default.
    pub rows: usize,
    /// How long a batch may take; a minute by default.
    pub timeout: Duration,
}

impl Default for ProcessOptions {
    fn default() -> Self {
        Self {
            exchange: Exchange::default(),
            rows: 1000,
            timeout: Duration::from_mins(1),
        }
    }
}

/// A program that answers rows, which runs for as long as this lives. Then its input ends, and if it does not
/// end by itself within two seconds, it is ended.
///
/// As CSV, the program reads first the names of the columns in one line, and then, for each batch, a line
/// with the number of rows and a line for each row, with `NaN` where a cell is missing. It answers a batch with
/// the same number in a line, and a line for each row, with its outputs between commas, and flushes. At the end
/// of its input it ends. In Python:
///
/// ```python
/// import sys
/// names = next(sys.stdin)
/// for count in sys.stdin:
///     rows = [[float(cell) for cell in next(sys.stdin).split(",")] for _ in range(int(count))]
///     print(len(rows))
///     for outputs in model.predict_proba(rows):
///         print(*outputs, sep=",")
///     sys.stdout.flush()
/// ```
///
/// As Arrow, it reads an Arrow IPC stream, with a record batch of float64 columns for each batch of rows, and
/// writes another, with a record batch of the outputs for each:
///
/// ```python
/// import sys
/// import pyarrow as pa
/// writer = None
/// for batch in pa.ipc.open_stream(sys.stdin.buffer):
///     outputs = model.predict_proba(batch.to_pandas())
///     answer = pa.record_batch(list(outputs.T), names=[f"output {k}" for k in range(outputs.shape[1])])
///     writer = writer or pa.ipc.new_stream(sys.stdout.buffer, answer.schema)
///     writer.write_batch(answer)
///     sys.stdout.buffer.flush()
/// ```
///
/// A program that answers texts reads one column of them: as CSV each text in quotes, which may span lines, so that a
/// reader of CSV has to read them; as Arrow a column of strings.
///
/// ```python
/// import csv, sys
/// csv.field_size_limit(sys.maxsize)
/// rows = csv.reader(sys.stdin)
/// next(rows)
/// for count, in rows:
///     texts = [next(rows)[0] for _ in range(int(count))]
///     print(len(texts))
///     for outputs in model.predict_proba(texts):
///         print(*outputs, sep=",")
///     sys.stdout.flush()
/// ```
#[derive(Debug)]
pub struct Process {
    /// As errors and results name it.
    line: String,
    options: ProcessOptions,
    takes: Takes,
    talk: Mutex<Talk>,
}

/// What a program was told that it gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Takes {
    Rows,
    Texts,
}

impl Process {
    /// Starts a program, which is told the names of the columns.
    ///
    /// # Errors
    /// [`Error::Predict`] if it cannot be started; [`Error::Parameter`] if a batch may have no rows.
    pub fn start(
        program: &str,
        arguments: &[String],
        columns: &[String],
        options: ProcessOptions,
    ) -> Result<Self> {
        Self::begin(program, arguments, columns, options, Takes::Rows)
    }

    /// Starts a program that answers texts, which is told the name of their column.
    ///
    /// # Errors
    /// As [`Process::start`].
    pub fn start_for_texts(
        program: &str,
        arguments: &[String],
        column: &str,
        options: ProcessOptions,
    ) -> Result<Self> {
        Self::begin(
            program,
            arguments,
            &[column.to_owned()],
            options,
            Takes::Texts,
        )
    }

    fn begin(
        program: &str,
        arguments: &[String],
        columns: &[String],
        options: ProcessOptions,
        takes: Takes,
    ) -> Result<Self> {
        if options.rows == 0 {
            return Err(Error::Parameter {
                name: "rows",
                got: "0".to_owned(),
                allowed: "at least one row for each batch".to_owned(),
            });
        }
        let words: Vec<&str> = (std::iter::once(program))
            .chain(arguments.iter().map(String::as_str))
            .collect();
        let line = words.join(" ");
        let child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| Error::Predict {
                source: format!("{line}: it cannot be started: {error}").into(),
            })?;
        Ok(Self {
            talk: Mutex::new(Talk::new(child, columns.to_vec(), options.exchange, takes)),
            takes,
            line,
            options,
        })
    }

    fn fault(&self, fault: Fault, rows: usize) -> Error {
        match fault {
            Fault::Silent(reason) => Error::Predict {
                source: format!("{}: {reason}", self.line).into(),
            },
            Fault::Wrong(reason) => Error::Model {
                path: self.line.clone().into(),
                format: BlackBox::FORMAT,
                at: format!("its answer to {rows} rows"),
                reason,
            },
        }
    }

    /// The answers to questions, one after the other.
    fn ask(&self, takes: Takes, questions: impl Iterator<Item = Question>) -> Result<Array2<f64>> {
        if takes != self.takes {
            let name = |takes| {
                if takes == Takes::Rows {
                    "rows"
                } else {
                    "texts"
                }
            };
            return Err(Error::Unsupported {
                what: format!("a question for {}", name(takes)),
                by: format!("{}, which was started for {}", self.line, name(self.takes)),
                instead: "start a program for each".to_owned(),
            });
        }
        let mut talk = self.talk.lock().unwrap_or_else(PoisonError::into_inner);
        let mut answers: Vec<Array2<f64>> = Vec::new();
        let mut rows = 0;
        for question in questions {
            let count = question.len();
            rows += count;
            let answer = talk.ask(question, self.options.timeout);
            answers.push(answer.map_err(|fault| self.fault(fault, count))?);
        }
        let views: Vec<_> = answers.iter().map(|answer| answer.view()).collect();
        concatenate(Axis(0), &views).map_err(|_| {
            let reason =
                "batches have different numbers of outputs; expected the same for every row";
            self.fault(Fault::Wrong(reason.to_owned()), rows)
        })
    }
}

impl Predict for Process {
    fn predict(&self, rows: Array2<f64>) -> Result<Array2<f64>> {
        let parts = rows.axis_chunks_iter(Axis(0), self.options.rows);
        self.ask(
            Takes::Rows,
            parts.map(|part| Question::Rows(part.to_owned())),
        )
    }

    fn place(&self) -> Option<String> {
        Some(self.line.clone())
    }
}

impl PredictText for Process {
    fn predict_text(&self, texts: &[&str]) -> Result<Array2<f64>> {
        let owned =
            |part: &[&str]| Question::Texts(part.iter().map(|text| (*text).to_owned()).collect());
        self.ask(Takes::Texts, texts.chunks(self.options.rows).map(owned))
    }

    fn place(&self) -> Option<String> {
        Predict::place(self)
    }
}

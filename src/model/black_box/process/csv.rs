//! Rows and answers as lines.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{ChildStdin, ChildStdout};
use std::sync::mpsc::{Receiver, SyncSender};

use ndarray::Array2;

use super::talk::{Heard, Question};

/// Bytes of a line at most.
const LINE: u64 = 16 << 20;

/// Characters of a line that an error shows.
const SHOWN: usize = 80;

/// Writes the names of the columns and then batches, until there are no more or nobody reads.
pub(super) fn write(mut stdin: ChildStdin, columns: &[String], batches: &Receiver<Question>) {
    let names: Vec<String> = columns.iter().map(|name| quoted(name)).collect();
    let mut text = names.join(",") + "\n";
    for question in batches {
        let _ = writeln!(text, "{}", question.len());
        match question {
            Question::Rows(rows) => {
                for row in rows.rows() {
                    for (column, cell) in row.iter().enumerate() {
                        let comma = if column == 0 { "" } else { "," };
                        let _ = write!(text, "{comma}{cell:?}");
                    }
                    text.push('\n');
                }
            }
            // An empty text has its quotes, too, so that its line is no empty one.
            Question::Texts(texts) => {
                for cell in texts {
                    let _ = writeln!(text, "\"{}\"", cell.replace('"', "\"\""));
                }
            }
        }
        if stdin
            .write_all(text.as_bytes())
            .and_then(|()| stdin.flush())
            .is_err()
        {
            return;
        }
        text.clear();
    }
}

/// A cell of a CSV line; a name has no line ends of its own, so that it stays one line.
fn quoted(name: &str) -> String {
    let name = name.replace(['\r', '\n'], " ");
    if name.contains([',', '"']) {
        format!("\"{}\"", name.replace('"', "\"\""))
    } else {
        name
    }
}

/// Reads an answer of so many rows for each number that comes, until the program's output ends or cannot be
/// understood.
pub(super) fn read(stdout: ChildStdout, expected: &Receiver<usize>, answers: &SyncSender<Heard>) {
    let mut stdout = BufReader::new(stdout);
    for rows in expected {
        let heard = match answer(&mut stdout, rows) {
            Ok(answer) => Heard::Answer(answer),
            Err(Some(reason)) => Heard::Wrong(reason),
            Err(None) => Heard::End,
        };
        let goes_on = matches!(heard, Heard::Answer(_));
        if answers.send(heard).is_err() || !goes_on {
            return;
        }
    }
}

/// An answer; else what is wrong with it, or none at the end.
fn answer(from: &mut impl BufRead, rows: usize) -> Result<Array2<f64>, Option<String>> {
    let head = line(from)?;
    if head.parse() != Ok(rows) {
        return Err(Some(format!(
            "it begins with the line {}; expected {rows}, the number of rows, and then a line for each; messages \
             belong on the standard error",
            shown(&head)
        )));
    }
    let mut cells = Vec::new();
    let mut outputs = None;
    for row in 0..rows {
        let text = line(from)?;
        let before = cells.len();
        for cell in text.split(',') {
            cells.push(cell.trim().parse::<f64>().map_err(|_| {
                format!(
                    "{} in the line of row {row}, {}, is no number; expected outputs between commas",
                    shown(cell),
                    shown(&text)
                )
            })?);
        }
        let found = cells.len() - before;
        let expected = *outputs.get_or_insert(found);
        if found != expected {
            return Err(Some(format!(
                "{found} outputs of row {row}, but {expected} of row 0; expected the same number for every row"
            )));
        }
    }
    Array2::from_shape_vec((rows, outputs.unwrap_or(0)), cells)
        .map_err(|error| Some(error.to_string()))
}

/// The next line, without its end.
fn line(from: &mut impl BufRead) -> Result<String, Option<String>> {
    let mut bytes = Vec::new();
    let read = from.by_ref().take(LINE).read_until(b'\n', &mut bytes);
    match read {
        Ok(_) if bytes.ends_with(b"\n") => Ok(String::from_utf8_lossy(&bytes).trim().to_owned()),
        Ok(count) if count as u64 == LINE => {
            Err(Some(format!("a line of more than {} MiB", LINE >> 20)))
        }
        Ok(_) => Err(None),
        Err(error) => Err(Some(error.to_string())),
    }
}

/// The beginning of a text, quoted.
pub(super) fn shown(text: &str) -> String {
    let mut shown: String = text
        .chars()
        .filter(|c| !c.is_control())
        .take(SHOWN)
        .collect();
    if text.chars().count() > SHOWN {
        shown.push('…');
    }
    format!("`{shown}`")
}

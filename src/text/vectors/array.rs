//! Word vectors as a NumPy array, with a list of its words.

use std::path::Path;

use super::{Found, is_kept};
use crate::data::{Cells, ReadOptions, Reader};
use crate::error::{Error, Result};
use crate::text::{WordCounts, corpus};

/// Rows of the array that are held at a time.
const ROWS: usize = 4096;

pub(super) fn read(path: &Path, list: &Path, keep: Option<&WordCounts>) -> Result<Found> {
    let words = corpus::words(list)?;
    let mut reader = Reader::open(path, &ReadOptions::default())?;
    let mut found = Found {
        dimensions: reader.columns(),
        ..Found::default()
    };
    let rows = reader.rows().unwrap_or(0);
    if rows != words.len() as u64 {
        return Err(Error::Shape {
            what: format!("{}: the words of {}", list.display(), path.display()),
            expected: format!("one for each of the {rows} rows"),
            got: words.len().to_string(),
        });
    }
    let mut words = words.into_iter();
    while let Some(table) = reader.next(ROWS)? {
        for row in 0..table.rows() {
            let Some(word) = words.next() else { break };
            found.in_file += 1;
            if !is_kept(keep, &word) {
                continue;
            }
            let before = found.cells.len();
            match &table.cells {
                Cells::F32(cells) => found.cells.extend(cells.row(row)),
                Cells::F64(cells) => found
                    .cells
                    .extend(cells.row(row).iter().map(|&cell| cell as f32)),
                Cells::Columns(_) => break,
            }
            if found.cells[before..].iter().any(|cell| !cell.is_finite()) {
                return Err(Error::Data {
                    path: path.to_owned(),
                    at: format!("row {} (\"{word}\")", found.in_file),
                    reason: "a number that is not finite; expected finite ones".to_owned(),
                });
            }
            found.words.push(word);
        }
    }
    Ok(found)
}

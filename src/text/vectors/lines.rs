//! Word vectors as lines of text, in blocks that threads read side by side.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use memchr::{memchr, memchr_iter};
use rayon::prelude::*;

use super::{Found, is_kept};
use crate::error::{Error, Result};
use crate::text::WordCounts;

/// Bytes of a block.
const BLOCK: u64 = 4 << 20;

/// Bytes of a line at most.
const LINE: u64 = 1 << 20;

/// How the lines are made.
#[derive(Debug, Clone, Copy)]
struct Layout {
    dimensions: usize,
    separator: u8,
    /// The first byte of the first vector, and the lines before it.
    start: u64,
    before: u64,
    /// Words that the first line announces.
    announced: Option<u64>,
}

/// What a block holds: lines of vectors, those that are kept, and the first that is wrong, by its number in the block.
#[derive(Debug, Default)]
struct Block {
    lines: u64,
    words: Vec<String>,
    cells: Vec<f32>,
    wrong: Option<(u64, String)>,
}

pub(super) fn read(path: &Path, keep: Option<&WordCounts>) -> Result<Found> {
    let io = |source| Error::Io {
        path: path.to_owned(),
        source,
    };
    let length = std::fs::metadata(path).map_err(io)?.len();
    let layout = layout(path)?;
    let blocks: Vec<Block> = (0..(length - layout.start).div_ceil(BLOCK))
        .into_par_iter()
        .map(|block| {
            let start = layout.start + block * BLOCK;
            read_block(path, start, (start + BLOCK).min(length), &layout, keep)
        })
        .collect::<std::io::Result<_>>()
        .map_err(io)?;
    let mut found = Found {
        dimensions: layout.dimensions,
        ..Found::default()
    };
    for block in blocks {
        if let Some((line, reason)) = block.wrong {
            return Err(Error::Data {
                path: path.to_owned(),
                at: format!("line {}", layout.before + found.in_file + line + 1),
                reason,
            });
        }
        found.in_file += block.lines;
        found.words.extend(block.words);
        found.cells.extend(block.cells);
    }
    match layout.announced {
        Some(words) if words != found.in_file => Err(Error::Data {
            path: path.to_owned(),
            at: "line 1".to_owned(),
            reason: format!(
                "it announces {words} words, and {} follow; fetch the file again, or take the line away",
                found.in_file
            ),
        }),
        _ => Ok(found),
    }
}

/// Reads the first line: that of the numbers of words and dimensions, or a vector.
fn layout(path: &Path) -> Result<Layout> {
    let wrong = |reason: String| Error::Data {
        path: path.to_owned(),
        at: "line 1".to_owned(),
        reason: format!(
            "{reason}; expected a word and its numbers between spaces, or the numbers of words and dimensions"
        ),
    };
    let file = File::open(path).map_err(|source| Error::Io {
        path: path.to_owned(),
        source,
    })?;
    let mut line = Vec::new();
    let mut reader = BufReader::new(file).take(LINE);
    reader
        .read_until(b'\n', &mut line)
        .map_err(|source| Error::Io {
            path: path.to_owned(),
            source,
        })?;
    let start = line.len() as u64;
    let line = line.trim_ascii_end();
    let separator = if memchr(b' ', line).is_none() && memchr(b'\t', line).is_some() {
        b'\t'
    } else {
        b' '
    };
    let fields: Vec<&[u8]> = line.split(|&byte| byte == separator).collect();
    let whole = |field: &[u8]| std::str::from_utf8(field).ok()?.parse::<u64>().ok();
    if let [words, dimensions] = fields[..]
        && let (Some(words), Some(dimensions)) = (whole(words), whole(dimensions))
    {
        if dimensions == 0 || dimensions > LINE {
            return Err(wrong(format!("{dimensions} dimensions")));
        }
        return Ok(Layout {
            dimensions: dimensions as usize,
            separator,
            start,
            before: 1,
            announced: Some(words),
        });
    }
    // The numbers at the end, before which there is a word.
    let numbers = (fields.iter().skip(1).rev())
        .take_while(|field| number(field).is_some())
        .count();
    if numbers == 0 {
        return Err(wrong(format!("it holds {}", shown(line))));
    }
    Ok(Layout {
        dimensions: numbers,
        separator,
        start: 0,
        before: 0,
        announced: None,
    })
}

/// Reads the lines that begin from `start` up to `end`.
fn read_block(
    path: &Path,
    start: u64,
    end: u64,
    layout: &Layout,
    keep: Option<&WordCounts>,
) -> std::io::Result<Block> {
    let mut file = File::open(path)?;
    // A line begins after the end of another, which is the byte before the block where it begins with a line.
    let from = if start == layout.start {
        start
    } else {
        start - 1
    };
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::with_capacity((end - from) as usize + 4096);
    let mut file = BufReader::with_capacity(4096, file);
    file.by_ref().take(end - from).read_to_end(&mut bytes)?;
    let mut first = 0;
    if from < start {
        match memchr(b'\n', &bytes) {
            Some(place) => first = place + 1,
            // A line that passes through belongs to the block where it begins.
            None => return Ok(Block::default()),
        }
    }
    let inside = bytes.len();
    if first < inside && bytes.last() != Some(&b'\n') {
        file.take(LINE).read_until(b'\n', &mut bytes)?;
    }
    let mut block = Block::default();
    while first < inside {
        let rest = &bytes[first..];
        let length = memchr(b'\n', rest).unwrap_or(rest.len());
        let line = rest[..length].trim_ascii_end();
        first += length + 1;
        if line.is_empty() && first >= bytes.len() {
            // An empty line at the end of the file.
            break;
        }
        match parse(line, layout, keep, &mut block.cells) {
            Ok(Some(word)) => block.words.push(word),
            Ok(None) => {}
            Err(reason) => {
                block.wrong = Some((block.lines, reason));
                return Ok(block);
            }
        }
        block.lines += 1;
    }
    Ok(block)
}

/// The word of a line, if it is kept, and then its numbers to `cells`.
fn parse(
    line: &[u8],
    layout: &Layout,
    keep: Option<&WordCounts>,
    cells: &mut Vec<f32>,
) -> Result<Option<String>, String> {
    let (dimensions, separator) = (layout.dimensions, layout.separator);
    let count = memchr_iter(separator, line).count();
    let unfit = || {
        format!(
            "{count} numbers in {}; expected {dimensions}, as before",
            shown(line)
        )
    };
    if count < dimensions {
        return Err(unfit());
    }
    // A word may have spaces of its own, and is no number.
    let Some(end) = memchr_iter(separator, line).nth(count - dimensions) else {
        return Err(unfit());
    };
    let (word, numbers) = (&line[..end], &line[end + 1..]);
    if count > dimensions {
        let last = word.rsplit(|&byte| byte == separator).next();
        if last.is_some_and(|field| number(field).is_some()) {
            return Err(unfit());
        }
    }
    let Ok(word) = std::str::from_utf8(word) else {
        // The words of a corpus are UTF-8.
        return if keep.is_some() {
            Ok(None)
        } else {
            Err(format!("{} is not UTF-8", shown(word)))
        };
    };
    if !is_kept(keep, word) {
        return Ok(None);
    }
    let before = cells.len();
    for field in numbers.split(|&byte| byte == separator) {
        let Some(number) = number(field) else {
            cells.truncate(before);
            return Err(format!(
                "{} in the vector of \"{word}\" is no finite number; expected {dimensions} of them",
                shown(field)
            ));
        };
        cells.push(number);
    }
    Ok(Some(word.to_owned()))
}

fn number(field: &[u8]) -> Option<f32> {
    let number = std::str::from_utf8(field).ok()?.parse::<f32>().ok()?;
    number.is_finite().then_some(number)
}

/// The beginning of a line, quoted.
fn shown(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(&line[..line.len().min(200)]);
    let shown: String = text.chars().filter(|c| !c.is_control()).take(40).collect();
    let more = if shown.len() < line.len() { "…" } else { "" };
    format!("`{shown}{more}`")
}

//! CSV tables: numbers as exact float64, label columns where the caller declares them.
//!
//! Rows are cut apart by the `csv` crate in blocks, and the cells of a block are parsed in
//! parallel; the memory is that of one block and the batch, whatever the size of the file.

mod cell;
mod label;
mod limit;

use std::fs::File;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};

use ::csv::ByteRecord;
use ndarray::Array2;
use rayon::prelude::*;

use self::cell::Numbers;
use self::label::Labels;
use self::limit::{Limited, TOO_LONG};
use super::reader::{Header, LabelColumn, ReadOptions, Source, io};
use super::{Cells, Column, Table, name};
use crate::error::{Error, Result};

/// Records that are held as text at a time.
const BLOCK: usize = 4096;
/// Records that one task parses.
const TASK: usize = 256;
/// A record beyond this size is a quote that was never closed, not a row.
const RECORD_LIMIT: u64 = 64 << 20;
/// A file of up to so many records is counted when it is opened: explainers choose by few rows.
const COUNTED: u64 = 2048;
const BUFFER: usize = 1 << 18;
const BOM: &[u8] = b"\xef\xbb\xbf";

/// What a column of the file becomes.
#[derive(Debug, Clone)]
enum Plan {
    Drop,
    /// The n-th number of a row.
    Number,
    /// Labels, of which these are known before.
    Label(Vec<String>),
}

/// A CSV file, read in batches.
#[derive(Debug)]
pub(super) struct Csv {
    path: PathBuf,
    text: ::csv::Reader<Limited>,
    delimiter: u8,
    /// By column of the file.
    plans: Vec<Plan>,
    /// Names by column of the file.
    header: Option<Vec<String>>,
    /// Names of the columns that are kept.
    names: Option<Vec<String>>,
    numbers: Numbers,
    /// The first record where it is data.
    first: Option<ByteRecord>,
    /// Rows of the file where they are few.
    rows: Option<u64>,
    /// Records that were returned.
    row: u64,
    block: Vec<ByteRecord>,
}

fn records(delimiter: u8, start: Vec<u8>, file: File) -> ::csv::Reader<Limited> {
    ::csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .buffer_capacity(BUFFER)
        .from_reader(Limited {
            inner: Cursor::new(start).chain(file),
            left: RECORD_LIMIT,
        })
}

/// The number of records in a file; `None` if they are more than [`COUNTED`], cannot be read, or
/// come from a pipe, which is read only once.
fn count(path: &Path, delimiter: u8) -> Option<u64> {
    let file = File::open(path).ok()?;
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    let mut text = records(delimiter, Vec::new(), file);
    let mut record = ByteRecord::new();
    for count in 0..=COUNTED {
        text.get_mut().left = RECORD_LIMIT;
        if !text.read_byte_record(&mut record).ok()? {
            return Some(count);
        }
    }
    None
}

impl Csv {
    /// `start` is what was already read from `file`.
    pub(super) fn open(
        path: &Path,
        file: File,
        start: &[u8],
        options: &ReadOptions,
    ) -> Result<Self> {
        let tabs = path
            .extension()
            .is_some_and(|e| e.eq_ignore_ascii_case("tsv"));
        let delimiter = options.delimiter.unwrap_or(if tabs { b'\t' } else { b',' });
        let start = start.strip_prefix(BOM).unwrap_or(start).to_vec();
        let mut csv = Self {
            path: path.to_owned(),
            text: records(delimiter, start, file),
            delimiter,
            plans: Vec::new(),
            header: None,
            names: None,
            numbers: Numbers::new(&options.missing),
            first: None,
            rows: None,
            row: 0,
            block: Vec::new(),
        };
        csv.begin(options)?;
        let header = u64::from(csv.header.is_some());
        csv.rows = count(path, delimiter).map(|records| records.saturating_sub(header));
        Ok(csv)
    }

    /// Reads the first record and plans the columns by it.
    fn begin(&mut self, options: &ReadOptions) -> Result<()> {
        let mut first = ByteRecord::new();
        if !self.read_record(&mut first)? {
            return Err(self.fault("its start", "no rows; expected at least one".to_owned()));
        }
        let is_header = match options.header {
            Header::Yes => true,
            Header::No => false,
            Header::Auto => first.iter().any(|cell| self.numbers.parse(cell).is_none()),
        };
        let width = first.len();
        if is_header {
            let names = first
                .iter()
                .enumerate()
                .map(|(index, cell)| {
                    String::from_utf8(cell.to_vec()).map_err(|_| {
                        self.fault(
                            &format!("the header, column {}", index + 1),
                            "the name is not UTF-8; save the file as UTF-8".to_owned(),
                        )
                    })
                })
                .collect::<Result<Vec<_>>>()?;
            name::check_unique(&self.path, "the header", &names)?;
            self.header = Some(names);
        } else {
            self.first = Some(first);
        }
        self.plan(width, options)
    }

    fn plan(&mut self, width: usize, options: &ReadOptions) -> Result<()> {
        let header = self.header.as_deref();
        let keep = options.kept(&self.path, header, width)?;
        let plan = |keep| if keep { Plan::Number } else { Plan::Drop };
        self.plans = keep.into_iter().map(plan).collect();
        let kept: Vec<usize> = (0..width)
            .filter(|&column| !matches!(self.plans[column], Plan::Drop))
            .collect();
        if kept.is_empty() {
            return Err(self.fault("the header", "every column is dropped; keep one".to_owned()));
        }
        for label in &options.labels {
            let LabelColumn { name, index, known } = label;
            let found = match (header, name) {
                (Some(header), Some(name)) => {
                    name::find(kept.iter().map(|&column| (column, &*header[column])), name)
                }
                _ => index.and_then(|index| kept.get(index).copied()),
            };
            if let Some(column) = found {
                self.plans[column] = Plan::Label(known.clone());
            }
        }
        self.names = header.map(|h| kept.iter().map(|&column| h[column].clone()).collect());
        Ok(())
    }

    fn fault(&self, at: &str, reason: String) -> Error {
        Error::Data {
            path: self.path.clone(),
            at: at.to_owned(),
            reason,
        }
    }

    /// Reads a record into `record`; false at the end of the file.
    fn read_record(&mut self, record: &mut ByteRecord) -> Result<bool> {
        self.text.get_mut().left = RECORD_LIMIT;
        let line = self.text.position().line();
        self.text
            .read_byte_record(record)
            .map_err(|error| match error.into_kind() {
                ::csv::ErrorKind::Io(source) if source.kind() == TOO_LONG => self.fault(
                    &format!("the row that begins in line {line}"),
                    format!(
                        "the row is longer than {} MB; close the quotation mark that it opens",
                        RECORD_LIMIT >> 20
                    ),
                ),
                ::csv::ErrorKind::Io(source) => io(&self.path, source),
                other => self.fault(&format!("line {line}"), format!("{other:?}")),
            })
    }

    /// Fills the block with up to `wanted` records and gives their number.
    fn read_block(&mut self, wanted: usize) -> Result<usize> {
        let mut block = std::mem::take(&mut self.block);
        let mut filled = 0;
        if let Some(first) = self.first.take() {
            block.insert(0, first);
            filled = 1;
        }
        let mut result = Ok(());
        while filled < wanted {
            if filled == block.len() {
                block.push(ByteRecord::new());
            }
            match self.read_record(&mut block[filled]) {
                Ok(true) => filled += 1,
                Ok(false) => break,
                Err(error) => {
                    result = Err(error);
                    break;
                }
            }
        }
        self.block = block;
        result.map(|()| filled)
    }

    /// Where a cell of the block is.
    fn place(&self, record: usize, column: usize) -> String {
        let line = self.block[record]
            .position()
            .map_or(0, ::csv::Position::line);
        let row = self.row + record as u64 + 1;
        format!(
            "row {row} (line {line}), {}",
            name::column(self.header.as_deref(), column)
        )
    }

    /// Parses the number columns of the first `count` records into `out`, row-major.
    fn parse_numbers(&self, count: usize, width: usize, out: &mut [f64]) -> Result<()> {
        let parse = |(records, out): (&[ByteRecord], &mut [f64])| {
            let mut cells = out.iter_mut();
            for (r, record) in records.iter().enumerate() {
                if record.len() != self.plans.len() {
                    return Some((r, None));
                }
                for (c, (text, plan)) in record.iter().zip(&self.plans).enumerate() {
                    if !matches!(plan, Plan::Number) {
                        continue;
                    }
                    match (self.numbers.parse(text), cells.next()) {
                        (Some(number), Some(cell)) => *cell = number,
                        _ => return Some((r, Some(c))),
                    }
                }
            }
            None
        };
        let records = &self.block[..count];
        let faults: Vec<_> = if width == 0 {
            vec![parse((records, out))]
        } else {
            records
                .par_chunks(TASK)
                .zip(out.par_chunks_mut(TASK * width))
                .map(parse)
                .collect()
        };
        let fault = faults
            .into_iter()
            .enumerate()
            .find_map(|(task, fault)| fault.map(|(r, c)| (task * TASK + r, c)));
        match fault {
            None => Ok(()),
            Some((record, Some(column))) => Err(self.not_a_number(record, column)),
            Some((record, None)) => {
                let line = self.block[record]
                    .position()
                    .map_or(0, ::csv::Position::line);
                let row = self.row + record as u64 + 1;
                Err(self.fault(
                    &format!("row {row} (line {line})"),
                    format!(
                        "{} cells; expected {}, as in the first line; add the missing cells or \
                         quote the cell that holds the delimiter",
                        self.block[record].len(),
                        self.plans.len()
                    ),
                ))
            }
        }
    }

    /// The reason why a table of one column cannot be read, if it is cut at the wrong byte.
    fn other_delimiter(&self, record: usize) -> Option<String> {
        if self.plans.len() != 1 {
            return None;
        }
        let text = self.block[record].get(0)?;
        let other = [b';', b'\t', b',', b'|'];
        let other = other
            .iter()
            .find(|byte| **byte != self.delimiter && text.contains(byte))?;
        Some(format!(
            "the only cell of the row holds {:?}; give the byte between the cells as the \
             delimiter, which is {:?} now",
            char::from(*other),
            char::from(self.delimiter)
        ))
    }

    fn not_a_number(&self, record: usize, column: usize) -> Error {
        if let Some(reason) = self.other_delimiter(record) {
            return self.fault(&self.place(record, column), reason);
        }
        let text = String::from_utf8_lossy(&self.block[record][column]);
        let missing = self.numbers.marks().join(", ");
        let drop = match &self.header {
            Some(names) => names[column].clone(),
            None => (column + 1).to_string(),
        };
        self.fault(
            &self.place(record, column),
            format!(
                "{} is not a number; a missing value is an empty cell or one of {}; a column of \
                 categories needs a model that has labels for it; leave a column out with --drop \
                 {}",
                name::shown(&text),
                missing.trim_start_matches(", "),
                name::shown(&drop)
            ),
        )
    }
}

impl Source for Csv {
    fn names(&self) -> Option<&[String]> {
        self.names.as_deref()
    }

    fn columns(&self) -> usize {
        self.plans
            .iter()
            .filter(|plan| !matches!(plan, Plan::Drop))
            .count()
    }

    fn rows(&self) -> Option<u64> {
        self.rows
    }

    fn next(&mut self, max_rows: usize) -> Result<Option<Table>> {
        let width = (self.plans.iter())
            .filter(|plan| matches!(plan, Plan::Number))
            .count();
        let mut labels: Vec<Labels> = (self.plans.iter().enumerate())
            .filter_map(|(column, plan)| match plan {
                Plan::Label(known) => Some(Labels::new(column, known)),
                _ => None,
            })
            .collect();
        let mut matrix: Vec<f64> = Vec::new();
        let mut rows = 0;
        while rows < max_rows {
            let count = self.read_block(BLOCK.min(max_rows - rows))?;
            if count == 0 {
                break;
            }
            let begin = matrix.len();
            // No room for cells that are not there.
            let is_short = |record: &ByteRecord| record.len() < self.plans.len();
            let whole = self.block[..count].iter().position(is_short);
            let whole = whole.map_or(count, |short| short + 1);
            matrix.resize(begin + whole * width, 0.0);
            self.parse_numbers(whole, width, &mut matrix[begin..])?;
            for labels in &mut labels {
                for (r, record) in self.block[..count].iter().enumerate() {
                    if !labels.push(&record[labels.column], &self.numbers) {
                        return Err(self.fault(
                            &self.place(r, labels.column),
                            "the label is not UTF-8; save the file as UTF-8".to_owned(),
                        ));
                    }
                }
            }
            rows += count;
            self.row += count as u64;
        }
        if rows == 0 {
            return Ok(None);
        }
        let names = self.names.clone();
        if labels.is_empty() {
            let matrix = Array2::from_shape_vec((rows, width), matrix)
                .expect("invariant: rows × width numbers were parsed");
            return Ok(Some(Table {
                names,
                cells: Cells::F64(matrix),
            }));
        }
        let mut numbers = 0..width;
        let mut labels = labels.into_iter();
        let columns = self.plans.iter().filter_map(|plan| match plan {
            Plan::Drop => None,
            Plan::Number => {
                let first = numbers.next()?;
                let cells = matrix.iter().skip(first).step_by(width).copied();
                Some(Column::F64(cells.collect()))
            }
            Plan::Label(_) => labels.next().map(Labels::into_column),
        });
        Ok(Some(Table {
            names,
            cells: Cells::Columns(columns.collect()),
        }))
    }
}

#[cfg(test)]
mod tests;

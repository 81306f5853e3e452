//! NumPy's npy: a matrix of numbers, in C or Fortran order, read in blocks of rows.
//!
//! The format is documented in NumPy's `numpy.lib.format` (versions 1 to 3).

mod header;

use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::{Path, PathBuf};

use ndarray::{Array2, ShapeBuilder};

use self::header::{Header, Kind};
use super::reader::{ReadOptions, Source, io};
use super::{Cells, Table};
use crate::error::Result;

pub(super) const MAGIC: &[u8] = b"\x93NUMPY";

/// Bytes that are held beside the batch.
const CHUNK: usize = 1 << 18;
/// Integers beyond ± this are not all float64 numbers.
const EXACT: u64 = 1 << 53;

/// An npy file, read in batches.
#[derive(Debug)]
pub(super) struct Npy {
    path: PathBuf,
    file: BufReader<File>,
    header: Header,
    rows: u64,
    /// Columns of the file.
    columns: usize,
    /// Columns that are kept.
    kept: Vec<usize>,
    /// Rows that were returned.
    row: u64,
}

impl Npy {
    pub(super) fn open(path: &Path, file: File, options: &ReadOptions) -> Result<Self> {
        let length = file.metadata().map_err(|source| io(path, source))?.len();
        let mut file = BufReader::with_capacity(CHUNK, file);
        let header = Header::read(path, &mut file, length)?;
        let (rows, columns) = header.matrix(path, length)?;
        let keep = options.kept(path, None, columns)?;
        let kept: Vec<usize> = (0..columns).filter(|&column| keep[column]).collect();
        if kept.is_empty() {
            return Err(header::fault(
                path,
                "its shape",
                format!("({rows}, {columns}), of which no column is kept; expected at least one"),
            ));
        }
        Ok(Self {
            path: path.to_owned(),
            file,
            header,
            rows,
            columns,
            kept,
            row: 0,
        })
    }

    /// Reads `rows` rows as the kind that they are stored in, then as `T`.
    fn matrix<T: Copy>(
        &mut self,
        rows: usize,
        convert: impl Fn(&[u8], &mut Vec<T>),
    ) -> Result<Array2<T>> {
        let all = self.kept.len() == self.columns;
        let mut out = Vec::with_capacity(rows * self.kept.len());
        if self.header.fortran {
            for position in 0..self.kept.len() {
                let column = self.kept[position];
                let first = column as u64 * self.rows + self.row;
                self.read_run(first, rows, &mut out, &convert)?;
            }
            let matrix = Array2::from_shape_vec((rows, self.kept.len()).f(), out);
            return Ok(matrix.expect("invariant: rows × kept cells were read"));
        }
        let first = self.row * self.columns as u64;
        self.read_run(first, rows * self.columns, &mut out, &convert)?;
        let matrix = Array2::from_shape_vec((rows, self.columns), out)
            .expect("invariant: rows × columns cells were read");
        if all {
            return Ok(matrix);
        }
        Ok(matrix.select(ndarray::Axis(1), &self.kept))
    }

    /// Appends `count` cells from the `first` on.
    fn read_run<T>(
        &mut self,
        first: u64,
        count: usize,
        out: &mut Vec<T>,
        convert: &impl Fn(&[u8], &mut Vec<T>),
    ) -> Result<()> {
        let size = self.header.kind.size();
        let offset = self.header.data + first * size as u64;
        // A seek within the buffer keeps what it holds.
        let failed = |source| io(&self.path, source);
        let here = self.file.stream_position().map_err(failed)?;
        self.file
            .seek_relative(offset.wrapping_sub(here) as i64)
            .map_err(failed)?;
        let mut bytes = vec![0; CHUNK.min(count * size)];
        let mut left = count;
        while left > 0 {
            let cells = left.min(CHUNK / size);
            let bytes = &mut bytes[..cells * size];
            self.file.read_exact(bytes).map_err(failed)?;
            convert(bytes, out);
            left -= cells;
        }
        Ok(())
    }

    /// Refuses an integer that float64 cannot hold, which stands here as an infinity.
    fn integers(&self, cells: Array2<f64>) -> Result<Cells> {
        let mut all = cells.indexed_iter();
        let Some(((row, kept), _)) = all.find(|(_, cell)| cell.is_infinite()) else {
            return Ok(Cells::F64(cells));
        };
        let column = self.kept[kept] + 1;
        Err(header::fault(
            &self.path,
            &format!("row {}, column {column}", self.row + row as u64 + 1),
            format!(
                "the integer lies beyond ±2^53, where float64 skips integers; save the column as \
                 float64 if that is precise enough, or leave it out with --drop {column}"
            ),
        ))
    }
}

impl Source for Npy {
    fn names(&self) -> Option<&[String]> {
        None
    }

    fn columns(&self) -> usize {
        self.kept.len()
    }

    fn rows(&self) -> Option<u64> {
        Some(self.rows)
    }

    fn next(&mut self, max_rows: usize) -> Result<Option<Table>> {
        let left = self.rows - self.row;
        // The shape was checked against the size of the file, so this many cells fit a usize.
        let rows = left.min(max_rows as u64) as usize;
        if rows == 0 {
            return Ok(None);
        }
        let big = self.header.big_endian;
        macro_rules! cells {
            ($stored:ty, $out:ty) => {
                self.matrix::<$out>(rows, |bytes, out| {
                    let cell = |bytes: &[u8]| {
                        let bytes = bytes.try_into().unwrap_or_default();
                        if big {
                            <$stored>::from_be_bytes(bytes)
                        } else {
                            <$stored>::from_le_bytes(bytes)
                        }
                    };
                    let exact = bytes.chunks_exact(size_of::<$stored>());
                    out.extend(exact.map(|bytes| <$out>::from(cell(bytes))));
                })?
            };
        }
        macro_rules! integers {
            ($stored:ty) => {
                self.matrix::<f64>(rows, |bytes, out| {
                    let exact = bytes.chunks_exact(size_of::<$stored>());
                    out.extend(exact.map(|bytes| {
                        let bytes = bytes.try_into().unwrap_or_default();
                        let cell = if big {
                            <$stored>::from_be_bytes(bytes)
                        } else {
                            <$stored>::from_le_bytes(bytes)
                        };
                        if i128::from(cell).unsigned_abs() > u128::from(EXACT) {
                            f64::INFINITY
                        } else {
                            cell as f64
                        }
                    }));
                })?
            };
        }
        let cells = match self.header.kind {
            Kind::F32 => Cells::F32(cells!(f32, f32)),
            Kind::F64 => Cells::F64(cells!(f64, f64)),
            Kind::I8 => Cells::F64(cells!(i8, f64)),
            Kind::I16 => Cells::F64(cells!(i16, f64)),
            Kind::I32 => Cells::F64(cells!(i32, f64)),
            Kind::I64 => {
                let cells = integers!(i64);
                self.integers(cells)?
            }
            Kind::U8 => Cells::F64(cells!(u8, f64)),
            Kind::U16 => Cells::F64(cells!(u16, f64)),
            Kind::U32 => Cells::F64(cells!(u32, f64)),
            Kind::U64 => {
                let cells = integers!(u64);
                self.integers(cells)?
            }
            Kind::Bool => Cells::F64(self.matrix::<f64>(rows, |bytes, out| {
                out.extend(bytes.iter().map(|&byte| f64::from(u8::from(byte != 0))));
            })?),
        };
        self.row += rows as u64;
        Ok(Some(Table { names: None, cells }))
    }
}

#[cfg(test)]
mod tests;

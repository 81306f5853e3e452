//! An npy file, whose number of rows is filled in at the end.

use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};

use super::{Block, Sink, Width};

/// The data of an npy file begins at a multiple of this.
const ALIGNMENT: usize = 64;
/// The longest number of rows in decimal.
const LONGEST: u64 = u64::MAX;
/// Cells that are turned into bytes at a time.
const CHUNK: usize = 1 << 13;

#[derive(Debug)]
pub(super) struct Npy {
    file: BufWriter<File>,
    width: Width,
    row_shape: Vec<usize>,
    /// Bytes of the header, with its padding.
    size: usize,
}

impl Npy {
    pub(super) fn create(
        mut file: BufWriter<File>,
        width: Width,
        row_shape: &[usize],
    ) -> io::Result<Self> {
        let longest = dictionary(width, LONGEST, row_shape).len();
        let size = (10 + longest + 1).next_multiple_of(ALIGNMENT);
        let header = header(width, 0, row_shape, size)?;
        file.write_all(&header)?;
        Ok(Self {
            file,
            width,
            row_shape: row_shape.to_vec(),
            size,
        })
    }
}

fn dictionary(width: Width, rows: u64, row_shape: &[usize]) -> String {
    let descr = match width {
        Width::F32 => "<f4",
        Width::F64 => "<f8",
    };
    let shape: Vec<String> = std::iter::once(rows.to_string())
        .chain(row_shape.iter().map(usize::to_string))
        .collect();
    let shape = shape.join(", ");
    format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({shape}), }}")
}

/// A header of version 1 in exactly `size` bytes.
fn header(width: Width, rows: u64, row_shape: &[usize], size: usize) -> io::Result<Vec<u8>> {
    let length = u16::try_from(size - 10).map_err(io::Error::other)?;
    let mut header = b"\x93NUMPY\x01\x00".to_vec();
    header.extend(length.to_le_bytes());
    header.extend(dictionary(width, rows, row_shape).bytes());
    header.resize(size - 1, b' ');
    header.push(b'\n');
    Ok(header)
}

impl Sink for Npy {
    fn write(&mut self, block: Block<'_>) -> io::Result<()> {
        match block {
            Block::F32(cells) => {
                for cells in cells.chunks(CHUNK) {
                    let bytes: Vec<u8> = cells.iter().flat_map(|cell| cell.to_le_bytes()).collect();
                    self.file.write_all(&bytes)?;
                }
            }
            Block::F64(cells) => {
                for cells in cells.chunks(CHUNK) {
                    let bytes: Vec<u8> = cells.iter().flat_map(|cell| cell.to_le_bytes()).collect();
                    self.file.write_all(&bytes)?;
                }
            }
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>, rows: u64) -> io::Result<()> {
        let header = header(self.width, rows, &self.row_shape, self.size)?;
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(&header)?;
        self.file.flush()
    }
}

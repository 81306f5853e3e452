//! Numbers as their shortest decimal text that reads back as the same number.

use std::fmt::Debug;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use super::{Block, Sink, WriteOptions};

#[derive(Debug)]
pub(super) struct Csv {
    file: BufWriter<File>,
    columns: usize,
    delimiter: u8,
}

impl Csv {
    pub(super) fn create(
        path: &Path,
        mut file: BufWriter<File>,
        options: &WriteOptions,
    ) -> io::Result<Self> {
        let tabs = (path.extension()).is_some_and(|ending| ending.eq_ignore_ascii_case("tsv"));
        let delimiter = if tabs { b'\t' } else { b',' };
        let mut header = ::csv::WriterBuilder::new()
            .delimiter(delimiter)
            .from_writer(&mut file);
        header.write_record(&options.names)?;
        header.flush()?;
        drop(header);
        Ok(Self {
            file,
            columns: options.names.len(),
            delimiter,
        })
    }

    /// NaN is an empty cell; [`Debug`] writes the shortest text of the others.
    fn rows<T: Copy + Debug>(&mut self, cells: &[T], is_nan: impl Fn(T) -> bool) -> io::Result<()> {
        for row in cells.chunks_exact(self.columns) {
            for (column, &cell) in row.iter().enumerate() {
                if column > 0 {
                    self.file.write_all(&[self.delimiter])?;
                }
                match is_nan(cell) {
                    // A row of nothing at all would be a blank line.
                    true if self.columns == 1 => self.file.write_all(b"NaN")?,
                    true => {}
                    false => write!(self.file, "{cell:?}")?,
                }
            }
            self.file.write_all(b"\n")?;
        }
        Ok(())
    }
}

impl Sink for Csv {
    fn write(&mut self, block: Block<'_>) -> io::Result<()> {
        match block {
            Block::F32(cells) => self.rows(cells, f32::is_nan),
            Block::F64(cells) => self.rows(cells, f64::is_nan),
        }
    }

    fn finish(mut self: Box<Self>, _rows: u64) -> io::Result<()> {
        self.file.flush()
    }
}

//! Matrices in rows, whose numbers are neighbours: what the network of texts computes with.
//!
//! A row is a word, a sentence or a document, and begins on a line of the cache. Rows of sequences follow one another
//! as they do in the text, so that nothing is padded but the ends of lines.

/// Numbers of a line.
pub const LINE: usize = 16;

/// Numbers that are aligned.
#[derive(Debug, Clone, Copy, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C, align(64))]
pub struct Line(pub [f32; LINE]);

impl Line {
    /// Zeros.
    pub const ZERO: Self = Self([0.0; LINE]);
}

/// A matrix that is made anew for each batch, in memory that stays.
#[derive(Debug, Clone, Default)]
pub struct Matrix {
    lines: Vec<Line>,
    stride: usize,
}

impl Matrix {
    /// Makes room for rows of so many numbers, and whatever they hold; those at the end of lines nobody needs.
    pub fn reshape(&mut self, rows: usize, width: usize) {
        self.stride = width.max(1).next_multiple_of(LINE);
        self.lines.resize(rows * self.stride / LINE, Line::ZERO);
    }

    /// The same, of zeros.
    pub fn reset(&mut self, rows: usize, width: usize) {
        self.reshape(rows, width);
        self.lines.fill(Line::ZERO);
    }

    /// Numbers from one row to the next.
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// Rows.
    pub fn rows(&self) -> usize {
        self.lines.len() * LINE / self.stride.max(1)
    }

    /// All numbers.
    pub fn numbers(&self) -> &[f32] {
        bytemuck::cast_slice(&self.lines)
    }

    /// All numbers.
    pub fn numbers_mut(&mut self) -> &mut [f32] {
        bytemuck::cast_slice_mut(&mut self.lines)
    }

    /// A row, up to the end of its last line.
    pub fn row(&self, row: usize) -> &[f32] {
        &self.numbers()[row * self.stride..][..self.stride]
    }

    /// A row, up to the end of its last line.
    pub fn row_mut(&mut self, row: usize) -> &mut [f32] {
        let stride = self.stride;
        &mut self.numbers_mut()[row * stride..][..stride]
    }

    /// The rows from a column on.
    pub fn from(&self, column: usize) -> Rows<'_> {
        Rows {
            numbers: self.numbers().get(column..).unwrap_or(&[]),
            stride: self.stride,
        }
    }
}

/// Rows of a matrix, from some column on.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    /// The numbers, from the first one of the first row on.
    pub numbers: &'a [f32],
    /// Numbers from one row to the next.
    pub stride: usize,
}

/// Numbers from `at` on, of which the caller's row has a whole line.
#[inline(always)]
pub(crate) fn read(row: &[f32], at: usize) -> [f32; LINE] {
    let mut read = [0.0; LINE];
    read.copy_from_slice(&row[at..at + LINE]);
    read
}

/// Writes the first `count` numbers.
#[inline(always)]
pub(crate) fn write(row: &mut [f32], at: usize, numbers: &[f32; LINE], count: usize) {
    if count >= LINE {
        row[at..at + LINE].copy_from_slice(numbers);
    } else {
        for (to, number) in row[at..at + count].iter_mut().zip(numbers) {
            *to = *number;
        }
    }
}

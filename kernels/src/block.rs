//! The unit of work of the CPU kernels: a few hundred rows, column by column.

/// Rows per block: enough to amortise the load of a node or table, few enough that the columns and
/// accumulators of a block stay in the cache.
pub const ROWS: usize = 256;

/// Up to [`ROWS`] rows as float32 columns, each padded to `ROWS` cells. NaN is a missing value.
#[derive(Debug, Clone, Copy)]
pub struct Block<'a> {
    cells: &'a [f32],
    rows: usize,
}

impl<'a> Block<'a> {
    /// A block over `cells`, laid out (column, [`ROWS`]), of which the first `rows` count.
    ///
    /// # Panics
    /// If `cells` is not a whole number of columns or `rows` exceeds [`ROWS`].
    pub fn new(cells: &'a [f32], rows: usize) -> Self {
        assert!(cells.len().is_multiple_of(ROWS) && rows <= ROWS);
        Self { cells, rows }
    }

    /// The cells of a column, padding included.
    ///
    /// # Panics
    /// If the block has no such column.
    #[inline]
    pub fn column(&self, column: u32) -> &'a [f32; ROWS] {
        let start = column as usize * ROWS;
        self.cells[start..start + ROWS]
            .try_into()
            .expect("invariant: a column has ROWS cells")
    }

    /// Number of columns.
    #[inline]
    pub fn columns(&self) -> usize {
        self.cells.len() / ROWS
    }

    /// Number of rows that count.
    #[inline]
    pub fn rows(&self) -> usize {
        self.rows
    }
}

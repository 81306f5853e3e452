//! How the numbers of a network lie in memory: cell by cell, and in each cell lane by lane.
//!
//! A lane is an example, or, for multipliers, an output of a pair of examples: one that is explained and one of the
//! background. All lanes of a cell are neighbours, so that whatever a step does with cells, vectors do
//! with lanes, without moving any.

/// Numbers of a vector: lanes of a cell are a multiple of it. The last may be idle: whatever they hold, nobody reads.
pub const LANES: usize = 16;

/// The lanes of multipliers: all pairs for the first output, then for the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tile {
    /// Pairs of examples, a multiple of [`LANES`].
    pub pairs: usize,
    /// Outputs.
    pub outputs: usize,
}

impl Tile {
    /// Numbers from one cell to the next.
    pub fn stride(self) -> usize {
        self.pairs * self.outputs
    }

    /// Where the numbers of a cell and an output begin.
    #[inline(always)]
    pub(crate) fn start(self, cell: usize, output: usize) -> usize {
        cell * self.stride() + output * self.pairs
    }
}

/// Numbers from one cell to the next, of so many lanes; of none there is a vector of idle ones.
pub fn stride(lanes: usize) -> usize {
    lanes.max(1).next_multiple_of(LANES)
}

/// What a tensor has on one side of pairs: for examples that are explained, or for those of the background.
#[derive(Debug, Clone, Copy)]
pub struct Side<'a> {
    /// (cell, example).
    pub numbers: &'a [f32],
    /// Numbers from one cell to the next, a multiple of [`LANES`].
    pub stride: usize,
    /// The example of the first pair; a multiple of [`LANES`], unless all pairs have it.
    pub first: usize,
    /// Whether all pairs have this example; else the next pair has the next.
    pub is_one: bool,
}

impl Side<'_> {
    /// What a vector of pairs has, from the pair `at` on.
    #[inline(always)]
    pub(crate) fn read(&self, cell: usize, at: usize) -> [f32; LANES] {
        let start = cell * self.stride + self.first;
        if self.is_one {
            [self.numbers[start]; LANES]
        } else {
            read(self.numbers, start + at)
        }
    }
}

/// A vector of numbers, from `start` on.
#[inline(always)]
pub(crate) fn read(numbers: &[f32], start: usize) -> [f32; LANES] {
    let mut read = [0.0; LANES];
    read.copy_from_slice(&numbers[start..start + LANES]);
    read
}

/// Writes a vector of numbers, from `start` on.
#[inline(always)]
pub(crate) fn write(numbers: &mut [f32], start: usize, written: &[f32; LANES]) {
    numbers[start..start + LANES].copy_from_slice(written);
}

//! The nearest centre of each row and its squared Euclidean distance, in float32.
//! Twin: `shaders/kmeans_assign.wgsl`
//!
//! Both twins add the squares in the order of the columns, one rounding after the other; a GPU may
//! fuse a product with the sum after it. So they name different centres only for a row that is
//! equally far from both, but for columns + 2 roundings of its distance.

use crate::binding::{bindings, params};
use crate::block::{Block, ROWS};
use crate::simd::{Simd, instances};

bindings! {
    cells: Read, centres: Read, nearest: Write, distances: Write,
}

params! {
    /// What one launch works on.
    {
        /// Blocks of rows.
        blocks,
        /// Columns.
        columns,
        /// First group of centres; before group 0 no row has a centre.
        first,
        /// End of the groups.
        end,
    }
}

/// Centres whose distances are summed at a time: one load of a cell serves them all.
pub const GROUP: usize = 4;

/// The distance of a row that has no centre yet; no distance counts as larger.
pub const FARTHEST: f32 = f32::MAX;

/// Vectors of rows that one pass over the centres takes.
const VECTORS: usize = 2;

instances! {
    /// Takes further centres into account, laid out (centre, column) and numbered from `first`.
    ///
    /// `nearest` and `distances` hold each row's best so far, which stays unless a centre is
    /// strictly nearer, so that ties go to the lower number; with `first` 0 they are only written.
    /// No cell is NaN. What the padding of the block gets means nothing.
    ///
    /// # Panics
    /// If `centres` is not a whole number of centres.
    pub fn run = run_on(
        block: Block<'_>,
        centres: &[f32],
        first: u32,
        nearest: &mut [u32; ROWS],
        distances: &mut [f32; ROWS],
    )
}

#[inline(always)]
fn run_on<S: Simd>(
    block: Block<'_>,
    centres: &[f32],
    first: u32,
    nearest: &mut [u32; ROWS],
    distances: &mut [f32; ROWS],
) {
    let columns = block.columns();
    if first == 0 {
        nearest.fill(0);
        distances.fill(FARTHEST);
    }
    if columns == 0 {
        // All rows are at the one place that there is, and so is centre 0.
        distances.fill(0.0);
        return;
    }
    assert!(centres.len().is_multiple_of(columns));
    // Only moved and selected, never computed with.
    let nearest: &mut [f32] = bytemuck::cast_slice_mut(nearest);
    let step = VECTORS * S::LANES;
    let mut at = 0;
    while at < block.rows() {
        let (nearest, distances) = (&mut nearest[at..at + step], &mut distances[at..at + step]);
        let whole = centres.len() / columns / GROUP * GROUP;
        let (groups, rest) = centres.split_at(whole * columns);
        let mut number = first;
        for group in groups.chunks_exact(GROUP * columns) {
            nearer::<S, GROUP>(block, at, group, number, nearest, distances);
            number += GROUP as u32;
        }
        for centre in rest.chunks_exact(columns) {
            nearer::<S, 1>(block, at, centre, number, nearest, distances);
            number += 1;
        }
        at += step;
    }
}

/// Compares [`VECTORS`] vectors of rows from `at` on with `N` centres.
#[inline(always)]
fn nearer<S: Simd, const N: usize>(
    block: Block<'_>,
    at: usize,
    centres: &[f32],
    number: u32,
    nearest: &mut [f32],
    distances: &mut [f32],
) {
    let columns = centres.len() / N;
    let mut sums = [[S::splat(0.0); N]; VECTORS];
    for column in 0..columns {
        let cells = &block.column(column as u32)[at..at + VECTORS * S::LANES];
        let mut x = [S::splat(0.0); VECTORS];
        for v in 0..VECTORS {
            x[v] = S::load(&cells[v * S::LANES..]);
        }
        for n in 0..N {
            let minus = S::splat(-centres[n * columns + column]);
            for v in 0..VECTORS {
                let difference = S::add(x[v], minus);
                // Not fused, so that every level gives the same bits.
                sums[v][n] = S::add(sums[v][n], S::mul(difference, difference));
            }
        }
    }
    for (v, sums) in sums.iter().enumerate() {
        let lanes = v * S::LANES;
        let mut best = S::load(&nearest[lanes..]);
        let mut least = S::load(&distances[lanes..]);
        for (number, &sum) in (number..).zip(sums) {
            let is_nearer = S::below(sum, least);
            least = S::select(is_nearer, sum, least);
            best = S::select(is_nearer, S::splat(f32::from_bits(number)), best);
        }
        S::store(best, &mut nearest[lanes..]);
        S::store(least, &mut distances[lanes..]);
    }
}

/// Centres in the shader's form: (group, column, centre of the group), the last group filled up
/// with its last centre, which wins no tie.
pub fn pack(centres: &[f32], columns: usize) -> Vec<[f32; GROUP]> {
    let groups = centres.chunks(GROUP * columns.max(1));
    let column = |group: &[f32], column: usize| {
        let last = group.len() / columns - 1;
        std::array::from_fn(|n| group[n.min(last) * columns + column])
    };
    groups
        .flat_map(|group| (0..columns).map(move |c| column(group, c)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::pack;

    #[test]
    fn the_last_group_repeats_its_last_centre() {
        let centres: Vec<f32> = (0..10_u8).map(f32::from).collect();
        let expected = [
            [0.0, 2.0, 4.0, 6.0],
            [1.0, 3.0, 5.0, 7.0],
            [8.0; 4],
            [9.0; 4],
        ];
        assert_eq!(pack(&centres, 2), expected);
        assert!(pack(&[], 2).is_empty());
    }
}

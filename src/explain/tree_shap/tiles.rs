//! The tiles of rows that threads take.

use whylight_kernels::ROWS;

/// Blocks of a tile at most.
const MOST_BLOCKS: usize = 16;

/// Rows by which threads share the work, and that a thread takes at once where no more are left for
/// each: to read all tables anew costs as much as the blocks of a smaller tile.
pub(super) const TABLE_GRAIN: (usize, usize) = (ROWS, 6 * ROWS);

/// As [`TABLE_GRAIN`] where no tree has tables: its walk costs a row more than its factors cost to
/// fetch, and a block of deep trees would keep the others waiting.
pub(super) const WALK_GRAIN: (usize, usize) = (64, 64);

/// Divides rows of `width` values into tiles of at most `most` blocks, each with its first row. The
/// threads take alike in rounds, the last of small tiles (see [`TABLE_GRAIN`]), so that none waits
/// long for another.
pub(super) fn tiles(
    mut rest: &mut [f32],
    width: usize,
    most: usize,
    (grain, last): (usize, usize),
    threads: usize,
) -> impl Iterator<Item = (usize, &mut [f32])> {
    let most = most.clamp(1, MOST_BLOCKS) * ROWS;
    let (mut start, mut size, mut round) = (0, most, 0..0);
    std::iter::from_fn(move || {
        let rows = rest.len() / width;
        if threads > 1 && round.next().is_none() {
            let share = rows.div_ceil(threads);
            let take = if share <= last {
                share.next_multiple_of(grain)
            } else {
                share * 3 / 4 / grain * grain
            };
            size = take.clamp(grain, most);
            round = 1..threads;
        }
        let rows = rows.min(size);
        let (tile, tail) = std::mem::take(&mut rest).split_at_mut(rows * width);
        rest = tail;
        start += rows;
        (rows > 0).then_some((start - rows, tile))
    })
}

#[cfg(test)]
mod tests {
    use super::{MOST_BLOCKS, ROWS, TABLE_GRAIN, WALK_GRAIN, tiles};

    #[test]
    fn tiles_take_every_row_once_and_end_small_where_threads_share() {
        for (rows, width, most, grain, threads) in [
            (1, 3, 8, TABLE_GRAIN, 4),
            (ROWS + 1, 2, 8, TABLE_GRAIN, 2),
            (40 * ROWS - 7, 5, 8, TABLE_GRAIN, 2),
            (40 * ROWS, 1, 0, TABLE_GRAIN, 3),
            (40 * ROWS, 1, 99, TABLE_GRAIN, 2),
            (40 * ROWS, 1, 99, WALK_GRAIN, 2),
            (2000, 2, 16, WALK_GRAIN, 16),
            (63 * ROWS - 9, 2, 16, WALK_GRAIN, 4),
            (4 * ROWS, 1, 99, TABLE_GRAIN, 2),
            (100 * ROWS, 1, 99, WALK_GRAIN, 1),
        ] {
            let mut cells = vec![0.0; rows * width];
            let mut sizes = Vec::new();
            let mut next = 0;
            for (start, tile) in tiles(&mut cells, width, most, grain, threads) {
                assert_eq!(start, next);
                next += tile.len() / width;
                sizes.push(tile.len() / width);
                for cell in tile {
                    *cell += 1.0;
                }
            }
            assert_eq!(next, rows);
            assert!(cells.iter().all(|&cell| cell == 1.0));
            assert!(
                sizes
                    .iter()
                    .all(|&size| size <= most.clamp(1, MOST_BLOCKS) * ROWS)
            );
            let end = sizes.pop().unwrap_or_default();
            assert!(sizes.iter().all(|size| size % grain.0 == 0));
            assert!(threads == 1 || end <= grain.1);
        }
    }
}

//! Pooling by the largest cell, and its winner rule.
//! Twin: `shaders/pooling.wgsl`
//!
//! The larger of the two largest cells of a pair wins: the difference between the two goes to its cell, whose own difference
//! is at least as large. So the multiplier is between 0 and 1, and nothing is left over.
#![allow(
    clippy::needless_range_loop,
    reason = "lanes by their number: what the compiler vectorises"
)]

use crate::binding::{bindings, params};
use crate::gather::Lists;
use crate::simd::{Simd, instances};
use crate::tile::{LANES, Side, Tile, read, write};

bindings! {
    offsets: Read,
    sources: Read,
    x: Read,
    r: Read,
    outward: Read,
    winners: Write,
    inward: Write,
}

params! {
    /// Parameters of the shader.
    {
        /// What the launch does: [`Task`].
        task,
        /// Targets, or cells that are pooled.
        cells,
        /// Pairs, or lanes of values.
        pairs,
        /// Background rows of a row; 0 where every pair has its own.
        others,
        /// The first row.
        first_row,
        /// The first background row.
        first_other,
        /// Numbers from one cell of rows to the next.
        row_stride,
        /// Numbers from one cell of background rows to the next.
        other_stride,
        /// Numbers from one cell of lanes to the next.
        stride,
        /// Outputs of the tile.
        outputs,
        /// 1 to add to what is there.
        adds,
    }
}

/// What a launch of the shader does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// Writes the largest cells.
    Values,
    /// Writes which cell of each target wins, and what its multiplier is of the target's.
    Winners,
    /// Writes the multipliers of the cells; its lists are those of [`targets_of`].
    Multipliers,
}

impl Task {
    /// Its number in the shader.
    pub const fn code(self) -> u32 {
        self as u32
    }
}

/// The targets that list each of some cells, once each.
pub fn targets_of(windows: &Lists, cells: usize) -> Lists {
    let mut entries = Vec::with_capacity(windows.sources.len());
    let ends = windows.offsets.windows(2);
    for (&target, ends) in windows.targets.iter().zip(ends) {
        let mut sources = windows.sources[ends[0] as usize..ends[1] as usize].to_vec();
        sources.sort_unstable();
        sources.dedup();
        entries.extend(sources.into_iter().map(|source| (source, target, 1.0)));
    }
    Lists::new(cells, &entries)
}

instances! { wide
    /// Writes the largest of the cells of `x`, (cell, lane), that each target lists to `y`, (target, lane), `stride` lanes each.
    pub fn pool = largest(windows: &Lists, x: &[f32], y: &mut [f32], stride: usize)
}

#[inline(always)]
fn largest<S: Simd>(windows: &Lists, x: &[f32], y: &mut [f32], stride: usize) {
    let ends = windows.offsets.windows(2);
    for (&target, ends) in windows.targets.iter().zip(ends) {
        for at in (0..stride).step_by(LANES) {
            let mut most = [f32::NEG_INFINITY; LANES];
            for &source in &windows.sources[ends[0] as usize..ends[1] as usize] {
                let x = read(x, source as usize * stride + at);
                for l in 0..LANES {
                    most[l] = if x[l] > most[l] { x[l] } else { most[l] };
                }
            }
            write(y, target as usize * stride + at, &most);
        }
    }
}

instances! { wide
    /// Adds the multipliers of the cells to `inward`, given those of the largest, `outward`, both (cell, lane of the tile);
    /// `inputs` are the cells of the pairs' two sides.
    pub fn unpool = winners(
        windows: &Lists, inputs: [Side<'_>; 2], tile: Tile, outward: &[f32], inward: &mut [f32],
    )
}

#[inline(always)]
fn winners<S: Simd>(
    windows: &Lists,
    inputs: [Side<'_>; 2],
    tile: Tile,
    outward: &[f32],
    inward: &mut [f32],
) {
    let ends = windows.offsets.windows(2);
    for (&target, ends) in windows.targets.iter().zip(ends) {
        let sources = &windows.sources[ends[0] as usize..ends[1] as usize];
        for at in (0..tile.pairs).step_by(LANES) {
            let x = Largest::of(sources, inputs, 0, at);
            let r = Largest::of(sources, inputs, 1, at);
            let mut winner = [0.0; LANES];
            let mut factors = [0.0; LANES];
            for l in 0..LANES {
                let is_x = x.most[l] >= r.most[l];
                winner[l] = if is_x { x.place[l] } else { r.place[l] };
                let own = if is_x {
                    x.most[l] - x.other[l]
                } else {
                    r.most[l] - r.other[l]
                };
                let quotient = (x.most[l] - r.most[l]).abs() / own;
                factors[l] = if own > 0.0 { quotient } else { 1.0 };
            }
            for output in 0..tile.outputs {
                let mut shared = read(outward, tile.start(target as usize, output) + at);
                for l in 0..LANES {
                    shared[l] *= factors[l];
                }
                let mut place = 0.0;
                for &source in sources {
                    let start = tile.start(source as usize, output) + at;
                    let mut sums = read(inward, start);
                    for l in 0..LANES {
                        let share = if winner[l] == place { shared[l] } else { 0.0 };
                        sums[l] += share;
                    }
                    write(inward, start, &sums);
                    place += 1.0;
                }
            }
        }
    }
}

/// The largest cell of a window on one side.
struct Largest {
    most: [f32; LANES],
    /// Its place in the window: the first of equal ones.
    place: [f32; LANES],
    /// What it is on the other side.
    other: [f32; LANES],
}

impl Largest {
    #[inline(always)]
    fn of(sources: &[u32], inputs: [Side<'_>; 2], side: usize, at: usize) -> Self {
        let mut most = [f32::NEG_INFINITY; LANES];
        let mut places = [0.0; LANES];
        let mut others = [0.0; LANES];
        let mut place = 0.0;
        for &source in sources {
            let own = inputs[side].read(source as usize, at);
            let other = inputs[1 - side].read(source as usize, at);
            let before = (most, places, others);
            for l in 0..LANES {
                let wins = own[l] > before.0[l];
                most[l] = if wins { own[l] } else { before.0[l] };
                places[l] = if wins { place } else { before.1[l] };
                others[l] = if wins { other[l] } else { before.2[l] };
            }
            place += 1.0;
        }
        Self {
            most,
            place: places,
            other: others,
        }
    }
}

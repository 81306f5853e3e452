//! How the lanes of the way back are cut on the CPU, and how much of the background stays.

use whylight_kernels::tile;

/// Bytes of the multipliers of the largest tensor of a tile: with those of the next, and the weights, they stay in the cache
/// of a core.
const TILE_BYTES: usize = 1 << 20;

/// Lanes of a tile at least, and at most.
const LANES: [usize; 2] = [48, 960];

/// How lanes are cut into tiles.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    /// Explained rows of a tile: more than one only with the whole background.
    pub(super) rows: usize,
    /// Background rows of a tile at most.
    pub(super) others: usize,
    /// Outputs of a tile at most.
    pub(super) outputs: usize,
    /// Background rows whose contributions are one number before others are added: of a tile, the last may have fewer. It
    /// depends on no memory limit, and so no value does.
    pub(super) run: usize,
    /// Whether tensors are so large that a tile has the fewest lanes.
    is_large: bool,
}

/// Lanes whose numbers fit into the memory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    /// Of the background.
    pub(super) others: usize,
    /// Of the pairs of a tile that has several rows.
    pub(super) pairs: usize,
}

/// How much of the background stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Share {
    /// Tiles whose background rows have their numbers held.
    pub(super) held: usize,
    /// Tiles whose background rows run forward at a time.
    pub(super) together: usize,
}

impl Plan {
    /// For tensors of so many cells at most, and so many background rows and outputs.
    pub(super) fn new(cells: usize, others: usize, outputs: usize, room: Room) -> Self {
        let lanes = TILE_BYTES / 4 / cells.max(1);
        // So few lanes fill the cache already: runs of one vector leave the most room to cut.
        let is_large = lanes < LANES[0];
        let lanes = lanes.clamp(LANES[0], LANES[1]);
        // A network that only answers has no background.
        let others = others.max(1);
        let parts = others.div_ceil(lanes);
        // Tiles begin where a vector does.
        let others_of_tile = tile::stride(others.div_ceil(parts)).min(others);
        let run = if is_large {
            tile::LANES
        } else {
            others_of_tile
        };
        let fits = (room.others / run).max(1) * run;
        let others_of_tile = others_of_tile.min(fits);
        let outputs_of_tile = (lanes / others_of_tile).clamp(1, outputs);
        let rows = (lanes / (others_of_tile * outputs_of_tile)).min(room.pairs / others_of_tile);
        Self {
            is_large,
            rows: if others_of_tile == others {
                rows.max(1)
            } else {
                1
            },
            others: others_of_tile,
            outputs: outputs_of_tile,
            run,
        }
    }

    /// How much stays of so many background rows, with so many threads.
    pub(super) fn share(self, others: usize, room: Room, threads: usize) -> Share {
        let tiles = others.div_ceil(self.others).max(1);
        let fit = room.others / tile::stride(self.others);
        if tiles <= fit {
            return Share {
                held: tiles,
                together: tiles,
            };
        }
        let together = fit.clamp(1, threads);
        Share {
            held: fit.saturating_sub(together),
            together,
        }
    }

    /// Tiles, of so many, whose contributions are there at a time: those of large networks take memory.
    pub(super) fn tiles_at_once(self, tiles: usize) -> usize {
        if self.is_large {
            2 * rayon::current_num_threads()
        } else {
            tiles.max(1)
        }
    }
}

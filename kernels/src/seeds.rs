//! The multipliers of the output: 1 for itself, 0 for the others.
//! Twin: `shaders/seeds.wgsl`

use crate::binding::{bindings, params};
use crate::tile::Tile;

bindings! {
    y: Write,
}

params! {
    /// Parameters of the shader.
    {
        /// Outputs of the network.
        cells,
        /// Pairs of each output of the tile.
        pairs,
        /// The first of these outputs.
        first,
        /// Numbers from one cell to the next: all lanes.
        stride,
    }
}

/// Writes the multipliers of all outputs to `y`, (output, lane of the tile), whose first output is `first`.
pub fn seed(tile: Tile, first: usize, y: &mut [f32]) {
    y.fill(0.0);
    for place in 0..tile.outputs {
        let start = tile.start(first + place, place);
        y[start..start + tile.pairs].fill(1.0);
    }
}

//! What the interventional values of a leaf are made of, for every pattern that a row can have at it,
//! from what the background weighs by pattern ([`crate::tree_leaf_weights`]).
//!
//! The CPU's is `LeafGame::background_sums`, whose sums over supersets go through memory feature by feature.
//! The shader does as much for 2^[`LOW`] sets at a time: those that agree in the features from [`LOW`] on,
//! whose supersets are summed as the weights are read.
//! Twin: `shaders/tree_leaf_tables.wgsl`

use crate::binding::{bindings, params};

/// Features whose sets a workgroup of the shader holds.
pub const LOW: u32 = 10;

/// Sets that an invocation of the shader holds at most.
pub const MOST_HELD: u32 = 16;

bindings! {
    leaves: Read, items: Read, rules: Read, weights: Read, tables: Write,
}

params! {
    /// What one launch works on.
    {
        /// First item.
        first,
        /// Number of items.
        items,
        /// The bits of what a unit of the weights weighs.
        unit,
    }
}

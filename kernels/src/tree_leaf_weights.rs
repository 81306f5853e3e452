//! What the background weighs at each leaf, by pattern: the features whose conditions on the leaf's path
//! a row meets.
//!
//! The shader adds whole units up ([`tree_pairs::words::Others`](crate::tree_pairs::words::Others)), so
//! that the order of its invocations does not matter; the CPU adds in the order of the rows.
//! Twin: `shaders/tree_leaf_weights.wgsl`

use crate::binding::{bindings, params};

bindings! {
    leaves: Read, conditions: Read, sets: Read, others: Read, weights: Write,
}

params! {
    /// What one launch works on.
    {
        /// First leaf.
        first,
        /// Number of leaves.
        leaves,
        /// Prepared columns.
        columns,
        /// Background rows.
        backgrounds,
    }
}

/// Writes the weight of each pattern to `sums`, which has one number per set of features.
#[inline(always)]
pub(crate) fn run(patterns: &[u32], weights: &[f64], sums: &mut [f64]) {
    sums.fill(0.0);
    let last = sums.len() - 1;
    for (&pattern, weight) in patterns.iter().zip(weights) {
        sums[pattern as usize & last] += weight;
    }
}

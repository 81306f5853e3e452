//! Raw margins: the leaf that each row reaches in each tree, summed in float64.
//! Twin: shaders/predict_trees.wgsl

use crate::block::{Block, ROWS};
use crate::forest::Forest;

/// Adds the leaf values of every tree to `margins`, laid out (output, [`ROWS`]).
///
/// `thresholds` has one number per node of the forest.
pub fn run(forest: &Forest, thresholds: &[f32], block: Block<'_>, margins: &mut [[f64; ROWS]]) {
    for (&root, &output) in forest.roots.iter().zip(&forest.tree_outputs) {
        let margins = &mut margins[output as usize][..block.rows()];
        for (row, margin) in margins.iter_mut().enumerate() {
            let mut n = root as usize;
            let mut node = &forest.nodes[n];
            while !node.is_leaf() {
                let x = block.column(node.column)[row];
                let left = node.test.left(x, thresholds[n], &forest.sets);
                n = if left { node.left } else { node.right } as usize;
                node = &forest.nodes[n];
            }
            *margin += node.value;
        }
    }
}

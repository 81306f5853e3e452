//! Raw margins: the leaf that each row reaches in each tree, summed in float64.
//! Twin: `shaders/predict_trees.wgsl`

pub mod words;

use crate::binding::{bindings, params};
use crate::block::{Block, ROWS};
use crate::forest::Forest;

bindings! {
    lists: Read, roots: Read, nodes: Read, sets: Read, cells: Read, high: Write, low: Write,
}

params! {
    /// What one launch works on.
    {
        /// Blocks of rows.
        blocks,
        /// Prepared columns.
        columns,
        /// Outputs.
        outputs,
        /// First list.
        first,
        /// Number of lists; no two of one launch go to the same place.
        lists,
        /// 0; see shaders/common/sum.wgsl.
        zero,
    }
}

/// A node in the shader's form: a split, or a leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct Node {
    /// Column and flags.
    pub test: u32,
    /// What the cell is compared with.
    pub bound: u32,
    /// The left child.
    pub left: u32,
    /// The right child.
    pub right: u32,
}

/// The value of a leaf as a pair of float32 whose sum it is.
#[derive(Debug, Clone, Copy)]
struct Leaf {
    high: f32,
    low: f32,
}

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

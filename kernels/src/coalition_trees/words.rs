//! A forest as the shader walks it.

use super::MOST_OUTPUTS;
use crate::forest::Forest;
use crate::predict_trees::{self, Node};
use crate::words::Sets;

/// The trees of an output, and its margin before them as a pair of float32.
#[derive(Debug, Clone, Copy, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct Output {
    /// First tree.
    pub first: u32,
    /// End of the trees.
    pub end: u32,
    /// The margin, rounded.
    pub high: f32,
    /// What the rounding lost.
    pub low: f32,
}

/// A row's cell as its key, and the place of the column's player in a coalition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct Cell {
    /// The key.
    pub cell: u32,
    /// The place, or [`super::NONE`].
    pub place: u32,
}

/// All trees of a forest, those of one output after the other.
#[derive(Debug, Clone)]
pub struct Words {
    /// One per output.
    pub outputs: Vec<Output>,
    /// The root of each tree.
    pub roots: Vec<u32>,
    /// The nodes.
    pub nodes: Vec<Node>,
    /// Steps through all trees, at the most.
    pub levels: u64,
}

impl Words {
    /// `None` if the nodes take more bytes than `limit`, or there are more than [`MOST_OUTPUTS`].
    pub fn new(
        forest: &Forest,
        thresholds: &[f32],
        sets: &Sets,
        base: &[f64],
        limit: u64,
    ) -> Option<Self> {
        if base.len() > MOST_OUTPUTS {
            return None;
        }
        let parts = predict_trees::words::divide(forest, &[thresholds], sets, limit, u64::MAX);
        let (mut parts, left) = parts;
        let part = parts.pop().unwrap_or_default();
        if !parts.is_empty() || !left.is_empty() {
            return None;
        }
        let mut at = 0;
        let outputs = base.iter().enumerate().map(|(output, &base)| {
            let its = part.lists.iter().filter(|list| list.to as usize == output);
            let end = its.map(|list| list.end).max().unwrap_or(at);
            let high = base as f32;
            let trees = Output {
                first: at,
                end,
                high,
                low: (base - f64::from(high)) as f32,
            };
            at = end;
            trees
        });
        let shapes = forest.shapes();
        let levels = shapes.iter().map(|shape| u64::from(shape.depth) + 2);
        Some(Self {
            outputs: outputs.collect(),
            roots: part.roots,
            nodes: part.nodes.into_iter().next().unwrap_or_default(),
            levels: levels.sum(),
        })
    }
}

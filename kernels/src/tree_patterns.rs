//! Which side of each test every row takes, packed into one decision pattern per group of leaves.
//! Twin: `shaders/tree_patterns.wgsl`
//!
//! A tree's leaves are divided into groups (see [`crate::tree_tables`]). The pattern of a group has
//! one bit per distinct test on the way to its leaves; a bit is set where the row goes left. The
//! patterns of a tree are computed by a straight run of [`Step`]s without branches on the rows.

use crate::binding::{bindings, params};
use crate::block::{Block, ROWS};
use crate::forest::{Forest, Test};
use crate::simd::Simd;

bindings! {
    trees: Read, ops: Read, sets: Read, cells: Read, patterns: Write,
}

params! {
    /// What one launch works on.
    {
        /// Blocks of rows.
        blocks,
        /// Prepared columns.
        columns,
        /// Trees.
        trees,
        /// Groups of all trees.
        groups,
        /// 0; see shaders/common/sum.wgsl.
        zero,
    }
}

/// Where a tree begins in the lists of ops and of groups; one more than the trees marks the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct Tree {
    /// The first op.
    pub first: u32,
    /// The first group.
    pub group: u32,
}

/// A step in the shader's form, for one register in place of slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct Op {
    /// Column and flags.
    pub test: u32,
    /// What the cell is compared with.
    pub bound: u32,
    /// Position of the bit, above which the register is cleared; [`NO_BIT`] if nothing is tested.
    pub bit: u32,
    /// The bits of the group whose pattern is complete; 0 if none is.
    pub mask: u32,
}

/// In [`Op::bit`]: nothing is tested.
pub const NO_BIT: u32 = 8;

/// Bits of a pattern: one byte per row and group.
pub const MAX_BITS: usize = 8;

/// One test, added to the pattern in slot `from` and written to slot `to`, which may be the same.
/// Slot 0 is the empty pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// The node whose test is made.
    pub node: u32,
    /// The slot that holds the bits so far.
    pub from: u16,
    /// The slot that the pattern goes to.
    pub to: u16,
    /// Position of the bit, below [`MAX_BITS`].
    pub bit: u32,
}

/// Runs the steps of one tree on a block: `slots` is laid out (slot, [`ROWS`]), slot 0 all zero.
#[inline(always)]
pub(crate) fn run<S: Simd>(
    forest: &Forest,
    thresholds: &[f32],
    steps: &[Step],
    block: Block<'_>,
    slots: &mut [[u8; ROWS]],
) {
    for step in steps {
        let node = &forest.nodes[step.node as usize];
        let threshold = thresholds[step.node as usize];
        let x = block.column(node.column);
        if step.from != step.to {
            slots[usize::from(step.to)] = slots[usize::from(step.from)];
        }
        let to = &mut slots[usize::from(step.to)];
        match node.test {
            Test::Below { missing_left } => {
                S::set_bit_below(x, threshold, missing_left, 1 << step.bit, to);
            }
            test @ Test::Category { .. } => {
                for (x, to) in x.iter().zip(to) {
                    *to |= u8::from(test.left(*x, threshold, &forest.sets)) << step.bit;
                }
            }
        }
    }
}

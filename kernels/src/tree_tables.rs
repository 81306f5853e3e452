//! Shapley values of shallow trees, path-dependent or interventional, read from tables of decision
//! patterns.
//! Twin: `shaders/tree_tables.wgsl`
//!
//! The leaves of a tree are divided into groups: whole subtrees whose own tests and the tests on
//! the way to them are at most [`MAX_BITS`] distinct ones over at most [`SLOTS`] features. The
//! values that a group's leaves give to those features depend on a row through its pattern alone,
//! so a table with one entry per pattern holds them all; an entry has one lane per feature.
//! Explaining a row is one pattern, one entry and at most eight additions per group.
//!
//! A background enters the tables through [`histogram`] alone: how often its rows have each pattern.
//! So the cost of the interventional values is that of the rows plus that of the background rows, not
//! of one times the other.

mod histogram;
mod pack;
mod table;
pub mod words;

use std::ops::Range;

use crate::binding::{bindings, params};
use crate::block::{Block, ROWS};
use crate::forest::Forest;
use crate::simd::{Simd, instances};
use crate::tree_patterns;
pub use crate::tree_patterns::{MAX_BITS, Step};
pub use histogram::histogram;
pub use pack::{Cover, Limits, cover};

bindings! {
    lists: Read, slots: Read, tables: Read, patterns: Read, high: Write, low: Write,
}

params! {
    /// What one launch works on.
    {
        /// Blocks of rows.
        blocks,
        /// Groups of all trees.
        groups,
        /// Value cells per row: features times outputs.
        cells,
        /// First list.
        first,
        /// Number of lists; no two of one launch go to the same place.
        lists,
        /// 0; see shaders/common/sum.wgsl.
        zero,
    }
}

/// A group as one of its features sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct Slot {
    /// The group; flag [`crate::words::LAST`] where the partial sum ends.
    pub group: u32,
    /// Where the feature's values by pattern begin.
    pub table: u32,
}

/// Features of a group: the lanes of a table entry.
pub const SLOTS: usize = 8;

/// Pairs of the features of a group.
const PAIRS: usize = SLOTS * (SLOTS - 1) / 2;

/// Entries of one group at most: 2^[`MAX_BITS`].
const MAX_ENTRIES: usize = 1 << MAX_BITS;

/// The game whose values the tables hold: what a leaf is worth to a coalition of features that takes
/// the row's side of their tests.
#[derive(Debug, Clone, Copy)]
pub enum Game<'a> {
    /// The other features take both sides, each by its fraction of the cover (Lundberg et al. 2020).
    PathDependent,
    /// The other features take the values of a background row, on average over the background:
    /// the weight of its rows by entry of the tables, as [`histogram`] counts them, summing to 1 in
    /// every group.
    Interventional(&'a [f64]),
}

/// What the lanes of an entry belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Lanes {
    /// The features.
    #[default]
    Features,
    /// The pairs of features, see [`pair_cell`]: the values are interactions. A group becomes as many
    /// as its pairs fill.
    Pairs,
}

impl Lanes {
    /// How many values of one output a row has where there are so many features.
    pub fn values(self, features: u32) -> u32 {
        match self {
            Lanes::Features => features,
            Lanes::Pairs => {
                let features = u64::from(features);
                let pairs = features * features.saturating_sub(1) / 2;
                u32::try_from(pairs).unwrap_or(u32::MAX)
            }
        }
    }
}

/// The place of the pair of features i < j among all pairs: (0, 1), (0, 2), …, (1, 2), ….
pub fn pair_cell(i: u32, j: u32, features: u32) -> u32 {
    let (i, j, features) = (u64::from(i), u64::from(j), u64::from(features));
    (i * (2 * features - i - 1) / 2 + j - i - 1) as u32
}

/// The values of a pattern, a lane per feature (or pair) of the group.
pub type Entry = [f32; SLOTS];

/// The tables of some trees of a forest.
#[derive(Debug, Clone, Default)]
pub struct Pack {
    /// What the lanes of the entries belong to.
    pub lanes: Lanes,
    /// The trees, those of one output after the other.
    pub trees: Vec<PackedTree>,
    /// The steps that compute the patterns, tree after tree.
    pub steps: Vec<Step>,
    /// The groups, tree after tree.
    pub groups: Vec<Group>,
    /// The entries of all groups, and more, so that behind each group's first one are as many as a
    /// pattern can name.
    pub entries: Vec<Entry>,
    /// Pattern slots that the largest tree needs, the empty slot 0 included.
    pub slots: usize,
}

/// Where a tree's parts are in the lists of a [`Pack`].
#[derive(Debug, Clone, Copy)]
pub struct PackedTree {
    /// The output that the tree adds to.
    pub output: u32,
    /// Range in [`Pack::steps`].
    pub steps: (u32, u32),
    /// Range in [`Pack::groups`].
    pub groups: (u32, u32),
}

/// A group of leaves.
#[derive(Debug, Clone, Copy)]
pub struct Group {
    /// The slot of its pattern.
    pub slot: u16,
    /// Number of pattern bits: the table has 2^bits entries.
    pub bits: u8,
    /// Number of lanes, at most [`SLOTS`].
    pub width: u8,
    /// The feature, or the pair, of each lane: where in the values it adds.
    pub features: [u32; SLOTS],
    /// First entry in [`Pack::entries`].
    pub first: u32,
}

/// Float32 additions into one cell before the sum moves to float64. Small trees share a partial
/// sum; a larger tree has one of its own.
const GROUPS_PER_SUM: usize = 24;

/// Working memory of [`run`], reused from block to block.
#[derive(Debug, Default)]
pub struct Scratch {
    slots: Vec<[u8; ROWS]>,
    sums: Vec<[[f32; 8]; ROWS / 8]>,
    used: Vec<u32>,
    is_used: Vec<bool>,
}

instances! {
    /// Adds the values of some trees, all of one output: `values` is laid out (feature, [`ROWS`]), or
    /// (pair, [`ROWS`]) for a pack of pairs.
    ///
    /// `thresholds` has one number per node of the forest.
    pub fn run = run_on(
        forest: &Forest,
        thresholds: &[f32],
        pack: &Pack,
        trees: Range<usize>,
        block: Block<'_>,
        scratch: &mut Scratch,
        values: &mut [[f64; ROWS]],
    )
}

#[inline(always)]
fn run_on<S: Simd>(
    forest: &Forest,
    thresholds: &[f32],
    pack: &Pack,
    trees: Range<usize>,
    block: Block<'_>,
    scratch: &mut Scratch,
    values: &mut [[f64; ROWS]],
) {
    scratch.slots.resize(pack.slots.max(1), [0; ROWS]);
    scratch.sums.resize(values.len(), [[0.0; 8]; ROWS / 8]);
    scratch.is_used.resize(values.len(), false);
    let mut pending = 0;
    for tree in &pack.trees[trees] {
        let (steps, groups) = pack.parts(tree);
        tree_patterns::run::<S>(forest, thresholds, steps, block, &mut scratch.slots);
        for group in groups {
            add_group::<S>(pack, group, block.rows(), scratch);
        }
        pending += groups.len();
        if pending >= GROUPS_PER_SUM {
            flush(scratch, values);
            pending = 0;
        }
    }
    flush(scratch, values);
}

#[inline(always)]
fn add_group<S: Simd>(pack: &Pack, group: &Group, rows: usize, scratch: &mut Scratch) {
    let first = group.first as usize;
    let table = pack.entries[first..]
        .first_chunk()
        .expect("invariant: a pack has entries behind its last group");
    let width = usize::from(group.width);
    let features = &group.features[..width];
    for &feature in features {
        if !scratch.is_used[feature as usize] {
            scratch.is_used[feature as usize] = true;
            scratch.used.push(feature);
        }
    }
    let patterns = scratch.slots[usize::from(group.slot)].as_chunks::<8>().0;
    let patterns = patterns
        .first_chunk()
        .expect("invariant: a block has 32 chunks of 8 rows");
    let chunks = rows.div_ceil(8);
    S::add_entries(table, patterns, chunks, features, &mut scratch.sums);
}

/// Moves the float32 partial sums to the float64 values.
#[inline(always)]
fn flush(scratch: &mut Scratch, values: &mut [[f64; ROWS]]) {
    for feature in scratch.used.drain(..) {
        scratch.is_used[feature as usize] = false;
        let sums = scratch.sums[feature as usize].as_flattened_mut();
        for (value, sum) in values[feature as usize].iter_mut().zip(sums) {
            *value += f64::from(*sum);
            *sum = 0.0;
        }
    }
}

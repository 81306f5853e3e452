//! Interventional Shapley values of deep trees against many background rows, leaf by leaf.
//!
//! All that counts of a row at a leaf is its pattern: the features whose conditions on the leaf's path
//! it meets. One walk of a tree carries the patterns of all rows, explained and background, to every
//! leaf. There the background is the weight of each of its patterns, and what the values of the leaf
//! are made of is computed for every pattern that an explained row can have (see `leaf_game`), used and
//! forgotten. So a leaf over D features costs about D² 2^D operations, D per explained row and one per
//! background row: the sum of the rows counts, not their product as for
//! [`tree_pairs`](crate::tree_pairs).
//!
//! Where the patterns are many and the rows few, a leaf has a list of the patterns of the background
//! instead, with each of which every explained row is compared. The shader knows tables alone
//! ([`words`]), which two kernels before it make ([`crate::tree_leaf_weights`],
//! [`crate::tree_leaf_tables`]).
//! Twin: `shaders/tree_leaves.wgsl`

mod list;
pub mod words;

use self::list::List;
use crate::binding::{bindings, params};
use crate::block::{Block, ROWS};
use crate::forest::Forest;
use crate::leaf_game::LeafGame;
use crate::legendre::Rule;
use crate::simd::{Simd, instances};
use crate::tree_leaf_weights;
use crate::tree_pairs::Shares;

bindings! {
    segments: Read, leaves: Read, conditions: Read, tables: Read, sets: Read, cells: Read,
    high: Write, low: Write,
}

params! {
    /// What one launch works on.
    {
        /// Blocks of rows.
        blocks,
        /// Prepared columns.
        columns,
        /// Features.
        features,
        /// Outputs.
        outputs,
        /// The output that the leaves add to.
        output,
        /// First segment.
        first,
        /// End of the segments.
        end,
        /// Tiles of features.
        tiles,
        /// 0; see shaders/common/sum.wgsl.
        zero,
    }
}

/// Features of a path whose patterns have a table, at most: its numbers take 7 · 2^16 · 8 bytes.
pub const MOST_IN_TABLE: usize = 16;

/// Features of a path at most: a pattern has a bit for each.
pub const MOST_FEATURES: usize = 32;

/// Rows, in blocks.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    /// All but the last block are full.
    pub blocks: &'a [Block<'a>],
    /// One number per node of the forest, for the columns of the blocks.
    pub thresholds: &'a [f32],
}

/// Rows that explained rows are compared with.
#[derive(Debug, Clone, Copy)]
pub struct Background<'a> {
    /// The rows.
    pub rows: Rows<'a>,
    /// One weight per row, summing to 1.
    pub weights: &'a [f64],
    /// The shares of conditions, as many as the longest path has.
    pub shares: &'a Shares,
}

/// What a leaf with so many features on its path costs, in nanoseconds as measured on one AVX2 core, by
/// table and by list.
fn costs(features: usize, rows: f64, background: usize) -> [f64; 2] {
    let (d, patterns) = (features as f64, 2.0_f64.powi(features as i32));
    let background = background as f64;
    let walk = 100.0 + 2.0 * background + rows;
    [
        walk + 0.3 * patterns * d * (1.0 + 0.25 * d) + 1.5 * rows * d,
        walk + 20.0 * background + 1.2 * rows * background.min(patterns),
    ]
}

/// Features of the longest path whose patterns have a table, for so many explained and background rows.
pub fn most_in_table(rows: f64, background: usize) -> usize {
    let pays = |&features: &usize| {
        let [table, list] = costs(features, rows, background);
        table <= list
    };
    (1..=MOST_IN_TABLE).rev().find(pays).unwrap_or(0)
}

/// What so many rows cost in a tree with a table for every leaf, in nanoseconds as measured on one AVX2
/// core; infinitely much if a leaf has none.
pub fn cost_of_tables(forest: &Forest, tree: usize, rows: f64, background: usize) -> f64 {
    let leaf = |(features, leaves): (usize, u32)| match features {
        _ if leaves == 0 => 0.0,
        0..=MOST_IN_TABLE => f64::from(leaves) * costs(features, rows, background)[0],
        _ => f64::INFINITY,
    };
    paths(forest, tree).into_iter().enumerate().map(leaf).sum()
}

/// What so many rows cost in a tree, in nanoseconds as measured on one AVX2 core.
pub fn cost(forest: &Forest, tree: usize, rows: f64, background: usize) -> f64 {
    let leaf = |features| {
        let [table, list] = costs(features, rows, background);
        if features <= MOST_IN_TABLE {
            table.min(list)
        } else {
            list
        }
    };
    let paths = paths(forest, tree).into_iter().enumerate();
    paths
        .map(|(features, leaves)| f64::from(leaves) * leaf(features))
        .sum()
}

/// Working memory of [`run`], reused from tile to tile.
#[derive(Default)]
pub struct Scratch {
    game: Option<LeafGame>,
    rules: Vec<Rule>,
    weights: Vec<f64>,
    list: List,
    /// Patterns of the rows, by level of the walk: explained rows, then background rows.
    patterns: Vec<Vec<u32>>,
    left: Vec<u32>,
}

impl std::fmt::Debug for Scratch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scratch").finish_non_exhaustive()
    }
}

/// Leaves of a tree by the number of distinct features on their path.
fn paths(forest: &Forest, tree: usize) -> Vec<u32> {
    let mut paths = Vec::new();
    let mut features = Vec::new();
    let mut stack = vec![(forest.roots[tree], 0)];
    while let Some((n, above)) = stack.pop() {
        features.truncate(above);
        let node = &forest.nodes[n as usize];
        if node.is_leaf() {
            if paths.len() <= above {
                paths.resize(above + 1, 0);
            }
            paths[above] += 1;
            continue;
        }
        if !features.contains(&node.feature) {
            features.push(node.feature);
        }
        stack.push((node.right, features.len()));
        stack.push((node.left, features.len()));
    }
    paths
}

instances! {
    /// Adds the values of a tree to `values`, laid out (feature, row), leaf by leaf: by table for paths of
    /// up to `most_in_table` features (see [`most_in_table`]).
    ///
    /// # Panics
    /// If a path has more than [`MOST_FEATURES`] features.
    pub fn run = run_on(
        forest: &Forest,
        tree: u32,
        rows: Rows<'_>,
        background: Background<'_>,
        most_in_table: usize,
        scratch: &mut Scratch,
        values: &mut [f64],
    )
}

#[inline(always)]
fn run_on<S: Simd>(
    forest: &Forest,
    tree: u32,
    rows: Rows<'_>,
    background: Background<'_>,
    most_in_table: usize,
    scratch: &mut Scratch,
    values: &mut [f64],
) {
    if scratch.game.is_none() {
        let rule = |features| forest.index.rule(forest.index.points_for_path(features));
        scratch.rules = (0..=MOST_IN_TABLE).map(rule).collect();
        scratch.weights.resize(1 << MOST_IN_TABLE, 0.0);
        scratch.game = Some(LeafGame::new(MOST_IN_TABLE, 0));
    }
    let count = |rows: Rows<'_>| rows.blocks.iter().map(Block::rows).sum::<usize>();
    let (explained, others) = (count(rows), count(background.rows));
    let Scratch {
        game: Some(game),
        rules,
        weights,
        list,
        patterns,
        left,
    } = scratch
    else {
        return;
    };
    let empty = || vec![0_u32; explained + others];
    if left.len() != explained + others {
        patterns.clear();
        *left = empty();
    }
    match patterns.first_mut() {
        Some(root) => root.fill(0),
        None => patterns.push(empty()),
    }
    // Features of the path, one per bit of a pattern.
    let mut features: Vec<u32> = Vec::new();
    let mut stack = vec![(forest.roots[tree as usize], 0, 0)];
    while let Some((n, level, above)) = stack.pop() {
        features.truncate(above);
        let node = &forest.nodes[n as usize];
        if node.is_leaf() {
            if node.value != 0.0 && !features.is_empty() {
                let (of_rows, others) = patterns[level].split_at(explained);
                let leaf = Leaf {
                    value: node.value,
                    features: &features,
                    patterns: of_rows,
                    others,
                    background,
                };
                if features.len() <= most_in_table.min(MOST_IN_TABLE) {
                    leaf.by_table(game, &rules[features.len()], weights, values);
                } else {
                    leaf.by_list(list, values);
                }
            }
            continue;
        }
        let known = features.iter().position(|&feature| feature == node.feature);
        let slot = known.unwrap_or_else(|| {
            features.push(node.feature);
            features.len() - 1
        });
        assert!(
            slot < MOST_FEATURES,
            "invariant: a pattern has a bit for every feature"
        );
        let (of_rows, of_others) = left.split_at_mut(explained);
        goes_left(forest, n, rows, of_rows);
        goes_left(forest, n, background.rows, of_others);
        if patterns.len() == level + 1 {
            patterns.push(empty());
        }
        // The left child's patterns stand a level below, the right one's replace the node's own.
        let [own, below] = &mut patterns[level..level + 2] else {
            return;
        };
        let patterns = own.iter_mut().zip(below).zip(&*left);
        if known.is_some() {
            for ((own, below), left) in patterns {
                let bit = 1 << slot;
                *below = *own & !(bit ^ left << slot);
                *own &= !(left << slot);
            }
        } else {
            for ((own, below), left) in patterns {
                *below = *own | left << slot;
                *own |= (1 ^ left) << slot;
            }
        }
        stack.push((node.right, level, features.len()));
        stack.push((node.left, level + 1, features.len()));
    }
}

/// Whether each row goes left at a node: 1 or 0.
#[inline(always)]
fn goes_left(forest: &Forest, n: u32, rows: Rows<'_>, left: &mut [u32]) {
    let node = &forest.nodes[n as usize];
    let threshold = rows.thresholds[n as usize];
    for (block, left) in rows.blocks.iter().zip(left.chunks_mut(ROWS)) {
        for (left, &x) in left.iter_mut().zip(block.column(node.column)) {
            *left = u32::from(node.test.left(x, threshold, &forest.sets));
        }
    }
}

/// A leaf and the patterns of the rows at it.
struct Leaf<'a> {
    value: f64,
    features: &'a [u32],
    patterns: &'a [u32],
    others: &'a [u32],
    background: Background<'a>,
}

impl Leaf<'_> {
    #[inline(always)]
    fn by_table(&self, game: &mut LeafGame, rule: &Rule, weights: &mut [f64], values: &mut [f64]) {
        let sets = 1 << self.features.len();
        let weights = &mut weights[..sets];
        tree_leaf_weights::run(self.others, self.background.weights, weights);
        let [with, without, absent] =
            game.background_sums(rule, self.features.len(), weights, self.value);
        let rows = self.patterns.len();
        for (row, &pattern) in self.patterns.iter().enumerate() {
            let missed = !pattern as usize & (sets - 1);
            let (with, absent) = (with[missed], -absent[missed]);
            for (k, &feature) in self.features.iter().enumerate() {
                let without = without[(missed | 1 << k) & (sets - 1)];
                let met = pattern >> k & 1 == 1;
                values[feature as usize * rows + row] += if met { with - without } else { absent };
            }
        }
    }
}

//! Dividing trees into groups, and laying out their steps and tables.

use std::ops::Range;

use rayon::prelude::*;

use super::table::Table;
use super::{
    Entry, Game, Group, Lanes, MAX_BITS, MAX_ENTRIES, Pack, PackedTree, SLOTS, Step, pair_cell,
};
use crate::forest::Forest;
use crate::simd::prefetch;

/// Tables that one thread computes at a time.
const TABLES_PER_TASK: usize = 8;

/// Groups of a tree at most; beyond, its tables would not stay in the cache.
const MAX_GROUPS: usize = 1000;

/// Nodes of a group's subtree: more than [`MAX_BITS`] tests can divide are tests that repeat, and an
/// entry costs what its leaves and their depth cost.
const MAX_NODES: usize = 2 * MAX_ENTRIES;

/// A division of a tree into groups.
#[derive(Debug, Clone)]
pub struct Cover {
    groups: Vec<Draft>,
    /// Table entries over all groups.
    pub entries: usize,
    /// The same for [`Lanes::Pairs`].
    pub pair_entries: usize,
}

impl Cover {
    /// Number of groups.
    pub fn groups(&self) -> usize {
        self.groups.len()
    }
}

/// A group before its table is computed.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    /// Nodes from the root down to the subtree, each with the side taken.
    pub(super) path: Vec<(u32, bool)>,
    /// The subtree's root, all of whose leaves belong to the group.
    pub(super) top: u32,
    /// Leaves beside the path that no other group holds: their depth on the path.
    pub(super) beside: Vec<u32>,
    /// The node that stands for each bit.
    pub(super) tests: Vec<u32>,
    /// Ascending.
    pub(super) features: Vec<u32>,
}

/// What a division keeps to.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Distinct tests of a group, up to [`MAX_BITS`]: its tables have 2^bits entries.
    pub bits: usize,
    /// Groups of the tree.
    pub groups: usize,
}

impl Limits {
    /// Whether a tree of so many leaves can have a division at all.
    pub fn may_hold(&self, leaves: u32) -> bool {
        // A binary tree has one split less than leaves.
        leaves as usize <= self.groups.saturating_mul(MAX_NODES / 2 + 1)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bits: MAX_BITS,
            groups: MAX_GROUPS,
        }
    }
}

/// Divides a tree into groups, largest subtrees first; `None` if some leaf's own path already has
/// more distinct tests than the limit or more than [`SLOTS`] features, or if the tree takes too many
/// groups.
pub fn cover(forest: &Forest, thresholds: &[f32], tree: usize, limits: Limits) -> Option<Cover> {
    let mut groups = Vec::new();
    // A leaf beside the path waits for a group of its sibling's subtree, which has all its tests.
    let mut stack = vec![(forest.roots[tree], Vec::new(), Vec::new())];
    while let Some((top, path, beside)) = stack.pop() {
        if let Some(draft) = Draft::close(forest, thresholds, &path, top, &beside, limits.bits) {
            groups.push(draft);
            continue;
        }
        let node = &forest.nodes[top as usize];
        let more = groups.len() + stack.len() + 2;
        if node.is_leaf() || path.len() > 2 * MAX_BITS || more > limits.groups {
            return None;
        }
        let children = [(node.left, true), (node.right, false)];
        let is_leaf = |child: u32| forest.nodes[child as usize].is_leaf();
        let is_leaf = [is_leaf(node.left), is_leaf(node.right)];
        if is_leaf[0] ^ is_leaf[1] {
            let (inner, side) = children[usize::from(is_leaf[0])];
            let mut beside = beside;
            beside.push(path.len() as u32);
            let mut path = path;
            path.push((top, side));
            stack.push((inner, path, beside));
        } else {
            let mut beside = Some(beside);
            for (child, side) in children {
                let mut path = path.clone();
                path.push((top, side));
                stack.push((child, path, beside.take().unwrap_or_default()));
            }
        }
    }
    let entries = |lanes: Lanes| {
        let entries = groups.iter().map(|draft| {
            let groups = draft.width(lanes).div_ceil(SLOTS);
            groups << draft.tests.len()
        });
        entries.sum()
    };
    Some(Cover {
        entries: entries(Lanes::Features),
        pair_entries: entries(Lanes::Pairs),
        groups,
    })
}

/// Whether two nodes make the same test.
fn same_test(forest: &Forest, thresholds: &[f32], a: u32, b: u32) -> bool {
    let (x, y) = (&forest.nodes[a as usize], &forest.nodes[b as usize]);
    x.feature == y.feature
        && x.column == y.column
        && x.test == y.test
        && thresholds[a as usize].to_bits() == thresholds[b as usize].to_bits()
}

impl Draft {
    /// The group of the whole subtree under `top`, if it keeps to the limits.
    fn close(
        forest: &Forest,
        thresholds: &[f32],
        path: &[(u32, bool)],
        top: u32,
        beside: &[u32],
        bits: usize,
    ) -> Option<Self> {
        let mut draft = Draft {
            path: path.to_vec(),
            top,
            beside: beside.to_vec(),
            tests: Vec::new(),
            features: Vec::new(),
        };
        for &(n, _) in path {
            draft.add_test(forest, thresholds, n, bits)?;
        }
        let mut stack = vec![top];
        let mut nodes = 0;
        while let Some(n) = stack.pop() {
            nodes += 1;
            if nodes > MAX_NODES {
                return None;
            }
            let node = &forest.nodes[n as usize];
            if !node.is_leaf() {
                draft.add_test(forest, thresholds, n, bits)?;
                stack.extend([node.right, node.left]);
            }
        }
        draft.features.sort_unstable();
        Some(draft)
    }

    fn add_test(&mut self, forest: &Forest, thresholds: &[f32], n: u32, bits: usize) -> Option<()> {
        if self.bit(forest, thresholds, n).is_none() {
            self.tests.push(n);
            let feature = forest.nodes[n as usize].feature;
            if !self.features.contains(&feature) {
                self.features.push(feature);
            }
        }
        (self.tests.len() <= bits.min(MAX_BITS) && self.features.len() <= SLOTS).then_some(())
    }

    /// Lanes of its groups together.
    pub(super) fn width(&self, lanes: Lanes) -> usize {
        let features = self.features.len();
        match lanes {
            Lanes::Features => features,
            Lanes::Pairs => features * features.saturating_sub(1) / 2,
        }
    }

    /// Where the lanes add.
    fn cells(&self, features: u32, lanes: Lanes) -> Vec<u32> {
        match lanes {
            Lanes::Features => self.features.clone(),
            Lanes::Pairs => {
                let others = |i: usize| &self.features[i + 1..];
                let pairs = self.features.iter().enumerate().flat_map(|(i, &one)| {
                    let cell = move |&other: &u32| pair_cell(one, other, features);
                    others(i).iter().map(cell)
                });
                pairs.collect()
            }
        }
    }

    /// The bit of a pattern that a node's test sets.
    pub(super) fn bit(&self, forest: &Forest, thresholds: &[f32], n: u32) -> Option<usize> {
        let mut tests = self.tests.iter();
        tests.position(|&test| test == n || same_test(forest, thresholds, test, n))
    }
}

impl Pack {
    /// The tables of trees with their divisions; trees come in the order of their outputs.
    pub fn new(
        forest: &Forest,
        thresholds: &[f32],
        trees: &[(u32, Cover)],
        lanes: Lanes,
        game: Game<'_>,
    ) -> Self {
        let mut pack = Self::without_tables(forest, thresholds, trees, lanes);
        pack.fill(forest, thresholds, trees, game);
        pack
    }

    /// As [`Pack::new`], before the tables are computed: what [`super::histogram`] needs.
    pub fn without_tables(
        forest: &Forest,
        thresholds: &[f32],
        trees: &[(u32, Cover)],
        lanes: Lanes,
    ) -> Self {
        let mut pack = Pack {
            lanes,
            ..Pack::default()
        };
        let mut first = 0;
        for (tree, cover) in trees {
            pack.lay_out(forest, thresholds, *tree as usize, cover, &mut first);
        }
        pack
    }

    /// Computes the tables of the trees that the pack was laid out for. The weights of a background
    /// are by entry of a pack of the same trees whose lanes are the features.
    pub fn fill(
        &mut self,
        forest: &Forest,
        thresholds: &[f32],
        trees: &[(u32, Cover)],
        game: Game<'_>,
    ) {
        // Behind each group's first entry are as many as a pattern can name, so that no pattern
        // needs a check.
        let count = self.entries_of(0..self.trees.len()).end;
        self.entries = vec![[0.0; SLOTS]; count + MAX_ENTRIES];
        let lanes = self.lanes;
        let mut rest = &mut self.entries[..];
        let mut patterns = 0;
        let drafts = trees.iter().flat_map(|(_, cover)| &cover.groups);
        let tables: Vec<(&Draft, usize, &mut [Entry])> = drafts
            .filter_map(|draft| {
                let (first, len) = (patterns, 1 << draft.tests.len());
                // A single leaf has no group.
                patterns += if draft.features.is_empty() { 0 } else { len };
                let groups = draft.width(lanes).div_ceil(SLOTS);
                let entries = rest.split_off_mut(..groups * len)?;
                (groups > 0).then_some((draft, first, entries))
            })
            .collect();
        (tables.into_par_iter().with_min_len(TABLES_PER_TASK)).for_each_init(
            Table::new,
            |table, (draft, first, entries)| {
                let game = match game {
                    Game::PathDependent => Game::PathDependent,
                    Game::Interventional(weights) => {
                        Game::Interventional(&weights[first..][..1 << draft.tests.len()])
                    }
                };
                table.fill(forest, thresholds, draft, game, lanes, entries);
            },
        );
    }

    /// Range of the entries of some trees.
    pub fn entries_of(&self, trees: Range<usize>) -> Range<usize> {
        let first = |tree: usize| {
            let group = match self.trees.get(tree) {
                Some(tree) => tree.groups.0 as usize,
                None => self.groups.len(),
            };
            match self.groups.get(group) {
                Some(group) => group.first as usize,
                None => {
                    (self.groups.last()).map_or(0, |last| last.first as usize + (1 << last.bits))
                }
            }
        };
        first(trees.start)..first(trees.end)
    }

    /// Adds the steps and groups of a tree, whose entries begin at `first`, which it moves on.
    fn lay_out(
        &mut self,
        forest: &Forest,
        thresholds: &[f32],
        tree: usize,
        cover: &Cover,
        first: &mut usize,
    ) {
        let steps = self.steps.len() as u32;
        let groups = self.groups.len() as u32;
        let mut slots = 1_u16;
        // The path of the group before: its nodes, the slot after each and the bits used by then.
        // Groups that share the beginning of their path share its steps.
        let mut shared: Vec<(u32, u16, usize)> = Vec::new();
        for draft in &cover.groups {
            let pairs = draft.path.iter().zip(&shared);
            let common = pairs.take_while(|((n, _), (m, ..))| n == m).count();
            shared.truncate(common);
            let (mut slot, mut bits) = shared
                .last()
                .map_or((0, 0), |&(_, slot, bits)| (slot, bits));
            for &(node, _) in &draft.path[common..] {
                if draft.bit(forest, thresholds, node) == Some(bits) {
                    self.steps.push(Step {
                        node,
                        from: slot,
                        to: slots,
                        bit: bits as u32,
                    });
                    slot = slots;
                    slots += 1;
                    bits += 1;
                }
                shared.push((node, slot, bits));
            }
            if bits < draft.tests.len() {
                for (bit, &node) in draft.tests.iter().enumerate().skip(bits) {
                    self.steps.push(Step {
                        node,
                        from: slot,
                        to: slots,
                        bit: bit as u32,
                    });
                    slot = slots;
                }
                slots += 1;
            }
            for cells in draft.cells(forest.features, self.lanes).chunks(SLOTS) {
                let mut features = [0; SLOTS];
                features[..cells.len()].copy_from_slice(cells);
                self.groups.push(Group {
                    slot,
                    bits: draft.tests.len() as u8,
                    width: cells.len() as u8,
                    features,
                    first: *first as u32,
                });
                *first += 1 << draft.tests.len();
            }
        }
        self.slots = self.slots.max(usize::from(slots));
        self.trees.push(PackedTree {
            output: forest.tree_outputs[tree],
            steps: (steps, self.steps.len() as u32),
            groups: (groups, self.groups.len() as u32),
        });
    }
}

impl Pack {
    /// The trees of an output.
    pub fn trees_of(&self, output: u32) -> Range<usize> {
        let first = self.trees.partition_point(|tree| tree.output < output);
        first..self.trees.partition_point(|tree| tree.output <= output)
    }

    /// The steps and groups of a tree.
    pub fn parts(&self, tree: &PackedTree) -> (&[Step], &[Group]) {
        (
            &self.steps[tree.steps.0 as usize..tree.steps.1 as usize],
            &self.groups[tree.groups.0 as usize..tree.groups.1 as usize],
        )
    }

    /// Asks the cache for one of `parts` (at least 1) parts of the tables of some trees.
    pub fn prefetch(&self, trees: Range<usize>, part: usize, parts: usize) {
        let entries = &self.entries[self.entries_of(trees)];
        if let Some(part) = entries
            .chunks(entries.len().div_ceil(parts).max(1))
            .nth(part)
        {
            prefetch(part.as_flattened());
        }
    }

    /// Divides the trees into runs of one output whose tables take at most `bytes`, or that are a
    /// single tree.
    pub fn spans(&self, bytes: usize) -> Vec<(u32, Range<usize>)> {
        let mut spans: Vec<(u32, Range<usize>)> = Vec::new();
        let mut taken = 0;
        for (t, tree) in self.trees.iter().enumerate() {
            let (_, groups) = self.parts(tree);
            let entries: usize = groups.iter().map(|group| 1 << group.bits).sum();
            taken += entries * size_of::<Entry>();
            match spans.last_mut() {
                Some((output, span)) if *output == tree.output && taken <= bytes => {
                    span.end = t + 1;
                }
                _ => {
                    spans.push((tree.output, t..t + 1));
                    taken = entries * size_of::<Entry>();
                }
            }
        }
        spans
    }
}

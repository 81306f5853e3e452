//! Leaves whose patterns have a table, as the shaders read them.

use std::ops::Range;

use super::{MOST_IN_TABLE, paths};
use crate::forest::Forest;
use crate::tree_leaf_tables::LOW;
use crate::tree_quadrature::words::{self, Condition, Points, Segment, leaves_per_sum};
use crate::words::{LAST, Sets};

/// Some leaves of a forest, those of one output after the other.
#[derive(Debug, Clone, Default)]
pub struct Words {
    /// Leaves whose tables are there at a time.
    pub groups: Vec<Group>,
    /// Leaves that share a partial sum.
    pub segments: Vec<Segment>,
    /// The leaves.
    pub leaves: Vec<Leaf>,
    /// What a workgroup computes of the tables.
    pub items: Vec<Item>,
    /// The conditions, for each kind of thresholds.
    pub conditions: Vec<Vec<Condition>>,
    /// The rules of all lengths of paths.
    pub rules: Vec<Points>,
}

/// Leaves of one output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The output.
    pub output: u32,
    /// Where the segments are.
    pub segments: Range<u32>,
    /// Where the leaves are.
    pub leaves: Range<u32>,
    /// Where the items are.
    pub items: Range<u32>,
    /// Entries of all tables.
    pub entries: u64,
}

/// A leaf and its path.
#[derive(Debug, Clone, Copy, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct Leaf {
    /// First condition.
    pub first: u32,
    /// End of the conditions.
    pub end: u32,
    /// Features of the path.
    pub features: u32,
    /// First entry of its table, which has one for each set of features.
    pub place: u32,
    /// Its value, less the centre of the tree.
    pub value: f32,
    /// First points of the rule that is exact for the path.
    pub rule: u32,
    /// Number of points.
    pub points: u32,
}

/// A part of a table: the sets that agree in the features from [`LOW`] on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct Item {
    /// The leaf.
    pub leaf: u32,
    /// The features from [`LOW`] on that are in the sets.
    pub high: u32,
}

/// What leaves may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Those of the paths.
    pub paths: words::Limits,
    /// Entries of the tables of a group.
    pub entries: u64,
}

/// Lays the leaves of the given trees out, in as many parts and groups as the limits demand. The second
/// result are the trees that exceed them by themselves, which the caller has to do otherwise.
///
/// Every kind of `thresholds` has one number per node of the forest.
pub fn divide(
    forest: &Forest,
    thresholds: &[&[f32]],
    sets: &Sets,
    trees: &[u32],
    limits: Limits,
) -> (Vec<Words>, Vec<u32>) {
    let (trees, mut left): (Vec<u32>, Vec<u32>) =
        (trees.iter()).partition(|&&tree| entries_of_sum(forest, tree) <= limits.entries);
    let paths = words::Limits {
        features: limits.paths.features.min(MOST_IN_TABLE as u32),
        centred: true,
        ..limits.paths
    };
    let (parts, too_long) = words::divide(forest, thresholds, sets, &trees, paths);
    left.extend(too_long);
    let words = |part| Words::new(forest, part, limits.entries);
    (parts.into_iter().map(words).collect(), left)
}

/// Entries of the tables of the leaves that share a partial sum, at most: a group holds no less.
fn entries_of_sum(forest: &Forest, tree: u32) -> u64 {
    let leaves = paths(forest, tree as usize);
    let of = |(features, &leaves): (usize, &u32)| {
        let most = leaves_per_sum(forest.index, features).min(u64::from(leaves));
        most.checked_shl(features as u32).unwrap_or(u64::MAX)
    };
    let all = leaves.iter().enumerate().skip(1).map(of);
    all.fold(0, u64::saturating_add)
}

impl Words {
    fn new(forest: &Forest, paths: words::Words, most: u64) -> Self {
        let mut words = Self {
            segments: paths.segments,
            conditions: paths.conditions,
            rules: paths.rules,
            ..Self::default()
        };
        let conditions = words.conditions.first().map_or(&[][..], Vec::as_slice);
        let features = |leaf: &words::Leaf| {
            let conditions = &conditions[leaf.first as usize..leaf.end as usize];
            conditions.iter().filter(|c| c.test & LAST != 0).count() as u32
        };
        for list in &paths.lists {
            for number in list.first..list.end {
                let segment = words.segments[number as usize];
                let leaves = &paths.leaves[segment.first as usize..segment.end as usize];
                let entries = leaves
                    .iter()
                    .map(|leaf| 1_u64 << features(leaf))
                    .sum::<u64>();
                let mut group = match words.groups.pop() {
                    Some(group) if group.output == list.to && group.entries + entries <= most => {
                        group
                    }
                    other => {
                        words.groups.extend(other);
                        Group {
                            output: list.to,
                            segments: number..number,
                            leaves: segment.first..segment.first,
                            items: words.items.len() as u32..words.items.len() as u32,
                            entries: 0,
                        }
                    }
                };
                for leaf in leaves {
                    let features = features(leaf);
                    let item = |high| Item {
                        leaf: words.leaves.len() as u32,
                        high,
                    };
                    words
                        .items
                        .extend((0..1 << features.saturating_sub(LOW)).map(item));
                    words.leaves.push(Leaf {
                        first: leaf.first,
                        end: leaf.end,
                        features,
                        place: group.entries as u32,
                        value: leaf.value,
                        rule: leaf.rule,
                        points: forest.index.points_for_path(features as usize) as u32,
                    });
                    group.entries += 1 << features;
                }
                group.segments.end = number + 1;
                group.leaves.end = segment.end;
                group.items.end = words.items.len() as u32;
                words.groups.push(group);
            }
        }
        words
    }
}

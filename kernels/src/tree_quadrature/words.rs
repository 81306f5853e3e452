//! Paths as the shader reads them: for every leaf its distinct features, each with the conditions
//! that a row has to meet and the merged cover fraction.

mod path;

use std::collections::HashMap;

pub(crate) use self::path::leaves_per_sum;
use self::path::{Path, merge, paths, segments};
use crate::forest::Forest;
use crate::legendre::{Index, Rule};
use crate::words::{List, Sets, centre};

/// Partial sums of a workgroup in the shader.
pub const SUMS: u32 = 4096;
/// Features of a path whose conditions the shader remembers.
pub const REMEMBERED: u32 = 32;

/// Some paths of a forest, those of one output after the other.
#[derive(Debug, Clone, Default)]
pub struct Words {
    /// One list of segments per output that has any.
    pub lists: Vec<List>,
    /// Leaves that share a partial sum.
    pub segments: Vec<Segment>,
    /// The leaves.
    pub leaves: Vec<Leaf>,
    /// The conditions, for each kind of thresholds.
    pub conditions: Vec<Vec<Condition>>,
    /// The rules of all lengths of paths.
    pub rules: Vec<Points>,
    places: HashMap<usize, (u32, u32)>,
}

/// Leaves that share a partial sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct Segment {
    /// First leaf.
    pub first: u32,
    /// End of the leaves.
    pub end: u32,
}

/// A leaf and its path.
#[derive(Debug, Clone, Copy, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct Leaf {
    /// First condition.
    pub first: u32,
    /// End of the conditions.
    pub end: u32,
    /// Its value.
    pub value: f32,
    /// First points of the rule that is exact for the path.
    pub rule: u32,
    /// Number of [`Points`] of the rule.
    pub chunks: u32,
}

impl Leaf {
    /// Conditions times quadruples of points: half the steps of the shader.
    pub fn work(&self) -> u64 {
        u64::from(self.end - self.first) * u64::from(self.chunks)
    }
}

/// A condition of a path; a feature has as many as its splits do not merge into one interval.
#[derive(Debug, Clone, Copy, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct Condition {
    /// Column and flags; `LAST` on the feature's last condition.
    pub test: u32,
    /// Numbers at or above this key meet it; the place of the set of a category.
    pub low: u32,
    /// Numbers at or above this key do not.
    pub high: u32,
    /// The feature.
    pub feature: u32,
    /// The product of the cover fractions of all of the feature's splits.
    pub z: f32,
}

/// Four points of a rule; those beyond its end have weight 0.
#[derive(Debug, Clone, Copy, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct Points {
    /// The points.
    pub u: [f32; 4],
    /// 1 − u.
    pub rest: [f32; 4],
    /// The weights.
    pub weight: [f32; 4],
}

impl Points {
    /// The points of a rule, by fours; those that fill up the last have no weight.
    pub fn of(rule: &Rule) -> impl Iterator<Item = Self> {
        let fours = rule.points.chunks(4).zip(rule.weights.chunks(4));
        fours.map(|(points, weights)| {
            let mut four = Self {
                u: [0.5; 4],
                rest: [0.5; 4],
                weight: [0.0; 4],
            };
            for (i, (&u, &weight)) in points.iter().zip(weights).enumerate() {
                four.u[i] = u as f32;
                four.rest[i] = (1.0 - u) as f32;
                four.weight[i] = weight as f32;
            }
            four
        })
    }
}

/// What paths may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of any one list.
    pub bytes: u64,
    /// Conditions of all paths of a tree.
    pub conditions: u64,
    /// [`Leaf::work`] of one path.
    pub work: u64,
    /// Features of one path.
    pub features: u32,
    /// Whether the middle of its tree's leaves is taken from the value of a leaf.
    pub centred: bool,
}

/// Lays the paths of the given trees out, in as many parts as the limits demand. The second result
/// are the trees that exceed them by themselves, which the caller has to do otherwise.
///
/// Every kind of `thresholds` has one number per node of the forest.
pub fn divide(
    forest: &Forest,
    thresholds: &[&[f32]],
    sets: &Sets,
    trees: &[u32],
    limits: Limits,
) -> (Vec<Words>, Vec<u32>) {
    let mut trees = trees.to_vec();
    trees.sort_by_key(|&tree| forest.tree_outputs[tree as usize]);
    let (mut parts, mut left) = (Vec::new(), Vec::new());
    let mut part = Words::new(thresholds.len());
    for tree in trees {
        let root = forest.roots[tree as usize];
        let centre = if limits.centred {
            centre(forest, root)
        } else {
            0.0
        };
        let Some(paths) = paths(forest, root, centre, limits) else {
            left.push(tree);
            continue;
        };
        let output = forest.tree_outputs[tree as usize];
        for segment in segments(forest.index, &paths) {
            let conditions: usize = segment.iter().map(|path| path.splits).sum();
            if !part.has_room(conditions, segment.len(), limits.bytes) {
                parts.push(std::mem::replace(&mut part, Words::new(thresholds.len())));
            }
            part.push(forest, thresholds, sets, output, segment);
        }
    }
    if !part.leaves.is_empty() {
        parts.push(part);
    }
    (parts, left)
}

impl Words {
    fn new(kinds: usize) -> Self {
        Self {
            conditions: vec![Vec::new(); kinds],
            ..Self::default()
        }
    }

    fn has_room(&self, conditions: usize, leaves: usize, limit: u64) -> bool {
        let within = |len: usize, size: usize| (len * size) as u64 <= limit;
        let known = self.conditions.first().map_or(0, Vec::len);
        known == 0
            || within(known + conditions, size_of::<Condition>())
                && within(self.leaves.len() + leaves, size_of::<Leaf>())
    }

    fn push(
        &mut self,
        forest: &Forest,
        thresholds: &[&[f32]],
        sets: &Sets,
        output: u32,
        paths: &[Path],
    ) {
        let first = self.leaves.len() as u32;
        for path in paths {
            let start = self.conditions.first().map_or(0, Vec::len) as u32;
            for element in &path.features {
                let conditions = merge(forest, thresholds, sets, element);
                for (list, conditions) in self.conditions.iter_mut().zip(conditions) {
                    list.extend(conditions);
                }
            }
            let points = forest.index.points_for_path(path.features.len());
            let (rule, chunks) = self.rule(forest.index, points);
            self.leaves.push(Leaf {
                first: start,
                end: self.conditions.first().map_or(0, Vec::len) as u32,
                value: path.value as f32,
                rule,
                chunks,
            });
        }
        let at = self.segments.len() as u32;
        self.segments.push(Segment {
            first,
            end: self.leaves.len() as u32,
        });
        match self.lists.last_mut() {
            Some(list) if list.to == output => list.end += 1,
            _ => self.lists.push(List {
                first: at,
                end: at + 1,
                to: output,
            }),
        }
    }

    /// Place and length of the rule with `n` points.
    fn rule(&mut self, index: Index, n: usize) -> (u32, u32) {
        let rules = &mut self.rules;
        *self.places.entry(n).or_insert_with(|| {
            let place = (rules.len() as u32, n.div_ceil(4) as u32);
            rules.extend(Points::of(&index.rule(n)));
            place
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Limits, divide};
    use crate::forest::{Forest, LEAF, Node, Test};
    use crate::words::{LAST, MISSING_LEFT, Sets, key};

    const LIMITS: Limits = Limits {
        bytes: 1 << 20,
        conditions: 1 << 20,
        work: 1 << 20,
        features: 64,
        centred: false,
    };

    fn node(feature: u32, left: u32, fraction: f64, value: f64) -> Node {
        Node {
            feature,
            column: if feature == LEAF { 0 } else { feature },
            test: Test::Below {
                missing_left: false,
            },
            left,
            right: left + 1,
            fraction,
            value,
        }
    }

    /// x0 < 1, then x0 < 0 on the left.
    fn repeated() -> (Forest, Vec<f32>) {
        let forest = Forest {
            nodes: vec![
                node(0, 1, 1.0, 0.0),
                node(0, 3, 0.5, 0.0),
                node(LEAF, 0, 0.5, 3.0),
                node(LEAF, 0, 0.25, 1.0),
                node(LEAF, 0, 0.75, 2.0),
            ],
            roots: vec![0],
            tree_outputs: vec![0],
            columns: 1,
            features: 1,
            outputs: 1,
            ..Forest::default()
        };
        (forest, vec![1.0, 0.0, 0.0, 0.0, 0.0])
    }

    #[test]
    fn splits_on_one_column_are_one_interval() {
        let (forest, thresholds) = repeated();
        let sets = Sets::new(&forest);
        let (parts, left) = divide(&forest, &[&thresholds], &sets, &[0], LIMITS);
        assert!(left.is_empty());
        let conditions = &parts[0].conditions[0];
        let bounds: Vec<_> = conditions.iter().map(|c| (c.low, c.high, c.z)).collect();
        assert_eq!(
            bounds,
            [
                (0, key(0.0), 0.125),
                (key(0.0), key(1.0), 0.375),
                (key(1.0), u32::MAX, 0.5)
            ]
        );
        // A missing cell goes right at both splits: it meets the last path alone.
        let flags: Vec<_> = conditions.iter().map(|c| c.test).collect();
        assert_eq!(flags, [LAST, LAST, LAST | MISSING_LEFT]);
    }

    #[test]
    fn a_tree_beyond_the_limit_is_left_to_the_caller() {
        let (forest, thresholds) = repeated();
        let sets = Sets::new(&forest);
        let limits = Limits {
            conditions: 2,
            ..LIMITS
        };
        let (parts, left) = divide(&forest, &[&thresholds], &sets, &[0], limits);
        assert!(parts.is_empty());
        assert_eq!(left, [0]);
    }
}

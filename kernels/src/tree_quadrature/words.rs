//! Paths as the shader reads them: for every leaf its distinct features, each with the conditions
//! that a row has to meet and the merged cover fraction.

use std::collections::HashMap;

use crate::forest::{Forest, Node, Test};
use crate::legendre::{Rule, points_for_path};
use crate::words::{CATEGORY, LAST, List, MEMBERS_LEFT, MISSING, MISSING_LEFT, Sets, bound, test};

/// Partial sums of a workgroup in the shader.
pub const SUMS: u32 = 4096;
/// Features of a path whose conditions the shader remembers.
pub const REMEMBERED: u32 = 32;

/// Conditions after which a partial sum ends, at the next leaf.
const CONDITIONS_PER_SUM: usize = 1024;

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

/// A condition of a path; a feature has as many as its splits do not merge into one interval.
#[derive(Debug, Clone, Copy, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct Condition {
    /// Column and flags; [`LAST`] on the feature's last condition.
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

/// Lays the paths of the given trees out, in as many parts as `limit`, in bytes per list, demands.
/// The second result are the trees that the caller has to do otherwise: those whose paths have more
/// than `most` conditions together, or one path beyond the limit.
///
/// Every kind of `thresholds` has one number per node of the forest.
pub fn divide(
    forest: &Forest,
    thresholds: &[&[f32]],
    sets: &Sets,
    trees: &[u32],
    limit: u64,
    most: u64,
) -> (Vec<Words>, Vec<u32>) {
    let mut trees = trees.to_vec();
    trees.sort_by_key(|&tree| forest.tree_outputs[tree as usize]);
    let most_at_once = limit / size_of::<Condition>() as u64;
    let (mut parts, mut left) = (Vec::new(), Vec::new());
    let mut part = Words::new(thresholds.len());
    for tree in trees {
        let Some(paths) = paths(forest, forest.roots[tree as usize], most, most_at_once) else {
            left.push(tree);
            continue;
        };
        let output = forest.tree_outputs[tree as usize];
        for segment in segments(&paths) {
            let conditions: usize = segment.iter().map(|path| path.splits).sum();
            if !part.has_room(conditions, segment.len(), limit) {
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

/// A leaf and the edges that lead to it: (split, whether left), by distinct feature.
struct Path {
    leaf: u32,
    features: Vec<Element>,
    /// Edges, and so conditions at most.
    splits: usize,
}

struct Element {
    feature: u32,
    z: f64,
    edges: Vec<(u32, bool)>,
}

/// The paths to the leaves of a tree whose value is not 0; `None` if they are too many or too long.
fn paths(forest: &Forest, root: u32, most: u64, most_at_once: u64) -> Option<Vec<Path>> {
    let mut total = 0;
    let mut paths = Vec::new();
    let mut path: Vec<(u32, bool)> = Vec::new();
    let mut stack = vec![(root, 0_usize, None)];
    while let Some((n, depth, edge)) = stack.pop() {
        path.truncate(depth.saturating_sub(1));
        path.extend(edge);
        let node = &forest.nodes[n as usize];
        if !node.is_leaf() {
            stack.push((node.right, depth + 1, Some((n, false))));
            stack.push((node.left, depth + 1, Some((n, true))));
        } else if node.value != 0.0 && !path.is_empty() {
            total += path.len() as u64;
            if total > most || path.len() as u64 > most_at_once.max(1) {
                return None;
            }
            paths.push(Path {
                leaf: n,
                features: elements(forest, &path),
                splits: path.len(),
            });
        }
    }
    Some(paths)
}

fn elements(forest: &Forest, path: &[(u32, bool)]) -> Vec<Element> {
    let mut elements: Vec<Element> = Vec::new();
    let mut places: HashMap<u32, usize> = HashMap::new();
    for &(n, left) in path {
        let node = &forest.nodes[n as usize];
        let child = if left { node.left } else { node.right };
        let place = *places.entry(node.feature).or_insert(elements.len());
        if place == elements.len() {
            elements.push(Element {
                feature: node.feature,
                z: 1.0,
                edges: Vec::new(),
            });
        }
        elements[place].z *= forest.nodes[child as usize].fraction;
        elements[place].edges.push((n, left));
    }
    elements
}

/// Runs of paths whose values share a partial sum. They depend on the tree alone, so that no limit
/// changes a bit of the values.
fn segments(paths: &[Path]) -> Vec<&[Path]> {
    let mut segments = Vec::new();
    let (mut first, mut splits) = (0, 0);
    for (i, path) in paths.iter().enumerate() {
        if i > first && splits + path.splits > CONDITIONS_PER_SUM {
            segments.push(&paths[first..i]);
            (first, splits) = (i, 0);
        }
        splits += path.splits;
    }
    if first < paths.len() {
        segments.push(&paths[first..]);
    }
    segments
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
            let (rule, chunks) = self.rule(points_for_path(path.features.len()));
            self.leaves.push(Leaf {
                first: start,
                end: self.conditions.first().map_or(0, Vec::len) as u32,
                value: forest.nodes[path.leaf as usize].value as f32,
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
    fn rule(&mut self, n: usize) -> (u32, u32) {
        let rules = &mut self.rules;
        *self.places.entry(n).or_insert_with(|| {
            let place = (rules.len() as u32, n.div_ceil(4) as u32);
            let rule = Rule::new(n);
            for (points, weights) in rule.points.chunks(4).zip(rule.weights.chunks(4)) {
                let mut chunk = Points {
                    u: [0.5; 4],
                    rest: [0.5; 4],
                    weight: [0.0; 4],
                };
                for (i, (&u, &weight)) in points.iter().zip(weights).enumerate() {
                    chunk.u[i] = u as f32;
                    chunk.rest[i] = (1.0 - u) as f32;
                    chunk.weight[i] = weight as f32;
                }
                rules.push(chunk);
            }
            place
        })
    }
}

/// The conditions of one feature of a path, for each kind of thresholds. All number tests on one
/// column are one interval; category tests stand by themselves. The number of conditions is the
/// same for all kinds.
fn merge(
    forest: &Forest,
    thresholds: &[&[f32]],
    sets: &Sets,
    element: &Element,
) -> Vec<Vec<Condition>> {
    let of_kind = |thresholds: &&[f32]| {
        let mut conditions: Vec<Condition> = Vec::with_capacity(1);
        for &(n, left) in &element.edges {
            let node = &forest.nodes[n as usize];
            let bound = bound(node, thresholds[n as usize], sets);
            let new = edge_condition(node, bound, left);
            let known = conditions
                .iter_mut()
                .find(|known| (known.test ^ new.test) & !MISSING_LEFT == 0);
            match known {
                Some(known) if new.test & CATEGORY == 0 => {
                    known.low = known.low.max(new.low);
                    known.high = known.high.min(new.high);
                    known.test &= new.test;
                }
                _ => conditions.push(new),
            }
        }
        for condition in &mut conditions {
            condition.feature = element.feature;
            condition.z = element.z as f32;
        }
        if let Some(last) = conditions.last_mut() {
            last.test |= LAST;
        }
        conditions
    };
    thresholds.iter().map(of_kind).collect()
}

/// The condition of taking one edge.
fn edge_condition(node: &Node, bound: u32, left: bool) -> Condition {
    let mut test = test(node);
    let (low, high) = match node.test {
        Test::Category { .. } => (bound, 0),
        Test::Below { .. } if left => (0, bound),
        Test::Below { .. } => (bound, MISSING),
    };
    if !left {
        test ^= MISSING_LEFT;
        if test & CATEGORY != 0 {
            test ^= MEMBERS_LEFT;
        }
    }
    Condition {
        test,
        low,
        high,
        feature: 0,
        z: 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::divide;
    use crate::forest::{Forest, LEAF, Node, Test};
    use crate::words::{LAST, MISSING_LEFT, Sets, key};

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
        let (parts, left) = divide(&forest, &[&thresholds], &sets, &[0], 1 << 20, 1 << 20);
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
        let (parts, left) = divide(&forest, &[&thresholds], &sets, &[0], 1 << 20, 2);
        assert!(parts.is_empty());
        assert_eq!(left, [0]);
    }
}

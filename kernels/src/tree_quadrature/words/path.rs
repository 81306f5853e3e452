//! The paths of a tree.

use std::collections::HashMap;

use super::{Condition, Limits};
use crate::forest::{Forest, Node, Test};
use crate::legendre::Index;
use crate::words::{CATEGORY, LAST, MEMBERS_LEFT, MISSING, MISSING_LEFT, Sets, bound, test};

/// Conditions times quadruples of points after which a partial sum ends, at the next leaf.
const WORK_PER_SUM: u64 = 4096;

/// Leaves over so many features that share a partial sum, at most.
pub(crate) fn leaves_per_sum(index: Index, features: usize) -> u64 {
    let work = features * index.points_for_path(features).div_ceil(4);
    WORK_PER_SUM / (work as u64).max(1) + 1
}

/// A leaf and the distinct features on the way to it.
pub(super) struct Path {
    pub(super) value: f64,
    pub(super) features: Vec<Element>,
    /// Edges, and so conditions at most.
    pub(super) splits: usize,
}

impl Path {
    /// As [`Leaf::work`](super::Leaf::work), where no conditions merge.
    fn work(&self, index: Index) -> u64 {
        (self.splits * index.points_for_path(self.features.len()).div_ceil(4)) as u64
    }
}

/// A distinct feature of a path, its merged cover fraction and its edges: (split, whether left).
pub(super) struct Element {
    feature: u32,
    z: f64,
    edges: Vec<(u32, bool)>,
}

/// The paths to the leaves of a tree whose value, less the centre, is not 0; `None` if they are too many
/// or too long.
pub(super) fn paths(forest: &Forest, root: u32, centre: f64, limits: Limits) -> Option<Vec<Path>> {
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
        } else if node.value != centre && !path.is_empty() {
            total += path.len() as u64;
            let bytes = (path.len() * size_of::<Condition>()) as u64;
            if total > limits.conditions || bytes > limits.bytes {
                return None;
            }
            let path = Path {
                value: node.value - centre,
                features: elements(forest, &path),
                splits: path.len(),
            };
            let is_long = path.features.len() > limits.features as usize;
            if is_long || path.work(forest.index) > limits.work {
                return None;
            }
            paths.push(path);
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
pub(super) fn segments(index: Index, paths: &[Path]) -> Vec<&[Path]> {
    let mut segments = Vec::new();
    let (mut first, mut work) = (0, 0);
    for (i, path) in paths.iter().enumerate() {
        if i > first && work + path.work(index) > WORK_PER_SUM {
            segments.push(&paths[first..i]);
            (first, work) = (i, 0);
        }
        work += path.work(index);
    }
    if first < paths.len() {
        segments.push(&paths[first..]);
    }
    segments
}

/// The conditions of one feature of a path, for each kind of thresholds. All number tests on one
/// column are one interval; category tests stand by themselves. The number of conditions is the
/// same for all kinds.
pub(super) fn merge(
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

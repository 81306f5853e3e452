//! Trees as the shader walks them, divided so that every list keeps to a limit.

use super::{Leaf, Node};
use crate::forest::Forest;
use crate::words::{LAST, List, Sets, bound, test};

/// Some trees of a forest, those of one output after the other.
#[derive(Debug, Clone, Default)]
pub struct Words {
    /// Lists of roots, one or more per output that has trees here.
    pub lists: Vec<List>,
    /// The root of each tree.
    pub roots: Vec<u32>,
    /// The nodes, for each kind of thresholds.
    pub nodes: Vec<Vec<Node>>,
}

/// Lays the trees of a forest out, in as many parts as `limit`, in bytes per list of nodes, demands,
/// with lists whose trees together are at most `levels` deep. The second result are the trees that exceed it by themselves.
///
/// Every kind of `thresholds` has one number per node of the forest.
pub fn divide(
    forest: &Forest,
    thresholds: &[&[f32]],
    sets: &Sets,
    limit: u64,
    levels: u64,
) -> (Vec<Words>, Vec<u32>) {
    let most = (limit / size_of::<Node>() as u64).min(u64::from(u32::MAX)) as usize;
    let empty = || Words {
        nodes: vec![Vec::new(); thresholds.len()],
        ..Words::default()
    };
    let mut order: Vec<u32> = (0..forest.trees() as u32).collect();
    order.sort_by_key(|&tree| forest.tree_outputs[tree as usize]);
    let (mut parts, mut left) = (Vec::new(), Vec::new());
    let mut part = empty();
    let shapes = forest.shapes();
    let mut deep = 0;
    for tree in order {
        let depth = u64::from(shapes[tree as usize].depth) + 2;
        let nodes = tree_nodes(forest, forest.roots[tree as usize]);
        if nodes.len() > most || depth > levels {
            left.push(tree);
            continue;
        }
        let first = part.nodes.first().map_or(0, Vec::len);
        if first + nodes.len() > most {
            parts.push(std::mem::replace(&mut part, empty()));
        }
        deep += depth;
        let is_full = deep > levels;
        if is_full {
            deep = depth;
        }
        part.push(forest, thresholds, sets, tree, &nodes, is_full);
    }
    if !part.roots.is_empty() {
        parts.push(part);
    }
    (parts, left)
}

/// The nodes of a tree, each with the places of its children in the result.
fn tree_nodes(forest: &Forest, root: u32) -> Vec<(u32, u32, u32)> {
    let mut nodes = vec![(root, 0, 0)];
    let mut next = 0;
    while next < nodes.len() {
        let node = &forest.nodes[nodes[next].0 as usize];
        if !node.is_leaf() {
            let place = nodes.len() as u32;
            (nodes[next].1, nodes[next].2) = (place, place + 1);
            nodes.extend([(node.left, 0, 0), (node.right, 0, 0)]);
        }
        next += 1;
    }
    nodes
}

impl Words {
    fn push(
        &mut self,
        forest: &Forest,
        thresholds: &[&[f32]],
        sets: &Sets,
        tree: u32,
        nodes: &[(u32, u32, u32)],
        new_list: bool,
    ) {
        let to = forest.tree_outputs[tree as usize];
        let at = self.roots.len() as u32;
        match self.lists.last_mut() {
            Some(list) if list.to == to && !new_list => list.end += 1,
            _ => self.lists.push(List {
                first: at,
                end: at + 1,
                to,
            }),
        }
        let first = self.nodes.first().map_or(0, Vec::len) as u32;
        self.roots.push(first);
        for (words, thresholds) in self.nodes.iter_mut().zip(thresholds) {
            words.extend(nodes.iter().map(|&(n, left, right)| {
                let node = &forest.nodes[n as usize];
                if node.is_leaf() {
                    let high = node.value as f32;
                    let low = (node.value - f64::from(high)) as f32;
                    return Leaf { high, low }.into();
                }
                Node {
                    test: test(node),
                    bound: bound(node, thresholds[n as usize], sets),
                    left: first + left,
                    right: first + right,
                }
            }));
        }
    }
}

impl From<Leaf> for Node {
    fn from(leaf: Leaf) -> Self {
        Self {
            test: LAST,
            bound: leaf.high.to_bits(),
            left: leaf.low.to_bits(),
            right: 0,
        }
    }
}

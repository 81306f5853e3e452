//! Trees as the shader walks them, with a row and a background row at once, divided so that every
//! list keeps to a limit; and background rows as it reads them.

use std::collections::HashMap;
use std::iter::successors;
use std::ops::Range;

use super::{Background, Shares};
use crate::forest::Forest;
use crate::tree_tables::Lanes;
use crate::words::{LAST, Sets, bound, centre, key, test};

/// Features of a path at most: the shader remembers on which side of each it is.
pub const PARTINGS: u32 = 64;

/// Some trees of a forest, those of one output after the other.
#[derive(Debug, Clone, Default)]
pub struct Words {
    /// Trees that are launched together.
    pub segments: Vec<Segment>,
    /// Of each segment the features, then the roots.
    pub members: Vec<u32>,
    /// The nodes, for each kind of thresholds.
    pub nodes: Vec<Vec<Node>>,
}

/// Trees of one output over few features.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// The output.
    pub output: u32,
    /// Where the features are.
    pub features: Range<u32>,
    /// Where the roots are.
    pub roots: Range<u32>,
    /// Steps of one walk at most.
    pub steps: u64,
}

/// A node in the shader's form: a split, or a leaf.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct Node {
    /// Column and flags.
    pub test: u32,
    /// What the row's cell is compared with; the value of a leaf.
    pub bound: u32,
    /// What the background row's cell is compared with.
    pub other: u32,
    /// The left child; the right one is the next.
    pub left: u32,
    /// The number of the feature in the segment, times [`PARTINGS`], and its place among the
    /// features of the path.
    pub place: u32,
}

/// What trees may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of any one list.
    pub bytes: u64,
    /// Steps of one walk.
    pub steps: u64,
    /// Features of a segment of several trees.
    pub features: u32,
    /// What the walks give to: for pairs of features, a parting goes through those above.
    pub lanes: Lanes,
}

/// A node on its way into the shader's form.
#[derive(Debug, Clone, Copy)]
struct Step {
    /// Its number in the forest.
    node: u32,
    /// The left child among the tree's nodes.
    left: u32,
    /// The place of its feature on the path.
    place: u32,
    /// Other features on the path above.
    others: u32,
    /// The nearest split above that is the first of its feature on the path.
    above: Option<usize>,
}

/// A split that is the first of its feature on its path, and the nearest such one above.
#[derive(Debug, Clone, Copy)]
struct First {
    feature: u32,
    place: u32,
    above: Option<usize>,
}

/// Lays the given trees out, in as many parts as the limits demand. The second result are the trees
/// that exceed them by themselves, which the caller has to do otherwise.
///
/// Every kind of `thresholds` has one number per node of the forest, as `others`, the thresholds for
/// the background rows, has.
pub fn divide(
    forest: &Forest,
    thresholds: &[&[f32]],
    others: &[f32],
    sets: &Sets,
    trees: &[u32],
    limits: Limits,
) -> (Vec<Words>, Vec<u32>) {
    let most = (limits.bytes / size_of::<Node>() as u64).min(u64::from(u32::MAX)) as usize;
    let mut trees = trees.to_vec();
    trees.sort_by_key(|&tree| forest.tree_outputs[tree as usize]);
    let (mut parts, mut left) = (Vec::new(), Vec::new());
    let mut part = Part::new(thresholds.len());
    for tree in trees {
        let steps = steps(forest, forest.roots[tree as usize]);
        let steps = steps.filter(|tree| tree.len() <= most);
        let walked = |tree: Vec<Step>| (walk(&tree, limits.lanes), tree);
        let steps = steps.map(walked).filter(|(walk, _)| *walk <= limits.steps);
        let Some((walk, steps)) = steps else {
            left.push(tree);
            continue;
        };
        // A single leaf gives nothing to any feature.
        if steps.len() == 1 {
            continue;
        }
        if part.nodes() + steps.len() > most {
            let full = std::mem::replace(&mut part, Part::new(thresholds.len()));
            parts.push(full.finish());
        }
        part.begin(forest, tree, &steps, limits.features);
        part.push(forest, (thresholds, others), sets, &steps, walk);
    }
    if part.nodes() > 0 {
        parts.push(part.finish());
    }
    (parts, left)
}

/// Steps of a walk through a tree, at most: down from every split, up from every leaf, and up from every
/// parting twice; for pairs of features, once past the partings above it, and to the end of these.
fn walk(tree: &[Step], lanes: Lanes) -> u64 {
    let above = |step: &Step| match lanes {
        Lanes::Pairs if step.left > 0 => u64::from(step.others) + 1,
        _ => 0,
    };
    2 * tree.len() as u64 + tree.iter().map(above).sum::<u64>()
}

/// The nodes of a tree, level by level; `None` if a path has too many features.
fn steps(forest: &Forest, root: u32) -> Option<Vec<Step>> {
    let step = |node, above| Step {
        node,
        left: 0,
        place: 0,
        others: 0,
        above,
    };
    let mut steps = vec![step(root, None)];
    let mut firsts: Vec<First> = Vec::new();
    let mut next = 0;
    while next < steps.len() {
        let Step { node, above, .. } = steps[next];
        let node = &forest.nodes[node as usize];
        if !node.is_leaf() {
            let mut path = successors(above, |&first| firsts[first].above);
            let known = path.find(|&first| firsts[first].feature == node.feature);
            let on_path = above.map_or(0, |first| firsts[first].place + 1);
            let others = on_path - u32::from(known.is_some());
            let (place, above) = if let Some(first) = known {
                (firsts[first].place, above)
            } else {
                firsts.push(First {
                    feature: node.feature,
                    place: on_path,
                    above,
                });
                (on_path, Some(firsts.len() - 1))
            };
            if place >= PARTINGS {
                return None;
            }
            (steps[next].left, steps[next].place) = (steps.len() as u32, place);
            steps[next].others = others;
            steps.extend([step(node.left, above), step(node.right, above)]);
        }
        next += 1;
    }
    Some(steps)
}

/// Words that grow, with the segment that does.
struct Part {
    words: Words,
    /// Of the last segment: the numbers of the features, and the features and roots in order.
    numbers: HashMap<u32, u32>,
    features: Vec<u32>,
    roots: Vec<u32>,
}

impl Part {
    fn new(kinds: usize) -> Self {
        Self {
            words: Words {
                nodes: vec![Vec::new(); kinds],
                ..Words::default()
            },
            numbers: HashMap::new(),
            features: Vec::new(),
            roots: Vec::new(),
        }
    }

    fn nodes(&self) -> usize {
        self.words.nodes.first().map_or(0, Vec::len)
    }

    /// Opens a segment for a tree, unless the last one takes it.
    fn begin(&mut self, forest: &Forest, tree: u32, steps: &[Step], most: u32) {
        let output = forest.tree_outputs[tree as usize];
        let splits = steps.iter().map(|step| &forest.nodes[step.node as usize]);
        let splits = splits.filter(|node| !node.is_leaf());
        let features: Vec<u32> = splits.map(|node| node.feature).collect();
        let mut new = features.clone();
        new.retain(|feature| !self.numbers.contains_key(feature));
        new.sort_unstable();
        new.dedup();
        let fits = self.features.len() + new.len() <= most as usize;
        let takes = |last: &Segment| last.output == output && fits;
        if !self.words.segments.last().is_some_and(takes) {
            self.close();
            self.words.segments.push(Segment {
                output,
                features: 0..0,
                roots: 0..0,
                steps: 0,
            });
            new = features;
            new.sort_unstable();
            new.dedup();
        }
        for feature in new {
            self.numbers.insert(feature, self.features.len() as u32);
            self.features.push(feature);
        }
    }

    /// Adds a tree to the last segment.
    fn push(
        &mut self,
        forest: &Forest,
        (thresholds, others): (&[&[f32]], &[f32]),
        sets: &Sets,
        steps: &[Step],
        walk: u64,
    ) {
        let first = self.nodes() as u32;
        self.roots.push(first);
        if let Some(segment) = self.words.segments.last_mut() {
            segment.steps = segment.steps.max(walk);
        }
        let centre = steps.first().map_or(0.0, |root| centre(forest, root.node));
        for (words, thresholds) in self.words.nodes.iter_mut().zip(thresholds) {
            words.extend(steps.iter().map(|step| {
                let node = &forest.nodes[step.node as usize];
                if node.is_leaf() {
                    return Node {
                        test: LAST,
                        bound: ((node.value - centre) as f32).to_bits(),
                        ..Node::default()
                    };
                }
                Node {
                    test: test(node),
                    bound: bound(node, thresholds[step.node as usize], sets),
                    other: bound(node, others[step.node as usize], sets),
                    left: first + step.left,
                    place: self.numbers[&node.feature] * PARTINGS + step.place,
                }
            }));
        }
    }

    /// Writes the members of the last segment.
    fn close(&mut self) {
        self.numbers.clear();
        let members = &mut self.words.members;
        let mut put = |items: &mut Vec<u32>| {
            let first = members.len() as u32;
            members.append(items);
            first..members.len() as u32
        };
        if let Some(segment) = self.words.segments.last_mut() {
            segment.features = put(&mut self.features);
            segment.roots = put(&mut self.roots);
        }
    }

    fn finish(mut self) -> Words {
        self.close();
        self.words
    }
}

/// The shares of k conditions against t as the shader looks them up, at `k (PARTINGS + 1) + t`.
pub fn shares(shares: &Shares) -> Vec<f32> {
    let most = PARTINGS as usize;
    let of = |k, t| {
        if k + t <= most {
            shares.of(k, t) as f32
        } else {
            0.0
        }
    };
    (0..=most)
        .flat_map(|k| (0..=most).map(move |t| of(k, t)))
        .collect()
}

/// Background rows as shaders read them.
#[derive(Debug, Clone, PartialEq)]
pub struct Others {
    /// As many rows as the limit allows, and their number: keys (column, row), then the bits of the
    /// weights, then the weights in units.
    pub parts: Vec<(u32, Vec<u32>)>,
    /// What a unit weighs. Whole numbers have one sum in any order.
    pub unit: f32,
}

/// The rows of a background, those without a weight left out. `limit` is that of a part, in bytes.
pub fn others(background: &Background<'_>, columns: u32, limit: u64) -> Others {
    let columns = columns as usize;
    let weights = background.weights.iter().enumerate();
    let rows: Vec<(usize, f64)> = weights
        .map(|(row, &weight)| (row, weight))
        .filter(|&(_, weight)| weight != 0.0)
        .collect();
    // Equal weights are whole numbers of units; of others, the units of the first rows together are never
    // off by one.
    let units = f64::from(u32::MAX) - f64::from(u32::MAX) % (rows.len() as f64).max(1.0);
    let mut total = 0.0;
    let mut in_units = Vec::with_capacity(rows.len());
    for &(_, weight) in &rows {
        let before = (total * units).round();
        total += weight;
        in_units.push(((total * units).round() - before) as u32);
    }
    let most = (limit / (4 * (columns as u64 + 2))).clamp(1, u64::from(u32::MAX)) as usize;
    let part = |(rows, units): (&[(usize, f64)], &[u32])| {
        let cells = (0..columns).flat_map(|column| {
            let cell =
                move |&(row, _): &(usize, f64)| key(background.cells[row * columns + column]);
            rows.iter().map(cell)
        });
        let weights = rows.iter().map(|&(_, weight)| (weight as f32).to_bits());
        let words = cells.chain(weights).chain(units.iter().copied());
        (rows.len() as u32, words.collect())
    };
    Others {
        parts: (rows.chunks(most).zip(in_units.chunks(most)).map(part)).collect(),
        unit: (1.0 / units) as f32,
    }
}

#[cfg(test)]
mod tests;

//! The walk of a tree as a list of steps, and what the factors of every edge are made of.

use std::ops::Range;

use super::POINTS;
use crate::forest::Forest;
use crate::legendre::{Index, Rule};

/// The walks of some trees of a forest.
#[derive(Debug, Clone, Default)]
pub struct Pack {
    pub(super) trees: Vec<PackedTree>,
    pub(super) steps: Vec<Step>,
    /// Per step an [`Inner`] or an [`End`], as its kind says.
    pub(super) numbers: Vec<f32>,
    pub(super) rules: Vec<Rule>,
    used: Vec<u32>,
}

/// Where a tree's parts end in the lists of a [`Pack`]; they begin where the tree before ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct PackedTree {
    pub(super) output: u32,
    /// Number of its rule among the pack's.
    pub(super) rule: u32,
    /// Points of one pass.
    pub(super) points_per_pass: u32,
    /// Splits on the longest path.
    pub(super) depth: u32,
    /// The leaf value of a tree without splits is nobody's: such a tree has no steps.
    steps_end: usize,
    used_end: usize,
}

/// What a step does at its split, at a depth of the walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Makes the test.
    Open,
    /// Enters a child that is a split.
    Down { left: bool },
    /// Comes back from it.
    Up,
    /// Both, for a child whose children are leaves: the step of its twig is the next one.
    Limb { left: bool },
    /// Does both for a child that is a leaf.
    Leaf { left: bool },
    /// Makes the test and does everything for two leaves.
    Twig,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    pub(super) kind: Kind,
    pub(super) node: u32,
    /// Splits on the path, its own included.
    pub(super) depth: u32,
    /// That of the last split above on the same feature, or 0.
    pub(super) previous: u32,
    /// Place of the step's numbers.
    pub(super) numbers: usize,
}

/// The parts of one tree.
pub(super) struct Parts<'a> {
    pub(super) tree: PackedTree,
    pub(super) steps: &'a [Step],
    pub(super) rule: &'a Rule,
}

impl Pack {
    /// Adds a tree with the given rule size (see [`super::points`]). Trees must come in the order
    /// of their outputs.
    pub fn push(&mut self, forest: &Forest, tree: usize, points: usize) {
        let rule = self.rule(forest.index, points);
        let first = self.steps.len();
        let mut walk = Walk {
            forest,
            steps: &mut self.steps,
            numbers: &mut self.numbers,
            used: Vec::new(),
            path: Vec::new(),
        };
        walk.record(forest.roots[tree]);
        let mut used = walk.used;
        used.sort_unstable();
        used.dedup();
        self.used.extend(&used);
        let depth = self.steps[first..].iter().map(|step| step.depth).max();
        self.trees.push(PackedTree {
            output: forest.tree_outputs[tree],
            rule,
            points_per_pass: (points / points.div_ceil(POINTS)) as u32,
            depth: depth.unwrap_or(0),
            steps_end: self.steps.len(),
            used_end: self.used.len(),
        });
    }

    fn rule(&mut self, index: Index, points: usize) -> u32 {
        let known = (self.rules.iter()).position(|rule| rule.points.len() == points);
        known.unwrap_or_else(|| {
            self.rules.push(index.rule(points));
            self.rules.len() - 1
        }) as u32
    }

    /// The packed trees of an output.
    pub fn trees_of(&self, output: u32) -> Range<usize> {
        let first = self.trees.partition_point(|tree| tree.output < output);
        first..self.trees.partition_point(|tree| tree.output <= output)
    }

    /// The output that a packed tree adds to.
    pub fn output(&self, tree: usize) -> u32 {
        self.trees[tree].output
    }

    /// Number of trees.
    pub fn len(&self) -> usize {
        self.trees.len()
    }

    /// Whether the pack has no trees.
    pub fn is_empty(&self) -> bool {
        self.trees.is_empty()
    }

    pub(super) fn parts(&self, tree: usize) -> Parts<'_> {
        let first = (tree.checked_sub(1)).map_or(0, |before| self.trees[before].steps_end);
        let packed = self.trees[tree];
        Parts {
            tree: packed,
            steps: &self.steps[first..packed.steps_end],
            rule: &self.rules[packed.rule as usize],
        }
    }

    /// The features that a tree splits on.
    pub(super) fn features(&self, tree: usize) -> &[u32] {
        let first = tree
            .checked_sub(1)
            .map_or(0, |before| self.trees[before].used_end);
        &self.used[first..self.trees[tree].used_end]
    }
}

/// What the factors of an inner edge are made of, before and after which its feature has the fractions
/// z₀ and z. Of a feature that does not occur above, z₀ is 1.
#[derive(Debug, Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub(super) struct Inner {
    /// z₀, z and z₀ − z.
    pub(super) before: f32,
    pub(super) z: f32,
    pub(super) gain: f32,
    /// The factor where the feature was not met before: z/z₀, or 0 where z₀ is.
    pub(super) unmet: f32,
}

/// The same for the end of a path: a leaf, or two that are siblings, with the right one's value 0 where
/// the leaf stands alone. The factors of both leaves, their values included, are one sum,
/// `(Σ value·z) (1 − u) + value u`, with the value of the leaf that a row goes to.
#[derive(Debug, Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub(super) struct End {
    /// z₀.
    pub(super) before: f32,
    /// Σ value·z, and the same over z₀: the factor where the feature was not met before.
    pub(super) weighted: f32,
    pub(super) unmet: f32,
    /// The value where the row meets the edge (goes left, of two), and where not.
    pub(super) values: [f32; 2],
    /// Σ value·(e z₀ − z), of the same rows.
    pub(super) gains: [f32; 2],
}

/// One edge: the fraction of its feature after and before it, and the value of the node at its end.
#[derive(Debug, Clone, Copy)]
struct Edge {
    z: f64,
    before: f64,
    value: f64,
}

impl Edge {
    fn inner(self) -> Inner {
        Inner {
            before: self.before as f32,
            z: self.z as f32,
            gain: (self.before - self.z) as f32,
            unmet: self.over_before(self.z),
        }
    }

    /// The end of a path at this edge's leaf and at that of another edge from the same split.
    fn end(self, right: Option<Edge>) -> End {
        let (other, z) = right.map_or((0.0, 0.0), |edge| (edge.value, edge.z));
        let weighted = self.value * self.z + other * z;
        End {
            before: self.before as f32,
            weighted: weighted as f32,
            unmet: self.over_before(weighted),
            values: [self.value as f32, other as f32],
            gains: [self.value, other].map(|value| (value * self.before - weighted) as f32),
        }
    }

    fn over_before(self, x: f64) -> f32 {
        (if self.before > 0.0 {
            x / self.before
        } else {
            0.0
        }) as f32
    }
}

/// The recording of one tree's walk.
struct Walk<'a> {
    forest: &'a Forest,
    steps: &'a mut Vec<Step>,
    numbers: &'a mut Vec<f32>,
    used: Vec<u32>,
    /// Feature and merged fraction of each split on the path.
    path: Vec<(u32, f64)>,
}

impl Walk<'_> {
    fn record(&mut self, root: u32) {
        enum Todo {
            Visit(u32, u32),
            Enter(u32, u32, bool),
            Return(Step),
        }
        let mut todo = vec![Todo::Visit(root, 0)];
        while let Some(next) = todo.pop() {
            match next {
                Todo::Visit(n, depth) => {
                    let node = self.forest.nodes[n as usize];
                    if node.is_leaf() {
                        continue;
                    }
                    self.used.push(node.feature);
                    self.path.truncate(depth as usize);
                    if self.is_twig(n) {
                        let end = self.edge(n, true).end(Some(self.edge(n, false)));
                        self.step(Kind::Twig, n, bytemuck::cast_slice(&[end]));
                        continue;
                    }
                    self.step(Kind::Open, n, &[]);
                    todo.push(Todo::Enter(n, depth, false));
                    todo.push(Todo::Enter(n, depth, true));
                }
                Todo::Enter(n, depth, left) => {
                    self.path.truncate(depth as usize);
                    let node = self.forest.nodes[n as usize];
                    let child = if left { node.left } else { node.right };
                    let edge = self.edge(n, left);
                    if self.forest.nodes[child as usize].is_leaf() {
                        self.step(
                            Kind::Leaf { left },
                            n,
                            bytemuck::cast_slice(&[edge.end(None)]),
                        );
                        continue;
                    }
                    let inner = [edge.inner()];
                    let inner = bytemuck::cast_slice(&inner);
                    if self.is_twig(child) {
                        self.step(Kind::Limb { left }, n, inner);
                    } else {
                        let down = self.step(Kind::Down { left }, n, inner);
                        todo.push(Todo::Return(Step {
                            kind: Kind::Up,
                            ..down
                        }));
                    }
                    self.path.push((node.feature, edge.z));
                    todo.push(Todo::Visit(child, depth + 1));
                }
                Todo::Return(step) => self.steps.push(step),
            }
        }
    }

    fn is_twig(&self, n: u32) -> bool {
        let nodes = &self.forest.nodes;
        let node = &nodes[n as usize];
        !node.is_leaf()
            && nodes[node.left as usize].is_leaf()
            && nodes[node.right as usize].is_leaf()
    }

    fn previous(&self, feature: u32) -> Option<usize> {
        self.path.iter().rposition(|&(other, _)| other == feature)
    }

    fn edge(&self, n: u32, left: bool) -> Edge {
        let node = &self.forest.nodes[n as usize];
        let child = if left { node.left } else { node.right };
        let child = &self.forest.nodes[child as usize];
        let previous = self.previous(node.feature);
        let before = previous.map_or(1.0, |above| self.path[above].1);
        Edge {
            z: before * child.fraction,
            before,
            value: child.value,
        }
    }

    fn step(&mut self, kind: Kind, n: u32, numbers: &[f32]) -> Step {
        let feature = self.forest.nodes[n as usize].feature;
        let step = Step {
            kind,
            node: n,
            depth: self.path.len() as u32 + 1,
            previous: self.previous(feature).map_or(0, |above| above as u32 + 1),
            numbers: self.numbers.len(),
        };
        self.numbers.extend(numbers);
        self.steps.push(step);
        step
    }
}

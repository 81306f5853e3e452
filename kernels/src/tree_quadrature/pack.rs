//! The walk of a tree as a list of steps, and the factors of every edge.

use std::ops::Range;

use super::POINTS;
use crate::forest::Forest;

/// Marks a split whose feature does not occur above it.
pub(super) const FIRST: u32 = u32::MAX;

/// The walks of some trees of a forest.
#[derive(Debug, Clone, Default)]
pub struct Pack {
    pub(super) trees: Vec<PackedTree>,
    pub(super) steps: Vec<Step>,
    /// Per step and pass, as the step's kind says.
    pub(super) constants: Vec<f32>,
    used: Vec<u32>,
}

/// Where a tree's parts end in the lists of a [`Pack`]; they begin where the tree before ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct PackedTree {
    pub(super) output: u32,
    /// Points of one pass, and passes.
    pub(super) points_per_pass: u32,
    pub(super) passes: u32,
    /// Splits on the longest path.
    pub(super) depth: u32,
    /// The leaf value of a tree without splits is nobody's: such a tree has no steps.
    steps_end: usize,
    constants_end: usize,
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
    Up { left: bool },
    /// Does both for a child that is a leaf.
    Leaf { left: bool },
    /// Makes the test and does everything for two leaves.
    Twig,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    pub(super) kind: Kind,
    /// Whether the step adds to sums that its sibling's step has begun.
    pub(super) second: bool,
    pub(super) node: u32,
    pub(super) depth: u32,
    /// Depth of the last split above on the same feature, or [`FIRST`].
    pub(super) previous: u32,
    /// Offset of the step's constants in one pass's constants of the tree.
    pub(super) constants: u32,
}

/// The parts of one tree.
pub(super) struct Parts<'a> {
    pub(super) tree: PackedTree,
    pub(super) steps: &'a [Step],
    pub(super) constants: &'a [f32],
}

impl Pack {
    /// Adds a tree with the given rule size (see [`super::points`]). Trees must come in the order
    /// of their outputs.
    pub fn push(&mut self, forest: &Forest, tree: usize, points: usize) {
        let rule = forest.index.rule(points);
        let per_pass = points.min(POINTS);
        let mut walk = Walk {
            forest,
            steps: Vec::new(),
            used: Vec::new(),
            path: Vec::new(),
            width: per_pass,
            next_constant: 0,
            edges: Vec::new(),
        };
        walk.record(forest.roots[tree]);
        let passes = points.div_ceil(per_pass);
        self.constants
            .reserve(walk.next_constant as usize * passes + points);
        for points in rule.points.chunks(per_pass) {
            for edges in &walk.edges {
                edges.write(points, &mut self.constants);
            }
        }
        // The weights stand before all else of a pass in use: they are the root's product.
        self.constants
            .extend(rule.weights.iter().map(|&weight| weight as f32));
        let depth = walk.steps.iter().map(|step| step.depth + 1).max();
        walk.used.sort_unstable();
        walk.used.dedup();
        self.used.extend(&walk.used);
        self.steps.extend(&walk.steps);
        self.trees.push(PackedTree {
            output: forest.tree_outputs[tree],
            points_per_pass: per_pass as u32,
            passes: points.div_ceil(per_pass) as u32,
            depth: depth.unwrap_or(0),
            steps_end: self.steps.len(),
            constants_end: self.constants.len(),
            used_end: self.used.len(),
        });
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
        let (mut steps, mut constants) = (0, 0);
        if let Some(before) = tree.checked_sub(1) {
            steps = self.trees[before].steps_end;
            constants = self.trees[before].constants_end;
        }
        Parts {
            tree: self.trees[tree],
            steps: &self.steps[steps..self.trees[tree].steps_end],
            constants: &self.constants[constants..self.trees[tree].constants_end],
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

/// One edge: the fraction of its feature after and before it, and the value of the leaf at its end.
#[derive(Debug, Clone, Copy)]
struct Edge {
    z: f64,
    before: f64,
    is_first: bool,
    value: f64,
}

/// The edges whose constants a step reads.
#[derive(Debug, Clone, Copy)]
enum Edges {
    Inner(Edge),
    Leaf(Edge),
    Twig(Edge, Edge),
}

impl Edge {
    /// The factors of the edge's feature at `u`, where it is met and where not, over its factor before
    /// the edge, whose inverse is given.
    fn factors(&self, u: f64, inverse: f64) -> [f64; 2] {
        let unmet = self.z * (1.0 - u);
        [(unmet + u) * inverse, unmet * inverse]
    }

    fn met_before(&self, u: f64) -> f64 {
        if self.is_first {
            1.0
        } else {
            self.before * (1.0 - u) + u
        }
    }

    /// The factor where the feature was not met before the edge.
    fn unmet_factor(&self) -> f64 {
        if self.before > 0.0 {
            self.z / self.before
        } else {
            0.0
        }
    }

    /// What the integral is multiplied with.
    fn difference(&self, met: bool) -> f64 {
        (if met { self.before } else { 0.0 }) - self.z
    }
}

impl Edges {
    /// Number of constants for `points` points.
    fn len(&self, points: usize) -> usize {
        let (Edges::Inner(edge) | Edges::Leaf(edge) | Edges::Twig(edge, _)) = self;
        if edge.is_first {
            2 + 2 * points
        } else {
            3 + 3 * points
        }
    }

    /// Writes: the difference where met and unmet; for a repeated feature the factor where not met
    /// before; then per point the factor where met and unmet, and for a repeated feature 1/A₁(z₀)².
    /// A leaf's value is multiplied in; a twig's constants are those of its two leaves together,
    /// where "met" is the left one.
    fn write(&self, points: &[f64], to: &mut Vec<f32>) {
        let (Edges::Inner(edge) | Edges::Leaf(edge) | Edges::Twig(edge, _)) = self;
        let together = |f: &dyn Fn(&Edge, bool) -> f64, met: bool| match self {
            Edges::Inner(edge) => f(edge, met),
            Edges::Leaf(edge) => edge.value * f(edge, met),
            Edges::Twig(left, right) => left.value * f(left, met) + right.value * f(right, !met),
        } as f32;
        for met in [true, false] {
            to.push(together(&|edge, met| edge.difference(met), met));
        }
        if !edge.is_first {
            to.push(together(&|edge, _| edge.unmet_factor(), true));
        }
        for &u in points {
            // The edges of a twig have the same feature above them.
            let inverse = 1.0 / edge.met_before(u);
            let [met, unmet] = match self {
                Edges::Inner(edge) => edge.factors(u, inverse),
                Edges::Leaf(edge) => edge.factors(u, inverse).map(|factor| edge.value * factor),
                Edges::Twig(left, right) => {
                    let (of_left, of_right) = (left.factors(u, inverse), right.factors(u, inverse));
                    [0, 1].map(|at| left.value * of_left[at] + right.value * of_right[1 - at])
                }
            };
            to.extend([met as f32, unmet as f32]);
            if !edge.is_first {
                to.push((inverse * inverse) as f32);
            }
        }
    }
}

/// The recording of one tree's walk.
struct Walk<'a> {
    forest: &'a Forest,
    steps: Vec<Step>,
    used: Vec<u32>,
    /// Feature and merged fraction of each split on the path.
    path: Vec<(u32, f64)>,
    width: usize,
    next_constant: u32,
    edges: Vec<Edges>,
}

impl Walk<'_> {
    fn record(&mut self, root: u32) {
        enum Todo {
            Visit(u32, u32),
            Enter(u32, u32, bool, bool),
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
                    let is_leaf = |child: u32| self.forest.nodes[child as usize].is_leaf();
                    if is_leaf(node.left) && is_leaf(node.right) {
                        let edges = Edges::Twig(self.edge(n, true), self.edge(n, false));
                        self.step(Kind::Twig, n, depth, false, Some(edges));
                        continue;
                    }
                    self.step(Kind::Open, n, depth, false, None);
                    todo.push(Todo::Enter(n, depth, false, true));
                    todo.push(Todo::Enter(n, depth, true, false));
                }
                Todo::Enter(n, depth, left, second) => {
                    self.path.truncate(depth as usize);
                    let node = self.forest.nodes[n as usize];
                    let child = if left { node.left } else { node.right };
                    let edge = self.edge(n, left);
                    if self.forest.nodes[child as usize].is_leaf() {
                        self.step(
                            Kind::Leaf { left },
                            n,
                            depth,
                            second,
                            Some(Edges::Leaf(edge)),
                        );
                        continue;
                    }
                    let edges = Some(Edges::Inner(edge));
                    let down = self.step(Kind::Down { left }, n, depth, second, edges);
                    todo.push(Todo::Return(Step {
                        kind: Kind::Up { left },
                        ..down
                    }));
                    self.path.push((node.feature, edge.z));
                    todo.push(Todo::Visit(child, depth + 1));
                }
                Todo::Return(step) => self.steps.push(step),
            }
        }
    }

    fn previous(&self, feature: u32) -> Option<usize> {
        self.path.iter().rposition(|&(other, _)| other == feature)
    }

    fn edge(&self, n: u32, left: bool) -> Edge {
        let node = &self.forest.nodes[n as usize];
        let child = if left { node.left } else { node.right };
        let child = &self.forest.nodes[child as usize];
        let previous = self.previous(node.feature);
        let before = previous.map_or(1.0, |depth| self.path[depth].1);
        Edge {
            z: before * child.fraction,
            before,
            is_first: previous.is_none(),
            value: child.value,
        }
    }

    fn step(&mut self, kind: Kind, n: u32, depth: u32, second: bool, edges: Option<Edges>) -> Step {
        let feature = self.forest.nodes[n as usize].feature;
        let step = Step {
            kind,
            second,
            node: n,
            depth,
            previous: self.previous(feature).map_or(FIRST, |depth| depth as u32),
            constants: self.next_constant,
        };
        if let Some(edges) = edges {
            self.next_constant += edges.len(self.width) as u32;
            self.edges.push(edges);
        }
        self.steps.push(step);
        step
    }
}

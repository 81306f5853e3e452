//! Trees as the kernels read them: one test per node on a float32 column, and the fraction of the
//! parent's cover that each node keeps.

mod linear;

use crate::legendre::Index;

pub use linear::{LinearLeaf, Players, Term};

/// Marks a leaf in [`Node::feature`].
pub const LEAF: u32 = u32::MAX;

/// Trees that share columns and outputs, without any library's peculiarities: the caller has turned
/// every threshold rule, missing rule and category rule into columns and [`Test`]s.
#[derive(Debug, Clone, Default)]
pub struct Forest {
    /// All nodes, tree after tree; children are indexes into this list.
    pub nodes: Vec<Node>,
    /// The category sets of all [`Test::Category`], as bits.
    pub sets: Vec<u32>,
    /// The root of each tree.
    pub roots: Vec<u32>,
    /// The output that each tree adds to.
    pub tree_outputs: Vec<u32>,
    /// Number of prepared columns that nodes compare.
    pub columns: u32,
    /// Number of features, or groups of them, that values are attributed to.
    pub features: u32,
    /// Number of outputs.
    pub outputs: u32,
    /// How a value weighs what a feature adds to each coalition.
    pub index: Index,
    /// Leaves that are linear in some cells, of trees that [`crate::tree_pairs`] and
    /// [`crate::coalition_trees`] take on the CPU, and no other kernel.
    pub linear: Vec<LinearLeaf>,
    /// By node, its place in [`Forest::linear`], or a number beyond; may end before the last node.
    pub linear_of: Vec<u32>,
}

/// A node: a split, or a leaf if `feature` is [`LEAF`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Node {
    /// The feature, or the group of features, that the split is attributed to.
    pub feature: u32,
    /// The prepared column that it reads.
    pub column: u32,
    /// The test that sends a row left.
    pub test: Test,
    /// The left child.
    pub left: u32,
    /// The right child.
    pub right: u32,
    /// Cover of this node over the cover of its parent; 1 for a root.
    pub fraction: f64,
    /// The value of a leaf; 0 for a split.
    pub value: f64,
}

/// The test of a split.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Test {
    /// `x < thresholds[node]`; the thresholds stand apart from the nodes because they depend on
    /// what the columns hold (values or ranks).
    Below {
        /// Whether NaN goes left.
        missing_left: bool,
    },
    /// Bit `x` of `sets[first..first + words]` is set.
    Category {
        /// Position in [`Forest::sets`].
        first: u32,
        /// Length in words; a category beyond it, or below 0, is no member.
        words: u32,
        /// Whether members go left.
        members_left: bool,
        /// Whether NaN goes left.
        missing_left: bool,
    },
}

impl Node {
    /// Whether this node is a leaf.
    #[inline]
    pub fn is_leaf(&self) -> bool {
        self.feature == LEAF
    }
}

impl Test {
    /// Whether `x` goes left: the definition that every vectorised form is tested against.
    #[inline]
    #[expect(
        clippy::needless_bitwise_bool,
        reason = "an operator that may skip its right side is a branch"
    )]
    pub fn left(self, x: f32, threshold: f32, sets: &[u32]) -> bool {
        match self {
            Test::Below { missing_left } => {
                // Without a branch on the direction, which cannot be predicted.
                let is_missing = x.is_nan() | threshold.is_nan();
                (x < threshold) | (missing_left & is_missing)
            }
            Test::Category { missing_left, .. } if x.is_nan() => missing_left,
            Test::Category {
                first,
                words,
                members_left,
                ..
            } => {
                let member = x >= 0.0 && x < (words * 32) as f32 && {
                    let category = x as u32;
                    sets[(first + category / 32) as usize] >> (category % 32) & 1 == 1
                };
                member == members_left
            }
        }
    }
}

impl Forest {
    /// Number of trees.
    pub fn trees(&self) -> usize {
        self.roots.len()
    }

    /// What a leaf is linear in, if it is.
    #[inline]
    pub fn linear_leaf(&self, n: u32) -> Option<&LinearLeaf> {
        let place = self.linear_of.get(n as usize)?;
        self.linear.get(*place as usize)
    }

    /// The expected value of each output under the path-dependent value function: every leaf's
    /// value times the product of the cover fractions on its path (Lundberg et al. 2020,
    /// Algorithm 1, with no feature known).
    pub fn expected(&self) -> Vec<f64> {
        let mut expected = vec![0.0; self.outputs as usize];
        let mut stack = Vec::new();
        for (&root, &output) in self.roots.iter().zip(&self.tree_outputs) {
            let mut sum = 0.0;
            stack.push((root, 1.0));
            while let Some((n, weight)) = stack.pop() {
                let node = &self.nodes[n as usize];
                let weight = weight * node.fraction;
                if node.is_leaf() {
                    sum += weight * node.value;
                } else {
                    stack.push((node.right, weight));
                    stack.push((node.left, weight));
                }
            }
            expected[output as usize] += sum;
        }
        expected
    }

    /// Depth, leaves and the largest number of distinct features on a path, of each tree.
    pub fn shapes(&self) -> Vec<Shape> {
        let mut on_path = vec![0_u32; self.features as usize];
        self.roots
            .iter()
            .map(|&root| self.shape(root, &mut on_path))
            .collect()
    }

    fn shape(&self, root: u32, on_path: &mut [u32]) -> Shape {
        let mut shape = Shape::default();
        let mut distinct = 0;
        let mut path: Vec<u32> = Vec::new();
        let mut stack = vec![(root, 0_usize)];
        while let Some((n, depth)) = stack.pop() {
            for feature in path.drain(depth..) {
                on_path[feature as usize] -= 1;
                distinct -= u32::from(on_path[feature as usize] == 0);
            }
            let node = &self.nodes[n as usize];
            if node.is_leaf() {
                shape.leaves += 1;
                shape.depth = shape.depth.max(depth as u32);
                let mut all = distinct;
                if let Some(leaf) = self.linear_leaf(n) {
                    shape.is_linear = true;
                    for term in &leaf.terms {
                        let on_path = &mut on_path[term.feature as usize];
                        all += u32::from(*on_path == 0);
                        *on_path += 1;
                    }
                    for term in &leaf.terms {
                        on_path[term.feature as usize] -= 1;
                    }
                }
                shape.path_features = shape.path_features.max(all);
            } else {
                distinct += u32::from(on_path[node.feature as usize] == 0);
                on_path[node.feature as usize] += 1;
                path.push(node.feature);
                stack.push((node.right, depth + 1));
                stack.push((node.left, depth + 1));
            }
        }
        for feature in path {
            on_path[feature as usize] -= 1;
        }
        shape
    }
}

/// What the choice of an engine depends on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Shape {
    /// Edges from the root to the deepest leaf.
    pub depth: u32,
    /// Number of leaves.
    pub leaves: u32,
    /// Largest number of distinct features on a path, those that its leaf is linear in included.
    pub path_features: u32,
    /// Whether a leaf is linear in some cells.
    pub is_linear: bool,
}

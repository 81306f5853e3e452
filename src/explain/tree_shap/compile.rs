//! Native semantics → kernel semantics: thresholds that compare with `<` on float32, columns that
//! hold NaN for what the model calls missing, one scalar tree per output.

mod columns;
mod linear;

use std::collections::BTreeMap;
use std::collections::hash_map::Entry;
use std::sync::OnceLock;

use whylight_kernels::{
    Forest, Node as KernelNode, Test as KernelTest,
    forest::{LEAF, Shape},
    legendre::Index,
    tree_quadrature,
};

use self::columns::Columns;
use super::background::BackgroundRows;
use super::plan::{self, PairPlan};
use crate::error::{Error, Result};
use crate::explain::players::Players;
use crate::model::{CategorySet, Fraction, Missing, Node, Output, Precision, Split, Test, Trees};

/// Words of all category sets: what a file of tests for equality can demand grows with the square of
/// its size.
const MAX_SET_WORDS: usize = 1 << 25;

/// A column that the kernels compare, and how it is made from a feature.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Column {
    pub(super) feature: u32,
    pub(super) missing: Missing,
    pub(super) kind: Kind,
}

/// What a column holds beside NaN for missing cells.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    /// The number.
    Number,
    /// The category number, or -1.
    Category,
    /// The position of the number among the values that the model tests for equality, or -1.
    Position(Vec<f64>),
    /// 0.
    Present,
    /// The number rounded to float32.
    High,
    /// What is left of the number after that.
    Low,
}

/// A forest for the kernels and the columns that it reads.
#[derive(Debug)]
pub(super) struct Compiled {
    pub(super) forest: Forest,
    pub(super) columns: Vec<Column>,
    pub(super) shapes: Vec<Shape>,
    /// Thresholds by node for columns that hold the numbers themselves.
    pub(super) thresholds: Vec<f32>,
    /// The same in float64, as the model has them.
    exact: Vec<f64>,
    ranks: OnceLock<Ranks>,
    /// Some node has more cover than its parent.
    grows: bool,
    pub(super) precision: Precision,
    pub(super) fraction: Fraction,
    /// The background of interventional values; path-dependent ones have none.
    pub(super) background: Option<BackgroundRows>,
    /// Who the splits are attributed to: the features of the forest.
    pub(super) players: Players,
    /// The engines of the interactions, if these are wanted.
    pub(super) interactions: Option<PairPlan>,
    /// By feature that leaves are linear in, their absolute coefficients, summed.
    linear: BTreeMap<u32, f64>,
}

/// Thresholds for columns that hold, instead of each number, how many of the model's thresholds it
/// reaches: the way to compare float64 numbers exactly with float32 kernels.
#[derive(Debug)]
pub(super) struct Ranks {
    /// Thresholds by node.
    pub(super) thresholds: Vec<f32>,
    /// By column, the distinct thresholds, ascending.
    pub(super) steps: Vec<Vec<f64>>,
}

impl Compiled {
    pub(super) fn new(trees: &Trees, players: Players, index: Index) -> Result<Self> {
        let mut columns = Columns::new(trees);
        let mut compiled = Self {
            forest: Forest {
                features: players.len() as u32,
                outputs: trees.outputs.len() as u32,
                index,
                ..Forest::default()
            },
            columns: Vec::new(),
            shapes: Vec::new(),
            thresholds: Vec::new(),
            exact: Vec::new(),
            ranks: OnceLock::new(),
            grows: false,
            precision: trees.precision,
            fraction: trees.fraction,
            background: None,
            interactions: None,
            linear: BTreeMap::new(),
            players,
        };
        let nodes = trees.trees.iter().map(|tree| tree.nodes.len()).sum();
        compiled.forest.nodes.reserve(nodes);
        compiled.thresholds.reserve(nodes);
        compiled.exact.reserve(nodes);
        for tree in &trees.trees {
            match tree.output {
                Output::One(output) => compiled.push(tree, output, 1, 0, &mut columns)?,
                Output::All => {
                    let width = trees.outputs.len();
                    for output in 0..width {
                        compiled.push(tree, output as u32, width, output, &mut columns)?;
                    }
                }
            }
        }
        compiled.forest.columns = columns.list.len() as u32;
        compiled.columns = columns.list;
        compiled.shapes = compiled.forest.shapes();
        Ok(compiled)
    }

    /// Adds a tree that takes value `offset` of each leaf's `width` values.
    fn push(
        &mut self,
        tree: &crate::model::Tree,
        output: u32,
        width: usize,
        offset: usize,
        columns: &mut Columns,
    ) -> Result<()> {
        let first = self.forest.nodes.len() as u32;
        self.forest.roots.push(first);
        self.forest.tree_outputs.push(output);
        for node in &tree.nodes {
            if let Node::Leaf { leaf, .. } = node
                && let Some(linear) = tree.linear.get(*leaf as usize)
            {
                self.push_linear(linear, columns);
            }
            let (node, threshold) = match node {
                Node::Leaf { leaf, .. } => (
                    KernelNode {
                        feature: LEAF,
                        column: 0,
                        test: KernelTest::Below {
                            missing_left: false,
                        },
                        left: 0,
                        right: 0,
                        fraction: 1.0,
                        value: tree.values[*leaf as usize * width + offset],
                    },
                    0.0,
                ),
                Node::Split(split) => {
                    let (column, test, threshold) = self.split(split, columns)?;
                    (
                        KernelNode {
                            feature: self.players.of[split.feature as usize],
                            column,
                            test,
                            left: first + split.left,
                            right: first + split.right,
                            fraction: 1.0,
                            value: 0.0,
                        },
                        threshold,
                    )
                }
            };
            self.forest.nodes.push(node);
            self.thresholds.push(round_up(threshold));
            self.exact.push(threshold);
        }
        let cover = |n: u32| tree.nodes[n as usize].cover();
        for node in &tree.nodes {
            let Node::Split(split) = node else { continue };
            for child in [split.left, split.right] {
                // Where no training row came, the children share alike: the fractions sum to 1
                // and the values stay defined.
                let fraction = if split.cover > 0.0 {
                    cover(child) / split.cover
                } else {
                    0.5
                };
                self.grows |= fraction > 1.001;
                self.forest.nodes[(first + child) as usize].fraction = fraction;
            }
        }
        Ok(())
    }

    fn split(&mut self, split: &Split, columns: &mut Columns) -> Result<(u32, KernelTest, f64)> {
        let Split {
            feature,
            missing,
            missing_left,
            ..
        } = *split;
        let column = columns.of(feature, missing, &split.test);
        let set = match &split.test {
            Test::Below(threshold) => {
                return Ok((column, KernelTest::Below { missing_left }, *threshold));
            }
            Test::Always => CategorySet {
                words: vec![1],
                members_left: true,
            },
            Test::Category(set) => set.clone(),
            Test::OneOf(values) => {
                let known = &columns.values[&feature];
                let mut words = vec![0_u32; known.len().div_ceil(32)];
                for value in values {
                    let position = known.partition_point(|known| known < value);
                    words[position / 32] |= 1 << (position % 32);
                }
                CategorySet {
                    words,
                    members_left: true,
                }
            }
        };
        let words = set.words.len() as u32;
        let sets = &mut self.forest.sets;
        let next = sets.len();
        // Equal sets are one, so that equal tests are.
        let first = match columns.sets.entry(set.words) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(new) if next + new.key().len() <= MAX_SET_WORDS => {
                sets.extend(new.key());
                *new.insert(next as u32)
            }
            Entry::Vacant(_) => {
                return Err(Error::Unsupported {
                    what: format!(
                        "a model whose categorical splits name sets of {MAX_SET_WORDS} words of 32 \
                         categories and more in all"
                    ),
                    by: "Tree SHAP".to_owned(),
                    instead: "merge rare categories and train again".to_owned(),
                });
            }
        };
        let test = KernelTest::Category {
            first,
            words,
            members_left: set.members_left,
            missing_left,
        };
        Ok((column, test, 0.0))
    }

    /// What no value, and no number on the way to one, exceeds: the absolute leaf values, each
    /// times the fractions above 1 on its path where values depend on them. Covers that grow downward
    /// are no library's, but a file can hold them.
    pub(super) fn largest(&self) -> f64 {
        let forest = &self.forest;
        if !self.grows || self.background.is_some() {
            let values = forest.nodes.iter().map(|node| node.value);
            let constants = forest.linear.iter().map(|leaf| leaf.constant);
            return values.chain(constants).map(f64::abs).sum();
        }
        let mut sum = 0.0;
        let mut stack: Vec<(u32, f64)> = forest.roots.iter().map(|&root| (root, 1.0)).collect();
        while let Some((n, weight)) = stack.pop() {
            let node = &forest.nodes[n as usize];
            let weight = weight * node.fraction.max(1.0);
            if node.is_leaf() {
                sum += weight * node.value.abs();
            } else {
                stack.extend([(node.left, weight), (node.right, weight)]);
            }
        }
        sum
    }

    /// What a row costs at the most on one thread, in seconds, roughly: the walk of every tree (see
    /// `plan`, which knows it better).
    pub(super) fn seconds(&self) -> f64 {
        let walks = self.interactions.iter().flat_map(|plan| &plan.walks);
        let walk = |&tree: &u32| plan::walk_of_pairs(self, tree);
        self.seconds_of_values() + 1e-9 * walks.map(walk).sum::<f64>()
    }

    fn seconds_of_values(&self) -> f64 {
        if let Some(background) = &self.background {
            let pairs = |shape: &Shape| plan::pairs(shape, background.rows());
            return 1e-9 * self.shapes.iter().map(pairs).sum::<f64>();
        }
        let walk = |shape: &Shape| {
            let points = tree_quadrature::points(self.forest.index, shape.path_features as usize);
            f64::from(shape.leaves) * (0.2 + 0.3 * points as f64)
        };
        1e-9 * self.shapes.iter().map(walk).sum::<f64>()
    }

    /// Thresholds by node that are equal exactly where two tests of a column are the same test.
    /// Rounded to float32, different float64 thresholds can become one.
    pub(super) fn identities(&self) -> &[f32] {
        match self.precision {
            Precision::F32 => &self.thresholds,
            Precision::F64 => &self.ranks().thresholds,
        }
    }

    /// Thresholds and steps for columns of ranks, made when first needed.
    pub(super) fn ranks(&self) -> &Ranks {
        self.ranks.get_or_init(|| {
            let mut steps = vec![Vec::new(); self.columns.len()];
            let splits = || {
                let nodes = self.forest.nodes.iter().zip(&self.exact);
                nodes.filter(|(node, _)| {
                    !node.is_leaf() && matches!(node.test, KernelTest::Below { .. })
                })
            };
            for (node, &threshold) in splits() {
                steps[node.column as usize].push(threshold);
            }
            for steps in &mut steps {
                steps.sort_by(f64::total_cmp);
                steps.dedup();
            }
            let mut thresholds = vec![0.0; self.exact.len()];
            for (n, (node, &threshold)) in self.forest.nodes.iter().zip(&self.exact).enumerate() {
                if !node.is_leaf() && matches!(node.test, KernelTest::Below { .. }) {
                    // x < steps[j] exactly if x reaches at most j steps.
                    thresholds[n] = (rank(&steps[node.column as usize], threshold)) as f32;
                }
            }
            Ranks { thresholds, steps }
        })
    }
}

/// How many of the ascending `steps` a number reaches.
pub(super) fn rank(steps: &[f64], x: f64) -> usize {
    steps.partition_point(|&step| step <= x)
}

/// The smallest float32 that is not below `t`: for a float32 `x`, `x < t` is `x < round_up(t)`.
fn round_up(t: f64) -> f32 {
    let near = t as f32;
    if f64::from(near) < t {
        near.next_up()
    } else {
        near
    }
}

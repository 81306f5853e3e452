//! One tree: parallel arrays with an element per node become nodes.

use std::borrow::Cow;

use super::document::Section;
use crate::error::Result;
use crate::model::sets;
use crate::model::trees::{Missing, Node, Output, Split, Test, Tree};

/// What the pruner leaves as the feature of a node that it deleted: all bits set, but for the top
/// one, which holds the default direction. Such nodes stay in the file and belong to no path.
const DELETED: i64 = (1 << 31) - 1;

/// What a tree has to know of its model.
pub(super) struct Frame {
    /// Number of outputs.
    pub(super) outputs: usize,
    /// The output that a tree with scalar leaves adds to.
    pub(super) group: u32,
    /// The round that the tree belongs to.
    pub(super) iteration: u32,
    /// What its leaves are multiplied with (dart); 1 in other boosters.
    pub(super) weight: f32,
}

/// A tree's arrays, all with one element per node.
struct Arrays<'a> {
    left: &'a [i64],
    right: &'a [i64],
    features: &'a [i64],
    missing_left: &'a [i64],
    /// The threshold of a split; the value of a scalar leaf.
    conditions: Cow<'a, [f32]>,
    /// Sums of hessians; absent from vector-leaf trees before 3.2.
    covers: Option<Cow<'a, [f32]>>,
    /// The range in `categories` of each categorical split; empty without such splits.
    sets: Vec<Option<(usize, usize)>>,
    categories: &'a [i64],
}

/// The values of vector leaves.
enum Vectors<'a> {
    /// Since 3.2: a list of leaves' vectors, and a leaf's position there instead of a right child.
    Leaves(Cow<'a, [f32]>),
    /// Before: a vector for every node.
    Nodes(Cow<'a, [f32]>),
}

/// Reads a tree. `words` counts the words of the model's category sets. The second result is
/// whether the tree has covers.
pub(super) fn read(tree: &Section, frame: &Frame, words: &mut usize) -> Result<(Tree, bool)> {
    let width = match tree
        .section("tree_param")?
        .count_or("size_leaf_vector", 0)?
    {
        0 | 1 => 1,
        width if width == frame.outputs => width,
        width => {
            return Err(tree.fault(format!(
                "leaves with {width} values in a model with {} outputs",
                frame.outputs
            )));
        }
    };
    let arrays = Arrays::read(tree)?;
    let n = arrays.left.len();
    let vectors = if width == 1 {
        None
    } else if tree.find("leaf_weights").is_some() {
        Some(Vectors::Leaves(tree.floats("leaf_weights")?))
    } else {
        let weights = tree.floats("base_weights")?;
        tree.check_length("base_weights", weights.len(), n.saturating_mul(width))?;
        Some(Vectors::Nodes(weights))
    };

    let numbers = arrays.number_reached(tree)?;
    let mut nodes = Vec::with_capacity(n);
    let mut values = Vec::new();
    for i in 0..n {
        if numbers[i].is_none() {
            continue;
        }
        let cover = arrays.covers.as_ref().map_or(0.0, |covers| covers[i]);
        let at = |reason: String| tree.source.fault(format!("{}, node {i}", tree.at), reason);
        if !(cover.is_finite() && cover >= 0.0) {
            return Err(at(format!(
                "its cover {cover} is not a finite number of at least 0"
            )));
        }
        let cover = f64::from(cover);
        if arrays.left[i] == -1 {
            let start = values.len();
            match &vectors {
                None => values.push(arrays.conditions[i]),
                Some(Vectors::Nodes(weights)) => {
                    values.extend_from_slice(&weights[i * width..(i + 1) * width]);
                }
                Some(Vectors::Leaves(weights)) => {
                    let leaf = usize::try_from(arrays.right[i]).ok();
                    let vector = leaf.and_then(|leaf| {
                        weights.get(leaf.checked_mul(width)?..(leaf + 1).checked_mul(width)?)
                    });
                    // More leaves than vectors would copy some of them any number of times.
                    let vector = vector.filter(|_| values.len() + width <= weights.len());
                    values.extend_from_slice(vector.ok_or_else(|| {
                        at(format!(
                            "leaf {} of a tree with {} leaf vectors",
                            arrays.right[i],
                            weights.len() / width
                        ))
                    })?);
                }
            }
            nodes.push(Node::Leaf {
                leaf: (start / width) as u32,
                cover,
            });
            continue;
        }
        let test = match arrays.sets.get(i).copied().flatten() {
            Some((begin, end)) => {
                let members = arrays.categories[begin..end].iter().copied();
                Test::Category(sets::of(members, false, words).map_err(at)?)
            }
            None if arrays.conditions[i].is_nan() => {
                return Err(at("its threshold is not a number".to_owned()));
            }
            None => Test::Below(f64::from(arrays.conditions[i])),
        };
        let child = |child: i64| numbers[child as usize].unwrap_or_default();
        nodes.push(Node::Split(Split {
            feature: u32::try_from(arrays.features[i])
                .map_err(|_| at(format!("it splits on feature {}", arrays.features[i])))?,
            test,
            missing: Missing::Nan,
            missing_left: arrays.missing_left[i] != 0,
            left: child(arrays.left[i]),
            right: child(arrays.right[i]),
            cover,
        }));
    }
    let weight = f64::from(frame.weight);
    let output = if width == 1 {
        Output::One(frame.group)
    } else {
        Output::All
    };
    let tree = Tree {
        nodes,
        values: values.into_iter().map(|v| weight * f64::from(v)).collect(),
        output,
        iteration: frame.iteration,
        linear: Vec::new(),
    };
    Ok((tree, arrays.covers.is_some()))
}

impl<'a> Arrays<'a> {
    fn read(tree: &Section<'a>) -> Result<Self> {
        let left = tree.ints("left_children")?;
        let n = left.len();
        if n == 0 {
            return Err(tree.fault("the tree has no nodes"));
        }
        if n > DELETED as usize {
            return Err(tree.fault(format!("the tree has {n} nodes, more than {DELETED}")));
        }
        let stated = tree.section("tree_param")?.count_or("num_nodes", n)?;
        tree.check_length("left_children", n, stated)?;
        let ints = |key| {
            let list = tree.ints(key)?;
            tree.check_length(key, list.len(), n).map(|()| list)
        };
        let floats = |key| {
            let list = tree.floats(key)?;
            tree.check_length(key, list.len(), n).map(|()| list)
        };
        let covers = match tree.find("sum_hessian") {
            Some(_) => Some(floats("sum_hessian")?),
            None => None,
        };
        let mut arrays = Arrays {
            left,
            right: ints("right_children")?,
            features: ints("split_indices")?,
            missing_left: ints("default_left")?,
            conditions: floats("split_conditions")?,
            covers,
            sets: Vec::new(),
            categories: &[],
        };
        // Absent before 1.3.
        if tree.find("split_type").is_some() {
            arrays.read_sets(tree, ints("split_type")?)?;
        }
        Ok(arrays)
    }

    /// Where each categorical split finds its categories. They are listed for categorical splits
    /// alone, as ranges of one list.
    fn read_sets(&mut self, tree: &Section<'a>, kinds: &[i64]) -> Result<()> {
        if kinds.iter().all(|&kind| kind == 0) {
            return Ok(());
        }
        let nodes = tree.ints("categories_nodes")?;
        let begins = tree.ints("categories_segments")?;
        let sizes = tree.ints("categories_sizes")?;
        tree.check_length("categories_segments", begins.len(), nodes.len())?;
        tree.check_length("categories_sizes", sizes.len(), nodes.len())?;
        self.categories = tree.ints("categories")?;
        self.sets = vec![None; kinds.len()];
        for ((&node, &begin), &size) in nodes.iter().zip(begins).zip(sizes) {
            let at = |reason: String| {
                tree.source
                    .fault(format!("{}, node {node}", tree.at), reason)
            };
            let Some(set) = usize::try_from(node)
                .ok()
                .and_then(|node| self.sets.get_mut(node))
            else {
                return Err(at(format!(
                    "it has categories, but the tree has {} nodes",
                    kinds.len()
                )));
            };
            let range = usize::try_from(begin)
                .ok()
                .zip(usize::try_from(size).ok())
                .and_then(|(begin, size)| Some((begin, begin.checked_add(size)?)))
                .filter(|&(_, end)| end <= self.categories.len());
            if range.is_none() {
                return Err(at(format!(
                    "{size} categories from {begin} on in a list of {}",
                    self.categories.len()
                )));
            }
            *set = range;
        }
        for (node, &kind) in kinds.iter().enumerate() {
            let fits = match kind {
                0 => self.sets[node].is_none(),
                1 => self.sets[node].is_some() || self.left[node] == -1,
                _ => false,
            };
            if !fits {
                return Err(tree.source.fault(
                    format!("{}, node {node}", tree.at),
                    format!(
                        "split type {kind} does not fit its categories; 0 has none, 1 has some"
                    ),
                ));
            }
        }
        Ok(())
    }

    /// The number of each node once deleted ones are left out; `None` for those. Fails unless the
    /// others are a tree.
    fn number_reached(&self, tree: &Section) -> Result<Vec<Option<u32>>> {
        let n = self.left.len();
        let at =
            |i: usize, reason: String| tree.source.fault(format!("{}, node {i}", tree.at), reason);
        let mut reached = vec![false; n];
        reached[0] = true;
        let mut stack = vec![0_usize];
        while let Some(i) = stack.pop() {
            if self.left[i] == -1 {
                continue;
            }
            for child in [self.left[i], self.right[i]] {
                match usize::try_from(child).ok().filter(|&child| child < n) {
                    None => return Err(at(i, format!("child {child} of a tree with {n} nodes"))),
                    Some(child) if reached[child] => {
                        return Err(at(
                            i,
                            format!("its child {child} is on a cycle or has two parents"),
                        ));
                    }
                    Some(child) => {
                        reached[child] = true;
                        stack.push(child);
                    }
                }
            }
        }
        let mut next = 0;
        let mut numbers = vec![None; n];
        for (i, reached) in reached.into_iter().enumerate() {
            if reached {
                numbers[i] = Some(next);
                next += 1;
            } else if self.features[i] & DELETED != DELETED {
                return Err(at(i, "it cannot be reached from the root".to_owned()));
            }
        }
        Ok(numbers)
    }
}

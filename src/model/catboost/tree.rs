//! One tree of a CatBoost file: oblivious, with the same split across each level, or
//! non-symmetric, nested.

use serde::Deserialize;

use super::column::Columns;
use super::{Fault, Numbers};
use crate::model::trees::{Node, Output, Tree};

/// A tree, and the number of values in each of its leaves.
type Sized = (usize, Tree);

#[derive(Deserialize)]
pub(super) struct SplitInfo {
    split_type: String,
    border: Option<f64>,
    float_feature_index: Option<u32>,
    cat_feature_index: Option<u32>,
    value: Option<i64>,
}

impl SplitInfo {
    /// The float feature and the border of a numerical split.
    pub(super) fn float(&self) -> Result<(u32, f64), Fault> {
        match (
            self.split_type.as_str(),
            self.float_feature_index,
            self.border,
        ) {
            ("FloatFeature", Some(feature), Some(border)) => Ok((feature, border)),
            ("FloatFeature", ..) => Err(Fault::Damage(
                String::new(),
                "its split has no float_feature_index or no border; the file is damaged".to_owned(),
            )),
            ("OnlineCtr", ..) => Err(Fault::Refusal(
                "a split on category statistics (OnlineCtr, CTR)".to_owned(),
                "train with one_hot_max_size above the number of categories, or encode the \
                 categories as numbers before training",
            )),
            (other, ..) => Err(Fault::Refusal(
                format!("a split of type {other:?}"),
                "train on numerical features and on one-hot categories only",
            )),
        }
    }

    /// The categorical feature and the hash of a one-hot split; `None` for all others.
    pub(super) fn one_hot(&self) -> Result<Option<(u32, i64)>, Fault> {
        if self.split_type != "OneHotFeature" {
            return Ok(None);
        }
        match (self.cat_feature_index, self.value) {
            (Some(feature), Some(value)) => Ok(Some((feature, value))),
            _ => Err(Fault::Damage(
                "a one-hot split".to_owned(),
                "it has no cat_feature_index or no value; the file is damaged".to_owned(),
            )),
        }
    }
}

/// The place of a fault that names none.
fn at(place: impl Fn() -> String) -> impl Fn(Fault) -> Fault {
    move |fault| match fault {
        Fault::Damage(at, reason) if at.is_empty() => Fault::Damage(place(), reason),
        other => other,
    }
}

#[derive(Deserialize)]
pub(super) struct Oblivious {
    /// Bit d of a leaf's index is the outcome of split d.
    splits: Option<Vec<SplitInfo>>,
    /// By leaf, then by output.
    leaf_values: Vec<f64>,
    leaf_weights: Option<Vec<f64>>,
}

impl Oblivious {
    pub(super) fn splits(&self) -> impl Iterator<Item = &SplitInfo> {
        self.splits.iter().flatten()
    }

    /// The tree as a complete binary one, level by level from the last split, so that the leaves
    /// come in their own order; and whether the file holds its covers.
    pub(super) fn read(&self, t: usize, columns: &Columns) -> Result<(Sized, bool), Fault> {
        let damage = |reason: String| Fault::Damage(format!("tree {t}"), reason);
        let depth = self.splits().count();
        let leaves = u32::try_from(depth)
            .ok()
            .and_then(|depth| 1_usize.checked_shl(depth))
            .filter(|&leaves| leaves <= self.leaf_values.len())
            .filter(|leaves| self.leaf_values.len().is_multiple_of(*leaves));
        let Some(leaves) = leaves else {
            return Err(damage(format!(
                "{} leaf values for {depth} splits; expected a multiple of 2 to that power",
                self.leaf_values.len()
            )));
        };
        let weights = self.leaf_weights.as_deref().unwrap_or_default();
        let counted = !weights.is_empty();
        if counted && weights.len() != leaves {
            return Err(damage(format!(
                "{} leaf weights for {leaves} leaves; the file is damaged",
                weights.len()
            )));
        }
        let levels = (self.splits().enumerate())
            .map(|(d, split)| {
                let place = || format!("tree {t}, split {d}");
                columns.split(split).map_err(at(place))
            })
            .collect::<Result<Vec<_>, _>>()?;
        let mut nodes = Vec::with_capacity(2 * leaves - 1);
        for (level, split) in levels.iter().rev().enumerate() {
            for n in 0..1_usize << level {
                let left = 2 * ((1 << level) - 1 + n) + 1;
                let mut split = split.clone();
                split.left = left as u32;
                split.right = left as u32 + 1;
                nodes.push(Node::Split(split));
            }
        }
        nodes.extend((0..leaves).map(|leaf| Node::Leaf {
            leaf: leaf as u32,
            cover: weights.get(leaf).copied().unwrap_or(0.0),
        }));
        cover(&mut nodes);
        let tree = Tree {
            nodes,
            values: self.leaf_values.clone(),
            output: Output::One(0),
            iteration: t as u32,
            linear: Vec::new(),
        };
        Ok(((self.leaf_values.len() / leaves, tree), counted))
    }
}

/// A node of a non-symmetric tree: a split with two children, or a leaf with a value. How deep
/// they nest is limited by the JSON reader.
#[derive(Deserialize)]
pub(super) struct Branch {
    split: Option<SplitInfo>,
    left: Option<Box<Branch>>,
    right: Option<Box<Branch>>,
    value: Option<Numbers>,
    weight: Option<f64>,
}

impl Branch {
    pub(super) fn splits(&self) -> impl Iterator<Item = &SplitInfo> {
        let mut stack = vec![self];
        std::iter::from_fn(move || {
            let branch = stack.pop()?;
            stack.extend(branch.right.as_deref());
            stack.extend(branch.left.as_deref());
            Some(branch)
        })
        .filter_map(|branch| branch.split.as_ref())
    }

    /// The tree, parents before children and left before right; and whether the file holds its
    /// covers.
    pub(super) fn read(&self, t: usize, columns: &Columns) -> Result<(Sized, bool), Fault> {
        let mut nodes: Vec<Node> = Vec::new();
        let mut values: Vec<f64> = Vec::new();
        let mut width = None;
        let mut leaves = 0_u32;
        let mut counted = true;
        // A branch, and the split whose right child it is.
        let mut stack: Vec<(&Self, Option<usize>)> = vec![(self, None)];
        while let Some((branch, parent)) = stack.pop() {
            let n = nodes.len();
            let damage =
                |reason: &str| Fault::Damage(format!("tree {t}, node {n}"), reason.to_owned());
            if let Some(parent) = parent
                && let Node::Split(split) = &mut nodes[parent]
            {
                split.right = n as u32;
            }
            match (&branch.split, &branch.left, &branch.right, &branch.value) {
                (Some(split), Some(left), Some(right), None) => {
                    let place = || format!("tree {t}, node {n}");
                    let mut split = columns.split(split).map_err(at(place))?;
                    split.left = n as u32 + 1;
                    nodes.push(Node::Split(split));
                    stack.push((right, Some(n)));
                    stack.push((left, None));
                }
                (None, None, None, Some(value)) => {
                    let value = value.as_slice();
                    if value.is_empty() || *width.get_or_insert(value.len()) != value.len() {
                        return Err(damage("its leaves do not all hold as many numbers"));
                    }
                    values.extend_from_slice(value);
                    counted &= branch.weight.is_some();
                    nodes.push(Node::Leaf {
                        leaf: leaves,
                        cover: branch.weight.unwrap_or(0.0),
                    });
                    leaves += 1;
                }
                _ => {
                    return Err(damage(
                        "expected a split with left and right, or a value; the file is damaged",
                    ));
                }
            }
        }
        cover(&mut nodes);
        let tree = Tree {
            nodes,
            values,
            output: Output::One(0),
            iteration: t as u32,
            linear: Vec::new(),
        };
        Ok(((width.unwrap_or(1), tree), counted))
    }
}

/// Sets the cover of every split to the sum of its children's, which come after it.
fn cover(nodes: &mut [Node]) {
    for n in (0..nodes.len()).rev() {
        let Node::Split(split) = &nodes[n] else {
            continue;
        };
        let sum = [split.left, split.right]
            .iter()
            .map(|&child| nodes[child as usize].cover())
            .sum();
        if let Node::Split(split) = &mut nodes[n] {
            split.cover = sum;
        }
    }
}

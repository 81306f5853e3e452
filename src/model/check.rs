//! What must hold of [`Trees`] before any kernel sees them. Every loader ends here, so a hostile
//! file can describe anything and still reach no kernel.

use std::path::Path;

use super::trees::{Node, Output, Test, Tree, Trees};
use crate::error::{Error, Result};

/// Category sets beyond this many bits are refused: float32 cells hold integers exactly to 2^24.
pub(crate) const MAX_CATEGORIES: usize = 1 << 24;

impl Trees {
    /// Checks the structure: indexes in range, each tree a tree, numbers finite, covers ≥ 0.
    ///
    /// # Errors
    /// [`Error::Model`] that names the tree, the node and what is wrong with it.
    pub fn check(&self, path: &Path) -> Result<()> {
        let fail = |at: String, reason: String| {
            Err(Error::Model {
                path: path.to_owned(),
                format: self.format,
                at,
                reason,
            })
        };
        if self.outputs.is_empty() || self.base.len() != self.outputs.len() {
            return fail(
                "the outputs".to_owned(),
                format!(
                    "{} output names and {} base margins; expected the same number, at least one",
                    self.outputs.len(),
                    self.base.len()
                ),
            );
        }
        if let Some(k) = self.base.iter().position(|base| !base.is_finite()) {
            return fail(
                format!("the base margin of output {k}"),
                format!("{} is not a finite number", self.base[k]),
            );
        }
        for (t, tree) in self.trees.iter().enumerate() {
            if let Err((node, reason)) = self.check_tree(tree) {
                return fail(format!("tree {t}, node {node}"), reason);
            }
        }
        Ok(())
    }

    /// The first fault of a tree: the node where it is, and what it is.
    fn check_tree(&self, tree: &Tree) -> Result<(), (usize, String)> {
        let width = match tree.output {
            Output::One(k) if (k as usize) < self.outputs.len() => 1,
            Output::One(k) => {
                return Err((
                    0,
                    format!("output {k} of a model with {} outputs", self.outputs.len()),
                ));
            }
            Output::All => self.outputs.len(),
        };
        if tree.nodes.is_empty() {
            return Err((0, "the tree has no nodes".to_owned()));
        }
        let leaves = tree.values.len() / width;
        self.check_linear(tree, leaves)?;
        let mut parents = vec![0_u32; tree.nodes.len()];
        for (n, node) in tree.nodes.iter().enumerate() {
            let cover = match node {
                Node::Leaf { leaf, cover } => {
                    let leaf = *leaf as usize;
                    if leaf >= leaves {
                        return Err((n, format!("leaf {leaf} of a tree with {leaves} leaves")));
                    }
                    let values = &tree.values[leaf * width..(leaf + 1) * width];
                    if let Some(value) = values.iter().find(|value| !value.is_finite()) {
                        return Err((n, format!("its leaf value {value} is not a finite number")));
                    }
                    *cover
                }
                Node::Split(split) => {
                    if split.feature as usize >= self.features.len() {
                        return Err((
                            n,
                            format!(
                                "it splits on feature {}, but the model has {} features",
                                split.feature,
                                self.features.len()
                            ),
                        ));
                    }
                    check_test(&split.test).map_err(|reason| (n, reason))?;
                    for child in [split.left, split.right] {
                        match parents.get_mut(child as usize) {
                            Some(parents) if child != 0 => *parents += 1,
                            Some(_) => return Err((n, "its child is the root".to_owned())),
                            None => {
                                return Err((
                                    n,
                                    format!(
                                        "child {child} of a tree with {} nodes",
                                        tree.nodes.len()
                                    ),
                                ));
                            }
                        }
                    }
                    split.cover
                }
            };
            if !(cover.is_finite() && cover >= 0.0) {
                return Err((
                    n,
                    format!("its cover {cover} is not a finite number of at least 0"),
                ));
            }
        }
        if let Some(n) = (1..parents.len()).find(|&n| parents[n] != 1) {
            return Err((
                n,
                format!("it is the child of {} nodes, expected 1", parents[n]),
            ));
        }
        // One parent each does not exclude a cycle apart from the root.
        let mut reached = 0_usize;
        let mut stack = vec![0_u32];
        while let Some(n) = stack.pop() {
            reached += 1;
            if let Node::Split(split) = &tree.nodes[n as usize] {
                stack.extend([split.left, split.right]);
            }
        }
        if reached != tree.nodes.len() {
            return Err((
                0,
                format!(
                    "only {reached} of {} nodes can be reached from the root",
                    tree.nodes.len()
                ),
            ));
        }
        Ok(())
    }
}

impl Trees {
    /// The first fault of the linear leaves of a tree.
    fn check_linear(&self, tree: &Tree, leaves: usize) -> Result<(), (usize, String)> {
        let fits = matches!(tree.output, Output::One(_)) && tree.linear.len() == leaves;
        if !tree.linear.is_empty() && !fits {
            return Err((
                0,
                format!("{} linear leaves of {leaves}", tree.linear.len()),
            ));
        }
        for (leaf, linear) in tree.linear.iter().enumerate() {
            let reason = if !linear.constant.is_finite() {
                format!("its constant {} is not a finite number", linear.constant)
            } else if let Some((feature, _)) =
                (linear.terms.iter()).find(|(feature, _)| *feature as usize >= self.features.len())
            {
                format!(
                    "it is linear in feature {feature}, but the model has {} features",
                    self.features.len()
                )
            } else if let Some((_, weight)) =
                (linear.terms.iter()).find(|(_, weight)| !weight.is_finite())
            {
                format!("its coefficient {weight} is not a finite number")
            } else {
                continue;
            };
            let is_its =
                |node: &Node| matches!(node, Node::Leaf { leaf: of, .. } if *of as usize == leaf);
            return Err((tree.nodes.iter().position(is_its).unwrap_or(0), reason));
        }
        Ok(())
    }
}

fn check_test(test: &Test) -> Result<(), String> {
    match test {
        Test::Below(threshold) if threshold.is_nan() => {
            Err("its threshold is not a number".to_owned())
        }
        Test::Category(set) if set.words.len() * 32 > MAX_CATEGORIES => Err(format!(
            "its category set has {} bits, more than {MAX_CATEGORIES}",
            set.words.len() * 32
        )),
        Test::OneOf(values) if values.iter().any(|value| value.is_nan()) => {
            Err("it tests for equality with NaN".to_owned())
        }
        _ => Ok(()),
    }
}

//! `TreeEnsemble` of ai.onnx.ml 5: inner nodes and leaves in lists of their own, children by index.

use super::decision::{Mode, Reading};
use super::message::NodeMessage;
use super::{
    DENSE, DENSE_PER_WEIGHT, Ensemble, Fault, File, divisor, flag, hit_rate, not_additive,
    output_count, output_names, same_length, typed,
};
use crate::error::Result;
use crate::model::trees::{Node, Output, Tree};

struct Lists<'a> {
    modes: Vec<f64>,
    splits: Vec<f64>,
    feature_ids: &'a [i64],
    tracks: &'a [i64],
    hit_rates: Vec<f64>,
    /// Children: index and whether it counts leaves.
    yes: (&'a [i64], &'a [i64]),
    no: (&'a [i64], &'a [i64]),
    /// Range of each node's members in `members`.
    sets: Vec<std::ops::Range<usize>>,
    members: Vec<f64>,
    leaf_targets: &'a [i64],
    leaf_weights: Vec<f64>,
}

/// A node to be placed: its index, whether that counts leaves, and the parent that waits for it.
struct Pending {
    index: i64,
    leaf: bool,
    parent: Option<(usize, bool)>,
}

/// Reads an ensemble of opset 5.
///
/// # Errors
/// [`crate::Error::Model`] or [`crate::Error::Unsupported`], naming node, tree and reason.
pub(super) fn read(file: File<'_>, node: &NodeMessage, reading: Reading) -> Result<Ensemble> {
    let title = node.title();
    let here = |fault| file.fault(&title, fault);
    let lists = lists(node, reading).map_err(here)?;
    let (average, transform) = functions(node).map_err(here)?;
    let width = output_count("n_targets", node.int("n_targets").unwrap_or(0)).map_err(here)?;

    let roots = node.ints("tree_roots");
    let scale = divisor(average, roots.len());
    let allowed = DENSE.max(lists.leaf_weights.len().saturating_mul(DENSE_PER_WEIGHT));
    let mut builder = Builder {
        lists: &lists,
        reading,
        placed: vec![false; lists.feature_ids.len()],
        set_words: 0,
        features: 0,
    };
    let mut dense = 0_usize;
    let mut trees = Vec::with_capacity(roots.len());
    for (t, &root) in roots.iter().enumerate() {
        let (nodes, leaves) = builder
            .tree(root)
            .map_err(|(at, fault)| file.fault(format!("{title}, tree {t}, {at}"), fault))?;
        let mut targets = Vec::with_capacity(leaves.len());
        for &leaf in &leaves {
            let target = lists.leaf_targets[leaf];
            match usize::try_from(target) {
                Ok(target) if target < width => targets.push(target),
                _ => {
                    return Err(file.bad(
                        format!("{title}, tree {t}, leaf {leaf}"),
                        format!("its target {target} is not one of 0 to {}", width - 1),
                    ));
                }
            }
        }
        let one = targets.iter().all(|&target| target == targets[0]);
        let stride = if one { 1 } else { width };
        dense = dense.saturating_add(leaves.len() * stride);
        if dense > allowed {
            return Err(file.unsupported(
                &format!("a sparse ensemble of {width} outputs at {title}"),
                "its leaves name few of the outputs; train or export one model per output",
            ));
        }
        let mut values = vec![0.0; leaves.len() * stride];
        for (row, (&leaf, &target)) in leaves.iter().zip(&targets).enumerate() {
            let column = if one { 0 } else { target };
            values[row * stride + column] = lists.leaf_weights[leaf] / scale;
        }
        let first = targets.first().copied().unwrap_or(0) as u32;
        trees.push(Tree {
            nodes,
            values,
            output: if one { Output::One(first) } else { Output::All },
            iteration: 0,
            linear: Vec::new(),
        });
    }
    let features = builder.features;
    // Leaves have no hit rates, so there is no cover for them.
    trees.iter_mut().for_each(Tree::clear_covers);
    let no_splits = trees.iter().all(|tree| tree.nodes.len() == 1);
    Ok(Ensemble {
        trees,
        base: vec![0.0; width],
        outputs: output_names(width),
        features,
        has_cover: no_splits,
        averaged: average,
        raw: transform.is_empty(),
        transform,
    })
}

fn lists(node: &NodeMessage, reading: Reading) -> Result<Lists<'_>, Fault> {
    let tensor = |name: &str| match node.tensor(name) {
        Some(tensor) => typed(tensor, name, reading.compare),
        None => Ok(Vec::new()),
    };
    let modes = match node.tensor("nodes_modes") {
        Some(tensor) => tensor
            .numbers()
            .map_err(|reason| Fault::Bad(format!("nodes_modes: {reason}")))?,
        None => Vec::new(),
    };
    let (sets, members) = sets(&modes, tensor("membership_values")?)?;
    let lists = Lists {
        modes,
        splits: tensor("nodes_splits")?,
        feature_ids: node.ints("nodes_featureids"),
        tracks: node.ints("nodes_missing_value_tracks_true"),
        hit_rates: tensor("nodes_hitrates")?,
        yes: (node.ints("nodes_truenodeids"), node.ints("nodes_trueleafs")),
        no: (
            node.ints("nodes_falsenodeids"),
            node.ints("nodes_falseleafs"),
        ),
        sets,
        members,
        leaf_targets: node.ints("leaf_targetids"),
        leaf_weights: tensor("leaf_weights")?,
    };
    let count = lists.feature_ids.len();
    for (name, length, optional) in [
        ("nodes_modes", lists.modes.len(), false),
        ("nodes_splits", lists.splits.len(), false),
        ("nodes_truenodeids", lists.yes.0.len(), false),
        ("nodes_trueleafs", lists.yes.1.len(), false),
        ("nodes_falsenodeids", lists.no.0.len(), false),
        ("nodes_falseleafs", lists.no.1.len(), false),
        ("nodes_missing_value_tracks_true", lists.tracks.len(), true),
        ("nodes_hitrates", lists.hit_rates.len(), true),
    ] {
        if !(optional && length == 0) {
            same_length(name, length, "nodes_featureids", count)?;
        }
    }
    same_length(
        "leaf_weights",
        lists.leaf_weights.len(),
        "leaf_targetids",
        lists.leaf_targets.len(),
    )?;
    let most = count.saturating_mul(3).max(lists.leaf_weights.len());
    if u32::try_from(most).is_err() {
        return Err(Fault::bad("it has more nodes than 32 bits can number"));
    }
    Ok(lists)
}

/// The sets of the member nodes, in their order: runs of `members` that NaN separates.
fn sets(
    modes: &[f64],
    members: Vec<f64>,
) -> Result<(Vec<std::ops::Range<usize>>, Vec<f64>), Fault> {
    let mut next = 0;
    let mut sets = Vec::with_capacity(modes.len());
    for (n, &mode) in modes.iter().enumerate() {
        if Mode::numbered(mode) != Some(Mode::Member) {
            sets.push(0..0);
            continue;
        }
        if next >= members.len() {
            return Err(Fault::Bad(format!(
                "membership_values has no set left for the member node {n}"
            )));
        }
        let rest = &members[next..];
        let length = rest.iter().position(|m| m.is_nan()).unwrap_or(rest.len());
        sets.push(next..next + length);
        next += length + 1;
    }
    Ok((sets, members))
}

fn functions(node: &NodeMessage) -> Result<(bool, String), Fault> {
    let average = match node.int("aggregate_function").unwrap_or(1) {
        0 => true,
        1 => false,
        2 => return Err(not_additive("MIN")),
        3 => return Err(not_additive("MAX")),
        other => {
            return Err(Fault::Bad(format!(
                "its aggregate_function {other} is not one of 0 to 3"
            )));
        }
    };
    let transform = match node.int("post_transform").unwrap_or(0) {
        0 => "",
        1 => "SOFTMAX",
        2 => "LOGISTIC",
        3 => "SOFTMAX_ZERO",
        4 => "PROBIT",
        other => {
            return Err(Fault::Bad(format!(
                "its post_transform {other} is not one of 0 to 4"
            )));
        }
    };
    Ok((average, transform.to_owned()))
}

struct Builder<'a> {
    lists: &'a Lists<'a>,
    reading: Reading,
    /// Which inner nodes already have a parent or are roots.
    placed: Vec<bool>,
    set_words: usize,
    features: usize,
}

impl Builder<'_> {
    /// The nodes of the tree below `root`, and the indexes of its leaves, ascending: the rank of a
    /// leaf among them is its number in the tree. A leaf may be reached from several nodes.
    fn tree(&mut self, root: i64) -> Result<(Vec<Node>, Vec<usize>), (String, Fault)> {
        let mut nodes: Vec<Node> = Vec::new();
        let mut leaves = Vec::new();
        let mut stack = vec![Pending {
            index: root,
            leaf: false,
            parent: None,
        }];
        while let Some(pending) = stack.pop() {
            let here = nodes.len() as u32;
            if let Some((parent, left)) = pending.parent
                && let Some(Node::Split(split)) = nodes.get_mut(parent)
            {
                *if left {
                    &mut split.left
                } else {
                    &mut split.right
                } = here;
            }
            let kind = if pending.leaf { "leaf" } else { "node" };
            let count = if pending.leaf {
                self.lists.leaf_weights.len()
            } else {
                self.lists.feature_ids.len()
            };
            let Some(index) = usize::try_from(pending.index).ok().filter(|&i| i < count) else {
                let reason = format!("no such {kind}; the file has {count}");
                return Err((format!("{kind} {}", pending.index), Fault::Bad(reason)));
            };
            if pending.leaf {
                leaves.push(index);
                nodes.push(Node::Leaf {
                    leaf: index as u32,
                    cover: 0.0,
                });
                continue;
            }
            let at = |fault| (format!("node {index}"), fault);
            if std::mem::replace(&mut self.placed[index], true) {
                let reason = "it has two parents, or is a root with a parent; expected a tree";
                return Err(at(Fault::bad(reason)));
            }
            let lists = self.lists;
            let yes = (lists.yes.0[index], lists.yes.1[index] != 0);
            let no = (lists.no.0[index], lists.no.1[index] != 0);
            if pending.parent.is_none() && yes == no && yes.1 {
                // A tree that is one leaf is written as a node both of whose branches are it.
                stack.push(Pending {
                    index: yes.0,
                    leaf: true,
                    parent: None,
                });
                continue;
            }
            let Some(mode) = Mode::numbered(lists.modes[index]) else {
                let reason = format!("its mode {} is not one of 0 to 6", lists.modes[index]);
                return Err(at(Fault::Bad(reason)));
            };
            let values = match mode {
                Mode::Member => &lists.members[lists.sets[index].clone()],
                _ => &lists.splits[index..=index],
            };
            let tracks = flag(lists.tracks, index);
            let decision = self
                .reading
                .decide(mode, values, tracks, &mut self.set_words);
            let decision = decision.map_err(at)?;
            let rate = hit_rate(&lists.hit_rates, index).map_err(at)?;
            let true_left = decision.true_left;
            let split = decision
                .split(lists.feature_ids[index], 0, 0, rate)
                .map_err(at)?;
            self.features = self.features.max(split.feature as usize + 1);
            nodes.push(Node::Split(split));
            // The true branch is placed first, so it is pushed last.
            for ((index, leaf), left) in [(no, !true_left), (yes, true_left)] {
                stack.push(Pending {
                    index,
                    leaf,
                    parent: Some((here as usize, left)),
                });
            }
        }
        leaves.sort_unstable();
        leaves.dedup();
        for node in &mut nodes {
            if let Node::Leaf { leaf, .. } = node {
                *leaf = leaves.partition_point(|&l| l < *leaf as usize) as u32;
            }
        }
        Ok((nodes, leaves))
    }
}

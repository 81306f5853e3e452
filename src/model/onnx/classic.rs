//! `TreeEnsembleRegressor` and `TreeEnsembleClassifier` of ai.onnx.ml 1–3: parallel lists with one
//! entry per node, and lists with one entry per (leaf, target) weight.

use super::decision::{Mode, Reading};
use super::message::NodeMessage;
use super::place::{Places, Run};
use super::target::{classes, regression, weights};
use super::{
    DENSE, DENSE_PER_WEIGHT, Ensemble, Fault, File, covers_add_up, divisor, flag, hit_rate,
    numbers, same_length,
};
use crate::error::Result;
use crate::model::trees::{Node, Output, Tree};

/// A node's mode and feature, and its children as positions in its tree; no mode for a leaf.
struct Link {
    mode: Option<Mode>,
    feature: i64,
    yes: usize,
    no: usize,
}

struct Lists<'a> {
    modes: &'a [Vec<u8>],
    node_ids: &'a [i64],
    tree_ids: &'a [i64],
    feature_ids: &'a [i64],
    true_ids: &'a [i64],
    false_ids: &'a [i64],
    tracks: &'a [i64],
    thresholds: Vec<f64>,
    hit_rates: Vec<f64>,
}

/// Reads an ensemble of opset 1–3.
///
/// # Errors
/// [`crate::Error::Model`] or [`crate::Error::Unsupported`], naming node, tree and reason.
pub(super) fn read(file: File<'_>, node: &NodeMessage, reading: Reading) -> Result<Ensemble> {
    let title = node.title();
    let here = |fault| file.fault(&title, fault);
    let classifier = node.op_type == "TreeEnsembleClassifier";
    let lists = lists(node, reading).map_err(here)?;
    let (average, transform) = functions(node).map_err(here)?;

    let prefix = if classifier { "class" } else { "target" };
    let ids = node.ints(&format!("{prefix}_ids"));
    let targets = if classifier {
        classes(node, reading, ids).map_err(here)?
    } else {
        regression(node, reading).map_err(here)?
    };
    let places = Places::new(lists.tree_ids, lists.node_ids).map_err(here)?;
    let weights = weights(node, reading, prefix, &targets, &places).map_err(here)?;

    let runs = &places.runs;
    let width = targets.outputs.len();
    let scale = divisor(average, runs.len());
    let allowed = DENSE.max(weights.len().saturating_mul(DENSE_PER_WEIGHT));
    let mut dense = 0_usize;
    let mut set_words = 0;
    let mut features = 0_usize;
    let mut trees = Vec::with_capacity(runs.len());
    let mut weights = weights.as_slice();
    for (t, run) in runs.iter().enumerate() {
        let own = weights.partition_point(|w| w.tree == t);
        let (mine, rest) = weights.split_at(own);
        weights = rest;

        let title = title.as_str();
        let place = |n: usize| format!("{title}, tree {}, node {}", run.id, lists.node_ids[n]);
        let at = |n: usize| move |fault| file.fault(place(n), fault);
        let mut links = Vec::with_capacity(run.end - run.start);
        for n in run.start..run.end {
            links.push(link(&lists, run, n).map_err(at(n))?);
        }
        let joined = joined(&links);
        let mut index = Vec::with_capacity(links.len());
        let mut kept = 0_u32;
        for &joined in &joined {
            index.push(kept);
            kept += u32::from(!joined);
        }
        let mut nodes = Vec::with_capacity(kept as usize);
        let mut leaf_of = vec![u32::MAX; links.len()];
        let mut leaves = 0_u32;
        for (local, link) in links
            .iter()
            .enumerate()
            .filter(|&(local, _)| !joined[local])
        {
            let n = run.start + local;
            let cover = hit_rate(&lists.hit_rates, n).map_err(at(n))?;
            let Some(mode) = link.mode else {
                leaf_of[local] = leaves;
                leaves += 1;
                nodes.push(Node::Leaf {
                    leaf: leaves - 1,
                    cover,
                });
                continue;
            };
            let mut values = vec![lists.thresholds[n]];
            let mut tracks = flag(lists.tracks, n);
            let mut no = link.no;
            while mode == Mode::Eq && joined[no] {
                values.push(lists.thresholds[run.start + no]);
                tracks |= flag(lists.tracks, run.start + no);
                no = links[no].no;
            }
            let split = reading
                .decide(mode, &values, tracks, &mut set_words)
                .and_then(|d| d.split(link.feature, index[link.yes], index[no], cover))
                .map_err(at(n))?;
            features = features.max(split.feature as usize + 1);
            nodes.push(Node::Split(split));
        }

        let output = match mine.first() {
            _ if width == 1 => Output::One(0),
            None => Output::One(0),
            Some(first) if mine.iter().all(|w| w.output == first.output) => {
                Output::One(first.output as u32)
            }
            Some(_) => Output::All,
        };
        let stride = if output == Output::All { width } else { 1 };
        dense = dense.saturating_add(leaves as usize * stride);
        if dense > allowed {
            return Err(file.unsupported(
                &format!("a sparse ensemble of {width} outputs at {title}"),
                "its leaves name few of the outputs; train or export one model per output",
            ));
        }
        let mut values = vec![0.0; leaves as usize * stride];
        for weight in mine {
            // Weights of inner nodes, which old converters wrote, are not part of any sum.
            let leaf = leaf_of[weight.node - run.start];
            if leaf != u32::MAX {
                let column = if stride == 1 { 0 } else { weight.output };
                values[leaf as usize * stride + column] += weight.value / scale;
            }
        }
        trees.push(Tree {
            nodes,
            values,
            output,
            iteration: 0,
            linear: Vec::new(),
        });
    }

    let has_cover = !lists.hit_rates.is_empty() && trees.iter().all(|t| covers_add_up(&t.nodes));
    let no_splits = trees.iter().all(|t| t.nodes.len() == 1);
    if !has_cover {
        trees.iter_mut().for_each(Tree::clear_covers);
    }
    Ok(Ensemble {
        trees,
        base: targets.base,
        outputs: targets.outputs,
        features,
        has_cover: has_cover || no_splits,
        averaged: average,
        raw: transform.is_empty() && !(classifier && targets.single),
        transform,
    })
}

fn lists(node: &NodeMessage, reading: Reading) -> Result<Lists<'_>, Fault> {
    let lists = Lists {
        modes: node.strings("nodes_modes"),
        node_ids: node.ints("nodes_nodeids"),
        tree_ids: node.ints("nodes_treeids"),
        feature_ids: node.ints("nodes_featureids"),
        true_ids: node.ints("nodes_truenodeids"),
        false_ids: node.ints("nodes_falsenodeids"),
        tracks: node.ints("nodes_missing_value_tracks_true"),
        thresholds: numbers(node, "nodes_values", reading.compare)?,
        hit_rates: numbers(node, "nodes_hitrates", reading.compare)?,
    };
    let count = lists.node_ids.len();
    for (name, length, optional) in [
        ("nodes_treeids", lists.tree_ids.len(), false),
        ("nodes_featureids", lists.feature_ids.len(), false),
        ("nodes_modes", lists.modes.len(), false),
        ("nodes_values", lists.thresholds.len(), false),
        ("nodes_truenodeids", lists.true_ids.len(), false),
        ("nodes_falsenodeids", lists.false_ids.len(), false),
        ("nodes_missing_value_tracks_true", lists.tracks.len(), true),
        ("nodes_hitrates", lists.hit_rates.len(), true),
    ] {
        if !(optional && length == 0) {
            same_length(name, length, "nodes_nodeids", count)?;
        }
    }
    if u32::try_from(count).is_err() {
        return Err(Fault::bad("it has more nodes than 32 bits can number"));
    }
    Ok(lists)
}

/// The links of the node at position `n` of the lists.
fn link(lists: &Lists<'_>, run: &Run, n: usize) -> Result<Link, Fault> {
    let name = lists.modes[n].as_slice();
    if name == b"LEAF" {
        return Ok(Link {
            mode: None,
            feature: 0,
            yes: 0,
            no: 0,
        });
    }
    let Some(mode) = Mode::named(name) else {
        return Err(Fault::Bad(format!(
            "its mode \"{}\" is not one of BRANCH_LEQ, BRANCH_LT, BRANCH_GTE, BRANCH_GT, \
             BRANCH_EQ, BRANCH_NEQ, LEAF",
            String::from_utf8_lossy(name)
        )));
    };
    let child = |branch: &str, id: i64| {
        run.position(id)
            .ok_or_else(|| Fault::Bad(format!("its {branch} child {id} is no node of the tree")))
    };
    Ok(Link {
        mode: Some(mode),
        feature: lists.feature_ids[n],
        yes: child("true", lists.true_ids[n])?,
        no: child("false", lists.false_ids[n])?,
    })
}

/// Which nodes of a tree are part of the test of the node before them. Converters write a set of
/// categories as a chain of `BRANCH_EQ` nodes that share their true child, so that the file's tree
/// is no tree; joined to one node, it is, and the chain counts as the one split that it was.
fn joined(links: &[Link]) -> Vec<bool> {
    let mut parents = vec![0_u32; links.len()];
    for link in links.iter().filter(|link| link.mode.is_some()) {
        parents[link.yes] += 1;
        parents[link.no] += 1;
    }
    let mut joined = vec![false; links.len()];
    for link in links.iter().filter(|link| link.mode == Some(Mode::Eq)) {
        let next = &links[link.no];
        let same = (next.mode, next.feature, next.yes) == (link.mode, link.feature, link.yes);
        joined[link.no] = same && link.no != 0 && parents[link.no] == 1;
    }
    joined
}

fn functions(node: &NodeMessage) -> Result<(bool, String), Fault> {
    let average = match node.text("aggregate_function").as_deref() {
        None | Some("SUM") => false,
        Some("AVERAGE") => true,
        Some(other @ ("MIN" | "MAX")) => return Err(super::not_additive(other)),
        Some(other) => {
            return Err(Fault::Bad(format!(
                "its aggregate_function \"{other}\" is not one of SUM, AVERAGE, MIN, MAX"
            )));
        }
    };
    let transform = match node.text("post_transform") {
        None => String::new(),
        Some(name) => match name.as_str() {
            "NONE" => String::new(),
            "LOGISTIC" | "SOFTMAX" | "SOFTMAX_ZERO" | "PROBIT" => name,
            other => {
                return Err(Fault::Bad(format!(
                    "its post_transform \"{other}\" is not one of NONE, LOGISTIC, SOFTMAX, \
                     SOFTMAX_ZERO, PROBIT"
                )));
            }
        },
    };
    Ok((average, transform))
}

//! Outputs of ai.onnx.ml 1–3 ensembles: targets or classes, their base values, and the weights that
//! leaves give them.

use super::decision::Reading;
use super::message::NodeMessage;
use super::place::Places;
use super::{Fault, numbers, output_count, output_names, same_length};

/// A weight: which leaf it belongs to and which output it goes to.
pub(super) struct Weight {
    pub(super) tree: usize,
    pub(super) node: usize,
    pub(super) output: usize,
    pub(super) value: f64,
}

/// Outputs and base margins; what the weights' target numbers mean.
pub(super) struct Targets {
    pub(super) outputs: Vec<String>,
    pub(super) base: Vec<f64>,
    /// Two classes share one score, whichever class id its weights name.
    pub(super) single: bool,
}

pub(super) fn regression(node: &NodeMessage, reading: Reading) -> Result<Targets, Fault> {
    let count = output_count("n_targets", node.int("n_targets").unwrap_or(0))?;
    let mut base = numbers(node, "base_values", reading.compare)?;
    if base.is_empty() {
        base = vec![0.0; count];
    }
    same_length("base_values", base.len(), "the list of targets", count)?;
    Ok(Targets {
        outputs: output_names(count),
        base,
        single: false,
    })
}

/// The classes. Where ONNX Runtime gives two base values, or one beside two scores per row, to
/// classes of its own choice, the standard has no rule for it: those are refused.
pub(super) fn classes(node: &NodeMessage, reading: Reading, ids: &[i64]) -> Result<Targets, Fault> {
    let strings = node.strings("classlabels_strings");
    let labels: Vec<String> = if strings.is_empty() {
        let numbers = node.ints("classlabels_int64s");
        numbers.iter().map(ToString::to_string).collect()
    } else {
        let text = |label: &Vec<u8>| String::from_utf8_lossy(label).into_owned();
        strings.iter().map(text).collect()
    };
    let count = output_count("the number of class labels", labels.len() as i64)?;
    let base = numbers(node, "base_values", reading.compare)?;
    let single = match ids.first() {
        Some(first) if count == 2 => ids.iter().all(|id| id == first),
        _ => false,
    };
    if !single && base.is_empty() {
        return Ok(Targets {
            outputs: labels,
            base: vec![0.0; count],
            single,
        });
    }
    if single {
        let of_first = ids.first() == Some(&0);
        return match base.as_slice() {
            [] => Ok(0.0),
            [base] if of_first => Ok(*base),
            _ => Err(ambiguous(base.len())),
        }
        .map(|base| Targets {
            outputs: labels.into_iter().skip(1).collect(),
            base: vec![base],
            single,
        });
    }
    if count == 2 {
        return Err(ambiguous(base.len()));
    }
    same_length("base_values", base.len(), "the list of class labels", count)?;
    Ok(Targets {
        outputs: labels,
        base,
        single,
    })
}

fn ambiguous(count: usize) -> Fault {
    Fault::Unsupported {
        what: format!("a classifier of two classes with {count} base values and these class_ids"),
        instead: "which score they belong to is not defined; write all class_ids as 0 with one \
                  base value"
            .to_owned(),
    }
}

/// The weights, by tree.
pub(super) fn weights(
    node: &NodeMessage,
    reading: Reading,
    prefix: &str,
    targets: &Targets,
    places: &Places,
) -> Result<Vec<Weight>, Fault> {
    let key = |part: &str| format!("{prefix}_{part}");
    let ids = node.ints(&key("ids"));
    let tree_ids = node.ints(&key("treeids"));
    let node_ids = node.ints(&key("nodeids"));
    let values = numbers(node, &key("weights"), reading.compare)?;
    same_length(&key("treeids"), tree_ids.len(), &key("ids"), ids.len())?;
    same_length(&key("nodeids"), node_ids.len(), &key("ids"), ids.len())?;
    same_length(&key("weights"), values.len(), &key("ids"), ids.len())?;
    let allowed = if targets.single {
        2
    } else {
        targets.outputs.len()
    };
    let mut weights = Vec::with_capacity(ids.len());
    for (w, &id) in ids.iter().enumerate() {
        let output = usize::try_from(id).ok().filter(|&id| id < allowed);
        let Some(output) = output else {
            return Err(Fault::Bad(format!(
                "entry {w} of {} is {id}, expected 0 to {}",
                key("ids"),
                allowed - 1
            )));
        };
        let Some((tree, node)) = places.find(tree_ids[w], node_ids[w]) else {
            return Err(Fault::Bad(format!(
                "entry {w} of {} and {} names node {} of tree {}, which does not exist",
                key("treeids"),
                key("nodeids"),
                node_ids[w],
                tree_ids[w]
            )));
        };
        weights.push(Weight {
            tree,
            node,
            output: if targets.single { 0 } else { output },
            value: values[w],
        });
    }
    weights.sort_by_key(|w| (w.tree, w.node));
    // With one output ONNX Runtime takes a leaf's first weight, with several it adds them up.
    if targets.outputs.len() == 1
        && let Some(pair) = weights.windows(2).find(|pair| pair[0].node == pair[1].node)
    {
        return Err(Fault::Bad(format!(
            "a leaf of tree number {} has two weights for one output",
            pair[0].tree
        )));
    }
    Ok(weights)
}

//! XGBoost models, as JSON (since 1.0) and as UBJSON (since 1.6), from 1.0 to 3.4.
//!
//! What the files mean, and what does not stand in them:
//! - A cell is rounded to float32 before it is compared; it goes left if it is below the threshold.
//!   NaN goes where the split learned to send it.
//! - A category goes right if it is in the split's set. Fractions are cut off; what is negative or
//!   in no set goes left.
//! - `base_score` is a prediction, not a margin: see [`margin`].
//! - A dart tree's leaves count times the tree's weight, in predictions and in values alike.
//! - Labels of categories (since 3.1) that are not ASCII are damaged in files before 3.4.
//! - Leaf ids are node numbers, but the pruner's deleted nodes are left out here.

mod category;
mod document;
mod json;
mod margin;
mod tree;
mod ubjson;

use std::path::Path;

use self::document::{Section, Source, Value};
use super::trees::{Feature, Fraction, Precision, Trees};
use crate::error::{Error, Result};

/// More features than this are refused, unless the file names them one by one, and more outputs than
/// this: both are mere numbers in the file, and explanations are dense.
const MAX_COLUMNS: usize = 1 << 20;
const MAX_OUTPUTS: usize = 1 << 16;

/// Whether a file of these bytes is an XGBoost model: its first key is `learner` or `version`.
pub(super) fn recognises(bytes: &[u8]) -> bool {
    let Some(rest) = bytes.trim_ascii_start().strip_prefix(b"{") else {
        return false;
    };
    let (key, close): (&[u8], &[u8]) = match rest.first() {
        Some(b'L') => (rest.get(9..).unwrap_or_default(), b""),
        Some(b'l') => (rest.get(5..).unwrap_or_default(), b""),
        Some(b'I') => (rest.get(3..).unwrap_or_default(), b""),
        Some(b'i' | b'U') => (rest.get(2..).unwrap_or_default(), b""),
        _ => match rest.trim_ascii_start().strip_prefix(b"\"") {
            Some(key) => (key, b"\""),
            None => return false,
        },
    };
    [&b"learner"[..], b"version"].iter().any(|name| {
        key.strip_prefix(*name)
            .is_some_and(|rest| rest.starts_with(close))
    })
}

/// Reads a model from the bytes of its file.
///
/// # Errors
/// [`Error::Model`] for a damaged file, [`Error::Unsupported`] for a booster without trees and for
/// an objective that the library does not have.
pub(super) fn parse(bytes: &[u8], path: &Path) -> Result<Trees> {
    let bytes = bytes.trim_ascii_start();
    let binary = matches!(bytes.get(1), Some(b'L' | b'l' | b'I' | b'i' | b'U'));
    let (format, document) = if binary {
        ("XGBoost UBJSON", ubjson::parse(bytes))
    } else {
        ("XGBoost JSON", json::parse(bytes))
    };
    let source = Source { path, format };
    let document = document.map_err(|(at, reason)| source.fault(format!("byte {at}"), reason))?;
    let trees = read(&document, source)?;
    trees.check(path)?;
    Ok(trees)
}

fn read(document: &Value, source: Source) -> Result<Trees> {
    let top = Section::new(document, source, "the top".to_owned())?;
    let learner = Section::new(top.get("learner")?, source, "learner".to_owned())?;
    let shape = learner.section("learner_model_param")?;
    let outputs = shape
        .count_or("num_class", 0)?
        .max(shape.count_or("num_target", 1)?)
        .max(1);
    if outputs > MAX_OUTPUTS {
        return Err(shape.fault(format!("{outputs} outputs, more than {MAX_OUTPUTS}")));
    }
    let objective = learner.section("objective")?.text("name")?;
    // Files of the first versions may lack the list of three numbers.
    let version = top
        .find("version")
        .map_or(Ok(&[][..]), |_| top.ints("version"))?;
    let base = base(&shape, objective, version, outputs)?;

    let booster = learner.section("gradient_booster")?;
    let (ensemble, dart) = match booster.text("name")? {
        // Before 3.4 the weights of dart stand beside the trees' model, not in it.
        "dart" if booster.find("gbtree").is_some() => (booster.section("gbtree")?, booster),
        "gbtree" | "dart" => (booster.clone(), booster),
        name => {
            return Err(Error::Unsupported {
                what: format!("{}: the XGBoost booster \"{name}\"", source.path.display()),
                by: "the tree methods".to_owned(),
                instead: "train with booster=gbtree or booster=dart".to_owned(),
            });
        }
    };
    let model = ensemble.section("model")?;
    let count = shape.count("num_feature")?;
    let features = features(&learner, &model, count, version >= &[3, 4])?;
    let weights = match [&model, &dart]
        .iter()
        .find(|s| s.find("weight_drop").is_some())
    {
        Some(section) => Some(section.floats("weight_drop")?),
        None => None,
    };

    let list = model.list("trees")?;
    let groups = model.ints("tree_info")?;
    let settings = model.section("gbtree_model_param")?;
    model.check_length(
        "trees",
        list.len(),
        settings.count_or("num_trees", list.len())?,
    )?;
    model.check_length("tree_info", groups.len(), list.len())?;
    if let Some(weights) = &weights {
        model.check_length("weight_drop", weights.len(), list.len())?;
    }
    let rounds = rounds(&model, groups)?;

    let mut words = 0;
    let mut has_cover = true;
    let mut trees = Vec::with_capacity(list.len());
    for (t, tree) in list.iter().enumerate() {
        let tree = Section::new(tree, source, format!("tree {t}"))?;
        let frame = tree::Frame {
            outputs,
            group: u32::try_from(groups[t])
                .map_err(|_| tree.fault(format!("it belongs to output {}", groups[t])))?,
            iteration: rounds.of_tree[t],
            weight: weights.as_ref().map_or(1.0, |weights| weights[t]),
        };
        if tree.count_or("id", t)? != t {
            return Err(tree.fault(format!(
                "its \"id\" is {}; trees should be in the order of their ids",
                tree.count("id")?
            )));
        }
        let (tree, covered) = tree::read(&tree, &frame, &mut words)?;
        has_cover &= covered;
        trees.push(tree);
    }
    Ok(Trees {
        format: source.format,
        objective: objective.to_owned(),
        features,
        outputs: (0..outputs).map(|k| format!("output {k}")).collect(),
        base,
        precision: Precision::F32,
        fraction: Fraction::Floor,
        trees,
        averaged: false,
        best_iteration: best_iteration(&learner, &rounds)?,
        has_cover,
    })
}

/// The margin of each output before any tree.
fn base(shape: &Section, objective: &str, version: &[i64], outputs: usize) -> Result<Vec<f64>> {
    let text = shape.text("base_score")?;
    let scores = margin::scores(text).filter(|scores| {
        (scores.len() == 1 || scores.len() == outputs) && scores.iter().all(|s| s.is_finite())
    });
    let Some(mut scores) = scores else {
        return Err(shape.fault(format!(
            "\"base_score\" is {text:?}; expected a finite number or a list of {outputs}"
        )));
    };
    scores.resize(outputs, scores[0]);
    match margin::link(objective, version, &mut scores) {
        Ok(()) => Ok(scores.into_iter().map(f64::from).collect()),
        Err(Some(reason)) => Err(shape.fault(format!("\"base_score\": {reason}"))),
        Err(None) => Err(Error::Unsupported {
            what: format!(
                "{}: the XGBoost objective \"{objective}\"",
                shape.source.path.display()
            ),
            by: "the XGBoost loader".to_owned(),
            instead: "its link from base_score to the margin is not known; save the model with an \
                      objective of XGBoost itself"
                .to_owned(),
        }),
    }
}

/// The columns: names since 1.4, labels of categories since 3.1, where the file has them.
fn features(
    learner: &Section,
    model: &Section,
    count: usize,
    trust_labels: bool,
) -> Result<Vec<Feature>> {
    let names = learner.texts("feature_names")?;
    if !names.is_empty() {
        learner.check_length("feature_names", names.len(), count)?;
    } else if count > MAX_COLUMNS {
        return Err(learner.fault(format!("{count} features, more than {MAX_COLUMNS}")));
    }
    let mut features = vec![Feature::default(); count];
    for (feature, name) in features.iter_mut().zip(names) {
        feature.name = Some(name);
    }
    let labels = category::labels(model, trust_labels)?;
    if !labels.is_empty() {
        model.check_length("cats", labels.len(), count)?;
    }
    for (feature, labels) in features.iter_mut().zip(labels) {
        feature.categories = labels;
    }
    Ok(features)
}

/// The boosting rounds of a model.
struct Rounds {
    /// The round of each tree.
    of_tree: Vec<u32>,
    /// Their number; `None` where the file does not say how many trees a round has.
    count: Option<u32>,
}

/// Since 2.0 the file lists the first tree of each round. Since 1.6 it has the number of trees per
/// round and output; before, that shows only in a model with several outputs.
fn rounds(model: &Section, groups: &[i64]) -> Result<Rounds> {
    let n = groups.len();
    let settings = model.section("gbtree_model_param")?;
    if model.find("iteration_indptr").is_some() {
        let starts = model.ints("iteration_indptr")?;
        let ordered =
            starts.first() == Some(&0) && starts.last() == Some(&(n as i64)) && starts.is_sorted();
        if !ordered {
            return Err(model.fault(format!(
                "\"iteration_indptr\" should rise from 0 to the number of trees, {n}"
            )));
        }
        let mut of_tree = Vec::with_capacity(n);
        for (round, pair) in starts.windows(2).enumerate() {
            of_tree.resize(pair[1] as usize, round as u32);
        }
        return Ok(Rounds {
            of_tree,
            count: Some(starts.len() as u32 - 1),
        });
    }
    let outputs = groups
        .iter()
        .max()
        .map_or(1, |&last| last.max(0) as usize + 1);
    let parallel = match settings.count_or("num_parallel_tree", 0)? {
        0 if outputs > 1 => Some(groups.iter().take_while(|&&group| group == 0).count()),
        0 => None,
        parallel => Some(parallel),
    };
    let size = parallel.unwrap_or(1).saturating_mul(outputs).max(1);
    Ok(Rounds {
        of_tree: (0..n).map(|t| (t / size) as u32).collect(),
        count: parallel.map(|_| n.div_ceil(size) as u32),
    })
}

/// The round that early stopping chose, among those that the model still has.
fn best_iteration(learner: &Section, rounds: &Rounds) -> Result<Option<u32>> {
    if learner.find("attributes").is_none() {
        return Ok(None);
    }
    let attributes = learner.section("attributes")?;
    if attributes.find("best_iteration").is_none() {
        return Ok(None);
    }
    let best = attributes.count("best_iteration")?;
    let count = rounds.count.unwrap_or(0);
    Ok(u32::try_from(best).ok().filter(|&best| best < count))
}

#[cfg(test)]
mod tests {
    use super::recognises;

    #[test]
    fn the_first_key_tells_the_format() {
        for bytes in [
            &b"{\"learner\":{"[..],
            b" {\n \"version\": [1",
            b"{L\0\0\0\0\0\0\0\x07learner{",
            b"{i\x07version[",
        ] {
            assert!(recognises(bytes), "{bytes:?}");
        }
        for bytes in [
            &b""[..],
            b"{",
            b"{}",
            b"{L",
            b"{\"learners\":{",
            b"{\"features_info\":{",
            b"[\"learner\"]",
            b"tree\nversion=v4",
        ] {
            assert!(!recognises(bytes), "{bytes:?}");
        }
    }
}

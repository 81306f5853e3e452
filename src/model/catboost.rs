//! CatBoost's JSON format: oblivious trees, and non-symmetric ones.
//!
//! Semantics kept: float32 cells and borders with `>`; NaN below or above every border as the
//! feature's `nan_value_treatment` says; one-hot splits that test one category, by its hash; leaf
//! values times the scale, plus the bias. Covers are the leaf weights, as in the library's own
//! `ShapValues` of a model read from a file. Leaves of a non-symmetric tree are numbered from left
//! to right, as the library does once it has read the file.

mod column;
mod tree;

use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use self::column::{Columns, FeatureInfo};
use self::tree::{Branch, Oblivious};
use super::trees::{Fraction, Output, Precision, Trees};
use crate::error::{Error, Result};

pub(super) const FORMAT: &str = "CatBoost JSON";

/// Outputs beyond this are taken for damage.
const MAX_OUTPUTS: usize = 1 << 16;

/// What stops a load; the path is added at the top.
enum Fault {
    /// A place in the file, and what is wrong there.
    Damage(String, String),
    /// What the model has that has no exact translation, and the way out.
    Refusal(String, &'static str),
}

/// The keys at the top of the file, any of which may come first.
const KEYS: [&[u8]; 6] = [
    b"ctr_data",
    b"features_info",
    b"model_info",
    b"oblivious_trees",
    b"scale_and_bias",
    b"trees",
];

/// Whether the bytes begin as this format does: a JSON object whose first key is one of its own.
pub(super) fn recognises(bytes: &[u8]) -> bool {
    let Some(rest) = bytes.trim_ascii_start().strip_prefix(b"{") else {
        return false;
    };
    let Some(key) = rest.trim_ascii_start().strip_prefix(b"\"") else {
        return false;
    };
    KEYS.iter().any(|name| {
        key.strip_prefix(*name)
            .is_some_and(|rest| rest.starts_with(b"\""))
    })
}

#[derive(Deserialize)]
struct File {
    features_info: FeatureInfo,
    #[serde(default)]
    model_info: Value,
    oblivious_trees: Option<Vec<Oblivious>>,
    trees: Option<Vec<Branch>>,
    scale_and_bias: Option<(f64, Numbers)>,
}

/// A number, or a list with one number per output.
#[derive(Deserialize)]
#[serde(untagged)]
enum Numbers {
    One(f64),
    Many(Vec<f64>),
}

impl Numbers {
    fn as_slice(&self) -> &[f64] {
        match self {
            Numbers::One(number) => std::slice::from_ref(number),
            Numbers::Many(numbers) => numbers,
        }
    }
}

/// Reads a model from the bytes of its file.
///
/// # Errors
/// [`Error::Model`] for a damaged file; [`Error::Unsupported`] for splits on category statistics
/// (CTR), text or embeddings, and for one-hot splits whose labels the file does not hold.
pub(super) fn parse(bytes: &[u8], path: &Path) -> Result<Trees> {
    let file: File = serde_json::from_slice(bytes).map_err(|error| Error::Model {
        path: path.to_owned(),
        format: FORMAT,
        at: format!("line {}, column {}", error.line(), error.column()),
        reason: format!("{error}; save the model again with format=\"json\""),
    })?;
    let trees = read(file).map_err(|fault| match fault {
        Fault::Damage(at, reason) => Error::Model {
            path: path.to_owned(),
            format: FORMAT,
            at,
            reason,
        },
        Fault::Refusal(what, instead) => Error::Unsupported {
            what: format!("{}: {what}", path.display()),
            by: "the CatBoost loader".to_owned(),
            instead: instead.to_owned(),
        },
    })?;
    trees.check(path)?;
    Ok(trees)
}

fn read(file: File) -> Result<Trees, Fault> {
    let mut columns = Columns::new(file.features_info)?;
    let (scale, bias) = match &file.scale_and_bias {
        Some((scale, bias)) => (*scale, bias.as_slice()),
        None => (1.0, &[0.0][..]),
    };
    let oblivious = file.oblivious_trees.unwrap_or_default();
    let branches = file.trees.unwrap_or_default();
    if !oblivious.is_empty() && !branches.is_empty() {
        return Err(Fault::Damage(
            "the trees".to_owned(),
            "the file has both oblivious_trees and trees; it is damaged".to_owned(),
        ));
    }
    for split in (oblivious.iter().flat_map(Oblivious::splits))
        .chain(branches.iter().flat_map(Branch::splits))
    {
        columns.count(split)?;
    }
    columns.name_categories()?;
    let mut trees = Vec::with_capacity(oblivious.len() + branches.len());
    let mut has_cover = true;
    for (t, tree) in oblivious.iter().enumerate() {
        let (tree, counted) = tree.read(t, &columns)?;
        has_cover &= counted;
        trees.push(tree);
    }
    for (t, tree) in branches.iter().enumerate() {
        let (tree, counted) = tree.read(t, &columns)?;
        has_cover &= counted;
        trees.push(tree);
    }
    let outputs = trees.first().map_or(bias.len().max(1), |(width, _)| *width);
    if outputs > MAX_OUTPUTS {
        return Err(Fault::Damage(
            "the leaf values".to_owned(),
            format!("{outputs} numbers in a leaf; expected at most {MAX_OUTPUTS}"),
        ));
    }
    if let Some(t) = trees.iter().position(|(width, _)| *width != outputs) {
        return Err(Fault::Damage(
            format!("tree {t}"),
            format!(
                "its leaves hold {} numbers, those of tree 0 hold {outputs}; the file is damaged",
                trees[t].0
            ),
        ));
    }
    let base = match bias {
        many if many.len() == outputs => many.to_vec(),
        [] => vec![0.0; outputs],
        // Files of old versions have a single number, which is 0 where there are more outputs.
        [one] if *one == 0.0 => vec![0.0; outputs],
        other => {
            return Err(Fault::Damage(
                "scale_and_bias".to_owned(),
                format!(
                    "{} biases for {outputs} outputs; the file is damaged",
                    other.len()
                ),
            ));
        }
    };
    let trees = trees
        .into_iter()
        .map(|(width, mut tree)| {
            tree.output = if width == 1 {
                Output::One(0)
            } else {
                Output::All
            };
            for value in &mut tree.values {
                *value *= scale;
            }
            tree
        })
        .collect();
    Ok(Trees {
        format: FORMAT,
        objective: file.model_info["params"]["loss_function"]["type"]
            .as_str()
            .unwrap_or_default()
            .to_owned(),
        features: columns.features,
        outputs: names(&file.model_info, outputs),
        base,
        precision: Precision::F32,
        fraction: Fraction::Floor,
        trees,
        averaged: false,
        best_iteration: None,
        has_cover,
    })
}

/// The class names where there is one per output, else numbered outputs.
fn names(info: &Value, outputs: usize) -> Vec<String> {
    let classes = info["class_params"]["class_names"].as_array();
    match classes {
        Some(classes) if classes.len() == outputs => classes
            .iter()
            .map(|class| match class {
                Value::String(name) => name.clone(),
                other => other.to_string(),
            })
            .collect(),
        _ => (0..outputs).map(|k| format!("output {k}")).collect(),
    }
}

//! LightGBM's text format, versions 2 to 4: `key=value` lines, first of the model, then of each
//! tree, then the training parameters and, from Python, the categories of a data frame.
//!
//! Semantics kept: float64 cells and thresholds with `<=`; cells within ±1e-35 are read as zero
//! before any comparison; three kinds of missing cells; category numbers truncated toward zero;
//! random forests average their iterations (the library's own `raw_score` and `pred_contrib` are
//! the sums). Covers are `leaf_count`, as in the library's own path-dependent values.

mod category;
mod linear;
mod tree;

use std::collections::BTreeMap;
use std::path::Path;

use super::trees::{Feature, Fraction, Precision, Trees};
use crate::error::{Error, Result};

const FORMAT: &str = "LightGBM text";

/// Trees per iteration beyond this are taken for damage.
const MAX_OUTPUTS: usize = 1 << 16;

/// The `key=value` lines of one part of the file.
type Fields<'a> = BTreeMap<&'a str, &'a str>;

/// A place in the file and what is wrong there; the path is added at the top.
type Fault = (String, String);

/// Whether the bytes begin as this format does.
pub(super) fn recognises(bytes: &[u8]) -> bool {
    let first = bytes.split(|&byte| byte == b'\n').next();
    first.is_some_and(|line| line.trim_ascii() == b"tree")
}

/// Reads a model from the bytes of its file.
///
/// # Errors
/// [`Error::Model`] for a damaged file, [`Error::Unsupported`] for data frame categories that cannot be
/// given to columns.
pub(super) fn parse(bytes: &[u8], path: &Path) -> Result<Trees> {
    let fault = |(at, reason): Fault| Error::Model {
        path: path.to_owned(),
        format: FORMAT,
        at,
        reason,
    };
    let text = std::str::from_utf8(bytes).map_err(|error| {
        fault((
            format!("byte {}", error.valid_up_to()),
            "it is not UTF-8 text; save the model again".to_owned(),
        ))
    })?;
    let file = File::split(text).map_err(fault)?;
    let header = Header::read(&file).map_err(fault)?;
    let iterations = file.trees.len() / header.outputs;
    let mut has_cover = true;
    let mut trees = Vec::with_capacity(file.trees.len());
    for (t, fields) in file.trees.iter().enumerate() {
        let (mut tree, counted) = tree::read(fields)
            .map_err(|(at, reason)| fault((format!("tree {t}, {at}"), reason)))?;
        has_cover &= counted;
        tree.output = super::trees::Output::One((t % header.outputs) as u32);
        tree.iteration = (t / header.outputs) as u32;
        if header.averaged {
            tree.scale(|number| *number /= iterations as f64);
        }
        trees.push(tree);
    }
    let mut features = header.features;
    category::assign(&mut features, &header.infos, file.categories, path)?;
    let trees = Trees {
        format: FORMAT,
        objective: header.objective,
        features,
        outputs: (0..header.outputs).map(|k| format!("output {k}")).collect(),
        base: vec![0.0; header.outputs],
        precision: Precision::F64,
        fraction: Fraction::Truncate,
        trees,
        averaged: header.averaged,
        best_iteration: None,
        has_cover,
    };
    trees.check(path)?;
    Ok(trees)
}

/// The file, cut into its parts.
struct File<'a> {
    header: Fields<'a>,
    trees: Vec<Fields<'a>>,
    /// What follows `pandas_categorical:` on the last line.
    categories: Option<&'a str>,
}

impl<'a> File<'a> {
    fn split(text: &'a str) -> Result<Self, Fault> {
        let mut header = Fields::new();
        let mut trees: Vec<Fields<'a>> = Vec::new();
        let mut lines = text.lines().enumerate().skip(1);
        let mut ended = false;
        for (number, line) in lines.by_ref() {
            let line = line.trim_end();
            if line == "end of trees" {
                ended = true;
                break;
            }
            if line.is_empty() {
                continue;
            }
            let (key, value) = line.split_once('=').unwrap_or((line, ""));
            if key == "Tree" {
                if value.parse() != Ok(trees.len()) {
                    return Err((
                        format!("line {}", number + 1),
                        format!(
                            "tree {value} follows {} trees; the file is damaged",
                            trees.len()
                        ),
                    ));
                }
                trees.push(Fields::new());
                continue;
            }
            let part = trees.last_mut().unwrap_or(&mut header);
            if part.insert(key, value).is_some() {
                return Err((
                    format!("line {}", number + 1),
                    format!("{key:?} is there twice; the file is damaged"),
                ));
            }
        }
        if !ended {
            return Err((
                "its end".to_owned(),
                "the line `end of trees` is missing: the file is cut off; save the model again"
                    .to_owned(),
            ));
        }
        let mut open = false;
        let mut categories = None;
        for (_, line) in lines {
            let line = line.trim_end();
            match line {
                "parameters:" => open = true,
                "end of parameters" => open = false,
                _ => categories = line.strip_prefix("pandas_categorical:").or(categories),
            }
        }
        if open {
            return Err((
                "its end".to_owned(),
                "the line `end of parameters` is missing: the file is cut off; save the model \
                 again"
                    .to_owned(),
            ));
        }
        Ok(Self {
            header,
            trees,
            categories,
        })
    }
}

/// What the lines before the first tree say.
struct Header<'a> {
    outputs: usize,
    features: Vec<Feature>,
    /// One word per feature: `[min:max]`, its categories, or `none`; empty if the file has none.
    infos: Vec<&'a str>,
    objective: String,
    averaged: bool,
}

impl<'a> Header<'a> {
    fn read(file: &File<'a>) -> Result<Self, Fault> {
        let fields = &file.header;
        if let Some(version) = fields.get("version")
            && !["v2", "v3", "v4"].contains(&version.trim())
        {
            return Err((
                "the header".to_owned(),
                format!(
                    "version {version:?} of the format; expected v2, v3 or v4 (LightGBM 2.1 to 4)"
                ),
            ));
        }
        let outputs = match fields.get("num_tree_per_iteration") {
            Some(_) => number(fields, "num_tree_per_iteration")?,
            None => number(fields, "num_class")?,
        };
        if !(1..=MAX_OUTPUTS).contains(&outputs) {
            return Err((
                "the header".to_owned(),
                format!("{outputs} trees per iteration; expected 1 to {MAX_OUTPUTS}"),
            ));
        }
        if !file.trees.len().is_multiple_of(outputs) {
            return Err((
                "the trees".to_owned(),
                format!(
                    "{} trees, which is not a whole number of iterations of {outputs} trees; the \
                     file is damaged",
                    file.trees.len()
                ),
            ));
        }
        if let Some(sizes) = fields.get("tree_sizes") {
            let sizes = sizes.split_ascii_whitespace().count();
            if sizes != file.trees.len() {
                return Err((
                    "the trees".to_owned(),
                    format!(
                        "the header announces {sizes} trees, {} follow; the file is damaged",
                        file.trees.len()
                    ),
                ));
            }
        }
        let last: usize = number(fields, "max_feature_idx")?;
        let names: Vec<&str> = match fields.get("feature_names") {
            Some(names) => names.split_ascii_whitespace().collect(),
            None => return Err(absent("feature_names")),
        };
        if last.checked_add(1) != Some(names.len()) {
            return Err((
                "the header".to_owned(),
                format!(
                    "{} feature names, but max_feature_idx={last}, which makes one more; the file \
                     is damaged",
                    names.len()
                ),
            ));
        }
        let generated = (names.iter().enumerate()).all(|(i, name)| *name == format!("Column_{i}"));
        let features = names
            .iter()
            .map(|name| Feature {
                name: (!generated).then(|| (*name).to_owned()),
                categories: None,
            })
            .collect();
        let infos: Vec<&str> = fields
            .get("feature_infos")
            .map(|infos| infos.split_ascii_whitespace().collect())
            .unwrap_or_default();
        if !infos.is_empty() && infos.len() != names.len() {
            return Err((
                "the header".to_owned(),
                format!(
                    "{} feature_infos for {} features; the file is damaged",
                    infos.len(),
                    names.len()
                ),
            ));
        }
        Ok(Self {
            outputs,
            features,
            infos,
            objective: fields
                .get("objective")
                .map_or("", |text| text.trim())
                .to_owned(),
            averaged: fields.contains_key("average_output"),
        })
    }
}

fn absent(key: &str) -> Fault {
    (
        "the header".to_owned(),
        format!("the line `{key}=` is missing; the file is damaged"),
    )
}

fn number(fields: &Fields<'_>, key: &str) -> Result<usize, Fault> {
    let text = fields.get(key).ok_or_else(|| absent(key))?;
    text.trim().parse().map_err(|_| {
        (
            "the header".to_owned(),
            format!("{key}={text}; expected a whole number of at least 0"),
        )
    })
}

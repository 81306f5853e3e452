//! Treelite checkpoints of version 4 (`Model.serialize`), as the library's documentation of its
//! serialization format describes them.
//!
//! What they mean is what the library's own predictor, GTIL, makes of them, which is not always what
//! the model's first library did:
//! - Cells, thresholds and leaves have one precision, float32 or float64. A scikit-learn model is
//!   compared in float64 here, as in GTIL; scikit-learn itself rounds cells to float32 first.
//! - NaN alone is missing. A model of LightGBM no longer knows its treatment of zeros.
//! - A fraction of a category is cut off, and a negative value is no category.
//! - An average is taken over the trees of an output; the base score comes after it.
//! - The file knows no boosting rounds: the trees of an output are counted one by one.
//! - Covers are the sums of hessians (for scikit-learn, of weights) where all nodes have them, else
//!   the counts of rows.
//! - Leaf ids are node numbers.

mod bytes;
mod outputs;
mod tree;

use std::path::Path;

use self::bytes::Bytes;
use self::outputs::{Outputs, Place};
use super::trees::{Feature, Fraction, Precision, Tree, Trees};
use crate::error::{Error, Result};

const FORMAT: &str = "treelite checkpoint";

/// More features or outputs than this are refused: both are mere numbers in the file, and
/// explanations are dense.
const MAX_COLUMNS: usize = 1 << 20;
const MAX_OUTPUTS: usize = 1 << 16;

/// What stops a load; the path is added at the top.
enum Fault {
    /// A place in the file, and what is wrong there.
    Damage(String, String),
    /// What the model has that has no exact translation, and the way out.
    Refusal(String, &'static str),
}

impl Fault {
    /// The same fault, in this tree.
    fn in_tree(self, t: usize) -> Self {
        match self {
            Fault::Damage(at, reason) => Fault::Damage(format!("tree {t}, {at}"), reason),
            Fault::Refusal(..) => self,
        }
    }
}

/// Whether the bytes begin as a checkpoint: a version of three numbers, then the types of
/// thresholds and leaves.
pub(super) fn recognises(bytes: &[u8]) -> bool {
    let Some((head, _)) = bytes.split_first_chunk::<14>() else {
        return false;
    };
    matches!(head[0], 1..=9)
        && [1, 2, 3, 5, 6, 7, 9, 10, 11].iter().all(|&i| head[i] == 0)
        && (1..=3).contains(&head[12])
        && (1..=3).contains(&head[13])
}

/// Reads a model from the bytes of its file.
///
/// # Errors
/// [`Error::Model`] for a damaged file, [`Error::Unsupported`] for other versions of the format and
/// for trees that give values for a part of several outputs.
pub(super) fn parse(bytes: &[u8], path: &Path) -> Result<Trees> {
    let trees = read(&mut Bytes::new(bytes)).map_err(|fault| match fault {
        Fault::Damage(at, reason) => Error::Model {
            path: path.to_owned(),
            format: FORMAT,
            at,
            reason,
        },
        Fault::Refusal(what, instead) => Error::Unsupported {
            what: format!("{}: {what}", path.display()),
            by: "the treelite loader".to_owned(),
            instead: instead.to_owned(),
        },
    })?;
    trees.check(path)?;
    Ok(trees)
}

fn read(bytes: &mut Bytes) -> Result<Trees, Fault> {
    let precision = precision(bytes)?;
    let count = bytes.one("num_tree", u64::from_le_bytes)?;
    let features = bytes.one("num_feature", i32::from_le_bytes)?;
    let features = usize::try_from(features)
        .ok()
        .filter(|&features| features <= MAX_COLUMNS)
        .ok_or_else(|| {
            Fault::Damage(
                "num_feature".to_owned(),
                format!("{features} features; expected 0 to {MAX_COLUMNS}"),
            )
        })?;
    bytes.one("task_type", u8::from_le_bytes)?;
    let averaged = bytes.one("average_tree_output", u8::from_le_bytes)? != 0;
    let targets = bytes.one("num_target", i32::from_le_bytes)?;
    let classes = bytes.list("num_class", i32::from_le_bytes)?;
    let outputs = Outputs::new(targets, &classes)?;
    bytes.list("leaf_vector_shape", i32::from_le_bytes)?;
    let target_ids = bytes.list("target_id", i32::from_le_bytes)?;
    let class_ids = bytes.list("class_id", i32::from_le_bytes)?;
    let mut objective = String::from_utf8_lossy(bytes.span("postprocessor", 1)?).into_owned();
    let alpha = bytes.one("sigmoid_alpha", f32::from_le_bytes)?;
    match objective.as_str() {
        "sigmoid" | "multiclass_ova" => objective = format!("{objective} sigmoid:{alpha}"),
        "softmax" if targets > 1 => objective.push_str(" of each target"),
        _ => {}
    }
    bytes.one("ratio_c", f32::from_le_bytes)?;
    let scores = bytes.list("base_scores", f64::from_le_bytes)?;
    bytes.span("attributes", 1)?;
    bytes.empty_slot("num_opt_field_per_model")?;
    for (what, found, expected) in [
        ("target_id", target_ids.len() as u64, count),
        ("class_id", class_ids.len() as u64, count),
        ("base_scores", scores.len() as u64, outputs.cells() as u64),
    ] {
        if found != expected {
            return Err(Fault::Damage(
                what.to_owned(),
                format!("{found} elements, expected {expected}; the file is damaged"),
            ));
        }
    }

    let mut words = 0;
    let mut has_cover = true;
    let mut trees = Vec::new();
    let mut places = Vec::new();
    for (t, (&target, &class)) in target_ids.iter().zip(&class_ids).enumerate() {
        let frame = tree::Frame {
            precision,
            outputs: &outputs,
            place: outputs.place(t, target, class)?,
        };
        let (tree, covered) =
            tree::read(bytes, &frame, &mut words).map_err(|fault| fault.in_tree(t))?;
        has_cover &= covered;
        trees.push(tree);
        places.push(frame.place);
    }
    if !bytes.is_empty() {
        return Err(Fault::Damage(
            "its end".to_owned(),
            "bytes follow the last tree; the file is damaged".to_owned(),
        ));
    }
    let counts = number(&mut trees, &places, outputs.count());
    if averaged {
        average(&mut trees, &places, &counts)?;
    }
    Ok(Trees {
        format: FORMAT,
        objective,
        features: vec![Feature::default(); features],
        outputs: outputs.names(),
        base: outputs.pick(&scores).collect(),
        precision,
        fraction: Fraction::Floor,
        trees,
        averaged,
        best_iteration: None,
        has_cover,
    })
}

/// The header: version 4, and one precision for thresholds and leaves.
fn precision(bytes: &mut Bytes) -> Result<Precision, Fault> {
    let mut version = || bytes.one("the version", i32::from_le_bytes);
    let (major, minor, patch) = (version()?, version()?, version()?);
    if major != 4 {
        return Err(Fault::Refusal(
            format!("version {major}.{minor}.{patch} of treelite's checkpoints"),
            "load the file with treelite 4, which reads those of 3.9, and serialize it again",
        ));
    }
    let thresholds = bytes.one("threshold_type", u8::from_le_bytes)?;
    let leaves = bytes.one("leaf_output_type", u8::from_le_bytes)?;
    match (thresholds, leaves) {
        (2, 2) => Ok(Precision::F32),
        (3, 3) => Ok(Precision::F64),
        _ => Err(Fault::Damage(
            "the header".to_owned(),
            format!(
                "thresholds of type {thresholds} and leaves of type {leaves}; expected 2 and 2 \
                 (float32), or 3 and 3 (float64)"
            ),
        )),
    }
}

/// Numbers the trees of each output; the result is how many each has.
fn number(trees: &mut [Tree], places: &[Place], outputs: usize) -> Vec<u32> {
    let mut counts = vec![0_u32; outputs];
    for (tree, place) in trees.iter_mut().zip(places) {
        let counts = match *place {
            Place::One(k) => &mut counts[k..=k],
            Place::All => &mut counts[..],
        };
        tree.iteration = counts[0];
        for count in counts {
            *count += 1;
        }
    }
    counts
}

/// Divides each value by the number of trees of its output.
fn average(trees: &mut [Tree], places: &[Place], counts: &[u32]) -> Result<(), Fault> {
    if let Some(k) = counts.iter().position(|&count| count == 0) {
        return Err(Fault::Damage(
            "average_tree_output".to_owned(),
            format!("output {k} has no trees to take the average of"),
        ));
    }
    let uneven = counts.iter().any(|&count| count != counts[0]);
    for (tree, place) in trees.iter_mut().zip(places) {
        let counts = match *place {
            Place::One(k) => &counts[k..=k],
            Place::All => counts,
        };
        for (value, &count) in tree.values.iter_mut().zip(counts.iter().cycle()) {
            *value /= f64::from(count);
        }
        // No range of such trees is an average of all outputs.
        if uneven {
            tree.iteration = 0;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::recognises;

    #[test]
    fn a_version_and_two_types_tell_the_format() {
        let head = [4, 0, 0, 0, 8, 0, 0, 0, 1, 0, 0, 0, 2, 2];
        assert!(recognises(&head));
        for (at, byte) in [(0, 0), (0, 0x7b), (3, 1), (6, 8), (12, 0), (13, 4)] {
            let mut other = head;
            other[at] = byte;
            assert!(!recognises(&other), "byte {at}: {byte}");
        }
        assert!(!recognises(&head[..13]) && !recognises(b"\x08\x08\x12\x07pytorch\x1a\x041.12"));
    }
}

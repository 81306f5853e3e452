//! One tree of a LightGBM file.

use std::str::FromStr;

use super::{Fault, Fields, linear};
use crate::model::trees::{CategorySet, Missing, Node, Output, Split, Test, Tree};

/// The library's `kZeroThreshold`: cells up to here, in absolute value, are zeros.
const ZERO: f64 = 1e-35_f32 as f64;

/// Bits of `decision_type`: the test is a category set; missing cells go left; two bits that say
/// which cells are missing.
const CATEGORICAL: u8 = 1;
const DEFAULT_LEFT: u8 = 2;

/// Reads one tree, and whether the file holds its covers. Splits come first, in the order of the
/// file, then the leaves in theirs. Output and iteration are the caller's to set.
pub(super) fn read(fields: &Fields<'_>) -> Result<(Tree, bool), Fault> {
    let leaves: usize = match list(fields, "num_leaves", 1, "its num_leaves")?.first() {
        Some(&leaves) if leaves > 0 => leaves,
        _ => {
            return Err((
                "num_leaves".to_owned(),
                "it must be at least 1; the file is damaged".to_owned(),
            ));
        }
    };
    let mut values: Vec<f64> = list(fields, "leaf_value", leaves, "num_leaves")?;
    let linear = linear::read(fields, &mut values)?;
    let splits = leaves - 1;
    let counted = splits == 0
        || fields
            .get("leaf_count")
            .is_some_and(|text| !text.is_empty());
    let counts: Vec<f64> = if splits > 0 && counted {
        list(fields, "leaf_count", leaves, "num_leaves")?
    } else {
        vec![0.0; leaves]
    };
    let mut nodes = Vec::with_capacity(splits + leaves);
    if splits > 0 {
        let features: Vec<u32> = list(fields, "split_feature", splits, "num_leaves")?;
        let thresholds: Vec<f64> = list(fields, "threshold", splits, "num_leaves")?;
        let kinds: Vec<u8> = list(fields, "decision_type", splits, "num_leaves")?;
        let left: Vec<i32> = list(fields, "left_child", splits, "num_leaves")?;
        let right: Vec<i32> = list(fields, "right_child", splits, "num_leaves")?;
        let mut sets = Sets::read(fields)?;
        for n in 0..splits {
            let at = |reason: String| (format!("node {n}"), reason);
            let test = if kinds[n] & CATEGORICAL == 0 {
                below(thresholds[n])
            } else {
                Test::Category(sets.take(thresholds[n]).map_err(at)?)
            };
            // A category that is missing is in no set.
            let (missing, missing_left) = if kinds[n] & CATEGORICAL == 0 {
                let missing = match kinds[n] >> 2 {
                    0 => Missing::Never,
                    1 => Missing::NanOrZero,
                    2 => Missing::Nan,
                    _ => {
                        return Err(at(format!(
                            "decision_type {}, whose missing type is none of the three known",
                            kinds[n]
                        )));
                    }
                };
                (missing, kinds[n] & DEFAULT_LEFT != 0)
            } else {
                (Missing::Nan, false)
            };
            nodes.push(Node::Split(Split {
                feature: features[n],
                test,
                missing,
                missing_left,
                left: child(left[n], splits, leaves).map_err(at)?,
                right: child(right[n], splits, leaves).map_err(at)?,
                cover: 0.0,
            }));
        }
    }
    nodes.extend(counts.iter().enumerate().map(|(leaf, &cover)| Node::Leaf {
        leaf: leaf as u32,
        cover,
    }));
    if splits > 0 && counted {
        let stated = match fields.get("internal_count") {
            Some(text) if !text.is_empty() => {
                Some(list(fields, "internal_count", splits, "num_leaves")?)
            }
            _ => None,
        };
        cover(&mut nodes, stated.as_deref())?;
    }
    let tree = Tree {
        nodes,
        values,
        output: Output::One(0),
        iteration: 0,
        linear,
    };
    Ok((tree, counted))
}

/// `x <= threshold` for a cell that is set to zero when it is within ±[`ZERO`], as a test of the
/// cell itself.
fn below(threshold: f64) -> Test {
    if threshold == f64::INFINITY {
        Test::Always
    } else if (-ZERO..0.0).contains(&threshold) {
        Test::Below(-ZERO)
    } else if (0.0..ZERO).contains(&threshold) {
        Test::Below(ZERO.next_up())
    } else {
        Test::Below(threshold.next_up())
    }
}

/// The index, among splits and then leaves, of a child: leaves are written as `-1 - leaf`.
fn child(child: i32, splits: usize, leaves: usize) -> Result<u32, String> {
    let index = if child >= 0 {
        child as usize
    } else {
        splits + !child as usize
    };
    let end = if child >= 0 { splits } else { splits + leaves };
    if index < end {
        Ok(index as u32)
    } else {
        Err(format!(
            "its child is {child}, but the tree has {splits} splits (0, 1, …) and {leaves} leaves \
             (-1, -2, …)"
        ))
    }
}

/// Sets the cover of every split to the sum of the leaves below it, and holds it against what the
/// file states.
#[expect(
    clippy::float_cmp,
    reason = "counts of rows are whole numbers, which float64 adds exactly"
)]
fn cover(nodes: &mut [Node], stated: Option<&[f64]>) -> Result<(), Fault> {
    // Parents before children. A node that is met twice ends the walk, so that a damaged file
    // cannot make it longer than the tree.
    let mut order = Vec::with_capacity(nodes.len());
    let mut met = vec![false; nodes.len()];
    let mut stack = vec![0_u32];
    while let Some(n) = stack.pop() {
        if std::mem::replace(&mut met[n as usize], true) {
            return Err((
                format!("node {n}"),
                "it is the child of two nodes, or below itself; the file is damaged".to_owned(),
            ));
        }
        order.push(n as usize);
        if let Node::Split(split) = &nodes[n as usize] {
            stack.extend([split.left, split.right]);
        }
    }
    for n in order.into_iter().rev() {
        let Node::Split(split) = &nodes[n] else {
            continue;
        };
        let sum = [split.left, split.right]
            .iter()
            .map(|&child| nodes[child as usize].cover())
            .sum();
        if let Some(stated) = stated.map(|stated| stated[n])
            && stated != sum
        {
            return Err((
                format!("node {n}"),
                format!(
                    "its internal_count is {stated}, but the leaves below it count {sum} rows; the \
                     file is damaged"
                ),
            ));
        }
        if let Node::Split(split) = &mut nodes[n] {
            split.cover = sum;
        }
    }
    Ok(())
}

/// The category sets of a tree: `cat_threshold` cut at `cat_boundaries`.
struct Sets {
    boundaries: Vec<usize>,
    words: Vec<u32>,
    /// Whether a split has taken the set.
    taken: Vec<bool>,
}

impl Sets {
    fn read(fields: &Fields<'_>) -> Result<Self, Fault> {
        let count: usize = match fields.get("num_cat") {
            Some(_) => list(fields, "num_cat", 1, "its num_cat")?[0],
            None => 0,
        };
        if count == 0 {
            return Ok(Self {
                boundaries: Vec::new(),
                words: Vec::new(),
                taken: Vec::new(),
            });
        }
        let boundaries: Vec<usize> = match count.checked_add(1) {
            Some(expected) => list(fields, "cat_boundaries", expected, "num_cat")?,
            None => Vec::new(),
        };
        let (Some(&first), Some(&last)) = (boundaries.first(), boundaries.last()) else {
            return Err((
                "num_cat".to_owned(),
                format!("{count} category sets; the file is damaged"),
            ));
        };
        if first != 0 || !boundaries.is_sorted() {
            return Err((
                "cat_boundaries".to_owned(),
                "expected numbers that start at 0 and never fall; the file is damaged".to_owned(),
            ));
        }
        let words = list(fields, "cat_threshold", last, "the last of cat_boundaries")?;
        Ok(Self {
            boundaries,
            words,
            taken: vec![false; count],
        })
    }

    /// The set that the threshold of a split numbers.
    fn take(&mut self, number: f64) -> Result<CategorySet, String> {
        let count = self.boundaries.len().saturating_sub(1);
        if !(number >= 0.0 && number.fract() == 0.0 && number < count as f64) {
            return Err(format!(
                "its threshold names category set {number} of {count}; the file is damaged"
            ));
        }
        let number = number as usize;
        // The library gives each split a set of its own; copies of one could fill the memory.
        if std::mem::replace(&mut self.taken[number], true) {
            return Err(format!(
                "its threshold names category set {number}, which another split has; the file is \
                 damaged"
            ));
        }
        Ok(CategorySet {
            words: self.words[self.boundaries[number]..self.boundaries[number + 1]].to_vec(),
            members_left: true,
        })
    }
}

/// The numbers of a line; `by` says what sets how many there must be.
pub(super) fn list<T: FromStr>(
    fields: &Fields<'_>,
    key: &str,
    expected: usize,
    by: &str,
) -> Result<Vec<T>, Fault> {
    let text = fields.get(key).ok_or_else(|| {
        (
            key.to_owned(),
            "the line is missing; the file is damaged".to_owned(),
        )
    })?;
    let found = text.split_ascii_whitespace().count();
    if found != expected {
        return Err((
            key.to_owned(),
            format!("{found} numbers, expected {expected} (set by {by}); the file is damaged"),
        ));
    }
    text.split_ascii_whitespace()
        .map(|word| {
            word.parse().map_err(|_| {
                (
                    key.to_owned(),
                    format!("{word:?} is not a number that can stand here; the file is damaged"),
                )
            })
        })
        .collect()
}

//! The linear leaves of a tree (`linear_tree=true`).
//!
//! The library predicts `leaf_const + Σ leaf_coeff · cell`, with the cells as they are (no zeros of its
//! own, no missing type), and `leaf_value` for a row where one of these cells is NaN.

use super::tree::list;
use super::{Fault, Fields};
use crate::model::trees::LinearLeaf;

/// Reads the linear leaves of a tree, none where all are constants. A leaf that is linear in no feature
/// predicts its constant, which becomes its value.
pub(super) fn read(fields: &Fields<'_>, values: &mut [f64]) -> Result<Vec<LinearLeaf>, Fault> {
    let is_linear = match fields.get("is_linear") {
        Some(_) => list::<i32>(fields, "is_linear", 1, "its is_linear")?[0] != 0,
        None => false,
    };
    if !is_linear {
        return Ok(Vec::new());
    }
    let leaves = values.len();
    let constants: Vec<f64> = list(fields, "leaf_const", leaves, "num_leaves")?;
    let counts: Vec<usize> = list(fields, "num_features", leaves, "num_leaves")?;
    let total = (counts.iter())
        .try_fold(0_usize, |sum, &count| sum.checked_add(count))
        .ok_or_else(|| {
            (
                "num_features".to_owned(),
                "its sum is no number of features; the file is damaged".to_owned(),
            )
        })?;
    let features: Vec<u32> = list(fields, "leaf_features", total, "num_features")?;
    let weights: Vec<f64> = list(fields, "leaf_coeff", total, "num_features")?;
    let mut terms = features.into_iter().zip(weights);
    let mut linear = Vec::with_capacity(leaves);
    for ((value, constant), count) in values.iter_mut().zip(constants).zip(counts) {
        if count == 0 {
            *value = constant;
        }
        linear.push(LinearLeaf {
            constant,
            terms: terms.by_ref().take(count).collect(),
        });
    }
    if total == 0 {
        linear.clear();
    }
    Ok(linear)
}

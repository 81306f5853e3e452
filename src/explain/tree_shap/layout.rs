//! What is computed of a row, and where it goes.

use whylight_kernels::ROWS;
use whylight_kernels::tree_tables::Lanes;

use super::compile::Compiled;
use super::interactions::Interactions;

/// Bytes of a block's sums: of many outputs, a tile holds the sums of as many at a time.
const SUM_BYTES: usize = 64 << 10;

/// What is computed of a row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout<'a> {
    pub(super) features: usize,
    pub(super) pairs: Option<&'a Interactions>,
    /// Sums of one output: the features, then their pairs if these are wanted.
    pub(super) sums: usize,
    /// Values of a row, of all outputs.
    pub(super) width: usize,
    /// Outputs whose sums a tile holds at a time.
    pub(super) outputs_at_once: usize,
}

impl<'a> Layout<'a> {
    pub(super) fn new(compiled: &Compiled, pairs: Option<&'a Interactions>) -> Self {
        let forest = &compiled.forest;
        let (features, outputs) = (forest.features as usize, forest.outputs as usize);
        let (more, values) = match pairs {
            Some(_) => (
                Lanes::Pairs.values(forest.features) as usize,
                features * features,
            ),
            None => (0, features),
        };
        let sums = features + more;
        Self {
            features,
            pairs,
            sums,
            width: values * outputs,
            outputs_at_once: (SUM_BYTES / (ROWS * 8 * sums.max(1))).clamp(1, outputs.max(1)),
        }
    }
}

/// The sums (sum, row) of an output to its values of a block of rows.
pub(super) fn write(sums: &mut [[f64; ROWS]], layout: Layout<'_>, output: usize, out: &mut [f32]) {
    let Layout {
        features, width, ..
    } = layout;
    let outputs = width
        / if layout.pairs.is_some() {
            features * features
        } else {
            features
        };
    let mut cell = |cell: usize, values: &[f64; ROWS]| {
        let cells = out[cell * outputs + output..].iter_mut().step_by(width);
        for (value, out) in values.iter().zip(cells) {
            *out = *value as f32;
        }
    };
    let (of_features, of_pairs) = sums.split_at_mut(features);
    if layout.pairs.is_none() {
        for (feature, values) in of_features.iter().enumerate() {
            cell(feature, values);
        }
        return;
    }
    let mut pairs = of_pairs.iter();
    for i in 0..features {
        for (j, values) in (i + 1..features).zip(&mut pairs) {
            cell(i * features + j, values);
            cell(j * features + i, values);
            // What a feature does without the others is the rest of its value.
            for feature in [i, j] {
                for (rest, value) in of_features[feature].iter_mut().zip(values) {
                    *rest -= value;
                }
            }
        }
    }
    for (i, rest) in of_features.iter().enumerate() {
        cell(i * features + i, rest);
    }
}

//! Divides features into blocks that are correlated with none outside, and solves each.

use ndarray::Array2;

use super::cholesky::{Factor, Square};
use super::sums::Block;
use super::{coalitions, permutations};
use crate::error::{Error, Result};
use crate::explain::Options;
use crate::explain::method::names;
use crate::model::Linear;

/// Features of a block that is solved exactly, at most.
pub(super) const EXACT: usize = 16;

/// A correlation up to this is one of 0, but for rounding.
const NONE: f64 = 1e-12;

/// What the factor of a correlation matrix may miss: of one that is positive semidefinite, the
/// square root of what [`super::cholesky::DETERMINED`] leaves out.
const INDEFINITE: f64 = 1e-4;

/// Numbers that the matrix of a block may hold, for all outputs: 512 MiB of float64.
const MOST_WEIGHTS: usize = 1 << 26;

/// The blocks, and how they were solved.
#[derive(Debug, Default)]
pub(super) struct Solved {
    pub(super) blocks: Vec<Block>,
    /// Features in blocks that were solved exactly.
    pub(super) exact: usize,
    /// Features in others.
    pub(super) estimated: usize,
    pub(super) notes: Vec<String>,
}

/// # Errors
/// [`Error::Parameter`] for a covariance that is none, and for too few samples;
/// [`Error::Unsupported`] for a block that no memory holds.
pub(super) fn solve(
    linear: &Linear,
    covariance: &Array2<f64>,
    options: &Options,
) -> Result<Solved> {
    if let Some(samples) = options.samples.filter(|&samples| samples < 2) {
        return Err(Error::Parameter {
            name: "samples",
            got: samples.to_string(),
            allowed: "at least 2, whose difference tells the standard error".to_owned(),
        });
    }
    let deviations: Vec<f64> = covariance.diag().iter().map(|var| var.sqrt()).collect();
    let correlation = |i: usize, j: usize| {
        if i == j {
            1.0
        } else {
            covariance[[i, j]] / deviations[i] / deviations[j]
        }
    };
    let mut solved = Solved::default();
    let mut singular = 0;
    for features in components(&deviations, correlation) {
        let size = features.len();
        let matrix = Square::from_fn(size, |i, j| correlation(features[i], features[j]));
        let mut factor = Factor::new(&matrix);
        for index in 0..size {
            factor.push(index);
        }
        let residual = factor.residual();
        if residual.is_nan() || residual > INDEFINITE {
            return Err(Error::Parameter {
                name: "covariance",
                got: "a matrix with a negative eigenvalue".to_owned(),
                allowed: "a positive semidefinite matrix, as that of rows is".to_owned(),
            });
        }
        if factor.is_singular() {
            singular += size - factor.rank();
        }
        let outputs = linear.outputs.len();
        if size * size > MOST_WEIGHTS / outputs {
            return Err(Error::Unsupported {
                what: format!("a block of {size} correlated features with {outputs} outputs"),
                by: "the conditional value function".to_owned(),
                instead: "take the interventional one, or explain fewer outputs at a time"
                    .to_owned(),
            });
        }
        let slopes: Vec<Vec<f64>> = (linear.coefficients.outer_iter())
            .map(|coefficients| {
                let slope = |&feature: &usize| coefficients[feature] * deviations[feature];
                features.iter().map(slope).collect()
            })
            .collect();
        let mut weights = if size <= EXACT {
            solved.exact += size;
            coalitions::weights(&matrix, &slopes)
        } else {
            solved.estimated += size;
            let estimate = permutations::weights(
                &matrix,
                factor.is_singular(),
                &slopes,
                options.samples,
                options.seed,
            );
            let (error, output, index) = estimate.error;
            let names = names(&linear.features);
            solved.notes.push(format!(
                "the values of {size} correlated features are estimated from {} antithetic pairs \
                 of permutations: standard error up to {error:.1e}, of {} for {}",
                estimate.pairs, names[features[index]], linear.outputs[output]
            ));
            estimate.weights
        };
        for weights in weights.chunks_exact_mut(size) {
            for (weight, &feature) in weights.iter_mut().zip(&features) {
                *weight /= deviations[feature];
            }
        }
        solved.blocks.push(Block { features, weights });
    }
    if singular > 0 {
        solved.notes.push(format!(
            "{singular} features are determined by others in the background: those that tell the \
             same share their credit"
        ));
    }
    Ok(solved)
}

/// The sets of two and more features that correlations join, each ascending.
fn components(deviations: &[f64], correlation: impl Fn(usize, usize) -> f64) -> Vec<Vec<usize>> {
    let mut open: Vec<usize> = (0..deviations.len())
        .filter(|&feature| deviations[feature] > 0.0)
        .collect();
    let mut found = Vec::new();
    while let Some(first) = open.pop() {
        let mut members = vec![first];
        let mut next = 0;
        while next < members.len() {
            let member = members[next];
            // NaN, too, is not below: it is found where the block is solved.
            open.retain(|&other| {
                let apart = correlation(member, other).abs() <= NONE;
                if !apart {
                    members.push(other);
                }
                apart
            });
            next += 1;
        }
        if members.len() > 1 {
            members.sort_unstable();
            found.push(members);
        }
    }
    found.reverse();
    found
}

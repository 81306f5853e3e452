//! Exact Shapley values of linear models, in closed form.
//!
//! The base value of an output is its margin at the mean of the background. Given the background's
//! mean μ, the values of a row x for an output with coefficients β are
//!
//! - interventional (Lundberg & Lee 2017, "A unified approach to interpreting model predictions"):
//!   `φ_j = β_j (x_j − μ_j)`, whatever the correlations;
//! - conditional (Aas, Jullum & Løland 2021, "Explaining individual predictions when features are
//!   dependent"): the Shapley values of `v(S) = E[f(X) | X_S = x_S]` for X normal with the mean and
//!   the covariance of the background. Conditional means of a normal distribution are linear, and so
//!   is f: `φ = T (x − μ)` with one matrix T for all rows. It falls into blocks of correlated features,
//!   and a feature that is correlated with none has its interventional value. A block of up to
//!   [`correlation::EXACT`] features is solved exactly, coalition by coalition; of a larger one the
//!   values are estimated by random orders of the features, and the result says so, with the
//!   standard error.
//!
//! When to take which: Chen et al. 2020, "True to the model or true to the data?".
//!
//! Where columns of the background determine one another (constant, duplicated, fewer rows than
//! features), v(S) is the limit of distributions that add an independent error of the same share of
//! its variance to each feature: duplicates share their credit equally.
//!
//! A row costs a multiplication and an addition per cell, and value, less than it costs to bring the
//! row to a GPU and the values back: the values are computed on the CPU on any device, and the
//! result says so. All arithmetic is float64, the values are float32.

pub(super) mod cholesky;
mod coalitions;
mod correlation;
mod moments;
mod permutations;
mod sums;

use std::path::Path;
use std::sync::Arc;

use self::moments::Moments;
use self::sums::Sums;
use super::amount::Amount;
use super::background::Background;
use super::method::{Account, Method, Rows, names, unusable};
use super::{Estimator, Index, Options, Output, ValueFunction};
use crate::device::Device;
use crate::error::{Error, MEMORY, Result};
use crate::explanation::Header;
use crate::model::{Feature, Linear, Model};

/// A linear model made ready for its background.
#[derive(Debug)]
pub(super) struct LinearShap {
    model: Arc<Model>,
    sums: Sums,
    header: Header,
    account: Account,
}

impl LinearShap {
    /// # Errors
    /// See [`super::Explainer::new`]; the model must be linear.
    pub(super) fn new(
        model: Arc<Model>,
        background: Option<Background<'_>>,
        options: &Options,
    ) -> Result<Self> {
        let Model::Linear(linear) = &*model else {
            return Err(refused(
                "a model that is not linear",
                "explain a linear model",
            ));
        };
        if options.value_function == ValueFunction::PathDependent {
            return Err(refused(
                "the path_dependent value function",
                "take interventional or conditional",
            ));
        }
        if !options.groups.is_empty() {
            return Err(refused(
                "groups of features",
                "explain the features: without correlations, the value of a group is the sum of \
                 theirs",
            ));
        }
        if options.output != Output::Raw {
            return Err(refused(
                &format!("the output {}", options.output),
                "explain the raw output, which is the sum that the coefficients make",
            ));
        }
        if options.index != Index::Shapley {
            return Err(refused(
                "the Banzhaf value",
                "take the Shapley value: without correlations they are equal",
            ));
        }
        linear.check(Path::new(MEMORY))?;
        let Some(background) = background else {
            return Err(Error::Parameter {
                name: "background",
                got: "none".to_owned(),
                allowed: "the values of a linear model compare a row with the mean of a \
                          background; give the training rows, a sample of them, or their mean"
                    .to_owned(),
            });
        };
        let conditional = options.value_function == ValueFunction::Conditional;
        let moments = Moments::new(&linear.features, &background, conditional)?;
        let base_values = linear.margins(1, &moments.mean);
        if let Some(k) = base_values.iter().position(|base| !base.is_finite()) {
            return Err(Error::Unsupported {
                what: format!("a base value of {}, of output {k}", base_values[k]),
                by: "float64".to_owned(),
                instead: "scale the features or the coefficients down".to_owned(),
            });
        }
        let mut sums = Sums::new(linear, moments.mean);
        let mut account = Account::default();
        let mut exact = true;
        if let Some(covariance) = &moments.covariance {
            let solved = correlation::solve(linear, covariance, options)?;
            sums.set_blocks(solved.blocks);
            exact = solved.estimated == 0;
            account.notes = solved.notes;
            account.engines.extend([
                ("coalitions".to_owned(), solved.exact),
                ("permutations".to_owned(), solved.estimated),
            ]);
        }
        let alone = sums.alone();
        account.engines.insert(0, ("sums".to_owned(), alone));
        account.engines.retain(|(_, features)| *features > 0);
        let device_reason = match &options.device {
            Device::Cpu { .. } => options.device.reason(),
            #[cfg(feature = "gpu")]
            Device::Gpu { .. } => {
                account.notes.push(format!(
                    "{} was not used: to bring the rows there takes longer than to explain them",
                    options.device.name()
                ));
                "linear SHAP is bound by memory, and computed on the CPU".to_owned()
            }
        };
        let value_function = if conditional {
            ValueFunction::Conditional
        } else {
            ValueFunction::Interventional
        };
        let columns = names(&linear.features);
        let header = Header {
            method: "linear_shap".to_owned(),
            value_function: value_function.name().to_owned(),
            output: Output::Raw.name().to_owned(),
            estimator: if exact {
                Estimator::Exact
            } else {
                Estimator::Sampled
            }
            .name()
            .to_owned(),
            exact,
            base_values,
            interactions: false,
            rules: Vec::new(),
            lime: None,
            tolerance: None,
            fallback: String::new(),
            index: options.index.name().to_owned(),
            feature_names: columns.clone(),
            columns,
            groups: Vec::new(),
            output_names: linear.outputs.clone(),
            model_format: linear.format.to_owned(),
            objective: linear.objective.clone(),
            cover: moments.cover,
            device: Device::cpu().name(),
            device_reason,
            seed: options.seed,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        Ok(Self {
            model,
            sums,
            header,
            account,
        })
    }

    fn linear(&self) -> &Linear {
        match &*self.model {
            Model::Linear(linear) => linear,
            _ => unreachable!("invariant: LinearShap::new took the model apart"),
        }
    }
}

impl Method for LinearShap {
    fn header(&self) -> &Header {
        &self.header
    }

    fn features(&self) -> &[Feature] {
        &self.linear().features
    }

    fn seconds(&self) -> f64 {
        self.sums.seconds()
    }

    fn values(&self, rows: &Rows<'_>, out: &mut [f32]) -> Result<()> {
        if self.sums.values(rows.batch, out)? {
            return Ok(());
        }
        Err(self.fault(rows, out))
    }

    fn margins(&self, rows: usize, cells: &[f64]) -> Result<Vec<f64>> {
        Ok(self.linear().margins(rows, cells))
    }

    fn account(&self, _: Amount) -> Result<Account> {
        Ok(self.account.clone())
    }
}

impl LinearShap {
    /// Why some values of these rows are not finite.
    fn fault(&self, rows: &Rows<'_>, values: &[f32]) -> Error {
        let at = |row: usize, feature: usize| {
            let title = rows.batch.title(feature);
            format!("row {}, {title}", rows.before + row + 1)
        };
        let mut cells = vec![0.0; rows.batch.features()];
        for row in 0..rows.batch.rows() {
            if let Err(error) = rows.batch.fill(row..row + 1, &mut cells) {
                return error;
            }
            if let Some(feature) = cells.iter().position(|cell| !cell.is_finite()) {
                return unusable(MEMORY, at(row, feature), cells[feature]);
            }
        }
        let outputs = self.header.output_names.len();
        let first = values.iter().position(|value| !value.is_finite());
        let cell = first.unwrap_or_default() / outputs;
        let features = self.header.feature_names.len();
        Error::Data {
            path: MEMORY.into(),
            at: at(cell / features, cell % features),
            reason: "its value leaves the range of float32; scale the target of the model down"
                .to_owned(),
        }
    }
}

fn refused(what: &str, instead: &str) -> Error {
    Error::Unsupported {
        what: what.to_owned(),
        by: "linear SHAP".to_owned(),
        instead: instead.to_owned(),
    }
}

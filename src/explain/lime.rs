//! LIME: a linear model of what the model does in the neighbourhood of a row (Ribeiro, Singh & Guestrin 2016, "Why
//! should I trust you?"), as lime 0.2 defines it for tables.
//!
//! Samples are drawn column by column as the training rows have them: of a column in bins a bin by its frequency, and a
//! number of the bin's own normal distribution, cut at its ends; of categories one by its frequency; without a
//! discretizer a normal deviate. A sample is represented by what it has in common with the row, 1 or 0 for each bin or
//! category, and by standardised cells where numbers are quantities. It weighs `sqrt(exp(−d² / width²))` at the Euclidean
//! distance d, and a ridge regression with penalty 1 on the representations has the values as its coefficients, and the
//! base value of the row as its intercept. The row itself is the first sample.
//!
//! Where there are no more samples than features, the ridge is solved in the space of the samples. Coefficients are the
//! same; their standard errors and the fit are NaN where a row's features, and the intercept, are as many as the samples.
//!
//! The samples do not depend on the row, so that an explainer draws them once, and asks the model for them once: each row
//! has exactly lime's estimate, rows are compared by the same samples, and what is left to do for a row is to weigh and
//! to solve. `sample_around_instance` shifts the same deviates to each row, for which the model is asked.
//!
//! Where lime has a defect, this differs: a bin of one number has that number (lime samples 0), a constant column is not
//! perturbed, missing cells are a bin, and classes keep their places.

mod asking;
mod centred;
mod check;
mod column;
mod cuts;
mod differences;
mod fit;
#[cfg(feature = "gpu")]
mod gpu;
mod lars;
mod method;
#[cfg(not(feature = "gpu"))]
mod no_gpu;
mod options;
mod pick;
mod samples;
mod select;
mod square;
mod wide;

use std::sync::Arc;

use ndarray::{Array2, s};
use rayon::prelude::*;
use serde::Serialize;

use self::column::Column;
use self::fit::About;
#[cfg(feature = "gpu")]
use self::gpu::OnGpu;
#[cfg(not(feature = "gpu"))]
use self::no_gpu::OnGpu;
use self::samples::Samples;
use super::Options;
use super::answers::Answers;
use super::background::{Background, Sample};
use super::method::{Account, Asked, Found, names};
use crate::device::Device;
use crate::error::{Error, Result};
use crate::explanation::Header;
use crate::model::{Feature, Model};

pub use self::column::Bins;
pub use self::fit::{Fit, fit, weights};
pub use self::options::{Discretizer, LimeOptions, Selection};
pub use self::pick::pick;

/// The name of the method in results.
pub(crate) const NAME_OF_METHOD: &str = "lime";

/// Rows that are explained between two calls of the model.
const ROWS: usize = 256;

/// Bytes of the rows of a call when no memory limit is given.
const BATCH_BYTES: u64 = 32 << 20;

/// Bytes of the products of the rows that are solved together when no memory limit is given.
const PRODUCT_BYTES: u64 = 2 << 30;

/// Matrices of products that a row holds at a time.
const MATRICES: u64 = 8;

/// What a result says of its samples and of the columns.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Locality {
    /// [`LimeOptions::discretizer`].
    pub discretizer: String,
    /// The distance at which a sample weighs `exp(−1/2)`.
    pub kernel_width: f64,
    /// Features of a row's model at most.
    pub num_features: usize,
    /// Samples, with the row itself.
    pub num_samples: usize,
    /// [`LimeOptions::feature_selection`].
    pub feature_selection: String,
    /// [`LimeOptions::sample_around_instance`].
    pub sample_around_instance: bool,
    /// By feature, what is alike.
    pub bins: Vec<Bins>,
}

/// A row's samples, for a regression that is not ours.
#[derive(Debug)]
pub struct LocalSamples {
    /// The representations (samples, features), of which the first is that of the row.
    pub samples: Array2<f64>,
    /// A weight for each.
    pub weights: Vec<f64>,
    /// What the model answers (samples, outputs).
    pub answers: Array2<f64>,
    /// By output, the features that are chosen.
    pub used: Vec<Vec<usize>>,
}

/// A model made ready for its training rows.
#[derive(Debug)]
pub(super) struct Lime {
    model: Arc<Model>,
    answers: Answers,
    samples: Samples,
    /// What the model answers to the samples, (samples, outputs), where these are the same for all rows.
    common: Option<Array2<f64>>,
    on_gpu: Option<OnGpu>,
    is_quantity: Vec<bool>,
    features: usize,
    selection: Selection,
    /// Rows of a call at most.
    at_once: usize,
    /// Rows that are solved together at most: where these are fewer than threads, threads share the products of a row.
    together: usize,
    header: Header,
    account: Account,
}

impl Lime {
    /// # Errors
    /// See [`super::Explainer::new`].
    pub(super) fn new(
        model: Arc<Model>,
        background: Option<&Background<'_>>,
        options: &Options,
        lime: &LimeOptions,
    ) -> Result<Self> {
        check::check_others(options)?;
        let answers = Answers::new(&model, options.output)?;
        let features = model.features();
        let sample = training(features, background)?;
        check::check(lime, features, sample.rows)?;
        let lime = &lime.with_dense_labels();
        let columns = columns(&sample, features, lime)?;
        let is_quantity: Vec<bool> = columns.iter().map(|c| c.scale().is_some()).collect();
        let width = lime.kernel_width;
        let width = width.unwrap_or_else(|| 0.75 * (features.len() as f64).sqrt());
        let locality = Locality {
            discretizer: lime.discretizer.name().to_owned(),
            kernel_width: width,
            num_features: lime.most_features(features.len()),
            num_samples: lime.num_samples,
            feature_selection: lime.feature_selection.name().to_owned(),
            sample_around_instance: lime.sample_around_instance,
            bins: columns.iter().map(|column| column.bins.clone()).collect(),
        };
        let around = lime.sample_around_instance;
        let samples = Samples::new(columns, lime.num_samples - 1, options.seed, width, around)?;
        let names = names(features);
        let side = lime.num_samples.min(features.len()) as u64;
        let products = (8 * MATRICES * side * side).max(1);
        let row = 3 * 8 * (features.len() + answers.names().len()) as u64;
        let device = Device::cpu();
        let mut made = Self {
            header: Header {
                method: NAME_OF_METHOD.to_owned(),
                value_function: "neighbourhood".to_owned(),
                output: options.output.name().to_owned(),
                estimator: "ridge".to_owned(),
                exact: false,
                base_values: Vec::new(),
                interactions: false,
                rules: Vec::new(),
                tolerance: None,
                fallback: String::new(),
                index: "coefficient".to_owned(),
                feature_names: names.clone(),
                columns: names,
                groups: Vec::new(),
                output_names: answers.names().to_vec(),
                model_format: match &*model {
                    Model::BlackBox(black_box) => black_box.title(),
                    _ => model.format().to_owned(),
                },
                objective: String::new(),
                cover: sample.cover(None),
                device: device.name(),
                device_reason: options.device.reason(),
                lime: Some(Box::new(locality)),
                seed: options.seed,
                version: env!("CARGO_PKG_VERSION").to_owned(),
            },
            answers,
            samples,
            common: None,
            on_gpu: None,
            is_quantity,
            features: lime.most_features(features.len()),
            selection: lime.feature_selection,
            at_once: (options.memory_limit.unwrap_or(BATCH_BYTES) / row).clamp(1, 1 << 24) as usize,
            together: (options.memory_limit.unwrap_or(PRODUCT_BYTES) / products)
                .clamp(1, ROWS as u64) as usize,
            account: Account::default(),
            model,
        };
        let is_cpu = matches!(options.device, Device::Cpu { .. });
        if around {
            if !is_cpu {
                let reason = "samples around each row are its own, and a GPU holds those that all rows have in common";
                reason.clone_into(&mut made.header.device_reason);
                made.account.notes = vec![not_used(options, reason)];
            }
            return Ok(made);
        }
        made.check_missing()?;
        let common = made.ask_samples(None, &mut Asked::default())?;
        made.header.base_values = (common.columns().into_iter())
            .map(|answers| answers.sum() / answers.len() as f64)
            .collect();
        made.account.notes.push(format!(
            "the model was asked once for {} samples that all rows have in common",
            made.samples.count
        ));
        if !is_cpu && made.is_quantity.len() >= lime.num_samples {
            let reason = "no more samples than features are solved in the space of the samples";
            reason.clone_into(&mut made.header.device_reason);
            made.account.notes.push(not_used(options, reason));
        } else if !is_cpu {
            match OnGpu::new(options, &made.samples, &common, &made.header.base_values) {
                Err(Error::Unsupported { what, by, .. }) => {
                    made.header.device_reason = format!("{by} cannot hold {what}");
                    let note = not_used(options, &made.header.device_reason);
                    made.account.notes.push(note);
                }
                on_gpu => {
                    made.on_gpu = on_gpu?;
                    made.header.device = options.device.name();
                }
            }
        }
        made.common = Some(common);
        made.samples.forget();
        Ok(made)
    }

    fn outputs(&self) -> usize {
        self.header.output_names.len()
    }

    /// The models of some rows, by row and output.
    fn fits(&self, cells: &Array2<f64>, found: &mut Found) -> Result<Vec<Vec<Fit>>> {
        let own = |some| cells.slice(s![some, ..]).to_owned();
        let own = self.ask(cells.nrows(), own, &mut found.asked)?;
        let row = |row: usize| (cells.row(row).to_vec(), own.row(row).to_vec());
        let rows = 0..cells.nrows();
        let Some(common) = &self.common else {
            let fit = |at: usize| {
                let (cells, own) = row(at);
                let answers = self.ask_samples(Some(&cells), &mut found.asked)?;
                let about = self.samples.about(&cells, &own, &answers);
                Ok(about.fit(self.features, self.selection))
            };
            return rows.map(fit).collect();
        };
        if let Some(on_gpu) = &self.on_gpu {
            return self.fits_on_gpu(on_gpu, cells, &own);
        }
        let fit = |at: usize| {
            let (cells, own) = row(at);
            let about = self.samples.about(&cells, &own, common);
            about.fit(self.features, self.selection)
        };
        let mut fits = Vec::with_capacity(rows.len());
        for first in rows.step_by(self.together) {
            let some = first..(first + self.together).min(cells.nrows());
            fits.par_extend(some.into_par_iter().map(fit));
        }
        Ok(fits)
    }
}

impl Lime {
    fn fits_on_gpu(
        &self,
        on_gpu: &OnGpu,
        cells: &Array2<f64>,
        own: &Array2<f64>,
    ) -> Result<Vec<Vec<Fit>>> {
        let cells: Vec<Vec<f64>> = cells.outer_iter().map(|row| row.to_vec()).collect();
        let own: Vec<Vec<f64>> = own.outer_iter().map(|row| row.to_vec()).collect();
        let rows: Vec<Vec<f64>> = cells
            .iter()
            .map(|row| self.samples.represent(row))
            .collect();
        let abouts: Vec<About<'_>> = (rows.iter().zip(&own))
            .map(|(row, answers)| About {
                row,
                answers,
                samples: self.samples.count + 1,
                features: self.features,
                selection: self.selection,
            })
            .collect();
        let standardised = cells
            .iter()
            .flat_map(|row| self.samples.standardised_row(row));
        on_gpu.fits(&standardised.collect::<Vec<f32>>(), &abouts)
    }
}

/// What a result says of a device that has no part in it.
fn not_used(options: &Options, reason: &str) -> String {
    format!("{} was not used: {reason}", options.device.name())
}

/// The training rows.
fn training(features: &[Feature], background: Option<&Background<'_>>) -> Result<Sample> {
    match background {
        Some(Background::Rows(rows)) => Sample::read(features, None, rows),
        Some(_) => Err(Error::Unsupported {
            what: "a background of weighted rows, or of moments".to_owned(),
            by: "LIME".to_owned(),
            instead: "give the training rows, or a sample of them: it draws from their columns".to_owned(),
        }),
        None => Err(Error::Parameter {
            name: "background",
            got: "none".to_owned(),
            allowed: "LIME draws its samples from the columns of the training rows; give these, or a sample of them"
                .to_owned(),
        }),
    }
}

/// What there is to know of the columns.
fn columns(sample: &Sample, features: &[Feature], options: &LimeOptions) -> Result<Vec<Column>> {
    let is_category: Vec<bool> = (features.iter().enumerate())
        .map(|(at, feature)| feature.categories.is_some() || options.categorical.contains(&at))
        .collect();
    let is_quantity: Vec<bool> = (is_category.iter())
        .map(|is_category| !is_category && options.discretizer == Discretizer::None)
        .collect();
    check::check_cells(sample, features, &is_quantity)?;
    let column = |at: usize| {
        let cells: Vec<f64> = sample.rows().map(|row| row[at]).collect();
        let categories = features[at].categories.as_ref();
        let labels = categories.map(|categories| &*categories.labels);
        Column::new(&cells, is_category[at], labels, options)
    };
    Ok((0..features.len()).map(column).collect())
}

impl LimeOptions {
    /// The same with labels that are numbered from 0 on.
    fn with_dense_labels(&self) -> Self {
        let dense = |labels: &Vec<u32>| {
            let mut all = labels.clone();
            all.sort_unstable();
            all.dedup();
            let number = |label| all.partition_point(|other| other < label) as u32;
            labels.iter().map(number).collect()
        };
        Self {
            labels: self.labels.as_ref().map(dense),
            ..self.clone()
        }
    }
}

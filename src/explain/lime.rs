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
//! The samples do not depend on the row, so that an explainer draws them once, and asks the model for them once: each row
//! has exactly lime's estimate, rows are compared by the same samples, and what is left to do for a row is to weigh and
//! to solve. `sample_around_instance` shifts the same deviates to each row, for which the model is asked.
//!
//! Where lime has a defect, this differs: a bin of one number has that number (lime samples 0), a constant column is not
//! perturbed, missing cells are a bin, and classes keep their places.

mod check;
mod column;
mod cuts;
mod fit;
#[cfg(feature = "gpu")]
mod gpu;
mod lars;
#[cfg(not(feature = "gpu"))]
mod no_gpu;
mod options;
mod pick;
mod samples;
mod select;
mod square;

use std::sync::Arc;
use std::time::Instant;

use ndarray::{Array2, ArrayView1, Axis, concatenate, s};
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
use super::amount::Amount;
use super::answers::Answers;
use super::background::{Background, NAME, Sample};
use super::method::{
    Account, Asked, Extra, Found, Method, Rows, beyond_range, names, unknown_category, unusable,
};
use crate::device::Device;
use crate::error::{Error, MEMORY, Result};
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
        let row = 3 * 8 * (features.len() + answers.names().len()) as u64;
        let device = Device::cpu();
        let mut made = Self {
            header: Header {
                method: NAME_OF_METHOD.to_owned(),
                value_function: "neighbourhood".to_owned(),
                output: options.output.name().to_owned(),
                estimator: "ridge".to_owned(),
                exact: false,
                base_values: vec![f64::NAN; answers.names().len()],
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
            account: Account::default(),
            model,
        };
        let is_cpu = matches!(options.device, Device::Cpu { .. });
        if around {
            if !is_cpu {
                let reason = "samples around each row are weighed where they are answered";
                made.header.device_reason = reason.to_owned();
                made.account.notes = vec![not_used(options, reason)];
            }
            return Ok(made);
        }
        let rows = made.samples.rows(None);
        made.check_missing(&rows)?;
        let common = made.ask(rows, &mut Asked::default())?;
        made.header.base_values = (common.columns().into_iter())
            .map(|answers| answers.sum() / answers.len() as f64)
            .collect();
        made.account.notes.push(format!(
            "the model was asked once for {} samples that all rows have in common",
            made.samples.count
        ));
        if !is_cpu {
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
        Ok(made)
    }

    fn outputs(&self) -> usize {
        self.header.output_names.len()
    }

    /// Whether the model answers to rows with missing cells.
    fn takes_missing(&self) -> bool {
        matches!(*self.model, Model::Trees(_) | Model::BlackBox(_))
    }

    /// Refuses samples with missing cells of a model that cannot read them.
    fn check_missing(&self, rows: &Array2<f64>) -> Result<()> {
        let missing = rows.columns().into_iter();
        let mut missing = missing.map(|cells| cells.iter().any(|cell| cell.is_nan()));
        match missing.position(|is_missing| is_missing) {
            Some(column) if !self.takes_missing() => {
                let at = format!("column \"{}\"", self.header.columns[column]);
                Err(unusable(NAME, at, f64::NAN))
            }
            _ => Ok(()),
        }
    }

    /// The model's answers, in calls of no more rows than the memory allows.
    fn ask(&self, rows: Array2<f64>, asked: &mut Asked) -> Result<Array2<f64>> {
        let count = rows.nrows();
        let mut parts = Vec::new();
        let mut rows = Some(rows);
        for start in (0..count).step_by(self.at_once) {
            let part = match rows.take() {
                Some(all) if count <= self.at_once => all,
                Some(all) => {
                    let end = (start + self.at_once).min(count);
                    let part = all.slice(s![start..end, ..]).to_owned();
                    rows = Some(all);
                    part
                }
                None => break,
            };
            let begun = Instant::now();
            asked.rows += part.nrows() as u64;
            parts.push(self.answers.to(part)?);
            asked.model += begun.elapsed();
            asked.calls += u64::from(self.answers.is_asked());
        }
        let views: Vec<_> = parts.iter().map(|part| part.view()).collect();
        concatenate(Axis(0), &views).map_err(|error| Error::Shape {
            what: "the answers of the model".to_owned(),
            expected: format!("{} for each row", self.outputs()),
            got: error.to_string(),
        })
    }

    /// The cells of rows, which must be such as LIME and the model can read.
    fn cells(&self, rows: &Rows<'_>) -> Result<Array2<f64>> {
        let mut all = Array2::zeros((rows.batch.rows(), self.is_quantity.len()));
        for (row, mut to) in all.outer_iter_mut().enumerate() {
            let cells = to.as_slice_mut().unwrap_or_default();
            rows.batch.fill(row..row + 1, cells)?;
            let at = |feature: usize| {
                let title = rows.batch.title(feature);
                format!("row {}, {title}", rows.before + row + 1)
            };
            let missing = cells.iter().position(|cell| cell.is_nan());
            if let Some(feature) = missing.filter(|_| !self.takes_missing()) {
                return Err(unusable(MEMORY, at(feature), cells[feature]));
            }
            if let Some(feature) = check::unusable_cell(cells, &self.is_quantity) {
                return Err(check::refused_cell(MEMORY, at(feature), cells[feature]));
            }
            if let Some(feature) = self.model.unknown_category(cells) {
                return Err(unknown_category(MEMORY, at(feature)));
            }
        }
        Ok(all)
    }

    /// The models of some rows, by row and output.
    fn fits(&self, cells: &Array2<f64>, found: &mut Found) -> Result<Vec<Vec<Fit>>> {
        let own = self.ask(cells.clone(), &mut found.asked)?;
        let row = |row: usize| (cells.row(row).to_vec(), own.row(row).to_vec());
        let rows = 0..cells.nrows();
        let Some(common) = &self.common else {
            let fit = |at: usize| {
                let (cells, own) = row(at);
                let answers = self.ask(self.samples.rows(Some(&cells)), &mut found.asked)?;
                let about = self.samples.about(&cells, &own, answers.view());
                Ok(about.fit(self.features, self.selection))
            };
            return rows.map(fit).collect();
        };
        if let Some(on_gpu) = &self.on_gpu {
            return self.fits_on_gpu(on_gpu, cells, &own);
        }
        let fit = |at: usize| {
            let (cells, own) = row(at);
            let about = self.samples.about(&cells, &own, common.view());
            about.fit(self.features, self.selection)
        };
        Ok(rows.into_par_iter().map(fit).collect())
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

impl Method for Lime {
    fn header(&self) -> &Header {
        &self.header
    }

    fn features(&self) -> &[Feature] {
        self.model.features()
    }

    fn seconds(&self) -> f64 {
        let cells = (self.samples.count * self.is_quantity.len()) as f64;
        1e-9 * cells * self.is_quantity.len() as f64 * self.outputs() as f64
    }

    fn least_rows(&self) -> usize {
        if self.common.is_some() { 16 } else { 1 }
    }

    fn is_serial(&self) -> bool {
        true
    }

    fn values(&self, rows: &Rows<'_>, out: &mut [f32]) -> Result<()> {
        self.estimates(rows, out, Extra::default()).map(drop)
    }

    fn has_errors(&self) -> bool {
        true
    }

    fn has_intercepts(&self) -> bool {
        true
    }

    fn estimates(&self, rows: &Rows<'_>, out: &mut [f32], mut extra: Extra<'_>) -> Result<Found> {
        let begun = Instant::now();
        let outputs = self.outputs();
        let width = self.is_quantity.len() * outputs;
        let cells = self.cells(rows)?;
        let mut found = Found::default();
        let unseen = cells
            .outer_iter()
            .filter(|cells| self.samples.unseen(&cells.to_vec()) > 0);
        found.unseen_rows = unseen.count() as u64;
        for (part, cells) in cells.axis_chunks_iter(Axis(0), ROWS).enumerate() {
            for (at, fits) in self.fits(&cells.to_owned(), &mut found)?.iter().enumerate() {
                let row = part * ROWS + at;
                for (output, fit) in fits.iter().enumerate() {
                    let of = |numbers: &[f64], to: &mut [f32]| {
                        let places = to.iter_mut().skip(row * width + output).step_by(outputs);
                        places
                            .zip(numbers)
                            .for_each(|(to, &number)| *to = number as f32);
                    };
                    of(&fit.values, out);
                    of(&fit.errors, extra.errors);
                    extra.set(row * outputs + output, fit);
                    let is_fine = fit
                        .values
                        .iter()
                        .chain(&fit.errors)
                        .all(|v| (*v as f32).is_finite());
                    if !is_fine {
                        let at = format!("row {}", rows.before + row + 1);
                        return Err(beyond_range(at, "a value leaves the range of float32"));
                    }
                    let largest = fit.errors.iter().fold(0.0_f64, |a, &b| a.max(b));
                    found.standard_error = found.standard_error.max(largest);
                }
            }
        }
        found.asked.all = begun.elapsed();
        Ok(found)
    }

    fn local_samples(&self, rows: &Rows<'_>) -> Result<Option<LocalSamples>> {
        let cells = self.cells(rows)?;
        let first: Vec<f64> = cells.row(0).to_vec();
        let mut asked = Asked::default();
        let own = self.ask(cells.slice(s![..1, ..]).to_owned(), &mut asked)?;
        let shifted;
        let answers = if let Some(common) = &self.common {
            common
        } else {
            shifted = self.ask(self.samples.rows(Some(&first)), &mut asked)?;
            &shifted
        };
        let about = self
            .samples
            .about(&first, &own.row(0).to_vec(), answers.view());
        let used = about.select(self.features, self.selection);
        let joined = concatenate(Axis(0), &[own.view(), answers.view()]);
        let answers = joined.map_err(|error| Error::Shape {
            what: "the answers of the model".to_owned(),
            expected: format!("{} for each row", self.outputs()),
            got: error.to_string(),
        })?;
        let mut weights = vec![about.own_weight];
        weights.extend(&about.weights);
        Ok(Some(LocalSamples {
            samples: about.representations(),
            weights,
            answers,
            used,
        }))
    }

    fn components(&self, rows: &Rows<'_>) -> Result<Option<Vec<usize>>> {
        let cells = self.cells(rows)?;
        let bins = self.header.lime.as_ref().map_or(&[][..], |lime| &lime.bins);
        let of = |row: ArrayView1<'_, f64>| -> Vec<usize> {
            let cells = bins.iter().zip(row);
            // A category that no training row has comes after all codes.
            let code = |(bins, cell): (&Bins, &f64)| bins.code(*cell).unwrap_or(bins.codes());
            cells.map(code).collect()
        };
        Ok(Some(cells.outer_iter().flat_map(of).collect()))
    }

    fn rules(&self, rows: &Rows<'_>) -> Result<Option<Vec<Vec<String>>>> {
        let cells = self.cells(rows)?;
        let bins = self.header.lime.as_ref().map_or(&[][..], |lime| &lime.bins);
        let of = |row: ArrayView1<'_, f64>| {
            let cells = bins.iter().zip(&self.header.columns).zip(row);
            cells
                .map(|((bins, name), cell)| bins.rule(name, *cell))
                .collect()
        };
        Ok(Some(cells.outer_iter().map(of).collect()))
    }

    fn margins(&self, rows: usize, cells: &[f64]) -> Result<Vec<f64>> {
        let columns = self.is_quantity.len();
        let rows = Array2::from_shape_vec((rows, columns), cells.to_vec());
        let rows = rows.map_err(|error| Error::Shape {
            what: "the cells of rows".to_owned(),
            expected: format!("rows of {columns}"),
            got: error.to_string(),
        })?;
        Ok(self.answers.to(rows)?.into_iter().collect())
    }

    fn account(&self, _: Amount) -> Result<Account> {
        Ok(self.account.clone())
    }
}

impl Extra<'_> {
    /// What belongs to a row and an output, beside the values, at this place.
    fn set(&mut self, at: usize, fit: &Fit) {
        if let Some(to) = self.intercepts.get_mut(at) {
            *to = fit.intercept;
        }
        if let Some(to) = self.fits.get_mut(at) {
            *to = fit.local_fit as f32;
        }
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

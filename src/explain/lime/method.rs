//! LIME as a method that is run.

use std::time::Instant;

use ndarray::{Array2, ArrayView1, Axis, concatenate, s};

use super::fit::leaves_rest;
use super::{Bins, Fit, Lime, LocalSamples, ROWS};
use crate::error::{Error, Result};
use crate::explain::amount::Amount;
use crate::explain::method::{Account, Asked, Extra, Found, Method, Rows, beyond_range, larger};
use crate::explanation::Header;
use crate::model::Feature;

impl Method for Lime {
    fn header(&self) -> &Header {
        &self.header
    }

    fn features(&self) -> &[Feature] {
        self.model.features()
    }

    fn seconds(&self) -> f64 {
        let (samples, features) = (self.samples.count, self.is_quantity.len());
        let pairs = samples.min(features) as f64;
        1e-9 * (samples * features) as f64 * pairs * self.outputs() as f64
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
        let samples = self.samples.count + 1;
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
                    let is_determined = leaves_rest(samples, fit.used.len());
                    let errors = fit.errors.iter().filter(|_| is_determined);
                    let mut numbers = fit.values.iter().chain(errors);
                    if !numbers.all(|number| (*number as f32).is_finite()) {
                        let at = format!("row {}", rows.before + row + 1);
                        return Err(beyond_range(at, "a value leaves the range of float32"));
                    }
                    found.standard_error = fit
                        .errors
                        .iter()
                        .copied()
                        .fold(found.standard_error, larger);
                }
                let is_open = |fit: &Fit| !leaves_rest(samples, fit.used.len());
                found.undetermined_rows += u64::from(fits.iter().any(is_open));
            }
        }
        found.asked.all = begun.elapsed();
        Ok(found)
    }

    fn local_samples(&self, rows: &Rows<'_>) -> Result<Option<LocalSamples>> {
        let cells = self.cells(rows)?;
        let first: Vec<f64> = cells.row(0).to_vec();
        let mut asked = Asked::default();
        let own = |some| cells.slice(s![some, ..]).to_owned();
        let own = self.ask(1, own, &mut asked)?;
        let shifted;
        let answers = if let Some(common) = &self.common {
            common
        } else {
            shifted = self.ask_samples(Some(&first), &mut asked)?;
            &shifted
        };
        let about = self.samples.about(&first, &own.row(0).to_vec(), answers);
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

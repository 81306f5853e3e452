//! The method of a surrogate, under the name of mimic.

use super::{Distilled, Surrogate, of_surrogate};
use crate::data::View;
use crate::error::Result;
use crate::explain::amount::Amount;
use crate::explain::linear_shap::LinearShap;
use crate::explain::method::{Account, Extra, Found, Method, Rows};
use crate::explain::tree_shap::TreeShap;
use crate::explain::{Options, Output};
use crate::explanation::Header;
use crate::model::{Feature, Model};

/// A surrogate made ready, and what is to be said of it.
#[derive(Debug)]
pub(in crate::explain) struct Mimic {
    inner: Box<dyn Method>,
    header: Header,
    notes: Vec<String>,
}

impl Mimic {
    /// # Errors
    /// See [`crate::Explainer::new`], of the surrogate.
    pub(in crate::explain) fn new(
        distilled: Distilled,
        teacher: &Model,
        background: &View<'_>,
        options: &Options,
    ) -> Result<Self> {
        let notes = notes(&distilled, teacher, options.output);
        let (own, options) = of_surrogate(&distilled.model, background, options);
        let model = distilled.model;
        let inner: Box<dyn Method> = if matches!(*model, Model::Linear(_)) {
            Box::new(LinearShap::new(model, own, &options)?)
        } else {
            Box::new(TreeShap::new(model, own, &options)?)
        };
        let header = Header {
            method: format!("mimic.{}", distilled.surrogate),
            ..inner.header().clone()
        };
        Ok(Self {
            inner,
            header,
            notes,
        })
    }
}

/// What a reader of the values has to know.
fn notes(distilled: &Distilled, teacher: &Model, output: Output) -> Vec<String> {
    let mut notes = vec![format!(
        "the surrogate ({}) answers as the model ({}, output: {output}) does: {}",
        distilled.surrogate,
        teacher.format(),
        distilled.fidelity
    )];
    if distilled.is_constant {
        notes.push(
            "the model answers all rows of the background alike: there is nothing to learn, and every value is 0; give \
             a background of different rows if it should tell them apart"
                .to_owned(),
        );
    }
    if distilled.surrogate == Surrogate::Trees && !distilled.categorical.is_empty() {
        notes.push(format!(
            "trees split the categories of {} by sets of them, in the order of what the model answers to them; those \
             that are not in the background go where a category of mean answers would",
            distilled.categorical.join(", ")
        ));
    }
    if distilled.is_of_all {
        notes.push("after that it learned from the rows that were held out, too".to_owned());
    }
    if distilled.tried.len() > 1 {
        let said = distilled.tried.iter().map(|(surrogate, said)| match said {
            Ok(fidelity) => format!("{surrogate}: {fidelity}"),
            Err(reason) => format!("{surrogate}: {reason}"),
        });
        let said: Vec<String> = said.collect();
        notes.push(format!(
            "the surrogate was chosen by R²: {}",
            said.join("; ")
        ));
    }
    notes
}

impl Method for Mimic {
    fn header(&self) -> &Header {
        &self.header
    }

    fn features(&self) -> &[Feature] {
        self.inner.features()
    }

    fn kept(&self) -> Option<&[u32]> {
        self.inner.kept()
    }

    fn seconds(&self) -> f64 {
        self.inner.seconds()
    }

    fn least_rows(&self) -> usize {
        self.inner.least_rows()
    }

    fn is_serial(&self) -> bool {
        self.inner.is_serial()
    }

    fn values(&self, rows: &Rows<'_>, out: &mut [f32]) -> Result<()> {
        self.inner.values(rows, out)
    }

    fn estimates(&self, rows: &Rows<'_>, out: &mut [f32], extra: Extra<'_>) -> Result<Found> {
        self.inner.estimates(rows, out, extra)
    }

    fn has_errors(&self) -> bool {
        self.inner.has_errors()
    }

    fn margins(&self, rows: usize, cells: &[f64]) -> Result<Vec<f64>> {
        self.inner.margins(rows, cells)
    }

    fn account(&self, amount: Amount) -> Result<Account> {
        let account = self.inner.account(amount)?;
        let notes = self.notes.iter().cloned().chain(account.notes);
        Ok(Account {
            notes: notes.collect(),
            ..account
        })
    }
}

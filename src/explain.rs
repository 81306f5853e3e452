//! Explainers: a model, a value function and a device, ready for rows.

mod tree_shap;

use std::sync::Arc;

use crate::data::{ReadOptions, Reader, Table};
use crate::device::Device;
use crate::error::Result;
use crate::explanation::{Explanation, Header, Sink, Trailer};
use crate::model::Model;
use tree_shap::TreeShap;

/// Threads of the CPU at most.
pub const MAX_THREADS: usize = 1024;

/// How to explain.
#[derive(Debug, Clone)]
pub struct Options {
    /// The device; [`Device::auto`] by default.
    pub device: Device,
    /// CPU threads, up to [`MAX_THREADS`]; 0 takes all.
    pub threads: usize,
    /// Bytes that batches of rows and their values may take; `None` for a tenth of a gibibyte.
    pub memory_limit: Option<u64>,
    /// Rows whose additivity is checked against float64 margins; `None` checks up to 256.
    pub additivity_rows: Option<u64>,
    /// Recorded in the result; exact methods draw no random numbers.
    pub seed: u64,
}

impl Options {
    /// The defaults on a device that is chosen already; [`Options::default`] looks for one.
    pub fn on(device: Device) -> Self {
        Self {
            device,
            threads: 0,
            memory_limit: None,
            additivity_rows: None,
            seed: 0,
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::on(Device::auto())
    }
}

/// A model made ready for a device: check and pack once, explain many times, from several threads
/// if wanted.
#[derive(Debug)]
pub struct Explainer {
    method: TreeShap,
}

impl Explainer {
    /// Checks everything that can be checked. The model is packed for the device when the first rows
    /// come, because their number decides how. `background` is needed where the model file holds no
    /// cover.
    ///
    /// # Errors
    /// [`crate::Error::Parameter`] if the model stores no cover and there is no background, or for
    /// too many threads;
    /// [`crate::Error::Shape`] if the background does not fit the model, [`crate::Error::Data`] if
    /// it has no rows; [`crate::Error::Unsupported`] if values could leave the range of float32.
    pub fn new(model: Arc<Model>, background: Option<&Table>, options: Options) -> Result<Self> {
        Ok(Self {
            method: TreeShap::new(model, background, options)?,
        })
    }

    /// How a reader has to read the columns of this model.
    pub fn read_options(&self) -> ReadOptions {
        self.method.read_options()
    }

    /// What will hold for every row.
    pub fn header(&self) -> &Header {
        self.method.header()
    }

    /// Explains all rows of a table.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] if the table's columns are not the model's; [`crate::Error::Data`]
    /// for an empty table; [`crate::Error::Unsupported`] if there is no memory for the values;
    /// [`crate::Error::Gpu`] if the device fails.
    pub fn explain(&self, table: &Table) -> Result<Explanation> {
        self.method.explain(table)
    }

    /// Explains the rows of a reader batch by batch and writes them to a sink; `progress` is told
    /// the rows done.
    ///
    /// # Errors
    /// As [`Explainer::explain`], and what the reader and the sink say.
    pub fn explain_into(
        &self,
        reader: &mut Reader,
        sink: &mut dyn Sink,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Trailer> {
        self.method.explain_into(reader, sink, progress)
    }
}

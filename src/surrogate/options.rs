//! How a surrogate is trained.

use crate::device::Device;
use crate::error::{Error, Result};
use crate::han::{Config, Loss};
use crate::text::VocabularyOptions;

/// How a surrogate is trained.
#[derive(Debug, Clone)]
pub struct SurrogateOptions {
    /// The network's sizes, how it learns, and its seed; loss and outputs are those of the model's answers, and the
    /// embedding has the size of the vectors, where there are some.
    pub network: Config,
    /// Which words have a number of their own.
    pub vocabulary: VocabularyOptions,
    /// Where it is trained.
    pub device: Device,
    /// Epochs in all, at most.
    pub epochs: u64,
    /// Epochs in a row that may pass without a smaller loss of the documents that are held out; `None` for any number.
    pub patience: Option<u64>,
    /// The share of the documents that are held out, below 1; none of fewer than 20 documents.
    pub held_out: f64,
}

impl Default for SurrogateOptions {
    fn default() -> Self {
        Self {
            network: Config {
                learning_rate: 2e-3,
                ..Config::new(1, Loss::Squares)
            },
            vocabulary: VocabularyOptions::default(),
            device: Device::cpu(),
            epochs: 6,
            patience: Some(2),
            held_out: 0.1,
        }
    }
}

impl SurrogateOptions {
    pub(super) fn check(&self) -> Result<()> {
        if !(0.0..1.0).contains(&self.held_out) {
            return Err(Error::Parameter {
                name: "held_out",
                got: self.held_out.to_string(),
                allowed: "a share of the documents, from 0 up to below 1".to_owned(),
            });
        }
        Ok(())
    }
}

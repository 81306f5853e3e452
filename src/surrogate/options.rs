//! How a surrogate is trained.

use crate::device::Device;
use crate::error::{Error, Result};
use crate::han::{Config, Loss, Until};
use crate::text::VocabularyOptions;

/// Steps that a training may take without a smaller loss, at the least.
const PATIENCE: u64 = 100;

/// Steps of a training, where nobody says how many epochs, and epochs of it at least and at most.
const STEPS: u64 = 1500;
const LEAST: u64 = 6;
const MOST: u64 = 60;

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
    /// Epochs in all, at most; `None` for 6, or as many as take 1500 steps, up to 60.
    pub epochs: Option<u64>,
    /// Epochs in a row that may pass without a smaller loss of the documents that are held out, or as many more as take 100
    /// steps; `None` for any number.
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
            epochs: None,
            patience: Some(2),
            held_out: 0.1,
        }
    }
}

impl SurrogateOptions {
    /// When a training of so many documents ends, of which some are held out or none.
    pub(super) fn until(&self, documents: usize, has_held_out: bool) -> Until {
        let steps = documents.div_ceil(self.network.batch.max(1)).max(1) as u64;
        // An epoch of a small corpus is few steps.
        let patience = self
            .patience
            .map(|epochs| epochs.max(PATIENCE.div_ceil(steps)));
        Until {
            epochs: self
                .epochs
                .unwrap_or_else(|| STEPS.div_ceil(steps).clamp(LEAST, MOST)),
            patience: patience.filter(|_| has_held_out),
        }
    }

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

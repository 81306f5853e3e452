//! Training: epochs of batches, with Adam and gradients whose norm is clipped.
//!
//! The table of the words learns lazily: a step moves the vectors of the words that its batch has, and their moments,
//! as an optimiser for sparse gradients does. Whatever the number of threads, shards are the same and their sums come
//! together in one order, so that a training is the same to the bit.

use std::time::Instant;

use whylight_kernels::attention::Dropout;
use whylight_kernels::vectors::NONE;

use super::batches::batches;
use super::shard::Dropouts;
use super::{Config, Corpus, Han, Tensor, gpu, parameter, shape};
use crate::device::Device;
use crate::error::Result;
use crate::random::mix;

/// How far a training has come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// The epoch, from 0 on.
    pub epoch: u64,
    /// Documents of it that are done.
    pub done: usize,
    /// Documents of an epoch.
    pub documents: usize,
    /// The mean loss of the epoch so far; of a GPU NaN until the epoch is complete, as nothing comes back before.
    pub loss: f64,
    /// The mean loss of the documents that are held out, where the epoch is complete and there are any.
    pub held_out: Option<f64>,
    /// Documents in a second, since the training was last begun.
    pub documents_per_second: f64,
}

/// When a training ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Until {
    /// When the network has learned so many epochs, those before included.
    pub epochs: u64,
    /// After so many epochs in a row that did not lower the loss of the documents that are held out: the weights of the
    /// best epoch are then taken again.
    pub patience: Option<u64>,
}

/// How a training ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The mean loss of each epoch that was completed, and of the documents that are held out.
    pub epochs: Vec<(f64, Option<f64>)>,
    /// Whether it was stopped before its end. The weights are those of the last batch.
    pub is_stopped: bool,
}

/// A network that learns, and all that its next step depends on.
#[derive(Debug, Clone)]
pub struct Training {
    pub(super) han: Han,
    pub(super) state: State,
    pub(super) moments: Moments,
    pub(super) tensors: Vec<Tensor>,
    device: Device,
}

/// What takes the steps of a training, on one device.
pub(super) trait Steps {
    /// Takes a step. What it changes, and its loss, may be known later.
    fn step(&mut self, training: &mut Training, corpus: Corpus<'_>, batch: &[u32]) -> Result<()>;

    /// Brings all that steps have changed, and their losses, to the training.
    fn settle(&mut self, training: &mut Training) -> Result<()>;
}

/// Where a training is.
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize, serde::Deserialize)]
pub(super) struct State {
    /// Steps taken.
    pub(super) steps: u64,
    /// Epochs completed.
    pub(super) epochs: u64,
    /// Batches of the next one that are done.
    pub(super) batches: u64,
    /// Documents of its corpus, 0 before its first batch.
    pub(super) documents: u64,
    /// The sum of the losses of its batches' documents, and that of their weights.
    pub(super) loss: [f64; 2],
}

/// The first and second moments of all weights.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Moments {
    pub(super) table: [Vec<f32>; 2],
    pub(super) dense: [Vec<f32>; 2],
}

impl Training {
    /// Of a network that has learned nothing yet, or begins anew.
    pub fn new(han: Han) -> Self {
        let zeros = |count: usize| [vec![0.0; count], vec![0.0; count]];
        let learned = if han.config.learns_embedding {
            han.weights.table().len()
        } else {
            0
        };
        let moments = Moments {
            table: zeros(learned),
            dense: zeros(han.weights.dense().len()),
        };
        Self {
            tensors: han.config.tensors(),
            han,
            state: State::default(),
            moments,
            device: Device::cpu(),
        }
    }

    /// The same training on a device. What a GPU cannot hold trains on the CPU, and [`Training::device`] says why.
    #[must_use]
    pub fn on(mut self, device: &Device) -> Self {
        self.set_device(device);
        self
    }

    /// Goes on on a device, as [`Training::on`] says.
    pub fn set_device(&mut self, device: &Device) {
        self.device = gpu::able(self, device, None);
    }

    /// Where it trains.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The network as it is.
    pub fn han(&self) -> &Han {
        &self.han
    }

    /// The network as it is.
    pub fn into_han(self) -> Han {
        self.han
    }

    /// Epochs that are complete.
    pub fn epochs(&self) -> u64 {
        self.state.epochs
    }

    /// Sets the learning rate of the steps that come.
    ///
    /// # Errors
    /// [`crate::Error::Parameter`] if it is not above 0 and finite.
    pub fn set_learning_rate(&mut self, rate: f64) -> Result<()> {
        let config = Config {
            learning_rate: rate,
            ..self.han.config.clone()
        };
        config.check()?;
        self.han.config = config;
        Ok(())
    }

    /// Trains until the end, or until `go_on`, which is asked after each batch, says no. What has been learned stays in
    /// either case, and the next call goes on where this one ended.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] or [`crate::Error::Parameter`] if the corpus is none that this network can learn from, or another
    /// than that of the epoch under way, or if the loss is not finite any more.
    pub fn train(
        &mut self,
        corpus: Corpus<'_>,
        held_out: Option<Corpus<'_>>,
        until: Until,
        go_on: &mut dyn FnMut(&Progress) -> bool,
    ) -> Result<Outcome> {
        self.check(corpus)?;
        if let Some(held_out) = held_out {
            self.check(held_out)?;
        }
        if until.patience.is_some() && held_out.is_none() {
            let allowed = "it needs documents that are held out";
            return Err(parameter("patience", "patience", allowed));
        }
        let documents = corpus.documents.len();
        if self.state.batches > 0 && self.state.documents != documents as u64 {
            let expected = format!("{} documents", self.state.documents);
            return Err(shape(
                "the epoch under way",
                expected,
                documents.to_string(),
            ));
        }
        self.state.documents = documents as u64;
        self.device = gpu::able(self, &self.device, Some(corpus));
        let mut steps = self.steps(corpus);
        let mut outcome = Outcome {
            epochs: Vec::new(),
            is_stopped: false,
        };
        let mut best: Option<(f64, u64, Han)> = None;
        let (begun, mut passed) = (Instant::now(), 0);
        while self.state.epochs < until.epochs {
            let (size, seed) = (self.han.config.batch, self.han.config.seed);
            let batches = batches(corpus.documents, size, seed, self.state.epochs);
            let first = self.state.batches as usize;
            let mut done: usize = batches.iter().take(first).map(Vec::len).sum();
            for (number, batch) in batches.iter().enumerate().skip(first) {
                steps.step(self, corpus, batch)?;
                self.state.batches += 1;
                let is_last = number + 1 == batches.len();
                if is_last {
                    steps.settle(self)?;
                }
                (done, passed) = (done + batch.len(), passed + batch.len());
                let mut progress = Progress {
                    epoch: self.state.epochs,
                    done,
                    documents,
                    loss: self.state.loss[0] / self.state.loss[1],
                    held_out: None,
                    documents_per_second: passed as f64 / begun.elapsed().as_secs_f64().max(1e-9),
                };
                if is_last {
                    progress.held_out = held_out.map(|c| self.han.loss(c)).transpose()?;
                    self.state = State {
                        epochs: self.state.epochs + 1,
                        batches: 0,
                        loss: [0.0; 2],
                        ..self.state
                    };
                    outcome.epochs.push((progress.loss, progress.held_out));
                }
                outcome.is_stopped = !go_on(&progress);
                if outcome.is_stopped {
                    steps.settle(self)?;
                    return Ok(outcome);
                }
            }
            let last = outcome.epochs.last().and_then(|&(_, held_out)| held_out);
            if let (Some(patience), Some(loss)) = (until.patience, last) {
                if best.as_ref().is_none_or(|&(least, ..)| loss < least) {
                    best = Some((loss, self.state.epochs, self.han.clone()));
                } else if best
                    .as_ref()
                    .is_some_and(|&(_, epoch, _)| self.state.epochs >= epoch + patience.max(1))
                {
                    break;
                }
            }
        }
        if let Some((.., han)) = best {
            self.han = han;
        }
        Ok(outcome)
    }

    fn steps(&self, corpus: Corpus<'_>) -> Box<dyn Steps> {
        gpu::steps(self, &self.device, corpus).unwrap_or_else(|| Box::new(self.room()))
    }

    pub(super) fn check(&self, corpus: Corpus<'_>) -> Result<()> {
        self.han.check_corpus(corpus)
    }

    /// The words of a document, without those that this epoch leaves out.
    pub(super) fn words<'a>(
        &self,
        corpus: Corpus<'a>,
        document: u32,
    ) -> impl Iterator<Item = u32> + use<'a> {
        let share = self.han.config.word_dropout;
        let seed = mix(self.han.config.seed ^ mix(self.state.epochs << 32 | u64::from(document)));
        let words = corpus.documents[document as usize].words.iter();
        words.zip(0..).map(move |(&word, place)| {
            let unit = (mix(seed ^ mix(place)) >> 11) as f64 / (1_u64 << 53) as f64;
            if unit < share { NONE } else { word }
        })
    }

    /// What the next step drops, of sentences and documents from these numbers on.
    pub(super) fn dropouts(&self, firsts: [u32; 2]) -> Dropouts {
        let share = self.han.config.dropout;
        let mut level = 0;
        Dropouts(firsts.map(|first| {
            level += 1;
            Dropout {
                seed: mix(self.han.config.seed ^ mix(2 * self.state.steps + level)) as u32,
                below: (share * (1_u64 << 32) as f64) as u32,
                scale: (1.0 / (1.0 - share)) as f32,
                first,
            }
        }))
    }

    /// Takes the loss of a batch, as a sum over its documents, and the sum of their weights.
    pub(super) fn add_loss(&mut self, loss: f64, weight: f64) -> Result<()> {
        if !loss.is_finite() {
            let allowed = "with it the loss is not finite any more; take a smaller one";
            let rate = self.han.config.learning_rate;
            return Err(parameter("learning_rate", rate, allowed));
        }
        self.state.loss[0] += loss;
        self.state.loss[1] += weight;
        Ok(())
    }
}

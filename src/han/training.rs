//! Training: epochs of batches, with Adam and gradients whose norm is clipped.
//!
//! The table of the words learns lazily: a step moves the vectors of the words that its batch has, and their moments,
//! as an optimiser for sparse gradients does. Whatever the number of threads, shards are the same and their sums come
//! together in one order, so that a training is the same to the bit.

use std::time::Instant;

use ndarray::ArrayView2;
use rayon::prelude::*;
use whylight_kernels::Level;
use whylight_kernels::adam::{Step, squares, update};
use whylight_kernels::attention::Dropout;
use whylight_kernels::loss;
use whylight_kernels::matrix::Matrix;
use whylight_kernels::vectors::{NONE, Places, sum_places};

use super::batches::batches;
use super::network::Asked;
use super::shard::{self, Dropouts, Shard};
use super::{Config, Encoded, Han, Loss, Tensor, parameter, shape};
use crate::error::Result;
use crate::random::mix;

/// What a network learns from.
#[derive(Debug, Clone, Copy)]
pub struct Corpus<'a> {
    /// The documents.
    pub documents: &'a [Encoded],
    /// What the teacher answers, (document, output).
    pub targets: ArrayView2<'a, f32>,
    /// How much each document counts; all the same without it.
    pub weights: Option<&'a [f32]>,
}

/// How far a training has come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// The epoch, from 0 on.
    pub epoch: u64,
    /// Documents of it that are done.
    pub done: usize,
    /// Documents of an epoch.
    pub documents: usize,
    /// The mean loss of the epoch so far.
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
    tensors: Vec<Tensor>,
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

/// What the batches of a training reuse.
struct Room {
    level: Level,
    shards: Vec<Shard>,
    asked: Asked,
    dense: Vec<f32>,
    words: Matrix,
    sums: Vec<f32>,
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
        }
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
        let mut room = self.room();
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
                let [loss, share] = self.step(&mut room, corpus, batch)?;
                self.state.loss[0] += loss;
                self.state.loss[1] += share;
                self.state.batches += 1;
                (done, passed) = (done + batch.len(), passed + batch.len());
                let mut progress = Progress {
                    epoch: self.state.epochs,
                    done,
                    documents,
                    loss: self.state.loss[0] / self.state.loss[1].max(f64::MIN_POSITIVE),
                    held_out: None,
                    documents_per_second: passed as f64 / begun.elapsed().as_secs_f64().max(1e-9),
                };
                if number + 1 == batches.len() {
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

    fn room(&self) -> Room {
        let config = &self.han.config;
        Room {
            level: Level::detect(),
            shards: Vec::new(),
            asked: Asked::new(config),
            dense: vec![0.0; self.han.weights.dense().len()],
            words: Matrix::default(),
            sums: Vec::new(),
        }
    }

    fn check(&self, corpus: Corpus<'_>) -> Result<()> {
        self.han.check_corpus(corpus)
    }

    /// One batch: the sum of its losses, and that of its documents' weights.
    fn step(&mut self, room: &mut Room, corpus: Corpus<'_>, batch: &[u32]) -> Result<[f64; 2]> {
        let [loss, weight] = self.ask(room, corpus, batch);
        if !loss.is_finite() {
            let allowed = "with it the loss is not finite any more; take a smaller one";
            let rate = self.han.config.learning_rate;
            return Err(parameter("learning_rate", rate, allowed));
        }
        let places = self.places(room, corpus, batch);
        let norm = (squares(&room.dense) + squares(&room.sums)).sqrt();
        self.state.steps += 1;
        let config = &self.han.config;
        let scale = if norm > config.clip {
            config.clip / norm
        } else {
            1.0
        };
        let step = Step::new(config.learning_rate, self.state.steps, scale);
        let (table, dense) = self.han.weights.both_mut();
        let [first, second] = &mut self.moments.dense;
        update(room.level, step, &room.dense, dense, first, second);
        let size = config.embedding;
        for (&word, sums) in places.words.iter().zip(room.sums.chunks(size)) {
            let range = word as usize * size..(word as usize + 1) * size;
            let [first, second] = &mut self.moments.table;
            let (first, second) = (&mut first[range.clone()], &mut second[range.clone()]);
            update(room.level, step, sums, &mut table[range], first, second);
        }
        self.han.network.pack(self.han.weights.dense());
        Ok([loss * weight, weight])
    }

    /// What a batch asks of the weights, in `room`: the mean loss, and the sum of the documents' weights.
    fn ask(&self, room: &mut Room, corpus: Corpus<'_>, batch: &[u32]) -> [f64; 2] {
        let config = &self.han.config;
        let weight_of = |document: u32| {
            (corpus.weights).map_or(1.0, |weights| f64::from(weights[document as usize]))
        };
        let weight: f64 = batch.iter().map(|&document| weight_of(document)).sum();
        let shards = batch.len().div_ceil(shard::DOCUMENTS);
        while room.shards.len() < shards {
            room.shards.push(Shard::new(config));
        }
        let mut firsts = Vec::with_capacity(shards);
        let mut sentences = 0;
        for part in batch.chunks(shard::DOCUMENTS) {
            firsts.push(sentences);
            let counts = part
                .iter()
                .map(|&d| corpus.documents[d as usize].sentences.len());
            sentences += counts.sum::<usize>() as u32;
        }
        let parts = batch.par_chunks(shard::DOCUMENTS).enumerate();
        let losses: Vec<f64> = (room.shards.par_iter_mut().zip(parts))
            .map(|(shard, (number, part))| {
                let documents: Vec<&Encoded> = part
                    .iter()
                    .map(|&d| &corpus.documents[d as usize])
                    .collect();
                let words: Vec<u32> = part.iter().flat_map(|&d| self.words(corpus, d)).collect();
                shard.take_with(&documents, &words);
                shard.look_up(self.han.weights.table(), 1.0);
                let dropouts = self.dropouts([firsts[number], (number * shard::DOCUMENTS) as u32]);
                shard.forward(&self.han.network, dropouts);
                let mut targets = Vec::with_capacity(part.len() * config.outputs);
                for &document in part {
                    targets.extend(corpus.targets.row(document as usize));
                }
                let shares: Vec<f32> = part
                    .iter()
                    .map(|&d| (weight_of(d) / weight.max(f64::MIN_POSITIVE)) as f32)
                    .collect();
                let (kind, count) = (config.loss.kernel(), config.outputs);
                let loss = loss::ask(kind, &mut shard.outputs, &targets, &shares, count);
                shard.asked.clear();
                shard.back(&self.han.network, true, config.learns_embedding, dropouts);
                loss
            })
            .collect();
        let asked = &mut room.asked;
        asked.clear();
        for shard in &room.shards[..shards] {
            asked.add(&shard.asked);
        }
        asked.unpack(config, &self.tensors, &mut room.dense);
        [losses.iter().sum(), weight]
    }

    /// The words of a batch, and what is asked of each, in `room.sums`.
    fn places(&self, room: &mut Room, corpus: Corpus<'_>, batch: &[u32]) -> Places {
        room.sums.clear();
        let size = self.han.config.embedding;
        if !self.han.config.learns_embedding {
            return Places::default();
        }
        let words: Vec<u32> = batch.iter().flat_map(|&d| self.words(corpus, d)).collect();
        room.words.reshape(words.len(), size);
        let mut row = 0;
        for shard in &room.shards[..batch.len().div_ceil(shard::DOCUMENTS)] {
            let asked = shard.asked_words().numbers();
            room.words.numbers_mut()[row..row + asked.len()].copy_from_slice(asked);
            row += asked.len();
        }
        let places = Places::new(&words);
        room.sums.resize(places.words.len() * size, 0.0);
        sum_places(&places, size, room.words.from(0), &mut room.sums);
        places
    }

    /// The words of a document, without those that this epoch leaves out.
    fn words<'a>(&self, corpus: Corpus<'a>, document: u32) -> impl Iterator<Item = u32> + use<'a> {
        let share = self.han.config.word_dropout;
        let seed = mix(self.han.config.seed ^ mix(self.state.epochs << 32 | u64::from(document)));
        let words = corpus.documents[document as usize].words.iter();
        words.zip(0..).map(move |(&word, place)| {
            let unit = (mix(seed ^ mix(place)) >> 11) as f64 / (1_u64 << 53) as f64;
            if unit < share { NONE } else { word }
        })
    }

    /// What the next step drops, of sentences and documents from these numbers on.
    fn dropouts(&self, firsts: [u32; 2]) -> Dropouts {
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

    /// What a batch of documents asks of each tensor of [`Config::tensors`], side by side, then of the table; and
    /// its loss. For those who compare gradients.
    ///
    /// # Errors
    /// As [`Training::train`].
    pub fn ask_all(&self, corpus: Corpus<'_>) -> Result<(f64, Vec<f32>, Vec<f32>)> {
        self.check(corpus)?;
        let batch: Vec<u32> = (0..corpus.documents.len() as u32).collect();
        let mut room = self.room();
        let [loss, _] = self.ask(&mut room, corpus, &batch);
        let places = self.places(&mut room, corpus, &batch);
        let size = self.han.config.embedding;
        let mut table = vec![0.0; self.han.weights.table().len()];
        for (&word, sums) in places.words.iter().zip(room.sums.chunks(size)) {
            table[word as usize * size..][..size].copy_from_slice(sums);
        }
        Ok((loss, room.dense, table))
    }
}

impl Han {
    /// The mean loss of documents.
    ///
    /// # Errors
    /// As [`Training::train`].
    pub fn loss(&self, corpus: Corpus<'_>) -> Result<f64> {
        self.check_corpus(corpus)?;
        let answers = self.answers(corpus.documents)?;
        let (mut sum, mut weights) = (0.0, 0.0);
        let rows = answers.outer_iter().zip(corpus.targets.outer_iter());
        for (document, (answers, targets)) in rows.enumerate() {
            let pairs = answers.iter().zip(targets);
            let wide = pairs.map(|(&answer, &target)| (f64::from(answer), f64::from(target)));
            let loss: f64 = match self.config.loss {
                Loss::CrossEntropy => wide
                    .map(|(p, t)| {
                        if t == 0.0 {
                            0.0
                        } else {
                            -t * p.max(LEAST).ln()
                        }
                    })
                    .sum(),
                Loss::Squares => {
                    wide.map(|(y, t)| (y - t) * (y - t)).sum::<f64>() / answers.len() as f64
                }
            };
            let weight = corpus
                .weights
                .map_or(1.0, |weights| f64::from(weights[document]));
            sum += weight * loss;
            weights += weight;
        }
        Ok(sum / weights.max(f64::MIN_POSITIVE))
    }

    fn check_corpus(&self, corpus: Corpus<'_>) -> Result<()> {
        self.check(corpus.documents)?;
        let expected = (corpus.documents.len(), self.config.outputs);
        if corpus.targets.dim() != expected {
            let expected = format!("{} rows of {} numbers", expected.0, expected.1);
            let got = format!("{:?}", corpus.targets.dim());
            return Err(shape("the teacher's answers", expected, got));
        }
        if corpus.documents.is_empty() {
            return Err(shape("the corpus", "a document at least", "none"));
        }
        for (document, row) in corpus.targets.outer_iter().enumerate() {
            let what = || format!("the teacher's answer to document {document}");
            if let Some(number) = row.iter().find(|number| !number.is_finite()) {
                return Err(shape(what(), "finite numbers", number.to_string()));
            }
            let sum: f64 = row.iter().map(|&p| f64::from(p)).sum();
            let is_distribution = row.iter().all(|&p| p >= 0.0) && (sum - 1.0).abs() < 1e-3;
            if self.config.loss == Loss::CrossEntropy && !is_distribution {
                let expected = "probabilities that add up to 1";
                return Err(shape(what(), expected, format!("{row}")));
            }
        }
        if let Some(weights) = corpus.weights {
            if weights.len() != corpus.documents.len() {
                let expected = format!("{}, one a document", corpus.documents.len());
                return Err(shape(
                    "the documents' weights",
                    expected,
                    weights.len().to_string(),
                ));
            }
            let sum: f64 = weights.iter().map(|&w| f64::from(w)).sum();
            if weights.iter().any(|&w| !w.is_finite() || w < 0.0) || sum <= 0.0 {
                let expected = "finite numbers from 0 on, one above it at least";
                return Err(shape("the documents' weights", expected, "others"));
            }
        }
        Ok(())
    }
}

/// The probability that a loss takes for 0.
const LEAST: f64 = 1e-30;

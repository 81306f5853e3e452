//! Steps of a training on the CPU: threads share the shards of a batch.

use rayon::prelude::*;
use whylight_kernels::Level;
use whylight_kernels::adam::{Step, squares, update};
use whylight_kernels::loss;
use whylight_kernels::matrix::Matrix;
use whylight_kernels::vectors::{Places, sum_places};

use super::network::Asked;
use super::shard::{self, Shard};
use super::training::Steps;
use super::{Config, Corpus, Encoded, Training, gpu};
use crate::error::Result;

/// A loss, and what is asked of all weights but the table, and of that.
pub(super) type Gradients = (f64, Vec<f32>, Vec<f32>);

/// What the batches of a training reuse.
pub(super) struct Room {
    level: Level,
    shards: Vec<Shard>,
    asked: Asked,
    dense: Vec<f32>,
    words: Matrix,
    sums: Vec<f32>,
}

impl Steps for Room {
    fn step(&mut self, training: &mut Training, corpus: Corpus<'_>, batch: &[u32]) -> Result<()> {
        let [loss, weight] = training.ask(self, corpus, batch);
        training.add_loss(loss * weight, weight)?;
        let places = training.places(self, corpus, batch);
        let norm = (squares(&self.dense) + squares(&self.sums)).sqrt();
        training.state.steps += 1;
        let han = &mut training.han;
        let Config {
            clip,
            learning_rate,
            embedding,
            ..
        } = han.config;
        let scale = if norm > clip { clip / norm } else { 1.0 };
        let step = Step::new(learning_rate, training.state.steps, scale);
        let (table, dense) = han.weights.both_mut();
        let [first, second] = &mut training.moments.dense;
        update(self.level, step, &self.dense, dense, first, second);
        let [first, second] = &mut training.moments.table;
        for (&word, sums) in places.words.iter().zip(self.sums.chunks(embedding)) {
            let range = word as usize * embedding..(word as usize + 1) * embedding;
            let (first, second) = (&mut first[range.clone()], &mut second[range.clone()]);
            update(self.level, step, sums, &mut table[range], first, second);
        }
        han.network.pack(han.weights.dense());
        Ok(())
    }

    fn settle(&mut self, _: &mut Training) -> Result<()> {
        Ok(())
    }
}

impl Training {
    pub(super) fn room(&self) -> Room {
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

    /// What a batch asks of the weights, in `room`: the mean loss, and the sum of the documents' weights.
    fn ask(&self, room: &mut Room, corpus: Corpus<'_>, batch: &[u32]) -> [f64; 2] {
        let config = &self.han.config;
        let weight_of = |document| corpus.weight(document);
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

    /// What a batch of documents asks of each tensor of [`Config::tensors`], side by side, then of the table; and
    /// its loss. For those who compare gradients.
    ///
    /// # Errors
    /// As [`Training::train`].
    pub fn ask_all(&self, corpus: Corpus<'_>) -> Result<Gradients> {
        self.check(corpus)?;
        if let Some(asked) = gpu::ask_all(self, corpus)? {
            return Ok(asked);
        }
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

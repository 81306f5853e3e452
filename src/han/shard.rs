//! A few documents on their way through the network and back: what one thread has at a time.

use whylight_kernels::Level;
use whylight_kernels::attention::Dropout;
use whylight_kernels::gru::Sequences;
use whylight_kernels::matmul::{multiply, outer, sum_rows};
use whylight_kernels::matrix::Matrix;
use whylight_kernels::vectors;

use super::encoder::Pass;
use super::network::{Asked, Network};
use super::{Attention, Config, Encoded};

/// Documents of a shard. Fewer would leave the products of sentences too few rows, more some threads without work.
pub(super) const DOCUMENTS: usize = 4;

/// The two places where numbers are dropped: in the vectors of sentences, and in those of documents.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dropouts(pub(super) [Dropout; 2]);

impl Dropouts {
    pub(super) const NONE: Self = Self([Dropout::NONE; 2]);
}

/// A shard.
#[derive(Debug)]
pub(super) struct Shard {
    level: Level,
    embedding: usize,
    words: Vec<u32>,
    passes: [Pass; 2],
    /// What the network answers, before softmax; or what is asked of that.
    pub(super) outputs: Matrix,
    documents: Matrix,
    asked_documents: Matrix,
    /// What is asked of the weights.
    pub(super) asked: Asked,
}

impl Shard {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            level: Level::detect(),
            embedding: config.embedding,
            words: Vec::new(),
            passes: Default::default(),
            outputs: Matrix::default(),
            documents: Matrix::default(),
            asked_documents: Matrix::default(),
            asked: Asked::new(config),
        }
    }

    /// Takes documents and the vectors of their words, times `scale`, and writes the outputs.
    pub(super) fn read(
        &mut self,
        network: &Network,
        table: &[f32],
        documents: &[&Encoded],
        scale: f32,
    ) {
        self.words.clear();
        for document in documents {
            self.words.extend(&document.words);
        }
        self.take(documents);
        self.look_up(table, scale);
        self.forward(network, Dropouts::NONE);
    }

    /// Takes documents, whose words may be left out: `words` has a number or [`vectors::NONE`] for each.
    pub(super) fn take_with(&mut self, documents: &[&Encoded], words: &[u32]) {
        self.words.clear();
        self.words.extend(words);
        self.take(documents);
    }

    fn take(&mut self, documents: &[&Encoded]) {
        let sentences = documents.iter().flat_map(|document| &document.sentences);
        self.passes[0].sequences = Sequences::new(sentences.copied());
        let counts = documents.iter().map(|d| d.sentences.len() as u32);
        self.passes[1].sequences = Sequences::new(counts);
    }

    /// Writes the vectors of the words, times `scale`.
    pub(super) fn look_up(&mut self, table: &[f32], scale: f32) {
        let inputs = &mut self.passes[0].inputs;
        inputs.reshape(self.words.len(), self.embedding);
        vectors::look_up(table, self.embedding, &self.words, scale, inputs);
    }

    /// From the vectors of the words to the outputs.
    pub(super) fn forward(&mut self, network: &Network, dropouts: Dropouts) {
        let [words, sentences] = &mut self.passes;
        let [of_sentences, of_documents] = dropouts.0;
        network.levels[0].read(self.level, words, &mut sentences.inputs, of_sentences);
        let documents = &mut self.documents;
        network.levels[1].read(self.level, sentences, documents, of_documents);
        let count = sentences.sequences.count();
        self.outputs.reshape(count, network.output.outputs());
        let (x, stride) = (self.documents.from(0), self.outputs.stride());
        let y = self.outputs.numbers_mut();
        multiply(self.level, &network.output, x, count, y, stride, false);
    }

    /// Back from what is asked of the outputs, which has taken their place: with `sums` to the weights, with `asks_words`
    /// to the vectors of the words.
    pub(super) fn back(
        &mut self,
        network: &Network,
        sums: bool,
        asks_words: bool,
        dropouts: Dropouts,
    ) {
        let level = self.level;
        let count = self.passes[1].sequences.count();
        let (of_outputs, of_documents) = (self.outputs.from(0), self.documents.from(0));
        if sums {
            let each: Vec<[u32; 2]> = (0..count as u32).map(|row| [row; 2]).collect();
            outer(
                level,
                &mut self.asked.output,
                of_documents,
                of_outputs,
                &each,
            );
            sum_rows(level, &mut self.asked.output, of_outputs, count);
        }
        self.asked_documents
            .reshape(count, network.output_back.outputs());
        let stride = self.asked_documents.stride();
        let y = self.asked_documents.numbers_mut();
        multiply(
            level,
            &network.output_back,
            of_outputs,
            count,
            y,
            stride,
            false,
        );
        let [words, sentences] = &mut self.passes;
        let [of_words, of_sentences] = &mut self.asked.levels;
        network.levels[1].back(
            level,
            sentences,
            &mut self.asked_documents,
            sums.then_some(of_sentences),
            true,
            dropouts.0[1],
        );
        network.levels[0].back(
            level,
            words,
            &mut sentences.asked_inputs,
            sums.then_some(of_words),
            asks_words,
            dropouts.0[0],
        );
    }

    /// What is asked of the vectors of the words.
    pub(super) fn asked_words(&self) -> &Matrix {
        &self.passes[0].asked_inputs
    }

    /// The attention of each document, after it was read.
    pub(super) fn attention(&self, documents: &[&Encoded]) -> Vec<Attention> {
        let [mut words, mut sentences] = [0, 1].map(|level| &self.passes[level].weights[..]);
        let mut attention = Vec::with_capacity(documents.len());
        for document in documents {
            let (of_words, of_sentences);
            (of_words, words) = words.split_at(document.words.len());
            (of_sentences, sentences) = sentences.split_at(document.sentences.len());
            attention.push(Attention {
                words: of_words.to_vec(),
                sentences: of_sentences.to_vec(),
            });
        }
        attention
    }
}

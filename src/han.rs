//! The hierarchical attention network of texts (Yang et al. 2016): words to sentences to a document, and its training.
//!
//! Words have vectors; a bidirectional GRU reads those of a sentence, and attention makes one vector of its states. A
//! second one reads the vectors of the sentences in the same way, and a last layer makes outputs of the document's vector.
//! The network knows no text: words are numbers of rows in its table. What it learns from, and what its words are, the
//! caller decides.
//!
//! The GRU is that of cuDNN and `PyTorch`. Nothing is padded: a batch holds its words side by side, whatever the lengths
//! of sentences and documents are. Batches are cut into shards of a few documents, which threads share; as their sums
//! come together in one order, results are the same to the bit whatever the number of threads.

mod attribution;
mod batches;
mod checkpoint;
mod corpus;
mod cpu;
mod encoder;
#[cfg(feature = "gpu")]
mod gpu;
#[cfg(not(feature = "gpu"))]
#[path = "han/no_gpu.rs"]
mod gpu;
mod network;
mod shard;
mod training;
mod weights;

use std::fmt::Display;

use ndarray::Array2;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use whylight_kernels::loss;

pub use self::attribution::Quantity;
pub use self::corpus::Corpus;
use self::network::Network;
use self::shard::Shard;
pub use self::training::{Outcome, Progress, Training, Until};
pub use self::weights::{Tensor, Weights};
use crate::error::{Error, Result};

/// A document as the network reads it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Encoded {
    /// Rows of the table, sentence by sentence.
    pub words: Vec<u32>,
    /// Words of each sentence: at least one, and all of them together those of the document. A document without words
    /// has no sentences.
    pub sentences: Vec<u32>,
}

/// What a network learns to make small.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// The cross-entropy against probabilities, which add up to 1 in each row. The network answers probabilities.
    CrossEntropy,
    /// The mean of the squared differences from numbers. The network answers numbers.
    Squares,
}

impl Loss {
    fn kernel(self) -> loss::Loss {
        match self {
            Loss::CrossEntropy => loss::Loss::CrossEntropy,
            Loss::Squares => loss::Loss::Squares,
        }
    }
}

/// The sizes of a network, and how it learns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// Numbers of a word's vector.
    pub embedding: usize,
    /// Numbers of a state, in each direction.
    pub hidden: usize,
    /// Numbers that attention compares with its context vector.
    pub attention: usize,
    /// Classes, or numbers that are predicted.
    pub outputs: usize,
    /// What it learns to make small.
    pub loss: Loss,
    /// How many of the numbers of sentence and document vectors are dropped while it learns, from 0 up to below 1.
    pub dropout: f64,
    /// How many words are left out while it learns, from 0 up to below 1.
    pub word_dropout: f64,
    /// Whether the vectors of the words change.
    pub learns_embedding: bool,
    /// Adam's learning rate.
    pub learning_rate: f64,
    /// The norm that all gradients together have at most.
    pub clip: f64,
    /// Documents of a batch.
    pub batch: usize,
    /// What all that is random follows from.
    pub seed: u64,
}

impl Config {
    /// The sizes of the paper, for so many outputs.
    pub fn new(outputs: usize, loss: Loss) -> Self {
        Self {
            embedding: 50,
            hidden: 50,
            attention: 100,
            outputs,
            loss,
            dropout: 0.0,
            word_dropout: 0.0,
            learns_embedding: true,
            learning_rate: 1e-3,
            clip: 5.0,
            batch: 32,
            seed: 0,
        }
    }

    /// Whether the sizes and shares can be had.
    ///
    /// # Errors
    /// [`Error::Parameter`] that names the first that cannot.
    pub fn check(&self) -> Result<()> {
        let sizes = [
            ("embedding", self.embedding),
            ("hidden", self.hidden),
            ("attention", self.attention),
            ("outputs", self.outputs),
            ("batch", self.batch),
        ];
        for (name, size) in sizes {
            if size == 0 || size > MOST {
                return Err(parameter(name, size, format!("it is from 1 to {MOST}")));
            }
        }
        for (name, share) in [
            ("dropout", self.dropout),
            ("word_dropout", self.word_dropout),
        ] {
            if !(0.0..1.0).contains(&share) {
                return Err(parameter(name, share, "it is from 0 up to below 1"));
            }
        }
        for (name, number) in [("learning_rate", self.learning_rate), ("clip", self.clip)] {
            if !(number > 0.0 && number.is_finite()) {
                return Err(parameter(name, number, "it is above 0 and finite"));
            }
        }
        Ok(())
    }
}

/// The largest size of anything: with it, no product of sizes leaves a word's range.
const MOST: usize = 1 << 16;

fn parameter(name: &'static str, got: impl Display, allowed: impl Into<String>) -> Error {
    Error::Parameter {
        name,
        got: got.to_string(),
        allowed: allowed.into(),
    }
}

fn shape(what: impl Into<String>, expected: impl Into<String>, got: impl Into<String>) -> Error {
    Error::Shape {
        what: what.into(),
        expected: expected.into(),
        got: got.into(),
    }
}

/// The attention that a document gets.
#[derive(Debug, Clone, PartialEq)]
pub struct Attention {
    /// The weight of each word; those of a sentence add up to 1.
    pub words: Vec<f32>,
    /// The weight of each sentence; together 1.
    pub sentences: Vec<f32>,
}

/// A network.
#[derive(Debug, Clone)]
pub struct Han {
    config: Config,
    weights: Weights,
    /// The weights but the table, as the kernels read them.
    network: Network,
}

impl Han {
    /// A network whose weights and table of so many words are random.
    ///
    /// # Errors
    /// [`Error::Parameter`] if a size or share cannot be had.
    pub fn new(config: Config, words: usize) -> Result<Self> {
        config.check()?;
        let weights = Weights::random(&config, words)?;
        Self::with(config, weights)
    }

    /// A network whose words have vectors, (word, number).
    ///
    /// # Errors
    /// [`Error::Parameter`] if a size or share cannot be had, [`Error::Shape`] if vectors have another size or numbers that
    /// are not finite.
    pub fn with_table(config: Config, table: &Array2<f32>) -> Result<Self> {
        config.check()?;
        let mut weights = Weights::random(&config, table.nrows())?;
        if table.ncols() != config.embedding {
            let expected = format!("{} numbers", config.embedding);
            let got = format!("{}", table.ncols());
            return Err(shape("the words' vectors", expected, got));
        }
        weights.set_table(table.iter().copied().collect())?;
        Self::with(config, weights)
    }

    /// A network of weights that are there.
    ///
    /// # Errors
    /// [`Error::Parameter`] if a size or share cannot be had, [`Error::Shape`] if the weights are another network's.
    pub fn with(config: Config, weights: Weights) -> Result<Self> {
        config.check()?;
        weights.check(&config)?;
        let mut network = Network::new(&config);
        network.pack(weights.dense());
        Ok(Self {
            config,
            weights,
            network,
        })
    }

    /// Its sizes, and how it learns.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Its weights.
    pub fn weights(&self) -> &Weights {
        &self.weights
    }

    /// The answers, (document, output): probabilities, or numbers.
    ///
    /// # Errors
    /// [`Error::Shape`] for a document whose words and sentences do not fit, or whose words the table does not have.
    pub fn answers(&self, documents: &[Encoded]) -> Result<Array2<f32>> {
        self.check(documents)?;
        let outputs = self.config.outputs;
        let rows = self.by_shard(documents, |shard, part| {
            shard.read(&self.network, self.weights.table(), part, 1.0);
            let mut answers = Vec::with_capacity(part.len() * outputs);
            for row in 0..part.len() {
                let row = &mut shard.outputs.row_mut(row)[..outputs];
                if self.config.loss == Loss::CrossEntropy {
                    loss::softmax(row);
                }
                answers.push(row.to_vec());
            }
            answers
        });
        let mut answers = Array2::zeros((documents.len(), outputs));
        for (mut to, row) in answers.outer_iter_mut().zip(rows) {
            to.iter_mut().zip(row).for_each(|(to, number)| *to = number);
        }
        Ok(answers)
    }

    /// The attention that each document's words and sentences get.
    ///
    /// # Errors
    /// As [`Han::answers`].
    pub fn attention(&self, documents: &[Encoded]) -> Result<Vec<Attention>> {
        self.check(documents)?;
        Ok(self.by_shard(documents, |shard, part| {
            shard.read(&self.network, self.weights.table(), part, 1.0);
            shard.attention(part)
        }))
    }

    /// Calls `make` for shards of documents of similar length, and orders what it makes of each document.
    fn by_shard<T: Send>(
        &self,
        documents: &[Encoded],
        make: impl Fn(&mut Shard, &[&Encoded]) -> Vec<T> + Sync,
    ) -> Vec<T> {
        let mut order: Vec<usize> = (0..documents.len()).collect();
        order.sort_by_key(|&document| std::cmp::Reverse(documents[document].words.len()));
        let made: Vec<Vec<T>> = (order.par_chunks(shard::DOCUMENTS))
            .map_init(
                || Shard::new(&self.config),
                |shard, order| {
                    let part: Vec<&Encoded> = order.iter().map(|&d| &documents[d]).collect();
                    make(shard, &part)
                },
            )
            .collect();
        let mut made: Vec<(usize, T)> =
            (order.into_iter().zip(made.into_iter().flatten())).collect();
        made.sort_by_key(|&(document, _)| document);
        made.into_iter().map(|(_, made)| made).collect()
    }

    fn check(&self, documents: &[Encoded]) -> Result<()> {
        let words = self.weights.words();
        for (i, document) in documents.iter().enumerate() {
            let what = || format!("document {i}");
            let count: u64 = document.sentences.iter().map(|&n| u64::from(n)).sum();
            if count != document.words.len() as u64 {
                let expected = format!("{} words in its sentences", document.words.len());
                return Err(shape(what(), expected, count.to_string()));
            }
            if document.sentences.contains(&0) {
                return Err(shape(
                    what(),
                    "words in every sentence",
                    "an empty sentence",
                ));
            }
            if let Some(word) = document.words.iter().find(|&&word| word as usize >= words) {
                let expected = format!("words below {words}, as the table has");
                return Err(shape(what(), expected, format!("word {word}")));
            }
        }
        Ok(())
    }
}

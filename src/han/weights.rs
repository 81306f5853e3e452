//! The weights of a network: the table of the words, and all others side by side.

use super::{Config, parameter, shape};
use crate::error::Result;
use crate::random::{SplitMix64, mix};

/// A tensor among the weights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tensor {
    /// Its name, such as `words.forward.input`.
    pub name: String,
    /// Its shape, outputs first; gates are in the order r, z, n, as in `PyTorch`.
    pub shape: Vec<usize>,
    /// Where it begins among the weights.
    pub start: usize,
}

impl Tensor {
    /// Where it is.
    pub fn range(&self) -> std::ops::Range<usize> {
        self.start..self.start + self.shape.iter().product::<usize>()
    }
}

/// The weights of a network.
#[derive(Debug, Clone, PartialEq)]
pub struct Weights {
    table: Vec<f32>,
    words: usize,
    dense: Vec<f32>,
}

/// The two levels of the network, in their order.
pub(super) const LEVELS: [&str; 2] = ["words", "sentences"];

/// The two directions of a level.
const WAYS: [&str; 2] = ["forward", "backward"];

impl Config {
    /// All weights but the table, in their order.
    pub fn tensors(&self) -> Vec<Tensor> {
        let mut tensors: Vec<Tensor> = Vec::new();
        let mut push = |name: String, shape: &[usize]| {
            let start = tensors.last().map_or(0, |last| last.range().end);
            tensors.push(Tensor {
                name,
                shape: shape.to_vec(),
                start,
            });
        };
        let state = 2 * self.hidden;
        for (level, inputs) in LEVELS.iter().zip([self.embedding, state]) {
            let gates = 3 * self.hidden;
            for way in WAYS {
                push(format!("{level}.{way}.input"), &[gates, inputs]);
                push(format!("{level}.{way}.recurrent"), &[gates, self.hidden]);
                push(format!("{level}.{way}.input_bias"), &[gates]);
                push(format!("{level}.{way}.recurrent_bias"), &[gates]);
            }
            push(
                format!("{level}.attention.matrix"),
                &[self.attention, state],
            );
            push(format!("{level}.attention.bias"), &[self.attention]);
            push(format!("{level}.attention.context"), &[self.attention]);
        }
        push("output.matrix".to_owned(), &[self.outputs, state]);
        push("output.bias".to_owned(), &[self.outputs]);
        tensors
    }
}

/// Half of the range of a random number in the table, whose deviation is then 0.1: longer vectors drive states to their ends,
/// where a network learns slowly.
const SPREAD: f64 = 0.173;

impl Weights {
    /// Random ones: of the units as `PyTorch` has them, uniform within 1/√hidden, matrices by Glorot & Bengio (2010).
    pub(super) fn random(config: &Config, words: usize) -> Result<Self> {
        let most = u32::MAX as usize / config.embedding;
        if words == 0 || words > most {
            return Err(parameter("words", words, format!("from 1 to {most}")));
        }
        let mut random = SplitMix64::new(mix(config.seed));
        let mut uniform = |most: f64| ((2.0 * random.unit() - 1.0) * most) as f32;
        let mut dense = Vec::new();
        for tensor in config.tensors() {
            let most = match (tensor.name.rsplit('.').next(), &tensor.shape[..]) {
                (Some("input" | "recurrent" | "input_bias" | "recurrent_bias"), _) => {
                    1.0 / (config.hidden as f64).sqrt()
                }
                (_, &[outputs, inputs]) => (6.0 / (outputs + inputs) as f64).sqrt(),
                (Some("context"), _) => (3.0 / config.attention as f64).sqrt(),
                _ => 0.0,
            };
            dense.extend((0..tensor.range().len()).map(|_| uniform(most)));
        }
        let table = (0..words * config.embedding).map(|_| uniform(SPREAD));
        Ok(Self {
            table: table.collect(),
            words,
            dense,
        })
    }

    /// Of a table, (word, number), and all others, in the order of [`Config::tensors`].
    ///
    /// # Errors
    /// [`crate::Error::Shape`] if they are not those of a network with this configuration, or not finite.
    pub fn new(config: &Config, table: Vec<f32>, dense: Vec<f32>) -> Result<Self> {
        let weights = Self {
            words: table.len() / config.embedding.max(1),
            table,
            dense,
        };
        weights.check(config)?;
        Ok(weights)
    }

    pub(super) fn check(&self, config: &Config) -> Result<()> {
        let last = config.tensors().pop();
        let expected = last.map_or(0, |last| last.range().end);
        if self.dense.len() != expected {
            let (expected, got) = (expected.to_string(), self.dense.len().to_string());
            return Err(shape("the number of weights", expected, got));
        }
        if self.words == 0 || self.table.len() != self.words * config.embedding {
            let expected = format!("rows of {} numbers, one at least", config.embedding);
            let got = format!("{} numbers", self.table.len());
            return Err(shape("the words' vectors", expected, got));
        }
        if let Some(number) = (self.table.iter().chain(&self.dense)).find(|x| !x.is_finite()) {
            return Err(shape("weights", "finite numbers", number.to_string()));
        }
        Ok(())
    }

    pub(super) fn set_table(&mut self, table: Vec<f32>) -> Result<()> {
        if let Some(place) = table.iter().position(|x| !x.is_finite()) {
            let word = place * self.words / table.len();
            let what = format!("the vector of word {word}");
            return Err(shape(what, "finite numbers", table[place].to_string()));
        }
        self.table = table;
        Ok(())
    }

    /// Words of the table.
    pub fn words(&self) -> usize {
        self.words
    }

    /// The table, (word, number).
    pub fn table(&self) -> &[f32] {
        &self.table
    }

    /// All others, in the order of [`Config::tensors`].
    pub fn dense(&self) -> &[f32] {
        &self.dense
    }

    pub(super) fn both_mut(&mut self) -> (&mut [f32], &mut [f32]) {
        (&mut self.table, &mut self.dense)
    }
}

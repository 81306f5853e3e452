//! The values of the words of documents.

use ndarray::Array2;

use super::{Solved, TextMethod};
use crate::han::Attention;
use crate::text::Document;

/// What explaining documents gives.
#[derive(Debug, Clone)]
pub struct TextExplanation {
    /// The names of the model's outputs.
    pub output_names: Vec<String>,
    /// The model, and where it is.
    pub model: String,
    /// In the order in which they were given.
    pub documents: Vec<TextValues>,
    /// How often the model was asked, and for how many texts.
    pub calls: u64,
    /// Texts that the model was asked for.
    pub texts: u64,
    /// How long it took.
    pub seconds: f64,
    /// The seed.
    pub seed: u64,
    /// The version of whylight.
    pub version: String,
}

/// The values of a document.
#[derive(Debug, Clone)]
pub struct TextValues {
    /// The document.
    pub document: Document,
    /// How its values were computed: never [`TextMethod::Auto`].
    pub method: TextMethod,
    /// By player, its words: each word is of one player.
    pub players: Vec<Vec<u32>>,
    /// (player, output).
    pub values: Array2<f64>,
    /// The standard errors of the values (player, output), 0 where they are exact; `None` of methods without.
    pub standard_errors: Option<Array2<f64>>,
    /// By output, what values begin at: the answer to the text without its words, or LIME's intercept. Shapley values
    /// lead from there to the answer.
    pub base_values: Vec<f64>,
    /// By output, the model's answer to the text.
    pub answers: Vec<f64>,
    /// By output, the weighted R² of LIME's model; `None` of other methods.
    pub local_fit: Option<Vec<f64>>,
    /// Of a surrogate, the attention that words and sentences get, and what it answers itself.
    pub attention: Option<Attention>,
    /// By output, the surrogate's own answer to the text.
    pub surrogate_answers: Option<Vec<f64>>,
    /// Whether the values are exact, up to rounding.
    pub exact: bool,
    /// Texts that were asked for, those that are there twice counted as often.
    pub texts: u64,
}

impl TextValues {
    pub(super) fn new(document: Document, solved: Solved, method: TextMethod, texts: u64) -> Self {
        let (players, outputs) = (solved.players.len(), solved.answers.len());
        let made = |cells: Vec<f64>| {
            Array2::from_shape_fn((players, outputs), |(player, output)| {
                cells[player * outputs + output]
            })
        };
        Self {
            document,
            method,
            players: solved.players,
            values: made(solved.values),
            standard_errors: solved.errors.map(made),
            base_values: solved.base_values,
            answers: solved.answers,
            local_fit: solved.fit,
            attention: None,
            surrogate_answers: None,
            exact: solved.exact,
            texts,
        }
    }

    /// The values of the words (word, output): those of their players, in even shares.
    pub fn word_values(&self) -> Array2<f64> {
        self.shared(&self.values)
    }

    /// The standard errors of the words' values (word, output), where there are some.
    pub fn word_errors(&self) -> Option<Array2<f64>> {
        self.standard_errors
            .as_ref()
            .map(|errors| self.shared(errors))
    }

    fn shared(&self, cells: &Array2<f64>) -> Array2<f64> {
        let mut words = Array2::zeros((self.document.words().len(), cells.ncols()));
        for (player, cells) in self.players.iter().zip(cells.rows()) {
            for &word in player {
                let share = player.len() as f64;
                for (to, cell) in words.row_mut(word as usize).iter_mut().zip(cells) {
                    *to = cell / share;
                }
            }
        }
        words
    }

    /// The values of the sentences (sentence, output): the sums over their words.
    pub fn sentence_values(&self) -> Array2<f64> {
        let words = self.word_values();
        let mut sentences = Array2::zeros((self.document.sentences().len(), words.ncols()));
        for (&sentence, word) in self.document.sentence_of().iter().zip(words.rows()) {
            let mut to = sentences.row_mut(sentence as usize);
            to += &word;
        }
        sentences
    }
}

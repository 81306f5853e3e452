//! How texts are explained.

use std::str::FromStr;

use crate::error::{Error, Result};
use crate::text::Document;

/// Words of a document that flat Kernel SHAP explains where nobody says how, and those that LIME does beyond.
const FLAT: usize = 256;
const OF_LIME: usize = 2000;

/// Words for each text that the model is asked for, beyond which LIME says little of a word.
const WORDS_OF_SAMPLE: usize = 3;

/// How words are given values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum TextMethod {
    /// Kernel SHAP of up to 256 players, for whom the texts suffice; LIME of up to 2000 words, which orders them better
    /// from as many answers; hierarchical beyond.
    #[default]
    Auto,
    /// Kernel SHAP.
    Kernel,
    /// Kernel SHAP of passages, then of the words in those that matter most.
    Hierarchical,
    /// LIME.
    Lime,
    /// What the answer loses without a player.
    LeaveOneOut,
    /// A surrogate, trained on a corpus: [`super::explain_texts_by`].
    Han,
    /// Random numbers between −1 and 1.
    Random,
}

impl TextMethod {
    const NAMES: [(&'static str, Self); 7] = [
        ("auto", Self::Auto),
        ("kernel", Self::Kernel),
        ("hierarchical", Self::Hierarchical),
        ("lime", Self::Lime),
        ("leave-one-out", Self::LeaveOneOut),
        ("han", Self::Han),
        ("random", Self::Random),
    ];

    /// Its name, as the command and Python have it.
    pub fn name(self) -> &'static str {
        let found = Self::NAMES.iter().find(|(_, method)| *method == self);
        found.map_or("auto", |(name, _)| name)
    }
}

impl FromStr for TextMethod {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let found = Self::NAMES.iter().find(|(name, _)| *name == text);
        found
            .map(|(_, method)| *method)
            .ok_or_else(|| Error::Parameter {
                name: "method",
                got: format!("\"{text}\""),
                allowed: "auto, kernel, hierarchical, lime, leave-one-out, han or random"
                    .to_owned(),
            })
    }
}

/// Who plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum TextPlayers {
    /// Distinct words for LIME, as lime has them, and words for the others.
    #[default]
    Auto,
    /// Each word at its place; of a document of a tokenizer file, each token.
    Words,
    /// All places of a word as one, spelled alike down to the case; its value is shared evenly by its places.
    Distinct,
    /// Sentences, whose words share their value evenly.
    Sentences,
}

impl FromStr for TextPlayers {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Ok(match text {
            "auto" => Self::Auto,
            "words" => Self::Words,
            "distinct" => Self::Distinct,
            "sentences" => Self::Sentences,
            _ => {
                return Err(Error::Parameter {
                    name: "players",
                    got: format!("\"{text}\""),
                    allowed: "auto, words, distinct or sentences".to_owned(),
                });
            }
        })
    }
}

/// How texts are explained.
#[derive(Debug, Clone, PartialEq)]
pub struct TextOptions {
    /// How words are given values.
    pub method: TextMethod,
    /// Who plays; the hierarchical method has words, and chooses which of them play apart.
    pub players: TextPlayers,
    /// What stands for an absent word; `None` to take it out.
    pub mask: Option<String>,
    /// Texts that the model is asked for at most, of a document, at least 4; `None` for 2048 and twice the number of
    /// players (hierarchical: at most 4096), or 5000 of LIME. Kernel SHAP goes by passages where 6 for each player are
    /// more than that, and then takes 6 for each passage at the least. Leaving one out takes one for each player.
    pub samples: Option<u32>,
    /// The seed of what is drawn.
    pub seed: u64,
    /// Texts of a call to the model at most, at least 1; 1024 by default.
    pub batch: usize,
    /// Players that LIME's model has at most, those of the largest values; `None` for all.
    pub features: Option<usize>,
    /// The width of LIME's kernel; 25 by default.
    pub kernel_width: f64,
}

impl Default for TextOptions {
    fn default() -> Self {
        Self {
            method: TextMethod::default(),
            players: TextPlayers::default(),
            mask: None,
            samples: None,
            seed: 0,
            batch: 1024,
            features: None,
            kernel_width: 25.0,
        }
    }
}

impl TextOptions {
    pub(super) fn check(&self) -> Result<()> {
        let refused = |name, got: String, allowed: &str| {
            Err(Error::Parameter {
                name,
                got,
                allowed: allowed.to_owned(),
            })
        };
        let most = 2 * super::super::coalitions::MOST_PAIRS;
        if let Some(samples) = self.samples.filter(|samples| !(4..=most).contains(samples)) {
            return refused(
                "samples",
                samples.to_string(),
                &format!("from 4 to {most} texts of a document"),
            );
        }
        if self.batch == 0 {
            return refused("batch", "0".to_owned(), "at least one text of a call");
        }
        if self.features == Some(0) {
            return refused("features", "0".to_owned(), "at least one word");
        }
        if !(self.kernel_width > 0.0 && self.kernel_width.is_finite()) {
            return refused(
                "kernel_width",
                self.kernel_width.to_string(),
                "a positive number",
            );
        }
        Ok(())
    }

    /// Pairs of coalitions of Kernel SHAP.
    pub(super) fn pairs(&self) -> Option<u32> {
        self.samples.map(|samples| ((samples - 2) / 2).max(1))
    }

    pub(super) fn samples_of_lime(&self) -> usize {
        self.samples.unwrap_or(5000) as usize
    }

    /// The method that a document gets.
    pub(super) fn method_for(&self, document: &Document) -> TextMethod {
        let is_of_words = matches!(self.players, TextPlayers::Auto | TextPlayers::Words);
        let players = self.players_for(TextMethod::Kernel, document).len();
        let most = if self.method == TextMethod::Auto {
            FLAT
        } else {
            whylight_kernels::least_squares::MOST_PLAYERS as usize
        };
        let affords = self.samples.is_none_or(|samples| {
            // All coalitions of a few players need no estimate.
            6 * players + 2 <= samples as usize || players < 20 && 1 << players <= samples as usize
        });
        let is_too_much = is_of_words && (players > most || !affords);
        match self.method {
            TextMethod::Auto
                if is_too_much
                    && players <= OF_LIME.min(WORDS_OF_SAMPLE * self.samples_of_lime()) =>
            {
                TextMethod::Lime
            }
            TextMethod::Auto | TextMethod::Kernel if is_too_much => TextMethod::Hierarchical,
            TextMethod::Auto => TextMethod::Kernel,
            method => method,
        }
    }

    /// The players of a document, each with its words.
    pub(super) fn players_for(&self, method: TextMethod, document: &Document) -> Vec<Vec<u32>> {
        let is_lime = method == TextMethod::Lime;
        match self.players {
            TextPlayers::Auto if is_lime => document.distinct(),
            TextPlayers::Distinct => document.distinct(),
            TextPlayers::Sentences => (document.sentences().iter())
                .map(|sentence| (sentence.words.start as u32..sentence.words.end as u32).collect())
                .collect(),
            _ => (0..document.words().len() as u32)
                .map(|word| vec![word])
                .collect(),
        }
    }
}

//! The words of a corpus, and their numbers.

use std::collections::HashMap;
use std::path::Path;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::Document;
use crate::error::{Error, Result};

/// How often each word of a corpus is in it, in lower case: by frequency, then in the order of the alphabet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WordCounts {
    counts: Vec<(String, u64)>,
    index: HashMap<String, u32>,
}

impl WordCounts {
    /// Counts the words of documents.
    pub fn of(documents: &[Document]) -> Self {
        let count = |document: &Document| {
            let mut counts: HashMap<String, u64> = HashMap::new();
            for word in 0..document.words().len() {
                *counts.entry(document.form(word)).or_default() += 1;
            }
            counts
        };
        let counts = (documents.par_iter().map(count)).reduce(HashMap::new, |a, b| {
            let (mut large, small) = if a.len() < b.len() { (b, a) } else { (a, b) };
            #[expect(
                clippy::iter_over_hash_type,
                reason = "sums do not depend on the order"
            )]
            for (word, count) in small {
                *large.entry(word).or_default() += count;
            }
            large
        });
        let mut counts: Vec<(String, u64)> = counts.into_iter().collect();
        counts.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        let index = index(counts.iter().map(|(word, _)| word));
        Self { counts, index }
    }

    /// Words and their counts, the most frequent first.
    pub fn counts(&self) -> &[(String, u64)] {
        &self.counts
    }

    /// Whether a word, in lower case, is in the corpus.
    pub fn contains(&self, word: &str) -> bool {
        self.index.contains_key(word)
    }
}

fn index<'a>(words: impl Iterator<Item = &'a String>) -> HashMap<String, u32> {
    words.cloned().zip(0..).collect()
}

/// Which words have a number of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VocabularyOptions {
    /// A word has to be so often in the corpus; 5 by default (Yang et al. 2016).
    pub min_count: u64,
    /// Words at most, the most frequent ones; `None` for all.
    pub most: Option<u32>,
    /// Numbers that all other words share by their hash, at least 1; 1024 by default.
    pub buckets: u32,
}

impl Default for VocabularyOptions {
    fn default() -> Self {
        Self {
            min_count: 5,
            most: None,
            buckets: 1024,
        }
    }
}

/// Numbers for words: one for each that is known, the most frequent first, and then some that the others share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vocabulary {
    words: Vec<String>,
    counts: Vec<u64>,
    buckets: u32,
    index: HashMap<String, u32>,
}

/// As it is saved.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    format: String,
    version: u32,
    buckets: u32,
    words: Vec<String>,
    counts: Vec<u64>,
}

const FORMAT: &str = "whylight vocabulary";
const VERSION: u32 = 1;

impl Vocabulary {
    /// The vocabulary of a corpus.
    ///
    /// # Errors
    /// [`Error::Parameter`] for no buckets, or more numbers than 32 bits have.
    pub fn new(counts: &WordCounts, options: &VocabularyOptions) -> Result<Self> {
        let most = options.most.map_or(usize::MAX, |most| most as usize);
        let known = (counts.counts.iter()).take_while(|(_, count)| *count >= options.min_count);
        let (words, counts): (Vec<String>, Vec<u64>) = known.take(most).cloned().unzip();
        if options.buckets == 0
            || words.len() as u64 + u64::from(options.buckets) > u64::from(u32::MAX)
        {
            return Err(Error::Parameter {
                name: "buckets",
                got: options.buckets.to_string(),
                allowed: "at least one number for words that are not known, and 2^32 in all"
                    .to_owned(),
            });
        }
        Ok(Self {
            index: index(words.iter()),
            words,
            counts,
            buckets: options.buckets,
        })
    }

    /// The words that are known, in lower case, the most frequent first.
    pub fn words(&self) -> &[String] {
        &self.words
    }

    /// How often each is in the corpus.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// How many numbers there are: of words, then those that the others share.
    pub fn len(&self) -> usize {
        self.words.len() + self.buckets as usize
    }

    /// Never: there is a number for words that are not known.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// The number of a word in lower case: its own, or the one that its hash chooses.
    pub fn id(&self, form: &str) -> u32 {
        let known = self.index.get(form).copied();
        known.unwrap_or_else(|| {
            let bucket = fnv(form) % u64::from(self.buckets);
            self.words.len() as u32 + bucket as u32
        })
    }

    /// The numbers of the words of a document, and how many each of its sentences has.
    pub fn encode(&self, document: &Document) -> (Vec<u32>, Vec<u32>) {
        let words = 0..document.words().len();
        let lengths = document.sentences().iter();
        (
            words.map(|word| self.id(&document.form(word))).collect(),
            lengths
                .map(|sentence| sentence.words.len() as u32)
                .collect(),
        )
    }

    /// The vocabulary as JSON.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn save(&self, path: &Path) -> Result<()> {
        let saved = Saved {
            format: FORMAT.to_owned(),
            version: VERSION,
            buckets: self.buckets,
            words: self.words.clone(),
            counts: self.counts.clone(),
        };
        let io = |source| Error::Io {
            path: path.to_owned(),
            source,
        };
        let text = serde_json::to_vec(&saved).map_err(|error| io(error.into()))?;
        std::fs::write(path, text).map_err(io)
    }

    /// Reads what [`Vocabulary::save`] wrote.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Data`] for a file that is no vocabulary.
    pub fn load(path: &Path) -> Result<Self> {
        let text = std::fs::read(path).map_err(|source| Error::Io {
            path: path.to_owned(),
            source,
        })?;
        let wrong = |at: &str, reason: String| Error::Data {
            path: path.to_owned(),
            at: at.to_owned(),
            reason: format!("{reason}; name a vocabulary that whylight saved"),
        };
        let saved: Saved =
            serde_json::from_slice(&text).map_err(|error| wrong("its JSON", error.to_string()))?;
        if saved.format != FORMAT || saved.version != VERSION {
            let found = format!("\"{}\" of version {}", saved.format, saved.version);
            return Err(wrong(
                "its format",
                format!("{found}; expected \"{FORMAT}\" of version {VERSION}"),
            ));
        }
        let index = index(saved.words.iter());
        if index.len() != saved.words.len() || saved.counts.len() != saved.words.len() {
            let reason = format!(
                "{} words, {} of them distinct, and {} counts",
                saved.words.len(),
                index.len(),
                saved.counts.len()
            );
            return Err(wrong("its words", reason));
        }
        if saved.buckets == 0
            || saved.words.len() as u64 + u64::from(saved.buckets) > u64::from(u32::MAX)
        {
            return Err(wrong("its buckets", saved.buckets.to_string()));
        }
        Ok(Self {
            index,
            words: saved.words,
            counts: saved.counts,
            buckets: saved.buckets,
        })
    }
}

/// FNV-1a of 64 bits: the same on every machine.
pub(crate) fn fnv(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

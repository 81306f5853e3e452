//! A text, with the places of its words and sentences.

use std::ops::Range;

use super::segment;

/// A part of a text: bytes from `start` up to `end`, or characters where it is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
}

/// A sentence: its words, and its part of the text.
///
/// The sentences of a text follow each other without a gap: white space, punctuation and markup belong to the sentence
/// before them, those before the first word to the first sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sentence {
    /// Positions of its words, at least one.
    pub words: Range<usize>,
    /// Its bytes.
    pub span: Span,
}

/// A text, cut into words and sentences. Nothing is cut off, and `text[start..end]` is the word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    text: String,
    words: Vec<Span>,
    sentences: Vec<Sentence>,
    /// By word.
    sentence_of: Vec<u32>,
}

impl Document {
    /// A text with its Unicode words and sentences (Unicode Standard Annex 29).
    ///
    /// Words are the segments with a letter, a digit or an emoji: numbers (`3.14`), words with an apostrophe (`don't`),
    /// letters with their combining marks and emoji with their modifiers stay whole; hyphens divide words.
    ///
    /// Sentences end as the annex says, but for this: an abbreviation (`Mr.`, `e.g.`, an initial as in `J. Smith`) ends
    /// none; nor does a single line end, which is white space, while an empty line does; tags of HTML that begin a new
    /// line (`<br />`, `<p>`, …) end a sentence, and have no words. What has no word is no sentence, and belongs to the
    /// one before.
    pub fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        let masked = segment::masked(&text);
        let words = segment::words(&masked);
        let ends = segment::sentence_ends(&masked);
        Self::of_parts(text, words, &ends)
    }

    /// A text whose words are given, in order and apart, and where its sentences end, the last at the text's end.
    pub(super) fn of_parts(text: String, words: Vec<Span>, ends: &[usize]) -> Self {
        let mut sentences: Vec<Sentence> = Vec::new();
        let (mut start, mut first) = (0, 0);
        for &end in ends {
            let last = first + words[first..].partition_point(|word| word.start < end);
            if last > first {
                // A word that crosses the end of its sentence takes it along.
                let before = first.checked_sub(1).map_or(0, |before| words[before].end);
                sentences.push(Sentence {
                    words: first..last,
                    span: Span {
                        start: if first == 0 { 0 } else { before.max(start) },
                        end: text.len(),
                    },
                });
            }
            (start, first) = (end, last);
        }
        for place in 1..sentences.len() {
            // What has no words belongs to the sentence before it.
            sentences[place - 1].span.end = sentences[place].span.start;
        }
        let sentence_of = (sentences.iter().enumerate())
            .flat_map(|(place, sentence)| sentence.words.clone().map(move |_| place as u32))
            .collect();
        Self {
            text,
            words,
            sentences,
            sentence_of,
        }
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The places of its words, in bytes, in order and apart.
    pub fn words(&self) -> &[Span] {
        &self.words
    }

    /// A word as it is written; nothing for one that is not there.
    pub fn word(&self, word: usize) -> &str {
        let span = self.words.get(word);
        span.and_then(|span| self.text.get(span.start..span.end))
            .unwrap_or_default()
    }

    /// A word in lower case, as vocabularies and vectors have it.
    pub fn form(&self, word: usize) -> String {
        self.word(word).to_lowercase()
    }

    /// The sentences, which hold every word.
    pub fn sentences(&self) -> &[Sentence] {
        &self.sentences
    }

    /// By word, the position of its sentence.
    pub fn sentence_of(&self) -> &[u32] {
        &self.sentence_of
    }

    /// The places of the words in characters (Unicode code points), as Python counts them.
    pub fn character_spans(&self) -> Vec<Span> {
        self.in_characters(self.words.iter().copied())
    }

    /// The places of the sentences in characters.
    pub fn sentence_character_spans(&self) -> Vec<Span> {
        self.in_characters(self.sentences.iter().map(|sentence| sentence.span))
    }

    /// Parts of the text, in order and apart, in characters.
    fn in_characters(&self, spans: impl Iterator<Item = Span>) -> Vec<Span> {
        let (mut byte, mut character) = (0, 0);
        let mut at = |place: usize| {
            let part = self.text.get(byte..place);
            character += part.map_or(0, |part| part.chars().count());
            byte = place;
            character
        };
        let span = |span: Span| Span {
            start: at(span.start),
            end: at(span.end),
        };
        spans.map(span).collect()
    }

    /// Distinct words as they are written, in the order of their first places, with the positions of each.
    pub fn distinct(&self) -> Vec<Vec<u32>> {
        let mut places = std::collections::HashMap::new();
        let mut distinct: Vec<Vec<u32>> = Vec::new();
        for word in 0..self.words.len() {
            let place = *places.entry(self.word(word)).or_insert(distinct.len());
            if place == distinct.len() {
                distinct.push(Vec::new());
            }
            distinct[place].push(word as u32);
        }
        distinct
    }
}

impl From<&str> for Document {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

//! Texts with some of their words.

use crate::text::Document;

/// Writes a document with some of its words.
///
/// Without a mask, an absent word is taken out, and of the white space around it one side: that after it goes where there
/// is white space before it, or the text begins. Punctuation and markup stay, but for those of a sentence of which no word
/// is left: it goes whole. With all of its words a text is as it was, down to the byte.
///
/// With a mask, an absent word is replaced by it, and all else stays.
#[derive(Debug)]
pub struct Composer<'a> {
    document: &'a Document,
    mask: Option<&'a str>,
}

impl<'a> Composer<'a> {
    /// Of a document; `mask` stands for absent words.
    pub fn new(document: &'a Document, mask: Option<&'a str>) -> Self {
        Self { document, mask }
    }

    pub(super) fn document(&self) -> &'a Document {
        self.document
    }

    /// The text with the words that are present, one truth for each; those beyond are absent.
    pub fn text(&self, present: &[bool]) -> String {
        let text = self.document.text();
        let words = self.document.words();
        let is_present = |word: usize| present.get(word).copied().unwrap_or(false);
        if (0..words.len()).all(is_present) {
            return text.to_owned();
        }
        let mut out = String::with_capacity(text.len());
        for sentence in self.document.sentences() {
            let has_any = sentence.words.clone().any(is_present);
            if self.mask.is_none() && !has_any {
                continue;
            }
            let mut at = sentence.span.start;
            let mut is_after_gap = false;
            for word in sentence.words.clone() {
                let span = words[word];
                push(&mut out, &text[at..span.start], is_after_gap);
                is_after_gap = false;
                match self.mask {
                    _ if is_present(word) => out.push_str(&text[span.start..span.end]),
                    Some(mask) => out.push_str(mask),
                    None => is_after_gap = true,
                }
                at = span.end;
            }
            push(&mut out, &text[at..sentence.span.end], is_after_gap);
        }
        out
    }
}

/// Appends what is between words; after one that was taken out, without white space that would follow white space.
fn push(out: &mut String, between: &str, is_after_gap: bool) {
    let is_double = is_after_gap && out.chars().next_back().is_none_or(char::is_whitespace);
    out.push_str(if is_double {
        between.trim_start()
    } else {
        between
    });
}

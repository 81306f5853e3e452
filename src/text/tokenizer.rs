//! What cuts texts into words.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;

use super::{Document, Span, segment};
use crate::error::{Error, Result};

/// What cuts texts into words: the rules of Unicode, or a tokenizer file.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub enum Tokenizer {
    /// Unicode words; see [`Document::new`].
    #[default]
    Words,
    /// The tokens of a `tokenizer.json`.
    File(TokenizerFile),
}

/// A `tokenizer.json`, as the library `tokenizers` and all of Hugging Face write it.
#[derive(Debug, Clone)]
pub struct TokenizerFile {
    path: PathBuf,
    inner: Arc<tokenizers::Tokenizer>,
}

impl Tokenizer {
    /// Reads a `tokenizer.json`. What it says of truncation and padding does not count: nothing is cut.
    ///
    /// # Errors
    /// [`Error::Io`], or [`Error::Data`] for a file that is none.
    pub fn read(path: &Path) -> Result<Self> {
        let mut inner = load(path)?;
        // Taking both away cannot fail.
        let _ = inner.with_truncation(None);
        inner.with_padding(None);
        Ok(Self::File(TokenizerFile {
            path: path.to_owned(),
            inner: Arc::new(inner),
        }))
    }

    /// A text as a document. Tokens have no white space at their ends; of those that share bytes of the text, as the
    /// pieces of an emoji do, one is made. Sentences are those of [`Document::new`].
    ///
    /// # Errors
    /// [`Error::Data`] if the tokenizer cannot read the text.
    pub fn document(&self, text: impl Into<String>) -> Result<Document> {
        let text = text.into();
        let Self::File(file) = self else {
            return Ok(Document::new(text));
        };
        let encoding = file
            .inner
            .encode(text.as_str(), false)
            .map_err(|error| Error::Data {
                path: file.path.clone(),
                at: "a text".to_owned(),
                reason: format!("the tokenizer cannot read it: {error}"),
            })?;
        let mut words: Vec<Span> = Vec::with_capacity(encoding.len());
        for &(start, end) in encoding.get_offsets() {
            let Some(token) = text.get(start..end) else {
                continue;
            };
            let (left, right) = (token.trim_start(), token.trim());
            if right.is_empty() {
                continue;
            }
            let start = end - left.len();
            let end = start + right.len();
            match words.last_mut() {
                Some(last) if start < last.end => last.end = last.end.max(end),
                _ => words.push(Span { start, end }),
            }
        }
        let ends = segment::sentence_ends(&segment::masked(&text));
        Ok(Document::of_parts(text, words, &ends))
    }

    /// Texts as documents, by all threads.
    ///
    /// # Errors
    /// As [`Tokenizer::document`]; the text is named.
    pub fn documents<S: AsRef<str> + Sync>(&self, texts: &[S]) -> Result<Vec<Document>> {
        (texts.par_iter().enumerate())
            .map(|(place, text)| {
                self.document(text.as_ref()).map_err(|error| match error {
                    Error::Data { path, reason, .. } => Error::Data {
                        path,
                        at: format!("text {}", place + 1),
                        reason,
                    },
                    other => other,
                })
            })
            .collect()
    }
}

/// Reads a `tokenizer.json`.
pub(crate) fn load(path: &Path) -> Result<tokenizers::Tokenizer> {
    let bytes = std::fs::read(path).map_err(|source| Error::Io {
        path: path.to_owned(),
        source,
    })?;
    tokenizers::Tokenizer::from_bytes(&bytes).map_err(|error| Error::Data {
        path: path.to_owned(),
        at: "its JSON".to_owned(),
        reason: format!(
            "no tokenizer: {error}; expected a tokenizer.json, as tokenizer.save_pretrained of transformers, or \
             Tokenizer.save of tokenizers, writes it"
        ),
    })
}

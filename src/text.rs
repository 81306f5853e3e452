//! Texts: documents with their words and sentences, vocabularies, word vectors, and the models that answer for
//! texts.
//!
//! [`Document`] cuts a text into words and sentences, and keeps the place of each: nothing is left out of it, however
//! long it is. [`Vocabulary`] numbers the words of a corpus, [`Vectors`] are read from files of `GloVe`, word2vec,
//! `NumPy` or Parquet, and [`Teacher`] asks a model. [`crate::explain::text`] explains what it answers.

mod corpus;
mod document;
mod segment;
mod teacher;
mod tokenizer;
mod vectors;
mod vocabulary;

pub use corpus::{Corpus, read_corpus};
pub use document::{Document, Sentence, Span};
pub use teacher::{Function, Recorded, Teacher};
#[cfg(feature = "onnxruntime")]
pub(crate) use tokenizer::load as load_tokenizer;
pub use tokenizer::{Tokenizer, TokenizerFile};
pub use vectors::{Coverage, Vectors};
pub(crate) use vocabulary::fnv;
pub use vocabulary::{Vocabulary, VocabularyOptions, WordCounts};

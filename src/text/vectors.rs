//! Word vectors, from the files that they are published in.

mod array;
mod lines;
#[cfg(feature = "arrow")]
mod table;

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use ndarray::Array2;

use super::{Vocabulary, WordCounts};
use crate::error::{Error, Result};
#[cfg(feature = "arrow")]
pub(super) use table::words;

/// A vector for each of some words.
#[derive(Debug, Clone)]
pub struct Vectors {
    dimensions: usize,
    words: Vec<String>,
    /// (word, dimension).
    cells: Vec<f32>,
    index: HashMap<String, u32>,
    in_file: u64,
}

/// How many of a corpus's words have a vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Coverage {
    /// Distinct words of the corpus.
    pub types: u64,
    /// Those of them that have a vector.
    pub types_found: u64,
    /// Words of the corpus, as often as they are in it.
    pub tokens: u64,
    /// Those of them that have a vector.
    pub tokens_found: u64,
}

/// What a file gave: words, and their vectors one after the other.
#[derive(Debug, Default)]
struct Found {
    dimensions: usize,
    words: Vec<String>,
    cells: Vec<f32>,
    /// Words of the file, kept or not.
    in_file: u64,
}

impl Vectors {
    /// Reads vectors, of the words of a corpus alone where its counts are given.
    ///
    /// - Text, as `GloVe` and word2vec are published: a line for each word, with its numbers between spaces, and in the
    ///   first line, or not, the numbers of words and dimensions. It is read in blocks by all threads, and no number is
    ///   parsed of a word that is not kept. A word may have spaces of its own.
    /// - `.npy`, an array (word, dimension), with a `list` of its words: a text file with one in each line, or a table
    ///   with a column of them.
    /// - `.parquet`, with a column of words, and beside it a column of lists or one of numbers for each
    ///   dimension.
    ///
    /// Of a word that is there twice, the first vector counts.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Data`] for a line or a row that is none, which is named, and for a file without vectors;
    /// [`Error::Shape`] if a list does not fit; [`Error::Parameter`] for a list where there should be none, or none where
    /// there should be one.
    pub fn read(path: &Path, list: Option<&Path>, keep: Option<&WordCounts>) -> Result<Self> {
        let mut start = [0; 8];
        let io = |source| Error::Io {
            path: path.to_owned(),
            source,
        };
        let mut file = File::open(path).map_err(io)?;
        let mut length = 0;
        while let Ok(more @ 1..) = file.read(&mut start[length..]) {
            length += more;
        }
        drop(file);
        let start = &start[..length];
        let is_array = start.starts_with(b"\x93NUMPY");
        let is_table = start.starts_with(b"PAR1");
        let found = match list {
            Some(list) if is_array => array::read(path, list, keep)?,
            None if is_array => {
                return Err(Error::Parameter {
                    name: "words",
                    got: format!("none for {}", path.display()),
                    allowed: "an array has no words; name a file with one in each line, or a table with a column \
                              of them"
                        .to_owned(),
                });
            }
            Some(list) => {
                return Err(Error::Parameter {
                    name: "words",
                    got: list.display().to_string(),
                    allowed: format!(
                        "a list of words belongs to a .npy file; {} has its own",
                        path.display()
                    ),
                });
            }
            #[cfg(feature = "arrow")]
            None if is_table => table::read(path, keep)?,
            #[cfg(not(feature = "arrow"))]
            None if is_table => {
                return Err(Error::Unsupported {
                    what: path.display().to_string(),
                    by: "this build of whylight".to_owned(),
                    instead: "build it with the feature arrow".to_owned(),
                });
            }
            None => lines::read(path, keep)?,
        };
        if found.dimensions == 0 || found.in_file == 0 {
            return Err(Error::Data {
                path: path.to_owned(),
                at: "its beginning".to_owned(),
                reason:
                    "no vectors; expected a line for each word, with its numbers between spaces"
                        .to_owned(),
            });
        }
        Ok(Self::of(found))
    }

    /// Keeps the first vector of each word.
    fn of(found: Found) -> Self {
        let dimensions = found.dimensions;
        let mut vectors = Self {
            dimensions,
            words: Vec::with_capacity(found.words.len()),
            cells: found.cells,
            index: HashMap::with_capacity(found.words.len()),
            in_file: found.in_file,
        };
        for (place, word) in found.words.into_iter().enumerate() {
            let next = vectors.words.len();
            if vectors.index.contains_key(&word) {
                continue;
            }
            (vectors.cells).copy_within(
                place * dimensions..(place + 1) * dimensions,
                next * dimensions,
            );
            vectors.index.insert(word.clone(), next as u32);
            vectors.words.push(word);
        }
        vectors.cells.truncate(vectors.words.len() * dimensions);
        vectors
    }

    /// Numbers of a vector.
    pub fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// The words, in the order of the file.
    pub fn words(&self) -> &[String] {
        &self.words
    }

    /// Words of the file, kept or not.
    pub fn in_file(&self) -> u64 {
        self.in_file
    }

    /// The vector of a word, as the file writes it.
    pub fn get(&self, word: &str) -> Option<&[f32]> {
        let place = *self.index.get(word)? as usize * self.dimensions;
        self.cells.get(place..place + self.dimensions)
    }

    /// How many words of a corpus have a vector.
    pub fn coverage(&self, counts: &WordCounts) -> Coverage {
        let mut coverage = Coverage {
            types: 0,
            types_found: 0,
            tokens: 0,
            tokens_found: 0,
        };
        for (word, count) in counts.counts() {
            let found = u64::from(self.index.contains_key(word));
            coverage.types += 1;
            coverage.types_found += found;
            coverage.tokens += count;
            coverage.tokens_found += found * count;
        }
        coverage
    }

    /// A row for each number of a vocabulary, and whether it is the vector of its word; else it is 0.
    pub fn table(&self, vocabulary: &Vocabulary) -> (Array2<f32>, Vec<bool>) {
        let mut table = Array2::zeros((vocabulary.len(), self.dimensions));
        let mut known = vec![false; vocabulary.len()];
        for ((word, mut row), known) in (vocabulary.words().iter())
            .zip(table.rows_mut())
            .zip(&mut known)
        {
            if let Some(vector) = self.get(word) {
                row.iter_mut()
                    .zip(vector)
                    .for_each(|(to, from)| *to = *from);
                *known = true;
            }
        }
        (table, known)
    }
}

/// Whether a word is kept.
fn is_kept(keep: Option<&WordCounts>, word: &str) -> bool {
    keep.is_none_or(|counts| counts.contains(word))
}

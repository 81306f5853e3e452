//! What a training needs of a GPU, and whether it can be had.

use whylight_kernels::attention::MOST_WIDTH;
use whylight_kernels::gru::MOST_HIDDEN;

use crate::gpu::Limits;
use crate::han::{Config, Corpus};
use crate::kernel::WORKGROUP;

/// The largest batches of a corpus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Needs {
    /// Words of a batch.
    pub(super) words: usize,
    /// Its sentences.
    pub(super) sentences: usize,
    /// Its documents.
    pub(super) documents: usize,
    /// Words of a sentence, or sentences of a document.
    longest: usize,
}

impl Needs {
    pub(super) fn new(config: &Config, corpus: Corpus<'_>) -> Self {
        let documents = corpus.documents;
        // The most that a batch can have, whichever documents come together.
        let most = |mut lengths: Vec<usize>| {
            lengths.sort_unstable_by_key(|&length| std::cmp::Reverse(length));
            lengths.iter().take(config.batch).sum::<usize>().max(1)
        };
        let of_sentences = documents.iter().map(|d| d.sentences.len());
        let of_words = (documents.iter().flat_map(|d| &d.sentences)).map(|&words| words as usize);
        Self {
            words: most(documents.iter().map(|d| d.words.len()).collect()),
            sentences: most(of_sentences.clone().collect()),
            documents: config.batch.min(documents.len()),
            longest: of_words.chain(of_sentences).max().unwrap_or(0),
        }
    }

    /// Why a GPU with these limits cannot hold it, if it cannot.
    pub(super) fn refusal(self, config: &Config, table: usize, limits: &Limits) -> Option<String> {
        let workgroup = WORKGROUP as usize;
        let (state, compared) = (2 * config.hidden, config.attention);
        // Gates are the widest rows; parts of sums may be larger with few rows of many numbers.
        let widest = (4 * state).max(config.embedding).max(compared);
        let numbers = (self.words.max(self.sentences) * widest).max(table);
        let bytes = 4 * numbers as u64;
        let most = limits.binding_bytes.min(limits.buffer_bytes);
        if bytes > most {
            return Some(format!(
                "a buffer of {bytes} bytes is needed, and {most} are allowed; take smaller batches"
            ));
        }
        let by_row = self.longest.div_ceil(workgroup) * (2 * compared + state + 8);
        let by_column = state.div_ceil(workgroup) * self.longest;
        let iterations = (by_row + by_column + 4 * workgroup).max(self.words) as u64;
        if iterations > limits.iterations {
            return Some(format!(
                "its loops end after {} turns, and the longest sentences need {iterations}",
                limits.iterations
            ));
        }
        None
    }
}

/// The times of a sequence that a launch can do: more would keep a GPU longer than its driver allows.
pub(super) fn times(config: &Config, limits: &Limits) -> u32 {
    let units = config.hidden.div_ceil(WORKGROUP as usize);
    let turns = units * (3 * config.hidden + 4) + 2;
    let possible = limits.iterations / turns as u64;
    possible.clamp(1, 1024) as u32
}

/// Why no GPU holds a network of these sizes, if none does.
pub(super) fn too_wide(config: &Config) -> Option<String> {
    let most = MOST_HIDDEN.min(MOST_WIDTH / 2) as usize;
    let hidden = config.hidden;
    (hidden > most)
        .then(|| format!("the kernels for GPUs hold states of up to {most} numbers, not {hidden}"))
}

//! The words of a batch on a GPU.

use whylight_kernels::vectors::Places;

use crate::gpu::{Buffer, Gpu};

/// The words of a batch: each word's number, then those that it has once each, their offsets, and their rows.
pub(super) struct Words {
    pub(super) buffer: Buffer,
    /// Words that it has.
    pub(super) names: Vec<u32>,
    pub(super) all: usize,
    pub(super) count: u32,
    pub(super) list: u32,
    pub(super) offsets: u32,
    pub(super) rows: u32,
}

impl Words {
    pub(super) fn new(gpu: &Gpu, ids: &[u32]) -> Self {
        let places = Places::new(ids);
        let all = [ids, &places.words, &places.offsets, &places.rows].concat();
        let words = ids.len();
        let offsets = words + places.words.len();
        Self {
            buffer: gpu.upload("words", &all),
            all: words,
            count: places.words.len() as u32,
            names: places.words,
            list: words as u32,
            offsets: offsets as u32,
            rows: (offsets + places.offsets.len()) as u32,
        }
    }
}

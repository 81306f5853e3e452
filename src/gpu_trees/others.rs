//! Background rows on a GPU.

use whylight_kernels::tree_pairs::{Background, words};

use crate::gpu::{Buffer, Gpu};

/// Background rows, which stay there with the model.
#[derive(Debug)]
pub(super) struct Others {
    /// Background rows and their number.
    parts: Vec<(u32, Buffer)>,
    unit: f32,
}

impl Others {
    /// `limit` is that of a buffer, in bytes.
    pub(super) fn new(gpu: &Gpu, background: &Background<'_>, columns: u32, limit: u64) -> Self {
        let words::Others { parts, unit } = words::others(background, columns, limit);
        let upload = |(rows, words): (u32, Vec<u32>)| (rows, gpu.upload("others", &words));
        Self {
            parts: parts.into_iter().map(upload).collect(),
            unit,
        }
    }

    pub(super) fn parts(&self) -> &[(u32, Buffer)] {
        &self.parts
    }

    /// What a unit of the weights weighs.
    pub(super) fn unit(&self) -> f32 {
        self.unit
    }

    pub(super) fn bytes(&self) -> u64 {
        self.parts.iter().map(|(_, rows)| rows.bytes()).sum()
    }
}

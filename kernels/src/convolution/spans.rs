//! Positions that are written together.

use std::collections::BTreeMap;

/// Links of positions that are written together.
pub(super) struct Spans {
    /// Positions of a span.
    pub(super) width: usize,
    /// By span.
    pub(super) offsets: Vec<u32>,
    /// Input position, and its kind.
    pub(super) taps: Vec<[u32; 2]>,
    /// The ways in which an input position is linked with a span: with which of its positions, and by which of the kernel's.
    pub(super) kinds: Vec<Vec<[u32; 2]>>,
}

impl Spans {
    /// Each position alone.
    pub(super) fn alone(links: &[[u32; 3]], positions: usize, kernels: usize) -> Self {
        let mut offsets = vec![0; positions + 1];
        for link in links {
            offsets[link[0] as usize + 1] += 1;
        }
        for p in 0..positions {
            offsets[p + 1] += offsets[p];
        }
        Self {
            width: 1,
            offsets,
            taps: links.iter().map(|link| [link[1], link[2]]).collect(),
            kinds: (0..kernels as u32)
                .map(|kernel| vec![[0, kernel]])
                .collect(),
        }
    }

    /// So many positions together, of links by output position.
    pub(super) fn new(links: &[[u32; 3]], positions: usize, width: usize) -> Self {
        let mut spans = Self {
            width,
            offsets: vec![0],
            taps: Vec::new(),
            kinds: Vec::new(),
        };
        let mut numbers: BTreeMap<Vec<[u32; 2]>, u32> = BTreeMap::new();
        let mut rest = links;
        for first in (0..positions).step_by(width) {
            let end = rest.partition_point(|link| (link[0] as usize) < first + width);
            let mut of_input: BTreeMap<u32, Vec<[u32; 2]>> = BTreeMap::new();
            for &[output, input, kernel] in &rest[..end] {
                let position = output - first as u32;
                of_input.entry(input).or_default().push([position, kernel]);
            }
            rest = &rest[end..];
            for (input, kind) in of_input {
                let next = numbers.len() as u32;
                let number = *numbers.entry(kind.clone()).or_insert_with(|| {
                    spans.kinds.push(kind);
                    next
                });
                spans.taps.push([input, number]);
            }
            spans.offsets.push(spans.taps.len() as u32);
        }
        spans
    }
}

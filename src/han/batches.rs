//! The batches of an epoch: documents of similar length together, in an order that the seed and the epoch decide.

use super::Encoded;
use crate::random::{SplitMix64, mix};

/// Batches whose documents are sorted together: enough for similar lengths, few enough for batches that differ from
/// epoch to epoch.
const SORTED: usize = 32;

/// The documents of each batch of an epoch: all of them once, the last ones in a batch that may be smaller.
pub(super) fn batches(documents: &[Encoded], size: usize, seed: u64, epoch: u64) -> Vec<Vec<u32>> {
    let mut random = SplitMix64::new(mix(seed ^ mix(epoch.wrapping_add(1))));
    let mut order: Vec<u32> = (0..documents.len() as u32).collect();
    shuffle(&mut order, &mut random);
    let mut batches: Vec<Vec<u32>> = Vec::with_capacity(documents.len().div_ceil(size));
    for chunk in order.chunks_mut(size * SORTED) {
        chunk.sort_by_key(|&document| documents[document as usize].words.len());
        batches.extend(chunk.chunks(size).map(<[u32]>::to_vec));
    }
    shuffle(&mut batches, &mut random);
    batches
}

/// Fisher and Yates' shuffle.
fn shuffle<T>(items: &mut [T], random: &mut SplitMix64) {
    for last in (1..items.len()).rev() {
        items.swap(last, random.below(last + 1));
    }
}

#[cfg(test)]
mod tests {
    use super::{SORTED, batches};
    use crate::han::Encoded;

    #[test]
    fn every_document_comes_once_and_neighbours_in_length_together() {
        let documents: Vec<Encoded> = (0..1000)
            .map(|i| Encoded {
                words: vec![0; i * 7919 % 1009],
                sentences: vec![(i * 7919 % 1009) as u32],
            })
            .collect();
        let first = batches(&documents, 7, 3, 0);
        assert_eq!(first.len(), 143);
        let mut seen: Vec<u32> = first.iter().flatten().copied().collect();
        seen.sort_unstable();
        assert!(seen.iter().copied().eq(0..1000));
        let length = |d: u32| documents[d as usize].words.len();
        for batch in &first {
            let lengths: Vec<usize> = batch.iter().map(|&d| length(d)).collect();
            let spread = lengths[lengths.len() - 1] - lengths[0];
            assert!(spread < 1009 / SORTED * 6, "{spread}");
        }
        assert_eq!(first, batches(&documents, 7, 3, 0));
        assert_ne!(first, batches(&documents, 7, 3, 1));
        assert_ne!(first, batches(&documents, 7, 4, 0));
        assert!(batches(&[], 7, 3, 0).is_empty());
    }
}

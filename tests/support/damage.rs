//! Damaged copies of a file, the same ones in every run.

use std::path::Path;

use whylight::model::{self, Model};

use super::random::Random;

/// What reading `bytes` says is wrong; panics if it says nothing.
pub(crate) fn complaint(bytes: &[u8], path: &str) -> String {
    match model::parse(bytes, Path::new(path)) {
        Ok(_) => panic!("a damaged model was read"),
        Err(error) => error.to_string(),
    }
}

/// Reads `count` copies of a file with one to three bytes changed, mostly to bytes of `alphabet`;
/// what can be read must route. Returns how many could be read.
pub(crate) fn changed_bytes(original: &[u8], alphabet: &[u8], count: usize, seed: u64) -> usize {
    let mut random = Random(seed);
    let mut read = 0;
    for _ in 0..count {
        let mut bytes = original.to_vec();
        for _ in 0..=random.below(3) {
            let at = random.below(bytes.len());
            bytes[at] = match random.below(4) {
                0 | 1 => alphabet[random.below(alphabet.len())],
                2 => bytes[at] ^ (1 << random.below(8)),
                _ => random.below(256) as u8,
            };
        }
        if let Ok(Model::Trees(trees)) = model::parse(&bytes, Path::new("bad")) {
            read += 1;
            for cell in [0.5, -1e300, f64::NAN] {
                let margin = trees.margin(&vec![cell; trees.features.len()]);
                assert_eq!(margin.len(), trees.outputs.len());
            }
        }
    }
    read
}

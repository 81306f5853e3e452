//! Damaged files: an error or a model that can be used, never a panic or a hang.

use std::path::Path;

use whylight::model::{self, Model};

use crate::corpus::cases;

const SAMPLE: [&str; 6] = [
    "forest_multi",
    "boosting_bin",
    "boosting_double_3",
    "lightgbm_split",
    "modes_3",
    "modes_5",
];

fn bytes(name: &str) -> Vec<u8> {
    let cases = cases("onnx");
    let case = cases.iter().find(|case| case.name == name).unwrap();
    std::fs::read(case.model()).unwrap()
}

#[test]
fn a_truncated_file_is_an_error_wherever_it_ends() {
    for name in SAMPLE {
        let bytes = bytes(name);
        // The last field of a file is its list of opsets, which nothing here depends on.
        let end = bytes.len() - 40;
        for end in (0..end).step_by((end / 300).max(1)) {
            let error = model::parse(&bytes[..end], Path::new("bad.onnx"));
            let error = error
                .err()
                .unwrap_or_else(|| panic!("{name} up to {end} was read"));
            assert!(error.to_string().contains("bad.onnx"), "{error}");
        }
    }
}

#[test]
fn changed_bytes_never_panic_and_what_is_read_can_be_routed() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    let (mut read, mut refused) = (0, 0);
    for name in SAMPLE {
        let original = bytes(name);
        for _ in 0..800 {
            let mut bytes = original.clone();
            for _ in 0..=random(3) {
                let at = random(bytes.len());
                bytes[at] = match random(3) {
                    0 => bytes[at] ^ (1 << random(8)),
                    1 => [0, 1, 0x7f, 0x80, 0xff][random(5)],
                    _ => random(256) as u8,
                };
            }
            match model::parse(&bytes, Path::new("bad.onnx")) {
                Ok(Model::Trees(trees)) => {
                    read += 1;
                    let margin = trees.margin(&vec![0.5; trees.features.len()]);
                    assert_eq!(margin.len(), trees.outputs.len());
                }
                Ok(_) => panic!("not trees"),
                Err(_) => refused += 1,
            }
        }
    }
    assert!(
        read > 300 && refused > 1_000,
        "{read} read, {refused} refused"
    );
}

//! Damaged files: an error or a model that can be used, never a panic or a hang.

use std::path::Path;
use std::sync::Arc;

use ndarray::Array2;
use whylight::data::Cells;
use whylight::explain::Output;
use whylight::model::{self, Model};
use whylight::{Device, Explainer, Options, Table};

use crate::corpus::cases;

const SAMPLE: [&str; 6] = [
    "forest_multi",
    "boosting_bin",
    "boosting_double_3",
    "lightgbm_split",
    "modes_3",
    "modes_5",
];

/// Models without trees.
const NATIVE: [&str; 13] = [
    "svc_poly_three",
    "svc_linear_scaled",
    "nusvc_scaled",
    "svr_minmax",
    "logistic_three",
    "mlp_relu_two",
    "net_joined",
    "columns",
    "encoded_logistic",
    "encoded_mlp",
    "encoded_ordinal",
    "encoded_svc",
    "normalised_poly",
];

fn bytes(name: &str) -> Vec<u8> {
    let mut cases = cases("onnx");
    cases.extend(crate::corpus::cases("onnx_native"));
    let case = cases.iter().find(|case| case.name == name).unwrap();
    std::fs::read(case.model()).unwrap()
}

#[test]
fn a_truncated_file_is_an_error_wherever_it_ends() {
    for name in SAMPLE.into_iter().chain(NATIVE) {
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
    for name in SAMPLE.into_iter().chain(NATIVE) {
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
                Ok(model) => {
                    read += 1;
                    explain(model);
                }
                Err(_) => refused += 1,
            }
        }
    }
    assert!(
        read > 300 && refused > 1_000,
        "{read} read, {refused} refused"
    );
}

/// Every answer of a model without trees, explained: numbers, or an error.
fn explain(model: Model) {
    let model = Arc::new(model);
    let cells = Array2::from_shape_fn((2, model.features().len()), |(row, j)| {
        [0.5, -1.0][row] + j as f64
    });
    let table = Table::new(None, Cells::F64(cells)).unwrap();
    for output in [Output::Raw, Output::Probability] {
        let options = Options {
            output,
            ..Options::on(Device::cpu())
        };
        let explainer = Explainer::new(Arc::clone(&model), Some(&table), options);
        let _ = explainer.and_then(|explainer| explainer.explain(&table));
    }
}

//! Damaged files of networks: an error or a network that can be run, never a panic or a hang.

use std::path::Path;
use std::sync::Arc;

use ndarray::Array2;
use whylight::data::Cells;
use whylight::explain::Estimator;
use whylight::model::network::{Shapes, parse};
use whylight::model::{Model, Network};
use whylight::{Device, Explainer, Options, Table};

use crate::corpus::cases;

const SAMPLE: [&str; 14] = [
    "attention_causal_script",
    "attention_masked_dynamo",
    "cnn_script",
    "conv1d_dynamo",
    "einsum_script",
    "encoder_dynamo",
    "group_norm_script",
    "gru_script",
    "lstm_both_script",
    "movements_script",
    "patches_dynamo",
    "reductions_dynamo",
    "resize_linear_script",
    "transposed_dynamo",
];

/// Cells, above which a network is read but not run.
const MOST: usize = 100_000;

fn bytes(name: &str) -> Vec<u8> {
    let cases = cases("onnx_network");
    let case = cases.iter().find(|case| case.name == name).unwrap();
    std::fs::read(case.model()).unwrap()
}

/// Every answer, whatever the numbers are.
fn run(network: &Network) {
    let cells: usize = network
        .tensors
        .iter()
        .map(whylight::model::network::Tensor::cells)
        .sum();
    if cells > MOST {
        return;
    }
    let example: Vec<f64> = (0..network.cells())
        .map(|cell| cell as f64 % 7.0 - 1.0)
        .collect();
    assert_eq!(network.raw(&example).len(), network.outputs.len());
    // And every explanation: numbers, or an error.
    let cells = Array2::from_shape_fn((2, example.len()), |(row, cell)| {
        if row == 0 {
            example[cell].max(0.0)
        } else {
            1.0
        }
    });
    let table = Table::new(None, Cells::F64(cells)).unwrap();
    let model = Arc::new(Model::Network(network.clone()));
    for estimator in [Estimator::Auto, Estimator::IntegratedGradients] {
        let options = Options {
            estimator,
            samples: Some(2),
            ..Options::on(Device::cpu())
        };
        let explainer = Explainer::new(Arc::clone(&model), Some(&table), options);
        let _ = explainer.and_then(|explainer| explainer.explain(&table));
    }
}

#[test]
fn a_truncated_file_is_an_error_wherever_it_ends() {
    for name in SAMPLE {
        let bytes = bytes(name);
        // Without its last field, the list of opsets, a file has none that is read.
        for end in (0..bytes.len() - 1).step_by((bytes.len() / 300).max(1)) {
            let error = parse(&bytes[..end], Path::new("bad.onnx"), &Shapes::default());
            let error = error
                .err()
                .unwrap_or_else(|| panic!("{name} up to {end} was read"));
            assert!(error.to_string().contains("bad.onnx"), "{error}");
        }
    }
}

#[test]
fn changed_bytes_never_panic_and_what_is_read_can_be_run() {
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
            match parse(&bytes, Path::new("bad.onnx"), &Shapes::default()) {
                Ok(network) => {
                    read += 1;
                    run(&network);
                }
                Err(_) => refused += 1,
            }
        }
    }
    assert!(
        read > 1_000 && refused > 1_000,
        "{read} read, {refused} refused"
    );
}

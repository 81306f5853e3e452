//! The operator vectors of the `onnx` package: the forward pass of each operator.

use std::collections::BTreeMap;
use std::path::Path;

use whylight::Error;
use whylight::model::network::{Shapes, parse};

/// Vectors that are refused, by the beginning of their names, with what the error says.
const REFUSED: [(&str, &str); 23] = [
    ("attention_", "nonpad_kv_seqlen"),
    ("attention_", "left_window_size"),
    ("batchnorm_epsilon_training", "the training mode"),
    ("batchnorm_example_training", "the training mode"),
    ("constantofshape_float_ones", "changes with the example"),
    ("constantofshape_int_zeros", "changes with the example"),
    ("einsum_batch_diagonal", "the diagonal"),
    ("eyelike", "depends on no input"),
    ("if", "a condition that changes with the example"),
    ("nonzero_example", "changes with the example"),
    ("pow.0", "powers that differ"),
    ("pow_bcast_array.0", "powers that differ"),
    ("pow_example.0", "powers that differ"),
    ("pow_types", "powers that differ"),
    ("reduce_max_empty_set_bool", "holds no cell"),
    ("reduce_prod_empty_set", "multiplies nothing"),
    (
        "resize_tf_crop_and_resize_extrapolation_value",
        "extrapolation_value",
    ),
    ("scatter_elements_with", "the reduction"),
    ("scatternd_", "the reduction"),
    ("shape", "depends on no input"),
    ("size", "depends on no input"),
    ("tril_out_neg", "depends on no input"),
    ("triu_out_pos", "depends on no input"),
];

/// A vector of the package, with some of its inputs as the example and the others as initializers.
struct Vector<'a> {
    facts: &'a serde_json::Value,
    data: &'a [u8],
}

impl Vector<'_> {
    fn name(&self) -> &str {
        self.facts["name"].as_str().unwrap()
    }

    fn range(&self, key: &str, width: usize) -> &[u8] {
        let number = |i: usize| self.facts[key][i].as_u64().unwrap() as usize;
        &self.data[number(0)..number(0) + width * number(1)]
    }

    fn numbers(&self, key: &str) -> Vec<f64> {
        let (words, _) = self.range(key, 4).as_chunks();
        words
            .iter()
            .map(|w| f32::from_le_bytes(*w).into())
            .collect()
    }

    fn shapes(&self) -> Shapes {
        let sizes = |shape: &serde_json::Value| -> Vec<usize> {
            let sizes = shape.as_array().unwrap().iter();
            sizes.map(|n| n.as_u64().unwrap() as usize).collect()
        };
        let inputs = self.facts["shapes"].as_object().unwrap().iter();
        Shapes {
            by_input: (inputs.map(|(name, shape)| (name.clone(), sizes(shape)))).collect(),
            ..Shapes::default()
        }
    }
}

#[test]
fn the_forward_pass_is_that_of_the_operators_own_vectors() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/onnx_nodes");
    let index = std::fs::read(folder.join("nodes.json")).unwrap();
    let data = std::fs::read(folder.join("nodes.bin")).unwrap();
    let index: Vec<serde_json::Value> = serde_json::from_slice(&index).unwrap();
    let mut operators: BTreeMap<String, usize> = BTreeMap::new();
    let mut refused = [0; REFUSED.len()];
    for facts in &index {
        let vector = Vector { facts, data: &data };
        let name = vector.name();
        let path = Path::new("vector.onnx");
        let network = match parse(vector.range("model", 1), path, &vector.shapes()) {
            Ok(network) => network,
            Err(error) => {
                let said = error.to_string();
                let mut known = REFUSED.iter();
                let is =
                    |(start, words): &(&str, &str)| name.starts_with(start) && said.contains(words);
                let Some(at) = known.position(is) else {
                    panic!("{name}: {error}");
                };
                assert!(matches!(
                    error,
                    Error::Unsupported { .. } | Error::Model { .. }
                ));
                refused[at] += 1;
                continue;
            }
        };
        let (cells, expected) = (vector.numbers("cells"), vector.numbers("answer"));
        assert_eq!(network.cells(), cells.len(), "{name}");
        let ours = network.raw(&cells);
        assert_eq!(ours.len(), expected.len(), "{name}");
        let largest = expected.iter().fold(1e-3, |most: f64, x| most.max(x.abs()));
        let bound = facts["tolerance"].as_f64().unwrap() * largest;
        for (cell, (ours, expected)) in ours.iter().zip(&expected).enumerate() {
            assert!(
                (ours - expected).abs() <= bound,
                "{name}, cell {cell}: {ours} is not {expected}"
            );
        }
        let operator = facts["operator"].as_str().unwrap().to_owned();
        *operators.entry(operator).or_default() += 1;
    }
    let passed: usize = operators.values().sum();
    let count: usize = refused.iter().sum();
    println!(
        "{passed} vectors of {} operators, {count} refused",
        operators.len()
    );
    assert!(!refused.contains(&0), "{refused:?}");
    assert!(
        passed > 1490 && operators.len() > 100,
        "{passed}: {operators:?}"
    );
}

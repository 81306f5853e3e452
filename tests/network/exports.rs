//! Whole networks that `PyTorch` exports, by both of its exporters, against its own answers.

use std::collections::BTreeSet;

use whylight::model::Network;
use whylight::model::network::{Shapes, load};

use crate::corpus::{Case, cases};

fn read(case: &Case) -> Network {
    let network = load(&case.model(), &Shapes::default());
    network.unwrap_or_else(|error| panic!("{}: {error}", case.name))
}

#[test]
fn answers_equal_those_of_the_module() {
    let mut operators = BTreeSet::new();
    for case in cases("onnx_network") {
        let network = read(&case);
        let (rows, answers) = (case.array("rows").unwrap(), case.array("answers").unwrap());
        let largest = answers
            .cells
            .iter()
            .fold(0.0, |most: f64, x| most.max(x.abs()));
        for i in 0..rows.shape[0] {
            let ours = network.raw(rows.row(i));
            assert_eq!(ours.len(), answers.row(i).len(), "{}", case.name);
            for (ours, expected) in ours.iter().zip(answers.row(i)) {
                assert!(
                    (ours - expected).abs() <= 1e-5 * largest,
                    "{}, row {i}: {ours} is not {expected}",
                    case.name
                );
            }
        }
        operators.extend(network.steps.iter().map(|step| step.operation.name()));
    }
    // Every kind of step has been taken.
    for name in [
        "scale",
        "dense",
        "convolution",
        "gather",
        "sum",
        "add",
        "product",
        "matmul",
        "max",
        "softmax",
        "log_softmax",
        "embedding",
        "relu",
        "gelu",
        "sigmoid",
        "tanh",
    ] {
        assert!(operators.contains(name), "{name}: {operators:?}");
    }
}

#[test]
fn steps_are_only_those_that_an_example_changes_and_the_output_needs() {
    for case in cases("onnx_network") {
        let network = read(&case);
        let mut needed = vec![false; network.tensors.len()];
        needed[network.output] = true;
        for step in network.steps.iter().rev() {
            assert!(needed[step.output], "{}: {}", case.name, step.node);
            step.inputs.iter().for_each(|&t| needed[t] = true);
        }
        assert!(needed[0], "{}", case.name);
        assert_eq!(network.layer("out"), Some(network.output), "{}", case.name);
        assert_eq!(network.features.len(), network.cells());
    }
}

#[test]
fn classifiers_of_scikit_learn_have_the_probabilities_of_the_runtime() {
    let mut read = 0;
    for case in cases("onnx_native") {
        let is_network = [
            "mlp_",
            "logistic_",
            "net_",
            "normalised_mlp",
            "normalised_logistic",
        ];
        let Some(expected) = case.array("probability") else {
            continue;
        };
        if !is_network.iter().any(|start| case.name.starts_with(start)) {
            continue;
        }
        let network = self::read(&case);
        let rows = case.array("rows").unwrap();
        for i in 0..rows.shape[0] {
            let ours = network.raw(rows.row(i));
            // One sigmoid stands for the second of two classes.
            let expected = &expected.row(i)[expected.row(i).len() - ours.len()..];
            for (ours, expected) in ours.iter().zip(expected) {
                assert!(
                    (ours - expected).abs() <= 1e-5,
                    "{}, row {i}: {ours} is not {expected}",
                    case.name
                );
            }
        }
        let classes = case.facts["classes"].as_array().unwrap();
        if classes.len() == network.outputs.len() {
            assert_eq!(&network.outputs, classes, "{}", case.name);
        }
        read += 1;
    }
    assert_eq!(read, 14);
}

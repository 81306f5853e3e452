//! What nodes become: layers that take up scales, and operators of ONNX Runtime's own.

use super::{floats, kinds, matrix, model, op, read, shaped, with_input};
use crate::model::onnx::message::{FLOAT, TensorMessage};
use crate::model::onnx::tests::NodeMessage;

const X: [f64; 2] = [0.7, -1.3];

fn own(name: &str, inputs: &[&str]) -> NodeMessage {
    NodeMessage::new("com.microsoft", name, inputs, &["out"])
}

/// Answers that are the same to the rounding of float32.
fn same(ours: &[f64], expected: &[f64]) {
    assert_eq!(ours.len(), expected.len());
    for (ours, expected) in ours.iter().zip(expected) {
        assert!((ours - expected).abs() < 1e-6, "{ours} is not {expected}");
    }
}

#[test]
fn a_bias_and_a_batchs_norm_become_part_of_the_layer_before() {
    let nodes = vec![
        op("MatMul", &["x", "w"], "product"),
        op("Add", &["b", "product"], "out"),
    ];
    let tensors = || {
        vec![
            matrix("w", [2, 2], &[1.0, 2.0, 3.0, 4.0]),
            floats("b", &[0.5, -0.5]),
        ]
    };
    let network = read(model(nodes.clone(), tensors()));
    assert_eq!(kinds(&network), ["dense"]);
    same(&network.raw(&[1.0, 1.0]), &[4.5, 5.5]);
    assert_eq!(network.layer("product"), None);
    // What something else reads, too, stays as it is.
    let twice = [
        &nodes[..1],
        &[
            op("Add", &["b", "product"], "y"),
            op("Mul", &["y", "product"], "out"),
        ],
    ]
    .concat();
    let network = read(model(twice, tensors()));
    assert_eq!(kinds(&network), ["dense", "scale", "product"]);
    let weights = TensorMessage {
        dims: vec![2, 1, 1],
        ..floats("w", &[2.0, -1.0])
    };
    let norm =
        op("BatchNormalization", &["y", "s", "b", "m", "v"], "out").with(super::AttributeMessage {
            f: 1.0,
            ..super::attribute("epsilon")
        });
    let tensors = vec![
        weights,
        floats("s", &[4.0, 6.0]),
        floats("b", &[1.0, 0.0]),
        floats("m", &[1.0, 2.0]),
        floats("v", &[3.0, 8.0]),
    ];
    let graph = model(vec![op("Conv", &["x", "w"], "y"), norm], tensors);
    let mut graph = with_input(graph, &["n", "1", "2"]);
    graph.output = vec![shaped("out", FLOAT, &["n", "2", "2"])];
    let network = read(graph);
    assert_eq!(kinds(&network), ["convolution"]);
    // (2 x − 1) · 4/2 + 1 and (−x − 2) · 6/3.
    same(&network.raw(&[1.0, 3.0]), &[3.0, 11.0, -6.0, -10.0]);
}

#[test]
fn operators_of_onnx_runtime_are_what_they_stand_for() {
    let answer = |nodes: Vec<NodeMessage>| {
        let tensors = vec![
            floats("b", &[0.25, -0.5]),
            floats("s", &[2.0, 3.0]),
            floats("t", &[0.5, 1.0]),
        ];
        read(model(nodes, tensors)).raw(&X)
    };
    let gelu = || op("Gelu", &["x"], "out");
    same(&answer(vec![own("Gelu", &["x"])]), &answer(vec![gelu()]));
    let tanh = gelu().with_text("approximate", "tanh");
    same(&answer(vec![own("FastGelu", &["x"])]), &answer(vec![tanh]));
    let biased = vec![op("Add", &["x", "b"], "y"), op("Gelu", &["y"], "out")];
    same(&answer(vec![own("BiasGelu", &["x", "b"])]), &answer(biased));
    let quick = X.map(|x| x / (1.0 + (-1.702 * x).exp()));
    same(&answer(vec![own("QuickGelu", &["x"])]), &quick);
    let small = |node: NodeMessage| {
        node.with(super::AttributeMessage {
            f: 1e-3,
            ..super::attribute("epsilon")
        })
    };
    let skip = small(own("SkipLayerNormalization", &["x", "t", "s", "b"]));
    let norm = small(op("LayerNormalization", &["y", "s", "b"], "out"));
    let written = vec![op("Add", &["x", "t"], "y"), norm];
    same(&answer(vec![skip]), &answer(written));
    let root = small(own("SimplifiedLayerNormalization", &["x", "s"]));
    let mean = f64::midpoint(X[0] * X[0], X[1] * X[1]) + 1e-3;
    same(
        &answer(vec![root]),
        &[2.0 * X[0] / mean.sqrt(), 3.0 * X[1] / mean.sqrt()],
    );
}

#[test]
fn a_condition_of_the_example_chooses_exactly() {
    let nodes = vec![
        op("Less", &["x", "zero"], "is"),
        op("Not", &["is"], "not"),
        op("Neg", &["x"], "minus"),
        op("Where", &["not", "x", "minus"], "out"),
    ];
    let network = read(model(nodes, vec![super::number("zero", 0.0)]));
    assert_eq!(network.raw(&X), [0.7, 1.3]);
    assert_eq!(network.raw(&[-1e9, 3e-9]), [1e9, 3e-9]);
}

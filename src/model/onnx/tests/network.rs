//! Graphs of networks made in memory: shapes, names, functions and what is left out.

mod control;
mod hostile;
mod steps;

use std::path::Path;

use prost::Message;

use super::{NodeMessage, attribute, floats, model};
use crate::error::Error;
use crate::model::network::{Network, Operation, Shapes, parse};
use crate::model::onnx::message::{
    AttributeMessage, DimensionMessage, FLOAT, FunctionMessage, GraphMessage, INT64, ModelMessage,
    OpsetMessage, ShapeMessage, TensorMessage, TensorTypeMessage, TypeMessage, ValueMessage,
};

fn op(name: &str, inputs: &[&str], output: &str) -> NodeMessage {
    NodeMessage::new("", name, inputs, &[output])
}

fn ints(name: &str, values: &[i64]) -> TensorMessage {
    TensorMessage {
        dims: vec![values.len() as i64],
        data_type: INT64,
        int64_data: values.to_vec(),
        name: name.to_owned(),
        ..TensorMessage::default()
    }
}

fn number(name: &str, value: f32) -> TensorMessage {
    TensorMessage {
        dims: Vec::new(),
        ..floats(name, &[value])
    }
}

fn matrix(name: &str, dims: [i64; 2], values: &[f32]) -> TensorMessage {
    TensorMessage {
        dims: dims.to_vec(),
        ..floats(name, values)
    }
}

/// A tensor with sizes that are numbers or names.
fn shaped(name: &str, elem_type: i32, sizes: &[&str]) -> ValueMessage {
    let dim = |size: &&str| DimensionMessage {
        value: size.parse().unwrap_or(0),
        symbol: if size.parse::<i64>().is_ok() {
            String::new()
        } else {
            (*size).to_owned()
        },
    };
    let shape = Some(ShapeMessage {
        dim: sizes.iter().map(dim).collect(),
    });
    let tensor = Some(TensorTypeMessage { elem_type, shape });
    ValueMessage {
        name: name.to_owned(),
        kind: Some(TypeMessage { tensor }),
    }
}

fn with_input(mut graph: GraphMessage, sizes: &[&str]) -> GraphMessage {
    graph.input = vec![shaped("x", FLOAT, sizes)];
    graph
}

fn file(graph: GraphMessage) -> ModelMessage {
    ModelMessage {
        ir_version: 8,
        graph: Some(graph),
        opset: vec![OpsetMessage {
            domain: String::new(),
            version: 18,
        }],
        ..ModelMessage::default()
    }
}

fn read_as(graph: GraphMessage, shapes: &Shapes) -> Result<Network, Error> {
    parse(&file(graph).encode_to_vec(), Path::new("made.onnx"), shapes)
}

fn read(graph: GraphMessage) -> Network {
    read_as(graph, &Shapes::default()).unwrap()
}

/// What reading a graph of "x" says is wrong.
fn complaint(graph: GraphMessage) -> String {
    let error = read_as(graph, &Shapes::default()).unwrap_err();
    assert!(
        matches!(
            error,
            Error::Model { .. } | Error::Unsupported { .. } | Error::Parameter { .. }
        ),
        "{error}"
    );
    error.to_string()
}

fn kinds(network: &Network) -> Vec<&'static str> {
    let steps = network.steps.iter();
    steps.map(|step| step.operation.name()).collect()
}

#[test]
fn one_size_that_is_open_follows_from_the_number_of_columns() {
    let graph =
        |sizes: &[&str]| with_input(model(vec![op("Relu", &["x"], "out")], Vec::new()), sizes);
    let shapes = |cells| Shapes {
        cells: Some(cells),
        ..Shapes::default()
    };
    let network = read_as(graph(&["batch", "time", "3"]), &shapes(12)).unwrap();
    assert_eq!(network.inputs[0].shape, [1, 4, 3]);
    assert_eq!(network.features[5].name.as_deref(), Some("x[1,2]"));
    let network = read_as(graph(&["b", "side", "side"]), &shapes(25)).unwrap();
    assert_eq!(network.inputs[0].shape, [1, 5, 5]);
    let error = read_as(graph(&["batch", "time", "3"]), &shapes(13)).unwrap_err();
    assert!(
        error.to_string().contains("axis 1 of input \"x\""),
        "{error}"
    );
    let error = read_as(graph(&["batch", "time", "3"]), &Shapes::default()).unwrap_err();
    assert!(error.to_string().contains("its axis 1 open"), "{error}");
    let error = read_as(graph(&["batch", "4"]), &shapes(5)).unwrap_err();
    assert!(matches!(error, Error::Shape { .. }), "{error}");
}

#[test]
fn examples_tell_all_sizes_that_are_open() {
    let graph =
        |sizes: &[&str]| with_input(model(vec![op("Relu", &["x"], "out")], Vec::new()), sizes);
    let shape = |sizes: &[&str], example: &[usize]| {
        let shapes = Shapes {
            cells: Some(example.iter().product()),
            in_order: vec![example.to_vec()],
            ..Shapes::default()
        };
        read_as(graph(sizes), &shapes).map(|network| network.inputs[0].shape.clone())
    };
    assert_eq!(shape(&["n", "time", "width"], &[7, 5]).unwrap(), [1, 7, 5]);
    assert_eq!(
        shape(&["n", "3", "h", "w"], &[3, 4, 6]).unwrap(),
        [1, 3, 4, 6]
    );
    // What the file says stays: a flat example of as many cells is one, too.
    assert_eq!(shape(&["n", "3", "4"], &[12]).unwrap(), [1, 3, 4]);
    assert_eq!(shape(&["n", "3", "4"], &[4, 3]).unwrap(), [1, 3, 4]);
    let error = shape(&["n", "3", "w"], &[4, 4]).unwrap_err().to_string();
    assert!(
        error.contains("none of them makes as many cells"),
        "{error}"
    );
    let error = shape(&["n", "h", "w"], &[0, 4]).unwrap_err().to_string();
    assert!(error.contains("axis 1 open"), "{error}");
}

#[test]
fn the_batch_is_one_wherever_it_is() {
    let graph =
        |sizes: &[&str]| with_input(model(vec![op("Relu", &["x"], "out")], Vec::new()), sizes);
    let shape = |sizes: &[&str], given: &[usize]| {
        let shapes = Shapes {
            by_input: vec![("x".to_owned(), given.to_vec())],
            ..Shapes::default()
        };
        read_as(graph(sizes), &shapes).map(|network| network.inputs[0].shape.clone())
    };
    assert_eq!(shape(&["n", "t"], &[7]).unwrap(), [1, 7]);
    assert_eq!(
        shape(&["time", "batch", "2"], &[5, 1, 2]).unwrap(),
        [5, 1, 2]
    );
    assert_eq!(shape(&["1", "2"], &[1, 2]).unwrap(), [1, 2]);
    let error = shape(&["n", "3"], &[4]).unwrap_err().to_string();
    assert!(error.contains("[n, 3]"), "{error}");
    // A sequence comes first, as another axis is called the batch.
    let network = read_as(
        graph(&["time", "batch_size", "2"]),
        &Shapes {
            cells: Some(6),
            ..Shapes::default()
        },
    );
    assert_eq!(network.unwrap().inputs[0].shape, [3, 1, 2]);
}

#[test]
fn a_batch_that_is_fixed_is_told_of_where_it_cannot_be_one() {
    let reshaped = op("Reshape", &["x", "shape"], "out");
    let mut graph = with_input(
        model(vec![reshaped], vec![ints("shape", &[4, 6])]),
        &["4", "2", "3"],
    );
    graph.output = vec![shaped("out", FLOAT, &["4", "6"])];
    let error = complaint(graph);
    assert!(
        error.contains("a batch that is fixed at 4") && error.contains("with a batch of 1"),
        "{error}"
    );
    // What a batch does not change goes through.
    let mut graph = with_input(
        model(vec![op("Relu", &["x"], "out")], Vec::new()),
        &["4", "3"],
    );
    graph.output = vec![shaped("out", FLOAT, &["4", "3"])];
    assert_eq!(read(graph).inputs[0].shape, [1, 3]);
}

#[test]
fn what_the_output_does_not_need_is_not_read() {
    let mut graph = model(
        vec![
            op("Relu", &["x"], "hidden"),
            op("Sigmoid", &["hidden"], "out"),
            op("Frobnicate", &["hidden"], "label"),
            op("Tanh", &["x"], "unused"),
        ],
        Vec::new(),
    );
    graph.output = vec![
        shaped("label", INT64, &["n"]),
        shaped("out", FLOAT, &["n", "2"]),
    ];
    let network = read(graph.clone());
    assert_eq!(kinds(&network), ["relu", "sigmoid"]);
    assert_eq!(network.outputs, ["0", "1"]);
    assert_eq!(network.layer("hidden"), Some(1));
    assert_eq!(network.layer("the hidden"), Some(1));
    assert_eq!(network.layer("unused"), None);
    let shapes = Shapes {
        output: Some("hidden".to_owned()),
        ..Shapes::default()
    };
    assert_eq!(kinds(&read_as(graph.clone(), &shapes).unwrap()), ["relu"]);
    let shapes = Shapes {
        output: Some("nothing".to_owned()),
        ..Shapes::default()
    };
    let error = read_as(graph, &shapes).unwrap_err().to_string();
    assert!(error.contains("the outputs are label, out"), "{error}");
}

#[test]
fn operators_that_are_not_known_are_listed_before_any_work() {
    let nodes = (0..13).map(|i| op("Frob", &["x"], &format!("f{i}")));
    let mut nodes: Vec<NodeMessage> = nodes.collect();
    let names: Vec<String> = (0..13).map(|i| format!("f{i}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    nodes.push(op("Sum", &names, "out"));
    let error = complaint(model(nodes, Vec::new()));
    assert!(error.contains("node \"the f0\" (Frob)"), "{error}");
    assert!(
        error.contains("\"the f9\"") && error.contains("and 3 more"),
        "{error}"
    );
    assert!(error.contains("Kernel SHAP"), "{error}");
}

#[test]
fn a_condition_that_is_known_takes_its_branch() {
    let branch = |name: &str| GraphMessage {
        node: vec![op(name, &["x"], "inner")],
        output: vec![shaped("inner", FLOAT, &[])],
        ..GraphMessage::default()
    };
    let with = |node: NodeMessage, name: &str, graph| {
        node.with(AttributeMessage {
            graph: Some(Box::new(graph)),
            ..attribute(name)
        })
    };
    let choice = with(op("If", &["is"], "y"), "then_branch", branch("Tanh"));
    let choice = with(choice, "else_branch", branch("Frobnicate"));
    let nodes = vec![
        op("Shape", &["x"], "shape"),
        op("ReduceMax", &["shape"], "most"),
        op("Equal", &["most", "two"], "is"),
        choice,
        op("Neg", &["y"], "out"),
    ];
    let graph = |two| model(nodes.clone(), vec![ints("two", &[two])]);
    let network = read(graph(2));
    assert_eq!(kinds(&network), ["tanh", "scale"]);
    assert_eq!(network.raw(&[0.5, 0.0])[0], -0.5_f64.tanh());
    assert!(complaint(graph(3)).contains("(Frobnicate)"));
}

#[test]
fn functions_of_the_file_stand_for_their_nodes() {
    let slope = op("LeakyRelu", &["a"], "b").with(AttributeMessage {
        caller: "slope".to_owned(),
        ..attribute("alpha")
    });
    let function = FunctionMessage {
        name: "Bent".to_owned(),
        domain: "own".to_owned(),
        input: vec!["a".to_owned()],
        output: vec!["b".to_owned()],
        node: vec![slope],
        ..FunctionMessage::default()
    };
    let call = |output: &str| NodeMessage::new("own", "Bent", &["x"], &[output]);
    let steep = call("steep").with(AttributeMessage {
        f: 0.5,
        ..attribute("slope")
    });
    let nodes = vec![steep, call("flat"), op("Sub", &["steep", "flat"], "out")];
    let mut file = file(model(nodes, Vec::new()));
    file.function = vec![function.clone()];
    let network = parse(
        &file.encode_to_vec(),
        Path::new("made.onnx"),
        &Shapes::default(),
    );
    // Without the caller's attribute, the operator's own default stands.
    assert!((network.unwrap().raw(&[-1.0, 0.0])[0] - -0.49).abs() < 1e-7);
    // One that calls itself ends.
    let again = NodeMessage::new("own", "Bent", &["a"], &["b"]);
    file.function = vec![FunctionMessage {
        node: vec![again],
        ..function
    }];
    let error = parse(
        &file.encode_to_vec(),
        Path::new("made.onnx"),
        &Shapes::default(),
    );
    let error = error.unwrap_err().to_string();
    assert!(error.contains("graphs inside each other"), "{error}");
}

#[test]
fn operators_that_only_tensorflow_has_are_read() {
    for (name, expected) in [
        ("Erfc", [0.479_500_12, 1.842_700_8]),
        ("Expm1", [0.648_721_3, -0.632_120_6]),
        ("Log1p", [0.405_465_1, f64::NEG_INFINITY]),
    ] {
        let network = read(model(vec![op(name, &["x"], "out")], Vec::new()));
        let found = network.raw(&[0.5, -1.0]);
        for (found, expected) in found.iter().zip(expected) {
            assert!(
                *found == expected || (found - expected).abs() < 1e-6,
                "{name} {found}"
            );
        }
    }
}

#[test]
fn masks_of_minus_infinity_stay_finite() {
    let chosen = |input: &str, nodes: Vec<NodeMessage>| {
        let rest = vec![
            op("Where", &[input, "x", "low"], "masked"),
            op("Softmax", &["masked"], "out"),
        ];
        let tensors = vec![number("low", f32::NEG_INFINITY), number("zero", 0.0)];
        read(model([nodes, rest].concat(), tensors))
    };
    let network = chosen("is", vec![op("Greater", &["x", "zero"], "is")]);
    assert_eq!(network.raw(&[2.0, -1.0]), [1.0, 0.0]);
    let even = network.raw(&[2.0, 2.0]);
    assert!((even[0] - 0.5).abs() < 1e-12);
    let added = model(
        vec![
            op("Add", &["x", "mask"], "masked"),
            op("Softmax", &["masked"], "out"),
        ],
        vec![floats("mask", &[0.0, f32::MIN])],
    );
    assert_eq!(read(added).raw(&[2.0, 50.0]), [1.0, 0.0]);
}

#[test]
fn moves_that_follow_each_other_are_one_and_those_that_change_nothing_none() {
    let order = |node: NodeMessage, perm: &[i64]| node.with_ints("perm", perm);
    let nodes = vec![
        op("Reshape", &["x", "shape"], "r"),
        order(op("Transpose", &["r"], "t"), &[0, 2, 1]),
        order(op("Transpose", &["t"], "back"), &[0, 2, 1]),
        op("Slice", &["t", "zero", "one", "last"], "out"),
    ];
    let tensors = vec![
        ints("shape", &[1, 2, 3]),
        ints("zero", &[0]),
        ints("one", &[1]),
        ints("last", &[2]),
    ];
    let graph = with_input(model(nodes, tensors), &["n", "6"]);
    let network = read(graph.clone());
    assert_eq!(kinds(&network), ["gather"]);
    assert_eq!(
        network.raw(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]),
        [0.0, 1.0, 2.0]
    );
    let shapes = Shapes {
        output: Some("back".to_owned()),
        ..Shapes::default()
    };
    assert!(read_as(graph, &shapes).unwrap().steps.is_empty());
}

#[test]
fn steps_carry_the_node_that_they_come_from() {
    let norm = op("LayerNormalization", &["x", "scale"], "out");
    let network = read(model(vec![norm], vec![floats("scale", &[2.0, 3.0])]));
    let title = "node \"the out\" (LayerNormalization)";
    assert!(network.steps.iter().all(|step| step.node == title));
    assert_eq!(network.tensors[network.output].name, "out");
    assert_eq!(network.tensors[1].name, "out/sum");
}

#[test]
fn products_with_a_matrix_for_each_of_a_batch_are_exact() {
    let weights = TensorMessage {
        dims: vec![3, 2, 2],
        ..floats(
            "w",
            &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 1.0, 2.0, 3.0],
        )
    };
    let graph = with_input(
        model(vec![op("MatMul", &["x", "w"], "out")], vec![weights]),
        &["3", "1", "2"],
    );
    let network = read(graph);
    assert!(matches!(
        network.steps[0].operation,
        Operation::Convolution(_)
    ));
    let answer = network.raw(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    assert_eq!(answer, [7.0, 10.0, 43.0, 50.0, 57.0, 23.0]);
}

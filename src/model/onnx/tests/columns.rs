//! Columns before a native model: what becomes of cells, and what is refused.

use super::{NodeMessage, floats, model, parse_any, value};
use crate::error::Error;
use crate::model::onnx::message::{
    DOUBLE, FLOAT, GraphMessage, INT64, STRING, TensorMessage, ValueMessage,
};
use crate::model::{Feature, Model};

fn op(name: &str, inputs: &[&str], output: &str) -> NodeMessage {
    NodeMessage::new("", name, inputs, &[output])
}

fn ml(name: &str, inputs: &[&str], output: &str) -> NodeMessage {
    NodeMessage::new("ai.onnx.ml", name, inputs, &[output])
}

fn integers(name: &str, dims: &[i64], values: &[i64]) -> TensorMessage {
    TensorMessage {
        dims: dims.to_vec(),
        data_type: INT64,
        int64_data: values.to_vec(),
        name: name.to_owned(),
        ..TensorMessage::default()
    }
}

/// The columns of a value, as they are: outputs of a layer of no weight but its own.
fn graph(
    inputs: Vec<ValueMessage>,
    mut nodes: Vec<NodeMessage>,
    mut tensors: Vec<TensorMessage>,
    width: usize,
) -> GraphMessage {
    let one = |at: usize| f32::from(u8::from(at.is_multiple_of(width + 1)));
    let cells: Vec<f32> = (0..width * width).map(one).collect();
    tensors.push(TensorMessage {
        dims: vec![width as i64; 2],
        ..floats("one", &cells)
    });
    nodes.push(op("MatMul", &["made", "one"], "out"));
    GraphMessage {
        input: inputs,
        ..model(nodes, tensors)
    }
}

/// Of an input of four float32.
fn four(nodes: Vec<NodeMessage>, tensors: Vec<TensorMessage>, width: usize) -> Model {
    parse_any(graph(vec![value("x", FLOAT, 4)], nodes, tensors, width)).unwrap()
}

fn raw(model: &Model, row: &[f64]) -> Vec<f64> {
    model.raw(row).unwrap()
}

fn refusal(graph: GraphMessage) -> String {
    let error = parse_any(graph).unwrap_err();
    assert!(matches!(error, Error::Unsupported { .. }), "{error}");
    error.to_string()
}

fn complaint(graph: GraphMessage) -> String {
    let error = parse_any(graph).unwrap_err();
    assert!(matches!(error, Error::Model { .. }), "{error}");
    error.to_string()
}

fn one_hot(input: &str, output: &str, categories: &[i64]) -> NodeMessage {
    ml("OneHotEncoder", &[input], output).with_ints("cats_int64s", categories)
}

#[test]
fn columns_are_taken_apart_and_put_together() {
    let nodes = vec![
        ml("ArrayFeatureExtractor", &["x", "odd"], "a"),
        op("Gather", &["x", "ends"], "b").with_int("axis", 1),
        ml("Scaler", &["b"], "c")
            .with_floats("offset", &[1.0, 0.0])
            .with_floats("scale", &[2.0, 0.5]),
        op("Sub", &["zero", "a"], "d"),
        ml("FeatureVectorizer", &["c", "d", "a"], "e"),
        op("Add", &["e", "steps"], "f"),
        op("Cast", &["f"], "g").with_int("to", DOUBLE.into()),
        op("Dropout", &["g"], "made"),
    ];
    let tensors = vec![
        integers("odd", &[1, 2], &[1, 3]),
        integers("ends", &[2], &[-1, 0]),
        floats("zero", &[0.0]),
        floats("steps", &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]),
    ];
    let made = four(nodes, tensors, 6);
    assert_eq!(
        raw(&made, &[10.0, 20.0, 30.0, 40.0]),
        [78.0, 6.0, -18.0, -37.0, 24.0, 45.0]
    );
    assert_eq!(made.features(), vec![Feature::default(); 4]);
}

#[test]
fn all_columns_in_their_order_are_the_models_own() {
    let nodes = vec![
        op("Gather", &["x", "all"], "a").with_int("axis", -1),
        op("Mul", &["a", "two"], "made"),
    ];
    let all = |places: &[i64]| integers("all", &[4], places);
    let made = four(
        nodes.clone(),
        vec![all(&[0, 1, 2, 3]), floats("two", &[2.0])],
        4,
    );
    assert!(matches!(made, Model::Mlp(_)), "{made:?}");
    assert_eq!(raw(&made, &[1.0, 2.0, 3.0, 4.0]), [2.0, 4.0, 6.0, 8.0]);
    let made = four(nodes, vec![all(&[1, 0, 2, 3]), floats("two", &[2.0])], 4);
    assert!(matches!(made, Model::Encoded(_)), "{made:?}");
    assert_eq!(raw(&made, &[1.0, 2.0, 3.0, 4.0]), [4.0, 2.0, 6.0, 8.0]);
}

#[test]
fn categories_are_cells_without_their_fractions() {
    let nodes = vec![
        op("Gather", &["x", "third"], "a").with_int("axis", 1),
        op("Cast", &["a"], "b").with_int("to", INT64.into()),
        one_hot("b", "c", &[0, -1, i64::MAX]),
        op("Reshape", &["c", "shape"], "made"),
    ];
    let tensors = vec![
        integers("third", &[1], &[2]),
        integers("shape", &[2], &[-1, 3]),
    ];
    let made = four(nodes, tensors, 3);
    for (cell, expected) in [
        (0.0, [1.0, 0.0, 0.0]),
        (0.9, [1.0, 0.0, 0.0]),
        (-0.9, [1.0, 0.0, 0.0]),
        (-1.0, [0.0, 1.0, 0.0]),
        (-1.99, [0.0, 1.0, 0.0]),
        (1.0, [0.0; 3]),
        // float32 has no number between: the input is rounded first.
        (0.999_999_99, [0.0; 3]),
        (-2.0, [0.0; 3]),
        (1e30, [0.0; 3]),
        (f64::INFINITY, [0.0; 3]),
        (f64::NAN, [0.0; 3]),
    ] {
        assert_eq!(raw(&made, &[7.0, 7.0, cell, 7.0]), expected, "{cell}");
    }
}

#[test]
fn columns_of_categories_are_joined_column_by_column() {
    // Two raw columns of two categories each, and the last one of three: (rows, 2, 3) of (rows, 2, 2) and (rows, 2, 1).
    let nodes = vec![
        op("Gather", &["x", "pair"], "a").with_int("axis", 1),
        one_hot("a", "b", &[1, 2]),
        one_hot("a", "c", &[3]),
        op("Concat", &["b", "c"], "d").with_int("axis", 2),
        op("Gather", &["d", "some"], "e").with_int("axis", -1),
        op("Flatten", &["e"], "made"),
    ];
    let tensors = vec![
        integers("pair", &[2], &[0, 3]),
        integers("some", &[2], &[2, 1]),
    ];
    let made = four(nodes, tensors, 4);
    assert_eq!(raw(&made, &[2.0, 0.0, 0.0, 3.0]), [0.0, 1.0, 1.0, 0.0]);
    assert_eq!(raw(&made, &[3.0, 0.0, 0.0, 2.0]), [1.0, 0.0, 0.0, 1.0]);
}

#[test]
fn labels_have_numbers() {
    let nodes = vec![
        ml("LabelEncoder", &["c"], "a")
            .with_strings("keys_strings", &["b", "a"])
            .with_ints("values_int64s", &[5, 6]),
        ml("OneHotEncoder", &["c"], "b0").with_strings("cats_strings", &["a", "z"]),
        op("Flatten", &["b0"], "b"),
        ml("LabelEncoder", &["n"], "d")
            .with_ints("keys_int64s", &[2, 2, 3])
            .with_floats("values_floats", &[0.5, 9.0, 1.5])
            .with(super::AttributeMessage {
                f: -1.5,
                ..super::attribute("default_float")
            }),
        ml("LabelEncoder", &["f"], "e")
            .with_floats("keys_floats", &[0.1, -0.0])
            .with_ints("values_int64s", &[1, 2])
            .with_int("default_int64", 7),
        op("Concat", &["a", "b", "d", "e"], "made").with_int("axis", 1),
    ];
    let inputs = vec![
        value("f", FLOAT, 1),
        value("unused", STRING, 2),
        value("n", INT64, 1),
        value("c", STRING, 1),
    ];
    let made = parse_any(graph(inputs, nodes, Vec::new(), 5)).unwrap();
    let names: Vec<_> = made.features().iter().map(|f| f.name.as_deref()).collect();
    assert_eq!(names, [Some("f"), None, None, Some("n"), Some("c")]);
    let labels = |feature: usize| &made.features()[feature].categories.as_ref().unwrap().labels;
    assert_eq!(labels(4), &["b", "a", "z"]);
    assert!(labels(1).is_empty() && labels(2).is_empty());
    // By category number: b is 0, a is 1, z is 2.
    for (row, expected) in [
        ([0.1, -1.0, -1.0, 2.0, 0.0], [5.0, 0.0, 0.0, 0.5, 1.0]),
        ([0.0, 0.0, 0.0, 3.0, 1.0], [6.0, 1.0, 0.0, 1.5, 2.0]),
        ([0.2, 0.0, 0.0, 4.0, 2.0], [-1.0, 0.0, 1.0, -1.5, 7.0]),
        ([0.2, 0.0, 0.0, 4.0, -1.0], [-1.0, 0.0, 0.0, -1.5, 7.0]),
    ] {
        assert_eq!(raw(&made, &row), expected, "{row:?}");
    }
}

#[test]
fn rows_are_divided_by_their_norms() {
    let scaler = || {
        ml("Scaler", &["x"], "a")
            .with_floats("offset", &[1.0, 0.0, 0.0, 0.0])
            .with_floats("scale", &[2.0])
    };
    let read = |norm: &str| {
        let nodes = vec![
            scaler(),
            ml("Normalizer", &["a"], "b").with_text("norm", norm),
            op("Add", &["b", "two"], "made"),
        ];
        four(nodes, vec![floats("two", &[2.0])], 4)
    };
    assert_eq!(
        raw(&read("L1"), &[1.5, -1.5, 0.0, 2.0]),
        [2.125, 1.625, 2.0, 2.5]
    );
    assert_eq!(
        raw(&read("L2"), &[2.5, 0.0, -2.0, 0.0]),
        [2.6, 2.0, 1.2, 2.0]
    );
    // A row of zeros stays as it is.
    assert_eq!(raw(&read("L2"), &[1.0, 0.0, 0.0, 0.0]), [2.0; 4]);
    let refuse = |nodes: Vec<NodeMessage>| {
        let input = vec![value("x", FLOAT, 4)];
        parse_any(graph(input, nodes, Vec::new(), 4))
            .unwrap_err()
            .to_string()
    };
    let normalizer =
        |norm: &str, from: &str, to: &str| ml("Normalizer", &[from], to).with_text("norm", norm);
    for (nodes, words) in [
        (vec![normalizer("MAX", "x", "made")], "the norm MAX"),
        (vec![ml("Normalizer", &["x"], "made")], "the norm MAX"),
        (
            vec![normalizer("L3", "x", "made")],
            "not one of MAX, L1, L2",
        ),
        (
            vec![normalizer("L1", "x", "a"), normalizer("L1", "a", "made")],
            "an operator of no meaning",
        ),
        (
            vec![normalizer("L1", "x", "a"), op("Add", &["a", "x"], "made")],
            "2 values",
        ),
        (
            vec![normalizer("L1", "x", "made"), normalizer("L2", "x", "b")],
            "beside another part",
        ),
    ] {
        let text = refuse(nodes);
        assert!(text.contains(words), "{words:?} in: {text}");
    }
}

#[test]
fn what_mixes_columns_or_types_is_refused() {
    let words = |text: String, words: &str| assert!(text.contains(words), "{words:?} in: {text}");
    let made = |nodes: Vec<NodeMessage>, tensors: Vec<TensorMessage>| {
        graph(
            vec![value("x", FLOAT, 4), value("t", STRING, 1)],
            nodes,
            tensors,
            4,
        )
    };
    let index = || integers("i", &[1], &[0]);
    let scalar = TensorMessage {
        dims: Vec::new(),
        ..index()
    };
    for (node, tensor, expected) in [
        (
            op("Gather", &["x", "i"], "made"),
            index(),
            "other than some",
        ),
        (
            op("Gather", &["x", "i"], "made").with_int("axis", 1),
            scalar,
            "other than some",
        ),
        (
            op("Gather", &["x", "t"], "made").with_int("axis", 1),
            index(),
            "2 values",
        ),
        (
            op("Reshape", &["x", "i"], "made"),
            integers("i", &[2], &[-1, 2]),
            "for each row",
        ),
        (
            op("Flatten", &["x"], "made").with_int("axis", 0),
            index(),
            "for each row",
        ),
        (
            op("Concat", &["x", "x"], "made").with_int("axis", 0),
            index(),
            "side by side",
        ),
        (
            op("Concat", &["x", "t"], "made").with_int("axis", 1),
            index(),
            "text as numbers",
        ),
        (
            op("Cast", &["t"], "made").with_int("to", 1),
            index(),
            "a Cast of text",
        ),
        (
            op("Cast", &["x"], "made").with_int("to", 9),
            index(),
            "element type 9",
        ),
        (op("Mul", &["t", "i"], "made"), index(), "text as numbers"),
        (op("Mul", &["x", "x"], "made"), index(), "2 values"),
        (one_hot("x", "made", &[1]), index(), "side by side"),
        (one_hot("t", "made", &[1]), index(), "of their type"),
        (ml("Imputer", &["x"], "made"), index(), "(Imputer)"),
    ] {
        words(refusal(made(vec![node], vec![tensor])), expected);
    }
    let two = |first: NodeMessage, second: NodeMessage| made(vec![first, second], vec![index()]);
    words(
        refusal(two(
            op("Neg", &["x"], "a"),
            op("Cast", &["a"], "made").with_int("to", 7),
        )),
        "columns that are scaled",
    );
    words(
        refusal(two(one_hot("x", "a", &[1]), one_hot("a", "made", &[1]))),
        "no Reshape",
    );
    words(
        refusal(two(op("Neg", &["x"], "a"), one_hot("a", "made", &[1]))),
        "of other than raw columns",
    );
    // A second part of the model, of the same rows.
    words(
        refusal(two(
            op("Neg", &["x"], "made"),
            op("MatMul", &["x", "one"], "b"),
        )),
        "beside another part",
    );
    let unknown = vec![value("x", FLOAT, 4), value("y", FLOAT, 0)];
    let node = op("Concat", &["x", "y"], "made").with_int("axis", 1);
    words(
        refusal(graph(unknown, vec![node], Vec::new(), 4)),
        "of unknown width",
    );
}

#[test]
fn encoders_that_do_not_fit_are_errors() {
    let index = |places: &[i64]| integers("i", &[places.len() as i64], places);
    let gather = || op("Gather", &["x", "i"], "made").with_int("axis", 1);
    let label = || {
        ml("LabelEncoder", &["x"], "made")
            .with_floats("keys_floats", &[1.0, 2.0])
            .with_floats("values_floats", &[1.0, 2.0])
    };
    for (node, tensor) in [
        (gather(), index(&[4])),
        (gather(), index(&[-5])),
        (one_hot("x", "made", &[]), index(&[0])),
        (one_hot("x", "made", &[3, 3]), index(&[0])),
        (
            one_hot("x", "made", &[3]).with_strings("cats_strings", &["a"]),
            index(&[0]),
        ),
        (label().with_floats("values_floats", &[1.0]), index(&[0])),
        (
            label().with_floats("values_floats", &[1.0, f32::NAN]),
            index(&[0]),
        ),
        (op("Mul", &["x", "i"], "made"), index(&[1, 2, 3])),
        (
            op("Mul", &["x", "f"], "made"),
            floats("f", &[f32::INFINITY]),
        ),
        (
            ml("Scaler", &["x"], "made").with_floats("scale", &[1.0]),
            index(&[0]),
        ),
    ] {
        let title = format!("{} of {tensor:?}", node.title());
        let graph = graph(vec![value("x", FLOAT, 4)], vec![node], vec![tensor], 4);
        let error = parse_any(graph).expect_err(&title);
        assert!(matches!(error, Error::Model { .. }), "{title}: {error}");
    }
    complaint(graph(
        vec![value("t", STRING, 1)],
        vec![
            {
                let mut node =
                    ml("OneHotEncoder", &["t"], "a").with_strings("cats_strings", &["a"]);
                node.attribute[0].strings = vec![vec![0xff]];
                node
            },
            op("Flatten", &["a"], "made"),
        ],
        Vec::new(),
        1,
    ));
}

#[test]
fn encoders_that_grow_beyond_the_file_are_refused() {
    // A million categories of a thousand columns.
    let many: Vec<i64> = (0..1_000_000).collect();
    let wide = |node: NodeMessage| graph(vec![value("x", FLOAT, 1_000)], vec![node], Vec::new(), 1);
    let text = refusal(wide(one_hot("x", "made", &many)));
    assert!(text.contains("more than 1048576 columns"), "{text}");
    // Long categories of many columns of text.
    let long = "x".repeat(1 << 20);
    let node = ml("OneHotEncoder", &["t"], "made").with_strings("cats_strings", &[&long]);
    let text = refusal(graph(
        vec![value("t", STRING, 1_000)],
        vec![node],
        Vec::new(),
        1,
    ));
    assert!(text.contains("larger than the file"), "{text}");
    // Columns that are doubled again and again.
    let mut nodes = Vec::new();
    for n in 0..60 {
        let (from, to) = (format!("v{n}"), format!("v{}", n + 1));
        let from = if n == 0 { "x" } else { &from };
        nodes.push(op("Concat", &[from, from], &to).with_int("axis", 1));
    }
    let text = refusal(graph(vec![value("x", FLOAT, 4)], nodes, Vec::new(), 4));
    assert!(text.contains("more than 1048576 columns"), "{text}");
    // And those that are scaled again and again.
    let mut nodes = Vec::new();
    for n in 0..100 {
        let (from, to) = (format!("v{n}"), format!("v{}", n + 1));
        nodes.push(op("Neg", &[if n == 0 { "x" } else { &from }], &to));
    }
    let text = refusal(graph(
        vec![value("x", FLOAT, 1 << 17)],
        nodes,
        Vec::new(),
        1,
    ));
    assert!(text.contains("larger than the file"), "{text}");
}

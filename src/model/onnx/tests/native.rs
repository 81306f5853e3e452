use super::{NodeMessage, floats, model, parse_any, value};
use crate::error::Error;
use crate::model::Model;
use crate::model::onnx::message::{FLOAT, TensorMessage};

fn op(name: &str, inputs: &[&str], output: &str) -> NodeMessage {
    NodeMessage::new("", name, inputs, &[output])
}

fn ml(name: &str, inputs: &[&str], outputs: &[&str]) -> NodeMessage {
    NodeMessage::new("ai.onnx.ml", name, inputs, outputs)
}

/// A matrix by its rows.
fn matrix(name: &str, dims: [i64; 2], values: &[f32]) -> TensorMessage {
    TensorMessage {
        dims: dims.to_vec(),
        ..floats(name, values)
    }
}

fn read(nodes: Vec<NodeMessage>, tensors: Vec<TensorMessage>) -> Model {
    parse_any(model(nodes, tensors)).unwrap()
}

/// The first number of the raw output.
fn raw(model: &Model, row: &[f64]) -> f64 {
    model.raw(row).unwrap()[0]
}

fn refusal(nodes: Vec<NodeMessage>, tensors: Vec<TensorMessage>) -> String {
    let error = parse_any(model(nodes, tensors)).unwrap_err();
    assert!(matches!(error, Error::Unsupported { .. }), "{error}");
    error.to_string()
}

fn complaint(nodes: Vec<NodeMessage>, tensors: Vec<TensorMessage>) -> String {
    let error = parse_any(model(nodes, tensors)).unwrap_err();
    assert!(matches!(error, Error::Model { .. }), "{error}");
    error.to_string()
}

/// Two vectors of two columns, for a target.
fn regressor() -> NodeMessage {
    ml("SVMRegressor", &["x"], &["out"])
        .with_text("kernel_type", "RBF")
        .with_floats("kernel_params", &[0.5, 0.0, 3.0])
        .with_int("n_supports", 2)
        .with_floats("support_vectors", &[0.0, 0.0, 1.0, 2.0])
        .with_floats("coefficients", &[1.0, -0.5])
        .with_floats("rho", &[0.25])
}

fn classifier() -> NodeMessage {
    let mut node = regressor();
    node.op_type = "SVMClassifier".to_owned();
    node.output = vec!["label".to_owned(), "out".to_owned()];
    node.with_ints("vectors_per_class", &[1, 1])
        .with_strings("classlabels_strings", &["no", "yes"])
}

#[test]
fn affine_steps_are_one_layer() {
    let nodes = vec![
        op("Sub", &["x", "means"], "a"),
        op("Div", &["a", "spreads"], "b"),
        op("MatMul", &["b", "w"], "c"),
        op("Add", &["one", "c"], "d"),
        op("Gemm", &["d", "v"], "e")
            .with_int("transB", 1)
            .with(super::AttributeMessage {
                f: 2.0,
                ..super::attribute("alpha")
            }),
        op("Neg", &["e"], "out"),
    ];
    let tensors = vec![
        floats("means", &[1.0, 2.0]),
        floats("spreads", &[2.0, 4.0]),
        matrix("w", [2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]),
        floats("one", &[1.0]),
        matrix("v", [1, 3], &[1.0, -1.0, 0.5]),
    ];
    let made = read(nodes, tensors);
    // At (3, 6): the scaled row is (1, 1), the hidden sums are 6, 8, 10, and 2 · (6 − 8 + 5) is 6.
    assert_eq!(raw(&made, &[3.0, 6.0]), -6.0);
    let Model::Mlp(mlp) = made else {
        panic!("no network");
    };
    assert_eq!(mlp.layers.len(), 1);
}

#[test]
fn a_column_that_is_scaled_to_nothing_leaves_its_distance_behind() {
    let scaler = ml("Scaler", &["x"], &["scaled"])
        .with_floats("offset", &[1.0, 1.0])
        .with_floats("scale", &[0.0, 2.0]);
    let mut node = regressor();
    node.input = vec!["scaled".to_owned()];
    let made = read(vec![scaler, node], Vec::new());
    // The scaled row of (7, 2) is (0, 2): at 4 from the first vector, at 1 from the second.
    let expected = 0.25 + (-2.0_f64).exp() - 0.5 * (-0.5_f64).exp();
    assert!((raw(&made, &[7.0, 2.0]) - expected).abs() < 1e-12);
}

#[test]
fn probabilities_of_two_classes_are_coupled_like_those_of_more() {
    let node = classifier()
        .with_floats("prob_a", &[-1.5])
        .with_floats("prob_b", &[0.5]);
    let made = read(vec![node], Vec::new());
    assert_eq!(made.outputs(), ["no", "yes"]);
    let p = made.probabilities(&[0.0, 0.0]).unwrap();
    let margin = 0.25 + 1.0 - 0.5 * (-2.5_f64).exp();
    let alone = 1.0 / (1.0 + (-1.5 * margin + 0.5).exp());
    assert!(
        (p[0] - alone).abs() < 5e-3 && (p[0] + p[1] - 1.0).abs() < 1e-12,
        "{p:?}"
    );
    // The margin is of the second class.
    assert!((raw(&made, &[0.0, 0.0]) + margin).abs() < 1e-12);
}

#[test]
fn what_is_no_chain_is_refused() {
    let w = || matrix("w", [2, 2], &[1.0, 0.0, 0.0, 1.0]);
    let chain = |mut nodes: Vec<NodeMessage>| {
        nodes.insert(0, op("MatMul", &["x", "w"], "a"));
        refusal(nodes, vec![w()])
    };
    let words = |text: String, words: &str| assert!(text.contains(words), "{words:?} in: {text}");
    words(
        chain(vec![op("Relu", &["a"], "b"), op("Add", &["b", "a"], "out")]),
        "2 values",
    );
    words(
        chain(vec![op("Relu", &["a"], "b"), op("Tanh", &["a"], "out")]),
        "does not follow the last layer",
    );
    words(
        chain(vec![
            op("Relu", &["a"], "b"),
            op("Tanh", &["b"], "c"),
            op("Relu", &["c"], "out"),
        ]),
        "different activations",
    );
    words(
        chain(vec![
            op("Softmax", &["a"], "b"),
            op("MatMul", &["b", "w"], "out"),
        ]),
        "after a Softmax",
    );
    words(
        chain(vec![op("Softmax", &["a"], "out").with_int("axis", 0)]),
        "along the rows",
    );
    words(
        chain(vec![op("ArgMax", &["a"], "out")]),
        "another model that is read",
    );
    words(chain(vec![op("Mul", &["a", "x"], "out")]), "2 values");
    words(chain(vec![op("Div", &["one", "a"], "out")]), "no constant");
    words(
        refusal(
            vec![
                op("Cast", &["x"], "a").with_int("to", 9),
                op("MatMul", &["a", "w"], "out"),
            ],
            vec![w()],
        ),
        "(Cast)",
    );
    let poly = classifier()
        .with_text("kernel_type", "POLY")
        .with_floats("kernel_params", &[1.0, 0.0, 2.5]);
    words(refusal(vec![poly], Vec::new()), "degree 2.5");
    words(
        refusal(
            vec![regressor().with_text("post_transform", "LOGISTIC")],
            Vec::new(),
        ),
        "LOGISTIC",
    );
    words(
        refusal(vec![regressor().with_int("one_class", 1)], Vec::new()),
        "one_class",
    );
    let mut text = model(vec![op("MatMul", &["x", "w"], "out")], vec![w()]);
    text.input = vec![value("x", 8, 2)];
    words(parse_any(text).unwrap_err().to_string(), "text as numbers");
    let mut flags = model(vec![op("MatMul", &["x", "w"], "out")], vec![w()]);
    flags.input = vec![value("x", 9, 2)];
    words(parse_any(flags).unwrap_err().to_string(), "element type 9");
    let half = TensorMessage {
        data_type: 10,
        ..w()
    };
    words(
        refusal(vec![op("MatMul", &["x", "w"], "out")], vec![half]),
        "another type",
    );
}

#[test]
fn sizes_that_do_not_fit_are_errors() {
    for (name, list) in [
        ("support_vectors", &[0.0; 3][..]),
        ("support_vectors", &[]),
        ("support_vectors", &[0.0; 6]),
        ("coefficients", &[1.0]),
        ("rho", &[]),
        ("kernel_params", &[1.0]),
    ] {
        complaint(vec![regressor().with_floats(name, list)], Vec::new());
        complaint(vec![classifier().with_floats(name, list)], Vec::new());
    }
    for counts in [
        &[1, 2][..],
        &[2],
        &[-1, 3],
        &[i64::MAX, i64::MAX],
        &[1, 1, 1],
    ] {
        complaint(
            vec![classifier().with_ints("vectors_per_class", counts)],
            Vec::new(),
        );
    }
    complaint(vec![classifier().with_floats("prob_a", &[1.0])], Vec::new());
    complaint(
        vec![classifier().with_strings("classlabels_strings", &["one"])],
        Vec::new(),
    );
    complaint(
        vec![regressor().with_text("kernel_type", "COSINE")],
        Vec::new(),
    );
    for number in [f32::NAN, f32::INFINITY] {
        complaint(
            vec![regressor().with_floats("coefficients", &[1.0, number])],
            Vec::new(),
        );
        complaint(
            vec![regressor().with_floats("support_vectors", &[0.0, number, 1.0, 2.0])],
            Vec::new(),
        );
        complaint(
            vec![regressor().with_floats("kernel_params", &[number, 0.0, 3.0])],
            Vec::new(),
        );
        let weights = matrix("w", [2, 1], &[1.0, number]);
        complaint(vec![op("MatMul", &["x", "w"], "out")], vec![weights]);
    }
    let wide = matrix("w", [3, 1], &[1.0; 3]);
    complaint(vec![op("MatMul", &["x", "w"], "out")], vec![wide]);
    let short = matrix("w", [2, 2], &[1.0; 3]);
    complaint(vec![op("MatMul", &["x", "w"], "out")], vec![short]);
    let linear = ml("LinearRegressor", &["x"], &["out"]);
    complaint(
        vec![linear.clone().with_floats("coefficients", &[1.0; 3])],
        Vec::new(),
    );
    complaint(vec![linear.with_int("targets", 0)], Vec::new());
    let classes = ml("LinearClassifier", &["x"], &["label", "out"])
        .with_ints("classlabels_ints", &[0, 1])
        .with_floats("coefficients", &[1.0; 6])
        .with_floats("intercepts", &[0.0; 3]);
    complaint(vec![classes], Vec::new());
    let scaler = ml("Scaler", &["x"], &["out"]).with_floats("scale", &[1.0; 3]);
    complaint(vec![scaler], Vec::new());
}

#[test]
fn layers_that_grow_beyond_the_file_are_refused() {
    // A column times a row makes a matrix that the file does not hold.
    let width = 3_000;
    let ones = vec![1.0; width];
    let tensors = || {
        vec![
            matrix("column", [width as i64, 1], &ones),
            matrix("row", [1, width as i64], &ones),
        ]
    };
    let mut graph = model(
        vec![
            op("MatMul", &["x", "column"], "a"),
            op("MatMul", &["a", "row"], "out"),
        ],
        tensors(),
    );
    graph.input = vec![value("x", FLOAT, width as i64)];
    let error = parse_any(graph).unwrap_err();
    assert!(
        error.to_string().contains("larger than the file"),
        "{error}"
    );
    // So does one that is read again and again.
    let links = 3_000;
    let mut nodes = Vec::new();
    for n in 0..links {
        let (from, to) = (format!("v{n}"), format!("v{}", n + 1));
        nodes.push(op(
            "MatMul",
            &[if n == 0 { "x" } else { &from }, "w"],
            &format!("{to}s"),
        ));
        nodes.push(op("Relu", &[&format!("{to}s")], &to));
    }
    let mut graph = model(nodes, vec![matrix("w", [50, 50], &[0.5; 2_500])]);
    graph.input = vec![value("x", FLOAT, 50)];
    let error = parse_any(graph).unwrap_err();
    assert!(
        error.to_string().contains("larger than the file"),
        "{error}"
    );
}

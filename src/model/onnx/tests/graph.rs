use super::{NodeMessage, at, bytes, floats, model, parse, read, stump, stump_5, stump_of_classes};
use super::{complaint, value};
use crate::error::Error;
use crate::model::onnx::message::{DOUBLE, FLOAT, GraphMessage, TensorMessage};
use crate::model::trees::Precision;

fn op(name: &str, inputs: &[&str], output: &str) -> NodeMessage {
    NodeMessage::new("", name, inputs, &[output])
}

/// What the error says about a graph that is not supported.
fn refusal(graph: GraphMessage) -> String {
    let error = parse(graph).unwrap_err();
    assert!(matches!(error, Error::Unsupported { .. }), "{error}");
    error.to_string()
}

fn second_stump() -> NodeMessage {
    let mut node = stump_5();
    node.output = vec!["z".to_owned()];
    node.name = "the z".to_owned();
    node
}

#[test]
fn scales_and_shifts_by_constants_are_part_of_the_margin() {
    let graph = model(
        vec![
            stump(),
            op("Mul", &["three", "y"], "a"),
            op("Sub", &["ten", "a"], "b"),
            op("Cast", &["b"], "c").with_int("to", i64::from(DOUBLE)),
            op("Div", &["c", "two"], "d"),
            op("Neg", &["d"], "out"),
            op("Constant", &[], "two").with_tensor("value", floats("", &[2.0])),
        ],
        vec![floats("three", &[3.0]), floats("ten", &[10.0])],
    );
    let trees = parse(graph).unwrap();
    assert_eq!(trees.base, [-5.0]);
    assert_eq!(at(&trees, 0.0), -3.5);
    assert_eq!(at(&trees, 1.0), -2.0);
}

#[test]
fn each_output_has_its_own_scale() {
    let node = stump()
        .with_int("n_targets", 2)
        .with_ints("target_ids", &[0, 1]);
    let graph = model(
        vec![node, op("Mul", &["y", "c"], "out")],
        vec![floats("c", &[10.0, 100.0])],
    );
    let trees = parse(graph).unwrap();
    assert_eq!(trees.margin(&[0.0, 0.0]), [10.0, 0.0]);
    assert_eq!(trees.margin(&[1.0, 0.0]), [0.0, 200.0]);
}

#[test]
fn what_follows_the_first_step_that_is_not_a_scale_or_shift_is_left_out() {
    let graph = model(
        vec![
            stump(),
            op("Exp", &["y"], "e"),
            op("Mul", &["e", "c"], "out"),
        ],
        vec![floats("c", &[3.0])],
    );
    assert_eq!(at(&parse(graph).unwrap(), 0.0), 1.0);
    // A transform inside the ensemble ends the margin, too.
    let graph = model(
        vec![
            stump().with_text("post_transform", "LOGISTIC"),
            op("Mul", &["y", "c"], "out"),
        ],
        vec![floats("c", &[3.0])],
    );
    assert_eq!(at(&parse(graph).unwrap(), 0.0), 1.0);
}

#[test]
fn a_score_that_is_an_output_of_the_graph_is_the_margin_whatever_else_reads_it() {
    let mut graph = model(
        vec![stump(), op("Mul", &["y", "c"], "out")],
        vec![floats("c", &[3.0])],
    );
    graph.output.push(value("y", FLOAT, 1));
    assert_eq!(at(&parse(graph).unwrap(), 0.0), 1.0);
}

#[test]
fn ensembles_that_are_added_are_one_model() {
    let graph = model(
        vec![
            stump(),
            second_stump(),
            op("Mul", &["z", "c"], "s"),
            op("Sum", &["y", "s"], "t"),
            op("Add", &["t", "c"], "out"),
        ],
        vec![floats("c", &[10.0])],
    );
    let trees = parse(graph).unwrap();
    assert_eq!(trees.trees.len(), 2);
    assert_eq!(at(&trees, 0.0), 21.0);
    assert_eq!(at(&trees, 1.0), 32.0);
}

#[test]
fn ensembles_that_are_not_added_are_refused_by_name() {
    let joins = [
        vec![op("Concat", &["y", "z"], "out")],
        vec![op("Mul", &["y", "z"], "out")],
        vec![op("Exp", &["z"], "e"), op("Add", &["y", "e"], "out")],
        vec![],
    ];
    for join in joins {
        let nodes = [vec![stump(), second_stump()], join].concat();
        let error = refusal(model(nodes, Vec::new()));
        assert!(
            error.contains("\"the y\"") && error.contains("\"the z\""),
            "{error}"
        );
    }
}

#[test]
fn preprocessing_is_refused_by_node_and_operator() {
    let mut node = stump();
    node.input = vec!["scaled".to_owned()];
    let scaler = NodeMessage::new("ai.onnx.ml", "Scaler", &["x"], &["scaled"]);
    let error = refusal(model(vec![scaler, node], Vec::new()));
    assert!(error.contains("\"the scaled\" (Scaler)"), "{error}");
}

#[test]
fn casts_identities_and_shapes_may_precede_the_trees() {
    let mut node = stump();
    node.input = vec!["c".to_owned()];
    let mut graph = model(
        vec![
            op("Cast", &["x"], "a").with_int("to", i64::from(FLOAT)),
            op("Identity", &["a"], "b"),
            op("Reshape", &["b", "shape"], "r"),
            op("Cast", &["r"], "c").with_int("to", i64::from(DOUBLE)),
            node,
        ],
        Vec::new(),
    );
    graph.input = vec![value("x", DOUBLE, 2)];
    let trees = parse(graph).unwrap();
    assert_eq!(trees.precision, Precision::F32);
    assert_eq!(trees.features.len(), 2);
}

#[test]
fn another_model_beside_the_trees_is_refused_by_name() {
    let linear = NodeMessage::new("ai.onnx.ml", "LinearRegressor", &["x"], &["l"]);
    let error = refusal(model(
        vec![stump(), linear, op("Add", &["y", "l"], "out")],
        Vec::new(),
    ));
    assert!(error.contains("LinearRegressor"), "{error}");
    let error = refusal(model(
        vec![stump(), op("Add", &["y", "x"], "out")],
        Vec::new(),
    ));
    assert!(error.contains("beside the trees"), "{error}");
    let custom = NodeMessage::new("com.example", "Softmax", &["y"], &["out"]);
    assert!(refusal(model(vec![stump(), custom], Vec::new())).contains("Softmax"));
}

#[test]
fn a_graph_without_trees_is_refused() {
    let error = refusal(model(vec![op("Erf", &["x"], "out")], Vec::new()));
    assert!(error.contains("(Erf)"), "{error}");
    assert!(refusal(model(Vec::new(), Vec::new())).contains("0 nodes"));
    // The name alone is not enough: the operator belongs to its domain.
    let mut foreign = stump();
    foreign.domain = "com.example".to_owned();
    assert!(refusal(model(vec![foreign], Vec::new())).contains("(TreeEnsembleRegressor)"));
}

#[test]
fn an_unknown_number_of_columns_is_the_largest_that_is_split_on() {
    let mut graph = model(
        vec![stump().with_ints("nodes_featureids", &[6, 0, 0])],
        Vec::new(),
    );
    graph.input = vec![value("x", FLOAT, 0)];
    assert_eq!(parse(graph).unwrap().features.len(), 7);
}

#[test]
fn a_graph_that_feeds_itself_is_an_error() {
    let mut node = stump();
    node.input = vec!["b".to_owned()];
    let graph = model(
        vec![
            op("Identity", &["b"], "a"),
            op("Identity", &["a"], "b"),
            node,
        ],
        Vec::new(),
    );
    assert!(
        parse(graph)
            .unwrap_err()
            .to_string()
            .contains("depends on itself")
    );
    let graph = model(vec![stump(), op("Identity", &["y"], "y")], Vec::new());
    assert!(
        parse(graph)
            .unwrap_err()
            .to_string()
            .contains("another node's output")
    );
}

#[test]
fn long_graphs_are_read_in_one_pass() {
    let links = 200_000;
    let mut nodes = vec![stump()];
    for n in 0..links {
        let from = if n == 0 {
            "y".to_owned()
        } else {
            format!("v{n}")
        };
        nodes.push(op("Identity", &[&from], &format!("v{}", n + 1)));
    }
    assert_eq!(at(&parse(model(nodes, Vec::new())).unwrap(), 0.0), 1.0);
}

#[test]
fn constants_in_other_files_are_an_error() {
    let outside = TensorMessage {
        data_location: 1,
        ..floats("c", &[1.0])
    };
    let graph = model(vec![stump(), op("Mul", &["y", "c"], "out")], vec![outside]);
    let error = parse(graph).unwrap_err().to_string();
    assert!(error.contains("another file"), "{error}");
    let wrong = TensorMessage {
        raw_data: vec![0; 3],
        ..bytes(&[])
    };
    assert!(complaint(stump_5().with_tensor("nodes_modes", wrong)).contains("shape [0]"));
}

#[test]
fn labels_of_a_classifier_may_be_processed_in_any_way() {
    let graph = model(
        vec![
            stump_of_classes(&[0, 0]),
            op("Cast", &["label"], "l").with_int("to", 7),
            NodeMessage::new("ai.onnx.ml", "ZipMap", &["y"], &["out"]),
        ],
        Vec::new(),
    );
    assert_eq!(at(&parse(graph).unwrap(), 0.0), 0.25);
    assert_eq!(at(&read(stump_of_classes(&[0, 0])), 1.0), 0.75);
}

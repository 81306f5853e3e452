use super::{NodeMessage, bytes, complaint, doubles, floats, model, parse, read};
use super::{stump, stump_5, stump_of_classes, value};
use crate::model::onnx::message::FLOAT;

/// Each node must be refused with these words, and the file's name.
fn all_refused(cases: Vec<(NodeMessage, &str)>) {
    for (node, words) in cases {
        let error = complaint(node);
        assert!(error.contains(words), "expected {words:?} in: {error}");
        assert!(error.contains("made.onnx"), "{error}");
    }
}

#[test]
fn lists_of_different_lengths_are_errors() {
    let lists = [
        "nodes_treeids",
        "nodes_featureids",
        "nodes_truenodeids",
        "nodes_falsenodeids",
        "target_treeids",
        "target_nodeids",
    ];
    for list in lists {
        all_refused(vec![(
            stump().with_ints(list, &[0; 7]),
            "expected the same number",
        )]);
    }
    all_refused(vec![
        (
            stump().with_floats("nodes_values", &[0.0]),
            "nodes_values has 1",
        ),
        (
            stump().with_strings("nodes_modes", &[]),
            "nodes_modes has 0",
        ),
        (
            stump().with_floats("nodes_hitrates", &[0.0]),
            "nodes_hitrates has 1",
        ),
        (
            stump().with_ints("nodes_missing_value_tracks_true", &[1]),
            "nodes_missing_value_tracks_true has 1",
        ),
        (
            stump().with_floats("target_weights", &[1.0]),
            "target_weights has 1",
        ),
        (
            stump().with_floats("base_values", &[1.0, 2.0]),
            "base_values has 2",
        ),
        (
            stump_5().with_ints("nodes_trueleafs", &[]),
            "nodes_trueleafs has 0",
        ),
        (
            stump_5().with_tensor("nodes_splits", floats("", &[])),
            "nodes_splits has 0",
        ),
        (
            stump_5().with_ints("leaf_targetids", &[0]),
            "leaf_weights has 2",
        ),
    ]);
}

#[test]
fn nodes_that_make_no_tree_are_errors() {
    all_refused(vec![
        (
            stump().with_ints("nodes_truenodeids", &[9, 0, 0]),
            "tree 0, node 0: its true child 9",
        ),
        (
            stump().with_ints("nodes_falsenodeids", &[-1, 0, 0]),
            "its false child -1",
        ),
        (
            stump().with_ints("nodes_truenodeids", &[0, 0, 0]),
            "its child is the root",
        ),
        (
            stump().with_ints("nodes_truenodeids", &[2, 0, 0]),
            "node 1: it is the child of 0 nodes",
        ),
        (
            stump().with_ints("nodes_nodeids", &[0, 1, 1]),
            "two nodes with id 1",
        ),
        (
            stump().with_ints("nodes_treeids", &[0, 1, 0]),
            "not next to each other",
        ),
        (
            stump().with_strings("nodes_modes", &["BRANCH", "LEAF", "LEAF"]),
            "its mode \"BRANCH\"",
        ),
        (
            stump_5().with_ints("tree_roots", &[1]),
            "tree 0, node 1: no such node",
        ),
        (
            stump_5().with_ints("tree_roots", &[-1]),
            "node -1: no such node",
        ),
        (
            stump_5().with_ints("tree_roots", &[0, 0]),
            "tree 1, node 0: it has two parents",
        ),
        (
            stump_5().with_ints("nodes_truenodeids", &[2]),
            "leaf 2: no such leaf",
        ),
        (
            stump_5().with_ints("nodes_trueleafs", &[0]),
            "node 0: it has two parents",
        ),
        (
            stump_5().with_tensor("nodes_modes", bytes(&[7])),
            "its mode 7",
        ),
        (
            stump_5().with_tensor("nodes_modes", bytes(&[6])),
            "no set left for the member node 0",
        ),
    ]);
}

#[test]
fn a_cycle_apart_from_the_root_is_an_error() {
    let node = stump()
        .with_ints("nodes_treeids", &[0; 5])
        .with_ints("nodes_nodeids", &[0, 1, 2, 3, 4])
        .with_ints("nodes_featureids", &[0; 5])
        .with_strings(
            "nodes_modes",
            &["LEAF", "BRANCH_LT", "BRANCH_LT", "LEAF", "LEAF"],
        )
        .with_floats("nodes_values", &[0.0; 5])
        .with_ints("nodes_truenodeids", &[0, 2, 1, 0, 0])
        .with_ints("nodes_falsenodeids", &[0, 3, 4, 0, 0]);
    all_refused(vec![(node, "can be reached from the root")]);
    let chain = stump()
        .with_strings("nodes_modes", &["LEAF", "BRANCH_EQ", "BRANCH_EQ"])
        .with_ints("nodes_truenodeids", &[0, 0, 0])
        .with_ints("nodes_falsenodeids", &[0, 2, 1])
        .with_ints("target_nodeids", &[0, 1]);
    // Equalities in a ring that nothing reaches join to nothing.
    assert_eq!(read(chain).trees[0].nodes.len(), 1);
}

#[test]
fn numbers_that_no_model_has_are_errors() {
    let nan = f32::NAN;
    all_refused(vec![
        (
            stump().with_floats("nodes_values", &[nan, 0.0, 0.0]),
            "threshold is not a number",
        ),
        (
            stump().with_floats("nodes_hitrates", &[1.0, -1.0, 2.0]),
            "tree 0, node 1: its hit rate -1",
        ),
        (
            stump().with_floats("nodes_hitrates", &[nan, 1.0, 2.0]),
            "its hit rate NaN",
        ),
        (
            stump().with_floats("target_weights", &[nan, 1.0]),
            "leaf value NaN",
        ),
        (
            stump().with_floats("base_values", &[nan]),
            "base margin of output 0",
        ),
        (
            stump().with_ints("nodes_featureids", &[-1, 0, 0]),
            "feature index -1",
        ),
        (
            stump().with_ints("nodes_featureids", &[2, 0, 0]),
            "it splits on feature 2",
        ),
        (
            stump().with_ints("nodes_featureids", &[i64::MAX, 0, 0]),
            "feature index 9223",
        ),
        (
            stump().with_ints("target_ids", &[0, 1]),
            "entry 1 of target_ids is 1",
        ),
        (
            stump().with_ints("target_ids", &[-1, 0]),
            "entry 0 of target_ids is -1",
        ),
        (
            stump().with_ints("target_nodeids", &[1, 9]),
            "names node 9 of tree 0",
        ),
        (
            stump().with_ints("target_nodeids", &[1, 1]),
            "two weights for one output",
        ),
        (stump_of_classes(&[0, 2]), "entry 1 of class_ids is 2"),
        (
            stump_5().with_tensor("nodes_splits", floats("", &[nan])),
            "threshold is not a number",
        ),
        (
            stump_5().with_tensor("nodes_hitrates", floats("", &[-2.0])),
            "its hit rate -2",
        ),
        (
            stump_5().with_ints("leaf_targetids", &[0, 5]),
            "leaf 1: its target 5",
        ),
        (
            stump_5().with_tensor("leaf_weights", doubles("", &[1.0, 2.0])),
            "element type 11",
        ),
        (
            stump().with_text("post_transform", "ROUND"),
            "post_transform \"ROUND\"",
        ),
        (
            stump().with_text("aggregate_function", "MEAN"),
            "aggregate_function \"MEAN\"",
        ),
        (stump_5().with_int("post_transform", 5), "post_transform 5"),
        (
            stump_5().with_int("aggregate_function", -1),
            "aggregate_function -1",
        ),
    ]);
}

#[test]
fn sizes_that_the_file_does_not_fill_are_refused_before_they_are_allocated() {
    all_refused(vec![
        (
            stump().with_int("n_targets", i64::MAX),
            "n_targets is 9223372036854775807",
        ),
        (stump().with_int("n_targets", 0), "n_targets is 0"),
        (stump_5().with_int("n_targets", -3), "n_targets is -3"),
    ]);
    let mut graph = model(vec![stump()], Vec::new());
    graph.input = vec![value("x", FLOAT, i64::MAX)];
    assert!(parse(graph).unwrap_err().to_string().contains("columns"));
    let mut graph = model(
        vec![stump().with_ints("nodes_featureids", &[1 << 31, 0, 0])],
        Vec::new(),
    );
    graph.input = vec![value("x", FLOAT, 0)];
    assert!(
        parse(graph)
            .unwrap_err()
            .to_string()
            .contains("more than 1048576")
    );
    // A few leaves with two of very many outputs each are no reason to store all of them.
    let leaves = 4_000;
    let one = vec![0; leaves * 2 + 1];
    let mut ids = vec![1; leaves * 2 + 1];
    ids[0] = 0;
    let names: Vec<i64> = (0..=2 * leaves as i64).collect();
    let inner = |n: usize| n.is_multiple_of(2) && n < 2 * leaves;
    let modes: Vec<&str> = (0..one.len())
        .map(|n| if inner(n) { "BRANCH_LT" } else { "LEAF" })
        .collect();
    let yes: Vec<i64> = names.iter().map(|n| n + 1).collect();
    let no: Vec<i64> = names.iter().map(|n| n + 2).collect();
    let node = stump()
        .with_int("n_targets", 60_000)
        .with_ints("nodes_treeids", &one)
        .with_ints("nodes_nodeids", &names)
        .with_ints("nodes_featureids", &one)
        .with_strings("nodes_modes", &modes)
        .with_floats("nodes_values", &vec![0.0; one.len()])
        .with_ints("nodes_truenodeids", &yes)
        .with_ints("nodes_falsenodeids", &no)
        .with_ints("target_ids", &[0, 1])
        .with_ints("target_nodeids", &[1, 3]);
    assert!(complaint(node).contains("a sparse ensemble of 60000 outputs"));
}

#[test]
fn very_deep_trees_are_read_without_recursion() {
    let depth = 100_000;
    let count = depth as i64;
    let children: Vec<i64> = (1..count).chain([0]).collect();
    let mut leaf = vec![0; depth];
    leaf[depth - 1] = 1;
    let node = stump_5()
        .with_ints("nodes_featureids", &vec![0; depth])
        .with_tensor("nodes_modes", bytes(&vec![0; depth]))
        .with_tensor("nodes_splits", floats("", &vec![0.5; depth]))
        .with_ints("nodes_truenodeids", &children)
        .with_ints("nodes_trueleafs", &leaf)
        .with_ints("nodes_falsenodeids", &vec![1; depth])
        .with_ints("nodes_falseleafs", &vec![1; depth]);
    let trees = read(node);
    assert_eq!(trees.trees[0].nodes.len(), 2 * depth + 1);
    assert_eq!(trees.margin(&[0.0, 0.0]), [1.0]);
}

#[test]
fn bytes_that_are_no_message_are_an_error() {
    for bytes in [&[][..], &[8], &[8, 8], &[0x3a, 0xff, 0xff], b"\x08\x08tree"] {
        let error = super::super::parse(bytes, "made.onnx".as_ref());
        assert!(error.unwrap_err().to_string().contains("protobuf"));
    }
}

use super::super::decision::{Mode, Reading};
use super::{at, bytes, complaint, doubles, floats, model, parse, read, stump, stump_5};
use super::{stump_of_classes, value};
use crate::error::Error;
use crate::model::onnx::message::{DOUBLE, INT64};
use crate::model::trees::{Fraction, Node, Output, Precision};

const F32: Precision = Precision::F32;
const F64: Precision = Precision::F64;

const MODES: [Mode; 6] = [
    Mode::Leq,
    Mode::Lt,
    Mode::Gte,
    Mode::Gt,
    Mode::Eq,
    Mode::Neq,
];

/// Whether the true branch is taken, by the standard's words, after the cell was rounded.
fn holds(mode: Mode, cell: f64, threshold: f64, tracks: bool) -> bool {
    let (less, equal) = (cell < threshold, cell == threshold);
    let compared = match mode {
        Mode::Leq => less || equal,
        Mode::Lt => less,
        Mode::Gte => cell >= threshold,
        Mode::Gt => cell > threshold,
        Mode::Eq => equal,
        Mode::Neq => !equal,
        Mode::Member => unreachable!("not among the modes here"),
    };
    compared || tracks && cell.is_nan()
}

fn takes_true(reading: Reading, mode: Mode, values: &[f64], tracks: bool, cell: f64) -> bool {
    let decision = reading.decide(mode, values, tracks, &mut 0).unwrap();
    let true_left = decision.true_left;
    let split = decision.split(0, 1, 2, 0.0).unwrap();
    split.left(cell, reading.cell, Fraction::Truncate) == true_left
}

#[test]
fn every_mode_routes_as_its_comparison_at_thresholds_and_one_ulp_beside_them() {
    let thresholds = [
        0.0,
        -0.0,
        1.0,
        -2.5,
        0.1,
        1e-40,
        f64::from(f32::MAX),
        f64::from(0.1_f32),
        f64::INFINITY,
        f64::NEG_INFINITY,
    ];
    let around = thresholds.iter().flat_map(|&t| {
        let narrow = t as f32;
        let narrow = [narrow, narrow.next_up(), narrow.next_down()].map(f64::from);
        narrow.into_iter().chain([t, t.next_up(), t.next_down()])
    });
    let cells: Vec<f64> = around.chain([f64::NAN]).collect();
    let mut seen = 0;
    for (cell, compare) in [(F32, F32), (F32, F64), (F64, F64)] {
        let reading = Reading { cell, compare };
        for &threshold in &thresholds {
            let threshold = match compare {
                F32 => f64::from(threshold as f32),
                F64 => threshold,
            };
            for mode in MODES {
                for tracks in [false, true] {
                    for &x in &cells {
                        let read = if cell == F32 { f64::from(x as f32) } else { x };
                        assert_eq!(
                            takes_true(reading, mode, &[threshold], tracks, x),
                            holds(mode, read, threshold, tracks),
                            "{reading:?} {mode:?} {threshold} {tracks} {x}"
                        );
                        seen += 1;
                    }
                }
            }
        }
    }
    assert!(seen > 20_000);
}

#[test]
fn small_sets_hold_exact_values_and_large_ones_truncate_the_cell() {
    let reading = Reading {
        cell: F32,
        compare: F32,
    };
    let taken = |set: &[f64], x| takes_true(reading, Mode::Member, set, false, x);
    let small = [0.0, 3.0, 30.0];
    assert!(taken(&small, 3.0) && taken(&small, -0.0));
    assert!(!taken(&small, 3.5) && !taken(&small, -0.5) && !taken(&small, f64::NAN));
    let large = [0.0, 3.0, 40.0];
    assert!(taken(&large, 3.5) && taken(&large, -0.5) && taken(&large, 40.9));
    assert!(!taken(&large, -1.0) && !taken(&large, 41.0) && !taken(&large, f64::NAN));
    assert!(!taken(&large, f64::INFINITY) && !taken(&large, 1e30));
    assert!(takes_true(reading, Mode::Member, &large, true, f64::NAN));
}

#[test]
fn members_that_a_large_set_cannot_truncate_to_are_refused() {
    for members in [[1.5, 40.0], [-3.0, 40.0], [1.0, 16_777_216.0]] {
        let node = stump_5()
            .with_tensor("nodes_modes", bytes(&[6]))
            .with_tensor("membership_values", floats("", &members.map(|m| m as f32)));
        assert!(complaint(node).contains("of a large set"));
    }
}

#[test]
fn a_chain_of_equalities_that_share_their_true_child_is_one_split() {
    let chain = stump()
        .with_ints("nodes_treeids", &[0; 5])
        .with_ints("nodes_nodeids", &[0, 1, 2, 3, 4])
        .with_ints("nodes_featureids", &[1; 5])
        .with_strings(
            "nodes_modes",
            &["BRANCH_EQ", "LEAF", "BRANCH_EQ", "BRANCH_EQ", "LEAF"],
        )
        .with_floats("nodes_values", &[7.0, 0.0, 70.0, 700.5, 0.0])
        .with_ints("nodes_truenodeids", &[1, 0, 1, 1, 0])
        .with_ints("nodes_falsenodeids", &[2, 0, 3, 4, 0])
        .with_ints("target_nodeids", &[1, 4]);
    let trees = read(chain.clone());
    assert_eq!(trees.trees[0].nodes.len(), 3);
    for x in [7.0, 70.0, 700.5] {
        assert_eq!(at(&trees, x), 1.0);
    }
    for x in [7.5, 700.0, 0.0, f64::NAN] {
        assert_eq!(at(&trees, x), 2.0);
    }
    // A missing value goes to the true child if any link of the chain sends it there.
    let tracking = chain.with_ints("nodes_missing_value_tracks_true", &[0, 0, 1, 0, 0]);
    assert_eq!(at(&read(tracking), f64::NAN), 1.0);
}

#[test]
fn float32_thresholds_are_compared_with_float64_cells_in_float64() {
    let mut graph = model(
        vec![stump().with_floats("nodes_values", &[0.1, 0.0, 0.0])],
        Vec::new(),
    );
    graph.input = vec![value("x", DOUBLE, 2)];
    let trees = parse(graph).unwrap();
    assert_eq!(trees.precision, F64);
    let stored = f64::from(0.1_f32);
    assert_eq!(at(&trees, stored), 1.0);
    assert_eq!(at(&trees, stored.next_up()), 2.0);
}

#[test]
fn float64_thresholds_of_opset_3_are_kept() {
    let node = stump();
    let mut node = node.with_tensor("nodes_values_as_tensor", doubles("", &[0.1, 0.0, 0.0]));
    node.attribute.retain(|a| a.name != "nodes_values");
    let mut graph = model(vec![node.clone()], Vec::new());
    graph.input = vec![value("x", DOUBLE, 2)];
    let trees = parse(graph).unwrap();
    assert_eq!(at(&trees, 0.1), 1.0);
    assert_eq!(at(&trees, 0.1_f64.next_up()), 2.0);
    assert!(complaint(node).contains("element type 11"));
}

#[test]
fn whole_number_inputs_are_read_as_float32() {
    let mut graph = model(vec![stump()], Vec::new());
    graph.input = vec![value("x", INT64, 2)];
    assert_eq!(parse(graph).unwrap().precision, F32);
}

#[test]
fn an_average_divides_leaves_and_not_the_base() {
    let average = stump()
        .with_ints("nodes_treeids", &[0, 1])
        .with_ints("nodes_nodeids", &[0, 0])
        .with_ints("nodes_featureids", &[0, 0])
        .with_strings("nodes_modes", &["LEAF", "LEAF"])
        .with_floats("nodes_values", &[0.0, 0.0])
        .with_ints("nodes_truenodeids", &[0, 0])
        .with_ints("nodes_falsenodeids", &[0, 0])
        .with_ints("target_treeids", &[0, 1])
        .with_ints("target_nodeids", &[0, 0])
        .with_floats("base_values", &[10.0])
        .with_text("aggregate_function", "AVERAGE");
    let trees = read(average);
    assert!(trees.averaged && trees.has_cover);
    assert_eq!(at(&trees, 0.0), 11.5);
}

#[test]
fn minimum_and_maximum_are_refused_by_name() {
    for (number, name) in [(2, "MIN"), (3, "MAX")] {
        for node in [
            stump().with_text("aggregate_function", name),
            stump_5().with_int("aggregate_function", number),
        ] {
            let error = parse(model(vec![node], Vec::new())).unwrap_err();
            assert!(matches!(error, Error::Unsupported { .. }), "{error}");
            assert!(error.to_string().contains(name), "{error}");
        }
    }
}

#[test]
fn two_classes_with_one_score_are_one_output_of_the_second_class() {
    let trees = read(stump_of_classes(&[0, 0]).with_floats("base_values", &[0.5]));
    assert_eq!(trees.outputs, ["yes"]);
    assert_eq!(at(&trees, 0.0), 0.75);
    assert_eq!(read(stump_of_classes(&[1, 1])).outputs, ["yes"]);
}

#[test]
fn two_classes_with_a_score_each_are_two_outputs() {
    let trees = read(stump_of_classes(&[0, 1]));
    assert_eq!(trees.outputs, ["no", "yes"]);
    assert_eq!(trees.trees[0].output, Output::All);
    assert_eq!(trees.margin(&[0.0, 0.0]), [0.25, 0.0]);
    assert_eq!(trees.margin(&[1.0, 0.0]), [0.0, 0.75]);
}

#[test]
fn base_values_without_a_defined_class_are_refused() {
    for (ids, base) in [
        ([1, 1], &[0.5][..]),
        ([0, 0], &[0.5, 0.5]),
        ([0, 1], &[0.5]),
        ([0, 1], &[0.5, 0.5]),
    ] {
        let node = stump_of_classes(&ids).with_floats("base_values", base);
        assert!(complaint(node).contains("base values"), "{ids:?} {base:?}");
    }
}

#[test]
fn hit_rates_are_covers_only_if_they_add_up() {
    let trees = read(stump().with_floats("nodes_hitrates", &[5.0, 2.0, 3.0]));
    assert!(trees.has_cover);
    let Node::Split(split) = &trees.trees[0].nodes[0] else {
        panic!("the root is a leaf");
    };
    assert_eq!(split.cover, 5.0);
    let trees = read(stump().with_floats("nodes_hitrates", &[1.0; 3]));
    assert!(!trees.has_cover && !read(stump()).has_cover);
    let Node::Leaf { cover, .. } = trees.trees[0].nodes[1] else {
        panic!("the left child is a split");
    };
    assert_eq!(cover, 0.0);
}

#[test]
fn a_model_without_trees_is_its_base() {
    let mut node = stump();
    node.attribute.clear();
    let node = node
        .with_int("n_targets", 2)
        .with_floats("base_values", &[1.0, 2.0]);
    assert_eq!(read(node).margin(&[0.0, 0.0]), [1.0, 2.0]);
}

#[test]
fn leaves_without_a_weight_give_nothing_and_weights_of_splits_are_no_part_of_a_sum() {
    let node = stump()
        .with_ints("target_nodeids", &[0, 2])
        .with_floats("target_weights", &[100.0, 2.0]);
    let trees = read(node);
    assert_eq!((at(&trees, 0.0), at(&trees, 1.0)), (0.0, 2.0));
}

#[test]
fn a_node_whose_branches_are_one_leaf_is_a_tree_of_one_leaf_in_opset_5() {
    let trees = read(stump_5().with_ints("nodes_falsenodeids", &[0]));
    assert_eq!(trees.trees[0].nodes.len(), 1);
    assert_eq!(at(&trees, 9.0), 1.0);
}

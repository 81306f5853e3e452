//! Treelite's own checkpoints against the answers of its own predictor.

mod damage;

use whylight::Error;
use whylight::model::{self, Model, Output, Precision, Test, Trees};

use crate::corpus::{Case, cases};
use crate::support::native;

fn case(name: &str) -> Case {
    let mut cases = cases("treelite");
    cases.retain(|case| case.name == name);
    cases.pop().unwrap()
}

fn answered() -> Vec<Case> {
    let mut cases = cases("treelite");
    cases.retain(|case| case.facts["refused"].is_null());
    assert!(cases.len() >= 15, "only {} cases", cases.len());
    cases
}

#[test]
fn margins_equal_the_librarys_to_the_rounding_of_its_sum() {
    for case in answered() {
        let trees = native::load(&case);
        let (rows, margin) = (case.array("rows").unwrap(), case.array("margin").unwrap());
        assert_eq!(margin.shape[1], trees.outputs.len(), "{}", case.name);
        let epsilon = match trees.precision {
            Precision::F32 => f64::from(f32::EPSILON),
            Precision::F64 => f64::EPSILON,
        };
        let step = epsilon * (trees.trees.len() + 2) as f64;
        for i in 0..rows.shape[0] {
            let ours = trees.margin(rows.row(i));
            for (k, (ours, native)) in ours.iter().zip(margin.row(i)).enumerate() {
                assert!(
                    (ours - native).abs() <= step * native::magnitude(&trees, rows.row(i), k),
                    "{}, row {i}, output {k}: {ours} against {native}",
                    case.name
                );
            }
        }
    }
}

#[test]
fn every_row_reaches_the_librarys_leaf() {
    let mut compared = 0;
    for case in answered() {
        let trees = native::load(&case);
        let (rows, leaves) = (case.array("rows").unwrap(), case.array("leaves").unwrap());
        assert_eq!(leaves.shape, [rows.shape[0], trees.trees.len()]);
        for i in 0..rows.shape[0] {
            for (t, &native) in leaves.row(i).iter().enumerate() {
                let ours = trees.leaf(t, rows.row(i));
                assert_eq!(ours, native as usize, "{}, row {i}, tree {t}", case.name);
                compared += 1;
            }
        }
    }
    assert!(compared > 2_000, "only {compared} leaves compared");
}

#[test]
fn covers_are_weights_else_counts_else_absent() {
    let root = |name: &str| {
        let trees = native::load(&case(name));
        assert!(trees.has_cover, "{name}");
        trees.trees[0].nodes[0].cover()
    };
    assert_eq!(root("lightgbm_4_8"), 300.0);
    // How often the rows were drawn, not how many of them: that is 184.
    assert_eq!(root("forest_4_8"), 300.0);
    assert!(root("xgboost_4_8") < 300.0 / 4.0 + 1e-6);
    let mut without: Vec<_> = answered()
        .into_iter()
        .filter(|case| !native::load(case).has_cover)
        .map(|case| case.name)
        .collect();
    without.sort();
    assert_eq!(
        without,
        [
            "average_of_targets_4_8",
            "comparisons_float32_4_8",
            "comparisons_float64_4_8"
        ]
    );
}

#[test]
fn outputs_are_targets_and_their_classes() {
    let trees = native::load(&case("forest_ragged_4_8"));
    let last = |trees: &Trees| trees.outputs.last().unwrap().clone();
    assert_eq!(trees.outputs.len(), 5);
    assert_eq!(last(&trees), "target 1, class 1");
    let trees = native::load(&case("forest_targets_4_8"));
    assert_eq!(last(&trees), "output 1");
    assert!(trees.trees.iter().all(|tree| tree.output == Output::All));
}

#[test]
fn the_postprocessor_is_the_objective_and_the_trees_of_an_output_are_its_rounds() {
    let trees = native::load(&case("xgboost_classes_4_8"));
    assert_eq!(trees.objective, "softmax");
    let rounds: Vec<u32> = trees.trees.iter().map(|tree| tree.iteration).collect();
    assert_eq!(rounds, [0, 0, 0, 1, 1, 1]);
}

#[test]
fn the_corpus_has_every_kind_of_split() {
    let (mut members, mut one_of, mut below) = (Vec::new(), 0, 0);
    for case in answered() {
        for node in native::load(&case).trees.into_iter().flat_map(|t| t.nodes) {
            let model::Node::Split(split) = node else {
                continue;
            };
            match split.test {
                Test::Category(set) => members.push(set.members_left),
                Test::OneOf(_) => one_of += 1,
                _ => below += 1,
            }
        }
    }
    assert!(members.contains(&true) && members.contains(&false));
    assert!(one_of > 0 && below > 0);
}

#[test]
fn a_forest_keeps_its_average_when_trees_are_dropped() {
    let mut trees = native::load(&case("forest_4_8"));
    let row = [0.0; 4];
    let all = trees.margin(&row)[0];
    let each: Vec<f64> = (0..3)
        .map(|t| {
            let mut one = trees.clone();
            one.keep_iterations(t..t + 1).unwrap();
            one.margin(&row)[0]
        })
        .collect();
    assert!((each.iter().sum::<f64>() / 3.0 - all).abs() < 1e-12);
    trees.keep_iterations(1..3).unwrap();
    let expected = f64::midpoint(each[1], each[2]);
    assert!((trees.margin(&row)[0] - expected).abs() < 1e-12);
}

#[test]
fn vectors_for_some_of_the_outputs_and_other_versions_are_refused_by_name() {
    for case in cases("treelite") {
        if let Some(name) = case.facts["refused"].as_str() {
            let error = model::load(&case.model()).unwrap_err();
            assert!(matches!(error, Error::Unsupported { .. }), "{error}");
            assert!(error.to_string().contains(name), "{error}");
        }
    }
    let mut bytes = std::fs::read(case("forest_4_8").model()).unwrap();
    bytes[0] = 3;
    let error = model::parse(&bytes, "old.tl".as_ref()).unwrap_err();
    assert!(matches!(error, Error::Unsupported { .. }), "{error}");
    assert!(
        error.to_string().contains("old.tl: version 3.8.1"),
        "{error}"
    );
}

#[test]
fn two_targets_of_two_trees_are_averages_of_their_own() {
    let Model::Trees(trees) = model::load(&case("average_of_targets_4_8").model()).unwrap() else {
        panic!("not trees");
    };
    // One tree each, so that nothing is divided; the base score is 0.25.
    assert!(trees.averaged);
    for tree in &trees.trees {
        assert_eq!(tree.values, [1.0, 2.0, 4.0]);
    }
    assert_eq!(trees.base, [0.25, 0.25]);
}

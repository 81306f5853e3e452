//! ONNX files of scikit-learn, XGBoost and LightGBM models against ONNX Runtime's answers.

mod damage;
pub(crate) mod game;
pub(crate) mod native;

use whylight::model::{self, Model, Node, Output, Precision, Trees};

use crate::corpus::{Case, cases};

fn load(case: &Case) -> Trees {
    let Model::Trees(trees) = model::load(&case.model()).unwrap() else {
        panic!("{}: not trees", case.name);
    };
    trees
}

/// The largest absolute margin that an output can have.
fn magnitude(trees: &Trees) -> f64 {
    let largest = |values: &[f64]| values.iter().fold(0.0, |a: f64, v| a.max(v.abs()));
    let leaves = trees.trees.iter().map(|tree| largest(&tree.values));
    largest(&trees.base) + leaves.sum::<f64>()
}

#[test]
fn margins_equal_the_runtimes_to_the_rounding_of_its_float32_sum() {
    for case in cases("onnx") {
        let trees = load(&case);
        let (rows, margin) = (case.array("rows").unwrap(), case.array("margin").unwrap());
        assert_eq!(margin.shape[1], trees.outputs.len(), "{}", case.name);
        let bound = f64::from(f32::EPSILON) * (trees.trees.len() + 2) as f64 * magnitude(&trees);
        for i in 0..rows.shape[0] {
            let ours = trees.margin(rows.row(i));
            for (k, (ours, native)) in ours.iter().zip(margin.row(i)).enumerate() {
                assert!(
                    (ours - native).abs() <= bound,
                    "{}, row {i}, output {k}: {ours} against {native}",
                    case.name
                );
            }
        }
    }
}

#[test]
fn every_row_reaches_the_runtimes_leaf() {
    let mut compared = 0;
    for case in cases("onnx") {
        let trees = load(&case);
        let (rows, leaves) = (case.array("rows").unwrap(), case.array("leaves").unwrap());
        assert_eq!(leaves.shape, [rows.shape[0], trees.trees.len()]);
        for i in 0..rows.shape[0] {
            for (t, &native) in leaves.row(i).iter().enumerate() {
                let Node::Leaf { leaf, .. } = trees.trees[t].nodes[trees.leaf(t, rows.row(i))]
                else {
                    panic!("a path ends in a split");
                };
                let ours = leaf as usize;
                assert_eq!(ours, native as usize, "{}, row {i}, tree {t}", case.name);
                compared += 1;
            }
        }
    }
    assert!(compared > 25_000, "only {compared} leaves compared");
}

#[test]
fn values_by_the_definition_equal_shaps() {
    let mut compared = 0;
    for case in cases("onnx") {
        let mut trees = load(&case);
        if !trees.has_cover {
            game::count_covers(&mut trees, &case.array("background").unwrap());
        }
        let (rows, values) = (case.array("rows").unwrap(), case.array("values").unwrap());
        let bound = 1e-10 * (1.0 + magnitude(&trees));
        for i in (0..rows.shape[0]).step_by(3) {
            let ours = game::path_dependent(&trees, rows.row(i));
            assert_eq!(ours.len(), values.row(i).len(), "{}", case.name);
            for (cell, (ours, native)) in ours.iter().zip(values.row(i)).enumerate() {
                assert!(
                    (ours - native).abs() <= bound,
                    "{}, row {i}, cell {cell}: {ours} against {native}",
                    case.name
                );
                compared += 1;
            }
        }
    }
    assert!(compared > 15_000, "only {compared} values compared");
}

#[test]
fn only_files_with_counts_as_hit_rates_have_covers() {
    let mut with = 0;
    for case in cases("onnx") {
        let stored = case.facts["cover"] == "file";
        assert_eq!(load(&case).has_cover, stored, "{}", case.name);
        with += usize::from(stored);
    }
    assert_eq!(with, 1);
}

/// A case by its name.
fn find(name: &str) -> Trees {
    let cases = cases("onnx");
    load(cases.iter().find(|case| case.name == name).unwrap())
}

#[test]
fn outputs_are_named_after_the_classes() {
    assert_eq!(find("forest_multi").outputs, ["high", "low", "mid"]);
    assert_eq!(find("forest_bin").outputs, ["1"]);
    assert_eq!(find("forest_two_targets").outputs, ["output 0", "output 1"]);
}

#[test]
fn columns_that_are_inputs_of_their_own_give_their_names() {
    let names = find("forest_columns").features.into_iter().map(|f| f.name);
    let names: Vec<_> = names.map(Option::unwrap).collect();
    assert_eq!(names, ["age", "size", "dose", "rate", "zone"]);
    assert!(find("forest_reg").features.iter().all(|f| f.name.is_none()));
    assert_eq!(find("forest_reg").features.len(), 5);
}

#[test]
fn the_precision_is_that_of_the_input_after_its_casts() {
    assert_eq!(find("forest_reg").precision, Precision::F32);
    assert_eq!(find("forest_cast").precision, Precision::F32);
    assert_eq!(find("forest_bin_double").precision, Precision::F64);
    assert_eq!(find("forest_double_5").precision, Precision::F64);
}

#[test]
fn classes_of_a_boosted_model_have_trees_of_their_own_and_those_of_a_forest_share_them() {
    let targets = |trees: Trees| trees.trees.into_iter().map(|tree| tree.output);
    let boosted: Vec<_> = targets(find("boosting_multi")).take(4).collect();
    let one = |k| Output::One(k);
    assert_eq!(boosted, [one(0), one(1), one(2), one(0)]);
    assert!(targets(find("forest_multi")).all(|output| output == Output::All));
}

#[test]
fn the_transform_that_is_left_out_is_kept_as_the_objective() {
    assert_eq!(find("boosting_bin").objective, "LOGISTIC");
    assert_eq!(find("boosting_multi_5").objective, "SOFTMAX");
    assert_eq!(find("boosting_reg").objective, "");
}

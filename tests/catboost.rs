//! CatBoost's own files against CatBoost's own answers.

mod damage;

use std::path::Path;

use serde_json::{Value, json};
use whylight::data::{Cells, Column, Encoder};
use whylight::model::{self, Model, Node, Numbers, Test, Trees};
use whylight::{Error, Table};

use crate::corpus::{Case, cases};
use crate::support::native;

fn case(name: &str) -> Case {
    let mut cases = cases("catboost");
    cases.retain(|case| case.name == name);
    cases.pop().unwrap()
}

#[test]
fn margins_equal_the_librarys() {
    for case in native::answered("catboost") {
        native::margins_agree(&case);
    }
}

#[test]
fn every_row_reaches_the_librarys_leaf() {
    let compared: usize = (native::answered("catboost").iter())
        .map(native::leaves_agree)
        .sum();
    assert!(compared > 20_000, "only {compared} leaves compared");
}

#[test]
fn values_by_the_definition_equal_the_librarys() {
    let compared: usize = (native::answered("catboost").iter())
        .map(native::values_agree)
        .sum();
    assert!(compared > 40_000, "only {compared} values compared");
}

#[test]
fn category_statistics_are_refused_by_name() {
    let mut refused = cases("catboost");
    refused.retain(|case| !case.facts["refused"].is_null());
    assert_eq!(refused.len(), 1);
    for case in refused {
        let error = model::load(&case.model()).unwrap_err();
        assert!(matches!(error, Error::Unsupported { .. }), "{error}");
        let name = case.facts["refused"].as_str().unwrap();
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[test]
fn the_corpus_has_empty_leaves_and_both_sides_for_missing_cells() {
    let (mut empty, mut left, mut right, mut sets) = (0, 0, 0, 0);
    for case in native::answered("catboost") {
        for node in native::load(&case)
            .trees
            .iter()
            .flat_map(|tree| &tree.nodes)
        {
            match node {
                Node::Leaf { cover, .. } => empty += usize::from(*cover == 0.0),
                Node::Split(split) => match split.test {
                    Test::Category(_) => sets += 1,
                    _ if split.missing_left => left += 1,
                    _ => right += 1,
                },
            }
        }
    }
    assert!(
        empty > 50 && left > 100 && right > 50 && sets > 20,
        "{empty} empty leaves, NaN left {left} and right {right}, {sets} one-hot splits"
    );
}

#[test]
fn classes_and_objectives_keep_their_names() {
    let trees = native::load(&case("multiclass_lossguide_1_2"));
    assert_eq!(trees.outputs, ["high", "low", "middle"]);
    assert_eq!(trees.objective, "MultiClass");
    let trees = native::load(&case("multiclass_0_26"));
    assert_eq!(trees.outputs, ["0", "1", "2"]);
    let trees = native::load(&case("logloss_1_2"));
    assert_eq!(trees.outputs, ["output 0"]);
}

#[test]
fn one_hot_categories_keep_their_labels() {
    let trees = native::load(&case("one_hot_1_2"));
    let names: Vec<_> = (trees.features.iter())
        .map(|feature| feature.name.as_deref().unwrap())
        .collect();
    assert_eq!(names, ["size", "colour", "kind", "weight"]);
    let colour = trees.features[1].categories.as_ref().unwrap();
    assert_eq!(colour.numbers, Numbers::Labels);
    assert!(
        colour.labels.iter().any(|label| label == "red"),
        "{colour:?}"
    );
}

#[test]
fn categories_that_the_file_has_only_hashes_of_are_known_by_their_text_or_number() {
    let mut cases = cases("catboost");
    cases.retain(|case| case.name.starts_with("one_hot_") && case.name != "one_hot_hashes_1_2");
    assert_eq!(cases.len(), 4);
    for case in cases {
        let named = native::load(&case);
        let mut json: Value =
            serde_json::from_slice(&std::fs::read(case.model()).unwrap()).unwrap();
        let info = json["features_info"].as_object_mut().unwrap();
        info.remove("cat_features_hash").unwrap();
        let hashed = parse(&json);
        let kind = hashed.features[2].categories.as_ref().unwrap();
        assert_eq!(kind.numbers, Numbers::Hashes);
        // From the CSV file, where the second column's empty cell is a label, too.
        let (a, b) = (native::rows(&case, &named), native::rows(&case, &hashed));
        assert_eq!(a.shape, b.shape);
        for i in 0..a.shape[0] {
            assert_eq!(named.margin(a.row(i)), hashed.margin(b.row(i)), "row {i}");
        }
        // As numbers: 20, 20.5 and −30.
        let column = vec![20.0, 20.5, -30.0, f64::NAN];
        let cells = |trees: &Trees| {
            let columns = (0..4).map(|_| Column::F64(column.clone())).collect();
            let table = Table::new(None, Cells::Columns(columns)).unwrap();
            let encoder = Encoder::new(&trees.features, None, 4).unwrap();
            let batch = encoder.batch(&table).unwrap();
            let mut out = vec![0.0; 4];
            batch.column(2, 0..4, &mut out).unwrap();
            assert!(out[1] < 0.0 && out[3].is_nan(), "{out:?}");
            out
        };
        let (a, b) = (cells(&named), cells(&hashed));
        let label = |trees: &Trees, code: f64| {
            let labels = &trees.features[2].categories.as_ref().unwrap().labels;
            labels.get(code as usize).filter(|_| code >= 0.0).cloned()
        };
        for row in [0, 2] {
            assert_eq!(
                label(&named, a[row]).is_some(),
                label(&hashed, b[row]).is_some()
            );
        }
        if let Some(hash) = label(&hashed, b[0]) {
            assert_eq!(hash, "1183230456");
            assert_eq!(label(&named, a[0]).unwrap(), "20");
        }
    }
}

#[test]
fn a_scale_and_a_bias_are_part_of_the_margin() {
    let trees = native::load(&case("scaled_1_2"));
    assert_eq!(trees.base, [0.75]);
}

/// A model of one feature; left is −1, right is 1.
fn stump(border: f64, nan: &str) -> Value {
    json!({
        "features_info": {"float_features": [{
            "borders": [border], "feature_index": 0, "flat_feature_index": 0,
            "nan_value_treatment": nan,
        }]},
        "oblivious_trees": [{
            "leaf_values": [-1, 1], "leaf_weights": [3, 4],
            "splits": [{"border": border, "float_feature_index": 0, "split_type": "FloatFeature"}],
        }],
        "scale_and_bias": [1, [0]],
    })
}

fn parse(model: &Value) -> Trees {
    let bytes = serde_json::to_vec(model).unwrap();
    let Model::Trees(trees) = model::parse(&bytes, Path::new("stump")).unwrap() else {
        panic!("not trees");
    };
    trees
}

#[test]
fn a_border_belongs_to_its_left_side_in_float32() {
    let border = f64::from(0.1_f32);
    let trees = parse(&stump(border, "AsFalse"));
    // 0.1 is below the border as a float64, and equal to it as a float32.
    for cell in [0.1, border, border.next_up()] {
        assert_eq!(trees.margin(&[cell]), [-1.0], "{cell}");
    }
    assert_eq!(trees.margin(&[f64::from(0.1_f32.next_up())]), [1.0]);
    // Beyond the range of float32, cells are infinite.
    assert_eq!(parse(&stump(3e38, "AsIs")).margin(&[1e300]), [1.0]);
}

#[test]
fn the_treatment_of_nan_says_on_which_side_it_is() {
    for (nan, margin) in [("AsIs", -1.0), ("AsFalse", -1.0), ("AsTrue", 1.0)] {
        assert_eq!(parse(&stump(0.0, nan)).margin(&[f64::NAN]), [margin]);
    }
}

#[test]
fn a_single_bias_of_old_versions_is_read() {
    let mut model = stump(0.0, "AsIs");
    model["scale_and_bias"] = json!([2, 0.5]);
    assert_eq!(parse(&model).margin(&[1.0]), [2.5]);
    model.as_object_mut().unwrap().remove("scale_and_bias");
    assert_eq!(parse(&model).margin(&[1.0]), [1.0]);
}

#[test]
fn a_model_without_trees_predicts_its_bias() {
    let mut model = stump(0.0, "AsIs");
    model["oblivious_trees"] = json!([]);
    model["scale_and_bias"] = json!([1, [0.25, 0.5]]);
    assert_eq!(parse(&model).margin(&[1.0]), [0.25, 0.5]);
}

#[test]
fn covers_are_only_had_where_the_file_has_weights() {
    let mut model = stump(0.0, "AsIs");
    assert!(parse(&model).has_cover);
    model["oblivious_trees"][0]
        .as_object_mut()
        .unwrap()
        .remove("leaf_weights");
    assert!(!parse(&model).has_cover);
}

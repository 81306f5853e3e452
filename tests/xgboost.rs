//! XGBoost's own files against XGBoost's own answers.

mod damage;
pub(crate) mod oracle;

use std::collections::BTreeMap;

use whylight::Error;
use whylight::data::{self, Encoder, ReadOptions};
use whylight::model::{self, Model, Node, Trees};

use crate::corpus::{Case, cases};

/// A case's model, with the rounds that its answers were computed from.
fn load(case: &Case) -> Trees {
    let Model::Trees(mut trees) = model::load(&case.model()).unwrap() else {
        panic!("{}: not trees", case.name);
    };
    if let Some(best) = case.facts["best_iteration"].as_u64() {
        if case.facts["version"] != "1.0.2" {
            assert_eq!(trees.best_iteration.map(u64::from), Some(best));
        }
        if case.facts["use_best_iteration"] == true {
            let all = trees.trees.len();
            let best = trees.best_iteration.unwrap();
            trees.keep_iterations(0..best + 1).unwrap();
            assert!(trees.trees.len() < all, "{}", case.name);
        }
    }
    trees
}

fn tree_cases() -> Vec<Case> {
    let mut cases = cases("xgboost");
    cases.retain(|case| case.facts["refused"].is_null());
    assert!(cases.len() >= 50, "only {} cases", cases.len());
    cases
}

/// The absolute value of the leaf that `row` reaches in each tree, summed with the base.
fn magnitude(trees: &Trees, row: &[f64], k: usize) -> f64 {
    let width = trees.outputs.len();
    let leaves = (0..trees.trees.len()).map(|t| {
        let tree = &trees.trees[t];
        let Node::Leaf { leaf, .. } = tree.nodes[trees.leaf(t, row)] else {
            panic!("a path ends in a split");
        };
        match tree.output {
            model::Output::One(_) => tree.values[leaf as usize].abs(),
            model::Output::All => tree.values[leaf as usize * width + k].abs(),
        }
    });
    trees.base[k].abs() + leaves.sum::<f64>()
}

#[test]
fn margins_equal_the_librarys_to_the_rounding_of_its_float32_sum() {
    for case in tree_cases() {
        let trees = load(&case);
        let (rows, margin) = (case.array("rows").unwrap(), case.array("margin").unwrap());
        assert_eq!(margin.shape[1], trees.outputs.len(), "{}", case.name);
        for i in 0..rows.shape[0] {
            let ours = trees.margin(rows.row(i));
            for (k, (ours, native)) in ours.iter().zip(margin.row(i)).enumerate() {
                let step = f64::from(f32::EPSILON) * (trees.trees.len() + 2) as f64 / 2.0;
                let bound = step * magnitude(&trees, rows.row(i), k);
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
fn every_row_reaches_the_librarys_leaf() {
    let mut compared = 0;
    for case in tree_cases() {
        let trees = load(&case);
        let Some(leaves) = case.array("leaves") else {
            assert!(trees.trees.is_empty(), "{}", case.name);
            continue;
        };
        let rows = case.array("rows").unwrap();
        assert_eq!(leaves.shape, [rows.shape[0], trees.trees.len()]);
        let deleted = case.facts["deleted_nodes"].as_u64().unwrap() > 0;
        let mut renumbered = vec![BTreeMap::new(); trees.trees.len()];
        for i in 0..rows.shape[0] {
            for (t, &native) in leaves.row(i).iter().enumerate() {
                let (ours, native) = (trees.leaf(t, rows.row(i)), native as usize);
                compared += 1;
                if deleted {
                    // Deleted nodes are left out, so the same leaf has a smaller number here.
                    let known = *renumbered[t].entry(native).or_insert(ours);
                    assert_eq!(ours, known, "{}, row {i}, tree {t}", case.name);
                } else {
                    assert_eq!(ours, native, "{}, row {i}, tree {t}", case.name);
                }
            }
        }
        for (t, pairs) in renumbered.iter().enumerate() {
            let ours: Vec<_> = pairs.values().collect();
            assert!(ours.is_sorted_by(|a, b| a < b), "{}, tree {t}", case.name);
        }
    }
    assert!(compared > 20_000, "only {compared} leaves compared");
}

#[test]
fn values_by_the_definition_equal_the_librarys() {
    let mut compared = 0;
    for case in tree_cases() {
        let trees = load(&case);
        let Some(values) = case.array("values") else {
            continue;
        };
        assert!(trees.has_cover, "{}", case.name);
        let rows = case.array("rows").unwrap();
        let exact = case.facts["value_source"] != "xgboost pred_contribs";
        for i in 0..rows.shape[0] {
            let ours = oracle::path_dependent(&trees, rows.row(i));
            for (cell, (ours, native)) in ours.iter().zip(values.row(i)).enumerate() {
                let k = cell / (trees.features.len() + 1);
                // The library sums in float32, and divides by small covers on the way.
                let bound = if exact { 1e-9 } else { 3e-6 };
                assert!(
                    (ours - native).abs() <= bound * (1.0 + magnitude(&trees, rows.row(i), k)),
                    "{}, row {i}, cell {cell}: {ours} against {native}",
                    case.name
                );
                compared += 1;
            }
        }
    }
    assert!(compared > 50_000, "only {compared} values compared");
}

#[test]
fn covers_are_missing_only_from_vector_leaves_before_3_2() {
    let without: Vec<_> = tree_cases()
        .into_iter()
        .filter(|case| !load(case).has_cover)
        .map(|case| case.name)
        .collect();
    assert_eq!(without, ["vector_leaf_2_1"]);
}

#[test]
fn both_encodings_of_a_model_are_the_same_model() {
    let find = |name: &str| {
        let cases = cases("xgboost");
        cases.into_iter().find(|case| case.name == name).unwrap()
    };
    let text = load(&find("cat_names_3_4"));
    let binary = load(&find("cat_names_ubj_3_4"));
    assert_eq!(binary.format, "XGBoost UBJSON");
    assert_eq!(text.features, binary.features);
    assert_eq!(format!("{:?}", text.trees), format!("{:?}", binary.trees));
}

#[test]
fn a_csv_file_with_labels_gives_the_cells_that_the_library_was_given() {
    let (mut compared, mut refused) = (0, 0);
    for case in tree_cases() {
        let Some(numbers) = case.array("rows_csv_index") else {
            continue;
        };
        let trees = load(&case);
        let rows = case.array("rows").unwrap();
        let options = ReadOptions::for_features(&trees.features);
        let table = data::read(&case.folder.join("rows.csv"), &options);
        if case.facts["version"] != "3.4.1" {
            // Before 3.4, labels that are not ASCII are damaged in the file ("été" in column 1).
            let error = table.unwrap_err().to_string();
            assert!(error.contains("a model that has labels"), "{error}");
            refused += 1;
            continue;
        }
        let table = table.unwrap();
        let encoder =
            Encoder::new(&trees.features, table.names.as_deref(), table.columns()).unwrap();
        assert!(encoder.is_named(), "{}", case.name);
        assert_eq!(table.rows(), numbers.cells.len(), "{}", case.name);
        let batch = encoder.batch(&table).unwrap();
        let mut column = vec![0.0; table.rows()];
        for f in 0..trees.features.len() {
            batch.column(f, 0..table.rows(), &mut column).unwrap();
            for (&ours, number) in column.iter().zip(&numbers.cells) {
                let native = rows.row(*number as usize)[f];
                assert!(
                    ours.to_bits() == native.to_bits() || ours.is_nan() && native.is_nan(),
                    "{}, row {number}, feature {f}: {ours} against {native}",
                    case.name
                );
                compared += 1;
            }
        }
    }
    assert!(compared > 400 && refused == 2);
}

#[test]
fn feature_names_are_those_of_the_file() {
    let cases = cases("xgboost");
    let case = cases
        .iter()
        .find(|case| case.name == "float64_3_4")
        .unwrap();
    let names: Vec<_> = load(case).features.into_iter().map(|f| f.name).collect();
    let expected = ["a", "b", "c d", "é", "e_1", "f"];
    assert_eq!(names, expected.map(|name| Some(name.to_owned())));
}

#[test]
fn a_linear_booster_is_refused_by_its_name() {
    let mut seen = 0;
    for case in cases("xgboost") {
        if let Some(name) = case.facts["refused"].as_str() {
            let error = model::load(&case.model()).unwrap_err();
            assert!(matches!(error, Error::Unsupported { .. }), "{error}");
            assert!(error.to_string().contains(name), "{error}");
            seen += 1;
        }
    }
    assert_eq!(seen, 2);
}

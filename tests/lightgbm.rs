//! LightGBM's own files against LightGBM's own answers.

mod damage;

use std::path::Path;

use whylight::model::{self, Missing, Node, Numbers, Test};

use crate::corpus::{Case, cases};
use crate::support::native;

fn case(name: &str) -> Case {
    let mut cases = cases("lightgbm");
    cases.retain(|case| case.name == name);
    cases.pop().unwrap()
}

#[test]
fn margins_equal_the_librarys() {
    for case in native::answered("lightgbm") {
        native::margins_agree(&case);
    }
}

#[test]
fn every_row_reaches_the_librarys_leaf() {
    let compared: usize = (native::answered("lightgbm").iter())
        .map(native::leaves_agree)
        .sum();
    assert!(compared > 30_000, "only {compared} leaves compared");
}

#[test]
fn values_by_the_definition_equal_the_librarys() {
    let compared: usize = (native::answered("lightgbm").iter())
        .map(native::values_agree)
        .sum();
    assert!(compared > 60_000, "only {compared} values compared");
}

#[test]
fn a_linear_leaf_predicts_its_value_where_a_cell_is_missing() {
    let trees = native::load(&case("linear_4_7"));
    assert!(trees.has_linear_leaves());
    let (mut linear, mut constant) = (0, 0);
    for tree in &trees.trees {
        for (leaf, of) in tree.linear.iter().enumerate() {
            let row: Vec<f64> = (0..trees.features.len()).map(|f| 0.5 - f as f64).collect();
            let terms = of.terms.iter().map(|&(f, weight)| weight * row[f as usize]);
            let sum = terms.fold(of.constant, |sum, term| sum + term);
            assert_eq!(tree.prediction(leaf, &row).to_bits(), sum.to_bits());
            linear += usize::from(!of.terms.is_empty());
            constant += usize::from(of.terms.is_empty());
            for &(feature, _) in &of.terms {
                let mut row = row.clone();
                row[feature as usize] = f64::NAN;
                assert_eq!(
                    tree.prediction(leaf, &row).to_bits(),
                    tree.values[leaf].to_bits()
                );
            }
        }
    }
    assert!(linear > 10 && constant > 0, "{linear}, {constant}");
    // The first tree has no slopes: its constants are values.
    assert!(trees.trees[0].linear.is_empty());
    assert!(!native::load(&case("regression_nan_4_7")).has_linear_leaves());
}

#[test]
fn iterations_of_linear_trees_are_kept_and_averaged_as_those_of_others() {
    let all = native::load(&case("linear_forest_4_7"));
    let row = [0.3, -0.2, 1.1, 0.4];
    let mut kept = all.clone();
    kept.keep_iterations(1..2).unwrap();
    // The mean of three trees has a third of the second.
    let leaf = |trees: &model::Trees, t: usize| match trees.trees[t].nodes[trees.leaf(t, &row)] {
        Node::Leaf { leaf, .. } => trees.trees[t].prediction(leaf as usize, &row),
        Node::Split(_) => panic!("a path ends in a split"),
    };
    let expected = 3.0 * leaf(&all, 1);
    assert!((kept.margin(&row)[0] - expected).abs() < 1e-14 * expected.abs());
}

#[test]
fn the_corpus_has_every_kind_of_split() {
    let (mut missing, mut lefts, mut words) = (Vec::new(), Vec::new(), Vec::new());
    for case in native::answered("lightgbm") {
        for tree in native::load(&case).trees {
            for node in tree.nodes {
                let Node::Split(split) = node else { continue };
                if let Test::Category(set) = &split.test {
                    words.push(set.words.len());
                } else {
                    missing.push(split.missing);
                    lefts.push((split.missing, split.missing_left));
                }
            }
        }
    }
    for kind in [Missing::Nan, Missing::NanOrZero, Missing::Never] {
        assert!(
            missing.contains(&kind),
            "no split with missing type {kind:?}"
        );
    }
    for kind in [Missing::Nan, Missing::NanOrZero] {
        assert!(lefts.contains(&(kind, true)) && lefts.contains(&(kind, false)));
    }
    // More than 1,000 categories, more than 32, and few.
    assert!(words.iter().any(|&words| words > 32), "{words:?}");
    assert!(words.contains(&2) && words.contains(&1), "{words:?}");
}

#[test]
fn a_forest_is_averaged_and_says_so() {
    let trees = native::load(&case("forest_4_7"));
    assert!(trees.averaged);
    assert!(!native::load(&case("regression_nan_4_7")).averaged);
}

#[test]
fn rounds_and_outputs_follow_the_order_of_the_trees() {
    let trees = native::load(&case("multiclass_4_7"));
    assert_eq!(trees.outputs.len(), 3);
    let rounds: Vec<u32> = trees.trees.iter().map(|tree| tree.iteration).collect();
    assert_eq!(rounds, [0, 0, 0, 1, 1, 1, 2, 2, 2]);
    assert_eq!(trees.objective, "multiclass num_class:3");
}

#[test]
fn generated_column_names_are_not_names() {
    let trees = native::load(&case("poisson_4_7"));
    assert!(trees.features.iter().all(|feature| feature.name.is_none()));
}

#[test]
fn the_categories_of_a_data_frame_are_those_of_its_columns() {
    let trees = native::load(&case("pandas_4_7"));
    let names: Vec<_> = (trees.features.iter())
        .map(|feature| feature.name.as_deref().unwrap())
        .collect();
    assert_eq!(names, ["size", "colour", "kind", "weight"]);
    assert_eq!(trees.features[0].categories, None);
    let colour = trees.features[1].categories.as_ref().unwrap();
    assert_eq!(colour.labels, ["blue", "green", "red", "räd, \"quoted\""]);
    assert_eq!(colour.numbers, Numbers::Codes);
    let kind = trees.features[2].categories.as_ref().unwrap();
    assert_eq!(kind.labels, ["10", "20", "30", "40", "50", "70"]);
    assert_eq!(kind.numbers, Numbers::Values);
}

#[test]
fn category_numbers_read_from_a_matrix_reach_the_same_leaves_as_labels_from_a_csv_file() {
    let case = case("pandas_4_7");
    let trees = native::load(&case);
    let (codes, labels) = (case.array("rows").unwrap(), native::rows(&case, &trees));
    assert_eq!(codes.shape, labels.shape);
    for i in 0..codes.shape[0] {
        assert_eq!(trees.margin(codes.row(i)), trees.margin(labels.row(i)));
    }
}

/// A model of one split on one feature: left is leaf 0, right is leaf 1.
fn stump(threshold: &str, kind: u8) -> model::Trees {
    let text = format!(
        "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nmax_feature_idx=0\n\
         feature_names=a\nfeature_infos=none\n\nTree=0\nnum_leaves=2\nnum_cat=0\nsplit_feature=0\n\
         threshold={threshold}\ndecision_type={kind}\nleft_child=-1\nright_child=-2\n\
         leaf_value=-1 1\nleaf_count=3 4\ninternal_count=7\nshrinkage=1\n\n\nend of trees\n"
    );
    let model::Model::Trees(trees) = model::parse(text.as_bytes(), Path::new("stump")).unwrap()
    else {
        panic!("not trees");
    };
    trees
}

const ZERO: f64 = 1e-35_f32 as f64;

#[test]
fn a_threshold_belongs_to_its_left_side() {
    let trees = stump("1.5", 8);
    assert_eq!(trees.margin(&[1.5]), [-1.0]);
    assert_eq!(trees.margin(&[1.5_f64.next_up()]), [1.0]);
    assert_eq!(trees.margin(&[f64::NEG_INFINITY]), [-1.0]);
    assert_eq!(trees.margin(&[f64::INFINITY]), [1.0]);
}

#[test]
fn an_infinite_threshold_sends_every_number_to_one_side() {
    let trees = stump("inf", 8);
    assert_eq!(trees.margin(&[f64::INFINITY]), [-1.0]);
    assert_eq!(trees.margin(&[f64::NAN]), [1.0]);
    let trees = stump("-inf", 8);
    assert_eq!(trees.margin(&[f64::NEG_INFINITY]), [-1.0]);
    assert_eq!(trees.margin(&[f64::MIN]), [1.0]);
}

#[test]
fn cells_within_the_zero_threshold_compare_as_zero() {
    for kind in [0, 8] {
        // Zero is above a negative threshold, however small, and so is every cell within ±1e-35.
        for threshold in ["-1e-300", "-1.0000000180025095e-35"] {
            let trees = stump(threshold, kind);
            for cell in [-ZERO, -1e-300, 0.0, -0.0, 1e-36] {
                assert_eq!(trees.margin(&[cell]), [1.0], "{cell} at {threshold}");
            }
            assert_eq!(trees.margin(&[-ZERO.next_up()]), [-1.0]);
        }
        for threshold in ["0", "-0", "1e-300", "1.0000000180025095e-35"] {
            let trees = stump(threshold, kind);
            for cell in [-ZERO, 0.0, 1e-300, ZERO] {
                assert_eq!(trees.margin(&[cell]), [-1.0], "{cell} at {threshold}");
            }
            assert_eq!(trees.margin(&[ZERO.next_up()]), [1.0]);
        }
    }
}

#[test]
fn the_missing_type_says_which_cells_take_the_default_side() {
    for (kind, cell, margin) in [
        (0, f64::NAN, 1.0),
        (2, f64::NAN, 1.0),
        (4, f64::NAN, 1.0),
        (6, f64::NAN, -1.0),
        (6, 0.0, -1.0),
        (6, ZERO, -1.0),
        (6, -ZERO, -1.0),
        (6, ZERO.next_up(), 1.0),
        (8, f64::NAN, 1.0),
        (10, f64::NAN, -1.0),
        (10, 0.0, 1.0),
    ] {
        let trees = stump("-2.5", kind);
        assert_eq!(trees.margin(&[cell]), [margin], "type {kind}, cell {cell}");
    }
}

#[test]
fn a_model_without_trees_predicts_zero() {
    let text = "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nmax_feature_idx=1\n\
                feature_names=a b\nfeature_infos=none none\ntree_sizes=\n\nend of trees\n";
    let model::Model::Trees(trees) = model::parse(text.as_bytes(), Path::new("none")).unwrap()
    else {
        panic!("not trees");
    };
    assert_eq!(trees.margin(&[1.0, 2.0]), [0.0]);
    assert!(trees.has_cover);
}

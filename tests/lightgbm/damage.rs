//! Damaged and hostile files: an error that names the place, never a panic, a hang or a huge
//! allocation.

use crate::support::damage::{changed_bytes, complaint};

/// The text of a case's model.
fn text(name: &str) -> String {
    std::fs::read_to_string(super::case(name).model()).unwrap()
}

/// The complaint about a model after the first occurrence of a line's beginning was replaced.
fn complaint_with(name: &str, from: &str, to: &str) -> String {
    let text = text(name);
    assert!(text.contains(from), "no {from:?}");
    complaint(text.replacen(from, to, 1).as_bytes(), "bad.txt")
}

/// The text of the first line that begins with `key=`.
fn line(text: &str, key: &str) -> String {
    let start = format!("{key}=");
    let line = text.lines().find(|line| line.starts_with(&start)).unwrap();
    line.to_owned()
}

const SAMPLE: [&str; 7] = [
    "linear_4_7",
    "regression_nan_2_3",
    "binary_categorical_3_3",
    "multiclass_absent_4_7",
    "forest_4_7",
    "constant_4_7",
    "pandas_4_7",
];

#[test]
fn a_truncated_file_is_an_error_wherever_its_trees_end() {
    for name in SAMPLE {
        let text = text(name);
        let trees = text.find("end of trees").unwrap() + "end of trees".len();
        let open = text.find("\nparameters:").unwrap() + "\nparameters:".len();
        let close = text.find("end of parameters").unwrap();
        let step = (text.len() / 300).max(1);
        for end in (0..trees).step_by(step).chain([trees - 1]) {
            complaint(&text.as_bytes()[..end], "bad.txt");
        }
        for end in (open..close).step_by(step).chain([close]) {
            complaint(&text.as_bytes()[..end], "bad.txt");
        }
    }
}

#[test]
fn changed_bytes_never_panic_and_what_is_read_can_be_routed() {
    let mut read = 0;
    for (seed, name) in SAMPLE.into_iter().enumerate() {
        let alphabet = b"0123456789-+.e= \n:[]\"Tinfa";
        read += changed_bytes(text(name).as_bytes(), alphabet, 250, seed as u64);
    }
    assert!((100..1600).contains(&read), "{read} of 1750 read");
}

#[test]
fn a_fault_of_a_tree_names_file_tree_node_and_reason() {
    let model = text("binary_categorical_4_7");
    let tree = model.find("Tree=1").unwrap();
    for (key, word, value, expected) in [
        (
            "left_child",
            0,
            "0",
            "tree 1, node 0: it is the child of two nodes",
        ),
        ("left_child", 1, "999", "tree 1, node 1: its child is 999"),
        ("right_child", 1, "-13", "tree 1, node 1: its child is -13"),
        (
            "right_child",
            1,
            "-2147483648",
            "tree 1, node 1: its child is -2147483648",
        ),
        ("left_child", 2, "2", "tree 1"),
        (
            "split_feature",
            3,
            "5",
            "tree 1, node 3: it splits on feature 5",
        ),
        ("split_feature", 3, "-1", "tree 1, split_feature: \"-1\""),
        (
            "split_feature",
            3,
            "4294967295",
            "tree 1, node 3: it splits on feature 4294967295",
        ),
        ("decision_type", 0, "12", "tree 1, node 0: decision_type 12"),
        ("decision_type", 0, "512", "tree 1, decision_type: \"512\""),
        (
            "decision_type",
            2,
            "9 9",
            "tree 1, decision_type: 12 numbers, expected 11",
        ),
        ("leaf_value", 4, "nan", "its leaf value NaN"),
        ("leaf_value", 4, "inf", "its leaf value inf"),
        (
            "leaf_value",
            4,
            "x",
            "tree 1, leaf_value: \"x\" is not a number",
        ),
        ("leaf_count", 2, "-7", "tree 1"),
        (
            "internal_count",
            3,
            "17",
            "tree 1, node 3: its internal_count is 17",
        ),
        (
            "num_leaves",
            0,
            "4000000000",
            "tree 1, leaf_value: 12 numbers, expected 4000000000",
        ),
        ("num_leaves", 0, "0", "tree 1, num_leaves"),
        ("num_leaves", 0, "-3", "tree 1, num_leaves"),
        (
            "num_leaves",
            0,
            "11",
            "tree 1, leaf_value: 12 numbers, expected 11",
        ),
        ("num_cat", 0, "18446744073709551615", "tree 1, num_cat"),
        ("num_cat", 0, "3", "tree 1, cat_boundaries"),
        (
            "cat_boundaries",
            1,
            "4000000000",
            "tree 1, cat_boundaries: expected numbers",
        ),
        ("cat_boundaries", 0, "1", "tree 1, cat_boundaries"),
        ("cat_threshold", 0, "4294967296", "tree 1, cat_threshold"),
        (
            "is_linear",
            0,
            "1",
            "tree 1, leaf_const: the line is missing",
        ),
        (
            "is_linear",
            0,
            "yes",
            "tree 1, is_linear: \"yes\" is not a number",
        ),
    ] {
        let old = line(&model[tree..], key);
        let mut words: Vec<&str> = old[key.len() + 1..].split(' ').collect();
        words[word] = value;
        let new = format!("{key}={}", words.join(" "));
        let bad = format!(
            "{}{}",
            &model[..tree],
            model[tree..].replacen(&old, &new, 1)
        );
        let error = complaint(bad.as_bytes(), "bad.txt");
        assert!(error.contains("bad.txt"), "{error}");
        assert!(error.contains(expected), "{new}: {error}");
    }
}

#[test]
fn a_fault_of_a_linear_leaf_names_its_line_or_node() {
    let model = text("linear_4_7");
    let tree = model.find("Tree=1").unwrap();
    for (key, new, expected) in [
        (
            "leaf_const",
            None,
            "tree 1, leaf_const: the line is missing",
        ),
        (
            "leaf_const",
            Some("1 2"),
            "tree 1, leaf_const: 2 numbers, expected 6",
        ),
        (
            "leaf_const",
            Some("inf 0 0 0 0 0"),
            "its constant inf is not a finite number",
        ),
        (
            "num_features",
            None,
            "tree 1, num_features: the line is missing",
        ),
        (
            "num_features",
            Some("0 0 0 0 0 -1"),
            "tree 1, num_features: \"-1\"",
        ),
        (
            "num_features",
            Some("18446744073709551615 1 0 0 0 0"),
            "tree 1, num_features: its sum",
        ),
        (
            "num_features",
            Some("4000000000 0 0 0 0 0"),
            "tree 1, leaf_features: 14 numbers, expected 4000000000",
        ),
        (
            "leaf_features",
            None,
            "tree 1, leaf_features: the line is missing",
        ),
        (
            "leaf_features",
            Some("0 0 0 0 0 0 0 0 0 0 0 0 0 4"),
            "it is linear in feature 4, but the model has 4 features",
        ),
        (
            "leaf_features",
            Some("-1 0 0 0 0 0 0 0 0 0 0 0 0 0"),
            "tree 1, leaf_features: \"-1\"",
        ),
        (
            "leaf_coeff",
            Some("nan 0 0 0 0 0 0 0 0 0 0 0 0 0"),
            "its coefficient NaN is not a finite number",
        ),
        (
            "leaf_coeff",
            Some("1"),
            "tree 1, leaf_coeff: 1 numbers, expected 14",
        ),
    ] {
        let old = line(&model[tree..], key);
        let new = new.map_or(String::new(), |new| format!("{key}={new}"));
        let bad = [&model[..tree], &model[tree..].replacen(&old, &new, 1)].concat();
        let error = complaint(bad.as_bytes(), "bad.txt");
        assert!(error.contains("bad.txt"), "{error}");
        assert!(error.contains(expected), "{new}: {error}");
    }
}

#[test]
fn a_threshold_that_is_no_number_or_no_set_is_refused() {
    let model = text("binary_categorical_4_7");
    let (kinds, thresholds) = (line(&model, "decision_type"), line(&model, "threshold"));
    let set = kinds["decision_type=".len()..]
        .split(' ')
        .position(|kind| kind == "9")
        .unwrap();
    for value in ["nan", "-1", "0.5", "1000", "inf"] {
        let mut words: Vec<&str> = thresholds["threshold=".len()..].split(' ').collect();
        words[set] = value;
        let new = format!("threshold={}", words.join(" "));
        let error = complaint(model.replacen(&thresholds, &new, 1).as_bytes(), "bad.txt");
        assert!(error.contains(&format!("tree 0, node {set}: ")), "{error}");
    }
    let first = line(&text("regression_nan_4_7"), "threshold");
    let word = first["threshold=".len()..].split(' ').next().unwrap();
    let error = complaint_with(
        "regression_nan_4_7",
        &format!("threshold={word}"),
        "threshold=nan",
    );
    assert!(error.contains("tree 0, node 0: its threshold"), "{error}");
}

#[test]
fn a_fault_of_the_whole_model_names_its_place() {
    for (from, to, expected) in [
        ("version=v4", "version=v9", "version \"v9\""),
        ("max_feature_idx=5", "max_feature_idx=6", "feature names"),
        (
            "max_feature_idx=5",
            "max_feature_idx=18446744073709551615",
            "feature names",
        ),
        (
            "max_feature_idx=5",
            "max_feature_idx=-1",
            "max_feature_idx=-1",
        ),
        ("max_feature_idx=5\n", "", "`max_feature_idx=` is missing"),
        (
            "feature_names=",
            "feature_nam=",
            "`feature_names=` is missing",
        ),
        ("feature_infos=[", "feature_infos=none [", "feature_infos"),
        (
            "num_tree_per_iteration=1",
            "num_tree_per_iteration=0",
            "0 trees per iteration",
        ),
        (
            "num_tree_per_iteration=1",
            "num_tree_per_iteration=3",
            "8 trees",
        ),
        (
            "num_tree_per_iteration=1",
            "num_tree_per_iteration=4000000000",
            "4000000000 trees per iteration",
        ),
        ("tree_sizes=", "tree_sizes=1 ", "announces 9 trees"),
        ("Tree=3", "Tree=4", "tree 4 follows 3 trees"),
        ("shrinkage=", "num_cat=", "\"num_cat\" is there twice"),
        ("end of trees", "end of", "`end of trees` is missing"),
        ("end of parameters", "", "`end of parameters` is missing"),
        (
            "leaf_value=",
            "leaf_values=",
            "tree 0, leaf_value: the line is missing",
        ),
    ] {
        let error = complaint_with("regression_nan_4_7", from, to);
        assert!(error.contains("bad.txt"), "{error}");
        assert!(error.contains(expected), "{to}: {error}");
    }
    let error = complaint(b"tree\nversion=v4\n\xff\nend of trees\n", "bad.txt");
    assert!(error.contains("byte 16"), "{error}");
}

#[test]
fn data_frame_categories_that_no_column_can_claim_are_refused() {
    let key = "pandas_categorical:";
    for (from, to, expected) in [
        (
            "pandas_categorical:[",
            "pandas_categorical:[[\"x\"], ",
            "lists the categories of 3",
        ),
        (
            "pandas_categorical:[",
            "pandas_categorical:{",
            "expected a list of lists",
        ),
        (
            "[10, 20, 30, 40, 50, 70]",
            "[10]",
            "lists the categories of 2",
        ),
    ] {
        assert!(from.starts_with(key) || text("pandas_4_7").contains(from));
        let error = complaint_with("pandas_4_7", from, to);
        assert!(error.contains(expected), "{to}: {error}");
    }
}

#[test]
fn a_category_set_that_two_splits_name_is_an_error() {
    let text = text("binary_categorical_4_7");
    let numbers = |line: &str| -> Vec<String> {
        let (_, list) = line.split_once('=').unwrap();
        list.split_ascii_whitespace().map(str::to_owned).collect()
    };
    let kinds = numbers(&line(&text, "decision_type"));
    let thresholds = line(&text, "threshold");
    let mut changed = numbers(&thresholds);
    let categorical: Vec<usize> = (0..kinds.len())
        .filter(|&n| kinds[n].parse::<u8>().unwrap() & 1 == 1)
        .collect();
    assert!(categorical.len() > 1);
    for n in categorical {
        changed[n] = "0".to_owned();
    }
    let bad = text.replacen(&thresholds, &format!("threshold={}", changed.join(" ")), 1);
    let error = complaint(bad.as_bytes(), "bad.txt");
    assert!(error.contains("which another split has"), "{error}");
}

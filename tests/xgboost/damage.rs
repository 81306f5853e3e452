//! Damaged and hostile files: an error that names the place, never a panic, a hang or a huge
//! allocation.

use std::path::Path;

use serde_json::{Value, json};
use whylight::model::{self, Model};

use crate::corpus::cases;

/// The bytes of a case's model.
fn bytes(name: &str) -> Vec<u8> {
    let cases = cases("xgboost");
    let case = cases.iter().find(|case| case.name == name).unwrap();
    std::fs::read(case.model()).unwrap()
}

/// What reading `bytes` says is wrong; panics if it says nothing.
fn complaint(bytes: &[u8]) -> String {
    match model::parse(bytes, Path::new("bad.json")) {
        Ok(_) => panic!("a damaged model was read"),
        Err(error) => error.to_string(),
    }
}

/// The complaint about a model after one of its parts was replaced.
fn complaint_with(name: &str, place: &str, value: Value) -> String {
    let mut model: Value = serde_json::from_slice(&bytes(name)).unwrap();
    *model
        .pointer_mut(place)
        .unwrap_or_else(|| panic!("no {place}")) = value;
    complaint(&serde_json::to_vec(&model).unwrap())
}

const TREES: &str = "/learner/gradient_booster/model/trees";

const SAMPLE: [&str; 7] = [
    "binary_1_0",
    "dart_multi_1_7",
    "cat_onehot_1_7",
    "vector_leaf_3_2",
    "cat_names_ubj_3_4",
    "vector_leaf_ubj_3_4",
    "softprob_1_7",
];

#[test]
fn a_truncated_file_is_an_error_wherever_it_ends() {
    for name in SAMPLE {
        let bytes = bytes(name);
        let step = (bytes.len() / 300).max(1);
        for end in (0..bytes.len()).step_by(step).chain([bytes.len() - 1]) {
            complaint(&bytes[..end]);
        }
    }
}

#[test]
fn changed_bytes_never_panic_and_what_is_read_can_be_routed() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    let (mut read, mut refused) = (0, 0);
    for name in SAMPLE {
        let original = bytes(name);
        for _ in 0..250 {
            let mut bytes = original.clone();
            for _ in 0..=random(3) {
                let at = random(bytes.len());
                bytes[at] = match random(4) {
                    0 => b"0123456789-,[]{}\":eETFZ"[random(22)],
                    1 => bytes[at] ^ (1 << random(8)),
                    2 => 0xff,
                    _ => random(256) as u8,
                };
            }
            match model::parse(&bytes, Path::new("bad.json")) {
                Ok(Model::Trees(trees)) => {
                    read += 1;
                    let margin = trees.margin(&vec![0.5; trees.features.len()]);
                    assert_eq!(margin.len(), trees.outputs.len());
                }
                Ok(_) => panic!("not trees"),
                Err(_) => refused += 1,
            }
        }
    }
    assert!(read > 50 && refused > 300, "{read} read, {refused} refused");
}

#[test]
fn a_fault_of_a_tree_names_file_tree_node_and_reason() {
    for (place, value, expected) in [
        (
            "2/left_children/1",
            json!(0),
            "tree 2, node 1: its child 0 is on a cycle",
        ),
        ("2/left_children/1", json!(2), "has two parents"),
        (
            "2/left_children/1",
            json!(1_000_000),
            "tree 2, node 1: child 1000000 of a tree with",
        ),
        ("2/right_children/1", json!(-7), "tree 2, node 1: child -7"),
        (
            "1/sum_hessian/0",
            json!(-1.5),
            "tree 1, node 0: its cover -1.5",
        ),
        (
            "0/split_indices/0",
            json!(6),
            "tree 0, node 0: it splits on feature 6",
        ),
        (
            "0/split_indices/0",
            json!(-2),
            "tree 0, node 0: it splits on feature -2",
        ),
        ("0/split_type/0", json!(2), "tree 0, node 0: split type 2"),
        ("0/split_type/0", json!(1), "tree 0, node 0: split type 1"),
        ("0/tree_param/num_nodes", json!("3"), "expected 3"),
        (
            "0/tree_param/size_leaf_vector",
            json!("4"),
            "4 values in a model with 1 outputs",
        ),
        ("0/parents", json!(null), ""),
        (
            "0/default_left",
            json!([1, 0]),
            "\"default_left\" has 2 elements",
        ),
        (
            "0/split_conditions",
            json!("no"),
            "\"split_conditions\" should be a list of numbers",
        ),
        ("3/id", json!(0), "tree 3: its \"id\" is 0"),
    ] {
        if expected.is_empty() {
            continue;
        }
        let error = complaint_with("binary_3_4", &format!("{TREES}/{place}"), value);
        assert!(error.contains("bad.json"), "{error}");
        assert!(error.contains(expected), "{place}: {error}");
    }
}

#[test]
fn a_threshold_or_leaf_that_is_no_number_is_refused() {
    let text = String::from_utf8(bytes("binary_3_4")).unwrap();
    let key = "\"split_conditions\":[";
    let begin = text.find(key).unwrap() + key.len();
    let comma = begin + text[begin..].find(',').unwrap();
    for value in ["NaN", "1E0,NaN"] {
        let text = format!("{}{value}{}", &text[..begin], &text[comma..]);
        let error = complaint(text.as_bytes());
        assert!(error.contains("tree 0"), "{error}");
    }
    let end = begin + text[begin..].find(']').unwrap();
    let comma = text[..end].rfind(',').unwrap() + 1;
    let error = complaint(format!("{}NaN{}", &text[..comma], &text[end..]).as_bytes());
    assert!(error.contains("leaf value NaN"), "{error}");
}

#[test]
fn a_fault_of_the_whole_model_names_its_place() {
    let shape = "/learner/learner_model_param";
    let booster = "/learner/gradient_booster";
    for (place, value, expected) in [
        (
            format!("{shape}/base_score"),
            json!("[5E-1,5E-1]"),
            "base_score",
        ),
        (
            format!("{shape}/base_score"),
            json!("[2E0]"),
            "2 is not a probability",
        ),
        (format!("{shape}/base_score"), json!("NaN"), "base_score"),
        (
            format!("{shape}/num_feature"),
            json!("4000000000"),
            "4000000000 features",
        ),
        (format!("{shape}/num_feature"), json!("-1"), "num_feature"),
        (
            format!("{shape}/num_class"),
            json!("4000000000"),
            "4000000000 outputs",
        ),
        (
            "/learner/objective/name".to_owned(),
            json!("reg:mine"),
            "reg:mine",
        ),
        (format!("{booster}/name"), json!("gbtrees"), "gbtrees"),
        (format!("{booster}/model/tree_info/1"), json!(5), "tree 1"),
        (format!("{booster}/model/tree_info/1"), json!(-5), "tree 1"),
        (
            format!("{booster}/model/tree_info"),
            json!([0]),
            "\"tree_info\" has 1 elements",
        ),
        (
            format!("{booster}/model/iteration_indptr/1"),
            json!(9),
            "iteration_indptr",
        ),
        (
            format!("{booster}/model/iteration_indptr/0"),
            json!(-1),
            "iteration_indptr",
        ),
        (
            format!("{booster}/model/gbtree_model_param/num_trees"),
            json!("4"),
            "expected 4",
        ),
        (
            format!("{booster}/model/trees"),
            json!([1, 2]),
            "\"trees\" should be a list",
        ),
        (
            "/learner".to_owned(),
            json!(3),
            "expected an object, found an integer",
        ),
    ] {
        let error = complaint_with("binary_3_4", &place, value);
        assert!(error.contains(expected), "{place}: {error}");
    }
}

#[test]
fn faults_of_categories_are_refused() {
    for (place, value, expected) in [
        ("0/categories_nodes/0", json!(1_000), "node 1000"),
        (
            "0/categories_sizes/0",
            json!(1_000_000),
            "1000000 categories",
        ),
        ("0/categories_segments/0", json!(-1), "categories from -1"),
        ("0/categories/0", json!(-4), "category -4"),
        ("0/categories/0", json!(16_777_216), "category 16777216"),
    ] {
        let error = complaint_with("cat_partition_3_4", &format!("{TREES}/{place}"), value);
        assert!(error.contains("tree 0"), "{place}: {error}");
        assert!(error.contains(expected), "{place}: {error}");
    }
    let labels = "/learner/gradient_booster/model/cats/enc/1";
    for (place, value) in [("offsets/1", json!(1_000)), ("values/0", json!(-61))] {
        let error = complaint_with("cat_names_3_4", &format!("{labels}/{place}"), value);
        assert!(error.contains("cats of feature 1"), "{error}");
    }
}

#[test]
fn leaf_vectors_cannot_be_multiplied_or_missed() {
    for (place, value) in [
        ("0/right_children/5", json!(1_000)),
        ("0/right_children/5", json!(-1)),
        ("0/leaf_weights", json!([1.0, 2.0, 3.0])),
    ] {
        let error = complaint_with("vector_leaf_3_2", &format!("{TREES}/{place}"), value);
        assert!(error.contains("tree 0, node"), "{error}");
    }
}

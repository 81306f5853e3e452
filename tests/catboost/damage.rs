//! Damaged and hostile files: an error that names the place, never a panic, a hang or a huge
//! allocation.

use serde_json::{Value, json};

use crate::support::damage::{changed_bytes, complaint};

/// The bytes of a case's model, without the training parameters.
fn bytes(name: &str) -> Vec<u8> {
    let bytes = std::fs::read(super::case(name).model()).unwrap();
    let mut model: Value = serde_json::from_slice(&bytes).unwrap();
    model["model_info"] = json!({});
    serde_json::to_vec(&model).unwrap()
}

/// The complaint about a model after one of its parts was replaced.
fn complaint_with(name: &str, place: &str, value: Value) -> String {
    let mut model: Value = serde_json::from_slice(&bytes(name)).unwrap();
    *model
        .pointer_mut(place)
        .unwrap_or_else(|| panic!("no {place}")) = value;
    complaint(&serde_json::to_vec(&model).unwrap(), "bad.json")
}

const SAMPLE: [&str; 5] = [
    "oblivious_0_26",
    "lossguide_1_2",
    "multiclass_1_0",
    "multiclass_lossguide_1_2",
    "one_hot_lossguide_1_2",
];

#[test]
fn a_truncated_file_is_an_error_wherever_it_ends() {
    for name in SAMPLE {
        let bytes = bytes(name);
        let step = (bytes.len() / 300).max(1);
        for end in (0..bytes.len()).step_by(step).chain([bytes.len() - 1]) {
            complaint(&bytes[..end], "bad.json");
        }
    }
}

#[test]
fn changed_bytes_never_panic_and_what_is_read_can_be_routed() {
    let mut read = 0;
    for (seed, name) in SAMPLE.into_iter().enumerate() {
        let alphabet = b"0123456789-,[]{}\":eEl.";
        read += changed_bytes(&bytes(name), alphabet, 250, seed as u64);
    }
    assert!((100..1150).contains(&read), "{read} of 1250 read");
}

#[test]
fn a_fault_of_an_oblivious_tree_names_file_tree_and_reason() {
    for (place, value, expected) in [
        (
            "2/splits/1/border",
            json!(null),
            "tree 2, split 1: its split has no",
        ),
        (
            "2/splits/1/float_feature_index",
            json!(9),
            "tree 2, split 1: it tests unknown float",
        ),
        ("2/splits/1/float_feature_index", json!(-1), "line 1"),
        (
            "2/splits/1/split_type",
            json!("TextFeature"),
            "a split of type \"TextFeature\"",
        ),
        ("2/splits/1/split_type", json!("OnlineCtr"), "CTR"),
        (
            "2/splits/1/split_type",
            json!("OneHotFeature"),
            "a one-hot split",
        ),
        (
            "2/splits",
            json!([]),
            "tree 2: 16 leaf weights for 1 leaves",
        ),
        (
            "2/leaf_values",
            json!([1, 2, 3]),
            "tree 2: 3 leaf values for 4 splits",
        ),
        ("2/leaf_values", json!([]), "tree 2: 0 leaf values"),
        (
            "2/leaf_weights",
            json!([1, 2]),
            "tree 2: 2 leaf weights for 16 leaves",
        ),
        ("2/leaf_weights/5", json!(-1), "its cover -1"),
    ] {
        let error = complaint_with("oblivious_1_2", &format!("/oblivious_trees/{place}"), value);
        assert!(error.contains("bad.json"), "{error}");
        assert!(error.contains(expected), "{place}: {error}");
    }
    let many: Vec<Value> = (0..80)
        .map(|_| json!({"split_type": "FloatFeature", "border": 0, "float_feature_index": 0}))
        .collect();
    let error = complaint_with("oblivious_1_2", "/oblivious_trees/0/splits", json!(many));
    assert!(error.contains("leaf values for 80 splits"), "{error}");
}

#[test]
fn a_fault_of_a_non_symmetric_tree_names_file_tree_node_and_reason() {
    for (place, value, expected) in [
        (
            "1/left",
            json!(null),
            "tree 1, node 0: expected a split with left and right",
        ),
        (
            "1/left",
            json!({}),
            "tree 1, node 1: expected a split with left and right",
        ),
        (
            "1/left",
            json!({"value": [1, 2], "weight": 1}),
            "do not all hold as many",
        ),
        (
            "1",
            json!({"value": [], "weight": 1}),
            "tree 1, node 0: its leaves",
        ),
        (
            "1",
            json!({"value": [1, 2], "weight": 1}),
            "tree 1: its leaves hold 2 numbers",
        ),
        (
            "1",
            json!({"value": 1, "weight": -1}),
            "tree 1, node 0: its cover -1",
        ),
        (
            "1/split/float_feature_index",
            json!(77),
            "tree 1, node 0: it tests unknown float",
        ),
    ] {
        let error = complaint_with("lossguide_1_2", &format!("/trees/{place}"), value);
        assert!(error.contains("bad.json"), "{error}");
        assert!(error.contains(expected), "{place}: {error}");
    }
}

#[test]
fn a_tree_nested_deeper_than_any_library_writes_is_refused() {
    let split = r#"{"split_type":"FloatFeature","border":0,"float_feature_index":0}"#;
    let leaf = r#"{"value":1,"weight":1}"#;
    for depth in [200, 200_000] {
        let open = format!(r#"{{"split":{split},"right":{leaf},"left":"#).repeat(depth);
        let model = format!(
            r#"{{"features_info":{{}},"trees":[{open}{leaf}{}]}}"#,
            "}".repeat(depth)
        );
        let error = complaint(model.as_bytes(), "bad.json");
        assert!(error.contains("recursion limit"), "{error}");
    }
}

#[test]
fn a_fault_of_the_whole_model_names_its_place() {
    let info = "/features_info";
    for (name, place, value, expected) in [
        (
            "oblivious_1_2",
            format!("{info}/float_features/2/flat_feature_index"),
            json!(4_000_000_000_u32),
            "flat_feature_index 4000000000",
        ),
        (
            "oblivious_1_2",
            format!("{info}/float_features/2/flat_feature_index"),
            json!(1),
            "flat_feature_index 1: expected each of 0 to 5 once",
        ),
        (
            "oblivious_1_2",
            format!("{info}/float_features/2/feature_index"),
            json!(1),
            "float feature 1 is there twice",
        ),
        (
            "oblivious_1_2",
            format!("{info}/float_features/2/nan_value_treatment"),
            json!("AsNothing"),
            "nan_value_treatment \"AsNothing\"",
        ),
        (
            "oblivious_1_2",
            "/scale_and_bias/1".to_owned(),
            json!([1, 2]),
            "2 biases for 1 outputs",
        ),
        (
            "multiclass_1_2",
            "/scale_and_bias/1".to_owned(),
            json!([1]),
            "1 biases for 3 outputs",
        ),
        (
            "one_hot_1_2",
            format!("{info}/cat_features_hash/0/hash"),
            json!(5_000_000_000_u64),
            "5000000000 does not fit into 32 bits",
        ),
        (
            "lossguide_1_2",
            "/trees".to_owned(),
            json!(7),
            "line 1, column",
        ),
    ] {
        let error = complaint_with(name, &place, value);
        assert!(error.contains("bad.json"), "{error}");
        assert!(error.contains(expected), "{place}: {error}");
    }
}

//! Damaged and hostile files: an error that names the place, never a panic, a hang or a huge
//! allocation.

use crate::support::damage::{changed_bytes, complaint};

fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(super::case(name).model()).unwrap()
}

const SAMPLE: [&str; 6] = [
    "xgboost_4_8",
    "xgboost_vector_4_8",
    "lightgbm_4_8",
    "forest_ragged_4_8",
    "comparisons_float64_4_8",
    "average_of_targets_4_8",
];

/// Where the lists of a file's first tree stand: (name, its length's place, its elements' size).
fn lists(bytes: &[u8]) -> Vec<(&'static str, usize, usize)> {
    let real = if bytes[12] == 2 { 4 } else { 8 };
    let length = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()) as usize;
    let mut at = 14 + 8 + 4 + 1 + 1 + 4;
    let mut found = Vec::new();
    let mut list = |name, at: &mut usize, size: usize| {
        found.push((name, *at, size));
        *at += 8 + size * length(*at);
    };
    for name in ["num_class", "leaf_vector_shape", "target_id", "class_id"] {
        list(name, &mut at, 4);
    }
    list("postprocessor", &mut at, 1);
    at += 8;
    list("base_scores", &mut at, 8);
    list("attributes", &mut at, 1);
    at += 4 + 4 + 1;
    for (name, size) in [
        ("node_type", 1),
        ("cleft", 4),
        ("cright", 4),
        ("split_index", 4),
        ("default_left", 1),
        ("leaf_value", real),
        ("threshold", real),
        ("cmp", 1),
        ("category_list_right_child", 1),
        ("leaf_vector", real),
        ("leaf_vector_begin", 8),
        ("leaf_vector_end", 8),
        ("category_list", 4),
        ("category_list_begin", 8),
        ("category_list_end", 8),
        ("data_count", 8),
        ("data_count_present", 1),
        ("sum_hess", 8),
    ] {
        list(name, &mut at, size);
    }
    found
}

/// The file with element `i` of a list of its first tree, or of its header, replaced.
fn with(name: &str, list: &str, i: usize, element: &[u8]) -> Vec<u8> {
    let mut bytes = bytes(name);
    let all = lists(&bytes);
    let (_, at, size) = all.iter().find(|(name, ..)| *name == list).unwrap();
    assert_eq!(*size, element.len(), "{list}");
    let at = at + 8 + i * size;
    bytes[at..at + size].copy_from_slice(element);
    bytes
}

#[test]
fn a_truncated_file_is_an_error_wherever_it_ends() {
    for name in SAMPLE {
        let bytes = bytes(name);
        for end in 0..bytes.len() {
            complaint(&bytes[..end], "bad.tl");
        }
        let error = complaint(&[&bytes[..], b"\0"].concat(), "bad.tl");
        assert!(error.contains("bytes follow the last tree"), "{error}");
    }
}

#[test]
fn changed_bytes_never_panic_and_what_is_read_can_be_routed() {
    let mut read = 0;
    for (seed, name) in SAMPLE.into_iter().enumerate() {
        read += changed_bytes(&bytes(name), &[0, 1, 2, 3, 0x7f, 0xff], 400, seed as u64);
    }
    assert!((100..2300).contains(&read), "{read} of 2400 read");
}

#[test]
fn a_length_beyond_the_file_is_an_error_and_takes_no_memory() {
    for name in SAMPLE {
        let original = bytes(name);
        for (list, at, size) in lists(&original) {
            for length in [u64::MAX, u64::MAX / size as u64, 1 << 40, 1 << 33] {
                let mut bytes = original.clone();
                bytes[at..at + 8].copy_from_slice(&length.to_le_bytes());
                let error = complaint(&bytes, "bad.tl");
                assert!(error.contains(&format!("{list} is longer")), "{error}");
            }
        }
        // The number of trees, which no list of the file bounds.
        let mut bytes = original;
        bytes[14..22].copy_from_slice(&u64::MAX.to_le_bytes());
        let error = complaint(&bytes, "bad.tl");
        assert!(error.contains("target_id: "), "{error}");
    }
}

#[test]
fn a_fault_names_its_place_and_reason() {
    let i = |number: i32| number.to_le_bytes().to_vec();
    let u = |number: u64| number.to_le_bytes().to_vec();
    let f = |number: f32| number.to_le_bytes().to_vec();
    for (case, list, at, element, expected) in [
        (
            "xgboost_4_8",
            "node_type",
            0,
            vec![3],
            "tree 0, node 0: its kind is 3",
        ),
        (
            "xgboost_4_8",
            "node_type",
            0,
            vec![0],
            "does not fit its kind",
        ),
        ("xgboost_4_8", "cleft", 0, i(-1), "does not fit its kind"),
        (
            "xgboost_4_8",
            "cleft",
            0,
            i(-7),
            "tree 0, node 0: its left child is -7",
        ),
        ("xgboost_4_8", "cright", 0, i(999), "child 999 of a tree"),
        ("xgboost_4_8", "cright", 0, i(0), "its child is the root"),
        (
            "xgboost_4_8",
            "cright",
            0,
            i(1),
            "it is the child of 2 nodes",
        ),
        ("xgboost_4_8", "split_index", 0, i(-1), "its feature is -1"),
        (
            "xgboost_4_8",
            "split_index",
            0,
            i(4),
            "it splits on feature 4",
        ),
        (
            "xgboost_vector_4_8",
            "threshold",
            0,
            f(f32::NAN),
            "its threshold is not a number",
        ),
        (
            "xgboost_vector_4_8",
            "cmp",
            0,
            vec![6],
            "its comparison is 6",
        ),
        (
            "xgboost_vector_4_8",
            "leaf_vector",
            0,
            f(f32::INFINITY),
            "leaf value inf",
        ),
        (
            "xgboost_vector_4_8",
            "leaf_vector_end",
            3,
            u(9),
            "node 3: its leaf vector is",
        ),
        (
            "xgboost_vector_4_8",
            "leaf_vector_begin",
            4,
            u(u64::MAX),
            "its leaf vector is",
        ),
        (
            "xgboost_vector_4_8",
            "sum_hess",
            0,
            (-1.0_f64).to_le_bytes().to_vec(),
            "its cover -1",
        ),
        (
            "xgboost_vector_4_8",
            "target_id",
            0,
            i(2),
            "class 0 of target 2",
        ),
        (
            "xgboost_vector_4_8",
            "target_id",
            0,
            i(0),
            "its leaf holds 2 numbers, expected 1",
        ),
        (
            "xgboost_vector_4_8",
            "class_id",
            0,
            i(-2),
            "target -1, class -2",
        ),
        (
            "xgboost_vector_4_8",
            "num_class",
            0,
            i(0),
            "a target with 0 classes",
        ),
        (
            "xgboost_vector_4_8",
            "num_class",
            0,
            i(i32::MAX),
            "outputs, more than 65536",
        ),
        (
            "xgboost_vector_4_8",
            "num_class",
            1,
            i(3),
            "base_scores: 2 elements, expected 6",
        ),
    ] {
        let error = complaint(&with(case, list, at, &element), "bad.tl");
        assert!(error.starts_with("bad.tl: "), "{error}");
        assert!(error.contains(expected), "{list}: {error}");
    }
}

#[test]
fn category_lists_and_leaf_vectors_cannot_be_multiplied() {
    // Every categorical node has the whole list.
    let mut bytes = bytes("lightgbm_4_8");
    let all = lists(&bytes);
    let find = |list: &str| all.iter().find(|(name, ..)| *name == list).unwrap().1;
    let length = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()) as usize;
    let (nodes, members) = (length(find("node_type")), length(find("category_list")));
    let (kinds, begin, end) = (
        find("node_type") + 8,
        find("category_list_begin") + 8,
        find("category_list_end") + 8,
    );
    let categorical: Vec<usize> = (0..nodes).filter(|&n| bytes[kinds + n] == 2).collect();
    assert!(categorical.len() > 1);
    for n in categorical {
        bytes[begin + 8 * n..][..8].fill(0);
        bytes[end + 8 * n..][..8].copy_from_slice(&(members as u64).to_le_bytes());
    }
    let error = complaint(&bytes, "bad.tl");
    assert!(error.contains("its category list is 0.."), "{error}");
}

#[test]
fn a_category_beyond_what_a_float32_counts_is_refused() {
    let bytes = with(
        "xgboost_4_8",
        "category_list",
        0,
        &(1_u32 << 24).to_le_bytes(),
    );
    let error = complaint(&bytes, "bad.tl");
    assert!(error.contains("category 16777216 in its set"), "{error}");
}

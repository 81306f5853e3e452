//! Drafts as CatBoost writes them, in JSON.

use serde_json::{Value, json};

use super::Library;
use super::draft::{Ask, Average, Draft, Habits, Part, Split, Task, Tree};

pub(super) const CATBOOST: Library = Library {
    name: "catboost",
    first_seed: 200_000,
    habits: Habits {
        members: 1,
        is_vector: Some(true),
        can_be_oblivious: true,
        can_lack_cover: true,
        has_base: true,
        average: Average::Nothing,
    },
    is_f32: true,
    yes,
    write,
};

/// Above the border, or the very category; missing cells are above or below all borders of a column.
fn yes(draft: &Draft, split: &Split, cell: f64) -> bool {
    match &split.ask {
        Ask::Threshold(_) if cell.is_nan() => draft.columns[split.column].missing_yes,
        Ask::Threshold(threshold) => cell as f32 > *threshold as f32,
        Ask::Members(members) => f64::from(members[0]) == cell,
    }
}

fn write(draft: &Draft) -> Vec<u8> {
    let loss = match draft.task {
        Task::Number => "RMSE",
        Task::Binary => "Logloss",
        Task::Classes => "MultiClass",
    };
    let (mut floats, mut categories, mut hashes) = (Vec::new(), Vec::new(), Vec::new());
    for (f, column) in draft.columns.iter().enumerate() {
        if column.categories == 0 {
            let treatment = if column.missing_yes {
                "AsTrue"
            } else {
                "AsFalse"
            };
            floats.push(json!({
                "feature_index": f,
                "flat_feature_index": f,
                "nan_value_treatment": treatment,
            }));
        } else {
            categories.push(json!({"feature_index": f, "flat_feature_index": f}));
        }
    }
    let most = draft.columns.iter().map(|column| column.categories).max();
    for category in 0..most.unwrap_or(0) {
        hashes.push(json!({"hash": hash(category), "value": category.to_string()}));
    }
    let mut model = json!({
        "features_info": {
            "float_features": floats,
            "categorical_features": categories,
            "cat_features_hash": hashes,
        },
        "model_info": {"params": {"loss_function": {"type": loss}}},
        "scale_and_bias": [1, draft.base],
    });
    let trees = draft.trees.iter();
    if draft.is_oblivious {
        let trees: Vec<Value> = trees.map(|tree| oblivious(tree, draft.has_cover)).collect();
        model["oblivious_trees"] = json!(trees);
    } else {
        let trees: Vec<Value> = trees.map(|tree| branch(tree, 0, draft.has_cover)).collect();
        model["trees"] = json!(trees);
    }
    serde_json::to_vec(&model).unwrap()
}

/// Any number of 32 bits for each category, written with a sign.
fn hash(category: u32) -> i32 {
    category.wrapping_mul(0x9E37_79B9) as i32
}

fn split(split: &Split) -> Value {
    match &split.ask {
        Ask::Threshold(border) => json!({
            "split_type": "FloatFeature",
            "float_feature_index": split.column,
            "border": border,
        }),
        Ask::Members(members) => json!({
            "split_type": "OneHotFeature",
            "cat_feature_index": split.column,
            "value": hash(members[0]),
        }),
    }
}

/// The splits from the last level to the root's; the leaves count in the answers, which makes the
/// root's the highest bit.
fn oblivious(tree: &Tree, has_cover: bool) -> Value {
    let mut splits = Vec::new();
    let mut n = 0;
    while let Part::Split(level) = &tree.parts[n] {
        splits.insert(0, split(level));
        n = level.next[0];
    }
    let leaves = tree.leaves(0);
    let values: Vec<f64> = leaves
        .iter()
        .flat_map(|(values, _)| values.to_vec())
        .collect();
    let mut json = json!({"splits": splits, "leaf_values": values});
    if has_cover {
        let weights: Vec<u32> = leaves.iter().map(|(_, cover)| *cover).collect();
        json["leaf_weights"] = json!(weights);
    }
    json
}

fn branch(tree: &Tree, n: usize, has_cover: bool) -> Value {
    match &tree.parts[n] {
        Part::Split(it) => json!({
            "split": split(it),
            "left": branch(tree, it.next[0], has_cover),
            "right": branch(tree, it.next[1], has_cover),
        }),
        Part::Leaf { values, cover } => {
            let mut leaf = match &values[..] {
                [value] => json!({"value": value}),
                values => json!({"value": values}),
            };
            if has_cover {
                leaf["weight"] = json!(cover);
            }
            leaf
        }
    }
}

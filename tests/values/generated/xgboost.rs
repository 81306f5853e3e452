//! Drafts as XGBoost writes them, in JSON.

use std::fmt::Display;

use serde_json::json;

use super::Library;
use super::draft::{Ask, Average, Draft, Habits, Part, Split, Task, Tree};

pub(super) const XGBOOST: Library = Library {
    name: "xgboost",
    first_seed: 0,
    habits: Habits {
        members: 1000,
        is_vector: Some(false),
        can_be_oblivious: false,
        can_lack_cover: false,
        has_base: true,
        average: Average::Nothing,
    },
    is_f32: true,
    yes,
    write,
};

/// Stands for the trees, which are written as text: ten thousand take long as `Value`s.
const TREES: &str = "the trees";

/// Below the threshold, or in the set, which does without fractions.
fn yes(_: &Draft, split: &Split, cell: f64) -> bool {
    if cell.is_nan() {
        return split.missing_yes;
    }
    let cell = cell as f32;
    match &split.ask {
        Ask::Threshold(threshold) => cell < *threshold as f32,
        Ask::Members(members) => cell >= 0.0 && members.iter().any(|&m| m as f32 == cell.floor()),
    }
}

fn write(draft: &Draft) -> Vec<u8> {
    let (objective, classes, score) = match draft.task {
        Task::Number => ("reg:squarederror", 0, format!("{:?}", draft.base)),
        Task::Binary => ("binary:logistic", 0, "5E-1".to_owned()),
        Task::Classes => ("multi:softprob", draft.outputs, format!("{:?}", draft.base)),
    };
    let count = draft.trees.len();
    let groups: Vec<usize> = (0..count).map(|t| t % draft.outputs).collect();
    let starts: Vec<usize> = (0..=count).step_by(draft.outputs).collect();
    let model = json!({
        "learner": {
            "feature_names": [],
            "feature_types": [],
            "learner_model_param": {
                "base_score": score,
                "num_class": classes.to_string(),
                "num_feature": draft.columns.len().to_string(),
                "num_target": "1",
            },
            "objective": {"name": objective},
            "gradient_booster": {
                "name": "gbtree",
                "model": {
                    "gbtree_model_param": {
                        "num_parallel_tree": "1",
                        "num_trees": count.to_string(),
                    },
                    "iteration_indptr": starts,
                    "tree_info": groups,
                    "trees": [TREES],
                },
            },
        },
        "version": [3, 4, 1],
    });
    let trees: Vec<String> = (draft.trees.iter().enumerate())
        .map(|(t, it)| tree(t, it))
        .collect();
    let model = serde_json::to_string(&model).unwrap();
    let place = format!("\"{TREES}\"");
    model.replace(&place, &trees.join(",")).into_bytes()
}

/// Members of a set go right, numbers below a threshold left.
fn tree(id: usize, tree: &Tree) -> String {
    let mut lists: [Vec<String>; 7] = Default::default();
    let (mut nodes, mut begins, mut sizes) = (Vec::new(), Vec::new(), Vec::new());
    let mut categories: Vec<u32> = Vec::new();
    for (n, part) in tree.parts.iter().enumerate() {
        let (left, right, column, condition, missing_left, kind) = match part {
            Part::Leaf { values, .. } => (-1, -1, 0, values[0] as f32, false, 0),
            Part::Split(split) => {
                let ([no, yes], missing_yes) = (split.next.map(|n| n as i32), split.missing_yes);
                match &split.ask {
                    Ask::Threshold(threshold) => {
                        (yes, no, split.column, *threshold as f32, missing_yes, 0)
                    }
                    Ask::Members(members) => {
                        nodes.push(n);
                        begins.push(categories.len());
                        sizes.push(members.len());
                        categories.extend(members);
                        (no, yes, split.column, 0.0, !missing_yes, 1)
                    }
                }
            }
        };
        let row: [&dyn Display; 7] = [
            &left,
            &right,
            &column,
            &condition,
            &u8::from(missing_left),
            &kind,
            &tree.cover(n),
        ];
        for (list, cell) in lists.iter_mut().zip(row) {
            list.push(cell.to_string());
        }
    }
    let keys = [
        "left_children",
        "right_children",
        "split_indices",
        "split_conditions",
        "default_left",
        "split_type",
        "sum_hessian",
    ];
    let lists = keys.iter().zip(&lists);
    let lists: Vec<String> = lists
        .map(|(key, list)| format!("\"{key}\":[{}]", list.join(",")))
        .collect();
    let lists = lists.join(",");
    format!(
        "{{{lists},\"id\":{id},\"tree_param\":{{\"num_nodes\":\"{}\",\"size_leaf_vector\":\"1\"}},\
         \"categories\":{categories:?},\"categories_nodes\":{nodes:?},\
         \"categories_segments\":{begins:?},\"categories_sizes\":{sizes:?}}}",
        tree.parts.len()
    )
}

//! Drafts as XGBoost writes them, in JSON.

use serde_json::{Value, json};

use super::Library;
use super::draft::{Ask, Draft, Habits, Part, Split, Task, Tree};

pub(super) const XGBOOST: Library = Library {
    name: "xgboost",
    first_seed: 0,
    habits: Habits {
        members: 1000,
        is_vector: Some(false),
        can_be_oblivious: false,
        can_lack_cover: false,
    },
    is_f32: true,
    yes,
    write,
};

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
        Task::Number => ("reg:squarederror", 0, "0E0"),
        Task::Binary => ("binary:logistic", 0, "5E-1"),
        Task::Classes => ("multi:softprob", draft.outputs, "0E0"),
    };
    let trees = draft.trees.iter().enumerate();
    let trees: Vec<Value> = trees.map(|(t, it)| tree(t, it)).collect();
    let groups: Vec<usize> = (0..trees.len()).map(|t| t % draft.outputs).collect();
    let starts: Vec<usize> = (0..=trees.len()).step_by(draft.outputs).collect();
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
                        "num_trees": trees.len().to_string(),
                    },
                    "iteration_indptr": starts,
                    "tree_info": groups,
                    "trees": trees,
                },
            },
        },
        "version": [3, 4, 1],
    });
    serde_json::to_vec(&model).unwrap()
}

/// Members of a set go right, numbers below a threshold left.
pub(super) fn tree(id: usize, tree: &Tree) -> Value {
    let mut lists = vec![Vec::new(); 6];
    let mut covers = Vec::new();
    let (mut nodes, mut begins, mut sizes) = (Vec::new(), Vec::new(), Vec::new());
    let mut categories: Vec<u32> = Vec::new();
    for (n, part) in tree.parts.iter().enumerate() {
        covers.push(json!(tree.cover(n)));
        let row = match part {
            Part::Leaf { values, .. } => [
                json!(-1),
                json!(-1),
                json!(0),
                json!(values[0]),
                json!(0),
                json!(0),
            ],
            Part::Split(split) => {
                let ([no, yes], missing_yes) = (split.next, split.missing_yes);
                let (left, right, condition, missing_left, kind) = match &split.ask {
                    Ask::Threshold(threshold) => (yes, no, *threshold as f32, missing_yes, 0),
                    Ask::Members(members) => {
                        nodes.push(n);
                        begins.push(categories.len());
                        sizes.push(members.len());
                        categories.extend(members);
                        (no, yes, 0.0, !missing_yes, 1)
                    }
                };
                [
                    json!(left),
                    json!(right),
                    json!(split.column),
                    json!(condition),
                    json!(u8::from(missing_left)),
                    json!(kind),
                ]
            }
        };
        for (list, cell) in lists.iter_mut().zip(row) {
            list.push(cell);
        }
    }
    let [left, right, indices, conditions, default_left, kinds] = &lists[..] else {
        unreachable!()
    };
    json!({
        "id": id,
        "tree_param": {"num_nodes": tree.parts.len().to_string(), "size_leaf_vector": "1"},
        "left_children": left,
        "right_children": right,
        "split_indices": indices,
        "split_conditions": conditions,
        "default_left": default_left,
        "split_type": kinds,
        "sum_hessian": covers,
        "categories": categories,
        "categories_nodes": nodes,
        "categories_segments": begins,
        "categories_sizes": sizes,
    })
}

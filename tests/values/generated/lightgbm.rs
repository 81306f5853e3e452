//! Drafts as LightGBM writes them, in text.

use std::fmt::{Display, Write};

use super::Library;
use super::draft::{Ask, Average, Draft, Habits, Part, Split, Task, Tree};

pub(super) const LIGHTGBM: Library = Library {
    name: "lightgbm",
    first_seed: 100_000,
    habits: Habits {
        members: 1000,
        is_vector: Some(false),
        can_be_oblivious: false,
        can_lack_cover: true,
        has_base: false,
        average: Average::Rounds,
    },
    is_f32: false,
    yes,
    write,
};

/// Cells up to here are zeros.
const ZERO: f64 = 1e-35_f32 as f64;

/// What a split takes for missing: nothing, zeros, or NaN.
fn missing(split: &Split) -> usize {
    split.kind % 3
}

/// At most the threshold, or in the set once the fraction is cut off.
fn yes(_: &Draft, split: &Split, cell: f64) -> bool {
    match &split.ask {
        Ask::Threshold(threshold) => {
            let is_zero = cell.abs() <= ZERO || cell.is_nan() && missing(split) != 2;
            if missing(split) == 1 && is_zero || missing(split) == 2 && cell.is_nan() {
                return split.missing_yes;
            }
            (if is_zero { 0.0 } else { cell }) <= *threshold
        }
        Ask::Members(members) => members.iter().any(|&m| f64::from(m) == cell.trunc()),
    }
}

fn write(draft: &Draft) -> Vec<u8> {
    let objective = match draft.task {
        Task::Number => "regression".to_owned(),
        Task::Binary => "binary sigmoid:2".to_owned(),
        Task::Classes => format!("multiclass num_class:{}", draft.outputs),
    };
    let columns = 0..draft.columns.len();
    let mut text = format!(
        "tree\nversion=v4\nnum_class={0}\nnum_tree_per_iteration={0}\nmax_feature_idx={1}\n\
         objective={objective}\nfeature_names={2}\nfeature_infos={3}\n\n",
        draft.outputs,
        columns.end - 1,
        words(columns.clone().map(|f| format!("Column_{f}"))),
        words(columns.map(|_| "none")),
    );
    if draft.divisor.is_some() {
        text.insert_str("tree\n".len(), "average_output\n");
    }
    for (t, it) in draft.trees.iter().enumerate() {
        writeln!(text, "Tree={t}").unwrap();
        tree(&mut text, it, draft.has_cover);
    }
    text.push_str("end of trees\n");
    text.into_bytes()
}

fn words<T: Display>(list: impl IntoIterator<Item = T>) -> String {
    let list: Vec<String> = list.into_iter().map(|word| word.to_string()).collect();
    list.join(" ")
}

/// Answers of yes go left.
fn tree(text: &mut String, tree: &Tree, has_cover: bool) {
    // Splits have numbers of their own, and leaves, which count down from -1.
    let (mut splits, mut leaves) = (0, 0);
    let numbers = tree.parts.iter().map(|part| match part {
        Part::Split(_) => {
            splits += 1;
            splits - 1
        }
        Part::Leaf { .. } => {
            leaves += 1;
            -leaves
        }
    });
    let numbers: Vec<i32> = numbers.collect();
    let mut lines: [Vec<String>; 6] = Default::default();
    let (mut values, mut counts) = (Vec::new(), Vec::new());
    let (mut starts, mut sets) = (vec![0], Vec::<u32>::new());
    for (n, part) in tree.parts.iter().enumerate() {
        let split = match part {
            Part::Leaf { values: it, cover } => {
                values.push(it[0]);
                counts.push(*cover);
                continue;
            }
            Part::Split(split) => split,
        };
        let missing_left = 2 * usize::from(split.missing_yes);
        let (threshold, kind) = match &split.ask {
            Ask::Threshold(threshold) => (threshold.to_string(), 4 * missing(split) + missing_left),
            Ask::Members(members) => {
                let mut set = vec![0; members[members.len() - 1] as usize / 32 + 1];
                for member in members {
                    set[*member as usize / 32] |= 1 << (member % 32);
                }
                sets.extend(set);
                starts.push(sets.len());
                ((starts.len() - 2).to_string(), 4 * missing(split) + 1)
            }
        };
        let [no, yes] = split.next.map(|next| numbers[next].to_string());
        let count = tree.cover(n).to_string();
        let row = [
            split.column.to_string(),
            threshold,
            kind.to_string(),
            yes,
            no,
            count,
        ];
        for (line, word) in lines.iter_mut().zip(row) {
            line.push(word);
        }
    }
    writeln!(text, "num_leaves={leaves}\nnum_cat={}", starts.len() - 1).unwrap();
    let keys = [
        "split_feature",
        "threshold",
        "decision_type",
        "left_child",
        "right_child",
        "internal_count",
    ];
    for (key, line) in keys.iter().zip(&lines) {
        if has_cover || *key != "internal_count" {
            writeln!(text, "{key}={}", line.join(" ")).unwrap();
        }
    }
    writeln!(text, "leaf_value={}", words(values)).unwrap();
    if has_cover {
        writeln!(text, "leaf_count={}", words(counts)).unwrap();
    }
    if starts.len() > 1 {
        writeln!(text, "cat_boundaries={}", words(starts)).unwrap();
        writeln!(text, "cat_threshold={}", words(sets)).unwrap();
    }
    text.push_str("is_linear=0\nshrinkage=1\n\n\n");
}

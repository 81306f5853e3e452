//! Trees that are compared with a background in other ways than by tables, on a GPU.

use std::path::Path;
use std::sync::Arc;

use ndarray::Array2;
use whylight::data::Cells;
use whylight::explain::ValueFunction;
use whylight::model::{self, Model};
use whylight::{Explainer, Explanation, Options, Table};

use super::on_gpu;
use crate::values::agreement::{ENGINES, reference, worst};
use crate::values::stable::{assert_same_bits, repeated, stream};
use crate::values::subject::{LIBRARIES, options, subject, subjects};

/// How far values may be from the CPU's where they are much smaller than the leaves, in units of
/// `1 + Σ|leaf|`.
const ROUNDING: f64 = 3e-7;

fn explainer(model: &Arc<Model>, background: &Table, options: &Options) -> Explainer {
    let options = Options {
        value_function: ValueFunction::Interventional,
        ..options.clone()
    };
    Explainer::new(model.clone(), Some(background), options).unwrap()
}

pub(super) fn trees(explanation: &Explanation, engine: &str) -> usize {
    let engines = explanation.trailer.engines.iter();
    let of = |(name, trees): &(String, usize)| (name == engine).then_some(*trees);
    engines.into_iter().find_map(of).unwrap_or_default()
}

/// Rows that float32 cannot hold are compared by their ranks, and rows that it can as they are; the
/// background is as it is, for all rows.
#[test]
fn rows_and_background_of_either_precision_are_compared_as_the_model_does() {
    let Some(on_gpu) = on_gpu() else { return };
    let (mut checked, mut walked, mut beyond, mut largest) = (0, 0, 0, 0.0_f64);
    for mut subject in LIBRARIES.into_iter().flat_map(subjects) {
        if !subject.is_wide() || !matches!(subject.table.cells, Cells::F64(_)) {
            continue;
        }
        // One background row is too few for tables of any but the smallest trees.
        let wide = subject.table.clone();
        subject = subject.rounded();
        let narrow = subject.table.clone();
        for (rows, background) in [(&wide, &narrow), (&narrow, &wide), (&wide, &wide)] {
            let background = background.slice(3..4).unwrap();
            let explain = |options: &Options| {
                let explainer = explainer(&subject.model, &background, options);
                explainer.explain(rows).unwrap()
            };
            let (got, expected) = (explain(&on_gpu), explain(&options()));
            let from = worst(&subject, &got.values, &reference(&expected.values));
            // Against a single row, the trees of a forest can cancel.
            assert!(
                from.by_values <= ENGINES || from.by_leaves <= ROUNDING,
                "{}: {from:?}",
                subject.case.name
            );
            largest = largest.max(from.by_leaves);
            beyond += usize::from(from.by_values > ENGINES);
            assert_eq!(trees(&got, "pairs_on_cpu"), 0, "{}", subject.case.name);
            walked += trees(&got, "pairs");
        }
        checked += 1;
    }
    eprintln!("largest difference: {largest:.1e} of the leaves; {beyond} cancel");
    assert!(beyond < 3 * checked / 10, "{beyond} of {checked} cases");
    assert!(checked > 20, "only {checked} cases");
    assert!(walked > 500, "only {walked} trees");
}

#[test]
fn batches_change_no_bit() {
    let Some(on_gpu) = on_gpu() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut subject = subject("xgboost", "deep_3_2");
    let path = repeated(&mut subject, 1777, folder.path());
    let limited = Options {
        memory_limit: Some(100_000),
        ..on_gpu.clone()
    };
    for (engine, count) in [("pairs", 2), ("leaves", 40)] {
        let background = subject.table.slice(0..count).unwrap();
        let explainer = |options| explainer(&subject.model, &background, options);
        let got = explainer(&on_gpu).explain(&subject.table).unwrap();
        assert!(trees(&got, engine) > 0, "{:?}", got.trailer.engines);
        let (whole, _) = stream(&explainer(&on_gpu), &path);
        let (parts, blocks) = stream(&explainer(&limited), &path);
        assert!(blocks > 3, "{blocks} blocks");
        assert_same_bits(engine, &whole, &parts);
    }
}

/// A LightGBM regression of two trees: a path over all features, and one over some of them.
pub(super) fn paths(features: usize, some: usize) -> Arc<Model> {
    let names: Vec<String> = (0..features).map(|f| format!("x{f}")).collect();
    let mut text = format!(
        "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nmax_feature_idx={}\n\
         feature_names={}\nfeature_infos={}\n\n",
        features - 1,
        names.join(" "),
        vec!["none"; features].join(" ")
    );
    for (t, splits) in [features, some].into_iter().enumerate() {
        let each = |of: &dyn Fn(usize) -> i64, count: usize| {
            let cells: Vec<String> = (0..count).map(|i| of(i).to_string()).collect();
            cells.join(" ")
        };
        let next = |i: usize| {
            if i + 1 < splits {
                i as i64 + 1
            } else {
                -(i as i64) - 2
            }
        };
        let lines = [
            format!("Tree={t}\nnum_leaves={}\nnum_cat=0", splits + 1),
            format!("split_feature={}", each(&|i| i as i64, splits)),
            format!("threshold={}", each(&|_| 0, splits)),
            format!("decision_type={}", each(&|_| 8, splits)),
            format!("left_child={}", each(&|i| -(i as i64) - 1, splits)),
            format!("right_child={}", each(&next, splits)),
            format!("leaf_value={}", each(&|i| (i as i64 * 7) % 11, splits + 1)),
            format!("leaf_count={}", each(&|_| 10, splits + 1)),
            format!(
                "internal_count={}",
                each(&|i| 10 * (splits - i) as i64 + 10, splits)
            ),
            "shrinkage=1\n\n\n".to_owned(),
        ];
        text += &lines.join("\n");
    }
    text += "end of trees\n";
    Arc::new(model::parse(text.as_bytes(), Path::new("paths")).unwrap())
}

#[test]
fn trees_of_too_long_paths_are_walked_by_the_cpu_within_the_call() {
    let Some(on_gpu) = on_gpu() else { return };
    let model = paths(70, 40);
    let table = |rows: usize, seed: usize| {
        let cell = |(row, f): (usize, usize)| {
            let is_below = (row * 31 + f * 17 + seed).is_multiple_of(19);
            if is_below { -1.0 } else { 1.0 }
        };
        Table::new(None, Cells::F64(Array2::from_shape_fn((rows, 70), cell))).unwrap()
    };
    let (background, table) = (table(9, 4), table(30, 0));
    let got = explainer(&model, &background, &on_gpu).explain(&table);
    let expected = explainer(&model, &background, &options()).explain(&table);
    let (got, expected) = (got.unwrap(), expected.unwrap());
    let notes = got.trailer.notes.join("; ");
    assert!(
        notes.contains("1 trees are too deep for the GPU"),
        "{notes}"
    );
    assert_eq!(trees(&got, "pairs"), 1);
    assert_eq!(trees(&got, "pairs_on_cpu"), 1);
    let rows = got.values.outer_iter().zip(expected.values.outer_iter());
    for (row, (got, expected)) in rows.enumerate() {
        let scale = expected
            .iter()
            .fold(1e-3_f32, |scale, v| scale.max(v.abs()));
        for (a, b) in got.iter().zip(expected) {
            assert!((a - b).abs() <= 1e-5 * scale, "row {row}: {a}, {b}");
        }
    }
    assert!(expected.values.iter().any(|&value| value.abs() > 0.1));
}

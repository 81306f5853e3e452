//! Small, empty and unfit things.

use std::path::Path;
use std::sync::Arc;

use ndarray::{Array2, array};
use whylight::data::{Cells, View};
use whylight::model::{self, Model, Node};
use whylight::{Error, Explainer, Table};

use super::subject::{AMOUNTS, Amount, Subject, explain, options, subject, together};
use crate::onnx::game;

fn matrix(cells: Array2<f64>) -> Table {
    Table::new(None, Cells::F64(cells)).unwrap()
}

/// A LightGBM regression: each tree is a chain of splits of column 0, `x <= t` going to leaf i.
fn chain(trees: &[(&[f64], &[f64])]) -> Model {
    let mut text = "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nmax_feature_idx=1\n\
                    feature_names=a b\nfeature_infos=none none\n\n"
        .to_owned();
    for (t, (thresholds, values)) in trees.iter().enumerate() {
        let splits = thresholds.len();
        assert_eq!(values.len(), splits + 1);
        let list = |cells: Vec<String>| cells.join(" ");
        let each = |f: &dyn Fn(usize) -> String| list((0..splits).map(f).collect());
        let lines = [
            format!("Tree={t}\nnum_leaves={}\nnum_cat=0", splits + 1),
            format!("split_feature={}", each(&|_| "0".to_owned())),
            format!("threshold={}", each(&|i| format!("{:?}", thresholds[i]))),
            format!("decision_type={}", each(&|_| "8".to_owned())),
            format!("left_child={}", each(&|i| format!("-{}", i + 1))),
            format!(
                "right_child={}",
                each(&|i| if i + 1 < splits {
                    (i + 1).to_string()
                } else {
                    format!("-{}", splits + 1)
                })
            ),
            format!(
                "leaf_value={}",
                list(values.iter().map(f64::to_string).collect())
            ),
            format!("leaf_count={}", list(vec!["10".to_owned(); splits + 1])),
            format!(
                "internal_count={}",
                each(&|i| (10 * (splits + 1 - i)).to_string())
            ),
            "shrinkage=1\n\n\n".to_owned(),
        ];
        text += &lines.join("\n");
    }
    text += "end of trees\n";
    model::parse(text.as_bytes(), Path::new("chain")).unwrap()
}

#[test]
fn thresholds_that_are_one_in_float32_are_two_in_float64() {
    let at = 1.6e9;
    let bits = |x: f64| (x as f32).to_bits();
    assert_eq!(bits(at + 10.0), bits(at + 20.0));
    let model = chain(&[
        (&[at + 10.0, at + 20.0], &[1.0, -2.0, 4.0]),
        (&[at + 10.0, at + 30.0, at + 20.0], &[0.5, 8.0, 0.25, -3.0]),
        (&[at], &[16.0, -1.0]),
        (&[at + 10.0_f64], &[32.0, -1.0]),
    ]);
    let cells: Vec<f64> = [
        0.0, 9.0, 10.0, 10.5, 11.0, 19.0, 20.0, 21.0, 30.0, 31.0, 64.0, 128.0,
    ]
    .iter()
    .flat_map(|x| [at + x, 0.0])
    .chain([at.next_up(), 1.0, (at + 10.0).next_up(), 1.0, f64::NAN, 1.0])
    .collect();
    let table = matrix(Array2::from_shape_vec((cells.len() / 2, 2), cells).unwrap());
    let Model::Trees(trees) = model.clone() else {
        panic!("not trees");
    };
    let explainer = Explainer::new(Arc::new(model), None, options()).unwrap();
    let Cells::F64(cells) = &table.cells else {
        panic!("not float64");
    };
    for amount in AMOUNTS {
        let values = together(&explain(&explainer, &table, amount));
        for (i, values) in values.outer_iter().enumerate() {
            let row = cells.row(i % cells.nrows()).to_vec();
            let expected = game::path_dependent(&trees, &row);
            for (f, expected) in expected[..2].iter().enumerate() {
                let value = f64::from(values[[f, 0]]);
                assert!(
                    (value - expected).abs() <= 1e-5 * expected.abs().max(1.0),
                    "{amount:?}, {row:?}, feature {f}: {value} is not {expected}"
                );
            }
        }
    }
}

#[test]
fn equal_cells_in_float32_that_lie_on_both_sides_of_a_threshold_keep_their_sides() {
    let threshold = 1.6e9 + 10.0;
    let model = Arc::new(chain(&[(&[threshold], &[-1.0, 1.0])]));
    let explainer = Explainer::new(model, None, options()).unwrap();
    for rows in [2, 20, 2000] {
        let cells = Array2::from_shape_fn((rows, 2), |(i, f)| match (f, i % 2) {
            (0, 0) => threshold,
            (0, _) => threshold.next_up(),
            _ => 0.0,
        });
        let values = explainer.explain(&matrix(cells)).unwrap().values;
        for (i, values) in values.outer_iter().enumerate() {
            let expected = if i % 2 == 0 { -1.0_f32 } else { 1.0 };
            let bits = values[[0, 0]].to_bits();
            assert_eq!(bits, expected.to_bits(), "row {i} of {rows}");
        }
    }
}

/// All values are zero and the base value is the margin.
fn explains_nothing(subject: &Subject) {
    let explainer = subject.explainer(options());
    for amount in AMOUNTS {
        for part in explain(&explainer, &subject.table, amount) {
            assert!(part.values.iter().all(|&value| value == 0.0));
            let margin = subject.trees.margin(subject.rows.row(0));
            for (base, margin) in part.header.base_values.iter().zip(margin) {
                assert!((base - margin).abs() <= 1e-15 * margin.abs());
            }
            assert!(part.trailer.additivity_error <= 1e-15);
        }
    }
}

#[test]
fn a_model_without_trees_explains_with_its_base_margin() {
    let subject = subject("xgboost", "zero_trees_3_4");
    assert!(subject.trees.trees.is_empty());
    explains_nothing(&subject);
}

#[test]
fn trees_of_a_single_leaf_belong_to_the_base_value() {
    for (library, name) in [
        ("xgboost", "single_leaf_1_0"),
        ("xgboost", "vector_single_leaf_3_4"),
        ("lightgbm", "constant_4_7"),
        ("catboost", "constant_1_2"),
    ] {
        explains_nothing(&subject(library, name));
    }
}

#[test]
fn branches_without_cover_have_the_librarys_values() {
    // XGBoost gives a branch without cover the weight 1e-12, and half where the parent has none.
    let subject = subject("xgboost", "zero_covers_3_4");
    let native = subject.native().unwrap();
    let explainer = subject.explainer(options());
    for amount in AMOUNTS {
        let values = together(&explain(&explainer, &subject.table, amount));
        for (i, values) in values.outer_iter().enumerate() {
            let native = native.row(i % native.shape[0]);
            for (f, native) in native[..values.nrows()].iter().enumerate() {
                let off = (f64::from(values[[f, 0]]) - native).abs();
                assert!(off <= 3e-6, "{amount:?}, row {i}, feature {f}: {off}");
            }
        }
    }
}

#[test]
fn a_table_of_other_columns_is_refused() {
    let subject = subject("lightgbm", "regression_nan_4_7");
    let explainer = subject.explainer(options());
    let features = subject.trees.features.len();
    for columns in [0, 1, features - 1, features + 1] {
        let error = explainer
            .explain(&matrix(Array2::zeros((3, columns))))
            .unwrap_err();
        assert!(matches!(error, Error::Shape { .. }), "{error}");
        assert!(error.to_string().contains(&features.to_string()), "{error}");
    }
}

#[test]
fn a_table_without_rows_is_refused() {
    let subject = subject("xgboost", "binary_3_4");
    let explainer = subject.explainer(options());
    let empty = matrix(Array2::zeros((0, subject.trees.features.len())));
    let error = explainer.explain(&empty).unwrap_err();
    assert!(matches!(error, Error::Data { .. }), "{error}");
    assert!(error.to_string().contains("no rows"), "{error}");
}

#[test]
fn a_model_without_covers_needs_a_background_that_fits() {
    let subject = subject("onnx", "forest_reg");
    let explainer = |background: Option<&Table>| {
        Explainer::new(subject.model.clone(), background, options()).map(|_| ())
    };
    let error = explainer(None).unwrap_err();
    assert!(
        matches!(
            error,
            Error::Parameter {
                name: "background",
                ..
            }
        ),
        "{error}"
    );
    let error = explainer(Some(&matrix(array![[1.0, 2.0]]))).unwrap_err();
    assert!(matches!(error, Error::Shape { .. }), "{error}");
    let empty = matrix(Array2::zeros((0, subject.trees.features.len())));
    let error = explainer(Some(&empty)).unwrap_err();
    assert!(error.to_string().contains("background"), "{error}");
    assert!(error.to_string().contains("no rows"), "{error}");
    explainer(subject.background.as_ref()).unwrap();
}

#[test]
fn a_result_names_the_background_by_rows_and_hash() {
    let subject = subject("onnx", "forest_reg");
    let cover = |background: &Table| {
        let explainer = Explainer::new(subject.model.clone(), Some(background), options());
        explainer.unwrap().header().cover.clone()
    };
    let whole = subject.background.clone().unwrap();
    let first = cover(&whole);
    let rows = format!("background of {} rows, hash ", whole.rows());
    let hash = first.strip_prefix(&rows).unwrap();
    assert!(
        hash.len() == 16 && u64::from_str_radix(hash, 16).is_ok(),
        "{first}"
    );
    assert_eq!(first, cover(&whole));
    let mut other = whole.clone();
    match &mut other.cells {
        Cells::F32(cells) => cells[[0, 0]] += 1.0,
        Cells::F64(cells) => cells[[0, 0]] += 1.0,
        Cells::Columns(_) => panic!("not a matrix"),
    }
    assert_ne!(first, cover(&other));
}

#[test]
fn values_beyond_float32_are_refused_before_they_are_computed() {
    for leaf in [1e31, 1e39, 1e308] {
        let model = chain(&[(&[0.5], &[-leaf, leaf]), (&[0.7], &[-leaf, leaf])]);
        let error = Explainer::new(Arc::new(model), None, options()).unwrap_err();
        assert!(matches!(error, Error::Unsupported { .. }), "{error}");
        assert!(error.to_string().contains("scaled down"), "{error}");
    }
    let model = chain(&[(&[0.5], &[-1e29, 1e29])]);
    let explainer = Explainer::new(Arc::new(model), None, options()).unwrap();
    let values = explainer.explain(&matrix(array![[1.0, 0.0]])).unwrap();
    assert!((f64::from(values.values[[0, 0, 0]]) - 1e29).abs() < 1e23);
}

#[test]
fn covers_that_grow_downward_beyond_all_bounds_are_refused() {
    let mut model = chain(&[(&[0.5, 0.7], &[1.0, 2.0, 3.0])]);
    let Model::Trees(trees) = &mut model else {
        panic!("not trees");
    };
    for node in &mut trees.trees[0].nodes {
        match node {
            Node::Leaf { cover, .. } => *cover = 1e300,
            Node::Split(split) => split.cover = 1e-300,
        }
    }
    let error = Explainer::new(Arc::new(model), None, options()).unwrap_err();
    assert!(
        error.to_string().contains("covers of their paths"),
        "{error}"
    );
}

#[test]
fn amounts_of_rows_take_other_engines() {
    let subject = subject("lightgbm", "deep_4_7");
    let explainer = subject.explainer(options());
    let engines = AMOUNTS.map(|amount: Amount| {
        let parts = explain(&explainer, &subject.table, amount);
        parts[0].trailer.engines.clone()
    });
    assert!(
        engines[0] != engines[1] && engines[0] != engines[2],
        "{engines:?}"
    );
}

#[test]
fn more_threads_than_can_be_had_are_an_error() {
    let subject = subject("xgboost", "softprob_3_4");
    let mut options = options();
    options.threads = 1_000_000_000;
    let error = Explainer::new(subject.model.clone(), None, options).unwrap_err();
    assert!(
        matches!(&error, Error::Parameter { name: "threads", got, .. } if got == "1000000000"),
        "{error}"
    );
}

/// What `SciPy`'s rows leave out is missing for XGBoost, and so are NaN cells.
#[test]
fn cells_that_sparse_rows_leave_out_can_be_missing() {
    let subject = subject("xgboost", "binary_3_4");
    let explainer = subject.explainer(options());
    let (rows, columns) = (subject.rows.shape[0], subject.rows.shape[1]);
    let (mut entries, mut indices, mut indptr) = (Vec::new(), Vec::new(), vec![0_i64]);
    for row in 0..rows {
        for (column, &cell) in (0_i32..).zip(subject.rows.row(row)) {
            if !cell.is_nan() {
                entries.push(cell);
                indices.push(column);
            }
        }
        indptr.push(entries.len() as i64);
    }
    assert!(entries.len() + 20 < rows * columns, "few are missing");
    let narrow: Vec<f32> = entries.iter().map(|&cell| cell as f32).collect();
    let expected = explainer.explain(&subject.table).unwrap().values;
    let (indices, indptr) = (&indices[..], &indptr[..]);
    for view in [
        View::csr_f64(&entries, indices, indptr, columns, None),
        View::csr_f32(&narrow, indices, indptr, columns, None),
    ] {
        let view = view.unwrap();
        let explain = |view: &View<'_>| {
            let explanation = explainer.explain_while(view, &mut |_| true).unwrap();
            explanation.unwrap().values
        };
        assert_ne!(explain(&view), expected);
        assert_eq!(explain(&view.with_absent(f64::NAN)), expected);
    }
}

use ndarray::{Array2, ShapeBuilder};
use proptest::prelude::*;

use super::*;
use crate::data::{Cells, Table};
use crate::model::{Categories, Numbers};

fn feature(name: &str) -> Feature {
    Feature {
        name: Some(name.to_owned()),
        categories: None,
    }
}

fn category(name: &str, labels: &[&str], numbers: Numbers) -> Feature {
    let labels = labels.iter().map(|&label| label.to_owned()).collect();
    Feature {
        name: Some(name.to_owned()),
        categories: Some(Categories { labels, numbers }),
    }
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

fn message(result: Result<Encoder>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn columns_are_matched_by_name_when_both_sides_have_names() {
    let features = [feature("a"), feature("mean_radius"), feature("c d")];
    let table = names(&["c d", "a", "mean radius"]);
    let encoder = Encoder::new(&features, Some(&table), 3).unwrap();
    assert!(encoder.is_named());
    assert_eq!(encoder.order(), [1, 2, 0]);
}

#[test]
fn columns_are_matched_by_position_when_a_feature_has_no_name() {
    let features = [feature("a"), Feature::default()];
    let table = names(&["b", "a"]);
    let encoder = Encoder::new(&features, Some(&table), 2).unwrap();
    assert!(!encoder.is_named());
    assert_eq!(encoder.order(), [0, 1]);
    assert!(!Encoder::new(&[feature("a")], None, 1).unwrap().is_named());
}

#[test]
fn a_name_that_two_spaced_columns_fit_is_missing() {
    let table = names(&["a b", "a\tb"]);
    assert!(Encoder::new(&[feature("a_b")], Some(&table), 2).is_err());
}

#[test]
fn a_mismatch_lists_the_missing_the_extra_and_the_near() {
    let features = [feature("age"), feature("income"), feature("zip")];
    let table = |list: &[&str]| {
        let list = names(list);
        message(Encoder::new(&features, Some(&list), list.len()))
    };
    insta::assert_snapshot!(
        table(&["Age", "income", "zip", "id"]),
        @r#"the table's columns: expected the model's 3 features by name, got 4 columns; missing: "age"; not in the model: "Age", "id"; did you mean to rename "Age" to "age"?"#
    );
    insta::assert_snapshot!(
        table(&["age", "income", "zip", "id"]),
        @r#"the table's columns: expected the model's 3 features by name, got 4 columns; not in the model: "id"; leave out what is not in the model (in the command, --drop NAME)"#
    );
    insta::assert_snapshot!(
        table(&["age", "income"]),
        @r#"the table's columns: expected the model's 3 features by name, got 2 columns; missing: "zip"; add what is missing under the model's names"#
    );
    insta::assert_snapshot!(
        message(Encoder::new(&features, None, 4)),
        @"the table's columns: expected the model's 3 features by position, because the table has no column names, got 4; leave out those that are no features, such as the target (in the command, --drop)"
    );
    let unnamed = [Feature::default(), Feature::default()];
    insta::assert_snapshot!(
        message(Encoder::new(&unnamed, Some(&names(&["a"])), 1)),
        @"the table's columns: expected the model's 2 features by position, because the model has no feature names, got 1; add the columns that are missing, in the order that the model was trained on"
    );
    let many: Vec<String> = (0..30).map(|column| format!("column {column}")).collect();
    insta::assert_snapshot!(
        message(Encoder::new(&features, Some(&many), 30)),
        @r#"the table's columns: expected the model's 3 features by name, got 30 columns; missing: "age", "income", "zip"; not in the model: "column 0", "column 1", "column 2", "column 3", "column 4", "column 5", "column 6", "column 7", "column 8", "column 9" and 20 more; add what is missing under the model's names"#
    );
}

#[test]
fn labels_become_the_models_category_numbers() {
    let features = [
        category("colour", &["red", "green"], Numbers::Codes),
        category("size", &["10", "2.5", "big", "-3", "007"], Numbers::Labels),
    ];
    let table = Table::new(
        None,
        Cells::Columns(vec![
            Column::Labels {
                codes: vec![0, 1, -1, 2, 0],
                labels: names(&["green", "red", "blue"]),
            },
            Column::F64(vec![10.0, 2.5, f64::NAN, -3.0, 7.0]),
        ]),
    )
    .unwrap();
    let encoder = Encoder::new(&features, None, 2).unwrap();
    let batch = encoder.batch(&table).unwrap();
    let mut out = [0.0; 10];
    batch.fill(0..5, &mut out).unwrap();
    assert_eq!(out[..2], [1.0, 0.0]);
    assert!(out[2].is_nan());
    assert_eq!(out[3..7], [-1.0, 1.0, 0.0, 1.0]);
    assert!(out[7].is_nan());
    assert_eq!(out[8..], [3.0, -1.0]);
    assert!(batch.is_f32(0) && batch.is_f32(1) && batch.exact_f32());
}

#[test]
fn labels_that_are_numbers_match_by_value_where_the_model_says_so() {
    let labels = ["10", "2.5", "big"];
    for (numbers, expected) in [
        (Numbers::Values, [0.0, 0.0, 1.0, 2.0, -1.0, 1.0]),
        (Numbers::Labels, [0.0, -1.0, -1.0, 2.0, -1.0, 1.0]),
    ] {
        let features = [category("size", &labels, numbers)];
        let found = names(&["10", "10.0", "2.50", "big", "Big", "2.5"]);
        let column = Column::Labels {
            codes: (0..6).collect(),
            labels: found,
        };
        let table = Table::new(None, Cells::Columns(vec![column])).unwrap();
        let encoder = Encoder::new(&features, None, 1).unwrap();
        let mut out = [0.0; 6];
        encoder.batch(&table).unwrap().fill(0..6, &mut out).unwrap();
        assert_eq!(out, expected, "{numbers:?}");
    }
}

#[test]
fn numbers_of_a_matrix_are_labels_where_the_model_says_so() {
    let features = [
        feature("a"),
        category("b", &["16777217", "0"], Numbers::Labels),
        category("c", &["x", "y"], Numbers::Codes),
    ];
    let cells = Array2::from_shape_vec((2, 3), vec![0.1, 16_777_217.0, 1.0, 0.5, -0.0, 7.0]);
    let table = Table::new(None, Cells::F64(cells.unwrap())).unwrap();
    let encoder = Encoder::new(&features, None, 3).unwrap();
    let batch = encoder.batch(&table).unwrap();
    let mut out = [0.0; 6];
    batch.fill_f32(0..2, &mut out).unwrap();
    assert_eq!(
        out.map(f64::from).to_vec(),
        [f64::from(0.1f32), 0.5, 0.0, 1.0, 1.0, 7.0]
    );
    assert!(!batch.exact_f32(), "0.1 is no float32");
}

#[test]
fn strings_for_a_feature_without_labels_name_the_column() {
    let column = Column::Labels {
        codes: vec![-1, 0],
        labels: names(&["tall"]),
    };
    let table = Table::new(Some(names(&["height"])), Cells::Columns(vec![column])).unwrap();
    let features = [feature("height")];
    let encoder = Encoder::new(&features, table.names.as_deref(), 1).unwrap();
    insta::assert_snapshot!(
        encoder.batch(&table).unwrap_err(),
        @r#"<memory>: at column "height": the column holds strings, such as "tall" in its row 2, but the model has no category labels for it; write them as the numbers that the model was trained on"#
    );
}

#[test]
fn a_batch_refuses_rows_features_and_spaces_that_do_not_fit() {
    let table = Table::new(None, Cells::F32(Array2::zeros((3, 2)))).unwrap();
    let features = [Feature::default(), Feature::default()];
    let encoder = Encoder::new(&features, None, 2).unwrap();
    let batch = encoder.batch(&table).unwrap();
    let mut out = [0.0; 6];
    assert!(batch.fill(0..3, &mut out).is_ok());
    assert!(batch.fill(0..0, &mut out[..0]).is_ok());
    assert!(batch.fill(1..4, &mut out).is_err());
    assert!(batch.fill(0..2, &mut out).is_err());
    assert!(batch.column(2, 0..3, &mut out[..3]).is_err());
    assert!(batch.column(1, 0..3, &mut out[..2]).is_err());
    let other = Table::new(None, Cells::F32(Array2::zeros((3, 3)))).unwrap();
    assert!(encoder.batch(&other).is_err());
    let torn = Table {
        names: None,
        cells: Cells::Columns(vec![Column::F32(vec![1.0]), Column::F32(Vec::new())]),
    };
    assert!(encoder.batch(&torn).is_err());
}

proptest! {
    /// Every layout of the same cells fills the same block, whatever the order of the columns.
    #[test]
    fn all_layouts_fill_alike(
        rows in 1usize..40,
        columns in 1usize..21,
        seed in any::<u64>(),
        cut in (0.0f64..1.0, 0.0f64..1.0),
    ) {
        let cell = |r: usize, c: usize| {
            let mixed = seed.wrapping_add((r * 31 + c) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            f64::from((mixed >> 44) as u32) - 1000.5
        };
        let mut order: Vec<usize> = (0..columns).collect();
        order.rotate_left(seed as usize % columns);
        if seed % 3 == 0 {
            order.sort_unstable();
        }
        let features: Vec<Feature> = order.iter().map(|c| feature(&c.to_string())).collect();
        let title: Vec<String> = (0..columns).map(|c| c.to_string()).collect();
        let (begin, end) = ((cut.0 * rows as f64) as usize, (cut.1 * rows as f64) as usize);
        let range = begin.min(end)..begin.max(end) + 1;
        let expected: Vec<f64> = order.iter()
            .flat_map(|&c| range.clone().map(move |r| cell(r, c)))
            .collect();

        let wide = Array2::from_shape_fn((rows, columns), |(r, c)| cell(r, c));
        let tall = Array2::from_shape_fn((rows, columns).f(), |(r, c)| cell(r, c));
        let mut turned = wide.clone();
        turned.invert_axis(ndarray::Axis(0));
        let mut flipped = Array2::zeros((rows, columns));
        flipped.assign(&turned);
        flipped.invert_axis(ndarray::Axis(0));
        let lists = |c: usize| (0..rows).map(|r| cell(r, c)).collect::<Vec<_>>();
        let layouts = [
            Cells::F32(wide.mapv(|cell| cell as f32)),
            Cells::F32(tall.mapv(|cell| cell as f32)),
            Cells::F64(wide),
            Cells::F64(tall),
            Cells::F64(flipped),
            Cells::Columns((0..columns).map(|c| Column::F64(lists(c))).collect()),
        ];
        let encoder = Encoder::new(&features, Some(&title), columns).unwrap();
        for cells in layouts {
            let table = Table::new(Some(title.clone()), cells).unwrap();
            let batch = encoder.batch(&table).unwrap();
            prop_assert!(batch.exact_f32());
            let mut out = vec![0.0; expected.len()];
            batch.fill(range.clone(), &mut out).unwrap();
            prop_assert_eq!(&out, &expected);
            let mut out = vec![0.0f32; expected.len()];
            batch.fill_f32(range.clone(), &mut out).unwrap();
            let out: Vec<f64> = out.into_iter().map(f64::from).collect();
            prop_assert_eq!(&out, &expected);
            let last = columns - 1;
            let mut out = vec![0.0; range.len()];
            batch.column(last, range.clone(), &mut out).unwrap();
            prop_assert_eq!(&out[..], &expected[last * range.len()..]);
        }
    }
}

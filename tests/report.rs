//! Reports of a small explanation that is written down here.

use ndarray::{Array3, arr2, arr3};
use whylight::Table;
use whylight::data::{Cells, Column};
use whylight::explanation::{Explanation, Header, Sink, Summary, Trailer};
use whylight::report::{self, Waterfall};

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

fn explanation(outputs: &[&str], values: Array3<f32>, data: Option<Table>) -> Explanation {
    Explanation {
        header: Header {
            method: "tree_shap".to_owned(),
            value_function: "path_dependent".to_owned(),
            output: "raw".to_owned(),
            estimator: "exact".to_owned(),
            exact: true,
            index: "shapley".to_owned(),
            interactions: false,
            rules: Vec::new(),
            lime: None,
            tolerance: None,
            fallback: String::new(),
            base_values: vec![0.5; outputs.len()],
            feature_names: names(&["age", "city", "very \"quoted\" name"]),
            columns: names(&["age", "city", "very \"quoted\" name"]),
            groups: Vec::new(),
            output_names: names(outputs),
            model_format: "XGBoost JSON".to_owned(),
            objective: "binary:logistic".to_owned(),
            cover: "model".to_owned(),
            device: "cpu (avx2)".to_owned(),
            device_reason: "no GPU was found".to_owned(),
            seed: 0,
            version: "0.1.0".to_owned(),
        },
        trailer: Trailer {
            rows: values.dim().0 as u64,
            additivity_error: 2.5e-7,
            additivity_rows: 2,
            standard_error: 0.0,
            approximation_error: 0.0,
            engines: vec![("tables".to_owned(), 7), ("quadrature".to_owned(), 3)],
            notes: vec!["a note".to_owned()],
        },
        values,
        standard_errors: None,
        completeness_delta: None,
        recomputed: None,
        intercepts: None,
        local_fit: None,
        picked: None,
        data,
    }
}

/// Two rows; the table has its columns in another order than the features.
fn single() -> Explanation {
    let table = Table::new(
        Some(names(&["city", "very \"quoted\" name", "age"])),
        Cells::Columns(vec![
            Column::Labels {
                codes: vec![1, -1],
                labels: names(&["Bonn", "Köln"]),
            },
            Column::F64(vec![f64::NAN, f64::INFINITY]),
            Column::F32(vec![41.0, 0.1]),
        ]),
    );
    let values = arr3(&[[[1.5], [-0.25], [0.0]], [[-2.0], [0.125], [1e-9]]]);
    explanation(&["output 0"], values, Some(table.unwrap()))
}

fn several() -> Explanation {
    let values = arr3(&[[[1.5, -1.0], [-0.25, 0.5], [0.0, 2.0]]]);
    explanation(&["cat", "dog"], values, None)
}

fn json(explanation: &Explanation) -> String {
    let mut bytes = Vec::new();
    report::json(explanation, &mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn json_has_a_row_per_line_and_null_for_what_is_no_number() {
    insta::assert_snapshot!(json(&single()), @r#"
{
  "method": "tree_shap",
  "value_function": "path_dependent",
  "output": "raw",
  "estimator": "exact",
  "exact": true,
  "model_format": "XGBoost JSON",
  "objective": "binary:logistic",
  "index": "shapley",
  "interactions": false,
  "cover": "model",
  "device": "cpu (avx2)",
  "device_reason": "no GPU was found",
  "engines": {"tables":7,"quadrature":3},
  "seed": 0,
  "version": "0.1.0",
  "notes": ["a note"],
  "additivity_error": 2.5e-7,
  "additivity_rows": 2,
  "standard_error": 0.0,
  "approximation_error": 0.0,
  "output_names": ["output 0"],
  "base_values": [0.5],
  "feature_names": ["age","city","very \"quoted\" name"],
  "groups": {},
  "values": [
    [1.5,-0.25,0.0],
    [-2.0,0.125,1e-9]
  ],
  "data": [
    [41.0,"Köln",null],
    [0.1,null,null]
  ]
}
"#);
}

#[test]
fn json_of_several_outputs_nests_once_more() {
    let result: serde_json::Value = serde_json::from_str(&json(&several())).unwrap();
    insta::assert_snapshot!(result["values"], @"[[[1.5,-1.0],[-0.25,0.5],[0.0,2.0]]]");
    assert!(result["data"].is_null());
}

#[test]
fn columns_are_features_or_outputs_of_features() {
    insta::assert_snapshot!(report::column_names(&single().header).join(" | "), @r#"age | city | very "quoted" name"#);
    insta::assert_snapshot!(report::column_names(&several().header).join(" | "), @r#"cat · age | dog · age | cat · city | dog · city | cat · very "quoted" name | dog · very "quoted" name"#);
}

#[test]
fn the_ranking_is_a_bar_table() {
    let features = names(&[
        "age",
        "income",
        "a name so long that no table has a place for it",
    ]);
    let ranking = [(2, 12.5), (0, 3.0), (1, 0.0)];
    insta::assert_snapshot!(report::ranking(&features, &ranking, 9), @r"
feature                               mean |value|
a name so long that no table has a …        12.500  ████████████████████████████
age                                          3.000  ██████▊
income                                       0.000
");
    insta::assert_snapshot!(report::ranking(&features, &ranking, 1), @r"
feature                               mean |value|
a name so long that no table has a …        12.500  ████████████████████████████
the 2 others together                        3.000  ██████▊
");
    insta::assert_snapshot!(report::ranking(&features, &[(0, 0.0), (1, 0.0)], 9), @r"
feature  mean |value|
age            0.0000
income         0.0000
");
}

#[test]
fn the_waterfall_runs_from_the_base_value_to_the_margin() {
    let explanation = single();
    let waterfall = |row: usize, top: usize| {
        let values = explanation.values.slice(ndarray::s![row, .., 0]).to_vec();
        report::waterfall(
            Waterfall {
                output: "margin",
                base_value: explanation.header.base_values[0],
                values: &values,
                features: &explanation.header.feature_names,
                columns: &explanation.header.columns,
                data: explanation.data.as_ref().map(|table| (table, row)),
            },
            top,
        )
    };
    insta::assert_snapshot!(waterfall(0, 9), @r#"
feature = value               contribution     sum
base value                                  0.5000
age = 41                           +1.5000  2.0000  ████████████████████████████
city = Köln                        -0.2500  1.7500                         ░░░░░
very "quoted" name = missing       +0.0000  1.7500
margin                                      1.7500
"#);
    insta::assert_snapshot!(waterfall(1, 1), @r"
feature = value       contribution      sum
base value                           0.5000
age = 0.1                  -2.0000  -1.5000  ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░
the 2 other features       +0.1250  -1.3750  ██
margin                              -1.3750
");
}

#[test]
fn a_waterfall_of_nothing_is_the_base_value() {
    let row = Waterfall {
        output: "margin",
        base_value: -0.75,
        values: &[0.0, 0.0],
        features: &names(&["a", "b"]),
        columns: &names(&["a", "b"]),
        data: None,
    };
    insta::assert_snapshot!(report::waterfall(row, 5), @r"
feature = value  contribution       sum
base value                     -0.75000
a                    +0.00000  -0.75000
b                    +0.00000  -0.75000
margin                         -0.75000
");
}

#[test]
fn reports_are_80_columns_wide_at_the_most() {
    let features = names(&[&"x".repeat(200), "y"]);
    let label = Table::new(
        None,
        Cells::Columns(vec![
            Column::Labels {
                codes: vec![0],
                labels: vec!["z".repeat(200)],
            },
            Column::F64(vec![-1.234_567_890_123e-200]),
        ]),
    )
    .unwrap();
    for scale in [1e-30_f32, 1e-5, 1.0, 1e8, 1e30] {
        let row = Waterfall {
            output: "margin",
            base_value: f64::from(-scale),
            values: &[-2.5 * scale, 3.7 * scale],
            features: &features,
            columns: &features,
            data: Some((&label, 0)),
        };
        let means = [(0, f64::from(scale)), (1, 1e-3 * f64::from(scale))];
        let text = report::waterfall(row, 5) + &report::ranking(&features, &means, 5);
        for line in text.lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }
}

#[test]
fn a_summary_ranks_like_the_whole_result_and_keeps_the_first_rows() {
    let explanation = explanation(
        &["cat", "dog"],
        Array3::from_shape_fn((5, 3, 2), |(row, feature, output)| {
            (row as f32 - 2.0) * (feature as f32 - 1.3) + output as f32
        }),
        None,
    );
    let mut summary = Summary::new(3);
    summary.begin(&explanation.header).unwrap();
    for rows in [0..2, 2..4, 4..5] {
        let block = explanation.values.slice(ndarray::s![rows, .., ..]);
        summary.block(&block.into()).unwrap();
    }
    summary.end(&explanation.trailer).unwrap();
    assert_eq!(summary.ranking(), explanation.ranking());
    assert_eq!(
        summary.first(),
        explanation.values.slice(ndarray::s![..3, .., ..])
    );
}

#[test]
fn data_without_names_keeps_its_order() {
    let mut explanation = single();
    explanation.data = Some(
        Table::new(
            None,
            Cells::F64(arr2(&[[1.0, 2.0, 3.0], [4.0, 5.0, f64::NAN]])),
        )
        .unwrap(),
    );
    let result: serde_json::Value = serde_json::from_str(&json(&explanation)).unwrap();
    assert_eq!(result["data"].to_string(), "[[1.0,2.0,3.0],[4.0,5.0,null]]");
}

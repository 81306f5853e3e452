//! What the command says when it cannot do what is asked, and the code that it ends with.

use super::Place;

fn explain(place: &Place, options: &str) -> String {
    place.fails(&format!(
        "explain --model model.json --data rows.csv {options}"
    ))
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let place = Place::new();
    insta::assert_snapshot!(place.fails("explain --model absent.json --data rows.csv"), @"1: error: absent.json: No such file or directory (os error 2)");
    insta::assert_snapshot!(place.fails("explain --model model.json --data absent.csv"), @"1: error: absent.csv: No such file or directory (os error 2)");
}

#[test]
fn a_file_that_is_no_model_is_refused() {
    let place = Place::new();
    insta::assert_snapshot!(place.fails("explain --model rows.csv --data rows.csv"), @"1: error: rows.csv: not a usable tree model: at its first bytes: none of the formats known: XGBoost JSON or UBJSON, LightGBM text, CatBoost JSON, ONNX, treelite checkpoint; save the model with its library's own save function");
}

#[test]
fn columns_that_do_not_fit_are_listed() {
    let place = Place::new();
    let renamed = place
        .read("rows.csv")
        .replace("mean radius,", "Mean Radius,");
    place.write("renamed.csv", &renamed);
    insta::assert_snapshot!(place.fails("explain --model model.json --data renamed.csv"), @r#"1: error: renamed.csv: the table's columns: expected the model's 30 features by name, got 30 columns; missing: "mean radius"; not in the model: "Mean Radius"; did you mean to rename "Mean Radius" to "mean radius"?"#);
    let longer: String = place
        .read("rows.csv")
        .lines()
        .map(|line| line.to_owned() + ",1\n")
        .collect();
    place.write("longer.csv", longer.replacen(",1\n", ",target\n", 1));
    insta::assert_snapshot!(place.fails("explain --model model.json --data longer.csv"), @r#"1: error: longer.csv: the table's columns: expected the model's 30 features by name, got 31 columns; not in the model: "target"; leave out what is not in the model (in the command, --drop NAME)"#);
    place.write("short.csv", "1,2,3\n4,5,6\n");
    insta::assert_snapshot!(place.fails("explain --model model.json --data short.csv"), @"1: error: short.csv: the table's columns: expected the model's 30 features by position, because the table has no column names, got 3; add the columns that are missing, in the order that the model was trained on");
}

#[test]
fn a_cell_that_is_no_number_is_named() {
    let place = Place::new();
    place.write(
        "cell.csv",
        place.read("rows.csv").replacen("13.82", "13;82", 1),
    );
    insta::assert_snapshot!(place.fails("explain --model model.json --data cell.csv"), @r#"1: error: cell.csv: at row 1 (line 2), column "mean radius": "13;82" is not a number; a missing value is an empty cell or one of NA, N/A, NaN, nan, null, NULL, None, ?; a column of categories needs a model that has labels for it; leave a column out with --drop "mean radius""#);
}

#[test]
fn a_limit_on_what_json_holds_whole_is_refused() {
    let place = Place::new();
    insta::assert_snapshot!(explain(&place, "--memory-limit 64MiB --out out.json"), @"2: error: memory-limit: a limit for a .json file is not allowed: use .npy, .parquet, .arrow or .csv, which are written as the rows come; .json holds the whole result in memory");
    assert_eq!(place.files(), ["model.json", "rows.csv"]);
}

#[test]
fn a_table_without_rows_is_refused() {
    let place = Place::new();
    let header = place.read("rows.csv").lines().next().unwrap().to_owned();
    place.write("none.csv", header + "\n");
    insta::assert_snapshot!(place.fails("explain --model model.json --data none.csv"), @"1: error: none.csv: at its end: no rows; expected at least one");
    insta::assert_snapshot!(
        place.fails("explain --model model.json --data none.csv --out out.csv"), @"1: error: none.csv: at its end: no rows; expected at least one");
    insta::assert_snapshot!(
        place.fails("bench --model model.json --data none.csv --rows 10 --device cpu"), @"1: error: none.csv: at its end: no rows; expected at least one");
}

#[test]
fn an_output_file_that_cannot_be_is_refused_before_the_work() {
    let place = Place::new();
    insta::assert_snapshot!(explain(&place, "--out out.xlsx"), @"2: error: out: out.xlsx is not allowed: a file that ends in .json (the whole result), .npy (the values), or .parquet, .arrow or .csv (a row per explained row)");
    insta::assert_snapshot!(explain(&place, "--out absent/out.json"), @"1: error: absent/out.json: No such file or directory (os error 2)");
    insta::assert_snapshot!(explain(&place, "--out absent/out.npy"), @"1: error: absent/out.npy: No such file or directory (os error 2)");
    std::fs::create_dir(place.path("folder.json")).unwrap();
    insta::assert_snapshot!(explain(&place, "--out folder.json"), @"1: error: folder.json: not a file; name a file to write");
}

#[test]
fn what_path_dependent_values_cannot_be_is_refused_with_the_reason() {
    insta::assert_snapshot!(explain(&Place::new(), "--output probability"), @"1: error: path-dependent values of the output probability (no sum over trees) is not supported by Tree SHAP: give a background, for interventional values; or explain the raw margin");
}

#[test]
fn a_method_that_is_not_there_is_answered() {
    let place = Place::new();
    insta::assert_snapshot!(explain(&place, "--method linear"), @r"
2: error: invalid value 'linear' for '--method <METHOD>': this version explains trees, exactly, with `tree`, networks with `deep`, and any model with `kernel`, `lime`, `permutation`, or a surrogate, `mimic`; it does not have `linear`

For more information, try '--help'.
");
    insta::assert_snapshot!(explain(&place, "--method shap"), @r"
2: error: invalid value 'shap' for '--method <METHOD>': expected auto, tree, deep, kernel, lime, mimic or permutation

For more information, try '--help'.
");
}

#[test]
fn a_value_that_an_option_does_not_take_is_usage() {
    let place = Place::new();
    insta::assert_snapshot!(explain(&place, "--memory-limit much"), @r"
2: error: invalid value 'much' for '--memory-limit <SIZE>': expected a size such as 512MiB, 2GiB or 500MB

For more information, try '--help'.
");
    insta::assert_snapshot!(explain(&place, "--threads 0"), @r"
2: error: invalid value '0' for '--threads <N>': expected a whole number from 1 to 1024

For more information, try '--help'.
");
    insta::assert_snapshot!(explain(&place, "--threads 1000000000"), @r"
2: error: invalid value '1000000000' for '--threads <N>': expected a whole number from 1 to 1024

For more information, try '--help'.
");
    insta::assert_snapshot!(explain(&place, "--iterations 90..200"), @"2: error: iterations: 90..200 is not allowed: a range within the model's 100 iterations, 0..100");
    insta::assert_snapshot!(explain(&place, "--iterations best"), @"2: error: iterations: best is not allowed: all, or a range: this model file records no best iteration");
    insta::assert_snapshot!(explain(&place, "--drop target"), @r#"1: error: rows.csv: at column "target": no column has this name; the columns are "mean radius", "mean texture", "mean perimeter", "mean area", "mean smoothness", "mean compactness", "mean concavity", "mean concave points", "mean symmetry", "mean fractal dimension" and 20 more"#);
}

#[test]
fn a_device_that_does_not_exist_is_refused() {
    let message = explain(&Place::new(), "--device tpu");
    assert!(
        message.starts_with("1: error: ") || message.starts_with("2: error: "),
        "{message}"
    );
    assert!(message.contains("tpu"), "{message}");
}

#[test]
fn a_call_without_a_subcommand_is_usage() {
    let done = Place::new().run("");
    assert_eq!(done.code, 2);
    assert!(
        done.stderr.contains("Usage: whylight <COMMAND>"),
        "{}",
        done.stderr
    );
}

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
    insta::assert_snapshot!(place.fails("explain --model absent.json --data rows.csv"), @"");
    insta::assert_snapshot!(place.fails("explain --model model.json --data absent.csv"), @"");
}

#[test]
fn a_file_that_is_no_model_is_refused() {
    let place = Place::new();
    insta::assert_snapshot!(place.fails("explain --model rows.csv --data rows.csv"), @"");
}

#[test]
fn columns_that_do_not_fit_are_listed() {
    let place = Place::new();
    let renamed = place
        .read("rows.csv")
        .replace("mean radius,", "Mean Radius,");
    place.write("renamed.csv", &renamed);
    insta::assert_snapshot!(place.fails("explain --model model.json --data renamed.csv"), @"");
    let longer: String = place
        .read("rows.csv")
        .lines()
        .map(|line| line.to_owned() + ",1\n")
        .collect();
    place.write("longer.csv", longer.replacen(",1\n", ",target\n", 1));
    insta::assert_snapshot!(place.fails("explain --model model.json --data longer.csv"), @"");
    place.write("short.csv", "1,2,3\n4,5,6\n");
    insta::assert_snapshot!(place.fails("explain --model model.json --data short.csv"), @"");
}

#[test]
fn a_cell_that_is_no_number_is_named() {
    let place = Place::new();
    place.write(
        "cell.csv",
        place.read("rows.csv").replacen("13.82", "13;82", 1),
    );
    insta::assert_snapshot!(place.fails("explain --model model.json --data cell.csv"), @"");
}

#[test]
fn a_table_without_rows_is_refused() {
    let place = Place::new();
    let header = place.read("rows.csv").lines().next().unwrap().to_owned();
    place.write("none.csv", header + "\n");
    insta::assert_snapshot!(place.fails("explain --model model.json --data none.csv"), @"");
    insta::assert_snapshot!(
        place.fails("explain --model model.json --data none.csv --out out.csv"), @"");
    insta::assert_snapshot!(
        place.fails("bench --model model.json --data none.csv --rows 10 --device cpu"), @"");
}

#[test]
fn an_output_file_that_cannot_be_is_refused_before_the_work() {
    let place = Place::new();
    insta::assert_snapshot!(explain(&place, "--out out.xlsx"), @"");
    insta::assert_snapshot!(explain(&place, "--out absent/out.json"), @"");
    insta::assert_snapshot!(explain(&place, "--out absent/out.npy"), @"");
    std::fs::create_dir(place.path("folder.json")).unwrap();
    insta::assert_snapshot!(explain(&place, "--out folder.json"), @"");
}

#[test]
fn what_path_dependent_values_cannot_be_is_refused_with_the_reason() {
    insta::assert_snapshot!(explain(&Place::new(), "--output probability"), @"");
}

#[test]
fn a_method_that_is_not_there_is_answered() {
    let place = Place::new();
    insta::assert_snapshot!(explain(&place, "--method kernel"), @"");
    insta::assert_snapshot!(explain(&place, "--method shap"), @"");
}

#[test]
fn a_value_that_an_option_does_not_take_is_usage() {
    let place = Place::new();
    insta::assert_snapshot!(explain(&place, "--memory-limit much"), @"");
    insta::assert_snapshot!(explain(&place, "--threads 0"), @"");
    insta::assert_snapshot!(explain(&place, "--iterations 90..200"), @"");
    insta::assert_snapshot!(explain(&place, "--iterations best"), @"");
    insta::assert_snapshot!(explain(&place, "--drop target"), @"");
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

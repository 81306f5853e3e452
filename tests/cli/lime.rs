//! `whylight explain --method lime`.

use super::{Place, flat};

/// Six rows to explain and fourteen to draw from, of thirty columns.
fn place() -> Place {
    let place = Place::new();
    let rows = place.read("rows.csv");
    let lines: Vec<&str> = rows.lines().collect();
    let table = |range: &[&str]| [&[lines[0]], range].concat().join("\n");
    place.write("data.csv", table(&lines[1..7]));
    place.write("train.csv", table(&lines[7..21]));
    place
}

const CALL: &str = "explain --model model.json --data data.csv --background train.csv --method lime --num-samples 300 --device cpu";

#[test]
fn a_result_has_a_base_value_and_a_fit_for_each_row() {
    let place = place();
    place.ok(&format!("{CALL} --output probability --out out.json"));
    let result = place.json("out.json");
    assert_eq!(result["method"], "lime");
    assert_eq!(result["output"], "probability");
    assert_eq!(result["lime"]["num_samples"], 300);
    assert_eq!(result["lime"]["discretizer"], "quartile");
    let names = result["feature_names"].as_array().unwrap().len();
    assert_eq!(flat(&result["values"]).len(), 6 * names);
    assert_eq!(flat(&result["standard_errors"]).len(), 6 * names);
    let (bases, fits) = (flat(&result["base_values"]), flat(&result["local_fit"]));
    assert_eq!((bases.len(), fits.len()), (6, 6));
    assert!(
        bases.iter().all(|base| (-0.5..1.5).contains(base)),
        "{bases:?}"
    );
    assert!(fits.iter().all(|fit| (0.0..=1.0).contains(fit)), "{fits:?}");
    // The same seed gives the same bytes but for the time.
    place.ok(&format!(
        "{CALL} --output probability --threads 1 --out again.json"
    ));
    let again = place.json("again.json");
    assert_eq!(result["values"], again["values"]);
    place.ok(&format!(
        "{CALL} --output probability --seed 1 --out other.json"
    ));
    assert_ne!(result["values"], place.json("other.json")["values"]);
}

#[test]
fn tables_have_the_values_and_then_intercepts_and_fits() {
    let place = place();
    place.ok(&format!("{CALL} --out out.json"));
    let result = place.json("out.json");
    let (values, bases) = (flat(&result["values"]), flat(&result["base_values"]));
    place.ok(&format!("{CALL} --out out.csv"));
    let text = place.read("out.csv");
    let mut lines = text.lines();
    assert!(lines.next().unwrap().ends_with("intercept,local_fit"));
    let width = values.len() / 6;
    for (row, line) in lines.enumerate() {
        let cells: Vec<f32> = line.split(',').map(|cell| cell.parse().unwrap()).collect();
        assert_eq!(cells.len(), width + 2);
        for (cell, value) in cells[..width].iter().zip(&values[row * width..]) {
            assert!((cell - value).abs() < 1e-6);
        }
        assert!((cells[width] - bases[row]).abs() < 1e-5 * bases[row].abs().max(1.0));
    }
    for ending in ["npy", "parquet", "arrow"] {
        place.ok(&format!("{CALL} --out out.{ending}"));
    }
}

#[test]
fn the_screen_shows_rules_with_their_errors() {
    let place = place();
    let text = place.ok(&format!("{CALL} --discretizer decile --num-features 3"));
    assert!(text.contains("mean answer"), "{text}");
    assert!(
        text.contains("Features by mean |coefficient| over 6 rows"),
        "{text}"
    );
    assert!(text.contains("local fit 0."), "{text}");
    assert!(text.contains("± error"), "{text}");
    assert!(text.contains(" <= ") || text.contains(" > "), "{text}");
    assert!(
        text.lines().all(|line| line.chars().count() <= 120),
        "{text}"
    );
}

#[test]
fn sp_lime_keeps_some_rows() {
    let place = place();
    let call = format!("{CALL} --num-features 4");
    place.ok(&format!("{call} --out all.json"));
    place.ok(&format!("{call} --sp 2 --out some.json"));
    let (all, some) = (place.json("all.json"), place.json("some.json"));
    let picked: Vec<usize> = flat(&some["picked"])
        .iter()
        .map(|row| *row as usize)
        .collect();
    assert_eq!(picked.len(), 2);
    for (at, &row) in picked.iter().enumerate() {
        assert_eq!(some["values"][at], all["values"][row]);
        assert_eq!(some["base_values"][at], all["base_values"][row]);
        assert_eq!(some["data"][at], all["data"][row]);
    }
    let text = place.ok(&format!("{call} --sp 2"));
    assert!(text.contains(&format!("Row {}\n", picked[0] + 1)), "{text}");
    assert!(text.contains("SP-LIME picked the rows"), "{text}");
    place.ok(&format!("{call} --sp 2 --out some.csv"));
    assert_eq!(place.read("some.csv").lines().count(), 3);
}

#[test]
fn labels_and_categories_come_by_name() {
    let place = place();
    let first = place.read("train.csv").lines().next().unwrap().to_owned();
    let column = first.split(',').next().unwrap().to_owned();
    place.write("labels.csv", format!("label\n{}", "a\nb\n".repeat(7)));
    let call = format!(
        "{CALL} --discretizer entropy --training-labels labels.csv --categorical '{column}'"
    );
    place.ok(&format!("{call} --out out.json"));
    let bins = place.json("out.json")["lime"]["bins"].clone();
    assert_eq!(bins[0]["kind"], "categories");
    assert_eq!(bins[1]["kind"], "cuts");
}

#[test]
fn what_is_not_known_is_no_number() {
    let place = place();
    let call = CALL.replace("300", "20");
    let said = place.ok(&call);
    assert!(said.contains("local fit unknown"), "{said}");
    assert!(
        said.contains("no standard errors and no local fit"),
        "{said}"
    );
    assert!(!said.contains("NaN"), "{said}");
    place.ok(&format!("{call} --out out.json"));
    let result = place.json("out.json");
    assert!(result["standard_error"].is_null());
    assert!(result["local_fit"][0][0].is_null());
    assert!(flat(&result["values"]).iter().any(|value| *value != 0.0));
    place.ok(&format!("{call} --out out.csv"));
    assert!(!place.read("out.csv").contains("NaN"));
}

#[test]
fn samples_of_a_row_have_no_mean_answer() {
    let place = place();
    let call = format!("{CALL} --discretizer none --sample-around-instance");
    let said = place.ok(&call);
    assert!(
        !said.contains("NaN") && !said.contains("mean answer"),
        "{said}"
    );
    place.ok(&format!("{call} --out out.json"));
    let bases = flat(&place.json("out.json")["base_values"]);
    assert_eq!(bases.len(), 6);
    let common = place.ok(&call.replace(" --sample-around-instance", ""));
    assert!(common.contains("mean answer"), "{common}");
}

#[test]
fn what_cannot_be_is_said() {
    let place = place();
    for (options, expected) in [
        (
            "--discretizer quintile",
            "quartile, decile, entropy, or none",
        ),
        ("--discretizer entropy", "labels: none is not allowed"),
        ("--kernel-width 0", "kernel_width: 0 is not allowed"),
        ("--kernel-width -1", "kernel_width: -1 is not allowed"),
        ("--num-samples 1", "num_samples: 1 is not allowed"),
        ("--num-features 0", "num_features: 0 is not allowed"),
        (
            "--categorical nobody",
            "categorical: \"nobody\" is not allowed",
        ),
        ("--feature-selection best", "highest_weights"),
        ("--sample-around-instance", "with the discretizer none"),
        ("--interactions", "interactions is not supported by LIME"),
        ("--sp 0", "at least 1"),
    ] {
        // The last of two values counts.
        let call = CALL.replace(" --num-samples 300", "");
        let said = place.fails(&format!("{call} {options}"));
        assert!(said.contains(expected), "{options}: {said}");
    }
    let call = CALL.replace("--method lime ", "");
    let said = place.fails("explain --model model.json --data data.csv --device cpu --sp 2");
    assert!(
        said.contains("sp: a number of rows for another method"),
        "{said}"
    );
    let said = place.fails(&call);
    assert!(
        said.contains("num-samples: a value for another method"),
        "{said}"
    );
    let said = place.fails(&CALL.replace(" --background train.csv", ""));
    assert!(said.contains("background"), "{said}");
}

//! `whylight explain --method mimic`: surrogates of models that are read, and that are asked.

use super::{Place, flat};
#[cfg(feature = "http")]
use crate::support::server::Server;

/// A model of which the first column matters most, its rows, and the table that a surrogate learns from.
fn place() -> Place {
    let place = Place::new();
    let rows = place.read("rows.csv");
    let lines: Vec<&str> = rows.lines().collect();
    place.write("data.csv", lines[..7].join("\n"));
    place
}

const CALL: &str =
    "explain --method mimic --model model.json --background rows.csv --data data.csv --device cpu";

#[test]
fn a_surrogate_of_a_model_file_says_how_well_it_answers() {
    let place = place();
    let said = place.ok(CALL);
    assert!(said.contains("method      mimic."), "{}", said);
    assert!(said.contains("note        the surrogate ("), "{}", said);
    assert!(said.contains("rows held out"), "{}", said);
    assert!(said.contains("chosen by R²: linear: R² 0."), "{}", said);
}

#[test]
fn each_surrogate_can_be_named_and_its_values_add_up() {
    let place = place();
    for surrogate in ["trees", "linear"] {
        place.ok(&format!("{CALL} --surrogate {surrogate} --out out.json"));
        let result = place.json("out.json");
        assert_eq!(result["method"], format!("mimic.{surrogate}"));
        assert_eq!(flat(&result["values"]).len(), 6 * 30);
        assert!(result["additivity_error"].as_f64().unwrap() < 1e-5);
        let note = result["notes"][0].as_str().unwrap();
        assert!(
            note.contains("XGBoost JSON") && note.contains("the same class for"),
            "{note}"
        );
    }
}

#[test]
fn the_probabilities_of_a_model_can_be_learned() {
    let place = place();
    place.ok(&format!(
        "{CALL} --output probability --surrogate trees --out out.json"
    ));
    let result = place.json("out.json");
    let note = result["notes"][0].as_str().unwrap();
    assert!(
        note.contains("output: probability") && note.contains("KL 0."),
        "{note}"
    );
    assert_eq!(result["output"], "raw");
}

#[cfg(unix)]
#[test]
fn a_program_is_a_teacher() {
    let place = place();
    place.write(
        "model.sh",
        "read names\nwhile read rows; do\n  echo \"$rows\"\n  for i in $(seq $rows); do\n    IFS=, read a b rest\n    echo \"$a\"\n  done\ndone\n",
    );
    let call = CALL.replace("--model model.json", "--model-command 'sh model.sh'");
    place.ok(&format!("{call} --surrogate linear --out out.json"));
    let result = place.json("out.json");
    // It answers with its first column.
    let values = flat(&result["values"]);
    for row in values.chunks(30) {
        assert!(row[1..].iter().all(|value| value.abs() < 1e-6), "{row:?}");
    }
    assert!(values.iter().step_by(30).any(|value| value.abs() > 1.0));
    assert!(result["notes"][0].as_str().unwrap().contains("black box"));
}

#[cfg(feature = "http")]
#[test]
fn an_endpoint_is_a_teacher_of_probabilities() {
    let place = place();
    // Of the second column, the odds.
    let server = Server::of(|row| {
        let second = 1.0 / (1.0 + (18.0 - row[1]).exp());
        serde_json::json!([1.0 - second, second])
    });
    let call = CALL.replace("model.json", &server.url("/predict"));
    place.ok(&format!("{call} --out out.json"));
    let result = place.json("out.json");
    assert_eq!(result["output_names"], serde_json::json!(["output 1"]));
    let note = result["notes"][0].as_str().unwrap();
    assert!(
        note.contains("the same class for") && note.contains("KL 0.0"),
        "{note}"
    );
    let values = flat(&result["values"]);
    for row in values.chunks(30) {
        let largest = (0..30).max_by(|&a, &b| row[a].abs().total_cmp(&row[b].abs()));
        assert_eq!(largest, Some(1), "{row:?}");
    }
}

#[test]
fn what_a_surrogate_needs_is_named() {
    let place = place();
    let call = CALL.replace("--background rows.csv ", "");
    let done = place.fails(&call);
    assert!(
        done.contains("background") && done.contains("a surrogate learns"),
        "{done}"
    );
    let done = place.fails(&format!("{CALL} --output log_loss"));
    assert!(done.contains("log_loss"), "{done}");
    let tree = CALL.replace("--method mimic", "--method tree");
    let done = place.fails(&format!("{tree} --surrogate linear"));
    assert!(done.contains("--method mimic"), "{done}");
}

//! `whylight explain --method kernel`: models that are asked for answers.

use super::{Place, flat};
#[cfg(feature = "http")]
use crate::support::server::Server;

/// Six rows to explain and twelve of a background, in six players of five columns each.
fn place() -> Place {
    let place = Place::new();
    let rows = place.read("rows.csv");
    let lines: Vec<&str> = rows.lines().collect();
    let table = |range: &[&str]| [&[lines[0]], range].concat().join("\n");
    place.write("data.csv", table(&lines[1..7]));
    place.write("background.csv", table(&lines[7..19]));
    let columns: Vec<&str> = lines[0].split(',').collect();
    let groups: serde_json::Map<String, serde_json::Value> = (columns.chunks(5).enumerate())
        .map(|(group, columns)| (format!("group {group}"), columns.into()))
        .collect();
    let groups = serde_json::to_string(&groups).unwrap();
    place.write("groups.json", groups);
    place
}

const CALL: &str = "explain --model model.json --data data.csv --device cpu";

#[test]
fn trees_as_a_black_box_have_the_values_of_trees() {
    let place = place();
    let call = format!("{CALL} --background background.csv --groups groups.json");
    place.ok(&format!("{call} --method tree --out tree.json"));
    place.ok(&format!("{call} --method kernel --out kernel.json"));
    let (tree, kernel) = (place.json("tree.json"), place.json("kernel.json"));
    let (values, others) = (flat(&tree["values"]), flat(&kernel["values"]));
    assert_eq!(values.len(), 6 * 6);
    assert_eq!(values.len(), others.len());
    for (value, other) in values.iter().zip(&others) {
        assert!((value - other).abs() <= 1e-6, "{value} is not {other}");
    }
    let bases = [&tree, &kernel].map(|of| of["base_values"][0].as_f64().unwrap());
    assert!((bases[0] - bases[1]).abs() <= 1e-6, "{bases:?}");
    assert_eq!(tree["method"], "tree_shap");
    assert_eq!(kernel["method"], "kernel_shap");
    assert_eq!(kernel["model_format"], "black box, XGBoost JSON");
}

#[test]
fn an_onnx_file_of_support_vectors_is_explained_without_its_runtime() {
    let place = Place::new();
    let corpus = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/corpus/onnx_native/nusvc_scaled"
    );
    let call = format!(
        "explain --model {corpus}/model.onnx --data {corpus}/rows.npy --background {corpus}/rows.npy \
         --device cpu --out out.json"
    );
    let mut bases = Vec::new();
    for options in ["--method auto", "--method kernel", "--output probability"] {
        place.ok(&format!("{call} {options}"));
        let result = place.json("out.json");
        assert_eq!(result["method"], "kernel_shap");
        assert_eq!(result["model_format"], "kernel machine");
        assert!(result["additivity_error"].as_f64().unwrap() < 1e-5);
        bases.push(result["base_values"].clone());
    }
    assert_eq!(bases[0], bases[1]);
    let sum: f64 = (bases[2].as_array().unwrap().iter())
        .map(|base| base.as_f64().unwrap())
        .sum();
    assert!((sum - 1.0).abs() < 1e-6, "{bases:?}");
    insta::assert_snapshot!(place.fails(&format!("{call} --method tree")), @"1: error: a model without trees is not supported by the method tree: take the method auto, or kernel");
}

#[test]
fn an_onnx_file_with_encoders_is_explained_in_its_columns_of_text() {
    let place = Place::new();
    let corpus = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/corpus/onnx_native/encoded_svc_text"
    );
    let rows = std::fs::read_to_string(format!("{corpus}/rows.csv")).unwrap();
    let lines: Vec<&str> = rows.lines().collect();
    place.write(
        "background.csv",
        [&lines[..1], &lines[9..]].concat().join("\n"),
    );
    let call = format!(
        "explain --model {corpus}/model.onnx --data {corpus}/rows.csv --background background.csv --device cpu \
         --out out.json"
    );
    for options in ["--method auto", "--method kernel --output probability"] {
        place.ok(&format!("{call} {options}"));
        let result = place.json("out.json");
        assert_eq!(result["method"], "kernel_shap");
        assert_eq!(result["model_format"], "kernel machine");
        let names = serde_json::json!(["age", "size", "colour", "is_it"]);
        assert_eq!(result["feature_names"], names);
        assert!(result["additivity_error"].as_f64().unwrap() < 1e-5);
        let values = flat(&result["values"]);
        assert_eq!(values.len(), 16 * 4 * 3);
        assert!(values.iter().all(|value| value.is_finite()));
    }
    place.write("empty.csv", format!("{}\n0.5,1,,no\n", lines[0]));
    let call = format!(
        "explain --model {corpus}/model.onnx --data empty.csv --background background.csv --device cpu"
    );
    insta::assert_snapshot!(place.fails(&call), @r#"1: error: empty.csv: at row 1, column "colour": the cell is missing (NaN), but this model reads finite numbers only; fill it as the model's training rows were filled, or leave the row out"#);
}

#[test]
fn an_estimate_is_drawn_from_a_seed() {
    let place = place();
    let values = |options: &str| {
        place.ok(&format!(
            "{CALL} --background background.csv --method kernel --nsamples 100 {options} --out out.json"
        ));
        let result = place.json("out.json");
        let notes = result["notes"].to_string();
        assert!(
            notes.contains("6 rows were estimated from sampled coalitions"),
            "{notes}"
        );
        assert!(result["additivity_error"].as_f64().unwrap() < 1e-5);
        (flat(&result["values"]), result["seed"].as_u64().unwrap())
    };
    let (first, again, other) = (values("--seed 1"), values("--seed 1"), values("--seed 2"));
    assert_eq!(first, again);
    assert_eq!((first.1, other.1), (1, 2));
    assert_ne!(first.0, other.0);
}

#[test]
fn the_screen_shows_no_trees_where_there_are_none() {
    let place = place();
    let call = format!("{CALL} --background background.csv --groups groups.json");
    let kernel = place.ok(&format!("{call} --method kernel"));
    for part in [
        "model       black box, XGBoost JSON, 6 features, 1 output\n",
        "method      kernel_shap, interventional, auto, output: raw\n",
        "note        the model was asked",
        "\nRow 1\n",
    ] {
        assert!(kernel.contains(part), "{part} is not in\n{kernel}");
    }
    assert!(!kernel.contains("\ntrees "), "{kernel}");
    let tree = place.ok(&format!("{call} --method tree"));
    assert!(tree.contains("\ntrees       "), "{tree}");
    let of = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/corpus/onnx_native/svc_rbf_two"
    );
    let call = "explain --device cpu";
    let native = place.ok(&format!(
        "{call} --model {of}/model.onnx --data {of}/rows.npy --background {of}/rows.npy"
    ));
    assert!(
        native.contains("\nkernel      kernel_machine\n"),
        "{native}"
    );
    assert!(!native.contains("\ntrees "), "{native}");
}

#[test]
fn what_kernel_shap_cannot_do_is_refused() {
    let place = place();
    let call = format!("{CALL} --method kernel");
    insta::assert_snapshot!(place.fails(&call), @"2: error: background: none is not allowed: the features outside a coalition take the values of background rows; give the training rows, or a sample of them");
    let call = format!("{call} --background background.csv");
    insta::assert_snapshot!(place.fails(&format!("{call} --link logit")), @"1: error: a mean answer of -5.086897612462053 is not supported by the link logit, which takes numbers between 0 and 1: take the link identity");
    insta::assert_snapshot!(place.fails(&format!("{call} --output probability")), @"1: error: the output probability is not supported by Kernel SHAP: explain the raw output, which is what the model answers");
    insta::assert_snapshot!(place.fails(&format!("{call} --estimator exact")), @"1: error: row 1 of the table, where 30 players vary between it and the background is not supported by exact values of up to 16 players: group features, or take the estimator auto or sampled");
    insta::assert_snapshot!(place.fails(&format!("{CALL} --link logit")), @"1: error: the link logit is not supported by this method: take the link identity: the margin is what links are taken of");
}

/// A row's answer at an endpoint: two outputs, of products of three cells.
#[cfg(feature = "http")]
fn answer(row: &[f64]) -> serde_json::Value {
    let p = 0.5 + 0.1 * row[0] * row[1] - 0.05 * row[2];
    serde_json::json!([p, 1.0 - p])
}

fn small() -> Place {
    let place = Place::new();
    place.write("data.csv", "c,a,b\n1,2,0\n0.5,-1,3\n");
    place.write("background.csv", "a,b,c\n0,0,0\n1,1,1\n");
    place
}

#[cfg(feature = "http")]
#[test]
fn a_model_behind_an_address_is_explained() {
    let place = small();
    let server = Server::of(answer);
    let call = format!(
        "explain --model {} --data data.csv --background background.csv --rows-per-request 5 --out out.json",
        server.url("/v1/models/m:predict")
    );
    place.ok(&call);
    let result = place.json("out.json");
    assert_eq!(result["feature_names"], serde_json::json!(["a", "b", "c"]));
    assert_eq!(
        result["output_names"],
        serde_json::json!(["output 0", "output 1"])
    );
    assert_eq!(
        result["model_format"],
        format!("black box, {}", server.url("/v1/models/m:predict"))
    );
    // By hand: the product's two players share what is left of it when each is alone.
    let worth = |row: [f64; 3], set: usize| {
        let backgrounds = [[0.0; 3], [1.0; 3]];
        let of = |other: [f64; 3]| {
            let cell = |i: usize| if set >> i & 1 == 1 { row[i] } else { other[i] };
            answer(&[cell(0), cell(1), cell(2)])[0].as_f64().unwrap()
        };
        0.5 * backgrounds.map(of).iter().sum::<f64>()
    };
    let values = flat(&result["values"]);
    assert_eq!(values.len(), 2 * 3 * 2);
    for (values, row) in values.chunks(6).zip([[2.0, 0.0, 1.0], [-1.0, 3.0, 0.5]]) {
        let worths: Vec<f64> = (0..8).map(|set| worth(row, set)).collect();
        let expected = crate::reference::shapley::values(&worths);
        for (values, expected) in values.chunks(2).zip(expected) {
            assert!((f64::from(values[0]) - expected).abs() < 1e-6);
            assert!((f64::from(values[1]) + expected).abs() < 1e-6);
        }
    }
    assert!(
        server
            .requests()
            .iter()
            .all(|request| request.rows().len() <= 5)
    );
}

#[cfg(feature = "http")]
#[test]
fn a_model_that_is_asked_needs_a_background_and_has_no_trees() {
    let place = small();
    let server = Server::of(answer);
    let call = format!("explain --model {} --data data.csv", server.url("/"));
    insta::assert_snapshot!(place.fails(&call), @"2: error: background: none is not allowed: a model that is asked for answers needs the training rows, or a sample of them: the features outside a coalition take their values, and their columns are the model's");
    let call = format!("{call} --background background.csv");
    insta::assert_snapshot!(place.fails(&format!("{call} --method tree")), @"1: error: a model without trees is not supported by the method tree: take the method auto, or kernel");
    insta::assert_snapshot!(place.fails(&format!("{call} --iterations best")), @"2: error: iterations: another model is not allowed: a model of boosting iterations");
    insta::assert_snapshot!(place.fails(&format!("{call} --http-header secret")), @"2: error: http-header: a text without a colon is not allowed: a header is NAME: VALUE");
    insta::assert_snapshot!(place.fails(&format!("{call} --timeout 0")), @r"
2: error: invalid value '0' for '--timeout <SECONDS>': expected a number of seconds from 0.001 to 86400

For more information, try '--help'.
");
    place.write("empty.csv", "a,b,c\n");
    insta::assert_snapshot!(place.fails(&format!("{call} --background empty.csv").replacen(" --background background.csv", "", 1)), @"1: error: empty.csv: at its end: no rows; expected at least one");
    place.write("other.csv", "a,b,d\n1,2,3\n");
    insta::assert_snapshot!(place.fails(&call.replace("data.csv", "other.csv")), @r#"1: error: other.csv: the table's columns: expected the model's 3 features by name, got 3 columns; missing: "c"; not in the model: "d"; add what is missing under the model's names"#);
    place.write("background.csv", "a,b,c\n0,0,red\n");
    insta::assert_snapshot!(place.fails(&call), @r#"1: error: background.csv: at row 1 (line 2), column "c": "red" is not a number; a missing value is an empty cell or one of NA, N/A, NaN, nan, null, NULL, None, ?; a column of categories needs a model that has labels for it; leave a column out with --drop "c""#);
}

/// A program whose answer is the row itself: an output is its column, and no other has a part in it.
#[cfg(unix)]
#[test]
fn a_model_that_is_a_program_is_explained() {
    let place = small();
    place.write(
        "model.sh",
        "read names; echo \"$names\" > names; exec cat\n",
    );
    let call = "explain --model-command 'sh model.sh' --data data.csv --background background.csv";
    let formats: &[&str] = if cfg!(feature = "arrow") {
        &["csv", "arrow"]
    } else {
        &["csv"]
    };
    for format in formats {
        if *format == "arrow" {
            place.write("model.sh", "exec cat\n");
        }
        place.ok(&format!("{call} --model-format {format} --out out.json"));
        let result = place.json("out.json");
        assert_eq!(result["model_format"], "black box, sh model.sh");
        assert_eq!(result["base_values"], serde_json::json!([0.5, 0.5, 0.5]));
        let values = flat(&result["values"]);
        for (values, row) in values
            .chunks(9)
            .zip([[2.0_f32, 0.0, 1.0], [-1.0, 3.0, 0.5]])
        {
            for (place, value) in values.iter().enumerate() {
                let (column, output) = (place / 3, place % 3);
                let expected = if column == output {
                    row[column] - 0.5
                } else {
                    0.0
                };
                assert!((value - expected).abs() < 1e-6, "{format}: {values:?}");
            }
        }
    }
    assert_eq!(place.read("names"), "a,b,c\n");
    let call = call.replace("sh model.sh", "no-such-program");
    insta::assert_snapshot!(place.fails(&call), @"1: error: the model did not answer: no-such-program: it cannot be started: No such file or directory (os error 2)");
    let call = call.replace("'no-such-program'", "\\");
    insta::assert_snapshot!(place.fails(&call), @r#"2: error: model-command: "\" is not allowed: a program and its arguments, as a shell reads them, with quotes in pairs"#);
}

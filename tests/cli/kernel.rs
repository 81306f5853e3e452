//! `whylight explain --method kernel`: models that are asked for answers.

use super::{Place, flat};

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
    insta::assert_snapshot!(place.fails(&format!("{CALL} --link logit")), @"1: error: the link logit is not supported by this model, which is no black box: take the link identity: the margin is what links are taken of");
}

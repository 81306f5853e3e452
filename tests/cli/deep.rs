//! `whylight explain --method deep`: networks of ONNX files.

use super::{Place, flat};

/// The call for an exported network of the corpus.
fn call(case: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus/onnx_network");
    let case = format!("{folder}/{case}");
    format!(
        "explain --model {case}/model.onnx --data {case}/rows.npy --background {case}/rows.npy --device cpu"
    )
}

#[test]
fn a_network_is_explained_and_says_how() {
    let place = Place::new();
    let call = call("cnn_dynamo");
    place.ok(&format!("{call} --method deep --out deep.json"));
    let result = place.json("deep.json");
    assert_eq!(result["method"], "deep_shap");
    assert_eq!(result["model_format"], "network");
    let deltas = flat(&result["completeness_delta"]);
    let outputs = result["output_names"].as_array().unwrap().len();
    let rows = result["values"].as_array().unwrap().len();
    assert_eq!(deltas.len(), rows * outputs);
    assert!(deltas.iter().all(|delta| delta.abs() < 1e-4), "{deltas:?}");
    let rules = result["rules"].as_array().unwrap();
    let has = |rule: &str| rules.iter().any(|step| step[2] == rule);
    assert!(
        has("linear") && has("rescale") && has("winner"),
        "{rules:?}"
    );
    assert!(
        rules
            .iter()
            .all(|step| step[0].as_str().unwrap().contains("node"))
    );
    let screen = place.ok(&format!("{call} --method deep"));
    assert!(
        screen.contains("deep_shap, interventional, deeplift"),
        "{screen}"
    );
    assert!(screen.contains("rules       linear"), "{screen}");
}

#[test]
fn auto_takes_deep_for_a_network_that_kernel_would_have_to_ask() {
    let place = Place::new();
    place.ok(&format!("{} --out auto.json", call("attention_dynamo")));
    assert_eq!(place.json("auto.json")["method"], "deep_shap");
    // A perceptron of one activation has kernels that coalitions go through.
    place.ok(&format!("{} --out auto.json", call("mlp_relu_script")));
    assert_eq!(place.json("auto.json")["method"], "kernel_shap");
}

#[test]
fn a_network_is_a_black_box_too() {
    let place = Place::new();
    let call = call("mlp_layer_norm_script");
    place.ok(&format!("{call} --method kernel --out kernel.json"));
    place.ok(&format!("{call} --method deep --out deep.json"));
    let (kernel, deep) = (place.json("kernel.json"), place.json("deep.json"));
    assert_eq!(kernel["model_format"], "black box, ONNX network");
    let bases = |of: &serde_json::Value| flat(&of["base_values"]);
    for (a, b) in bases(&kernel).iter().zip(&bases(&deep)) {
        assert!((a - b).abs() < 1e-5, "{a} {b}");
    }
    // Both add up to the same answers.
    let outputs = kernel["output_names"].as_array().unwrap().len();
    let sums = |of: &serde_json::Value| -> Vec<f32> {
        let values = flat(&of["values"]);
        (0..outputs)
            .map(|k| values[k..].iter().step_by(outputs).sum())
            .collect()
    };
    for (a, b) in sums(&kernel).iter().zip(&sums(&deep)) {
        assert!((a - b).abs() < 1e-4, "{a} {b}");
    }
}

#[test]
fn rows_past_the_tolerance_are_marked_in_every_file() {
    let place = Place::new();
    // Rounding leaves more than this.
    let call = format!(
        "{} --method deep --tolerance 1e-9",
        call("mlp_layer_norm_script")
    );
    let by = "--fallback integrated_gradients --nsamples 16";
    place.ok(&format!("{call} {by} --out deep.json"));
    let result = place.json("deep.json");
    assert_eq!(result["fallback"], "integrated_gradients");
    assert_eq!(result["tolerance"], 1e-9);
    let deltas = result["completeness_delta"].as_array().unwrap().clone();
    let truths = |key: &str| -> Vec<bool> {
        let marks = result[key].as_array().unwrap();
        marks.iter().map(|mark| mark.as_bool().unwrap()).collect()
    };
    let past: Vec<bool> = (deltas.iter())
        .map(|row| flat(row).iter().any(|delta| f64::from(delta.abs()) > 1e-9))
        .collect();
    assert_eq!(truths("past_tolerance"), past);
    let recomputed = truths("recomputed");
    assert!(recomputed.contains(&true), "{recomputed:?}");

    place.ok(&format!("{call} {by} --out deep.csv"));
    let text = std::fs::read_to_string(place.path("deep.csv")).unwrap();
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().unwrap().split(',').collect();
    let outputs = deltas[0].as_array().unwrap().len();
    let first = names.len() - outputs - 2;
    assert!(names[first].ends_with("completeness_delta"), "{names:?}");
    assert_eq!(names[names.len() - 2..], ["past_tolerance", "recomputed"]);
    for (row, line) in lines.enumerate() {
        let cells: Vec<f32> = line.split(',').map(|cell| cell.parse().unwrap()).collect();
        assert_eq!(cells[first..first + outputs], flat(&deltas[row])[..]);
        let mark = |mark: bool| if mark { 1.0 } else { 0.0 };
        assert_eq!(
            cells[cells.len() - 2..],
            [mark(past[row]), mark(recomputed[row])]
        );
    }
    // Without a tolerance there is nothing to pass.
    let plain = call.replace("--tolerance 1e-9", "");
    place.ok(&format!("{plain} --out deep.csv"));
    let text = std::fs::read_to_string(place.path("deep.csv")).unwrap();
    assert!(
        text.lines().next().unwrap().ends_with("completeness_delta"),
        "{text}"
    );
    let error = place.fails(&format!("{plain} --fallback integrated_gradients"));
    assert!(error.contains("without a tolerance"), "{error}");
    let error = place.fails(&format!(
        "{} --method kernel --layer x",
        crate::cli::deep::call("cnn_dynamo")
    ));
    assert!(error.contains("a layer"), "{error}");
}

#[test]
fn what_is_wrong_is_said() {
    let place = Place::new();
    let deep = format!("{} --method deep", call("mlp_relu_script"));
    let error = place.fails(&format!("{deep} --layer nothing"));
    assert!(
        error.contains("\"nothing\"") && error.contains("such as"),
        "{error}"
    );
    assert!(error.starts_with("2: "), "{error}");
    let error = place.fails(&format!("{deep} --input-shape x"));
    assert!(error.contains("tokens=128"), "{error}");
    let error = place.fails(&format!("{deep} --onnx-output nothing"));
    assert!(error.contains("nothing"), "{error}");
    let error = place.fails(&format!("{deep} --output probability"));
    assert!(error.contains("deep SHAP"), "{error}");
    let trees = "explain --model model.json --data rows.csv --background rows.csv --method deep";
    let error = place.fails(trees);
    assert!(error.contains("model.json"), "{error}");
    let error = place.fails(&deep.replace("--background", "--drop 1 --background"));
    assert!(error.contains("column"), "{error}");
}

#[test]
fn a_layer_can_be_explained() {
    let place = Place::new();
    let call = format!("{} --method deep", call("mlp_relu_script"));
    place.ok(&format!("{call} --out deep.json"));
    let rules = place.json("deep.json")["rules"].clone();
    let node = rules[0][0]
        .as_str()
        .unwrap()
        .split('"')
        .nth(1)
        .unwrap()
        .to_owned();
    place.ok(&format!("{call} --layer {node} --out layer.json"));
    let result = place.json("layer.json");
    let names = result["feature_names"].as_array().unwrap();
    assert!(
        names[0].as_str().unwrap().starts_with(&format!("{node}[0")),
        "{names:?}"
    );
}

#[test]
fn gradients_are_estimators_of_networks_alone() {
    let place = Place::new();
    let call = call("mlp_tanh_script");
    let integrated = "--estimator integrated_gradients --nsamples 64";
    place.ok(&format!("{call} --method deep {integrated} --out out.json"));
    let result = place.json("out.json");
    assert_eq!(result["estimator"], "integrated_gradients");
    let deltas = flat(&result["completeness_delta"]);
    assert!(deltas.iter().all(|delta| delta.abs() < 1e-4), "{deltas:?}");
    let error = place.fails(&format!("{call} --method kernel {integrated}"));
    assert!(error.contains("deep SHAP"), "{error}");
    let trees =
        format!("explain --model model.json --data rows.csv --background rows.csv {integrated}");
    let error = place.fails(&trees);
    assert!(error.contains("integrated_gradients"), "{error}");
}

//! `whylight explain`: every kind of output, read back.

use whylight::data::{Cells, ReadOptions, read};

use super::{Place, corpus, flat};

const CALL: &str = "explain --model model.json --data rows.csv --device cpu";

/// The cells of a table file, row after row, as float32.
pub(super) fn cells(place: &Place, name: &str) -> Vec<f32> {
    let table = read(&place.path(name), &ReadOptions::default()).unwrap();
    match table.cells {
        Cells::F32(matrix) => matrix.iter().copied().collect(),
        Cells::F64(matrix) => matrix.iter().map(|&cell| cell as f32).collect(),
        Cells::Columns(columns) => {
            let rows = columns[0].len();
            let cell = |row: usize, column: &whylight::data::Column| match column {
                whylight::data::Column::F32(cells) => cells[row],
                whylight::data::Column::F64(cells) => cells[row] as f32,
                whylight::data::Column::Labels { .. } => panic!("values are numbers"),
            };
            (0..rows)
                .flat_map(|row| columns.iter().map(move |column| cell(row, column)))
                .collect()
        }
    }
}

/// The shape and the cells of an npy file of float32.
fn npy(place: &Place, name: &str) -> (String, Vec<f32>) {
    let bytes = std::fs::read(place.path(name)).unwrap();
    assert_eq!(&bytes[..8], b"\x93NUMPY\x01\0");
    let begin = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let header = String::from_utf8(bytes[10..begin].to_vec()).unwrap();
    assert!(
        header.contains("'<f4'") && header.contains("'fortran_order': False"),
        "{header}"
    );
    let (_, shape) = header.split_once("'shape': ").unwrap();
    let shape = shape[..=shape.find(')').unwrap()].to_owned();
    let cells = bytes[begin..].chunks_exact(4);
    (
        shape,
        cells
            .map(|b| f32::from_le_bytes(b.try_into().unwrap()))
            .collect(),
    )
}

#[test]
fn json_holds_the_whole_result_under_the_names_of_the_attributes() {
    let place = Place::new();
    place.ok(&format!("{CALL} --out out.json"));
    let result = place.json("out.json");
    let mut keys: Vec<&str> = result
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    keys.sort_unstable();
    insta::assert_snapshot!(keys.join(" "), @"additivity_error additivity_rows approximation_error base_values cover data device device_reason engines estimator exact feature_names groups index interactions method model_format notes objective output output_names seed standard_error value_function values version");
    assert_eq!(result["method"], "tree_shap");
    assert_eq!(result["value_function"], "path_dependent");
    assert_eq!(result["output"], "raw");
    assert_eq!(result["exact"], true);
    assert_eq!(result["model_format"], "XGBoost JSON");
    assert_eq!(result["objective"], "binary:logistic");
    assert_eq!(result["feature_names"][0], "mean radius");
    assert_eq!(result["values"].as_array().unwrap().len(), 114);
    assert_eq!(result["values"][0].as_array().unwrap().len(), 30);
    assert_eq!(result["data"][0][0], 13.82);
    let trees: u64 = result["engines"]
        .as_object()
        .unwrap()
        .values()
        .map(|n| n.as_u64().unwrap())
        .sum();
    assert_eq!(trees, 100);
}

#[test]
fn every_output_file_holds_the_same_values() {
    let place = Place::new();
    place.ok(&format!("{CALL} --out out.json"));
    let values = flat(&place.json("out.json")["values"]);
    place.ok(&format!("{CALL} --out out.npy"));
    let (shape, cells_of_npy) = npy(&place, "out.npy");
    assert_eq!(shape, "(114, 30)");
    // A table whose number of rows is known beforehand can be explained by another engine than a
    // CSV file that is read as it comes: the last bits differ.
    assert_eq!(values.len(), cells_of_npy.len());
    for (row, other) in values.chunks(30).zip(cells_of_npy.chunks(30)) {
        let scale = row
            .iter()
            .fold(0.0_f32, |scale, value| scale.max(value.abs()));
        for (value, other) in row.iter().zip(other) {
            assert!(
                (value - other).abs() <= 1e-5 * scale,
                "{value} is not {other}"
            );
        }
    }
    let tables: &[&str] = if cfg!(feature = "arrow") {
        &["out.csv", "out.parquet", "out.arrow"]
    } else {
        &["out.csv"]
    };
    for name in tables {
        place.ok(&format!("{CALL} --out {name}"));
        assert!(cells(&place, name) == cells_of_npy, "{name}");
    }
    let csv = place.read("out.csv");
    assert!(csv.starts_with("mean radius,mean texture,"), "{csv}");
}

#[test]
fn several_outputs_have_a_dimension_or_a_column_each() {
    let place = Place::new();
    let call = format!(
        "explain --device cpu --model {} --data {}",
        corpus("xgboost/softprob_1_7/model.ubj"),
        corpus("xgboost/softprob_1_7/rows.npy")
    );
    place.ok(&format!("{call} --out out.json"));
    let result = place.json("out.json");
    let outputs = result["output_names"].as_array().unwrap().len();
    let features = result["feature_names"].as_array().unwrap().len();
    let rows = result["values"].as_array().unwrap().len();
    assert!(outputs > 1);
    assert_eq!(result["values"][0].as_array().unwrap().len(), features);
    assert_eq!(result["values"][0][0].as_array().unwrap().len(), outputs);
    assert_eq!(result["base_values"].as_array().unwrap().len(), outputs);
    let values = flat(&result["values"]);
    place.ok(&format!("{call} --out out.npy"));
    let (shape, cells_of_npy) = npy(&place, "out.npy");
    assert_eq!(shape, format!("({rows}, {features}, {outputs})"));
    assert!(cells_of_npy == values);
    place.ok(&format!("{call} --out out.csv"));
    assert!(cells(&place, "out.csv") == values);
    let csv = place.read("out.csv");
    let output = result["output_names"][1].as_str().unwrap();
    let feature = result["feature_names"][0].as_str().unwrap();
    assert_eq!(
        csv.split(',').nth(1).unwrap(),
        format!("{output} · {feature}")
    );
    let shown = place.ok(&call);
    assert!(
        shown.contains(&format!("(the largest of {outputs} outputs)")),
        "{shown}"
    );
}

#[test]
fn without_out_the_ranking_and_the_first_rows_are_shown() {
    let place = Place::new();
    let text = place.ok(CALL);
    for part in [
        "Features by mean |value| over 114 rows",
        "\nRow 1\n",
        "\nRow 3\n",
        "worst concave points = 0.1521",
        "the 22 other features",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    assert!(!text.contains("\nRow 4\n"));
    for line in text.lines().filter(|line| !line.starts_with("because")) {
        assert!(line.chars().count() <= 80, "{line}");
    }
}

#[test]
fn columns_are_matched_by_name_and_left_out_by_drop() {
    let place = Place::new();
    place.ok(&format!("{CALL} --out straight.json"));
    let mut turned = String::new();
    for (number, line) in place.read("rows.csv").lines().enumerate() {
        turned += if number == 0 { "target" } else { "1" };
        for cell in line.split(',').rev() {
            turned += ",";
            turned += cell;
        }
        turned += "\n";
    }
    place.write("rows.csv", turned);
    place.ok(&format!("{CALL} --drop target --out turned.json"));
    assert_eq!(place.json("turned.json"), place.json("straight.json"));
}

#[test]
fn a_range_of_iterations_is_explained_alone() {
    let place = Place::new();
    let trees = |options: &str| {
        place.ok(&format!("{CALL} --out out.json {options}"));
        let result = place.json("out.json");
        let engines = result["engines"].as_object().unwrap().clone();
        engines.values().map(|n| n.as_u64().unwrap()).sum::<u64>()
    };
    assert_eq!(trees("--iterations 10..30"), 20);
    assert_eq!(trees("--iterations all"), 100);
}

#[test]
fn the_best_iteration_is_the_one_of_early_stopping() {
    let place = Place::new();
    let call = format!(
        "explain --device cpu --model {} --data {} --out out.json",
        corpus("xgboost/early_stopping_all_3_4/model.json"),
        corpus("xgboost/early_stopping_all_3_4/rows.npy")
    );
    let all = place.run(&call);
    assert_eq!(all.code, 0, "{}", all.stderr);
    assert!(all.stderr.contains("--iterations best"), "{}", all.stderr);
    let whole = flat(&place.json("out.json")["values"]);
    let best = place.run(&format!("{call} --iterations best"));
    assert_eq!(best.code, 0, "{}", best.stderr);
    assert!(!best.stderr.contains("note"), "{}", best.stderr);
    assert_ne!(flat(&place.json("out.json")["values"]), whole);
}

#[test]
fn memory_limit_and_threads_do_not_change_the_values() {
    let place = Place::new();
    place.ok(&format!("{CALL} --out out.npy"));
    let before = std::fs::read(place.path("out.npy")).unwrap();
    place.ok(&format!(
        "{CALL} --out out.npy --memory-limit 1MiB --threads 1 --additivity-rows all"
    ));
    assert_eq!(std::fs::read(place.path("out.npy")).unwrap(), before);
}

#[test]
fn a_file_is_written_beside_and_named_at_the_end() {
    let place = Place::new();
    place.write("out.json", "before");
    place.write("bad.csv", "1,2\n");
    for out in ["out.json", "out.npy", "out.csv"] {
        place.fails(&format!(
            "explain --model model.json --data bad.csv --out {out}"
        ));
    }
    assert_eq!(place.read("out.json"), "before");
    assert_eq!(
        place.files(),
        ["bad.csv", "model.json", "out.json", "rows.csv"]
    );
}

/// A model file of every library, and what the command writes about it.
#[test]
fn models_of_every_library_are_explained() {
    for (case, model, background) in [
        ("xgboost/vector_leaf_ubj_3_4", "ubj", false),
        ("lightgbm/multiclass_absent_4_7", "txt", false),
        ("catboost/multiclass_1_2", "json", false),
        ("onnx/forest_reg", "onnx", true),
    ] {
        let place = Place::new();
        let model = corpus(&format!("{case}/model.{model}"));
        let rows = corpus(&format!("{case}/rows.npy"));
        let mut call = format!("explain --model {model} --data {rows} --device cpu");
        if background {
            let refused = place.fails(&call);
            assert!(refused.contains("background"), "{case}: {refused}");
            call = format!("{call} --background {rows}");
        }
        place.ok(&format!("{call} --out out.json"));
        let result = place.json("out.json");
        let count = |key: &str| result[key].as_array().unwrap().len();
        let values = flat(&result["values"]);
        let width = count("feature_names") * count("output_names");
        assert_eq!(values.len() % width, 0, "{case}");
        assert!(values.iter().any(|&value| value != 0.0), "{case}");
        let error = result["additivity_error"].as_f64().unwrap();
        assert!(error < 1e-4, "{case}: {error}");
        let cover = result["cover"].as_str().unwrap();
        assert_eq!(
            cover.starts_with("background of"),
            background,
            "{case}: {cover}"
        );
        place.ok(&format!("{call} --out out.npy"));
        assert!(values == npy(&place, "out.npy").1, "{case}");
    }
}

#[test]
fn a_background_that_is_not_needed_is_mentioned() {
    let place = Place::new();
    let path_dependent = "--value-function path_dependent";
    let text = place.ok(&format!("{CALL} --background rows.csv {path_dependent}"));
    assert!(text.contains("the background was not used"), "{text}");
    let text = place.ok(CALL);
    assert!(!text.contains("background"), "{text}");
}

/// With a background, features outside a coalition take its values: the base value is the mean margin
/// of its rows.
#[test]
fn a_background_makes_values_interventional() {
    let place = Place::new();
    place.ok(&format!("{CALL} --out all.json"));
    let own = place.json("all.json");
    assert_eq!(own["value_function"], "path_dependent");
    for call in ["", "--value-function interventional"] {
        place.ok(&format!(
            "{CALL} --background rows.csv {call} --out out.json"
        ));
        let result = place.json("out.json");
        assert_eq!(result["value_function"], "interventional");
        assert!(
            result["cover"]
                .as_str()
                .unwrap()
                .starts_with("background of ")
        );
        let sum = |values: &[f32]| values.iter().map(|&value| f64::from(value)).sum::<f64>();
        let base = |result: &serde_json::Value| result["base_values"][0].as_f64().unwrap();
        let (values, others) = (flat(&own["values"]), flat(&result["values"]));
        assert_eq!(values.len(), others.len());
        assert!(values != others);
        // Margins are the same in both; their mean over the rows is the base value of the second.
        let rows = result["values"].as_array().unwrap().len() as f64;
        let mean = base(&own) + sum(&values) / rows;
        assert!((base(&result) - mean).abs() < 1e-5, "{mean}");
        assert!(sum(&others).abs() < 1e-4 * rows);
    }
    let refused = place.fails(&format!("{CALL} --value-function interventional"));
    assert!(refused.contains("background"), "{refused}");
    let refused = place.fails(&format!("{CALL} --value-function conditional"));
    assert!(refused.contains("path_dependent"), "{refused}");
}

#[test]
fn interactions_are_written_in_every_format_and_shown() {
    let place = Place::new();
    place.ok(&format!("{CALL} --out values.npy"));
    let (_, values) = npy(&place, "values.npy");
    place.ok(&format!("{CALL} --interactions --out pairs.npy"));
    let (shape, pairs) = npy(&place, "pairs.npy");
    assert_eq!(shape, "(114, 30, 30)");
    for (row, (pairs, values)) in pairs.chunks(900).zip(values.chunks(30)).enumerate() {
        for (feature, (pairs, value)) in pairs.chunks(30).zip(values).enumerate() {
            let sum: f32 = pairs.iter().sum();
            assert!((sum - value).abs() < 1e-5, "row {row}, feature {feature}");
        }
    }
    place.ok(&format!("{CALL} --interactions --out pairs.json"));
    let result = place.json("pairs.json");
    assert_eq!(result["interactions"], true);
    assert_eq!(result["feature_names"].as_array().unwrap().len(), 30);
    let row: Vec<f32> = result["values"][1]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(flat)
        .collect();
    assert_eq!(row, pairs[900..1800]);
    place.ok(&format!("{CALL} --interactions --out pairs.parquet"));
    assert_eq!(cells(&place, "pairs.parquet"), pairs);
    place.ok(&format!("{CALL} --interactions --out pairs.csv"));
    let text = std::fs::read_to_string(place.path("pairs.csv")).unwrap();
    let names = text.lines().next().unwrap();
    assert!(
        names.starts_with("mean radius × mean radius,mean radius × mean texture,"),
        "{names}"
    );
    let text = place.ok(&format!("{CALL} --interactions"));
    assert!(
        text.contains("Pairs of features by mean |interaction|"),
        "{text}"
    );
    assert!(!text.contains("Row 1"), "{text}");
}

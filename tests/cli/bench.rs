//! `whylight bench`: the object that benchmark suites read.

use serde_json::Value;

use super::Place;

const CALL: &str = "bench --model model.json --data rows.csv --repeats 2";
const KEYS: [&str; 9] = [
    "build_seconds",
    "device",
    "engines",
    "peak_rss_bytes",
    "rows",
    "rows_per_second_end_to_end",
    "rows_per_second_resident",
    "seconds",
    "threads",
];

fn keys(value: &Value) -> Vec<String> {
    let mut keys: Vec<String> = value.as_object().unwrap().keys().cloned().collect();
    keys.sort();
    keys
}

#[test]
fn one_device_is_one_object() {
    let place = Place::new();
    let text = place.ok(&format!(
        "{CALL} --rows 250 --threads 1 --device cpu --json"
    ));
    let result: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(keys(&result), KEYS);
    assert_eq!(result["rows"], 250);
    assert_eq!(result["threads"], 1);
    assert!(result["device"].as_str().unwrap().starts_with("cpu"));
    let number = |key: &str| result[key].as_f64().unwrap();
    assert!((number("rows_per_second_end_to_end") * number("seconds") - 250.0).abs() < 1e-6);
    assert!(number("rows_per_second_resident") > 0.0);
    assert!(number("build_seconds") > 0.0 && number("build_seconds") < number("seconds"));
    let trees: u64 = result["engines"]
        .as_object()
        .unwrap()
        .values()
        .map(|n| n.as_u64().unwrap())
        .sum();
    assert_eq!(trees, 100);
    if cfg!(target_os = "linux") {
        assert!(result["peak_rss_bytes"].as_u64().unwrap() > 1 << 20);
    }
}

#[test]
fn all_devices_are_compared() {
    let place = Place::new();
    let text = place.ok(&format!("{CALL} --device all --json"));
    let result: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(keys(&result), ["devices", "largest_difference"]);
    let devices = result["devices"].as_array().unwrap();
    assert!(!devices.is_empty());
    for device in devices {
        assert_eq!(keys(device), KEYS);
        assert_eq!(device["rows"], 114);
    }
    assert!(result["largest_difference"].as_f64().unwrap() < 1e-4);
}

#[test]
fn a_person_reads_a_table() {
    let text = Place::new().ok(&format!("{CALL} --device cpu"));
    for line in [
        "device ",
        "rows/s, end to end ",
        "rows/s, resident ",
        "trees by engine ",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
}

#[test]
fn more_rows_than_memory_holds_are_refused() {
    insta::assert_snapshot!(
        Place::new().fails(&format!("{CALL} --device cpu --rows 99999999999999")),
        @"2: error: rows: 99999999999999 is not allowed: up to 71582788 rows of 30 columns, which memory holds"
    );
}

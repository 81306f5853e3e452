//! `whylight demo`.

use super::{Place, flat};

/// The last number of the first line that begins with `start`.
fn last_number(text: &str, start: &str) -> f64 {
    let line = text.lines().find(|line| line.starts_with(start)).unwrap();
    let mut words = line.split_whitespace().rev();
    words.find_map(|word| word.parse().ok()).unwrap()
}

#[test]
fn demo_shows_device_ranking_and_a_waterfall_that_adds_up() {
    let place = Place::new();
    let text = place.ok("demo --out new/folder");
    for part in [
        "device      ",
        "additivity  error ",
        "the largest of 114 rows checked",
        "Which measurements matter most",
        "worst concave points  ",
        "the 20 others together",
        "base value  ",
        "the 20 other features",
        "new/folder/explanation.json",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    for line in text.lines().filter(|line| !line.starts_with("because")) {
        assert!(line.chars().count() <= 80, "{line}");
    }
    let (_, waterfall) = text.split_once("contribution").unwrap();
    // A step's line ends with its contribution, its sum and, where there is room, a bar.
    let contributions: f64 = waterfall
        .lines()
        .skip_while(|line| !line.starts_with("base value"))
        .skip(1)
        .take_while(|line| !line.starts_with("margin"))
        .map(|line| {
            let numbers = line
                .split_whitespace()
                .filter_map(|word| word.parse::<f64>().ok());
            numbers.rev().nth(1).unwrap()
        })
        .sum();
    let base = last_number(waterfall, "base value");
    let margin = last_number(waterfall, "margin");
    let others = last_number(waterfall, "the 20 other features");
    assert!((base + contributions - margin).abs() < 2e-3);
    assert!((margin - others).abs() < 1e-9);
    assert!(margin < 0.0 && base > 0.0);

    let result = place.json("new/folder/explanation.json");
    let base_value = result["base_values"][0].as_f64().unwrap();
    let sum: f64 = flat(&result["values"][0]).into_iter().map(f64::from).sum();
    assert!((base_value - base).abs() < 1e-3);
    assert!((base_value + sum - margin).abs() < 1e-3);
    assert!(result["additivity_error"].as_f64().unwrap() < 1e-5);
    assert_eq!(result["additivity_rows"], 114);
}

#[test]
fn demo_writes_into_the_current_folder() {
    let place = Place::new();
    place.ok("demo");
    assert_eq!(
        place.files(),
        ["explanation.json", "model.json", "rows.csv"]
    );
}

#[test]
fn demo_says_when_it_cannot_write() {
    let place = Place::new();
    place.write("occupied", "");
    insta::assert_snapshot!(place.fails("demo --out occupied"), @"1: error: occupied: not a folder; name a folder");
}

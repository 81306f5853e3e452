use super::*;

fn numbers() -> Numbers {
    Numbers::new(&ReadOptions::default().missing)
}

#[test]
fn a_cell_is_the_nearest_float64_a_missing_mark_or_neither() {
    let parse = |text: &str| numbers().parse(text.as_bytes());
    assert_eq!(parse("0.1"), Some(0.1));
    assert_eq!(parse(" -1e-5 "), Some(-1e-5));
    assert_eq!(parse("+.5"), Some(0.5));
    assert_eq!(parse("inf"), Some(f64::INFINITY));
    assert_eq!(parse("-inf"), Some(f64::NEG_INFINITY));
    assert_eq!(parse("9007199254740993"), Some(9_007_199_254_740_992.0));
    assert_eq!(parse("True"), Some(1.0));
    for missing in ["", "  ", "NA", "nan", "NaN", "null", "?"] {
        assert!(parse(missing).is_some_and(f64::is_nan), "{missing:?}");
    }
    for neither in ["abc", "1_000", "1,5", "0x10", "12a", "-", "1 2", "\u{661}"] {
        assert_eq!(parse(neither), None, "{neither:?}");
    }
}

#[test]
fn a_missing_mark_can_be_a_number() {
    let numbers = Numbers::new(&["-999".to_owned()]);
    assert!(numbers.parse(b"-999").is_some_and(f64::is_nan));
    assert_eq!(numbers.parse(b"-99"), Some(-99.0));
    assert_eq!(numbers.parse(b"-999.0"), Some(-999.0));
    assert_eq!(numbers.parse(b"NA"), None);
}

#[test]
fn a_missing_mark_can_begin_as_a_number_does() {
    let numbers = Numbers::new(&[".".to_owned(), "-".to_owned(), "-inf".to_owned()]);
    for mark in [".", "-", "-inf", " . "] {
        let parsed = numbers.parse(mark.as_bytes());
        assert!(parsed.is_some_and(f64::is_nan), "{mark:?}");
    }
    assert_eq!(numbers.parse(b"-.5"), Some(-0.5));
}

#[test]
fn known_labels_come_first_even_where_they_look_missing() {
    let mut labels = Labels::new(0, &["?".to_owned(), "b".to_owned()]);
    for cell in ["b", "?", "NA", "c", "", "c"] {
        assert!(labels.push(cell.as_bytes(), &numbers()));
    }
    assert!(!labels.push(b"\xff", &numbers()));
    assert_eq!(labels.codes, [1, 0, -1, 2, -1, 2]);
    assert_eq!(labels.words, ["?", "b", "c"]);
}

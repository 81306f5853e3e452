//! Ranges of iterations against what the libraries predict with them.

use whylight::model::Trees;

use crate::corpus::{Case, cases};
use crate::support::native;

/// The ranges of make/ranges.py, of which a case has those that its iterations allow.
const RANGES: [(u32, u32); 4] = [(0, 1), (0, 3), (1, 3), (2, 4)];

fn find(library: &str, name: &str) -> Case {
    let mut cases = cases(library);
    cases.retain(|case| case.name == name);
    cases.pop().unwrap()
}

fn kept(trees: &Trees, from: u32, to: u32) -> Trees {
    let mut kept = trees.clone();
    kept.keep_iterations(from..to).unwrap();
    kept
}

#[test]
fn margins_of_a_range_equal_the_librarys() {
    let mut compared = 0;
    for (library, rounding) in [
        ("xgboost", f64::from(f32::EPSILON)),
        ("lightgbm", 1e-15),
        ("catboost", 1e-15),
    ] {
        for case in cases(library) {
            let Some(margins) = case.array("range_margin") else {
                continue;
            };
            let trees = native::load(&case);
            let rows = native::rows(&case, &trees);
            let mut ranges = RANGES.to_vec();
            ranges.retain(|range| range.1 <= trees.iterations());
            assert_eq!(
                margins.shape,
                [ranges.len(), rows.shape[0], trees.outputs.len()]
            );
            for (r, (from, to)) in ranges.into_iter().enumerate() {
                let trees = kept(&trees, from, to);
                assert_eq!(trees.iterations(), to - from);
                let native = margins.row(r).chunks(trees.outputs.len());
                for (i, native) in native.enumerate() {
                    let ours = trees.margin(rows.row(i));
                    for (k, (ours, native)) in ours.iter().zip(native).enumerate() {
                        let scale = 1.0 + native::magnitude(&trees, rows.row(i), k);
                        assert!(
                            (ours - native).abs() <= 4.0 * rounding * scale,
                            "{}, iterations {from}..{to}, row {i}, output {k}: {ours} against \
                             {native}",
                            case.name
                        );
                        compared += 1;
                    }
                }
            }
        }
    }
    assert!(compared > 5_000, "only {compared} margins compared");
}

#[test]
fn a_range_of_a_range_counts_from_its_beginning() {
    let all = native::load(&find("lightgbm", "forest_4_7"));
    let rows = vec![
        vec![0.5; all.features.len()],
        vec![-1.0; all.features.len()],
    ];
    let twice = kept(&kept(&all, 1, 5), 1, 3);
    let once = kept(&all, 2, 4);
    for row in rows {
        for (twice, once) in twice.margin(&row).iter().zip(once.margin(&row)) {
            assert!((twice - once).abs() <= 1e-14, "{twice} against {once}");
        }
    }
}

#[test]
fn a_model_without_trees_has_no_range_to_keep() {
    let mut trees = native::load(&find("xgboost", "zero_trees_3_4"));
    assert_eq!(trees.iterations(), 0);
    for range in [0..0, 0..1, 1..2] {
        let error = trees.keep_iterations(range).unwrap_err();
        assert!(error.to_string().contains("0 iterations"), "{error}");
    }
}

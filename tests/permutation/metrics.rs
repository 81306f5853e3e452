//! Metrics by hand: scikit-learn's own numbers are held against them in Python.

use ndarray::{Array2, array};
use whylight::Error;
use whylight::metric::{Decide, Judge, Labels, Metric, Score};

fn classes(of: &[u32], count: usize) -> Labels {
    Labels::Classes {
        of: of.to_vec(),
        count,
    }
}

fn score(metric: &str, labels: Labels, answers: &Array2<f64>) -> f64 {
    let metric: Metric = metric.parse().unwrap();
    let decide = Decide::of(answers.ncols(), true);
    let judge = Judge::new(metric, labels, decide).unwrap();
    judge.score(answers.view()).unwrap()
}

#[test]
fn metrics_of_two_classes() {
    // Told: 1, 0, 1, 1, 0; right are rows 0, 1, 2.
    let answers = array![[0.9], [0.2], [0.6], [0.7], [0.4]];
    let truth = [1, 0, 1, 0, 1];
    for (metric, expected) in [
        ("accuracy", 3.0 / 5.0),
        ("f1_micro", 3.0 / 5.0),
        ("precision", 2.0 / 3.0),
        ("recall", 2.0 / 3.0),
        ("F1", 2.0 / 3.0),
        ("balanced-accuracy", f64::midpoint(2.0 / 3.0, 0.5)),
        // Pairs (1, 0): .9>.2 .9>.7 .6>.2 .6<.7 .4>.2 .4<.7
        ("roc_auc", 4.0 / 6.0),
        // By score: 1, 0, 1, 1, 0.
        ("average_precision", (1.0 + 2.0 / 3.0 + 3.0 / 4.0) / 3.0),
        (
            "neg_log_loss",
            -(0.9_f64 * 0.8 * 0.6 * 0.3 * 0.4).ln() / 5.0,
        ),
        ("brier_score_loss", (0.01 + 0.04 + 0.16 + 0.49 + 0.36) / 5.0),
        (
            "cohen_kappa",
            1.0 - 2.0 / (5.0 - (3.0 * 3.0 + 2.0 * 2.0) / 5.0),
        ),
    ] {
        let got = score(metric, classes(&truth, 2), &answers);
        assert!((got - expected).abs() < 1e-14, "{metric}: {got} {expected}");
    }
}

#[test]
fn metrics_of_several_classes() {
    let answers = array![
        [0.7, 0.2, 0.1],
        [0.1, 0.8, 0.1],
        [0.5, 0.3, 0.2],
        [0.2, 0.3, 0.5],
    ];
    let truth = [0, 1, 1, 2];
    for (metric, expected) in [
        ("accuracy", 0.75),
        ("precision_macro", (0.5 + 1.0 + 1.0) / 3.0),
        ("recall_weighted", 0.75),
        ("f1_macro", (2.0 / 3.0 + 2.0 / 3.0 + 1.0) / 3.0),
        // 0: 3 of 3; 1: .8 > .2 .3, .3 > .2 and ties .3; 2: 3 of 3.
        ("roc_auc_ovr", (1.0 + 3.5 / 4.0 + 1.0) / 3.0),
        ("log_loss", -(0.7_f64 * 0.8 * 0.3 * 0.5).ln() / 4.0),
    ] {
        let got = score(metric, classes(&truth, 3), &answers);
        assert!((got - expected).abs() < 1e-14, "{metric}: {got} {expected}");
    }
}

#[test]
fn metrics_of_numbers() {
    let answers = array![[1.0], [3.0], [2.0], [8.0]];
    let labels = Labels::Numbers(vec![1.0, 2.0, 4.0, 5.0]);
    for (metric, expected) in [
        ("mae", 6.0 / 4.0),
        ("neg_mean_squared_error", 14.0 / 4.0),
        ("rmse", (14.0_f64 / 4.0).sqrt()),
        ("mape", (0.5 + 0.5 + 0.6) / 4.0),
        ("median_absolute_error", 1.5),
        ("max_error", 3.0),
        ("r2", 1.0 - 14.0 / 10.0),
        ("explained_variance", 1.0 - (14.0 - 4.0 * 0.25) / 10.0),
        ("pinball", 0.75),
    ] {
        let got = score(metric, labels.clone(), &answers);
        assert!((got - expected).abs() < 1e-14, "{metric}: {got} {expected}");
    }
    let tenth: Metric = "pinball".parse().unwrap();
    let tenth = tenth.with_number("alpha", 0.1).unwrap();
    let judge = Judge::new(tenth, labels, Decide::Largest).unwrap();
    let got = judge.score(answers.view()).unwrap();
    assert!((got - (0.9 + 0.2 + 2.7) / 4.0).abs() < 1e-15, "{got}");
}

#[test]
fn classes_are_those_of_the_largest_number_and_the_first_of_equal_ones() {
    // Ten times a tenth is not quite 1.
    let tenths: f64 = (0..10).map(|_| 0.1).sum();
    let answers = array![[1.0 - 1e-16, tenths], [tenths / 2.0, 0.5], [0.1, 0.3]];
    assert_eq!(Decide::Largest.classes(&answers.view()), [0, 0, 1]);
    let votes = array![[2.2, 1.7], [0.9, 1.2], [1.0, 2.4]];
    assert_eq!(Decide::Votes.classes(&votes.view()), [0, 0, 1]);
    let one = array![[0.5 + 1e-16], [0.51]];
    assert_eq!(Decide::Above(0.5).classes(&one.view()), [0, 1]);
}

#[test]
fn labels_and_metrics_that_do_not_fit_are_refused_by_name() {
    let refused = |metric: &str, labels: Labels| {
        let metric: Metric = metric.parse().unwrap();
        Judge::new(metric, labels, Decide::Largest)
            .unwrap_err()
            .to_string()
    };
    let said = refused("accuracy", classes(&[1, 1, 1], 2));
    assert!(said.contains("all 3 rows are of one class"), "{said}");
    let said = refused("f1", classes(&[0, 1, 2], 3));
    assert!(
        said.contains("f1 of 3 classes") && said.contains("_micro"),
        "{said}"
    );
    let said = refused("roc_auc", classes(&[0, 1, 1], 3));
    assert!(said.contains("no row is of class 2"), "{said}");
    let said = refused("mae", classes(&[0, 1], 2));
    assert!(said.contains("labels that are classes"), "{said}");
    let said = refused("accuracy", Labels::Numbers(vec![1.0, 2.0]));
    assert!(said.contains("labels that are numbers"), "{said}");
    let said = refused("mae", Labels::Numbers(vec![1.0, f64::NAN]));
    assert!(said.contains("row 2"), "{said}");
    let said = refused("mean_squared_log_error", Labels::Numbers(vec![1.0, -1.0]));
    assert!(said.contains("above -1"), "{said}");
    let said = "f2".parse::<Metric>().unwrap_err().to_string();
    assert!(
        said.contains("\"f2\"") && said.contains("f1_micro"),
        "{said}"
    );
    let judge = Judge::new(Metric::Accuracy, classes(&[0, 1], 2), Decide::Largest).unwrap();
    let error = judge.score(Array2::zeros((3, 2)).view()).unwrap_err();
    assert!(matches!(error, Error::Shape { .. }), "{error}");
    assert!(Metric::Accuracy.with_average("macro").is_err());
    assert!(
        Metric::Pinball { alpha: 0.5 }
            .with_number("alpha", 2.0)
            .is_err()
    );
}

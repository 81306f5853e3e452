//! What is refused, and what is said.

use std::sync::Arc;

use ndarray::{Array2, ArrayView2, array};
use whylight::data::Column;
use whylight::explain::Output;
use whylight::explain::permutation::{PermutationOptions, judge};
use whylight::metric::{Decide, Judge, Labels, Metric, Score};
use whylight::model::{Linear, Model};
use whylight::{Error, Result};

use super::{Weighted, explain, options};

fn linear() -> Arc<Model> {
    Arc::new(Model::Linear(
        Linear::new(array![[1.0, 2.0]], vec![0.0]).unwrap(),
    ))
}

fn rows() -> Array2<f64> {
    array![[1.0, 5.0], [2.0, 5.0], [3.0, 5.0], [4.0, 5.0]]
}

#[test]
fn a_constant_column_has_importance_0_and_is_named() {
    let found = explain(&linear(), &rows(), &Weighted::of(4, 1), &options()).unwrap();
    assert!(
        found
            .importances
            .row(1)
            .iter()
            .all(|importance| *importance == 0.0)
    );
    assert_eq!(found.standard_errors[1], 0.0);
    assert!(
        found.notes[0].contains("constant") && found.notes[0].contains("f1"),
        "{:?}",
        found.notes
    );
    assert!(found.means[0] != 0.0);
}

#[test]
fn one_repeat_has_no_standard_error() {
    let one = PermutationOptions {
        n_repeats: 1,
        ..options()
    };
    let found = explain(&linear(), &rows(), &Weighted::of(4, 1), &one).unwrap();
    assert!(found.standard_errors[0].is_nan() && found.standard_deviations[0] == 0.0);
    let json = serde_json::to_value(&found).unwrap();
    assert!(json["standard_errors"][0].is_null());
    assert_eq!(json["method"], "permutation");
    assert_eq!(json["importances"].as_array().unwrap().len(), 2);
}

#[test]
fn parameters_out_of_range_are_refused_by_name() {
    let said = |cells: &Array2<f64>, score: &dyn Score, options: PermutationOptions| {
        explain(&linear(), cells, score, &options)
            .unwrap_err()
            .to_string()
    };
    let score = Weighted::of(4, 1);
    let none = PermutationOptions {
        n_repeats: 0,
        ..options()
    };
    assert!(said(&rows(), &score, none).starts_with("n_repeats: 0 is not allowed"));
    let strata = PermutationOptions {
        strata: Some(vec![0, 1]),
        ..options()
    };
    let strata = said(&rows(), &score, strata);
    assert!(
        strata.contains("strata") && strata.contains("4 rows"),
        "{strata}"
    );
    let labels = said(&rows(), &Weighted::of(3, 1), options());
    assert!(
        labels.contains("the labels: expected one for each of 4 rows, got 3"),
        "{labels}"
    );
    let empty = said(&Array2::zeros((0, 2)), &Weighted::of(0, 1), options());
    assert!(empty.contains("the rows"), "{empty}");
    let missing = array![[1.0, 2.0], [f64::NAN, 1.0], [3.0, 4.0], [0.0, 0.0]];
    let missing = said(&missing, &score, options());
    assert!(missing.contains("row 2"), "{missing}");
}

/// A metric that is not defined of other answers than the first ones.
#[derive(Debug)]
struct Fragile(std::sync::atomic::AtomicUsize, f64);

impl Score for Fragile {
    fn name(&self) -> String {
        "fragile".to_owned()
    }

    fn is_error(&self) -> bool {
        false
    }

    fn rows(&self) -> Option<usize> {
        None
    }

    fn score(&self, _: ArrayView2<'_, f64>) -> Result<f64> {
        let calls = self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        match (calls, self.1) {
            (0, _) => Ok(1.0),
            (_, number) if number.is_finite() => Err(Error::Predict {
                source: "it broke".into(),
            }),
            (_, number) => Ok(number),
        }
    }
}

#[test]
fn a_metric_that_fails_or_is_no_finite_number_is_named() {
    for (number, words) in [(f64::NAN, "NaN with f0 shuffled"), (0.0, "it broke")] {
        let score = Fragile(0.into(), number);
        let said = explain(&linear(), &rows(), &score, &options())
            .unwrap_err()
            .to_string();
        assert!(said.contains(words), "{said}");
    }
}

#[test]
fn work_can_be_stopped() {
    let cells = rows();
    let rows = whylight::data::View::f64(cells.view(), None);
    let score = Weighted::of(4, 1);
    let mut told = Vec::new();
    let stopped = whylight::explain::permutation::explain_permutation(
        &linear(),
        &rows,
        &score,
        &options(),
        &mut |done| {
            told.push(done);
            false
        },
    );
    assert!(stopped.unwrap().is_none());
    assert_eq!(told, [2]);
}

#[test]
fn labels_are_names_or_numbers_of_classes_and_a_wrong_one_is_named_by_its_row() {
    let weights = array![[1.0, 2.0], [0.5, 1.0], [0.0, 1.0]];
    let mut linear = Linear::new(weights, vec![0.0; 3]).unwrap();
    linear.outputs = ["cat", "dog", "owl"].map(str::to_owned).to_vec();
    let model = Arc::new(Model::Linear(linear));
    let named = Column::Labels {
        codes: vec![2, 0, 1, 1],
        labels: ["dog", "cat", "owl"].map(str::to_owned).to_vec(),
    };
    let numbered = Column::F64(vec![2.0, 1.0, 0.0, 0.0]);
    let answers = Array2::from_shape_fn((4, 3), |(row, k)| f64::from(u8::from(row % 3 == k)));
    let mut scores = Vec::new();
    for labels in [&named, &numbered] {
        let (judge, output) = judge(&model, None, labels).unwrap();
        assert_eq!((judge.name().as_str(), output), ("f1_micro", Output::Raw));
        scores.push(judge.score(answers.view()).unwrap());
    }
    let judge_of = |metric: &str| Some(metric.parse::<Metric>().unwrap());
    let expected = Labels::Classes {
        of: vec![2, 1, 0, 0],
        count: 3,
    };
    let expected = Judge::new(Metric::Accuracy, expected, Decide::Largest).unwrap();
    let expected = expected.score(answers.view()).unwrap();
    assert_eq!(scores, [expected, expected]);
    let wrong = Column::Labels {
        codes: vec![0, 1, -1],
        labels: ["dog", "bat"].map(str::to_owned).to_vec(),
    };
    let said = judge(&model, judge_of("accuracy"), &wrong)
        .unwrap_err()
        .to_string();
    assert!(
        said.contains("row 2: bat") && said.contains("cat, dog, owl"),
        "{said}"
    );
    for (number, words) in [
        (3.0, "row 3: 3"),
        (0.5, "row 3: 0.5"),
        (f64::NAN, "row 3: missing"),
    ] {
        let labels = Column::F64(vec![0.0, 1.0, number]);
        let said = judge(&model, judge_of("accuracy"), &labels)
            .unwrap_err()
            .to_string();
        assert!(said.contains(words), "{said}");
    }
    let said = judge(&model, judge_of("log_loss"), &numbered)
        .unwrap_err()
        .to_string();
    assert!(said.contains("probability"), "{said}");
}

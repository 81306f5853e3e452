//! What LIME is given that it cannot use, or that is unusual.

use ndarray::{Array2, s};
use whylight::explain::lime::{Discretizer, LimeOptions};
use whylight::explain::{Background, Index, Output};
use whylight::{Error, Explanation};

use super::{Arc, Device, Explainer, Options, explainer, model, view};
use crate::support::random::Random;

fn rows(count: usize) -> Array2<f64> {
    let mut random = Random(11);
    Array2::from_shape_fn((count, 3), |(row, feature)| match feature {
        2 => (row % 3) as f64,
        _ => random.unit(),
    })
}

fn options() -> LimeOptions {
    LimeOptions {
        categorical: vec![2],
        num_samples: 200,
        ..LimeOptions::default()
    }
}

fn explained(
    training: &Array2<f64>,
    lime: LimeOptions,
    row: &Array2<f64>,
) -> whylight::Result<Explanation> {
    let model = model(3, 1, |row| {
        vec![
            row.iter()
                .map(|cell| if cell.is_nan() { 9.0 } else { *cell })
                .sum(),
        ]
    });
    let explainer = explainer(&model, training, lime, 0)?;
    Ok(explainer.explain_while(&view(row), &mut |_| true)?.unwrap())
}

fn refusal(lime: LimeOptions) -> String {
    let training = rows(60);
    explained(&training, lime, &training)
        .unwrap_err()
        .to_string()
}

#[test]
fn parameters_out_of_range_are_named() {
    let base = options;
    for (lime, expected) in [
        (
            LimeOptions {
                kernel_width: Some(0.0),
                ..base()
            },
            "kernel_width: 0",
        ),
        (
            LimeOptions {
                kernel_width: Some(-1.0),
                ..base()
            },
            "kernel_width: -1",
        ),
        (
            LimeOptions {
                kernel_width: Some(f64::NAN),
                ..base()
            },
            "kernel_width: NaN",
        ),
        (
            LimeOptions {
                num_features: Some(0),
                ..base()
            },
            "num_features: 0",
        ),
        (
            LimeOptions {
                num_samples: 0,
                ..base()
            },
            "num_samples: 0",
        ),
        (
            LimeOptions {
                num_samples: 1,
                ..base()
            },
            "num_samples: 1",
        ),
        (
            LimeOptions {
                categorical: vec![3],
                ..base()
            },
            "categorical_features: 3",
        ),
        (
            LimeOptions {
                discretizer: Discretizer::Entropy,
                ..base()
            },
            "labels: none",
        ),
        (
            LimeOptions {
                discretizer: Discretizer::Entropy,
                labels: Some(vec![1; 7]),
                ..base()
            },
            "one for each of 60 rows",
        ),
        (
            LimeOptions {
                sample_around_instance: true,
                ..base()
            },
            "sample_around_instance",
        ),
    ] {
        let said = refusal(lime);
        assert!(said.contains(expected), "{said}");
    }
    assert!(
        "quintile"
            .parse::<Discretizer>()
            .unwrap_err()
            .to_string()
            .contains("decile")
    );
}

#[test]
fn missing_cells_are_a_bin_and_no_quantity() {
    let mut training = rows(90);
    training.column_mut(0).slice_mut(s![..30]).fill(f64::NAN);
    let mut row = rows(1);
    row[[0, 0]] = f64::NAN;
    let explanation = explained(&training, options(), &row).unwrap();
    // A missing cell adds 8.5 more than another on average.
    let value = explanation.values[[0, 0, 0]];
    assert!((8.0..9.0).contains(&value), "{value}");
    let quantities = LimeOptions {
        discretizer: Discretizer::None,
        ..options()
    };
    let said = explained(&training, quantities.clone(), &row).unwrap_err();
    assert!(said.to_string().contains("row 1, column \"f0\""), "{said}");
    assert!(said.to_string().contains("discretizer"), "{said}");
    let said = explained(&rows(60), quantities, &row).unwrap_err();
    assert!(said.to_string().contains("row 1"), "{said}");
    row[[0, 0]] = f64::INFINITY;
    assert!(explained(&training, options(), &row).is_err());
}

#[test]
fn a_category_that_was_never_seen_is_its_own_and_said() {
    let mut row = rows(1);
    row[[0, 2]] = 7.0;
    let explanation = explained(&rows(60), options(), &row).unwrap();
    let notes = explanation.trailer.notes.join("\n");
    assert!(
        notes.contains("1 rows have a category that no training row has"),
        "{notes}"
    );
    assert!(explanation.values.iter().all(|value| value.is_finite()));
}

#[test]
fn a_constant_column_and_a_constant_model_have_no_values() {
    let mut training = rows(60);
    training.column_mut(1).fill(2.5);
    for discretizer in [
        Discretizer::Quartile,
        Discretizer::Decile,
        Discretizer::None,
    ] {
        let lime = LimeOptions {
            discretizer,
            ..options()
        };
        let row = training.slice(s![..1, ..]).to_owned();
        let explanation = explained(&training, lime.clone(), &row).unwrap();
        assert_eq!(explanation.values[[0, 1, 0]], 0.0, "{discretizer}");
        assert_eq!(
            explanation.standard_errors.as_ref().unwrap()[[0, 1, 0]],
            0.0
        );
        let model = model(3, 1, |_| vec![0.25]);
        let explainer = explainer(&model, &training, lime, 0).unwrap();
        let explanation = explainer
            .explain_while(&view(&row), &mut |_| true)
            .unwrap()
            .unwrap();
        assert!(explanation.values.iter().all(|value| *value == 0.0));
        assert_eq!(explanation.intercepts.unwrap()[[0, 0]], 0.25);
    }
    // One class has nothing to tell apart.
    let lime = LimeOptions {
        discretizer: Discretizer::Entropy,
        labels: Some(vec![4_000_000_000; 60]),
        ..options()
    };
    assert!(explained(&training, lime, &rows(1)).is_ok());
}

#[test]
fn what_lime_has_none_of_is_refused_by_name() {
    let training = rows(60);
    let model = model(3, 1, |row| vec![row[0]]);
    let lime = || Options {
        lime: Some(Box::new(options())),
        ..Options::on(Device::cpu())
    };
    for (options, expected) in [
        (
            Options {
                index: Index::Banzhaf,
                ..lime()
            },
            "an index",
        ),
        (
            Options {
                interactions: true,
                ..lime()
            },
            "interactions",
        ),
        (
            Options {
                samples: Some(9),
                ..lime()
            },
            "num_samples",
        ),
        (
            Options {
                tolerance: Some(0.1),
                ..lime()
            },
            "a tolerance",
        ),
        (
            Options {
                output: Output::Probability,
                ..lime()
            },
            "probability",
        ),
    ] {
        let made = Explainer::with_background(Arc::clone(&model), Some(view(&training)), options);
        let said = made.unwrap_err().to_string();
        assert!(said.contains(expected), "{said}");
    }
    let said = Explainer::new(Arc::clone(&model), None, lime()).unwrap_err();
    assert!(
        matches!(
            said,
            Error::Parameter {
                name: "background",
                ..
            }
        ),
        "{said}"
    );
    let weights = vec![1.0; 60];
    let weighted = Background::Weighted(view(&training), &weights);
    assert!(Explainer::with_distribution(model, weighted, lime()).is_err());
}

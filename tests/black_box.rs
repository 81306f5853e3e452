//! Kernel SHAP of functions: against the definition, with every coalition evaluated, and what a function
//! that misbehaves comes to.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ndarray::{Array2, Array3, Axis, s};
use whylight::data::{Cells, View};
use whylight::explain::{Background, Estimator, Group, Index, Link, ValueFunction};
use whylight::model::{BlackBox, Feature, Model, Predict};
use whylight::{Device, Error, Explainer, Explanation, Options, Table};

use crate::corpus::cases;
use crate::reference::shapley;
use crate::support::native;
use crate::support::random::Random;

/// Values are written in float32.
const ROUNDING: f64 = 3e-7;

/// A function of a row, as a model.
struct Function<F>(F);

impl<F> fmt::Debug for Function<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a function")
    }
}

impl<F: Fn(Array2<f64>) -> whylight::Result<Array2<f64>> + Send + Sync> Predict for Function<F> {
    fn predict(&self, rows: Array2<f64>) -> whylight::Result<Array2<f64>> {
        (self.0)(rows)
    }
}

fn model(
    features: usize,
    outputs: usize,
    function: impl Fn(Array2<f64>) -> whylight::Result<Array2<f64>> + Send + Sync + 'static,
) -> Arc<Model> {
    Arc::new(Model::BlackBox(BlackBox {
        features: vec![Feature::default(); features],
        outputs: (0..outputs)
            .map(|output| format!("output {output}"))
            .collect(),
        predict: Arc::new(Function(function)),
    }))
}

/// Two probabilities that sum to 1, of products and steps of the cells; a missing cell counts as 0.3.
fn probabilities(row: &[f64]) -> [f64; 2] {
    let cell = |i: usize| if row[i].is_nan() { 0.3 } else { row[i] };
    let mut margin = 0.7 * cell(0) * cell(1) - cell(2);
    for i in 3..row.len() {
        margin +=
            (cell(i) * (i as f64 - 2.5)).sin() + if cell(i) > cell(i - 1) { 0.4 } else { 0.0 };
    }
    let p = 1.0 / (1.0 + (-margin).exp());
    [1.0 - p, p]
}

fn of_rows(rows: &Array2<f64>) -> Array2<f64> {
    let mut answer = Array2::zeros((rows.nrows(), 2));
    for (row, mut answer) in rows.outer_iter().zip(answer.outer_iter_mut()) {
        let row: Vec<f64> = row.to_vec();
        answer.assign(&ndarray::arr1(&probabilities(&row)));
    }
    answer
}

fn cells(rows: usize, features: usize, seed: u64) -> Array2<f64> {
    let mut random = Random(seed);
    Array2::from_shape_simple_fn((rows, features), || match random.unit() {
        x if x < 0.1 => f64::NAN,
        // Few values, so that rows agree in some cells.
        x => (x * 5.0).round() / 2.0 - 1.0,
    })
}

fn options(estimator: Estimator) -> Options {
    Options {
        estimator,
        ..Options::on(Device::cpu())
    }
}

fn table(cells: &Array2<f64>) -> Table {
    Table::new(None, Cells::F64(cells.clone())).unwrap()
}

const WEIGHTS: [f64; 5] = [1.0, 2.0, 0.0, 3.0, 2.0];

/// Values (row, player, output) by their definition.
fn defined(
    rows: &Array2<f64>,
    background: &Array2<f64>,
    players: &[Vec<usize>],
    link: Link,
    index: Index,
) -> Array3<f64> {
    let mut values = Array3::zeros((rows.nrows(), players.len(), 2));
    let total: f64 = WEIGHTS.iter().sum();
    for (r, row) in rows.outer_iter().enumerate() {
        let worth = |output: usize| -> Vec<f64> {
            let coalition = |set: usize| {
                let mut mean = 0.0;
                for (other, weight) in background.outer_iter().zip(WEIGHTS) {
                    let mut mixed = other.to_vec();
                    for (player, columns) in players.iter().enumerate() {
                        if set >> player & 1 == 1 {
                            for &column in columns {
                                mixed[column] = row[column];
                            }
                        }
                    }
                    mean += weight / total * probabilities(&mixed)[output];
                }
                match link {
                    Link::Logit => (mean / (1.0 - mean)).ln(),
                    _ => mean,
                }
            };
            (0..1 << players.len()).map(coalition).collect()
        };
        for output in 0..2 {
            let of = match index {
                Index::Banzhaf => shapley::banzhaf(&worth(output)),
                Index::Shapley => shapley::values(&worth(output)),
            };
            for (player, value) in of.into_iter().enumerate() {
                values[[r, player, output]] = value;
            }
        }
    }
    values
}

fn explained(
    model: &Arc<Model>,
    background: &Array2<f64>,
    rows: &Array2<f64>,
    options: Options,
) -> Result<Explanation, Error> {
    let background = table(background);
    let weighted = Background::Weighted(View::from(&background), &WEIGHTS);
    Explainer::with_distribution(model.clone(), weighted, options)?.explain(&table(rows))
}

#[test]
fn exact_values_are_as_defined() {
    let (background, rows) = (cells(5, 7, 1), cells(12, 7, 2));
    let model = model(7, 2, |rows| Ok(of_rows(&rows)));
    let alone: Vec<Vec<usize>> = (0..7).map(|feature| vec![feature]).collect();
    let group = |name: &str, features: &[usize]| Group {
        name: name.to_owned(),
        features: features.to_vec(),
    };
    let grouped = vec![group("a", &[6, 1]), group("b", &[3, 4])];
    let of_groups = vec![vec![0], vec![1, 6], vec![2], vec![3, 4], vec![5]];
    for (groups, players) in [(Vec::new(), alone), (grouped, of_groups)] {
        for link in [Link::Identity, Link::Logit] {
            for (estimator, index) in [
                (Estimator::Auto, Index::Shapley),
                (Estimator::Exact, Index::Shapley),
                (Estimator::Exact, Index::Banzhaf),
                // All coalitions are among those that are drawn.
                (Estimator::Sampled, Index::Shapley),
            ] {
                let options = Options {
                    groups: groups.clone(),
                    link,
                    index,
                    ..options(estimator)
                };
                let got = explained(&model, &background, &rows, options).unwrap();
                let expected = defined(&rows, &background, &players, link, index);
                assert_eq!(got.values.dim(), expected.dim());
                for (at, expected) in expected.indexed_iter() {
                    let value = f64::from(got.values[at]);
                    let far = (value - expected).abs();
                    assert!(
                        far <= ROUNDING * (1.0 + expected.abs()),
                        "{link} {estimator} {at:?}"
                    );
                }
                if index == Index::Shapley {
                    assert!(got.trailer.additivity_error < 1e-6);
                    assert_eq!(got.trailer.additivity_rows, 12);
                }
                assert_eq!(got.header.method, "kernel_shap");
                let errors = got.standard_errors.iter().flatten();
                assert!(errors.into_iter().all(|error| *error == 0.0));
            }
        }
    }
}

/// Fourteen features, whose exact values are known, of coalitions that are drawn.
#[test]
fn estimates_are_off_by_their_errors() {
    let (background, rows) = (cells(5, 14, 3), cells(20, 14, 4));
    let model = model(14, 2, |rows| Ok(of_rows(&rows)));
    let exact = explained(&model, &background, &rows, options(Estimator::Exact)).unwrap();
    let (mut inside, mut all) = (0, 0);
    for seed in 0..5 {
        let sampled = Options {
            samples: Some(300),
            seed,
            ..options(Estimator::Sampled)
        };
        let got = explained(&model, &background, &rows, sampled).unwrap();
        let errors = got.standard_errors.as_ref().unwrap();
        assert!(got.trailer.additivity_error < 1e-6);
        let largest = errors.iter().fold(0.0_f32, |a, &b| a.max(b));
        assert!(largest < 0.05 && (f64::from(largest) - got.trailer.standard_error).abs() < 1e-7);
        for (at, value) in exact.values.indexed_iter().filter(|(at, _)| at.2 == 1) {
            let far = (value - got.values[at]).abs();
            assert!(
                far < 6.0 * errors[at] + 1e-6,
                "{at:?}: {far} beside {}",
                errors[at]
            );
            if errors[at] > 0.0 {
                inside += usize::from(far <= 1.96 * errors[at]);
                all += 1;
            }
        }
    }
    assert!(all > 1000, "{all} estimates");
    let share = f64::from(inside as u32) / f64::from(all as u32);
    assert!((0.88..=0.99).contains(&share), "{share} within two errors");
}

/// Of two outputs that add up to a constant, and of two that do not.
#[test]
fn each_of_two_outputs_has_the_values_that_it_has_alone() {
    let (background, rows) = (cells(5, 14, 3), cells(4, 14, 4));
    let sampled = |model: &Arc<Model>| {
        let options = Options {
            samples: Some(300),
            ..options(Estimator::RegressionAdjusted)
        };
        explained(model, &background, &rows, options).unwrap()
    };
    for slope in [1.0, 2.0] {
        let both = move |rows: Array2<f64>| {
            let mut answer = of_rows(&rows);
            answer.column_mut(0).mapv_inplace(|p| p.powf(slope));
            answer
        };
        let together = sampled(&model(14, 2, move |rows| Ok(both(rows))));
        for output in 0..2 {
            let one = move |rows: Array2<f64>| Ok(both(rows).slice_move(s![.., output..=output]));
            let alone = sampled(&model(14, 1, one));
            for (row, output_of_row) in together.values.outer_iter().zip(alone.values.outer_iter())
            {
                for (value, expected) in row.column(output).iter().zip(output_of_row.column(0)) {
                    assert!(
                        (value - expected).abs() < 1e-6,
                        "{slope}: {value} {expected}"
                    );
                }
            }
            let errors = |of: &Explanation, output: usize| -> Vec<f32> {
                let errors = of.standard_errors.as_ref().unwrap();
                errors.slice(s![.., .., output]).iter().copied().collect()
            };
            let errors = errors(&together, output).into_iter().zip(errors(&alone, 0));
            for (error, expected) in errors {
                assert!(
                    (error - expected).abs() < 1e-6,
                    "{slope}: {error} {expected}"
                );
            }
        }
    }
}

/// Missing cells, categories, several outputs, leaves that are linear: what trees of any library answer for
/// a row is the sum of what their splits and leaves say.
#[test]
fn trees_as_a_black_box_have_interventional_values() {
    for (library, name) in [
        ("xgboost", "softprob_1_7"),
        ("lightgbm", "binary_categorical_4_7"),
        ("lightgbm", "linear_multiclass_4_7"),
        ("catboost", "one_hot_1_2"),
    ] {
        let case = cases(library).into_iter().find(|case| case.name == name);
        let trees = native::load(&case.unwrap());
        let features = trees.features.len();
        assert!(features <= 16, "{name} has {features} features");
        let background = cells(5, features, 21);
        let rows = cells(6, features, 22);
        let model = Arc::new(Model::BlackBox(trees.clone().into()));
        let asked = explained(&model, &background, &rows, options(Estimator::Exact)).unwrap();
        let trees = Arc::new(Model::Trees(trees));
        let read = explained(&trees, &background, &rows, options(Estimator::Auto)).unwrap();
        assert_eq!(asked.values.dim(), read.values.dim());
        assert!(read.values.iter().any(|value| *value != 0.0), "{name}");
        for (value, other) in asked.values.iter().zip(&read.values) {
            let far = (value - other).abs();
            assert!(
                far <= 1e-6 * other.abs().max(1.0),
                "{name}: {value} is not {other}"
            );
        }
    }
}

#[test]
fn the_first_answer_says_how_many_outputs_there_are() {
    let asked = |function: fn(Array2<f64>) -> whylight::Result<Array2<f64>>, row: Array2<f64>| {
        let features = vec![Feature::default(); 7];
        BlackBox::asked(Arc::new(Function(function)), features, row)
    };
    let first = || cells(1, 7, 1);
    let black_box = asked(|rows| Ok(of_rows(&rows)), first()).unwrap();
    assert_eq!(black_box.outputs, ["output 0", "output 1"]);
    assert_eq!(black_box.title(), "black box");
    let error = asked(|_| Ok(Array2::zeros((1, 0))), first()).unwrap_err();
    assert!(error.to_string().contains("1 rows of 0 outputs"), "{error}");
    let error = asked(|_| Ok(Array2::zeros((2, 1))), first()).unwrap_err();
    assert!(error.to_string().contains("2 rows of 1 outputs"), "{error}");
    let error = asked(|rows| Ok(of_rows(&rows)), cells(1, 6, 1)).unwrap_err();
    assert!(error.to_string().contains("one row of 7 cells"), "{error}");
}

#[test]
fn what_does_not_vary_plays_no_part() {
    let mut background = cells(5, 6, 5);
    let mut rows = cells(4, 6, 6);
    for column in [1, 4] {
        background.column_mut(column).fill(0.5);
        rows.column_mut(column).fill(0.5);
    }
    rows.row_mut(2).assign(&background.row(3));
    let alike = background.select(Axis(0), &[3, 3, 3, 3, 3]);
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let model = model(6, 2, move |rows| {
        counted.fetch_add(rows.nrows(), Ordering::Relaxed);
        Ok(of_rows(&rows))
    });
    for estimator in [Estimator::Exact, Estimator::Auto, Estimator::Sampled] {
        let got = explained(&model, &background, &rows, options(estimator)).unwrap();
        for column in [1, 4] {
            let values = got.values.index_axis(Axis(1), column);
            assert!(values.iter().all(|value| *value == 0.0));
        }
        // The row that all of the background is.
        let got = explained(&model, &alike, &rows, options(estimator)).unwrap();
        let values = got.values.index_axis(Axis(0), 2);
        assert!(values.iter().all(|value| *value == 0.0));
    }
    // Four players at most: the background, and for each row 14 coalitions against four rows with a weight,
    // and itself; then a background row again, and the row for its margin.
    asked.store(0, Ordering::Relaxed);
    let got = explained(&model, &background, &rows, options(Estimator::Auto)).unwrap();
    let count = asked.load(Ordering::Relaxed);
    assert!(count <= 4 + 4 * (14 * 4 + 1) + 1 + 4, "{count} rows");
    let note = got.trailer.notes.join("; ");
    assert!(note.contains("the model was asked 1 times, for "), "{note}");
}

#[test]
fn batches_and_threads_change_no_bit() {
    let (background, rows) = (cells(5, 9, 7), cells(30, 9, 8));
    let model = model(9, 2, |rows| Ok(of_rows(&rows)));
    let bits = |explanation: &Explanation| -> Vec<u32> {
        explanation
            .values
            .iter()
            .map(|value| value.to_bits())
            .collect()
    };
    for estimator in [Estimator::Exact, Estimator::Sampled] {
        let whole = explained(&model, &background, &rows, options(estimator)).unwrap();
        for (memory_limit, threads) in [(Some(1), 1), (Some(1000), 2), (Some(100_000), 0)] {
            let options = Options {
                memory_limit,
                threads,
                ..options(estimator)
            };
            let part = explained(&model, &background, &rows, options).unwrap();
            assert_eq!(bits(&whole), bits(&part), "{memory_limit:?}");
        }
        let one = rows.select(Axis(0), &[17]);
        let alone = explained(&model, &background, &one, options(estimator)).unwrap();
        let of_row = whole.values.index_axis(Axis(0), 17).to_owned();
        assert_eq!(of_row, alone.values.index_axis(Axis(0), 0));
    }
}

#[test]
fn a_model_that_misbehaves_is_named() {
    let (background, rows) = (cells(5, 4, 9), cells(3, 4, 10));
    let says = |function: fn(Array2<f64>) -> whylight::Result<Array2<f64>>| {
        let model = model(4, 2, function);
        let error = explained(&model, &background, &rows, options(Estimator::Auto)).unwrap_err();
        error.to_string()
    };
    let short = says(|rows| Ok(of_rows(&rows).slice(ndarray::s![1.., ..]).to_owned()));
    assert!(
        short.contains("its answer to 4 rows: 3 rows of 2 outputs"),
        "{short}"
    );
    let narrow = says(|rows| Ok(Array2::zeros((rows.nrows(), 1))));
    assert!(narrow.contains("4 rows of 1 outputs; expected"), "{narrow}");
    let nan = says(|rows| {
        let mut answer = of_rows(&rows);
        answer[[2, 1]] = f64::NAN;
        Ok(answer)
    });
    assert!(nan.contains("output 1 of row 2 is NaN"), "{nan}");

    let calls = AtomicUsize::new(0);
    let failing = model(4, 2, move |rows| {
        if calls.fetch_add(1, Ordering::Relaxed) == 2 {
            let source = "the server hung up".into();
            return Err(Error::Predict { source });
        }
        Ok(of_rows(&rows))
    });
    let limited = Options {
        memory_limit: Some(1000),
        ..options(Estimator::Auto)
    };
    let error = explained(&failing, &background, &rows, limited).unwrap_err();
    let text = error.to_string();
    assert_eq!(text, "the model did not answer: the server hung up");
}

#[test]
fn what_cannot_be_asked_of_a_black_box_is_refused_by_name() {
    let (background, rows) = (cells(5, 18, 11), cells(2, 18, 12));
    let model = model(18, 2, |rows| Ok(of_rows(&rows)));
    let refused = |options: Options, says: &str| {
        let error = explained(&model, &background, &rows, options)
            .unwrap_err()
            .to_string();
        assert!(error.contains(says), "{error}");
    };
    let auto = || options(Estimator::Auto);
    refused(
        options(Estimator::Exact),
        "players vary between it and the background",
    );
    refused(options(Estimator::Rescaled), "the estimator rescaled");
    refused(
        Options {
            interactions: true,
            ..auto()
        },
        "interactions of up to 16 players",
    );
    refused(
        Options {
            interactions: true,
            ..options(Estimator::Sampled)
        },
        "interactions with the estimator sampled",
    );
    for tolerance in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let tolerance = Some(tolerance);
        refused(
            Options {
                tolerance,
                ..auto()
            },
            "tolerance: ",
        );
    }
    refused(
        Options {
            tolerance: Some(0.1),
            ..options(Estimator::ShapSampling)
        },
        "a tolerance with the estimator shap_sampling",
    );
    refused(
        Options {
            used_only: true,
            ..auto()
        },
        "used_only",
    );
    refused(
        Options {
            index: Index::Banzhaf,
            ..auto()
        },
        "Banzhaf",
    );
    refused(
        Options {
            value_function: ValueFunction::Conditional,
            ..auto()
        },
        "the conditional value function",
    );
    let without = Explainer::new(model.clone(), None, auto()).unwrap_err();
    assert!(
        without.to_string().contains("background: none"),
        "{without}"
    );
    let mean = [0.0; 18];
    let moments = Background::Moments {
        mean: &mean,
        covariance: None,
    };
    let error = Explainer::with_distribution(model.clone(), moments, auto()).unwrap_err();
    assert!(
        error.to_string().contains("a background of moments"),
        "{error}"
    );

    let many = Options {
        samples: Some(u32::MAX),
        ..auto()
    };
    refused(many, "samples: 4294967295 is not allowed");
    for (features, outputs) in [(0, 1), (3, 0)] {
        let none = self::model(features, outputs, |rows| Ok(of_rows(&rows)));
        let error = explained(&none, &background, &rows, auto()).unwrap_err();
        let says = format!("{outputs} outputs and {features} features");
        assert!(error.to_string().contains(&says), "{error}");
    }
    let linear = whylight::model::Linear::new(Array2::ones((1, 18)), vec![0.0]).unwrap();
    for options in [
        options(Estimator::Permutation),
        Options {
            tolerance: Some(0.1),
            ..auto()
        },
    ] {
        let linear = Arc::new(Model::Linear(linear.clone()));
        let error = explained(&linear, &background, &rows, options).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("explain the model as a black box"),
            "{error}"
        );
    }
    let logit = Options {
        link: Link::Logit,
        ..auto()
    };
    let linear = Arc::new(Model::Linear(linear));
    let error = explained(&linear, &background, &rows, logit).unwrap_err();
    assert!(error.to_string().contains("the link logit"), "{error}");

    let certain = self::model(18, 1, |rows| Ok(Array2::ones((rows.nrows(), 1))));
    let logit = Options {
        link: Link::Logit,
        ..auto()
    };
    let error = explained(&certain, &background, &rows, logit).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("a mean answer of 1 is not supported by the link logit")
    );
    assert!("logit".parse::<Link>().is_ok() && "probit".parse::<Link>().is_err());
}

const SAMPLED: [Estimator; 4] = [
    Estimator::Sampled,
    Estimator::RegressionAdjusted,
    Estimator::ShapSampling,
    Estimator::Permutation,
];

#[test]
fn every_estimator_is_off_by_its_errors_for_as_many_calls() {
    let (background, rows) = (cells(5, 13, 21), cells(12, 13, 22));
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let model = model(13, 2, move |rows| {
        counted.fetch_add(rows.nrows(), Ordering::Relaxed);
        Ok(of_rows(&rows))
    });
    let exact = explained(&model, &background, &rows, options(Estimator::Exact)).unwrap();
    let mut counts = Vec::new();
    for estimator in SAMPLED {
        assert_eq!(estimator.name().parse::<Estimator>().unwrap(), estimator);
        let sampled = Options {
            samples: Some(300),
            ..options(estimator)
        };
        asked.store(0, Ordering::Relaxed);
        let got = explained(&model, &background, &rows, sampled.clone()).unwrap();
        counts.push(asked.load(Ordering::Relaxed));
        assert_eq!(got.header.estimator, estimator.name());
        assert!(got.trailer.additivity_error < 1e-6, "{estimator}");
        let errors = got.standard_errors.as_ref().unwrap();
        for (at, value) in exact.values.indexed_iter() {
            let far = (value - got.values[at]).abs();
            assert!(
                far < 7.0 * errors[at] + 1e-6,
                "{estimator} {at:?}: {far} beside {}",
                errors[at]
            );
        }
        let limited = Options {
            memory_limit: Some(20_000),
            threads: 1,
            ..sampled
        };
        let part = explained(&model, &background, &rows, limited).unwrap();
        assert_eq!(got.values, part.values, "{estimator}");
        assert_eq!(got.standard_errors, part.standard_errors, "{estimator}");
    }
    let (fewest, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
    assert!(*most as f64 <= 1.1 * *fewest as f64, "{counts:?}");
}

#[test]
fn a_tolerance_is_met_row_by_row_with_coalitions_that_are_asked_once() {
    let (background, rows) = (cells(5, 18, 23), cells(6, 18, 24));
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let model = model(18, 2, move |rows| {
        counted.fetch_add(rows.nrows(), Ordering::Relaxed);
        Ok(of_rows(&rows))
    });
    for estimator in [
        Estimator::Auto,
        Estimator::RegressionAdjusted,
        Estimator::Permutation,
    ] {
        let within = |tolerance: f64| Options {
            tolerance: Some(tolerance),
            ..options(estimator)
        };
        let counted = |options: Options, rows: &Array2<f64>| {
            asked.store(0, Ordering::Relaxed);
            let got = explained(&model, &background, rows, options).unwrap();
            (got, asked.load(Ordering::Relaxed))
        };
        let first = Options {
            samples: Some(256),
            ..options(estimator)
        };
        let first = counted(first, &rows).0.trailer.standard_error;
        let (coarse, fine) = (1.01 * first, 0.6 * first);
        let (loose, few) = counted(within(coarse), &rows);
        let (tight, many) = counted(within(fine), &rows);
        for (got, tolerance) in [(&loose, coarse), (&tight, fine)] {
            assert!(got.trailer.standard_error <= tolerance, "{estimator}");
            assert!(got.trailer.additivity_error < 1e-6);
        }
        assert!(few < many, "{estimator}: {few} and {many} rows");
        // Rows stop on their own, and no neighbour or batch changes a bit.
        let alone = |row: usize| counted(within(fine), &rows.select(Axis(0), &[row]));
        let counts: Vec<usize> = (0..4).map(|row| alone(row).1).collect();
        for row in [0, 4] {
            let (one, _) = alone(row);
            let of_row = tight.values.index_axis(Axis(0), row);
            assert_eq!(one.values.index_axis(Axis(0), 0), of_row, "{estimator}");
        }
        if estimator == Estimator::Auto {
            assert!(counts.iter().any(|&count| count != counts[0]), "{counts:?}");
        }
        let limited = Options {
            memory_limit: Some(50_000),
            ..within(fine)
        };
        assert_eq!(counted(limited, &rows).0.values, tight.values);
        // A row that passes all rounds has asked for the coalitions of the last alone, and for itself in each.
        let bounded = Options {
            samples: Some(1024),
            ..within(1e-9)
        };
        let (got, count) = counted(bounded, &rows.select(Axis(0), &[0]));
        assert!(count <= 2048 * 4 + 4 + 12, "{estimator}: {count} rows");
        let notes = got.trailer.notes.join("; ");
        assert!(
            notes.contains("the tolerance was not met by 1 rows"),
            "{notes}"
        );
    }
}

#[test]
fn a_model_that_changes_its_answers_is_named() {
    let (background, rows) = (cells(5, 8, 25), cells(3, 8, 26));
    let noisy = |size: f64| {
        let calls = AtomicUsize::new(0);
        model(8, 2, move |rows| {
            let call = calls.fetch_add(1, Ordering::Relaxed);
            Ok(of_rows(&rows) + size * (call % 7) as f64)
        })
    };
    let error = explained(&noisy(0.01), &background, &rows, options(Estimator::Auto)).unwrap_err();
    let says = error.to_string();
    assert!(matches!(error, Error::Model { .. }), "{says}");
    assert!(says.contains("the same answer to the same row"), "{says}");
    let allowed = Options {
        allow_noise: true,
        ..options(Estimator::Auto)
    };
    explained(&noisy(0.01), &background, &rows, allowed).unwrap();
    // As batches of other sizes are rounded.
    explained(&noisy(1e-9), &background, &rows, options(Estimator::Auto)).unwrap();
}

#[test]
fn interactions_are_as_defined_and_add_up_to_the_values() {
    let (mut background, mut rows) = (cells(5, 6, 27), cells(5, 6, 28));
    background.column_mut(2).fill(0.5);
    rows.column_mut(2).fill(0.5);
    let model = model(6, 2, |rows| Ok(of_rows(&rows)));
    let interactions = Options {
        interactions: true,
        ..options(Estimator::Auto)
    };
    let got = explained(&model, &background, &rows, interactions).unwrap();
    let values = explained(&model, &background, &rows, options(Estimator::Exact)).unwrap();
    assert_eq!(got.values.dim(), (5, 36, 2));
    assert!(got.header.exact && got.header.interactions && got.standard_errors.is_none());
    assert!(got.trailer.additivity_error < 1e-6);
    let factorial = |n: usize| (1..=n).product::<usize>() as f64;
    for (r, row) in rows.outer_iter().enumerate() {
        let worth = |set: usize| {
            let mut mean = 0.0;
            for (other, weight) in background.outer_iter().zip(WEIGHTS) {
                let cell = |f: usize| if set >> f & 1 == 1 { row[f] } else { other[f] };
                let mixed: Vec<f64> = (0..6).map(cell).collect();
                mean += weight / WEIGHTS.iter().sum::<f64>() * probabilities(&mixed)[1];
            }
            mean
        };
        for i in 0..6 {
            let cell = |j: usize| f64::from(got.values[[r, 6 * i + j, 1]]);
            let sum: f64 = (0..6).map(cell).sum();
            let value = f64::from(values.values[[r, i, 1]]);
            assert!((sum - value).abs() < 1e-6, "{r} {i}");
            for j in (0..6).filter(|&j| j != i) {
                let sets = (0..64_usize).filter(|set| set >> i & 1 == 0 && set >> j & 1 == 0);
                let expected: f64 = sets
                    .map(|set| {
                        let size = set.count_ones() as usize;
                        let both = worth(set | 1 << i | 1 << j) - worth(set | 1 << i);
                        let weight = factorial(size) * factorial(4 - size) / factorial(5);
                        0.5 * weight * (both - worth(set | 1 << j) + worth(set))
                    })
                    .sum();
                assert!((cell(j) - expected).abs() < 1e-6, "{r} {i} {j}");
            }
        }
    }
}

#[test]
fn sparse_rows_and_backgrounds_are_those_that_they_stand_for() {
    use whylight::data::Indices;
    let dense = cells(8, 6, 29).mapv(|cell| if cell > 0.6 { cell } else { 0.0 });
    let (mut entries, mut indices, mut starts) = (Vec::new(), Vec::new(), vec![0_i32]);
    for row in dense.outer_iter() {
        for (column, &cell) in row.iter().enumerate().filter(|(_, cell)| **cell != 0.0) {
            entries.push(cell);
            indices.push(column as i32);
        }
        starts.push(entries.len() as i32);
    }
    let sparse = View::csr_f64(
        &entries,
        Indices::I32(&indices),
        Indices::I32(&starts),
        6,
        None,
    )
    .unwrap();
    let model = model(6, 2, |rows| Ok(of_rows(&rows)));
    let dense = table(&dense);
    let explained = |background: View<'_>, rows: &View<'_>| {
        let options = options(Estimator::Auto);
        let explainer = Explainer::with_background(model.clone(), Some(background), options);
        let go_on = &mut |_| true;
        let got = explainer.unwrap().explain_while(rows, go_on).unwrap();
        got.unwrap().values
    };
    let expected = explained(View::from(&dense), &View::from(&dense));
    assert_eq!(explained(sparse.clone(), &sparse), expected);
}

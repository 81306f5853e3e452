//! Outputs that are no sum over trees, of the models of the corpus: against the definition, with every
//! coalition evaluated, and against each other.

use ndarray::{Array3, Axis};
use whylight::data::View;
use whylight::explain::{Background, Estimator, Group, Index, Output, ValueFunction};
use whylight::{Device, Error, Explainer, Explanation, Options};

use super::stable::{assert_same_bits, stream};
use super::subject::{LIBRARIES, Subject, against_background, subject};
use crate::reference::shapley;

/// Rows whose coalitions are enumerated.
const DEFINED: usize = 4;

/// Rows of the background, with their weights.
const WEIGHTS: [f64; 5] = [1.0, 2.0, 0.0, 3.0, 2.0];

/// Probabilities and losses are computed in float64 and written in float32.
const ROUNDING: f64 = 2e-7;

fn options(output: Output, estimator: Estimator) -> Options {
    Options {
        output,
        estimator,
        ..Options::on(Device::cpu())
    }
}

fn explainer(subject: &Subject, options: Options) -> Result<Explainer, Error> {
    let background = subject.table.slice(0..WEIGHTS.len()).unwrap();
    let background = Background::Weighted(View::from(&background), &WEIGHTS);
    Explainer::with_distribution(subject.model.clone(), background, options)
}

fn explained(subject: &Subject, options: Options) -> Explanation {
    explainer(subject, options)
        .unwrap()
        .explain(&subject.table)
        .unwrap()
}

/// The prediction that a library makes of margins, or its losses, from its documentation.
pub(super) fn answer(objective: &str, margins: &[f64], loss: bool) -> Vec<f64> {
    let (name, scale) = objective
        .split_once(" sigmoid:")
        .unwrap_or((objective, "1"));
    let scale: f64 = scale.parse().unwrap();
    let sigmoid = |m: &f64| 1.0 / (1.0 + (-scale * m).exp());
    let name = name.split(' ').next().unwrap();
    let p: Vec<f64> = match name {
        "binary:logistic" | "reg:logistic" | "binary" | "multiclassova" | "cross_entropy"
        | "Logloss" | "CrossEntropy" | "MultiClassOneVsAll" | "LOGISTIC" | "sigmoid"
        | "multiclass_ova" => margins.iter().map(sigmoid).collect(),
        "multi:softprob" | "multi:softmax" | "multiclass" | "MultiClass" | "SOFTMAX"
        | "softmax" => {
            let total: f64 = margins.iter().map(|m| m.exp()).sum();
            margins.iter().map(|m| m.exp() / total).collect()
        }
        "count:poisson" | "reg:gamma" | "reg:tweedie" | "survival:cox" | "survival:aft"
        | "poisson" | "gamma" | "tweedie" | "Poisson" | "Tweedie" | "exponential" => {
            margins.iter().map(|m| m.exp()).collect()
        }
        "Cox" => margins.iter().map(|m| m.exp()).collect(),
        "binary:hinge" => {
            let step = |m: &f64| f64::from(u8::from(*m > 0.0));
            margins.iter().map(step).collect()
        }
        "RMSEWithUncertainty" => vec![margins[0], (2.0 * margins[1]).exp()],
        "reg:expectileerror" => {
            let mut sum = margins[0];
            let rest = margins[1..].iter().map(|m| {
                sum += f64::from(1e-6_f32) + (1.0 + m.exp()).ln();
                sum
            });
            [margins[0]].into_iter().chain(rest).collect()
        }
        _ => margins.to_vec(),
    };
    match (loss, &p[..]) {
        (false, _) => p,
        (true, [p]) => vec![-(1.0 - p).ln(), -p.ln()],
        (true, _) => p.iter().map(|p| -p.ln()).collect(),
    }
}

/// What every coalition is worth, (output, coalition).
fn worth(subject: &Subject, row: &[f64], loss: bool) -> Vec<Vec<f64>> {
    let features = row.len();
    let total: f64 = WEIGHTS.iter().sum();
    let mut worth: Vec<Vec<f64>> = Vec::new();
    for coalition in 0..1_usize << features {
        for (b, weight) in WEIGHTS.iter().enumerate() {
            let other = subject.rows.row(b);
            let cell = |f: usize| {
                if coalition >> f & 1 == 1 {
                    row[f]
                } else {
                    other[f]
                }
            };
            let mixed: Vec<f64> = (0..features).map(cell).collect();
            let answer = answer(
                &subject.trees.objective,
                &subject.trees.margin(&mixed),
                loss,
            );
            worth.resize(answer.len(), vec![0.0; 1 << features]);
            for (worth, answer) in worth.iter_mut().zip(answer) {
                worth[coalition] += weight / total * answer;
            }
        }
    }
    worth
}

fn is_defined(
    subject: &Subject,
    explanation: &Explanation,
    loss: bool,
    of_game: &dyn Fn(&[f64]) -> Vec<f64>,
) {
    let values = &explanation.values;
    for row in 0..DEFINED.min(values.dim().0) {
        let worth = worth(subject, subject.rows.row(row), loss);
        assert_eq!(worth.len(), values.dim().2, "{}", subject.case.name);
        for (k, worth) in worth.iter().enumerate() {
            let scale = worth.iter().fold(1.0_f64, |a, b| a.max(b.abs()));
            let base = explanation.header.base_values[k];
            let name = &subject.case.name;
            assert!(
                (base - worth[0]).abs() < 1e-12 * scale,
                "{name}: base {base}"
            );
            for (f, expected) in of_game(worth).iter().enumerate() {
                let value = f64::from(values[[row, f, k]]);
                assert!(
                    (value - expected).abs() <= ROUNDING * scale,
                    "{name}, row {row}, feature {f}, output {k}: {value} is not {expected}"
                );
            }
        }
    }
}

#[test]
fn responses_and_losses_of_every_objective_are_as_defined() {
    let (mut responses, mut losses, mut refused) = (0, 0, Vec::new());
    for subject in LIBRARIES.into_iter().flat_map(against_background) {
        if subject.trees.features.len() > 9 {
            continue;
        }
        match explainer(&subject, options(Output::Response, Estimator::Auto)) {
            Ok(explainer) => {
                let explanation = explainer.explain(&subject.table).unwrap();
                assert!(explanation.header.exact, "{}", subject.case.name);
                assert!(explanation.standard_errors.is_none());
                let error = explanation.trailer.additivity_error;
                let margins = subject.trees.margin(subject.rows.row(0));
                assert!(error < 1e-5 * (1.0 + margins[0].abs()) * 100.0, "{error}");
                is_defined(&subject, &explanation, false, &shapley::values);
                responses += 1;
            }
            Err(Error::Unsupported { what, .. }) => refused.push(what),
            Err(error) => panic!("{}: {error}", subject.case.name),
        }
        match explainer(&subject, options(Output::LogLoss, Estimator::Exact)) {
            Ok(explainer) => {
                let explanation = explainer.explain(&subject.table).unwrap();
                is_defined(&subject, &explanation, true, &shapley::values);
                losses += 1;
            }
            Err(Error::Unsupported { .. } | Error::Parameter { .. }) => {}
            Err(error) => panic!("{}: {error}", subject.case.name),
        }
    }
    assert!(responses > 120 && losses > 50, "{responses} and {losses}");
    refused.sort();
    refused.dedup();
    insta::assert_debug_snapshot!(refused, @r#"
    [
        "the objective exponential_standard_ratio of this treelite checkpoint model",
    ]
    "#);
}

#[test]
fn groups_play_for_probabilities_and_banzhaf_values_are_theirs_too() {
    for (library, name) in [("xgboost", "softprob_3_4"), ("lightgbm", "multiclass_4_7")] {
        let subject = subject(library, name);
        let features = subject.trees.features.len();
        let of: Vec<u32> = (0..features as u32).map(|f| f / 2).collect();
        let group = |g: usize| Group {
            name: format!("g{g}"),
            features: (2 * g..features.min(2 * g + 2)).collect(),
        };
        let grouped = Options {
            groups: (0..features.div_ceil(2)).map(group).collect(),
            ..options(Output::Probability, Estimator::Auto)
        };
        is_defined(&subject, &explained(&subject, grouped), false, &|worth| {
            shapley::values(&shapley::grouped(worth, &of))
        });
        let banzhaf = Options {
            index: Index::Banzhaf,
            ..options(Output::Probability, Estimator::Auto)
        };
        is_defined(
            &subject,
            &explained(&subject, banzhaf),
            false,
            &shapley::banzhaf,
        );
    }
}

/// Where the sizes of coalitions have no more members than are drawn, an estimate is exact.
#[test]
fn an_estimate_agrees_with_the_exact_values_within_its_errors() {
    for (library, name) in [("xgboost", "binary_3_4"), ("xgboost", "softprob_3_4")] {
        let subject = subject(library, name);
        let exact = explained(&subject, options(Output::Probability, Estimator::Exact));
        let all = explained(&subject, options(Output::Probability, Estimator::Sampled));
        assert!(!all.header.exact);
        assert_eq!(all.header.estimator, "sampled");
        assert_eq!(all.trailer.standard_error, 0.0);
        close(&all.values, &exact.values, |_| 1e-6);
        let some = Options {
            samples: Some(2),
            ..options(Output::Probability, Estimator::Sampled)
        };
        let some = explained(&subject, some);
        let errors = some.standard_errors.as_ref().unwrap();
        assert!(some.trailer.standard_error > 0.0);
        let largest = errors.iter().fold(0.0_f32, |a, b| a.max(*b));
        assert_eq!(f64::from(largest), some.trailer.standard_error);
        // Of the fewest coalitions that there can be: a rule that none of them meets is in no error.
        let far = |at| (some.values[at] - exact.values[at]).abs() > 6.0 * errors[at] + 1e-6;
        let outside = errors.indexed_iter().filter(|(at, _)| far(*at)).count();
        assert!(100 * outside <= errors.len(), "{name}: {outside} values");
        assert!(some.trailer.additivity_error < 1e-6, "{name}");
        let note = &some.trailer.notes[0];
        assert!(note.contains("estimated from sampled coalitions"), "{note}");
    }
}

fn close(a: &Array3<f32>, b: &Array3<f32>, most: impl Fn((usize, usize, usize)) -> f32) {
    assert_eq!(a.dim(), b.dim());
    for (at, value) in a.indexed_iter() {
        assert!(
            (value - b[at]).abs() <= most(at),
            "{at:?}: {value} and {}",
            b[at]
        );
    }
}

#[test]
fn rescaled_values_add_up_and_say_how_far_they_are_off() {
    let subject = subject("xgboost", "binary_3_4");
    let exact = explained(&subject, options(Output::Probability, Estimator::Exact));
    let rescaled = explained(&subject, options(Output::Probability, Estimator::Rescaled));
    assert_eq!(rescaled.header.estimator, "rescaled");
    assert!(!rescaled.header.exact);
    assert!(
        rescaled.trailer.additivity_error < 1e-6,
        "{}",
        rescaled.trailer.additivity_error
    );
    let rows = |e: &Explanation| e.values.slice(ndarray::s![..8, .., ..]).to_owned();
    let differences = rows(&rescaled) - rows(&exact);
    let largest = differences.iter().fold(0.0_f32, |a, d| a.max(d.abs()));
    let said = rescaled.trailer.approximation_error;
    assert!(
        (f64::from(largest) - said).abs() < 1e-7,
        "{largest} but {said}"
    );
    assert!(said > 1e-4, "{said}");
    let softmax = self::subject("xgboost", "softprob_3_4");
    let error = explainer(&softmax, options(Output::Probability, Estimator::Rescaled));
    assert!(error.unwrap_err().to_string().contains("softmax"));
}

#[test]
fn what_is_not_defined_of_an_output_is_refused_by_name() {
    let subject = subject("xgboost", "binary_3_4");
    let with = |options: Options| Explainer::new(subject.model.clone(), None, options);
    let probability = options(Output::Probability, Estimator::Auto);
    let error = with(probability.clone()).unwrap_err().to_string();
    assert!(
        error.contains("path-dependent values of the output probability"),
        "{error}"
    );
    let pairs = Options {
        interactions: true,
        ..probability
    };
    let error = explainer(&subject, pairs).unwrap_err().to_string();
    assert!(
        error.contains("interactions of the output probability"),
        "{error}"
    );
    let poisson = self::subject("xgboost", "poisson_1_0");
    for (output, says) in [
        (Output::Probability, "its predictions are no probabilities"),
        (Output::LogLoss, "the logarithmic loss"),
    ] {
        let error = explainer(&poisson, options(output, Estimator::Auto)).unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
        assert!(error.to_string().contains("count:poisson"), "{error}");
    }
    let endless = Options {
        samples: Some(u32::MAX),
        ..options(Output::Probability, Estimator::Sampled)
    };
    let error = explainer(&subject, endless).unwrap_err().to_string();
    assert!(
        error.contains("samples") && error.contains("4294967295"),
        "{error}"
    );
    let path_dependent = Options {
        value_function: ValueFunction::PathDependent,
        ..options(Output::Response, Estimator::Auto)
    };
    assert!(explainer(&subject, path_dependent).is_err());
}

#[test]
fn threads_and_batches_change_no_bit_of_an_output() {
    let subject = subject("lightgbm", "multiclass_4_7");
    for estimator in [Estimator::Exact, Estimator::Sampled] {
        let with = |threads: usize| Options {
            threads,
            samples: Some(40),
            ..options(Output::Probability, estimator)
        };
        let one = explained(&subject, with(1));
        let two = explained(&subject, with(2));
        let alone = explainer(&subject, with(2)).unwrap();
        for row in 0..6 {
            let table = subject.table.slice(row..row + 1).unwrap();
            let values = alone.explain(&table).unwrap().values;
            let of_row = |values: &Array3<f32>, row: usize| -> Vec<u32> {
                values
                    .index_axis(Axis(0), row)
                    .iter()
                    .map(|v| v.to_bits())
                    .collect()
            };
            assert_eq!(of_row(&values, 0), of_row(&one.values, row));
            assert_eq!(of_row(&values, 0), of_row(&two.values, row));
        }
    }
}

/// Against one row the players that vary differ from row to row: those that do not are 0, whatever the
/// batch before had there.
#[test]
fn streamed_batches_have_the_values_of_the_whole() {
    let subject = subject("xgboost", "binary_3_4");
    let path = subject.case.folder.join("rows.npy");
    for estimator in [Estimator::Exact, Estimator::Sampled] {
        let with = |memory_limit: Option<u64>| {
            let options = Options {
                memory_limit,
                ..options(Output::Probability, estimator)
            };
            let one = subject.table.slice(4..5).unwrap();
            Explainer::new(subject.model.clone(), Some(&one), options).unwrap()
        };
        let whole = with(None).explain(&subject.table).unwrap().values;
        let (streamed, blocks) = stream(&with(Some(4096)), &path);
        assert!(blocks > 5, "{blocks} blocks");
        assert!(whole.iter().any(|value| *value == 0.0));
        assert_same_bits("streamed", &whole, &streamed);
    }
}

/// A background of several blocks is the one that it repeats, for outputs and for trees that are compared
/// with it row by row.
#[test]
fn repeating_the_background_changes_nothing() {
    for (library, name) in [
        ("xgboost", "binary_3_4"),
        ("lightgbm", "binary_float32_4_7"),
    ] {
        let subject = subject(library, name);
        let some = subject.table.slice(0..5).unwrap();
        let rows: Vec<usize> = (0..600).map(|row| row % 5).collect();
        let all = subject.table.select(&rows).unwrap();
        for estimator in [Estimator::Exact, Estimator::Rescaled] {
            let values = |background| {
                let options = options(Output::Probability, estimator);
                let model = subject.model.clone();
                let explainer = Explainer::new(model, Some(background), options).unwrap();
                explainer.explain(&subject.table).unwrap().values
            };
            close(&values(&all), &values(&some), |_| 1e-6);
        }
    }
}

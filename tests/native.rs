//! Kernel SHAP of models that are evaluated by kernels of our own: against the definition, and against the same
//! model as a black box.

#[cfg(feature = "gpu")]
mod gpu;

use std::fmt;
use std::sync::Arc;

use ndarray::Array2;
use whylight::data::{Cells, View};
use whylight::explain::{Background, Estimator, Group, Link, Output};
use whylight::model::{
    Activation, BlackBox, Decision, Feature, Kernel, KernelMachine, Layer, Metric, Mlp, Model,
    NaiveBayes, Neighbours, Predict,
};
use whylight::{Device, Error, Explainer, Explanation, Options, Table};

use crate::reference::shapley;
use crate::support::random::Random;

/// A model, and which of its outputs is explained.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) model: Model,
    pub(crate) output: Output,
    /// The largest error beside the largest value.
    bound: f64,
}

/// A model whose numbers are asked for as a black box.
struct Asked(Model, Output);

impl fmt::Debug for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a model")
    }
}

impl Predict for Asked {
    fn predict(&self, rows: Array2<f64>) -> whylight::Result<Array2<f64>> {
        let answers: Vec<Vec<f64>> = rows
            .outer_iter()
            .map(|row| self.of(&row.to_vec()))
            .collect();
        let outputs = answers[0].len();
        Ok(Array2::from_shape_vec((rows.nrows(), outputs), answers.concat()).unwrap())
    }
}

impl Asked {
    fn of(&self, row: &[f64]) -> Vec<f64> {
        match self.1 {
            Output::Raw => self.0.raw(row).unwrap(),
            _ => self.0.probabilities(row).unwrap(),
        }
    }
}

fn numbers(random: &mut Random, shape: (usize, usize), scale: f64) -> Array2<f64> {
    Array2::from_shape_simple_fn(shape, || scale * (2.0 * random.unit() - 1.0))
}

fn outputs(count: usize) -> Vec<String> {
    (0..count).map(|k| format!("class {k}")).collect()
}

fn machine(
    random: &mut Random,
    features: usize,
    kernel: Kernel,
    classes: usize,
    raw: Decision,
    probability: Option<Decision>,
) -> Model {
    let machines = match (raw, classes) {
        (Decision::Margins, 2) => 1,
        (Decision::Margins, classes) => classes,
        _ => classes * (classes - 1) / 2,
    };
    let platt = (0..machines)
        .map(|_| [1.5 + random.unit(), random.unit() - 0.5])
        .collect();
    let machine = KernelMachine {
        features: vec![Feature::default(); features],
        outputs: outputs(classes),
        kernel,
        vectors: numbers(random, (23, features), 1.0),
        coefficients: numbers(random, (machines, 23), 1.0),
        intercepts: numbers(random, (1, machines), 0.5)
            .into_raw_vec_and_offset()
            .0,
        raw,
        probability: probability.map(|decision| (decision, platt)),
    };
    machine.check("machine".as_ref()).unwrap();
    Model::KernelMachine(machine)
}

fn mlp(
    random: &mut Random,
    features: usize,
    activation: Activation,
    widths: &[usize],
    probability: Option<Decision>,
) -> Model {
    let mut inputs = features;
    let layer = |&neurons: &usize| {
        let layer = Layer {
            weights: numbers(random, (neurons, inputs), 1.0),
            biases: numbers(random, (1, neurons), 0.5)
                .into_raw_vec_and_offset()
                .0,
        };
        inputs = neurons;
        layer
    };
    let layers: Vec<Layer> = widths.iter().map(layer).collect();
    let classes = match probability {
        Some(Decision::Pair) => 2,
        _ => inputs,
    };
    let mlp = Mlp {
        features: vec![Feature::default(); features],
        outputs: outputs(classes),
        activation,
        layers,
        probability,
    };
    mlp.check("mlp".as_ref()).unwrap();
    Model::Mlp(mlp)
}

/// Every kind of model, kernel, activation and decision.
pub(crate) fn cases(features: usize) -> Vec<Case> {
    let mut random = Random(7);
    let gammas: Vec<f64> = (0..features).map(|j| 0.1 + 0.05 * (j % 3) as f64).collect();
    let kernels = [
        Kernel::Rbf(gammas.clone()),
        Kernel::Laplacian(0.2),
        Kernel::Matern {
            gammas: gammas.clone(),
            order: 0,
        },
        Kernel::Matern { gammas, order: 2 },
        Kernel::Polynomial {
            gamma: 0.3,
            coef0: 0.7,
            degree: 3,
        },
        Kernel::Sigmoid {
            gamma: 0.3,
            coef0: -0.2,
        },
    ];
    let mut cases = Vec::new();
    let mut add = |name: String, model: Model, output: Output, bound: f64| {
        cases.push(Case {
            name,
            model,
            output,
            bound,
        });
    };
    for kernel in kernels {
        for (classes, raw, probability) in [
            (1, Decision::Margins, None),
            (2, Decision::Margins, Some(Decision::ClippedPair)),
            (2, Decision::Margins, Some(Decision::Coupled(2))),
            (3, Decision::Votes(3), Some(Decision::Coupled(3))),
            (4, Decision::Margins, None),
        ] {
            let model = machine(
                &mut random,
                features,
                kernel.clone(),
                classes,
                raw,
                probability,
            );
            let name = format!("{kernel:?} of {classes}");
            if probability.is_some() {
                let name = format!("{name}, probability");
                add(name, model.clone(), Output::Probability, 2e-7);
            }
            // Margins of product kernels come from products in float32.
            add(name, model, Output::Raw, 1e-6);
        }
    }
    let all = [
        Activation::Identity,
        Activation::Relu,
        Activation::Logistic,
        Activation::Tanh,
    ];
    for activation in all {
        for (widths, probability) in [
            (&[1][..], Some(Decision::Pair)),
            (&[3], Some(Decision::Softmax)),
            (&[7, 1], Some(Decision::Pair)),
            (&[33, 10, 3], Some(Decision::Softmax)),
            (&[5, 6, 7, 2], None),
        ] {
            let model = mlp(&mut random, features, activation, widths, probability);
            let name = format!("{activation:?} {widths:?}");
            if probability.is_some() {
                let name = format!("{name}, probability");
                add(name, model.clone(), Output::Probability, 2e-6);
            }
            add(name, model, Output::Raw, 2e-6);
        }
    }
    let bayes = Model::NaiveBayes(NaiveBayes {
        features: vec![Feature::default(); features],
        outputs: outputs(3),
        means: numbers(&mut random, (3, features), 1.0),
        variances: numbers(&mut random, (3, features), 0.5).mapv(|v| v.abs() + 0.5),
        priors: vec![-1.0, -0.5, -2.0],
    });
    add("naive Bayes".to_owned(), bayes.clone(), Output::Raw, 2e-7);
    for (metric, by_distance, is_classifier) in [
        (Metric::Euclidean, false, true),
        (Metric::Euclidean, true, true),
        (Metric::Manhattan, true, false),
    ] {
        let neighbours = Neighbours {
            features: vec![Feature::default(); features],
            outputs: outputs(2),
            rows: numbers(&mut random, (31, features), 1.0),
            targets: numbers(&mut random, (31, 2), 0.4).mapv(|target| target + 0.5),
            count: 5,
            metric,
            by_distance,
            is_classifier,
        };
        neighbours.check("neighbours".as_ref()).unwrap();
        let output = if is_classifier {
            Output::Probability
        } else {
            Output::Raw
        };
        let name = format!("neighbours, {metric:?}, by distance: {by_distance}");
        add(name, Model::Neighbours(neighbours), output, 2e-7);
    }
    add(
        "naive Bayes, probability".to_owned(),
        bayes,
        Output::Probability,
        2e-7,
    );
    cases
}

fn cells(rows: usize, features: usize, seed: u64) -> Array2<f64> {
    let mut random = Random(seed);
    let mut cells = Array2::from_shape_simple_fn((rows, features), || {
        (random.unit() * 9.0).round() / 4.0 - 1.0
    });
    // A column that is the same everywhere, and one that is the same in some rows.
    cells.column_mut(1).fill(0.25);
    for row in (0..rows).step_by(3) {
        cells[[row, 2]] = 0.5;
    }
    cells
}

fn table(cells: &Array2<f64>) -> Table {
    Table::new(None, Cells::F64(cells.clone())).unwrap()
}

fn weights(rows: usize) -> Vec<f64> {
    (0..rows).map(|row| (row % 4) as f64).collect()
}

fn explained(
    model: &Model,
    background: &Array2<f64>,
    rows: &Array2<f64>,
    options: Options,
) -> Result<Explanation, Error> {
    let weights = weights(background.nrows());
    let background = table(background);
    let weighted = Background::Weighted(View::from(&background), &weights);
    Explainer::with_distribution(Arc::new(model.clone()), weighted, options)?.explain(&table(rows))
}

fn options(case: &Case, estimator: Estimator) -> Options {
    Options {
        estimator,
        output: case.output,
        ..Options::on(Device::cpu())
    }
}

/// Values (player, output) of a row by their definition.
fn defined(
    case: &Case,
    row: &[f64],
    background: &Array2<f64>,
    players: &[Vec<usize>],
    link: Link,
) -> Vec<Vec<f64>> {
    let model = Asked(case.model.clone(), case.output);
    let weights = weights(background.nrows());
    let total: f64 = weights.iter().sum();
    let mut worths: Vec<Vec<f64>> = Vec::new();
    for set in 0..1_usize << players.len() {
        let mut means = Vec::new();
        for (other, weight) in background.outer_iter().zip(&weights) {
            let mut mixed = other.to_vec();
            for (player, columns) in players.iter().enumerate() {
                for &column in columns.iter().filter(|_| set >> player & 1 == 1) {
                    mixed[column] = row[column];
                }
            }
            let answer = model.of(&mixed);
            means.resize(answer.len(), 0.0);
            for (mean, answer) in means.iter_mut().zip(answer) {
                *mean += weight / total * answer;
            }
        }
        if link == Link::Logit {
            for mean in &mut means {
                *mean = (*mean / (1.0 - *mean)).ln();
            }
        }
        worths.push(means);
    }
    let of_output = |output: usize| {
        let worth: Vec<f64> = worths.iter().map(|means| means[output]).collect();
        shapley::values(&worth)
    };
    (0..worths[0].len()).map(of_output).collect()
}

/// Holds values (row, player, output) against expected ones (row, output, player).
fn compare(name: &str, got: &Explanation, expected: &[Vec<Vec<f64>>], bound: f64) {
    for (row, expected) in expected.iter().enumerate() {
        for (output, expected) in expected.iter().enumerate() {
            let largest = expected.iter().fold(0.1, |a: f64, b| a.max(b.abs()));
            for (player, expected) in expected.iter().enumerate() {
                let got = f64::from(got.values[[row, player, output]]);
                let off = (got - expected).abs();
                assert!(
                    off <= bound * largest,
                    "{name}: row {row}, player {player}, output {output}: {got} and not {expected}"
                );
            }
        }
    }
}

/// Hands out every model, with a background, rows and the values (row, output, player) that these have by definition:
/// of six features, and of twelve.
fn each_exact(check: impl Fn(&Case, &Array2<f64>, &Array2<f64>, &[Vec<Vec<f64>>])) {
    for [features, others, rows] in [[6, 19, 2], [12, 5, 1]] {
        let (background, rows) = (cells(others, features, 1), cells(rows, features, 2));
        let players: Vec<Vec<usize>> = (0..features).map(|column| vec![column]).collect();
        for case in cases(features) {
            let expected: Vec<_> = (rows.outer_iter())
                .map(|row| defined(&case, &row.to_vec(), &background, &players, Link::Identity))
                .collect();
            check(&case, &background, &rows, &expected);
        }
    }
}

#[test]
fn exact_values_are_as_defined() {
    each_exact(|case, background, rows, expected| {
        for estimator in [Estimator::Exact, Estimator::Auto] {
            let options = options(case, estimator);
            let got = explained(&case.model, background, rows, options).unwrap();
            assert!(got.trailer.standard_error == 0.0, "{}", case.name);
            compare(&case.name, &got, expected, case.bound);
            let error = got.trailer.additivity_error;
            assert!(error < 2e-6, "{}: {error}", case.name);
        }
    });
}

#[test]
fn groups_and_links_are_as_defined() {
    let (background, rows) = (cells(19, 7, 3), cells(2, 7, 4));
    let players = [vec![0, 5], vec![1], vec![2, 3, 4], vec![6]];
    let group = |name: &str, features: &[usize]| Group {
        name: name.to_owned(),
        features: features.to_vec(),
    };
    for case in cases(7) {
        let links = [Link::Identity, Link::Logit];
        let count = if case.output == Output::Probability {
            2
        } else {
            1
        };
        for link in links.into_iter().take(count) {
            let options = Options {
                groups: vec![group("ends", &[0, 5]), group("middle", &[2, 3, 4])],
                link,
                ..options(&case, Estimator::Auto)
            };
            let got = explained(&case.model, &background, &rows, options).unwrap();
            let expected: Vec<_> = (rows.outer_iter())
                .map(|row| defined(&case, &row.to_vec(), &background, &players, link))
                .collect();
            // The link's slope.
            let bound = case.bound * if link == Link::Logit { 20.0 } else { 1.0 };
            compare(&case.name, &got, &expected, bound);
        }
    }
}

#[test]
fn estimates_are_those_of_the_same_model_as_a_black_box() {
    let (background, rows) = (cells(20, 20, 5), cells(2, 20, 6));
    for case in cases(20) {
        let answer = Asked(case.model.clone(), case.output);
        let outputs = answer.of(&rows.row(0).to_vec()).len();
        let black_box = Model::BlackBox(BlackBox {
            features: vec![Feature::default(); 20],
            outputs: (0..outputs).map(|k| k.to_string()).collect(),
            predict: Arc::new(answer),
        });
        let sampled = |output| Options {
            samples: Some(90),
            output,
            ..options(&case, Estimator::Sampled)
        };
        let got = explained(&case.model, &background, &rows, sampled(case.output)).unwrap();
        let expected = explained(&black_box, &background, &rows, sampled(Output::Raw)).unwrap();
        for (base, expected) in got
            .header
            .base_values
            .iter()
            .zip(&expected.header.base_values)
        {
            assert!(
                (base - expected).abs() < 1e-12 * expected.abs().max(1.0),
                "{}",
                case.name
            );
        }
        let expected: Vec<Vec<Vec<f64>>> = (expected.values.outer_iter())
            .map(|row| {
                let of = |output| {
                    row.column(output)
                        .iter()
                        .map(|&value| value.into())
                        .collect()
                };
                (0..outputs).map(of).collect()
            })
            .collect();
        compare(&case.name, &got, &expected, 2.0 * case.bound);
    }
}

#[test]
fn batches_threads_and_memory_change_no_bit() {
    let (background, rows) = (cells(70, 18, 8), cells(30, 18, 9));
    for case in cases(18) {
        let of = |threads, memory_limit, rows: &Array2<f64>| {
            let options = Options {
                threads,
                memory_limit,
                samples: Some(40),
                ..options(&case, Estimator::Auto)
            };
            explained(&case.model, &background, rows, options)
                .unwrap()
                .values
        };
        let whole = of(1, None, &rows);
        assert_eq!(of(2, Some(1 << 16), &rows), whole, "{}", case.name);
        assert_eq!(of(2, Some(1), &rows), whole, "{}", case.name);
        let one = rows.slice(ndarray::s![7..8, ..]).to_owned();
        let alone = of(1, None, &one);
        assert_eq!(
            alone.row_values(),
            whole.slice(ndarray::s![7.., .., ..]).row_values()
        );
    }
}

trait RowValues {
    fn row_values(&self) -> Vec<u32>;
}

impl<S: ndarray::Data<Elem = f32>> RowValues for ndarray::ArrayBase<S, ndarray::Ix3> {
    /// The bits of the first row.
    fn row_values(&self) -> Vec<u32> {
        let row = self.index_axis(ndarray::Axis(0), 0);
        row.iter().map(|value| value.to_bits()).collect()
    }
}

#[test]
fn closed_forms_hold_where_no_coalitions_could() {
    // Values of many players add up, and are those of sampled coalitions to their errors.
    let (background, rows) = (cells(18, 60, 10), cells(1, 60, 11));
    let mut closed = 0;
    for case in cases(60) {
        let got = explained(
            &case.model,
            &background,
            &rows,
            options(&case, Estimator::Auto),
        )
        .unwrap();
        if !got.header.exact {
            continue;
        }
        closed += 1;
        assert!(got.standard_errors.is_none());
        assert!(
            got.trailer.additivity_error < 1e-5,
            "{}: {}",
            case.name,
            got.trailer.additivity_error
        );
        let sampled = explained(
            &case.model,
            &background,
            &rows,
            options(&case, Estimator::Sampled),
        )
        .unwrap();
        let errors = sampled.standard_errors.unwrap();
        for ((exact, sampled), error) in got.values.iter().zip(&sampled.values).zip(&errors) {
            assert!(
                (exact - sampled).abs() <= 6.0 * error + 1e-5 * exact.abs().max(1.0),
                "{}: {exact} and {sampled}, which is off by {error}",
                case.name
            );
        }
    }
    // Two product kernels, with one margin, twice one of two classes, and four; single layers; naive Bayes.
    assert_eq!(closed, 2 * 4 + 2 * 4 + 1);
}

#[test]
fn what_a_model_cannot_read_or_answer_is_named() {
    let (background, rows) = (cells(9, 6, 1), cells(3, 6, 2));
    let all = cases(6);
    for case in &all {
        let run = |background: &Array2<f64>, rows: &Array2<f64>| {
            explained(
                &case.model,
                background,
                rows,
                options(case, Estimator::Auto),
            )
            .map(drop)
        };
        let mut missing = rows.clone();
        missing[[1, 4]] = f64::NAN;
        let error = run(&background, &missing).unwrap_err().to_string();
        assert!(
            error.contains("row 2") && error.contains("missing"),
            "{error}"
        );
        let mut infinite = background.clone();
        infinite[[2, 3]] = f64::INFINITY;
        let error = run(&infinite, &rows).unwrap_err().to_string();
        assert!(
            error.contains("background") && error.contains("inf"),
            "{error}"
        );
        let none = Explainer::new(
            Arc::new(case.model.clone()),
            None,
            options(case, Estimator::Auto),
        );
        assert!(none.unwrap_err().to_string().contains("background"));
        let loss = Options {
            output: Output::LogLoss,
            ..options(case, Estimator::Auto)
        };
        let error = explained(&case.model, &background, &rows, loss).unwrap_err();
        assert!(error.to_string().contains("log_loss"), "{error}");
    }
    for case in &all {
        let run = |background: &Array2<f64>, rows: &Array2<f64>| {
            explained(
                &case.model,
                background,
                rows,
                options(case, Estimator::Auto),
            )
        };
        // Where numbers leave their range, it is an error that says so; where they do not, they are finite.
        let (mut huge, mut far) = (rows.clone(), background.clone());
        huge.row_mut(1).fill(1e300);
        far.row_mut(1).fill(-1e300);
        for got in [run(&background, &huge), run(&far, &rows)] {
            match got {
                Ok(got) => assert!(got.values.iter().all(|v| v.is_finite()), "{}", case.name),
                Err(error) => {
                    let error = error.to_string();
                    assert!(
                        error.contains("range") && error.contains("scale"),
                        "{}: {error}",
                        case.name
                    );
                }
            }
        }
    }
    let regressor = all.iter().find(|case| case.name.ends_with("of 4")).unwrap();
    let probability = Options {
        output: Output::Probability,
        ..options(regressor, Estimator::Auto)
    };
    let error = explained(&regressor.model, &background, &rows, probability).unwrap_err();
    assert!(error.to_string().contains("none"), "{error}");
}

//! Linear SHAP against the definition of Shapley values, and at its edges.

mod edges;
mod sparse;
mod stable;

use std::sync::Arc;

use ndarray::{Array2, Array3, Axis, s};
use whylight::data::View;
use whylight::explain::{Background, ValueFunction};
use whylight::model::{Linear, Model};
use whylight::{Device, Explainer, Explanation, Options};

use crate::reference::linear::{Distribution, moments, values};
use crate::support::random::Random;

fn options(value_function: ValueFunction) -> Options {
    Options {
        value_function,
        ..Options::on(Device::cpu())
    }
}

fn matrix(rows: usize, columns: usize, random: &mut Random) -> Array2<f64> {
    Array2::from_shape_simple_fn((rows, columns), || 4.0 * random.unit() - 2.0)
}

/// Rows whose columns are correlated, on different scales.
fn correlated(rows: usize, columns: usize, random: &mut Random) -> Array2<f64> {
    let mix = matrix(columns, columns, random);
    let scale = Array2::from_shape_fn((1, columns), |(_, column)| 10_f64.powi(column as i32 - 2));
    matrix(rows, columns, random).dot(&mix) * scale + 3.0
}

fn model(outputs: usize, features: usize, random: &mut Random) -> Arc<Model> {
    let intercepts = (0..outputs).map(|_| random.unit()).collect();
    let coefficients = matrix(outputs, features, random);
    Arc::new(Model::Linear(
        Linear::new(coefficients, intercepts).unwrap(),
    ))
}

fn linear(model: &Model) -> &Linear {
    match model {
        Model::Linear(linear) => linear,
        _ => panic!("not linear"),
    }
}

fn explain(
    model: &Arc<Model>,
    background: Background<'_>,
    rows: &Array2<f64>,
    options: Options,
) -> Explanation {
    let explainer = Explainer::with_distribution(model.clone(), background, options).unwrap();
    let view = View::f64(rows.view(), None);
    explainer
        .explain_while(&view, &mut |_| true)
        .unwrap()
        .unwrap()
}

/// Checks values against the definition, to a share of the row's largest value.
fn check(name: &str, model: &Model, rows: &Array2<f64>, given: &Distribution, got: &Explanation) {
    let linear = linear(model);
    let tolerance = if given.ridge > 0.0 { 3e-6 } else { 1e-6 };
    for (k, coefficients) in linear.coefficients.outer_iter().enumerate() {
        let base: f64 = linear.intercepts[k]
            + (coefficients.iter().zip(&given.mean))
                .map(|(a, b)| a * b)
                .sum::<f64>();
        assert!(
            (got.header.base_values[k] - base).abs() < 1e-9 * (1.0 + base.abs()),
            "{name}"
        );
        for (row, values_of_row) in rows.outer_iter().zip(got.values.outer_iter()) {
            let expected = values(&coefficients.to_vec(), &row.to_vec(), given);
            let largest = expected.iter().fold(1e-9, |a: f64, b| a.max(b.abs()));
            for (f, expected) in expected.iter().enumerate() {
                let off = (f64::from(values_of_row[[f, k]]) - expected).abs() / largest;
                assert!(off < tolerance, "{name}, output {k}, feature {f}: {off:e}");
            }
        }
    }
    let scale = got
        .values
        .iter()
        .fold(1.0, |a: f64, b| a.max(f64::from(b.abs())));
    assert!(got.trailer.additivity_error < 1e-5 * scale, "{name}");
    assert_eq!(got.trailer.additivity_rows, rows.nrows() as u64, "{name}");
}

#[test]
fn values_are_those_of_the_definition() {
    let mut random = Random(1);
    for (features, outputs, weighted) in [
        (1, 1, false),
        (2, 1, true),
        (5, 3, false),
        (7, 2, true),
        (8, 1, false),
    ] {
        let model = model(outputs, features, &mut random);
        let background = correlated(40, features, &mut random);
        let rows = correlated(6, features, &mut random);
        let weights: Vec<f64> = (0..40)
            .map(|row| {
                if weighted && row % 5 > 0 {
                    3.0 * random.unit()
                } else {
                    1.0
                }
            })
            .collect();
        let view = View::f64(background.view(), None);
        let (mean, covariance) = moments(&background.view(), &weights);
        for value_function in [ValueFunction::Interventional, ValueFunction::Conditional] {
            let conditional = value_function == ValueFunction::Conditional;
            let given = Distribution {
                mean: mean.clone(),
                covariance: conditional.then(|| covariance.clone()),
                ridge: 0.0,
            };
            let name = format!("{features} features, {value_function}");
            let of_rows = if weighted {
                Background::Weighted(view.clone(), &weights)
            } else {
                Background::Rows(view.clone())
            };
            let got = explain(&model, of_rows, &rows, options(value_function));
            assert!(got.header.exact);
            assert_eq!(got.header.method, "linear_shap");
            assert_eq!(got.header.value_function, value_function.name());
            check(&name, &model, &rows, &given, &got);
            let of_moments = Background::Moments {
                mean: &mean,
                covariance: Some(covariance.view()),
            };
            let got = explain(&model, of_moments, &rows, options(value_function));
            check(&name, &model, &rows, &given, &got);
        }
    }
}

#[test]
fn auto_is_interventional() {
    let mut random = Random(2);
    let model = model(2, 3, &mut random);
    let background = correlated(9, 3, &mut random);
    let view = View::f64(background.view(), None);
    let auto = explain(
        &model,
        Background::Rows(view),
        &background,
        Options::on(Device::cpu()),
    );
    assert_eq!(auto.header.value_function, "interventional");
    let mean = background.mean_axis(Axis(0)).unwrap();
    for (row, values) in background.outer_iter().zip(auto.values.outer_iter()) {
        for ((f, k), value) in values.indexed_iter() {
            let expected = linear(&model).coefficients[[k, f]] * (row[f] - mean[f]);
            assert!((f64::from(*value) - expected).abs() < 1e-5 * expected.abs().max(1.0));
        }
    }
}

/// The background's columns 0, 1, 2, then a copy of 0 that is scaled, a constant, and a sum.
fn singular(rows: usize, random: &mut Random) -> Array2<f64> {
    let mut free = matrix(rows, 3, random);
    free.column_mut(1).mapv_inplace(|cell| 100.0 * cell);
    Array2::from_shape_fn((rows, 6), |(row, column)| match column {
        3 => 7.0 - 2.0 * free[[row, 0]],
        4 => 5.0,
        5 => free[[row, 1]] / 3.0 + 2.0 * free[[row, 2]],
        other => free[[row, other]],
    })
}

#[test]
fn columns_that_determine_one_another_have_the_limit_of_those_that_almost_do() {
    let mut random = Random(3);
    let model = model(2, 6, &mut random);
    let background = singular(30, &mut random);
    let mut rows = background.slice(s![..5, ..]).to_owned();
    // Rows that the background's distribution does not allow have a limit, too.
    rows[[3, 0]] += 0.125;
    rows[[4, 4]] = 9.0;
    let (mean, covariance) = moments(&background.view(), &[1.0; 30]);
    let given = Distribution {
        mean,
        covariance: Some(covariance),
        ridge: 1e-6,
    };
    let view = View::f64(background.view(), None);
    let got = explain(
        &model,
        Background::Rows(view),
        &rows,
        options(ValueFunction::Conditional),
    );
    check("singular", &model, &rows, &given, &got);
    assert!(got.header.exact);
    let notes = got.trailer.notes.join("; ");
    assert!(
        notes.contains("2 features are determined by others"),
        "{notes}"
    );
}

#[test]
fn duplicated_columns_share_equally() {
    let mut random = Random(4);
    let model = model(1, 4, &mut random);
    let mut background = correlated(50, 4, &mut random);
    let first = background.column(0).to_owned();
    background.column_mut(2).assign(&first);
    let view = View::f64(background.view(), None);
    let got = explain(
        &model,
        Background::Rows(view),
        &background,
        options(ValueFunction::Conditional),
    );
    for values in got.values.outer_iter() {
        let (a, b) = (values[[0, 0]], values[[2, 0]]);
        assert!((a - b).abs() <= 1e-6 * a.abs().max(1e-3), "{a} and {b}");
    }
}

#[test]
fn a_feature_without_a_coefficient_has_a_value_only_where_it_tells_of_others() {
    let background = ndarray::array![
        [1.0, 1.0, 1.0],
        [1.0, 1.0, -1.0],
        [-1.0, -1.0, 1.0],
        [-1.0, -1.0, -1.0]
    ];
    let coefficients = ndarray::array![[2.0, 0.0, 0.0]];
    let model = Linear::new(coefficients, vec![0.5]).unwrap();
    let model = Arc::new(Model::Linear(model));
    let of = |value_function| {
        let view = View::f64(background.view(), None);
        let rows = Background::Rows(view);
        let got = explain(&model, rows, &background, options(value_function));
        got.values.slice(s![0, .., 0]).to_vec()
    };
    assert_eq!(of(ValueFunction::Interventional), [2.0, 0.0, 0.0]);
    let conditional = of(ValueFunction::Conditional);
    assert!((conditional[0] - 1.0).abs() < 1e-6 && (conditional[1] - 1.0).abs() < 1e-6);
    assert_eq!(conditional[2], 0.0);
}

#[test]
fn a_large_block_is_estimated_within_its_standard_error() {
    let mut random = Random(5);
    // So many are beyond the definition, but equal correlations have a closed form.
    let features = 20;
    let rho = 0.5;
    let covariance = Array2::from_shape_fn(
        (features, features),
        |(i, j)| if i == j { 1.0 } else { rho },
    );
    let mean = vec![0.0; features];
    let mut coefficients = vec![0.0; features];
    coefficients[0] = 1.0;
    let model = Linear::new(
        Array2::from_shape_vec((1, features), coefficients).unwrap(),
        vec![0.0],
    );
    let model = Arc::new(Model::Linear(model.unwrap()));
    let rows = matrix(8, features, &mut random);
    let run = |samples, seed| {
        let background = Background::Moments {
            mean: &mean,
            covariance: Some(covariance.view()),
        };
        let options = Options {
            samples,
            seed,
            ..options(ValueFunction::Conditional)
        };
        explain(&model, background, &rows, options)
    };
    let (few, many) = (run(Some(32), 1), run(Some(4096), 2));
    for got in [&few, &many] {
        assert!(!got.header.exact);
        assert!(got.trailer.additivity_error < 1e-5);
        assert_eq!(got.trailer.engines, [("permutations".to_owned(), features)]);
    }
    let error = |got: &Explanation| -> f64 {
        let note = got.trailer.notes.join("; ");
        let start = note.split("standard error up to ").nth(1).unwrap();
        start.split(',').next().unwrap().parse().unwrap()
    };
    assert!(error(&many) < error(&few) / 5.0);
    let exact = equicorrelated(&rows, rho);
    let off = |got: &Explanation| {
        let off = (got.values.iter().zip(&exact)).map(|(a, b)| f64::from((a - b).abs()));
        off.fold(0.0, f64::max)
    };
    assert!(
        off(&few) < 6.0 * error(&few),
        "{} {}",
        off(&few),
        error(&few)
    );
    assert!(
        off(&many) < 6.0 * error(&many),
        "{} {}",
        off(&many),
        error(&many)
    );
    let again = run(Some(32), 1);
    assert_eq!(few.values, again.values);
    assert_ne!(few.values, run(Some(32), 3).values);
}

/// The values of f = x₀ for standard normal features that are all correlated by ρ: without the first
/// feature, s others tell ρ / (1 + (s − 1) ρ) times their sum. Averaged over who the others are.
fn equicorrelated(rows: &Array2<f64>, rho: f64) -> Array3<f32> {
    let features = rows.ncols();
    let tells = |s: usize| {
        if s == 0 {
            0.0
        } else {
            rho / (1.0 + (s as f64 - 1.0) * rho)
        }
    };
    let others = features - 1;
    let mut values = Array3::zeros((rows.nrows(), features, 1));
    for (r, row) in rows.outer_iter().enumerate() {
        let sum: f64 = row.iter().skip(1).sum();
        for j in 1..features {
            // Before the first feature comes (which then tells all), j joins s of the others; all
            // sizes of those before j are alike likely, and the first is after j with (n − s) / n.
            let rest = (sum - row[j]) / (others - 1) as f64;
            let value: f64 = (0..others)
                .map(|s| {
                    let before = s as f64 * rest;
                    let chance = (features - 1 - s) as f64 / (features - 1) as f64;
                    chance * (tells(s + 1) * (before + row[j]) - tells(s) * before)
                })
                .sum();
            values[[r, j, 0]] = (value / features as f64) as f32;
        }
        let told: f32 = values.slice(s![r, 1.., 0]).sum();
        values[[r, 0, 0]] = row[0] as f32 - told;
    }
    values
}

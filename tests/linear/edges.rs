//! What is refused, and what a result says of itself.

use std::sync::Arc;

use ndarray::{Array2, array};
use whylight::data::{Cells, View};
use whylight::explain::{Background, ValueFunction};
use whylight::model::{Categories, Feature, Linear, Model, Numbers};
use whylight::{Error, Explainer, Options, Table};

use super::{explain, matrix, model, options};
use crate::support::random::Random;

fn refused(background: Option<Background<'_>>, value_function: ValueFunction) -> Error {
    let model = model(1, 2, &mut Random(1));
    let options = options(value_function);
    match background {
        Some(background) => Explainer::with_distribution(model, background, options),
        None => Explainer::with_background(model, None, options),
    }
    .unwrap_err()
}

fn named(cells: Array2<f64>) -> Table {
    let names = Some(vec!["age".to_owned(), "height".to_owned()]);
    Table::new(names, Cells::F64(cells)).unwrap()
}

#[test]
fn a_linear_model_needs_a_background() {
    let error = refused(None, ValueFunction::Auto);
    insta::assert_snapshot!(error, @"background: none is not allowed: the values of a linear model compare a row with the mean of a background; give the training rows, a sample of them, or their mean");
}

#[test]
fn a_cell_that_is_no_number_is_refused_with_its_row_and_column() {
    let model = model(1, 2, &mut Random(1));
    let table = named(array![[1.0, 2.0], [3.0, 4.0], [5.0, f64::NAN]]);
    let error = Explainer::new(model.clone(), Some(&table), options(ValueFunction::Auto));
    insta::assert_snapshot!(error.unwrap_err(), @r#"the background: at row 3, column "height": the cell is missing (NaN), but this model reads finite numbers only; fill it as the model's training rows were filled, or leave the row out"#);
    let fine = named(array![[1.0, 2.0], [3.0, 4.0]]);
    let explainer = Explainer::new(model, Some(&fine), options(ValueFunction::Auto)).unwrap();
    insta::assert_snapshot!(explainer.explain(&table).unwrap_err(), @r#"<memory>: at row 3, column "height": the cell is missing (NaN), but this model reads finite numbers only; fill it as the model's training rows were filled, or leave the row out"#);
    // In a later batch, rows are counted from the first.
    let mut cells = matrix(3000, 2, &mut Random(2));
    cells[[2600, 0]] = f64::INFINITY;
    cells[[2601, 1]] = f64::NAN;
    let view = View::f64(cells.view(), None);
    let error = explainer.explain_while(&view, &mut |_| true).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("row 2601, column 1: the cell is inf"),
        "{error}"
    );
}

#[test]
fn a_zero_coefficient_does_not_excuse_a_missing_cell() {
    let linear = Linear::new(array![[0.0, 1.0]], vec![0.0]).unwrap();
    let model = Arc::new(Model::Linear(linear));
    let background = named(array![[1.0, 2.0], [3.0, 4.0]]);
    for value_function in [ValueFunction::Interventional, ValueFunction::Conditional] {
        let explainer = Explainer::new(model.clone(), Some(&background), options(value_function));
        let table = named(array![[f64::NAN, 1.0]]);
        let error = explainer.unwrap().explain(&table).unwrap_err();
        assert!(
            error.to_string().contains("row 1, column \"age\""),
            "{error}"
        );
    }
}

#[test]
fn values_beyond_float32_are_refused() {
    let linear = Linear::new(array![[1e30, 1.0]], vec![0.0]).unwrap();
    let background = named(array![[1.0, 2.0], [3.0, 4.0]]);
    let model = Arc::new(Model::Linear(linear));
    let explainer = Explainer::new(model, Some(&background), options(ValueFunction::Auto));
    let table = named(array![[5.0, 1.0], [1e10, 1.0]]);
    let error = explainer.unwrap().explain(&table).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("row 2, column \"age\": its value leaves"),
        "{error}"
    );
    let linear = Linear::new(array![[1e308, 1e308]], vec![0.0]).unwrap();
    let model = Arc::new(Model::Linear(linear));
    let error = Explainer::new(model, Some(&background), options(ValueFunction::Auto)).unwrap_err();
    assert!(matches!(error, Error::Unsupported { .. }), "{error}");
}

#[test]
fn weights_and_moments_that_do_not_fit_are_refused() {
    let rows = array![[1.0, 2.0], [3.0, 4.0], [5.0, 7.0]];
    for (weights, part) in [
        (vec![1.0, 2.0], "one for each of 3 rows"),
        (vec![0.0; 3], "0 for every row"),
        (vec![1.0, -1.0, 1.0], "-1"),
        (vec![1.0, f64::NAN, 1.0], "NaN"),
    ] {
        let view = View::f64(rows.view(), None);
        let background = Background::Weighted(view, &weights);
        let error = refused(Some(background), ValueFunction::Auto).to_string();
        assert!(error.contains("weights") && error.contains(part), "{error}");
    }
    let moments = |mean: &[f64], covariance: Option<&Array2<f64>>| {
        let background = Background::Moments {
            mean,
            covariance: covariance.map(|covariance| covariance.view()),
        };
        refused(Some(background), ValueFunction::Conditional).to_string()
    };
    let mean = [1.0, 2.0];
    for (error, part) in [
        (
            moments(&[1.0], None),
            "the mean: expected one number for each",
        ),
        (moments(&[1.0, f64::NAN], None), "mean 2"),
        (moments(&mean, None), "covariance: none is not allowed"),
        (
            moments(&mean, Some(&array![[1.0]])),
            "2 × 2 numbers, got 1 × 1",
        ),
        (
            moments(&mean, Some(&array![[1.0, 0.5], [0.0, 1.0]])),
            "a symmetric matrix",
        ),
        (
            moments(&mean, Some(&array![[1.0, 2.0], [2.0, 1.0]])),
            "positive semidefinite",
        ),
        (
            moments(&mean, Some(&array![[-1.0, 0.0], [0.0, 1.0]])),
            "none negative",
        ),
        (
            moments(&mean, Some(&array![[0.0, 1.0], [1.0, 1.0]])),
            "positive semidefinite",
        ),
    ] {
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn models_whose_parts_do_not_fit_are_refused() {
    let fails = |linear: Linear, part: &str| {
        let error = linear.check("a model".as_ref()).unwrap_err();
        assert!(matches!(error, Error::Model { .. }), "{error}");
        assert!(error.to_string().contains(part), "{error}");
        let background = View::f64(ndarray::ArrayView2::from(&[[0.0; 2]; 2]), None);
        let model = Arc::new(Model::Linear(linear));
        let options = options(ValueFunction::Auto);
        Explainer::with_background(model, Some(background), options).unwrap_err();
    };
    let fine = || Linear::new(array![[1.0, 2.0], [3.0, 4.0]], vec![0.0, 1.0]).unwrap();
    let broken = |change: &dyn Fn(&mut Linear)| {
        let mut linear = fine();
        change(&mut linear);
        linear
    };
    fails(
        broken(&|l| l.coefficients[[1, 0]] = f64::NAN),
        "feature 0 for output 1",
    );
    fails(
        broken(&|l| l.intercepts[1] = f64::INFINITY),
        "intercept of output 1",
    );
    fails(
        broken(&|l| l.intercepts.truncate(1)),
        "expected one for each of 2 outputs",
    );
    fails(
        broken(&|l| l.features.truncate(1)),
        "a column for each of 1 features",
    );
    fails(broken(&|l| l.outputs.clear()), "at least one of each");
    let labels = Categories {
        labels: vec!["a".to_owned()],
        numbers: Numbers::Codes,
    };
    let category = Feature {
        name: None,
        categories: Some(labels),
    };
    fails(
        broken(&|l| l.features[1] = category.clone()),
        "category labels",
    );
    assert!(Linear::new(Array2::zeros((0, 2)), Vec::new()).is_err());
    assert!(Linear::new(Array2::zeros((1, 0)), vec![0.0]).is_err());
}

#[test]
fn columns_are_matched_by_name() {
    let mut linear = Linear::new(array![[1.0, 10.0]], vec![0.0]).unwrap();
    for (feature, name) in linear.features.iter_mut().zip(["height", "age"]) {
        feature.name = Some(name.to_owned());
    }
    let model = Arc::new(Model::Linear(linear));
    let background = named(array![[1.0, 2.0]]);
    let explainer = Explainer::new(model, Some(&background), options(ValueFunction::Auto)).unwrap();
    assert_eq!(explainer.header().feature_names, ["height", "age"]);
    assert_eq!(explainer.header().base_values, [12.0]);
    let values = explainer
        .explain(&named(array![[3.0, 7.0]]))
        .unwrap()
        .values;
    assert_eq!(values.iter().copied().collect::<Vec<f32>>(), [5.0, 20.0]);
}

#[test]
fn a_result_names_the_background_by_rows_and_hash() {
    let model = model(1, 2, &mut Random(1));
    let rows = array![[1.0, 2.0], [3.0, 4.0], [5.0, 7.0]];
    let view = || View::f64(rows.view(), None);
    let cover = |background: Background<'_>| {
        explain(&model, background, &rows, options(ValueFunction::Auto))
            .header
            .cover
    };
    let plain = cover(Background::Rows(view()));
    assert!(plain.starts_with("background of 3 rows, hash "), "{plain}");
    let one = cover(Background::Weighted(view(), &[1.0, 2.0, 1.0]));
    assert!(
        one.starts_with("background of 3 weighted rows, hash "),
        "{one}"
    );
    assert_ne!(one, cover(Background::Weighted(view(), &[1.0, 2.0, 2.0])));
    let mean = [3.0, 4.0];
    let covariance = None;
    let moments = cover(Background::Moments {
        mean: &mean,
        covariance,
    });
    assert!(moments.starts_with("moments, hash "), "{moments}");
}

#[test]
fn few_samples_and_other_value_functions_are_refused_by_name() {
    let model = model(1, 2, &mut Random(1));
    let rows = array![[1.0, 2.0], [3.0, 4.5], [5.0, 7.0]];
    let options = Options {
        samples: Some(1),
        ..options(ValueFunction::Conditional)
    };
    let background = Background::Rows(View::f64(rows.view(), None));
    let error = Explainer::with_distribution(model, background, options).unwrap_err();
    assert!(
        error.to_string().starts_with("samples: 1 is not allowed"),
        "{error}"
    );
    let error = "tree".parse::<ValueFunction>().unwrap_err();
    insta::assert_snapshot!(error, @r#"value_function: "tree" is not allowed: auto, path_dependent, interventional, or conditional"#);
}

#[test]
fn path_dependent_trees_refuse_what_only_linear_models_take() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let model = whylight::model::load(&path.join("examples/breast_cancer/model.json")).unwrap();
    let model = Arc::new(model);
    let rows = Array2::<f64>::zeros((2, 30));
    let background = Background::Weighted(View::f64(rows.view(), None), &[1.0, 1.0]);
    let path_dependent = options(ValueFunction::PathDependent);
    let explainer = Explainer::with_distribution(model.clone(), background, path_dependent);
    let error = explainer.map(|_| ()).unwrap_err();
    assert!(
        error.to_string().contains("whose rows have weights"),
        "{error}"
    );
    let error = Explainer::new(model, None, options(ValueFunction::Conditional)).unwrap_err();
    assert!(
        error.to_string().contains("the conditional value function"),
        "{error}"
    );
}

#[cfg(feature = "gpu")]
#[test]
fn a_gpu_is_not_used_and_the_result_says_so() {
    let Some(gpu) = crate::twins::gpu() else {
        return;
    };
    let gpu: whylight::Device = format!("gpu:{}", gpu.adapter().index).parse().unwrap();
    let model = model(1, 2, &mut Random(1));
    let rows = array![[1.0, 2.0], [3.0, 4.0], [5.0, 7.0]];
    let background = || Background::Rows(View::f64(rows.view(), None));
    let name = gpu.name();
    let on_gpu = explain(&model, background(), &rows, Options::on(gpu));
    let on_cpu = explain(&model, background(), &rows, options(ValueFunction::Auto));
    assert_eq!(on_gpu.values, on_cpu.values);
    assert_eq!(on_gpu.header.device, on_cpu.header.device);
    assert!(
        on_gpu.trailer.notes[0].starts_with(&name),
        "{:?}",
        on_gpu.trailer.notes
    );
}

/// Columns that do not vary tell nothing of others, so each feature has what it adds to the sum.
#[test]
fn one_row_equal_rows_and_rows_of_missing_cells_have_an_answer_or_an_error() {
    let model = model(2, 3, &mut Random(8));
    let rows = matrix(5, 3, &mut Random(9));
    let Model::Linear(linear) = &*model else {
        panic!("not linear");
    };
    for value_function in [ValueFunction::Interventional, ValueFunction::Conditional] {
        for count in [1, 4] {
            let background = Array2::from_shape_fn((count, 3), |(_, f)| 0.5 - f as f64);
            let given = Background::Rows(View::f64(background.view(), None));
            let found = explain(&model, given, &rows, options(value_function));
            for ((row, f, k), value) in found.values.indexed_iter() {
                let expected = linear.coefficients[[k, f]] * (rows[[row, f]] - background[[0, f]]);
                let off = (f64::from(*value) - expected).abs();
                assert!(off < 1e-6, "{value_function:?}: {value} is not {expected}");
            }
        }
        let missing = named(Array2::from_elem((3, 2), f64::NAN));
        let error = refused(Some(Background::Rows(View::from(&missing))), value_function);
        assert!(matches!(error, Error::Data { .. }), "{error}");
        assert!(
            error.to_string().contains("background: at row 1"),
            "{error}"
        );
    }
}

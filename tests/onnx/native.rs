//! ONNX files without trees against ONNX Runtime's answers, and against the definition of Shapley values.

use std::sync::Arc;

use ndarray::Array2;
use whylight::data::Cells;
use whylight::explain::Output;
use whylight::model::{self, Decision, Kernel, Model};
use whylight::{Device, Error, Explainer, Options, Table};

use crate::corpus::{Case, cases};
use crate::reference::shapley;

const LIBRARY: &str = "onnx_native";

fn load(case: &Case) -> Model {
    model::load(&case.model()).unwrap_or_else(|error| panic!("{}: {error}", case.name))
}

/// Those that have answers.
fn answered() -> Vec<Case> {
    let mut cases = cases(LIBRARY);
    cases.retain(|case| case.facts["refused"].is_null());
    cases
}

fn find(name: &str) -> Model {
    let cases = cases(LIBRARY);
    load(cases.iter().find(|case| case.name == name).unwrap())
}

/// What the terms of a machine's sums come to, which may cancel.
fn terms(model: &Model, row: &[f64]) -> f64 {
    let Model::KernelMachine(machine) = model else {
        return 0.0;
    };
    let of = |vector: usize| {
        let mut one = machine.clone();
        one.intercepts.fill(0.0);
        for (v, mut column) in one.coefficients.columns_mut().into_iter().enumerate() {
            column *= f64::from(u8::from(v == vector));
        }
        (one.margins(row).iter()).fold(0.0, |a: f64, margin| a.max(margin.abs()))
    };
    (0..machine.vectors.nrows()).map(of).sum()
}

#[test]
fn answers_equal_the_runtimes_to_the_rounding_of_float32() {
    let (mut raw, mut probability) = (0, 0);
    for case in answered() {
        let model = load(&case);
        let rows = case.array("rows").unwrap();
        for (name, count) in [("raw", &mut raw), ("probability", &mut probability)] {
            let Some(expected) = case.array(name) else {
                continue;
            };
            *count += 1;
            for i in 0..rows.shape[0] {
                let ours = match name {
                    "raw" => model.raw(rows.row(i)),
                    _ => model.probabilities(rows.row(i)),
                };
                let ours = ours.unwrap_or_else(|| panic!("{}: no {name}", case.name));
                assert_eq!(ours.len(), expected.row(i).len(), "{}, {name}", case.name);
                let terms = if name == "raw" {
                    terms(&model, rows.row(i))
                } else {
                    0.0
                };
                for (ours, expected) in ours.iter().zip(expected.row(i)) {
                    let bound = 1e-5 * (1.0 + expected.abs()) + 1e-6 * terms;
                    assert!(
                        (ours - expected).abs() <= bound,
                        "{}, {name} of row {i}: {ours} is not {expected}",
                        case.name
                    );
                }
            }
        }
    }
    assert!(
        raw > 30 && probability > 20,
        "{raw} raw, {probability} probabilities"
    );
}

#[test]
fn what_has_no_exact_translation_is_refused_by_name() {
    let mut refused = 0;
    for case in cases(LIBRARY) {
        let Some(words) = case.facts["refused"].as_str() else {
            continue;
        };
        refused += 1;
        match model::load(&case.model()) {
            Err(Error::Unsupported { what, by, .. }) => {
                assert!(what.contains(words), "{}: {what}", case.name);
                assert_eq!(by, "the ONNX loader");
            }
            other => panic!("{}: {other:?}", case.name),
        }
    }
    assert_eq!(refused, 4);
}

#[test]
fn outputs_are_the_classes() {
    for case in answered() {
        let classes: Vec<&str> = (case.facts["classes"].as_array().unwrap().iter())
            .map(|class| class.as_str().unwrap())
            .collect();
        let model = load(&case);
        // A margin stands for the second of two classes.
        if case.array("probability").is_some() && !classes.is_empty() {
            let integers = classes.iter().all(|class| class.parse::<i64>().is_ok());
            // Labels that are texts, and no ZipMap, name nothing.
            if integers || !case.name.starts_with("sgd") {
                assert_eq!(model.outputs(), classes, "{}", case.name);
            }
        } else if classes.len() == 2 && matches!(model, Model::Mlp(_)) {
            assert_eq!(model.outputs(), &classes[1..], "{}", case.name);
        }
    }
}

#[test]
fn a_scaler_is_part_of_the_kernel() {
    let Model::KernelMachine(machine) = find("nusvc_scaled") else {
        panic!("no machine");
    };
    let Kernel::Rbf(gammas) = &machine.kernel else {
        panic!("{:?}", machine.kernel);
    };
    assert_eq!(gammas.len(), 4);
    assert!(gammas.windows(2).all(|pair| pair[0] != pair[1]));
    // The runtime couples two classes as it does more.
    assert!(matches!(
        machine.probability,
        Some((Decision::Coupled(2), _))
    ));
}

#[test]
fn columns_that_are_inputs_of_their_own_name_the_features() {
    let names: Vec<_> = (find("columns").features().iter())
        .map(|feature| feature.name.clone().unwrap())
        .collect();
    assert_eq!(names, ["age", "size", "count", "rate"]);
}

#[test]
fn values_are_those_of_the_definition() {
    for case in answered() {
        let model = load(&case);
        let rows = case.array("rows").unwrap();
        let part = |from: usize, to: usize| {
            Array2::from_shape_fn((to - from, 4), |(row, column)| rows.row(from + row)[column])
        };
        let (explained, background) = (part(0, 3), part(3, 9));
        for output in [Output::Raw, Output::Probability] {
            let answer = |row: &[f64]| match output {
                Output::Raw => model.raw(row),
                _ => model.probabilities(row),
            };
            if answer(rows.row(0)).is_none() {
                continue;
            }
            let options = Options {
                output,
                ..Options::on(Device::cpu())
            };
            let table = |cells: &Array2<f64>| Table::new(None, Cells::F64(cells.clone())).unwrap();
            let explainer =
                Explainer::new(Arc::new(model.clone()), Some(&table(&background)), options);
            let explanation = explainer.unwrap().explain(&table(&explained)).unwrap();
            let outputs = answer(rows.row(0)).unwrap().len();
            assert_eq!(explanation.values.dim(), (3, 4, outputs), "{}", case.name);
            for (i, row) in explained.outer_iter().enumerate() {
                for k in 0..outputs {
                    let worth = |set: usize| {
                        let of = |other: ndarray::ArrayView1<'_, f64>| {
                            let cell = |j: usize| if set >> j & 1 == 1 { row[j] } else { other[j] };
                            answer(&(0..4).map(cell).collect::<Vec<_>>()).unwrap()[k]
                        };
                        background.outer_iter().map(of).sum::<f64>() / 6.0
                    };
                    let worths: Vec<f64> = (0..16).map(worth).collect();
                    let scale = worths.iter().fold(1.0, |a: f64, w| a.max(w.abs()));
                    for (j, expected) in shapley::values(&worths).into_iter().enumerate() {
                        let value = f64::from(explanation.values[[i, j, k]]);
                        assert!(
                            (value - expected).abs() <= 4e-6 * scale,
                            "{}, {output}, row {i}, feature {j}: {value} is not {expected}",
                            case.name
                        );
                    }
                }
            }
        }
    }
}

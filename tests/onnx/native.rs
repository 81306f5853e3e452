//! ONNX files without trees against ONNX Runtime's answers, and against the definition of Shapley values.

use std::sync::Arc;

use ndarray::Array2;
use whylight::data::{self, Cells, Column};
use whylight::explain::Output;
use whylight::model::{self, Decision, Feature, Kernel, Model, Part};
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

/// Rows as a model reads them: of text, the numbers of categories become their labels.
pub(crate) fn table(model: &Model, cells: &Array2<f64>) -> Table {
    let columns = cells.columns().into_iter().zip(model.features());
    let column = |(cells, feature): (ndarray::ArrayView1<'_, f64>, &Feature)| {
        let Some(categories) = &feature.categories else {
            return Column::F64(cells.to_vec());
        };
        let mut labels = categories.labels.clone();
        labels.push("none of them".to_owned());
        let code = |&code: &f64| {
            if code < 0.0 {
                labels.len() as i32 - 1
            } else {
                code as i32
            }
        };
        Column::Labels {
            codes: cells.iter().map(code).collect(),
            labels: labels.clone(),
        }
    };
    Table::new(None, Cells::Columns(columns.map(column).collect())).unwrap()
}

/// What the terms of a machine's sums come to, which may cancel.
fn terms(model: &Model, row: &[f64]) -> f64 {
    let machine = match model {
        Model::KernelMachine(machine) => machine,
        Model::Encoded(encoded) => return terms(&encoded.model, &encoded.row(row)),
        _ => return 0.0,
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
    assert_eq!(refused, 7);
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
            let table = |cells: &Array2<f64>| table(&model, cells);
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

/// The cases with an encoder before the model.
fn encoded() -> Vec<Case> {
    let mut cases = answered();
    cases.retain(|case| case.name.starts_with("encoded"));
    cases
}

#[test]
fn encoders_leave_the_raw_columns_as_the_features() {
    assert_eq!(encoded().len(), 9);
    for case in encoded() {
        let model = load(&case);
        let Model::Encoded(encoded) = &model else {
            panic!("{}: {model:?}", case.name);
        };
        assert_eq!(model.features().len(), 4, "{}", case.name);
        let parts = |is: fn(&Part) -> bool| {
            let mut columns = encoded.columns.iter();
            columns.any(|column| is(&column.part))
        };
        let is_one_hot = parts(|part| matches!(part, Part::Is(_)));
        let is_ordinal = parts(|part| matches!(part, Part::Lookup(_)));
        let expected = match case.name.as_str() {
            "encoded_ridge" | "encoded_ordinal" => (false, true),
            "encoded_twice" => (false, false),
            _ => (true, false),
        };
        assert_eq!((is_one_hot, is_ordinal), expected, "{}", case.name);
        let has_text = case.folder.join("rows.csv").exists();
        let names: Vec<_> = (model.features().iter())
            .map(|feature| feature.name.as_deref())
            .collect();
        let labels: Vec<_> = (model.features().iter())
            .map(|feature| feature.categories.as_ref().map(|of| of.labels.clone()))
            .collect();
        if has_text {
            let wanted = ["age", "size", "colour", "is_it"].map(Some);
            assert_eq!(names, wanted, "{}", case.name);
            let text = |of: &[&str]| Some(of.iter().map(|&label| label.to_owned()).collect());
            let wanted = [
                None,
                None,
                text(&["1", "blue", "green"]),
                text(&["no", "yes"]),
            ];
            assert_eq!(labels, wanted, "{}", case.name);
        } else {
            assert_eq!(names, [None; 4], "{}", case.name);
            assert_eq!(labels, [const { None }; 4], "{}", case.name);
        }
    }
}

#[test]
fn rows_of_text_have_the_answers_of_the_runtime() {
    let mut read = 0;
    for case in answered() {
        let path = case.folder.join("rows.csv");
        if !path.exists() {
            continue;
        }
        read += 1;
        let output = match case.array("probability") {
            Some(_) => Output::Probability,
            None => Output::Raw,
        };
        let options = Options {
            output,
            ..Options::on(Device::cpu())
        };
        let model = Arc::new(load(&case));
        let codes = case.array("rows").unwrap();
        let background = Array2::from_shape_fn((4, 4), |(row, column)| codes.row(row + 8)[column]);
        let background = table(&model, &background);
        let explainer = Explainer::new(Arc::clone(&model), Some(&background), options).unwrap();
        let rows = data::read(&path, &explainer.read_options()).unwrap();
        let explanation = explainer.explain(&rows).unwrap();
        let expected = case.array(output.name()).unwrap();
        for (row, values) in explanation.values.outer_iter().enumerate() {
            for (k, expected) in expected.row(row).iter().enumerate() {
                let values = values.index_axis(ndarray::Axis(1), k);
                let sum: f64 = values.iter().map(|&value| f64::from(value)).sum();
                let answer = explanation.header.base_values[k] + sum;
                let bound = 2e-5 * (1.0 + expected.abs());
                assert!(
                    (answer - expected).abs() <= bound,
                    "{}: {answer} is not {expected}",
                    case.name
                );
            }
        }
    }
    assert_eq!(read, 5);
}

#[test]
fn categories_that_an_encoder_does_not_take_are_named() {
    let model = Arc::new(find("encoded_strict"));
    let known = Array2::from_shape_fn((2, 4), |(row, column)| {
        [[-1.0, 0.0, 0.0, 6.0], [1.0, 3.0, 2.0, 6.0]][row][column]
    });
    let mut other = known.clone();
    other[[1, 1]] = 4.0;
    let explain = |background: &Array2<f64>, rows: &Array2<f64>| {
        let background = table(&model, background);
        let options = Options::on(Device::cpu());
        let explainer = Explainer::new(Arc::clone(&model), Some(&background), options)?;
        explainer.explain(&table(&model, rows))
    };
    explain(&known, &known).unwrap();
    insta::assert_snapshot!(explain(&known, &other).unwrap_err(), @r#"<memory>: at row 2, column 2: its category is none of those that the model was trained on, and the model's encoder takes no others; leave the row out, or let the encoder ignore them (in scikit-learn, handle_unknown="ignore")"#);
    insta::assert_snapshot!(explain(&other, &known).unwrap_err(), @r#"the background: at row 2 of those with a weight, column "f1": its category is none of those that the model was trained on, and the model's encoder takes no others; leave the row out, or let the encoder ignore them (in scikit-learn, handle_unknown="ignore")"#);
}

//! Interactions of the models of the corpus: against the definition, path-dependent and
//! interventional.

use std::sync::Arc;

use ndarray::{ArrayView1, Axis};
use whylight::explain::ValueFunction;
use whylight::{Device, Error, Explainer, Explanation, Options};

use super::subject::{
    AMOUNTS, LIBRARIES, Subject, against_background, explain, options, subject, together,
};
use crate::onnx::game;
use crate::reference::{interventional, shapley};
use crate::support::native;

/// As values: tables in float32, in units of `1 + Σ|leaf|`.
const ROUNDING: f64 = 1e-6;

/// Rows whose coalitions are enumerated.
const DEFINED: usize = 5;

fn with(
    subject: &Subject,
    value_function: ValueFunction,
    device: Device,
) -> Result<Explainer, Error> {
    let options = Options {
        value_function,
        interactions: true,
        ..Options::on(device)
    };
    let background = subject.table.slice(0..6).unwrap();
    let background = match value_function {
        ValueFunction::Interventional => Some(&background),
        _ => subject.background.as_ref(),
    };
    Explainer::new(subject.model.clone(), background, options)
}

/// The interactions (feature, feature) of a row and output are symmetric and add up to the values.
fn adds_up(name: &str, pairs: &ArrayView1<'_, f32>, values: &ArrayView1<'_, f32>, scale: f64) {
    let features = values.len();
    for i in 0..features {
        let of_i = (0..features).map(|j| f64::from(pairs[i * features + j]));
        let off = (of_i.sum::<f64>() - f64::from(values[i])).abs();
        assert!(off <= ROUNDING * scale, "{name}, feature {i}: off by {off}");
        for j in 0..i {
            let (one, other) = (pairs[i * features + j], pairs[j * features + i]);
            assert_eq!(one.to_bits(), other.to_bits(), "{name}, pair {i}, {j}");
        }
    }
}

fn worth(subject: &Subject, value_function: ValueFunction, row: &[f64]) -> Vec<Vec<f64>> {
    if value_function == ValueFunction::Interventional {
        let others: Vec<_> = (0..6)
            .map(|i| (subject.rows.row(i).to_vec(), 1.0 / 6.0))
            .collect();
        return interventional::worth_of_model(&subject.trees, row, &others);
    }
    game::worth(&subject.trees, row)
}

/// Returns whether the definition was enumerated, and how many trees were walked.
fn check(subject: &Subject, value_function: ValueFunction) -> (bool, usize) {
    let name = &subject.case.name;
    let explainer = with(subject, value_function, Device::cpu()).unwrap();
    assert!(explainer.header().interactions);
    let plain = Options {
        value_function,
        ..options()
    };
    let background = subject.table.slice(0..6).unwrap();
    let background = match value_function {
        ValueFunction::Interventional => Some(&background),
        _ => subject.background.as_ref(),
    };
    let plain = Explainer::new(subject.model.clone(), background, plain).unwrap();
    let values = plain.explain(&subject.table).unwrap().values;
    let parts = explain(&explainer, &subject.table, AMOUNTS[1]);
    let pairs = together(&parts);
    let (rows, features, outputs) = values.dim();
    assert_eq!(pairs.dim(), (rows, features * features, outputs));
    let error = parts[0].trailer.additivity_error;
    let is_defined = features <= 8;
    for row in 0..rows {
        let cells = subject.rows.row(row);
        let worth = if is_defined && row < DEFINED {
            worth(subject, value_function, cells)
        } else {
            Vec::new()
        };
        for k in 0..outputs {
            let others = (0..6).map(|i| subject.rows.row(i));
            let scale = others
                .chain([cells])
                .map(|cells| 1.0 + native::magnitude(&subject.trees, cells, k))
                .fold(0.0, f64::max);
            assert!(error <= 1e-5 * scale * features as f64, "{name}: {error}");
            let pairs = pairs.index_axis(Axis(0), row);
            let values = values.index_axis(Axis(0), row);
            adds_up(name, &pairs.column(k), &values.column(k), scale);
            let Some(worth) = worth.get(k) else { continue };
            let expected = shapley::interactions(worth).concat();
            for (cell, expected) in expected.iter().enumerate() {
                let off = (f64::from(pairs[[cell, k]]) - expected).abs();
                assert!(
                    off <= ROUNDING * scale,
                    "{name}, {value_function}, row {row}, output {k}, pair {cell}: {} is not {expected}",
                    pairs[[cell, k]]
                );
            }
        }
    }
    (is_defined, walked(&parts[0]))
}

/// The trees of a result whose interactions have no tables.
fn walked(explanation: &Explanation) -> usize {
    let engines = explanation.trailer.engines.iter();
    let walks = engines.filter(|(engine, _)| engine.starts_with("walks_of_pairs"));
    walks.map(|(_, trees)| *trees).sum()
}

#[test]
fn interactions_of_every_model_are_as_defined() {
    let (mut defined, mut walked) = (0, 0);
    for subject in LIBRARIES.into_iter().flat_map(against_background) {
        for value_function in [ValueFunction::PathDependent, ValueFunction::Interventional] {
            if subject.trees.has_linear_leaves() && value_function == ValueFunction::PathDependent {
                continue;
            }
            let (is_defined, walks) = check(&subject, value_function);
            defined += usize::from(is_defined);
            walked += usize::from(walks > 0);
        }
    }
    assert!(defined > 200, "only {defined} were enumerated");
    assert!(walked > 5, "only {walked} had trees without tables");
}

#[test]
fn neither_threads_nor_the_amount_of_rows_change_a_bit_of_the_pairs() {
    let (path_dependent, interventional) =
        (ValueFunction::PathDependent, ValueFunction::Interventional);
    for (library, name, value_function) in [
        ("xgboost", "softprob_3_4", path_dependent),
        ("catboost", "oblivious_1_2", path_dependent),
        ("lightgbm", "deep_4_7", path_dependent),
        ("lightgbm", "deep_4_7", interventional),
    ] {
        let subject = subject(library, name);
        let explainer = with(&subject, value_function, Device::cpu()).unwrap();
        let off_diagonal = |parts: &[Explanation]| -> Vec<u32> {
            let pairs = together(parts);
            let features = subject.trees.features.len();
            let rows = pairs.axis_iter(Axis(0)).take(subject.table.rows());
            let cells = rows.flat_map(|row| {
                let is_pair = |cell: &usize| cell / features != cell % features;
                let cells = (0..features * features).filter(is_pair);
                let bits = cells.flat_map(|cell| row.row(cell).to_vec());
                bits.map(f32::to_bits).collect::<Vec<u32>>()
            });
            cells.collect()
        };
        let expected = off_diagonal(&explain(&explainer, &subject.table, AMOUNTS[0]));
        for amount in &AMOUNTS[1..] {
            let parts = explain(&explainer, &subject.table, *amount);
            assert!(off_diagonal(&parts) == expected, "{name}, {amount:?}");
        }
    }
}

#[test]
fn interactions_of_very_many_features_are_refused_before_they_are_computed() {
    let names: Vec<String> = (0..600).map(|f| format!("f{f}")).collect();
    let explainer = |used: usize| {
        let tree = |tree: usize| {
            format!(
                "Tree={tree}\nnum_leaves=2\nnum_cat=0\nsplit_feature={tree}\nthreshold=0.5\n\
                 decision_type=8\nleft_child=-1\nright_child=-2\nleaf_value=1 2\nleaf_count=3 4\n\
                 internal_count=7\nshrinkage=1\n\n"
            )
        };
        let text = format!(
            "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nmax_feature_idx=599\n\
             feature_names={}\nfeature_infos={}\n\n{}end of trees\n",
            names.join(" "),
            vec!["none"; 600].join(" "),
            (0..used).map(tree).collect::<String>(),
        );
        let model = whylight::model::parse(text.as_bytes(), "wide.txt".as_ref()).unwrap();
        let options = Options {
            interactions: true,
            ..options()
        };
        Explainer::new(Arc::new(model), None, options)
    };
    assert_eq!(explainer(20).unwrap().header().cells(), 600 * 600);
    let error = explainer(600).map(|_| ()).unwrap_err();
    assert!(matches!(error, Error::Unsupported { .. }), "{error}");
    assert!(error.to_string().contains("600 features"), "{error}");
}

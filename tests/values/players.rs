//! Groups of features that play as one, and Banzhaf values, of the models of the corpus against the
//! definition.

use std::collections::BTreeMap;

use ndarray::{Array3, Axis};
use whylight::explain::{Group, Index, ValueFunction};
use whylight::{Device, Error, Explainer, Options, Table};

use super::subject::{AMOUNTS, LIBRARIES, Subject, explain, subject, subjects_of, together};
use crate::onnx::game;
use crate::reference::{interventional, shapley};
use crate::support::native;

/// As the values of features: tables in float32, in units of `1 + Σ|leaf|`.
const ROUNDING: f64 = 1e-6;

/// Rows whose coalitions are enumerated.
const DEFINED: usize = 5;

/// Rows of the background.
const OTHERS: usize = 6;

/// Every third feature in one group, the first and the last of the others in another.
fn groups(features: usize) -> Vec<Group> {
    let third = (0..features).filter(|f| f % 3 == 0).rev().collect();
    let mut groups = vec![Group {
        name: "every third".to_owned(),
        features: third,
    }];
    let rest: Vec<usize> = (0..features).filter(|f| f % 3 != 0).collect();
    if let [first, .., last] = rest[..] {
        groups.push(Group {
            name: "ends".to_owned(),
            features: vec![last, first],
        });
    }
    groups
}

/// The player of each feature, in the order of the players' first features.
fn players(features: usize, groups: &[Group]) -> Vec<u32> {
    let mut of: Vec<Option<u32>> = vec![None; features];
    let mut next = 0;
    for feature in 0..features {
        if of[feature].is_some() {
            continue;
        }
        let group = groups
            .iter()
            .find(|group| group.features.contains(&feature));
        let alone = [feature];
        for &member in group.map_or(&alone[..], |group| &group.features) {
            of[member] = Some(next);
        }
        next += 1;
    }
    of.into_iter().map(Option::unwrap).collect()
}

fn background(subject: &Subject, value_function: ValueFunction) -> Option<Table> {
    match value_function {
        ValueFunction::Interventional => Some(subject.table.slice(0..OTHERS).unwrap()),
        _ => subject.background.clone(),
    }
}

fn explainer(subject: &Subject, options: &Options) -> Result<Explainer, Error> {
    let background = background(subject, options.value_function);
    Explainer::new(subject.model.clone(), background.as_ref(), options.clone())
}

fn worth(subject: &Subject, value_function: ValueFunction, row: &[f64]) -> Vec<Vec<f64>> {
    if value_function != ValueFunction::Interventional {
        return game::worth(&subject.trees, row);
    }
    let share = 1.0 / OTHERS as f64;
    let others = (0..OTHERS).map(|i| (subject.rows.row(i).to_vec(), share));
    interventional::worth_of_model(&subject.trees, row, &others.collect::<Vec<_>>())
}

/// Asserts that values, (rows, cells, outputs), are those of the game of each row.
fn is_defined(
    subject: &Subject,
    value_function: ValueFunction,
    values: &Array3<f32>,
    of_game: &dyn Fn(&[f64]) -> Vec<f64>,
) {
    for row in 0..DEFINED.min(values.dim().0) {
        let cells = subject.rows.row(row);
        for (k, worth) in worth(subject, value_function, cells).iter().enumerate() {
            let expected = of_game(worth);
            let rows = (0..OTHERS).map(|i| subject.rows.row(i)).chain([cells]);
            let scale = rows
                .map(|cells| 1.0 + native::magnitude(&subject.trees, cells, k))
                .fold(0.0, f64::max);
            assert_eq!(expected.len(), values.dim().1, "{}", subject.case.name);
            for (cell, expected) in expected.iter().enumerate() {
                let value = f64::from(values[[row, cell, k]]);
                assert!(
                    (value - expected).abs() <= ROUNDING * scale,
                    "{}, {value_function:?}, row {row}, cell {cell}, output {k}: {value} is not \
                     {expected}",
                    subject.case.name
                );
            }
        }
    }
}

/// Explains every model of up to so many features in every amount of rows, with these options, and
/// holds the values against the definition; how many models, and trees by engine.
fn sweep(
    features: usize,
    options: &Options,
    of_game: &dyn Fn(&[f64], usize) -> Vec<f64>,
) -> (usize, BTreeMap<String, usize>) {
    let (mut checked, mut engines) = (0, BTreeMap::new());
    let subjects = |library| subjects_of(library, options.value_function);
    for subject in LIBRARIES.into_iter().flat_map(subjects) {
        let count = subject.trees.features.len();
        if count > features {
            continue;
        }
        let options = Options {
            groups: match options.groups.len() {
                0 => Vec::new(),
                _ => groups(count),
            },
            ..options.clone()
        };
        let explainer = explainer(&subject, &options).unwrap();
        for amount in AMOUNTS {
            let parts = explain(&explainer, &subject.table, amount);
            for (engine, count) in &parts[0].trailer.engines {
                *engines.entry(engine.clone()).or_insert(0) += count;
            }
            let of_game = |worth: &[f64]| of_game(worth, count);
            is_defined(
                &subject,
                options.value_function,
                &together(&parts),
                &of_game,
            );
        }
        checked += 1;
    }
    (checked, engines)
}

fn options(value_function: ValueFunction) -> Options {
    Options {
        value_function,
        ..Options::on(Device::cpu())
    }
}

const BOTH: [ValueFunction; 2] = [ValueFunction::PathDependent, ValueFunction::Interventional];

#[test]
fn groups_have_the_values_of_the_game_between_them() {
    for value_function in BOTH {
        let options = Options {
            groups: groups(1),
            ..options(value_function)
        };
        let (checked, engines) = sweep(8, &options, &|worth, features| {
            let of = players(features, &groups(features));
            shapley::values(&shapley::grouped(worth, &of))
        });
        assert!(checked > 120, "only {checked} models");
        assert!(engines.len() > 1, "{engines:?}");
    }
}

#[test]
fn interactions_of_groups_are_those_of_the_game_between_them() {
    for value_function in BOTH {
        let options = Options {
            groups: groups(1),
            interactions: true,
            ..options(value_function)
        };
        let (checked, _) = sweep(7, &options, &|worth, features| {
            let of = players(features, &groups(features));
            shapley::interactions(&shapley::grouped(worth, &of)).concat()
        });
        assert!(checked > 80, "only {checked} models");
    }
}

#[test]
fn banzhaf_values_are_means_over_all_coalitions() {
    for value_function in BOTH {
        let options = Options {
            index: Index::Banzhaf,
            ..options(value_function)
        };
        let (checked, engines) = sweep(8, &options, &|worth, _| shapley::banzhaf(worth));
        assert!(checked > 120, "only {checked} models");
        assert!(engines.len() > 1, "{engines:?}");
    }
}

#[test]
fn banzhaf_values_say_that_they_do_not_add_up() {
    let subject = subject("xgboost", "binary_3_4");
    let options = Options {
        index: Index::Banzhaf,
        ..options(ValueFunction::PathDependent)
    };
    let explanation = explainer(&subject, &options).unwrap();
    let explanation = explanation.explain(&subject.table).unwrap();
    assert_eq!(explanation.header.index, "banzhaf");
    assert!(explanation.trailer.additivity_error.is_nan());
    assert_eq!(explanation.trailer.additivity_rows, 0);
    let pairs = Options {
        interactions: true,
        ..options
    };
    let error = explainer(&subject, &pairs).unwrap_err();
    assert!(error.to_string().contains("Banzhaf"), "{error}");
}

#[test]
fn a_group_is_named_in_the_result_and_its_value_is_that_of_the_sum_only_without_interactions() {
    let subject = subject("xgboost", "binary_3_4");
    let features = subject.trees.features.len();
    let options = Options {
        groups: groups(features),
        ..options(ValueFunction::PathDependent)
    };
    let grouped = explainer(&subject, &options).unwrap();
    let header = grouped.header();
    assert_eq!(header.columns.len(), features);
    assert_eq!(header.feature_names[0], "every third");
    assert_eq!(header.groups[0].0, "every third");
    assert_eq!(header.groups[0].1.len(), groups(features)[0].features.len());
    assert_eq!(header.groups[1].0, "ends");
    let values = grouped.explain(&subject.table).unwrap().values;
    let alone = Options {
        groups: Vec::new(),
        ..options
    };
    let alone = explainer(&subject, &alone).unwrap();
    let alone = alone.explain(&subject.table).unwrap().values;
    // What the group's features share with others is divided otherwise: not the sum of their values.
    let members = &groups(features)[0].features;
    let sums = alone.select(Axis(1), members).sum_axis(Axis(1));
    let differences = values.index_axis(Axis(1), 0).to_owned() - &sums;
    assert!(differences.iter().any(|d| d.abs() > 1e-3), "{differences}");
    // One group of all features takes all that there is.
    let whole = Options {
        groups: vec![Group {
            name: "all".to_owned(),
            features: (0..features).collect(),
        }],
        ..self::options(ValueFunction::PathDependent)
    };
    let whole = explainer(&subject, &whole).unwrap();
    let whole = whole.explain(&subject.table).unwrap();
    assert_eq!(whole.values.dim().1, 1);
    let totals = alone.sum_axis(Axis(1));
    for (value, total) in whole.values.index_axis(Axis(1), 0).iter().zip(&totals) {
        assert!((value - total).abs() < 1e-5, "{value} is not {total}");
    }
}

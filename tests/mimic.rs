//! Surrogates: what they learn of a model, how well, and whose values are theirs.

use std::sync::Arc;

use ndarray::Array2;
use whylight::data::{Cells, Table, View};
use whylight::explain::Output;
#[cfg(feature = "mimic")]
use whylight::explain::ValueFunction;
use whylight::explain::mimic::{Distilled, Surrogate, distil};
use whylight::model::{BlackBox, Feature, Linear, Model, Predict};
#[cfg(feature = "mimic")]
use whylight::model::{Categories, Node, Numbers, Test};
#[cfg(feature = "mimic")]
use whylight::{Device, Explainer, Options};
use whylight::{Error, Result};

use crate::support::random::Random;

/// A function of a row, as a model that is asked.
#[derive(Debug)]
struct Function(fn(&[f64]) -> Vec<f64>);

impl Predict for Function {
    fn predict(&self, rows: Array2<f64>) -> Result<Array2<f64>> {
        let answers: Vec<Vec<f64>> = rows.outer_iter().map(|row| self.0(&row.to_vec())).collect();
        let width = answers[0].len();
        Ok(Array2::from_shape_fn(
            (answers.len(), width),
            |(row, output)| answers[row][output],
        ))
    }
}

fn asked(features: usize, function: fn(&[f64]) -> Vec<f64>) -> Arc<Model> {
    let features = vec![Feature::default(); features];
    let row = Array2::zeros((1, features.len()));
    Arc::new(Model::BlackBox(
        BlackBox::asked(Arc::new(Function(function)), features, row).unwrap(),
    ))
}

/// Rows of numbers around 0.
fn rows(count: usize, features: usize, seed: u64) -> Table {
    let mut random = Random(seed);
    let cells = Array2::from_shape_fn((count, features), |_| {
        // The sum of twelve is close to a normal deviate.
        (0..12).map(|_| random.unit()).sum::<f64>() - 6.0
    });
    Table {
        names: None,
        cells: Cells::F64(cells),
    }
}

fn taught(teacher: &Arc<Model>, table: &Table, surrogate: Surrogate) -> Distilled {
    distil(teacher, Output::Raw, &View::from(table), surrogate, 7).unwrap()
}

#[cfg(feature = "mimic")]
fn options() -> Options {
    Options::on(Device::cpu())
}

/// Mean |value| by feature, of the first output.
#[cfg(feature = "mimic")]
fn importance(explainer: &Explainer, table: &Table) -> Vec<f64> {
    let e = explainer.explain(table).unwrap();
    let (rows, features, _) = e.values.dim();
    (0..features)
        .map(|f| {
            (0..rows)
                .map(|r| f64::from(e.values[[r, f, 0]]).abs())
                .sum::<f64>()
                / rows as f64
        })
        .collect()
}

#[cfg(feature = "mimic")]
fn ranking(importance: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..importance.len()).collect();
    order.sort_by(|&a, &b| importance[b].total_cmp(&importance[a]));
    order
}

#[test]
fn a_linear_teacher_is_learned_exactly_in_any_unit() {
    let coefficients = Array2::from_shape_vec((1, 4), vec![3.0, -2e-6, 0.5e6, 0.0]).unwrap();
    let teacher = Arc::new(Model::Linear(Linear::new(coefficients, vec![1.5]).unwrap()));
    let Cells::F64(mut cells) = rows(300, 4, 1).cells else {
        unreachable!()
    };
    for mut row in cells.outer_iter_mut() {
        row[1] *= 1e6;
        row[2] *= 1e-6;
    }
    let table = Table {
        names: None,
        cells: Cells::F64(cells),
    };
    let made = taught(&teacher, &table, Surrogate::Linear);
    assert!(made.fidelity.r2.unwrap() > 1.0 - 1e-12, "{}", made.fidelity);
    assert_eq!((made.fidelity.rows, made.fidelity.is_held_out), (60, true));
    assert!(made.is_of_all);
    let Model::Linear(linear) = &*made.model else {
        panic!("{:?}", made.model)
    };
    for (found, expected) in linear.coefficients.iter().zip([3.0, -2e-6, 0.5e6, 0.0]) {
        assert!(
            (found - expected).abs() <= 1e-9 * expected.abs().max(1e-3),
            "{found} is not {expected}"
        );
    }
    // The simplest of those that are as good.
    let chosen = taught(&teacher, &table, Surrogate::Auto);
    assert_eq!(chosen.surrogate, Surrogate::Linear);
    assert_eq!(chosen.tried.len(), 2);
}

#[test]
fn columns_that_others_determine_do_no_harm() {
    let teacher = asked(4, |row| vec![row[0] + 2.0 * row[1]]);
    let Cells::F64(mut cells) = rows(200, 4, 2).cells else {
        unreachable!()
    };
    for mut row in cells.outer_iter_mut() {
        (row[2], row[3]) = (row[0] - row[1], 4.0);
    }
    let table = Table {
        names: None,
        cells: Cells::F64(cells),
    };
    let made = taught(&teacher, &table, Surrogate::Linear);
    assert!(made.fidelity.r2.unwrap() > 1.0 - 1e-12, "{}", made.fidelity);
}

/// A model of a column of categories and one of numbers; what the categories are worth is in no order.
#[cfg(feature = "mimic")]
fn of_categories() -> Arc<Model> {
    let labels = [
        "Bern", "Oslo", "Rome", "Wien", "Lyon", "Riga", "Kiel", "Graz",
    ];
    let city = Feature {
        name: Some("city".to_owned()),
        categories: Some(Categories {
            labels: labels.map(str::to_owned).to_vec(),
            numbers: Numbers::Codes,
        }),
    };
    let worth = |row: &[f64]| {
        let city = match row[0] as i64 {
            0 | 2 | 5 | 7 => 3.0,
            1 | 3 | 4 | 6 => -3.0,
            _ => 0.0,
        };
        vec![city + 0.5 * row[1]]
    };
    let row = Array2::zeros((1, 2));
    let features = vec![city, Feature::default()];
    Arc::new(Model::BlackBox(
        BlackBox::asked(Arc::new(Function(worth)), features, row).unwrap(),
    ))
}

/// Rows of that model, of its first so many categories in turn.
#[cfg(feature = "mimic")]
fn cities(count: usize, known: usize, seed: u64) -> Table {
    let Cells::F64(mut cells) = rows(count, 2, seed).cells else {
        unreachable!()
    };
    for (number, mut row) in cells.outer_iter_mut().enumerate() {
        row[0] = (number % known) as f64;
    }
    Table {
        names: None,
        cells: Cells::F64(cells),
    }
}

#[cfg(feature = "mimic")]
#[test]
fn categories_are_split_by_sets_of_them_and_not_by_their_numbers() {
    let teacher = of_categories();
    let made = taught(&teacher, &cities(400, 8, 21), Surrogate::Trees);
    assert_eq!(made.categorical, ["city"]);
    assert!(made.fidelity.r2.unwrap() > 0.99, "{}", made.fidelity);
    let Model::Trees(trees) = &*made.model else {
        panic!("{:?}", made.model)
    };
    let splits = (trees.trees.iter().flat_map(|tree| &tree.nodes)).filter_map(|node| match node {
        Node::Split(split) if split.feature == 0 => Some(split),
        _ => None,
    });
    let splits: Vec<_> = splits.collect();
    assert!(!splits.is_empty());
    assert!(
        splits
            .iter()
            .all(|split| matches!(split.test, Test::Category(_)))
    );
    // One split of sets is enough to tell the two kinds of cities apart.
    let Node::Split(first) = &trees.trees[0].nodes[0] else {
        panic!("no split")
    };
    let Test::Category(set) = &first.test else {
        panic!("{first:?}")
    };
    assert!(
        [0b1010_0101, 0b0101_1010].contains(&set.words[0]),
        "{:b}",
        set.words[0]
    );
}

#[cfg(feature = "mimic")]
#[test]
fn categories_that_were_never_seen_are_taken_for_one_and_explained() {
    let teacher = of_categories();
    let background = cities(400, 6, 22);
    let explainer = Explainer::mimic(
        &teacher,
        &View::from(&background),
        Surrogate::Trees,
        options(),
    )
    .unwrap();
    // One that the model knows and the background lacks, one that nobody knows, and a missing one.
    let cells = [6.0, 7.0, -1.0, 12.0, f64::NAN, 0.0, 1.0];
    let cells = Array2::from_shape_fn((cells.len(), 2), |(row, column)| {
        if column == 0 { cells[row] } else { 0.25 }
    });
    let table = Table {
        names: None,
        cells: Cells::F64(cells),
    };
    let e = explainer.explain(&table).unwrap();
    let of_city: Vec<f32> = (0..7).map(|row| e.values[[row, 0, 0]]).collect();
    assert!(e.trailer.additivity_error < 1e-5);
    assert!(
        of_city[..4].iter().all(|value| *value == of_city[0]),
        "{of_city:?}"
    );
    assert!(of_city[6] < -2.0 && of_city[5] > 2.0, "{of_city:?}");
    // They have no answers of their own, and the place of the mean is on one side of any split.
    let nearest = (of_city[5] - of_city[0])
        .abs()
        .min((of_city[6] - of_city[0]).abs());
    assert!(nearest < 0.1, "{of_city:?}");
    let note = e
        .trailer
        .notes
        .iter()
        .find(|note| note.contains("sets of them"));
    assert!(
        note.is_some_and(|note| note.contains("city")),
        "{:?}",
        e.trailer.notes
    );
    // A weighted sum has no rule for them.
    let linear = distil(
        &teacher,
        Output::Raw,
        &View::from(&background),
        Surrogate::Linear,
        0,
    );
    let error = linear.unwrap_err().to_string();
    assert!(error.contains("city") && error.contains("trees"), "{error}");
}

#[cfg(feature = "mimic")]
#[test]
fn more_categories_than_a_few_rows_tell_of_do_not_drown_the_numbers() {
    // 150 categories that mean nothing, in 300 rows.
    let features = vec![
        Feature {
            name: Some("id".to_owned()),
            categories: Some(Categories {
                labels: (0..150).map(|id| id.to_string()).collect(),
                numbers: Numbers::Codes,
            }),
        },
        Feature::default(),
    ];
    let row = Array2::zeros((1, 2));
    let teacher = Arc::new(Model::BlackBox(
        BlackBox::asked(Arc::new(Function(|row| vec![2.0 * row[1]])), features, row).unwrap(),
    ));
    let table = cities(300, 150, 23);
    let made = taught(&teacher, &table, Surrogate::Trees);
    assert!(made.fidelity.r2.unwrap() > 0.95, "{}", made.fidelity);
    let options = options();
    let explainer =
        Explainer::mimic(&teacher, &View::from(&table), Surrogate::Trees, options).unwrap();
    let importance = importance(&explainer, &table);
    assert!(importance[1] > 10.0 * importance[0], "{importance:?}");
}

#[cfg(feature = "mimic")]
#[test]
fn an_interaction_is_learned_by_trees_and_not_by_a_sum() {
    let teacher = asked(5, |row| vec![3.0 * row[1] * row[3] + 0.3 * row[0]]);
    let table = rows(3000, 5, 3);
    let linear = taught(&teacher, &table, Surrogate::Linear).fidelity;
    assert!(linear.r2.unwrap() < 0.1, "{linear}");
    let made = taught(&teacher, &table, Surrogate::Auto);
    assert_eq!(made.surrogate, Surrogate::Trees);
    assert!(made.fidelity.r2.unwrap() > 0.85, "{}", made.fidelity);
    let explainer = Explainer::mimic(&teacher, &View::from(&table), Surrogate::Auto, options());
    let explainer = explainer.unwrap();
    let order = ranking(&importance(&explainer, &table));
    assert_eq!(
        {
            let mut two = order[..2].to_vec();
            two.sort_unstable();
            two
        },
        [1, 3]
    );
}

#[cfg(feature = "mimic")]
#[test]
fn the_values_of_a_surrogate_add_up_to_what_it_answers() {
    let teacher = asked(4, |row| {
        vec![row[0] * row[1], (3.0 * row[2]).sin() + row[3]]
    });
    let table = rows(800, 4, 4);
    for surrogate in [Surrogate::Trees, Surrogate::Linear] {
        for value_function in [ValueFunction::Auto, ValueFunction::Interventional] {
            let options = Options {
                value_function,
                ..options()
            };
            let explainer =
                Explainer::mimic(&teacher, &View::from(&table), surrogate, options).unwrap();
            let e = explainer.explain(&table).unwrap();
            assert_eq!(e.header.method, format!("mimic.{surrogate}"));
            assert_eq!(e.header.output_names, ["output 0", "output 1"]);
            assert!(
                e.header.exact && e.trailer.additivity_error < 1e-5,
                "{}",
                e.trailer.additivity_error
            );
            assert!(
                e.trailer.notes[0].contains("R² 0.")
                    && e.trailer.notes[0].contains("160 rows held out")
            );
        }
    }
    let explainer =
        Explainer::mimic(&teacher, &View::from(&table), Surrogate::Trees, options()).unwrap();
    assert_eq!(explainer.header().value_function, "path_dependent");
}

#[cfg(feature = "mimic")]
#[test]
fn missing_cells_go_where_the_training_sent_them() {
    let teacher = asked(2, |row| vec![if row[0].is_nan() { 5.0 } else { row[0] }]);
    let Cells::F64(mut cells) = rows(1000, 2, 5).cells else {
        unreachable!()
    };
    for row in (0..1000).step_by(4) {
        cells[[row, 0]] = f64::NAN;
    }
    let table = Table {
        names: None,
        cells: Cells::F64(cells),
    };
    let made = taught(&teacher, &table, Surrogate::Auto);
    assert_eq!(made.surrogate, Surrogate::Trees);
    assert!(made.fidelity.r2.unwrap() > 0.99, "{}", made.fidelity);
    let (_, refused) = &made.tried[0];
    assert!(
        refused.as_ref().unwrap_err().contains("column \"f0\""),
        "{refused:?}"
    );
    let error = distil(
        &teacher,
        Output::Raw,
        &View::from(&table),
        Surrogate::Linear,
        7,
    )
    .unwrap_err();
    assert!(matches!(error, Error::Data { .. }), "{error}");
}

/// What is in tables: infinite cells, columns without any number, constant ones, and cells that are all but equal.
#[cfg(feature = "mimic")]
#[test]
fn hard_cells_do_no_harm_to_trees() {
    let teacher = asked(5, |row| vec![row[4] + f64::from(row[0] > 0.0)]);
    for count in [1_usize, 2, 3, 19, 20, 60] {
        let Cells::F64(mut cells) = rows(count.max(2), 5, 13).cells else {
            unreachable!()
        };
        for (index, mut row) in cells.outer_iter_mut().enumerate() {
            row[0] = [f64::INFINITY, f64::NEG_INFINITY, f64::NAN, -0.0, 1e300][index % 5];
            row[1] = f64::NAN;
            row[2] = 7.0;
            row[3] = f64::from_bits(1.0_f64.to_bits() + index as u64 % 3);
        }
        let table = Table {
            names: None,
            cells: Cells::F64(cells),
        };
        let explainer =
            Explainer::mimic(&teacher, &View::from(&table), Surrogate::Trees, options());
        let e = explainer.unwrap().explain(&table).unwrap();
        assert!(
            e.values.iter().all(|value| value.is_finite()),
            "{count} rows"
        );
    }
}

#[test]
fn probabilities_are_learned_as_log_odds_and_not_as_classes() {
    // Nobody is more than 40 % sure of the second class: the classes are all the same.
    let teacher = asked(3, |row| {
        let second = 0.4 / (1.0 + (-row[0]).exp());
        vec![1.0 - second, second]
    });
    let table = rows(1000, 3, 6);
    let made = taught(&teacher, &table, Surrogate::Linear);
    // The log-odds are no line, which passes one half at the ends.
    assert!(made.fidelity.agreement.unwrap() > 0.98, "{}", made.fidelity);
    assert!(made.fidelity.r2.unwrap() > 0.9, "{}", made.fidelity);
    assert!(
        made.fidelity.divergence.unwrap() < 1e-2,
        "{}",
        made.fidelity
    );
    assert_eq!(made.model.outputs(), ["output 1"]);
}

#[cfg(feature = "mimic")]
#[test]
fn several_probabilities_are_a_margin_each() {
    let teacher = asked(3, |row| {
        let powers: Vec<f64> = row.iter().map(|x| (1.5 * x).exp()).collect();
        let sum: f64 = powers.iter().sum();
        powers.iter().map(|power| power / sum).collect()
    });
    let table = rows(2000, 3, 8);
    for surrogate in [Surrogate::Linear, Surrogate::Trees] {
        let made = taught(&teacher, &table, surrogate);
        assert!(
            made.fidelity.agreement.unwrap() > 0.9,
            "{surrogate}: {}",
            made.fidelity
        );
        assert!(
            made.fidelity.r2.unwrap() > 0.95,
            "{surrogate}: {}",
            made.fidelity
        );
        assert!(
            made.fidelity.divergence.unwrap() < 0.03,
            "{surrogate}: {}",
            made.fidelity
        );
        assert_eq!(made.model.outputs().len(), 3);
    }
}

#[cfg(feature = "mimic")]
#[test]
fn the_same_seed_has_the_same_bits_with_any_number_of_threads() {
    let teacher = asked(6, |row| vec![row[0] * row[1] + row[2].abs()]);
    let table = rows(900, 6, 9);
    let values = |threads: usize, seed: u64| {
        let options = Options {
            threads,
            seed,
            ..options()
        };
        let explainer = Explainer::mimic(&teacher, &View::from(&table), Surrogate::Trees, options);
        explainer.unwrap().explain(&table).unwrap().values
    };
    let one = values(1, 0);
    assert_eq!(one, values(3, 0));
    let fidelity = |seed| {
        distil(
            &teacher,
            Output::Raw,
            &View::from(&table),
            Surrogate::Trees,
            seed,
        )
    };
    assert_ne!(fidelity(0).unwrap().fidelity, fidelity(1).unwrap().fidelity);
}

#[test]
fn a_teacher_that_answers_all_rows_alike_is_explained_by_zeros() {
    let table = rows(50, 2, 10);
    let flat = asked(2, |_| vec![2.0]);
    for surrogate in [Surrogate::Auto, Surrogate::Trees, Surrogate::Linear] {
        if surrogate == Surrogate::Trees && !cfg!(feature = "mimic") {
            continue;
        }
        let made = taught(&flat, &table, surrogate);
        assert!(made.is_constant && made.fidelity.r2.is_none());
        #[cfg(feature = "mimic")]
        {
            let explainer =
                Explainer::mimic(&flat, &View::from(&table), surrogate, options()).unwrap();
            let e = explainer.explain(&table).unwrap();
            let values = &e.values;
            assert!(values.iter().all(|&v| v == 0.0), "{surrogate}: {values}");
            let base = e.header.base_values[0];
            assert!((base - 2.0).abs() < 1e-6, "{surrogate}: {base}");
            let is_said = |note: &String| note.contains("answers all rows of the background alike");
            assert!(e.trailer.notes.iter().any(is_said), "{:?}", e.trailer.notes);
        }
    }
}

#[test]
fn a_teacher_whose_answers_cannot_be_learned_is_refused() {
    let table = rows(50, 2, 10);
    let flat = asked(2, |_| vec![2.0]);
    let bad = asked(2, |row| vec![if row[0] > 0.0 { f64::NAN } else { row[1] }]);
    let error = distil(&bad, Output::Raw, &View::from(&table), Surrogate::Auto, 0).unwrap_err();
    assert!(error.to_string().contains("NaN"), "{error}");
    let error = distil(
        &flat,
        Output::Probability,
        &View::from(&table),
        Surrogate::Auto,
        0,
    );
    assert!(matches!(error, Err(Error::Unsupported { .. })), "{error:?}");
    let narrow = rows(50, 1, 10);
    let error = distil(&flat, Output::Raw, &View::from(&narrow), Surrogate::Auto, 0).unwrap_err();
    assert!(matches!(error, Error::Shape { .. }), "{error}");
}

#[test]
fn of_many_rows_the_surrogate_is_the_one_that_was_measured() {
    let teacher = asked(2, |row| vec![row[0] - row[1].abs()]);
    let made = taught(&teacher, &rows(5001, 2, 12), Surrogate::Linear);
    assert!(made.fidelity.is_held_out && !made.is_of_all);
    assert_eq!(made.fidelity.rows, 1000);
}

#[test]
fn few_rows_are_all_learned_and_said_so() {
    let teacher = asked(2, |row| vec![row[0] - row[1]]);
    let made = taught(&teacher, &rows(12, 2, 11), Surrogate::Linear);
    assert_eq!((made.fidelity.rows, made.fidelity.is_held_out), (12, false));
    assert!(
        made.fidelity
            .to_string()
            .ends_with("on 12 rows of the training")
    );
}

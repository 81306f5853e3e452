//! What must not change values, on models too large for the definition: the names and the order of
//! columns, the order of trees and of background rows, a feature that no tree asks for, and how an
//! ensemble is cut in two.

use std::sync::Arc;

use ndarray::{Array2, Array3, Axis, concatenate, s};
use whylight::data::{Cells, View};
use whylight::explain::{Background, Output, ValueFunction};
use whylight::model::{
    Feature, Fraction, Missing, Model, Node, Output as Leaves, Precision, Split, Test, Tree, Trees,
};
use whylight::{Device, Explainer, Explanation, Options, Table};

use super::stable::assert_same_bits;
use crate::support::random::Random;

/// Another order of the same sums in float32, in units of the row's largest value.
const ROUNDING: f32 = 1e-5;

/// What is asked of a model.
#[derive(Debug, Clone, Copy)]
struct Question {
    game: ValueFunction,
    interactions: bool,
    output: Output,
}

impl Question {
    /// Features whose values or interactions are so many cells.
    fn features(self, cells: usize) -> usize {
        if self.interactions {
            cells.isqrt()
        } else {
            cells
        }
    }
}

const fn question(game: ValueFunction, interactions: bool, output: Output) -> Question {
    Question {
        game,
        interactions,
        output,
    }
}

const RAW: [Question; 4] = [
    question(ValueFunction::PathDependent, false, Output::Raw),
    question(ValueFunction::Interventional, false, Output::Raw),
    question(ValueFunction::PathDependent, true, Output::Raw),
    question(ValueFunction::Interventional, true, Output::Raw),
];

const PROBABILITY: Question = question(ValueFunction::Interventional, false, Output::Probability);

/// A model of random trees, rows and background rows.
#[derive(Clone)]
struct Large {
    trees: Trees,
    rows: Array2<f64>,
    background: Array2<f64>,
    weights: Vec<f64>,
}

impl Large {
    fn new(trees: usize, depth: usize, features: usize) -> Self {
        let mut random = Random(29);
        let named = |f: usize| Feature {
            name: Some(format!("column {f}")),
            categories: None,
        };
        let mut cells = |rows: usize| {
            Array2::from_shape_simple_fn((rows, features), || match random.below(12) {
                0 => f64::NAN,
                1 => threshold(&mut random),
                _ => random.unit() * 4.0 - 2.0,
            })
        };
        let (rows, background) = (cells(40), cells(24));
        Self {
            trees: Trees {
                format: "XGBoost JSON",
                objective: "binary:logistic".to_owned(),
                features: (0..features).map(named).collect(),
                outputs: vec!["output 0".to_owned()],
                base: vec![0.25],
                precision: Precision::F32,
                fraction: Fraction::Floor,
                trees: (0..trees)
                    .map(|t| tree(t as u32, depth, features, trees, &mut random))
                    .collect(),
                averaged: false,
                best_iteration: None,
                has_cover: true,
            },
            rows,
            background,
            weights: (0..24).map(|row| f64::from(row % 4)).collect(),
        }
    }

    /// For values: 300 trees of depths 6 to 8 over 30 features.
    fn forest() -> Self {
        Self::new(300, 8, 30)
    }

    /// For interactions: as many trees, whose tables of pairs a test has the time for.
    fn shallow() -> Self {
        Self::new(300, 4, 30)
    }

    /// For probabilities: 12 features, so that every row is exact.
    fn narrow() -> Self {
        Self::new(60, 6, 12)
    }

    fn of(question: Question) -> Self {
        match (question.output, question.interactions) {
            (Output::Raw, false) => Self::forest(),
            (Output::Raw, true) => Self::shallow(),
            _ => Self::narrow(),
        }
    }

    fn explain(&self, question: Question) -> Explanation {
        let options = Options {
            value_function: question.game,
            interactions: question.interactions,
            output: question.output,
            ..Options::on(Device::cpu())
        };
        let model = Arc::new(Model::Trees(self.trees.clone()));
        let rows = View::f64(self.background.view(), None);
        let background = Background::Weighted(rows, &self.weights);
        let explainer = match question.game {
            ValueFunction::PathDependent => Explainer::new(model, None, options),
            _ => Explainer::with_distribution(model, background, options),
        };
        let names = self.trees.features.iter().map(|f| f.name.clone().unwrap());
        let table = Table::new(Some(names.collect()), Cells::F64(self.rows.clone())).unwrap();
        let explanation = explainer.unwrap().explain(&table).unwrap();
        assert!(explanation.header.exact);
        explanation
    }
}

/// Few distinct numbers, so that cells hit them and paths ask for one twice.
fn threshold(random: &mut Random) -> f64 {
    random.below(9) as f64 / 4.0 - 1.0
}

/// A tree whose paths end at the depth, or one or two splits before.
fn tree(t: u32, depth: usize, features: usize, trees: usize, random: &mut Random) -> Tree {
    let mut nodes = Vec::new();
    let mut values = Vec::new();
    let mut open = vec![(None, depth, 1000.0)];
    while let Some((parent, left, cover)) = open.pop() {
        let n = nodes.len() as u32;
        if let Some((parent, is_left)) = parent
            && let Node::Split(split) = &mut nodes[parent as usize]
        {
            *(if is_left {
                &mut split.left
            } else {
                &mut split.right
            }) = n;
        }
        if left == 0 || left <= 2 && random.chance(0.3) {
            nodes.push(Node::Leaf {
                leaf: values.len() as u32,
                cover,
            });
            values.push((random.unit() * 4.0 - 2.0) / (trees as f64).sqrt());
            continue;
        }
        nodes.push(Node::Split(Split {
            feature: random.below(features) as u32,
            test: Test::Below(threshold(random)),
            missing: Missing::Nan,
            missing_left: random.chance(0.5),
            left: 0,
            right: 0,
            cover,
        }));
        let share = 0.1 + 0.8 * random.unit();
        open.push((Some((n, true)), left - 1, share * cover));
        open.push((Some((n, false)), left - 1, (1.0 - share) * cover));
    }
    Tree {
        nodes,
        values,
        output: Leaves::One(0),
        iteration: t,
        linear: Vec::new(),
    }
}

fn assert_close(question: Question, values: &Array3<f32>, expected: &Array3<f32>) {
    assert_eq!(values.dim(), expected.dim());
    let rows = values.outer_iter().zip(expected.outer_iter());
    for (row, (values, expected)) in rows.enumerate() {
        let largest = expected.iter().fold(1e-3_f32, |a, v| a.max(v.abs()));
        for (cell, (value, expected)) in values.iter().zip(&expected).enumerate() {
            assert!(
                (value - expected).abs() <= ROUNDING * largest,
                "{question:?}, row {row}, cell {cell}: {value} is not {expected}"
            );
        }
    }
}

/// The values of every question, before and after a change, and what the change should make of them.
fn each(change: impl Fn(&mut Large), check: impl Fn(Question, &Array3<f32>, &Array3<f32>)) {
    for question in RAW.into_iter().chain([PROBABILITY]) {
        let before = Large::of(question);
        let mut after = before.clone();
        change(&mut after);
        let expected = before.explain(question).values;
        assert!(expected.iter().any(|value| value.abs() > 1e-3));
        check(question, &after.explain(question).values, &expected);
    }
}

/// The same cells (rows, features or pairs, outputs) with the features in this order.
fn in_order(question: Question, values: &Array3<f32>, order: &[usize]) -> Array3<f32> {
    if !question.interactions {
        return values.select(Axis(1), order);
    }
    let pairs = order.iter().flat_map(|i| order.iter().map(move |j| (i, j)));
    let pairs: Vec<usize> = pairs.map(|(i, j)| i * order.len() + j).collect();
    values.select(Axis(1), &pairs)
}

/// The columns in another order, the last first.
fn turned(features: usize) -> Vec<usize> {
    (0..features).rev().collect()
}

#[test]
fn new_names_of_columns_change_no_bit() {
    let rename = |large: &mut Large| {
        for (f, feature) in large.trees.features.iter_mut().enumerate() {
            feature.name = Some(format!("z{}", 97 - f));
        }
    };
    each(rename, |question, values, expected| {
        assert_same_bits(&format!("{question:?}"), expected, values);
    });
}

#[test]
fn the_order_of_trees_does_not_matter() {
    let shuffle = |large: &mut Large| {
        let mut random = Random(3);
        let trees = &mut large.trees.trees;
        for i in (1..trees.len()).rev() {
            trees.swap(i, random.below(i + 1));
        }
    };
    each(shuffle, assert_close);
}

#[test]
fn an_ensemble_has_the_values_of_its_halves_together() {
    for question in RAW {
        let whole = Large::of(question);
        let half = |odd: bool| {
            let mut half = whole.clone();
            let mut is_odd = true;
            half.trees.trees.retain(|_| {
                is_odd = !is_odd;
                is_odd == odd
            });
            assert_eq!(2 * half.trees.trees.len(), whole.trees.trees.len());
            half.explain(question).values
        };
        let expected = whole.explain(question).values;
        assert_close(question, &(half(false) + half(true)), &expected);
    }
}

#[test]
fn a_feature_that_no_tree_asks_for_has_no_value_and_changes_none() {
    let dummy = |large: &mut Large| {
        large.trees.features.push(Feature {
            name: Some("dummy".to_owned()),
            categories: None,
        });
        for cells in [&mut large.rows, &mut large.background] {
            let column = Array2::from_shape_fn((cells.nrows(), 1), |(row, _)| row as f64 - 9.5);
            *cells = concatenate![Axis(1), *cells, column];
        }
    };
    each(dummy, |question, values, expected| {
        let (rows, cells, outputs) = values.dim();
        let features = question.features(cells);
        let is_dummy = |cell: usize| {
            cell % features + 1 == features
                || question.interactions && cell / features + 1 == features
        };
        let (of_dummy, others): (Vec<_>, Vec<_>) = (0..cells).partition(|cell| is_dummy(*cell));
        let of_dummy = values.select(Axis(1), &of_dummy);
        assert!(of_dummy.len() >= rows * outputs);
        assert!(of_dummy.iter().all(|value| *value == 0.0), "{question:?}");
        assert_close(question, &values.select(Axis(1), &others), expected);
    });
}

#[test]
fn the_order_of_background_rows_does_not_matter() {
    let turn = |large: &mut Large| {
        large.background.invert_axis(Axis(0));
        large.background = large.background.as_standard_layout().into_owned();
        large.weights.reverse();
    };
    each(turn, assert_close);
}

#[test]
fn a_background_row_twice_is_one_of_twice_the_weight() {
    let twice = |large: &mut Large| {
        let last = large.background.slice(s![-1.., ..]).to_owned();
        large.background = concatenate![Axis(0), large.background, last];
        let half = large.weights.pop().unwrap() / 2.0;
        assert!(half > 0.0);
        large.weights.extend([half, half]);
    };
    each(twice, assert_close);
}

/// The table's columns are found by name.
#[test]
fn the_order_of_a_tables_columns_changes_no_bit() {
    let large = Large::forest();
    let order = turned(large.trees.features.len());
    let names = |order: &[usize]| Some(order.iter().map(|f| format!("column {f}")).collect());
    let table = |order: &[usize]| {
        let cells = large.rows.select(Axis(1), order);
        Table::new(names(order), Cells::F64(cells)).unwrap()
    };
    let model = Arc::new(Model::Trees(large.trees.clone()));
    for value_function in [ValueFunction::PathDependent, ValueFunction::Interventional] {
        let options = Options {
            value_function,
            ..Options::on(Device::cpu())
        };
        let background = Table::new(
            names(&order),
            Cells::F64(large.background.select(Axis(1), &order)),
        );
        let explainer = Explainer::new(model.clone(), Some(&background.unwrap()), options).unwrap();
        let in_order: Vec<usize> = (0..order.len()).collect();
        let expected = explainer.explain(&table(&in_order)).unwrap();
        let values = explainer.explain(&table(&order)).unwrap();
        assert_eq!(values.header.feature_names, expected.header.feature_names);
        assert_same_bits("columns", &expected.values, &values.values);
    }
}

/// The model with its features renumbered, and all cells with them.
#[test]
fn the_order_of_features_only_orders_the_values() {
    let renumber = |large: &mut Large| {
        let features = large.trees.features.len();
        large.trees.features.reverse();
        for tree in &mut large.trees.trees {
            for node in &mut tree.nodes {
                if let Node::Split(split) = node {
                    split.feature = features as u32 - 1 - split.feature;
                }
            }
        }
        for cells in [&mut large.rows, &mut large.background] {
            *cells = cells.select(Axis(1), &turned(features));
        }
    };
    each(renumber, |question, values, expected| {
        let features = question.features(values.dim().1);
        let back = in_order(question, values, &turned(features));
        assert_close(question, &back, expected);
    });
}

//! Whole models that are large in one way, from the file to the values: ten thousand trees, paths of
//! two hundred splits, a thousand classes.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use ndarray::{Array2, Array3, Axis, s};
use whylight::data::Cells;
use whylight::explain::{Output, ValueFunction};
use whylight::model::{self, Model, Node, Trees};
use whylight::{Device, Explainer, Explanation, Options, Table};
use whylight_kernels::legendre::Rule;

use super::draft::{Column, Draft, Task};
use super::xgboost::XGBOOST;
use crate::onnx::game;
use crate::reference::{interventional, shapley};
use crate::support::random::Random;
use crate::values::matrix::gpu;
use crate::values::outputs::answer;

/// In units of the largest value of a row and an output.
const ROUNDING: f64 = 1e-5;

const BOTH: [ValueFunction; 2] = [ValueFunction::PathDependent, ValueFunction::Interventional];

/// A model of XGBoost over numbers, and rows.
struct Large {
    model: Arc<Model>,
    rows: Array2<f64>,
    background: Array2<f64>,
}

/// Trees over so many columns; each has levels of which the last, `bushy`, grow on both sides.
fn draft(columns: usize, outputs: usize, trees: usize, depth: [usize; 2], bushy: usize) -> Draft {
    let number = || Column {
        categories: 0,
        missing_yes: false,
    };
    let mut draft = Draft {
        columns: (0..columns).map(|_| number()).collect(),
        task: if outputs > 1 {
            Task::Classes
        } else {
            Task::Number
        },
        outputs,
        is_vector: false,
        is_oblivious: false,
        has_cover: true,
        base: vec![0.0; outputs],
        divisor: None,
        trees: Vec::new(),
    };
    let mut random = Random(7);
    let [from, to] = depth;
    draft.trees = (0..trees)
        .map(|t| draft.tree(from + t % (to - from + 1), bushy, 1, &mut random))
        .collect();
    draft
}

/// Ten thousand trees of 4 to 6 levels over 5 columns, as a draft.
fn many_trees() -> Draft {
    draft(5, 1, 10_000, [4, 6], 6)
}

/// Their file.
#[cfg(feature = "cli")]
pub(crate) fn file_of_many_trees() -> Vec<u8> {
    (XGBOOST.write)(&many_trees())
}

impl Large {
    fn of(draft: &Draft, rows: usize, others: usize) -> Self {
        let model = model::parse(&(XGBOOST.write)(draft), Path::new("large")).unwrap();
        let mut random = Random(8);
        let mut cells = |rows: usize| {
            Array2::from_shape_simple_fn((rows, draft.columns.len()), || match random.below(6) {
                0 => f64::NAN,
                // A threshold of some tree.
                1 => random.below(9) as f64 / 4.0 - 1.0,
                _ => f64::from((random.unit() * 3.0 - 1.5) as f32),
            })
        };
        Self {
            model: Arc::new(model),
            rows: cells(rows),
            background: cells(others),
        }
    }

    fn trees(&self) -> &Trees {
        let Model::Trees(trees) = &*self.model else {
            panic!("not trees");
        };
        trees
    }

    fn explain(&self, game: ValueFunction, output: Output, device: Device) -> Explanation {
        let options = Options {
            value_function: game,
            output,
            ..Options::on(device)
        };
        let table = |cells: &Array2<f64>| Table::new(None, Cells::F64(cells.clone())).unwrap();
        let background = (game == ValueFunction::Interventional).then(|| table(&self.background));
        let explainer = Explainer::new(self.model.clone(), background.as_ref(), options).unwrap();
        explainer.explain(&table(&self.rows)).unwrap()
    }

    fn raw(&self, game: ValueFunction) -> Explanation {
        self.explain(game, Output::Raw, Device::cpu())
    }

    fn row(&self, row: usize) -> Vec<f64> {
        self.rows.row(row).to_vec()
    }

    fn others(&self) -> Vec<interventional::Other<f64>> {
        let share = 1.0 / self.background.nrows() as f64;
        let rows = self.background.outer_iter();
        rows.map(|row| (row.to_vec(), share)).collect()
    }

    /// What every coalition of a row is worth, by output.
    fn worth(&self, game: ValueFunction, row: usize) -> Vec<Vec<f64>> {
        match game {
            ValueFunction::PathDependent => game::worth(self.trees(), &self.row(row)),
            _ => interventional::worth_of_model(self.trees(), &self.row(row), &self.others()),
        }
    }
}

/// Asserts that the values of a row are those of its game.
fn is_defined(explanation: &Explanation, row: usize, worth: &[Vec<f64>]) {
    let values = explanation.values.index_axis(Axis(0), row);
    assert_eq!(worth.len(), values.dim().1);
    for (k, worth) in worth.iter().enumerate() {
        let base = explanation.header.base_values[k];
        let scale = worth.iter().fold(1.0, |a: f64, b| a.max(b.abs()));
        assert!((base - worth[0]).abs() <= 1e-9 * scale, "base {base}");
        let found = values.index_axis(Axis(1), k);
        let found: Vec<f64> = found.iter().map(|&value| value.into()).collect();
        close(&found, &shapley::values(worth));
    }
}

/// Asserts that the values of a row and an output are those that are expected.
fn close(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    let largest = expected.iter().fold(1e-3, |a: f64, b| a.max(b.abs()));
    for (f, (found, expected)) in found.iter().zip(expected).enumerate() {
        let off = (found - expected).abs();
        assert!(
            off <= ROUNDING * largest,
            "feature {f}: {found} is not {expected}"
        );
    }
}

#[test]
fn ten_thousand_trees_are_as_defined_and_as_their_parts_together() {
    let mut large = Large::of(&many_trees(), 12, 100);
    assert_eq!(large.trees().trees.len(), 10_000);
    let whole = BOTH.map(|game| large.raw(game));
    for (game, whole) in BOTH.into_iter().zip(&whole) {
        let margins = large
            .rows
            .outer_iter()
            .map(|row| large.trees().margin(&row.to_vec())[0]);
        let largest = margins.fold(1.0, |a: f64, b| a.max(b.abs()));
        let error = whole.trailer.additivity_error;
        assert!(error <= 1e-6 * largest, "{game:?}: {error}");
    }
    is_defined(&whole[0], 5, &large.worth(BOTH[0], 5));
    let with = |rows: &Array2<f64>, trees: Range<usize>| {
        let mut some = large.trees().clone();
        some.trees = some.trees.drain(trees).collect();
        Large {
            model: Arc::new(Model::Trees(some)),
            rows: rows.clone(),
            background: large.background.clone(),
        }
    };
    // Rows enough for tables.
    let rows = with(&large.rows.select(Axis(0), &[5; 80]), 0..10_000);
    for (game, whole) in BOTH.into_iter().zip(&whole) {
        let many = rows.raw(game);
        assert_eq!(many.trailer.engines[0].0, "tables");
        let row = |values: &Array3<f32>, row: usize| -> Vec<f64> {
            let values = values.index_axis(Axis(0), row);
            values.iter().map(|&value| value.into()).collect()
        };
        for i in 0..80 {
            close(&row(&many.values, i), &row(&whole.values, 5));
        }
    }
    let mut sums = whole
        .each_ref()
        .map(|whole| Array3::zeros(whole.values.dim()));
    for part in 0..10 {
        let part = with(&large.rows, 1000 * part..1000 * (part + 1));
        for (game, sum) in BOTH.into_iter().zip(&mut sums) {
            *sum += &part.raw(game).values.mapv(f64::from);
        }
    }
    for (whole, sum) in whole.iter().zip(&sums) {
        for (whole, sum) in whole.values.outer_iter().zip(sum.outer_iter()) {
            let whole: Vec<f64> = whole.iter().map(|&value| value.into()).collect();
            close(&whole, &sum.iter().copied().collect::<Vec<_>>());
        }
    }
    // All trees against all rows would take minutes by definition: some against all, all against some.
    let some = with(&large.rows, 4000..4100);
    is_defined(&some.raw(BOTH[1]), 5, &some.worth(BOTH[1], 5));
    large.background = large.background.slice(s![..2, ..]).to_owned();
    is_defined(&large.raw(BOTH[1]), 5, &large.worth(BOTH[1], 5));
}

/// A feature of a path, and what the path is worth to it inside a coalition and outside.
type Step = (usize, f64, f64);

/// The values of a row, leaf by leaf: the product over the features of a path of what they are worth
/// inside a coalition and outside, integrated with more points than it needs. `kept` is how much of
/// what comes to a split without the feature goes on to a child.
fn by_leaves(trees: &Trees, row: &[f64], kept: &dyn Fn(usize, usize, u32) -> f64) -> Vec<f64> {
    let rule = Rule::new(row.len() / 2 + 3);
    let mut values = vec![0.0; row.len()];
    for (t, tree) in trees.trees.iter().enumerate() {
        let mut open = vec![(0, Vec::<Step>::new())];
        while let Some((n, path)) = open.pop() {
            let split = match &tree.nodes[n] {
                Node::Split(split) => split,
                Node::Leaf { leaf, .. } => {
                    let value = tree.values[*leaf as usize];
                    for (&u, weight) in rule.points.iter().zip(&rule.weights) {
                        let at = |&(_, inside, outside): &Step| u * inside + (1.0 - u) * outside;
                        let mut after = vec![1.0; path.len() + 1];
                        for (i, step) in path.iter().enumerate().rev() {
                            after[i] = after[i + 1] * at(step);
                        }
                        let mut before = value * weight;
                        for (i, step) in path.iter().enumerate() {
                            values[step.0] += before * (step.1 - step.2) * after[i + 1];
                            before *= at(step);
                        }
                    }
                    continue;
                }
            };
            let feature = split.feature as usize;
            let left = split.left(row[feature], trees.precision, trees.fraction);
            for (child, is_left) in [(split.left, true), (split.right, false)] {
                let mut path = path.clone();
                let place = path.iter().position(|step| step.0 == feature);
                let place = place.unwrap_or_else(|| {
                    path.push((feature, 1.0, 1.0));
                    path.len() - 1
                });
                path[place].1 *= f64::from(u8::from(left == is_left));
                path[place].2 *= kept(t, n, child);
                if path[place].1 != 0.0 || path[place].2 != 0.0 {
                    open.push((child as usize, path));
                }
            }
        }
    }
    values
}

#[test]
fn paths_of_two_hundred_splits_are_as_defined() {
    for columns in [9, 200] {
        let large = Large::of(&draft(columns, 1, 4, [200, 200], 5), 20, 5);
        let trees = large.trees();
        for game in BOTH {
            let explanation = large.raw(game);
            for row in 0..4 {
                if columns < 20 {
                    is_defined(&explanation, row, &large.worth(game, row));
                }
                let cells = large.row(row);
                let mut expected = vec![0.0; columns];
                let mut add = |share: f64, kept: &dyn Fn(usize, usize, u32) -> f64| {
                    for (sum, value) in expected.iter_mut().zip(by_leaves(trees, &cells, kept)) {
                        *sum += share * value;
                    }
                };
                if game == ValueFunction::PathDependent {
                    add(1.0, &|t, n, child| {
                        let cover = |n: usize| trees.trees[t].nodes[n].cover();
                        if cover(n) > 0.0 {
                            cover(child as usize) / cover(n)
                        } else {
                            0.5
                        }
                    });
                } else {
                    for (other, share) in large.others() {
                        add(share, &|t, n, child| {
                            let Node::Split(split) = &trees.trees[t].nodes[n] else {
                                return 0.0;
                            };
                            let cell = other[split.feature as usize];
                            let left = split.left(cell, trees.precision, trees.fraction);
                            f64::from(u8::from(left == (child == split.left)))
                        });
                    }
                }
                let found = explanation.values.index_axis(Axis(0), row);
                let found: Vec<f64> = found.iter().map(|&value| value.into()).collect();
                close(&found, &expected);
            }
        }
    }
}

#[test]
fn a_thousand_classes_are_as_defined() {
    let large = Large::of(&draft(5, 1000, 2000, [1, 4], 4), 6, 2);
    let trees = large.trees();
    let devices = [Some(Device::cpu()), gpu()];
    for device in devices.into_iter().flatten() {
        for game in BOTH {
            let explanation = large.explain(game, Output::Raw, device.clone());
            assert_eq!(explanation.values.dim(), (6, 5, 1000));
            for row in 0..2 {
                is_defined(&explanation, row, &large.worth(game, row));
            }
        }
        let game = ValueFunction::Interventional;
        for output in [Output::Probability, Output::LogLoss] {
            let explanation = large.explain(game, output, device.clone());
            let is_loss = output == Output::LogLoss;
            let worth = interventional::of(&large.row(1), &large.others(), |row| {
                answer(&trees.objective, &trees.margin(row), is_loss)
            });
            let values = explanation.values.index_axis(Axis(0), 1);
            for (k, worth) in worth.iter().enumerate() {
                let scale = worth.iter().fold(1.0, |a: f64, b| a.max(b.abs()));
                for (f, expected) in shapley::values(worth).into_iter().enumerate() {
                    let found = f64::from(values[[f, k]]);
                    assert!(
                        (found - expected).abs() <= 2e-6 * scale,
                        "{output}, feature {f}, class {k}: {found} is not {expected}"
                    );
                }
            }
        }
    }
}

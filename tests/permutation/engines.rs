//! Every engine answers shuffled rows as the model answers them when they are made.

use std::sync::Arc;

use ndarray::Array2;
use whylight::explain::Group;
use whylight::explain::Output;
use whylight::explain::permutation::{PermutationOptions, permutation};
use whylight::metric::Score;
use whylight::model::{BlackBox, Feature, Linear, Model, Predict};

use super::{Weighted, explain, options};
use crate::corpus::cases;
use crate::support::native::{load, rows};
use crate::support::random::Random;

/// What the model itself answers, row by row.
fn plain(model: &Model, output: Output, rows: &Array2<f64>) -> Array2<f64> {
    let answer = |row: Vec<f64>| match (model, output) {
        (Model::Trees(trees), Output::Raw) => trees.margin(&row),
        (Model::Trees(trees), _) => trees.link().unwrap().predict(&trees.margin(&row)),
        (Model::Linear(linear), _) => linear.margins(1, &row),
        (model, Output::Raw) => model.raw(&row).unwrap(),
        (model, _) => model.probabilities(&row).unwrap(),
    };
    let answers: Vec<Vec<f64>> = rows.outer_iter().map(|row| answer(row.to_vec())).collect();
    Array2::from_shape_vec((rows.nrows(), answers[0].len()), answers.concat()).unwrap()
}

/// Importances against those of rows that are made, to 1e-12 of the sizes of what is summed.
fn agree(
    name: &str,
    model: &Arc<Model>,
    cells: &Array2<f64>,
    options: &PermutationOptions,
) -> String {
    let base = plain(model, options.output, cells);
    let score = Weighted::of(cells.nrows(), base.ncols());
    let found = explain(model, cells, &score, options).unwrap();
    let size: f64 = (&score.0 * &base).mapv(f64::abs).sum() + magnitude(model);
    let base = score.score(base.view()).unwrap();
    assert!((found.base_score - base).abs() <= 1e-12 * size, "{name}");
    let mut features: Vec<Vec<usize>> = (0..cells.ncols()).map(|f| vec![f]).collect();
    for group in &options.groups {
        features.retain(|own| !group.features.contains(&own[0]));
        let mut members = group.features.clone();
        members.sort_unstable();
        features.push(members);
    }
    features.sort();
    assert_eq!(found.importances.dim(), (features.len(), options.n_repeats));
    for (player, members) in features.iter().enumerate() {
        for repeat in 0..options.n_repeats {
            let strata = options.strata.as_deref();
            let order =
                permutation(cells.nrows(), options.seed, members[0], repeat, strata).unwrap();
            let mut shuffled = cells.clone();
            for (row, &from) in order.iter().enumerate() {
                for &feature in members {
                    shuffled[[row, feature]] = cells[[from as usize, feature]];
                }
            }
            let answers = plain(model, options.output, &shuffled);
            let expected = score.score(answers.view()).unwrap() - base;
            let got = found.importances[[player, repeat]];
            assert!(
                (got - expected).abs() <= 1e-12 * size,
                "{name}, {player}, {repeat}: {got} against {expected}, {size}"
            );
        }
    }
    found.engine
}

/// The sizes of what margins are summed of.
fn magnitude(model: &Model) -> f64 {
    match model {
        Model::Trees(trees) => (trees.trees.iter().flat_map(|tree| &tree.values))
            .map(|value| value.abs())
            .sum(),
        Model::KernelMachine(machine) => machine.coefficients.mapv(f64::abs).sum(),
        _ => 1.0,
    }
}

fn shuffle(repeats: usize, seed: u64) -> PermutationOptions {
    PermutationOptions {
        n_repeats: repeats,
        seed,
        ..options()
    }
}

#[test]
fn trees_of_every_library_with_every_hard_cell() {
    let (mut walked, mut compared) = (0, 0);
    for library in ["xgboost", "lightgbm", "catboost", "onnx", "treelite"] {
        for case in cases(library) {
            if !case.facts["refused"].is_null() {
                continue;
            }
            // Those of text are read otherwise.
            let Some(matrix) = case.array("rows") else {
                continue;
            };
            let mut trees = load(&case);
            // The cells are the model's own numbers.
            trees.features = vec![Feature::default(); trees.features.len()];
            let features = trees.features.len();
            let height = matrix.shape[0].min(70);
            let cells = matrix.cells[..height * features].to_vec();
            let cells = Array2::from_shape_vec((height, features), cells).unwrap();
            let is_linear = trees.has_linear_leaves();
            let model = Arc::new(Model::Trees(trees));
            let engine = agree(&case.name, &model, &cells, &shuffle(3, 5));
            assert_eq!(engine, if is_linear { "asked" } else { "trees" });
            walked += usize::from(!is_linear);
            compared += 1;
        }
    }
    assert!(walked > 100 && compared > walked, "{walked} of {compared}");
}

#[test]
fn trees_in_groups_and_strata_and_more_repeats_than_lanes() {
    for name in [
        "binary_categorical_4_7",
        "regression_zero_4_7",
        "multiclass_4_7",
    ] {
        let case = cases("lightgbm")
            .into_iter()
            .find(|case| case.name == name)
            .unwrap();
        let mut trees = load(&case);
        let matrix = rows(&case, &trees);
        let features = trees.features.len();
        trees.features = vec![Feature::default(); features];
        let cells = Array2::from_shape_vec((matrix.shape[0], features), matrix.cells).unwrap();
        let model = Arc::new(Model::Trees(trees));
        let group = Group {
            name: "both".to_owned(),
            features: vec![0, 2],
        };
        let strata: Vec<u32> = (0..cells.nrows() as u32).map(|row| row % 3).collect();
        for output in [Output::Raw, Output::Response] {
            let mut options = PermutationOptions {
                groups: vec![group.clone()],
                output,
                ..shuffle(11, 9)
            };
            agree(name, &model, &cells, &options);
            options.strata = Some(strata.clone());
            agree(name, &model, &cells, &options);
            // As much as one column at a time takes, and then two repeats of it.
            options.memory_limit = Some(1);
            agree(name, &model, &cells, &options);
        }
    }
}

fn cells(rows: usize, features: usize) -> Array2<f64> {
    let mut random = Random(17);
    let mut cells = Array2::from_shape_simple_fn((rows, features), || 2.0 * random.unit() - 1.0);
    cells.column_mut(1).fill(0.25);
    // Far from what the others are about.
    cells.column_mut(2).mapv_inplace(|cell| 40.0 * cell);
    cells
}

#[test]
fn machines_perceptrons_bayes_and_neighbours() {
    let cells = cells(37, 6);
    for case in crate::native::cases(6) {
        let model = Arc::new(case.model);
        let mut options = PermutationOptions {
            output: case.output,
            ..shuffle(2, 1)
        };
        let engine = agree(&case.name, &model, &cells, &options);
        let is_asked = matches!(*model, Model::Neighbours(_));
        assert_eq!(
            engine,
            if is_asked { "asked" } else { "units" },
            "{}",
            case.name
        );
        options.groups = vec![Group {
            name: "three".to_owned(),
            features: vec![5, 0, 2],
        }];
        agree(&case.name, &model, &cells, &options);
    }
}

#[test]
fn linear_models() {
    let mut random = Random(2);
    let weights = Array2::from_shape_simple_fn((3, 6), || random.unit() - 0.5);
    let linear = Linear::new(weights, vec![0.5, -1.0, 3.0]).unwrap();
    let engine = agree(
        "linear",
        &Arc::new(Model::Linear(linear)),
        &cells(40, 6),
        &shuffle(3, 0),
    );
    assert_eq!(engine, "units");
}

/// A black box that answers with a product and counts the rows of each call.
#[derive(Debug)]
struct Product(std::sync::Mutex<Vec<usize>>);

impl Predict for Product {
    fn predict(&self, rows: Array2<f64>) -> whylight::Result<Array2<f64>> {
        self.0.lock().unwrap().push(rows.nrows());
        Ok(Array2::from_shape_fn((rows.nrows(), 1), |(row, _)| {
            rows[[row, 0]] * rows[[row, 2]] + rows[[row, 3]]
        }))
    }
}

#[test]
fn a_black_box_is_asked_for_several_columns_at_once_within_the_limit() {
    let cells = cells(30, 5);
    let asked = |limit: Option<u64>| {
        let product = Arc::new(Product(std::sync::Mutex::default()));
        let black_box = BlackBox {
            features: vec![Feature::default(); 5],
            outputs: vec!["y".to_owned()],
            predict: Arc::clone(&product) as Arc<dyn Predict>,
        };
        let options = PermutationOptions {
            memory_limit: limit,
            ..shuffle(4, 0)
        };
        let model = Arc::new(Model::BlackBox(black_box));
        let found = explain(&model, &cells, &Weighted::of(30, 1), &options).unwrap();
        let calls = product.0.lock().unwrap().clone();
        (found.importances, calls)
    };
    let (all, calls) = asked(None);
    // The rows as they are, then 4 repeats of the four columns that vary.
    assert_eq!(calls, [30, 480]);
    let (few, calls) = asked(Some(8 * 6 * 25));
    assert!(calls.iter().all(|rows| *rows <= 25), "{calls:?}");
    assert_eq!(all, few);
    let score = Weighted::of(30, 1);
    for repeat in 0..4 {
        let order = permutation(30, 0, 2, repeat, None).unwrap();
        let change: f64 = (order.iter().enumerate())
            .map(|(row, &from)| {
                score.0[[row, 0]] * cells[[row, 0]] * (cells[[from as usize, 2]] - cells[[row, 2]])
            })
            .sum();
        assert!(
            (all[[2, repeat]] - change).abs() < 1e-12,
            "{}",
            all[[2, repeat]]
        );
        assert_eq!((all[[1, repeat]], all[[4, repeat]]), (0.0, 0.0));
    }
}

#[test]
fn threads_and_memory_change_no_bit_and_seeds_change_all() {
    let case = cases("xgboost")
        .into_iter()
        .find(|case| case.facts["refused"].is_null())
        .unwrap();
    let mut trees = load(&case);
    let matrix = rows(&case, &trees);
    let features = trees.features.len();
    trees.features = vec![Feature::default(); features];
    let width = trees.outputs.len();
    let cells = Array2::from_shape_vec((matrix.shape[0], features), matrix.cells).unwrap();
    let (model, score) = (
        Arc::new(Model::Trees(trees)),
        Weighted::of(matrix.shape[0], width),
    );
    let of = |options: PermutationOptions| explain(&model, &cells, &score, &options).unwrap();
    let all = of(shuffle(9, 4));
    let few = of(PermutationOptions {
        threads: 1,
        memory_limit: Some(1),
        ..shuffle(9, 4)
    });
    assert_eq!(all.importances, few.importances);
    // A repeat is the same whatever else is asked.
    let first = of(shuffle(1, 4));
    assert_eq!(all.importances.column(0), first.importances.column(0));
    let other = of(shuffle(9, 5));
    let changed = all
        .importances
        .iter()
        .zip(&other.importances)
        .filter(|(a, b)| a != b)
        .count();
    assert!(
        changed * 10 > all.importances.len() * 9 || features < 3,
        "{changed}"
    );
}

/// Whether rows of equal leaves tie.
#[derive(Debug)]
struct Distinct(usize);

impl Score for Distinct {
    fn name(&self) -> String {
        "distinct".to_owned()
    }

    fn is_error(&self) -> bool {
        true
    }

    fn rows(&self) -> Option<usize> {
        None
    }

    fn score(&self, answers: ndarray::ArrayView2<'_, f64>) -> whylight::Result<f64> {
        let mut bits: Vec<u64> = answers.iter().map(|answer| answer.to_bits()).collect();
        bits.sort_unstable();
        bits.dedup();
        Ok((bits.len() + self.0) as f64)
    }
}

#[test]
fn shuffled_rows_that_reach_the_same_leaves_tie_to_the_last_bit() {
    let case = cases("lightgbm")
        .into_iter()
        .find(|case| case.name == "dart_4_7")
        .unwrap();
    let mut trees = load(&case);
    trees.features = vec![Feature::default(); trees.features.len()];
    let matrix = rows(&case, &trees);
    let features = trees.features.len();
    // A few cells of each column, so that leaves are met again and again.
    let mut cells = Array2::from_shape_vec((matrix.shape[0], features), matrix.cells).unwrap();
    for mut column in cells.columns_mut() {
        for row in 3..column.len() {
            column[row] = column[row % 3];
        }
    }
    let model = Arc::new(Model::Trees(trees));
    let options = shuffle(4, 2);
    let found = explain(&model, &cells, &Distinct(0), &options).unwrap();
    let base = Distinct(0)
        .score(plain(&model, Output::Raw, &cells).view())
        .unwrap();
    for feature in 0..features {
        for repeat in 0..4 {
            let order = permutation(cells.nrows(), 2, feature, repeat, None).unwrap();
            let mut shuffled = cells.clone();
            for (row, &from) in order.iter().enumerate() {
                shuffled[[row, feature]] = cells[[from as usize, feature]];
            }
            let distinct = Distinct(0)
                .score(plain(&model, Output::Raw, &shuffled).view())
                .unwrap();
            assert_eq!(
                found.importances[[feature, repeat]],
                distinct - base,
                "{feature} {repeat}"
            );
        }
    }
}

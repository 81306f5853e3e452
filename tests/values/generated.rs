//! Random small models of every library, written in its own format and read back: what each cell
//! answers is the library's rule, and every cell of the matrix (game, values or interactions, output,
//! device) is as the naive definition says, or is refused by name.
//!
//! A failure names the library and the seed. `WHYLIGHT_RANDOM_MODELS=5000` walks as many models of
//! each library.

mod asked;
mod catboost;
mod draft;
mod large;
mod lightgbm;
mod onnx;
mod treelite;
mod xgboost;

#[cfg(feature = "cli")]
pub(crate) use large::file_of_many_trees;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use ndarray::Array2;
use whylight::data::Cells;
use whylight::model::{self, Model, Trees};
use whylight::{Device, Table};

use self::asked::{QUESTIONS, Worth};
use self::draft::{Draft, Habits, Part, Split};
use super::matrix::gpu;
use crate::onnx::game;
use crate::support::native;
use crate::support::random::Random;

/// How a library writes models, and what their splits mean.
struct Library {
    name: &'static str,
    /// Of its own, so that libraries do not share their drafts.
    first_seed: u64,
    habits: Habits,
    /// Whether it rounds cells to float32.
    is_f32: bool,
    /// Whether a cell answers yes, from the library's documentation.
    yes: fn(&Draft, &Split, f64) -> bool,
    write: fn(&Draft) -> Vec<u8>,
}

/// Models of a library, and each of how many a GPU explains too.
const MODELS: u64 = 48;
const EVERY: u64 = 3;

/// Background rows, one of which counts nothing.
const WEIGHTS: [f64; 4] = [1.0, 2.0, 0.0, 3.0];

/// A model, rows, and all that is known of them.
struct Subject {
    name: String,
    model: Arc<Model>,
    /// The model with the covers that path-dependent values follow.
    trees: Trees,
    has_cover: bool,
    /// Rows whose values are defined, as cells of the model and as a table.
    rows: Vec<Vec<f64>>,
    table: Table,
    others: Vec<Vec<f64>>,
    background: Table,
    /// Rows of the call that is checked: these again and again.
    amount: usize,
}

impl Subject {
    fn new(library: &Library, seed: u64) -> Self {
        let name = format!("{}, seed {seed}", library.name);
        let mut random = Random(seed);
        let draft = Draft::new(library.habits, &mut random);
        let bytes = (library.write)(&draft);
        let read = model::parse(&bytes, Path::new(library.name));
        let Model::Trees(trees) = read.unwrap_or_else(|error| panic!("{name}: {error}")) else {
            panic!("{name}: not trees");
        };
        // Float64 cells are rounded by the library, or by the table before it.
        let in_f32 = library.is_f32 && random.chance(0.5);
        let mut table = |rows: usize| {
            let cells = Array2::from_shape_fn((rows, draft.columns.len()), |(_, column)| {
                draft.cell(column, in_f32, &mut random)
            });
            let cells = if in_f32 {
                Cells::F32(cells.mapv(|cell| cell as f32))
            } else {
                Cells::F64(cells)
            };
            Table::new(None, cells).unwrap()
        };
        let (table, background) = (table(4), table(WEIGHTS.len()));
        let amount = [4, 40, 70, 1100][random.below(4)];
        let mut subject = Self {
            rows: encoded(&trees, &table),
            others: encoded(&trees, &background),
            has_cover: trees.has_cover,
            model: Arc::new(Model::Trees(trees.clone())),
            name,
            trees,
            table,
            background,
            amount,
        };
        subject.answers_as(&draft, library);
        if !subject.has_cover {
            let cells = native::encoded(&subject.trees, &subject.background);
            game::count_covers(&mut subject.trees, &cells);
        }
        subject
    }

    /// Asserts that the model gives rows what the library's rule does.
    fn answers_as(&self, draft: &Draft, library: &Library) {
        let cells = [&self.table, &self.background].into_iter().flat_map(raw);
        for (cells, row) in cells.zip(self.rows.iter().chain(&self.others)) {
            let expected = draft.margins(&cells, library.yes);
            let found = self.trees.margin(row);
            assert_eq!(found.len(), expected.len(), "{}", self.name);
            for (found, expected) in found.iter().zip(&expected) {
                // Quotients of averages are rounded.
                assert!(
                    (found - expected).abs() <= 1e-13 * (1.0 + expected.abs()),
                    "{}, {cells:?}: {found} is not {expected}",
                    self.name
                );
            }
        }
    }
}

/// Rows as they are written.
fn raw(table: &Table) -> Vec<Vec<f64>> {
    let cells = match &table.cells {
        Cells::F32(cells) => cells.mapv(f64::from),
        Cells::F64(cells) => cells.clone(),
        Cells::Columns(_) => panic!("a table of columns"),
    };
    cells.outer_iter().map(|row| row.to_vec()).collect()
}

/// Rows as the cells of the model.
fn encoded(trees: &Trees, table: &Table) -> Vec<Vec<f64>> {
    let cells = native::encoded(trees, table);
    (0..table.rows())
        .map(|row| cells.row(row).to_vec())
        .collect()
}

/// What was walked: cells of the matrix that are exact or refused, and engines.
#[derive(Default)]
struct Seen {
    exact: usize,
    refused: BTreeMap<String, usize>,
    engines: BTreeMap<String, usize>,
    /// Splits by what they ask: numbers, categories, and categories from 1000 on.
    splits: [usize; 3],
}

impl Seen {
    fn count(&mut self, draft: &Draft) {
        for part in draft.trees.iter().flat_map(|tree| &tree.parts) {
            let Part::Split(split) = part else { continue };
            self.splits[match &split.ask {
                draft::Ask::Threshold(_) => 0,
                draft::Ask::Members(members) if *members.last().unwrap() < 1000 => 1,
                draft::Ask::Members(_) => 2,
            }] += 1;
        }
    }
}

/// Walks the models of a library, on the CPU and, if there is one, on a GPU.
fn walk(library: &Library) {
    let models = std::env::var("WHYLIGHT_RANDOM_MODELS").map_or(MODELS, |n| n.parse().unwrap());
    let devices: Vec<Device> = [Some(Device::cpu()), gpu()].into_iter().flatten().collect();
    let mut seen: Vec<Seen> = devices.iter().map(|_| Seen::default()).collect();
    for seed in library.first_seed..library.first_seed + models {
        let subject = Subject::new(library, seed);
        let worth = Worth::of(&subject);
        for (place, (device, seen)) in devices.iter().zip(&mut seen).enumerate() {
            if place > 0 && !seed.is_multiple_of(EVERY) {
                continue;
            }
            seen.count(&Draft::new(library.habits, &mut Random(seed)));
            for question in QUESTIONS {
                question.ask(&subject, &worth, device, seen);
            }
        }
    }
    for (device, seen) in devices.iter().zip(&seen) {
        eprintln!(
            "{}, {}: {} exact, refused {:?}, engines {:?}, splits {:?}",
            library.name,
            device.name(),
            seen.exact,
            seen.refused,
            seen.engines,
            seen.splits
        );
        assert!(seen.exact > 20 && seen.refused.len() > 3);
        let is_asked = seen.splits.iter().all(|&count| count > 0);
        assert!(is_asked, "splits by kind: {:?}", seen.splits);
        // A GPU may take the leaves of all trees that no tables hold.
        let compared = ["pairs", "leaves"].map(|engine| seen.engines.contains_key(engine));
        let is_cpu = device.name().starts_with("cpu");
        assert!(
            compared[0] || !is_cpu && compared[1],
            "neither pairs nor leaves"
        );
        for engine in ["coalitions", "quadrature", "tables", "tables_of_pairs"] {
            assert!(seen.engines.contains_key(engine), "no {engine}");
        }
    }
}

#[test]
fn random_models_of_xgboost_are_as_defined() {
    walk(&xgboost::XGBOOST);
}

#[test]
fn random_models_of_lightgbm_are_as_defined() {
    walk(&lightgbm::LIGHTGBM);
}

#[test]
fn random_models_of_catboost_are_as_defined() {
    walk(&catboost::CATBOOST);
}

#[test]
fn random_models_of_onnx_are_as_defined() {
    walk(&onnx::ONNX);
}

#[test]
fn random_models_of_treelite_are_as_defined() {
    walk(&treelite::TREELITE);
}

//! A case of the corpus, ready to be explained.

use std::sync::Arc;

use ndarray::Array3;
use whylight::data::{Cells, ReadOptions, read};
use whylight::explain::ValueFunction;
use whylight::model::{self, Model, Precision, Trees};
use whylight::{Device, Explainer, Explanation, Options, Table};

use crate::corpus::{Case, Matrix, cases};
use crate::onnx::game;
use crate::support::native;

pub(super) const LIBRARIES: [&str; 5] = ["xgboost", "lightgbm", "catboost", "onnx", "treelite"];

/// How many rows are explained in one call: each amount selects other engines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Amount {
    /// Ten rows a call.
    Few,
    /// All rows of the case in one call.
    Some,
    /// The rows of the case over and over.
    Many,
}

pub(super) const AMOUNTS: [Amount; 3] = [Amount::Few, Amount::Some, Amount::Many];

/// Rows of a call that has many.
const MANY: usize = 1600;

/// A case with its model, its rows and the library's answers.
#[derive(Clone)]
pub(super) struct Subject {
    pub(super) case: Case,
    pub(super) model: Arc<Model>,
    /// The model with the covers that its values follow.
    pub(super) trees: Trees,
    pub(super) background: Option<Table>,
    pub(super) table: Table,
    /// The cells of the table as the model reads them (rows, features).
    pub(super) rows: Matrix,
    is_rounded: bool,
}

/// The cases of a library that have path-dependent values.
pub(super) fn subjects(library: &str) -> Vec<Subject> {
    subjects_of(library, ValueFunction::PathDependent)
}

/// The cases of a library that have values against a background: all.
pub(super) fn against_background(library: &str) -> Vec<Subject> {
    subjects_of(library, ValueFunction::Interventional)
}

/// The cases of a library that have values by a value function.
pub(super) fn subjects_of(library: &str, value_function: ValueFunction) -> Vec<Subject> {
    let mut cases = cases(library);
    cases.retain(|case| case.facts["refused"].is_null());
    if value_function != ValueFunction::Interventional {
        cases.retain(|case| case.facts["linear"] != true);
    }
    cases.into_iter().map(Subject::new).collect()
}

pub(super) fn subject(library: &str, name: &str) -> Subject {
    let mut cases = cases(library);
    cases.retain(|case| case.name == name);
    Subject::new(cases.pop().unwrap())
}

/// For path-dependent values, where a background is only what covers are counted from.
pub(super) fn options() -> Options {
    Options {
        value_function: ValueFunction::PathDependent,
        ..Options::on(Device::cpu())
    }
}

impl Subject {
    fn new(case: Case) -> Self {
        let Model::Trees(mut trees) = model::load(&case.model()).unwrap() else {
            panic!("{}: not trees", case.name);
        };
        if case.facts["use_best_iteration"] == true {
            let best = trees.best_iteration.unwrap();
            trees.keep_iterations(0..best + 1).unwrap();
        }
        let rows = if case.facts["library"] == "xgboost" {
            case.array("rows").unwrap()
        } else {
            native::rows(&case, &trees)
        };
        let labels = case.folder.join("rows.csv");
        let file = if labels.exists() && case.array("rows_csv_index").is_none() {
            labels
        } else {
            case.folder.join("rows.npy")
        };
        let table = read(&file, &ReadOptions::for_features(&trees.features)).unwrap();
        assert_eq!(table.rows(), rows.shape[0], "{}", case.name);
        let model = Arc::new(Model::Trees(trees.clone()));
        let mut background = None;
        if !trees.has_cover {
            let path = case.folder.join("background.npy");
            let mut cells = rows.clone();
            background = Some(table.clone());
            if path.exists() {
                background = Some(read(&path, &ReadOptions::default()).unwrap());
                cells = case.array("background").unwrap();
            }
            game::count_covers(&mut trees, &cells);
        }
        Self {
            case,
            model,
            trees,
            background,
            table,
            rows,
            is_rounded: false,
        }
    }

    pub(super) fn explainer(&self, options: Options) -> Explainer {
        Explainer::new(self.model.clone(), self.background.as_ref(), options).unwrap()
    }

    /// The library's values of these rows, (row, output, feature + 1), as the model's outputs are
    /// scaled.
    pub(super) fn native(&self) -> Option<Matrix> {
        if self.is_rounded {
            return None;
        }
        let mut values = self.case.array("values")?;
        let divisor = native::divisor(&self.case);
        for value in &mut values.cells {
            *value /= divisor;
        }
        Some(values)
    }

    /// Whether the library computed its values in float32.
    pub(super) fn is_float32(&self) -> bool {
        self.case.facts["value_source"] == "xgboost pred_contribs"
    }

    /// Whether the table has to be compared in float64.
    pub(super) fn is_wide(&self) -> bool {
        let cells = &self.rows.cells;
        let exact =
            |&cell: &f64| cell.is_nan() || f64::from(cell as f32).to_bits() == cell.to_bits();
        self.trees.precision == Precision::F64 && !cells.iter().all(exact)
    }

    /// The same case with every cell rounded to float32.
    pub(super) fn rounded(mut self) -> Self {
        if let Cells::F64(cells) = &mut self.table.cells {
            cells.mapv_inplace(|cell| f64::from(cell as f32));
        }
        for cell in &mut self.rows.cells {
            *cell = f64::from(*cell as f32);
        }
        self.is_rounded = true;
        self
    }
}

/// The parts of a table that are explained, with one call each, and what they are told.
pub(super) fn explain(explainer: &Explainer, table: &Table, amount: Amount) -> Vec<Explanation> {
    let rows = table.rows();
    match amount {
        Amount::Few => (0..rows)
            .step_by(10)
            .map(|from| table.slice(from..rows.min(from + 10)).unwrap())
            .map(|part| explainer.explain(&part).unwrap())
            .collect(),
        Amount::Some => vec![explainer.explain(table).unwrap()],
        Amount::Many => {
            let cycle: Vec<usize> = (0..MANY.max(rows)).map(|row| row % rows).collect();
            let table = table.select(&cycle).unwrap();
            vec![explainer.explain(&table).unwrap()]
        }
    }
}

/// The values of the parts, one under the other.
pub(super) fn together(parts: &[Explanation]) -> Array3<f32> {
    let views: Vec<_> = parts.iter().map(|part| part.values.view()).collect();
    ndarray::concatenate(ndarray::Axis(0), &views).unwrap()
}

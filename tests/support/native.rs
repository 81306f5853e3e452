//! A model's own library against the loaded model: margins, leaves and values, row by row.

use whylight::Table;
use whylight::data::{Encoder, ReadOptions, read};
use whylight::model::{self, Model, Node, Output, Trees};

use crate::corpus::{Case, Matrix, cases};
use crate::xgboost::oracle;

/// The cases of a library that hold answers.
pub(crate) fn answered(library: &str) -> Vec<Case> {
    let mut cases = cases(library);
    cases.retain(|case| case.facts["refused"].is_null());
    assert!(cases.len() >= 25, "only {} cases", cases.len());
    cases
}

pub(crate) fn load(case: &Case) -> Trees {
    let Model::Trees(trees) = model::load(&case.model()).unwrap() else {
        panic!("{}: not trees", case.name);
    };
    trees
}

/// The rows of a case as the model's cells: as stored, or from the CSV file if it has one.
pub(crate) fn rows(case: &Case, trees: &Trees) -> Matrix {
    let path = case.folder.join("rows.csv");
    if !path.exists() {
        return case.array("rows").unwrap();
    }
    encoded(
        trees,
        &read(&path, &ReadOptions::for_features(&trees.features)).unwrap(),
    )
}

/// The rows of a table as the model's cells.
pub(crate) fn encoded(trees: &Trees, table: &Table) -> Matrix {
    let encoder = Encoder::new(&trees.features, table.names.as_deref(), table.columns()).unwrap();
    let batch = encoder.batch(table).unwrap();
    let shape = vec![batch.rows(), batch.features()];
    let mut columns = vec![0.0; shape[0] * shape[1]];
    batch.fill(0..shape[0], &mut columns).unwrap();
    let cells = (0..columns.len()).map(|i| columns[i % shape[1] * shape[0] + i / shape[1]]);
    Matrix {
        cells: cells.collect(),
        shape,
    }
}

/// The absolute value of the leaf that `row` reaches in each tree, summed with the base.
pub(crate) fn magnitude(trees: &Trees, row: &[f64], k: usize) -> f64 {
    let width = trees.outputs.len();
    let leaves = (trees.trees.iter().enumerate()).map(|(t, tree)| match tree.output {
        Output::One(output) if output as usize != k => 0.0,
        Output::One(_) => {
            let leaf = leaf(trees, t, row);
            tree.values[leaf]
                .abs()
                .max(tree.prediction(leaf, row).abs())
        }
        Output::All => tree.values[leaf(trees, t, row) * width + k].abs(),
    });
    trees.base[k].abs() + leaves.sum::<f64>()
}

/// The library's id of the leaf that a row reaches.
fn leaf(trees: &Trees, t: usize, row: &[f64]) -> usize {
    match trees.trees[t].nodes[trees.leaf(t, row)] {
        Node::Leaf { leaf, .. } => leaf as usize,
        Node::Split(_) => panic!("a path ends in a split"),
    }
}

/// What the library's sums have to be divided by to be the model's output.
pub(crate) fn divisor(case: &Case) -> f64 {
    case.facts["native_is_sum_of"].as_f64().unwrap_or(1.0)
}

/// Every margin to the rounding of a float64 sum.
pub(crate) fn margins_agree(case: &Case) {
    let trees = load(case);
    let (rows, margin) = (rows(case, &trees), case.array("margin").unwrap());
    assert_eq!(
        margin.shape,
        [rows.shape[0], trees.outputs.len()],
        "{}",
        case.name
    );
    for i in 0..rows.shape[0] {
        let ours = trees.margin(rows.row(i));
        for (k, (ours, native)) in ours.iter().zip(margin.row(i)).enumerate() {
            let native = native / divisor(case);
            assert!(
                (ours - native).abs() <= 1e-15 * (1.0 + magnitude(&trees, rows.row(i), k)),
                "{}, row {i}, output {k}: {ours} against {native}",
                case.name
            );
        }
    }
}

/// Every leaf, exactly. Returns how many were compared.
pub(crate) fn leaves_agree(case: &Case) -> usize {
    let trees = load(case);
    let (rows, leaves) = (rows(case, &trees), case.array("leaves").unwrap());
    assert_eq!(leaves.shape, [rows.shape[0], trees.trees.len()]);
    for i in 0..rows.shape[0] {
        for (t, &native) in leaves.row(i).iter().enumerate() {
            let ours = leaf(&trees, t, rows.row(i));
            assert_eq!(ours, native as usize, "{}, row {i}, tree {t}", case.name);
        }
    }
    rows.shape[0] * trees.trees.len()
}

/// Every value and expected value of the definition. Returns how many were compared.
pub(crate) fn values_agree(case: &Case) -> usize {
    let trees = load(case);
    let Some(values) = case.array("values") else {
        assert!(case.facts["value_source"].is_null(), "{}", case.name);
        return 0;
    };
    assert!(trees.has_cover, "{}", case.name);
    let rows = rows(case, &trees);
    let width = trees.features.len() + 1;
    assert_eq!(values.shape, [rows.shape[0], trees.outputs.len(), width]);
    for i in 0..rows.shape[0] {
        let ours = oracle::path_dependent(&trees, rows.row(i));
        for (cell, (ours, native)) in ours.iter().zip(values.row(i)).enumerate() {
            let native = native / divisor(case);
            let scale = 1.0 + magnitude(&trees, rows.row(i), cell / width);
            assert!(
                (ours - native).abs() <= 1e-11 * scale,
                "{}, row {i}, cell {cell}: {ours} against {native}",
                case.name
            );
        }
    }
    values.cells.len()
}

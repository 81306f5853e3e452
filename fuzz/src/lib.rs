//! What every fuzz target does with its bytes: read them, and use what was read.

use std::path::Path;
use std::sync::Arc;

use ndarray::Array2;
use whylight::data::{Cells, ReadOptions, Reader};
use whylight::explain::Output as Spaces;
use whylight::model::network::{self, Shapes};
use whylight::model::{self, Model, Output, Trees};
use whylight::{Device, Explainer, Options, Table};

/// Nodes, times outputs, beyond which a model is read but not explained.
const MAX_NODES: usize = 20_000;
/// Features, times outputs, beyond which a model is read but not explained.
const MAX_WIDTH: usize = 20_000;

/// Reads a model; explains rows of missing cells, zeros and large numbers with it: of a model without trees, rows of
/// numbers alone, as values and as probabilities.
pub fn model(bytes: &[u8]) {
    let Ok(model) = model::parse(bytes, Path::new("fuzz")) else {
        return;
    };
    let Model::Trees(trees) = &model else {
        without_trees(model);
        return;
    };
    if !is_small(trees) {
        return;
    }
    let features = trees.features.len();
    // Labels are given by number, whatever a number means to the model.
    let cells = Array2::from_shape_fn((4, features), |(row, column)| match row {
        0 => f64::NAN,
        1 => 0.0,
        2 => 1e300,
        _ => column as f64 - 1.0,
    });
    let Ok(table) = Table::new(None, Cells::F64(cells)) else {
        return;
    };
    let options = Options {
        device: Device::cpu(),
        threads: 1,
        ..Options::default()
    };
    let model = Arc::new(model);
    let Ok(explainer) = Explainer::new(model, Some(&table), options) else {
        return;
    };
    let few = explainer.explain(&table);
    // More rows take other engines.
    let rows: Vec<usize> = (0..16).map(|row| row % 4).collect();
    if let (Ok(few), Ok(table)) = (few, table.select(&rows)) {
        let some = explainer
            .explain(&table)
            .expect("a table of the same columns");
        assert_eq!(few.values.dim().1, some.values.dim().1);
    }
}

/// Explains with a model that is no ensemble of trees.
fn without_trees(model: Model) {
    let (features, outputs) = (model.features().len(), model.outputs().len());
    if features * outputs > MAX_WIDTH {
        return;
    }
    let model = Arc::new(model);
    let cells = |(row, column): (usize, usize)| [0.0, 1e300, column as f64 - 1.0][row];
    let Ok(table) = Table::new(
        None,
        Cells::F64(Array2::from_shape_fn((3, features), cells)),
    ) else {
        return;
    };
    for output in [Spaces::Raw, Spaces::Probability] {
        let options = Options {
            device: Device::cpu(),
            threads: 1,
            output,
            samples: Some(8),
            ..Options::default()
        };
        let explainer = Explainer::new(Arc::clone(&model), Some(&table), options);
        let _ = explainer.and_then(|explainer| explainer.explain(&table));
    }
}

/// Reads a network, and runs it for examples of zeros, large numbers and small ones, where it is not large.
pub fn network(bytes: &[u8]) {
    let shapes = Shapes {
        cells: Some(12),
        ..Shapes::default()
    };
    for shapes in [Shapes::default(), shapes] {
        let Ok(network) = network::parse(bytes, Path::new("fuzz"), &shapes) else {
            continue;
        };
        let cells: usize = network.tensors.iter().map(network::Tensor::cells).sum();
        if cells > MAX_NODES {
            continue;
        }
        for row in 0..3 {
            let cell = |column: usize| [0.0, 1e300, column as f64 - 1.0][row];
            let example: Vec<f64> = (0..network.cells()).map(cell).collect();
            assert_eq!(network.raw(&example).len(), network.outputs.len());
        }
    }
}

fn is_small(trees: &Trees) -> bool {
    let outputs = trees.outputs.len();
    let nodes = trees.trees.iter().map(|tree| match tree.output {
        Output::One(_) => tree.nodes.len(),
        Output::All => tree.nodes.len() * outputs,
    });
    nodes.sum::<usize>() <= MAX_NODES && trees.features.len() * outputs <= MAX_WIDTH
}

/// Reads a table in batches of two rows, and in one.
pub fn table(bytes: &[u8], ending: &str) {
    let name = format!("whylight-fuzz-{}.{ending}", std::process::id());
    let path = std::env::temp_dir().join(name);
    std::fs::write(&path, bytes).expect("the temporary folder can be written");
    let rows = |batch: usize| {
        let mut reader = Reader::open(&path, &ReadOptions::default()).ok()?;
        let mut rows = 0;
        while let Some(table) = reader.next(batch).ok()? {
            assert!((1..=batch).contains(&table.rows()));
            table.check().expect("a table that was read is whole");
            rows += table.rows();
        }
        Some(rows)
    };
    if let (Some(two), Some(one)) = (rows(2), rows(1 << 20)) {
        assert_eq!(two, one);
    }
}

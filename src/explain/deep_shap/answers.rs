//! A network as a black box: its answers, for methods that ask for no more.

use std::sync::Arc;

use ndarray::Array2;
use rayon::prelude::*;

use super::Engine;
use super::check::check_row;
use super::cpu::Cpu;
use super::graph::Graph;
use crate::error::{Error, Result};
use crate::model::{BlackBox, Network, Predict};

/// Rows that a thread takes at a time.
const ROWS: usize = 64;

/// A network that is asked.
#[derive(Debug)]
struct Answers {
    network: Network,
    engine: Cpu,
}

impl Predict for Answers {
    fn predict(&self, rows: Array2<f64>) -> Result<Array2<f64>> {
        let (height, width) = rows.dim();
        let rows = rows.as_standard_layout();
        let cells = rows.as_slice().unwrap_or_default();
        let rows: Vec<&[f64]> = cells.chunks(width.max(1)).collect();
        for (row, cells) in rows.iter().enumerate() {
            check_row(&self.network, cells, |feature| {
                format!("synthetic row {}, feature {feature}", row + 1)
            })?;
        }
        let answers = rows.par_chunks(ROWS).map(|rows| self.engine.answers(rows));
        let answers = answers.collect::<Result<Vec<_>>>()?.concat();
        Array2::from_shape_vec((height, self.network.outputs.len()), answers).map_err(|error| {
            Error::Shape {
                what: "the answers of a network".to_owned(),
                expected: format!("{} for each of {height} rows", self.network.outputs.len()),
                got: error.to_string(),
            }
        })
    }

    fn place(&self) -> Option<String> {
        Some("ONNX network".to_owned())
    }
}

impl From<Network> for BlackBox {
    /// A black box that answers with the network's output.
    fn from(network: Network) -> Self {
        let graph = Arc::new(Graph::new(&network, None));
        Self {
            features: network.features.clone(),
            outputs: network.outputs.clone(),
            predict: Arc::new(Answers {
                engine: Cpu::new(graph, &[], &[], None),
                network,
            }),
        }
    }
}

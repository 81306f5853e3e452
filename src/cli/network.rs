//! What of a network is explained, and with which sizes.

use std::path::Path;

use clap::Args;
use whylight::explain::Estimator;
use whylight::model::Model;
use whylight::model::network::{self, Shapes};
use whylight::{Error, Result};

/// What is said about a network.
#[derive(Debug, Args)]
pub(super) struct NetworkArgs {
    /// Layer of a network whose cells the values are of, by the name of its node or value in the file; the
    /// inputs by default (deep)
    #[arg(long, value_name = "NAME")]
    pub(super) layer: Option<String>,

    /// What rows whose completeness delta passes the tolerance are computed by: `integrated_gradients` or
    /// `expected_gradients`; they stay as they are by default (deep)
    #[arg(long, value_name = "ESTIMATOR")]
    pub(super) fallback: Option<Estimator>,

    /// Value of an ONNX graph to explain; its first output of numbers by default (deep)
    #[arg(long, value_name = "NAME")]
    onnx_output: Option<String>,

    /// Shape of one example of an input that the ONNX file leaves open: NAME=SIZE,SIZE,…; can be given several
    /// times; the table's columns tell one size by themselves (deep)
    #[arg(long, value_name = "SHAPE")]
    input_shape: Vec<String>,
}

impl NetworkArgs {
    /// Reads the network of an ONNX file, for tables of so many columns.
    pub(super) fn load(&self, path: &Path, columns: Option<usize>) -> Result<Model> {
        let shapes = Shapes {
            cells: columns,
            in_order: Vec::new(),
            by_input: (self.input_shape.iter())
                .map(|text| shape(text))
                .collect::<Result<_>>()?,
            output: self.onnx_output.clone(),
        };
        network::load(path, &shapes).map(Model::Network)
    }
}

fn shape(text: &str) -> Result<(String, Vec<usize>)> {
    let refused = || Error::Parameter {
        name: "input-shape",
        got: format!("\"{text}\""),
        allowed: "NAME=SIZE,SIZE,…, such as tokens=128 or pixels=3,224,224".to_owned(),
    };
    let (name, sizes) = text.split_once('=').ok_or_else(refused)?;
    let size = |size: &str| match size.trim().parse::<usize>() {
        Ok(size) if size > 0 => Ok(size),
        _ => Err(refused()),
    };
    let sizes = sizes.split(',').map(size).collect::<Result<_>>()?;
    Ok((name.trim().to_owned(), sizes))
}

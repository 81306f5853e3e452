//! ONNX graphs of any shape, as a [`Network`] for one example.
//!
//! **Shapes.** The batch is 1, and with the sizes of [`Shapes`] every shape is known. Whatever follows from shapes and
//! constants alone is computed while the file is read.
//!
//! **Semantics** are the operators' own in the version of the file's opset, from 7 on. Numbers of every float type
//! become float32.
//!
//! **What is left out.** Nodes that the explained output does not need are not read, such as those that make labels.

mod array;
mod attention;
mod axes;
mod binary;
mod builder;
mod call;
mod cell;
mod classic;
mod control;
mod convolution;
mod creation;
mod dense;
mod einsum;
mod elementwise;
mod external;
mod fuse;
mod gathering;
mod indexing;
mod inline;
mod lift;
mod logic;
mod movement;
mod needs;
mod normalisation;
mod operators;
mod pooling;
mod recurrent;
mod reduction;
mod resize;
mod shapes;
mod target;
mod tidy;

use std::path::Path;

use prost::Message;

use self::array::Kind;
use self::builder::{Active, Builder, Value};
use self::inline::{Runner, Scope};
use super::message::ModelMessage;
use super::{Fault, File};
use crate::error::{Error, Result};
use crate::model::network::{Network, Tensor};

pub use shapes::Shapes;

/// A part of the network, or why there is none; its place is added where it is known.
type Made<T> = std::result::Result<T, Fault>;

fn fault<T>(reason: impl Into<String>) -> Made<T> {
    Err(Fault::Bad(reason.into()))
}

fn unsupported<T>(what: impl Into<String>, instead: impl Into<String>) -> Made<T> {
    Err(Fault::Unsupported {
        what: what.into(),
        instead: instead.into(),
    })
}

/// The oldest version of the standard operators that is read.
const MIN_OPSET: i64 = 7;

/// Reads an ONNX file as a network, whatever is in it.
///
/// # Errors
/// [`Error::Io`] if the file cannot be read, otherwise as [`parse`].
pub fn load(path: &Path, shapes: &Shapes) -> Result<Network> {
    let bytes = std::fs::read(path).map_err(|source| Error::Io {
        path: path.to_owned(),
        source,
    })?;
    parse(&bytes, path, shapes)
}

/// Reads the bytes of an ONNX file as a network, whatever is in it. Weights that the file keeps in others are looked
/// for beside `path`, if that is a file.
///
/// # Errors
/// [`Error::Model`] for a damaged file, [`Error::Unsupported`] for operators without a translation, before any work
/// is done, and [`Error::Parameter`] for sizes that are not known or do not fit.
pub fn parse(bytes: &[u8], path: &Path, shapes: &Shapes) -> Result<Network> {
    let file = File { path };
    let model = ModelMessage::decode(bytes)
        .map_err(|error| file.bad("the protobuf message", error.to_string()))?;
    let Some(graph) = &model.graph else {
        let reason = "it holds no graph; export the model again";
        return Err(file.bad("the protobuf message", reason));
    };
    let opset = inline::opset(&model.opset).unwrap_or(1);
    if opset < MIN_OPSET {
        return Err(file.unsupported(
            &format!("opset {opset}"),
            format!("export the model with opset {MIN_OPSET} or later"),
        ));
    }
    let target = target::find(file, graph, shapes)?;
    let runner = Runner::new(file, &model, opset);
    let needed = runner.needed(graph, &[target.value.as_str()], false)?;
    let inputs = shapes.resolve(file, graph)?;
    let made = build(&runner, &needed, &inputs, &target.value)
        .and_then(|(builder, output)| tidy::finish(file, builder, &output, &inputs, &target));
    let network = match (made, inputs.iter().find_map(|input| input.batch)) {
        (Err(error), Some(batch)) => {
            return Err(file.unsupported(
                &format!("a batch that is fixed at {batch} ({error})"),
                "export it with a dynamic batch, or with a batch of 1",
            ));
        }
        (made, _) => made?,
    };
    network.check(path)?;
    Ok(network)
}

/// Runs the nodes that the output needs.
fn build(
    runner: &Runner<'_>,
    needed: &inline::Needed<'_>,
    inputs: &[shapes::Sized],
    output: &str,
) -> Result<(Builder, Active)> {
    let file = runner.file;
    let tensors = inputs.iter().map(|input| Tensor {
        name: input.input.name.clone(),
        shape: input.input.shape.clone(),
    });
    let builder = Builder::new(tensors.collect());
    let mut builder = builder.map_err(|fault| file.fault("its inputs", fault))?;
    let mut scope = Scope::default();
    for (tensor, input) in inputs.iter().enumerate() {
        let name = input.input.name.clone();
        let active = Active {
            tensor,
            shape: input.input.shape.clone(),
            kind: input.kind,
        };
        builder.layers.push((name.clone(), tensor));
        scope.set(name, Value::Active(active));
    }
    runner.run(&mut builder, needed, &mut scope, 0)?;
    match scope.get(output) {
        Some(Value::Active(active)) => Ok((builder, active.clone())),
        Some(Value::Constant(_)) => Err(file.unsupported(
            &format!("the output \"{output}\", which depends on no input,"),
            "name another output of the graph",
        )),
        None => Err(file.bad(
            format!("output \"{output}\""),
            "no node makes it; export the model again",
        )),
    }
}

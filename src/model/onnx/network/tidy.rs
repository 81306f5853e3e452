//! The end of reading: steps that nothing needs are left out, and cells get names.

use super::array::Kind;
use super::builder::{Active, Builder};
use super::fuse::fuse;
use super::shapes::Sized;
use super::target::Target;
use crate::error::Result;
use crate::model::network::{Input, Network, Step, Tensor};
use crate::model::onnx::File;
use crate::model::trees::Feature;

/// Cells of what is explained.
const MAX_OUTPUTS: usize = 1 << 16;

/// The network of the steps that the output needs.
pub(super) fn finish(
    file: File<'_>,
    builder: Builder,
    output: &Active,
    inputs: &[Sized],
    target: &Target,
) -> Result<Network> {
    let count = output.cells();
    if count > MAX_OUTPUTS {
        return Err(file.unsupported(
            &format!("the output \"{}\" of {count} cells", target.value),
            format!("up to {MAX_OUTPUTS} are explained; name another value of the graph"),
        ));
    }
    let Builder {
        tensors,
        mut steps,
        layers,
        ..
    } = builder;
    prune(&mut steps, tensors.len(), output.tensor);
    fuse(&mut steps, tensors.len(), output.tensor);
    let mut needed = prune(&mut steps, tensors.len(), output.tensor);
    needed[..inputs.len()].fill(true);
    let mut places = vec![None; tensors.len()];
    let mut kept: Vec<Tensor> = Vec::new();
    for (t, tensor) in tensors.into_iter().enumerate() {
        if needed[t] {
            places[t] = Some(kept.len());
            kept.push(tensor);
        }
    }
    let place = |t: usize| places[t].unwrap_or(0);
    let steps = steps.into_iter().map(|mut step| {
        step.inputs.iter_mut().for_each(|t| *t = place(*t));
        step.output = place(step.output);
        step
    });
    let named = layers.into_iter();
    let layers = named.filter_map(|(name, t)| Some((name, places[t]?)));
    let inputs: Vec<Input> = inputs.iter().map(|input| input.input.clone()).collect();
    Ok(Network {
        steps: steps.collect(),
        tensors: kept,
        output: place(output.tensor),
        outputs: outputs(output, target),
        features: features(&inputs),
        layers: layers.collect(),
        inputs,
    })
}

/// Keeps the steps that the output needs; which tensors these read and write.
fn prune(steps: &mut Vec<Step>, tensors: usize, output: usize) -> Vec<bool> {
    let mut needed = vec![false; tensors];
    needed[output] = true;
    for step in steps.iter().rev() {
        if needed[step.output] {
            step.inputs.iter().for_each(|&t| needed[t] = true);
        }
    }
    steps.retain(|step| needed[step.output] && !step.inputs.is_empty());
    needed
}

/// The classes' names, or where in the tensor each cell is.
fn outputs(output: &Active, target: &Target) -> Vec<String> {
    let count = output.cells();
    if target.classes.len() == count && output.kind != Kind::Int {
        return target.classes.clone();
    }
    let shape = without_batch(&output.shape);
    (0..count)
        .map(|cell| place(cell, shape).join(","))
        .collect()
}

/// One for each cell, named after its input where there is more than a row of them.
fn features(inputs: &[Input]) -> Vec<Feature> {
    let is_row = |input: &Input| input.shape.len() <= 2 && without_batch(&input.shape).len() <= 1;
    if let [input] = inputs
        && is_row(input)
    {
        return vec![Feature::default(); input.cells()];
    }
    let of = |input: &Input| {
        let shape = without_batch(&input.shape).to_vec();
        let name = input.name.clone();
        let cells = input.cells();
        (0..cells).map(move |cell| {
            // A column that is an input of its own.
            let name = match &shape[..] {
                [] | [1] => name.clone(),
                shape => format!("{name}[{}]", place(cell, shape).join(",")),
            };
            Feature {
                name: Some(name),
                categories: None,
            }
        })
    };
    inputs.iter().flat_map(of).collect()
}

fn without_batch(shape: &[usize]) -> &[usize] {
    match shape {
        [1, rest @ ..] if !rest.is_empty() => rest,
        shape => shape,
    }
}

/// The indexes of a cell, by axis.
fn place(mut cell: usize, shape: &[usize]) -> Vec<String> {
    let mut indexes: Vec<String> = Vec::with_capacity(shape.len());
    for &size in shape.iter().rev() {
        indexes.push((cell % size).to_string());
        cell /= size;
    }
    if indexes.is_empty() {
        indexes.push(cell.to_string());
    }
    indexes.reverse();
    indexes
}

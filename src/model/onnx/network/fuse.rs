//! Scales and shifts that follow a layer become part of its weights: the bias after a product, a batch's norm after a
//! convolution.

use crate::model::network::{Channels, Operation, Step};

/// Puts scales into the layers before them, where nothing else reads these; the steps and tensors stay as many, but a
/// scale's step has no inputs then.
pub(super) fn fuse(steps: &mut [Step], tensors: usize, output: usize) {
    let mut readers = vec![0_usize; tensors];
    let mut writers = vec![None; tensors];
    for (s, step) in steps.iter().enumerate() {
        step.inputs.iter().for_each(|&t| readers[t] += 1);
        writers[step.output] = Some(s);
    }
    for s in 0..steps.len() {
        let (before, rest) = steps.split_at_mut(s);
        let Some(step) = rest.first_mut() else {
            continue;
        };
        let Operation::Scale(scale, shift) = &step.operation else {
            continue;
        };
        let &[read] = &step.inputs[..] else {
            continue;
        };
        let layer = writers[read].and_then(|w: usize| before.get_mut(w));
        let Some(layer) = layer.filter(|_| readers[read] == 1 && read != output) else {
            continue;
        };
        let is_taken = match &mut layer.operation {
            Operation::Dense(dense) => {
                let outputs = dense.biases.len();
                let channel = |weight: usize| weight % outputs;
                let fits = is_by_channel([scale, shift], outputs, 1);
                fits && put(
                    &mut dense.weights,
                    &mut dense.biases,
                    [scale, shift],
                    channel,
                )
            }
            Operation::Convolution(convolution) => {
                let positions = convolution.output.iter().product();
                let outputs = convolution.biases.len();
                let each = convolution.weights.len() / outputs.max(1);
                let channel = |weight: usize| weight / each;
                let fits = is_by_channel([scale, shift], outputs, positions);
                let biases = &mut convolution.biases;
                fits && put(&mut convolution.weights, biases, [scale, shift], channel)
            }
            _ => false,
        };
        if is_taken {
            layer.output = step.output;
            writers[step.output] = writers[read];
            step.inputs.clear();
        }
    }
}

/// Whether constants are one for each channel, whose cells are so many in a row.
fn is_by_channel(both: [&Channels; 2], channels: usize, inner: usize) -> bool {
    both.iter().all(|own| {
        let count = own.values.len();
        count == 1 || count == channels && own.inner == inner
    })
}

/// Scales the weights and biases of channels and shifts these, if what comes out is finite.
fn put(
    weights: &mut [f32],
    biases: &mut [f32],
    [scale, shift]: [&Channels; 2],
    channel: impl Fn(usize) -> usize,
) -> bool {
    let at = |own: &Channels, channel: usize| own.values[channel % own.values.len()];
    let weight = |i: usize, weight: f32| weight * at(scale, channel(i));
    let bias = |k: usize, bias: f32| at(scale, k) * bias + at(shift, k);
    let is_finite = weights
        .iter()
        .enumerate()
        .all(|(i, &w)| weight(i, w).is_finite())
        && biases
            .iter()
            .enumerate()
            .all(|(k, &c)| bias(k, c).is_finite());
    if is_finite {
        weights
            .iter_mut()
            .enumerate()
            .for_each(|(i, w)| *w = weight(i, *w));
        biases
            .iter_mut()
            .enumerate()
            .for_each(|(k, c)| *c = bias(k, *c));
    }
    is_finite
}

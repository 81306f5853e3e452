//! Convolutions over up to three axes.

use super::array::Array;
use super::builder::{Builder, Value};
use super::call::Call;
use super::pooling::Window;
use super::{Made, fault, unsupported};
use crate::model::network::{Convolution, Operation};

/// What both kinds of convolution read.
struct Parts<'a> {
    x: Value,
    weights: &'a Array,
    groups: usize,
    /// The axes of the positions.
    axes: usize,
}

fn parts<'a>(call: &'a Call<'_>) -> Made<Parts<'a>> {
    let (x, weights) = (call.input(0)?.clone(), call.needed(1)?);
    call.active(0)?;
    let axes = x.rank().saturating_sub(2);
    if x.rank() < 3 || weights.shape.len() != x.rank() {
        return fault(format!(
            "it convolves the shapes {:?} and {:?}",
            x.shape(),
            weights.shape
        ));
    }
    if axes > 3 {
        return unsupported(
            format!("a convolution over {axes} axes"),
            "up to three are read",
        );
    }
    match usize::try_from(call.int("group", 1)) {
        Ok(groups) if groups > 0 && weights.len() > 0 => Ok(Parts {
            x,
            weights,
            groups,
            axes,
        }),
        _ => fault("it has no groups, or no weights"),
    }
}

pub(super) fn conv(b: &mut Builder, call: &Call<'_>) -> Made<Vec<Value>> {
    let Parts {
        x, weights, groups, ..
    } = parts(call)?;
    let window = Window::read(call, &x.shape()[2..], Some(&weights.shape[2..]))?;
    let [all, inputs] = [weights.shape[0], weights.shape[1]];
    if inputs.checked_mul(groups) != Some(x.shape()[1]) || all % groups != 0 {
        return fault(format!(
            "its weights of shape {:?} in {groups} groups do not fit {:?}",
            weights.shape,
            x.shape()
        ));
    }
    let output = window.outputs(false)?;
    let convolution = Convolution {
        groups,
        channels: [inputs, all / groups],
        input: with(&x.shape()[2..], 1),
        output: with(&output, 1),
        kernel: with(&window.kernel, 1),
        strides: with(&window.strides, 1),
        dilations: with(&window.dilations, 1),
        before: with(&window.before()?, 0),
        weights: weights.to_f32(),
        biases: biases(call, all)?,
        is_transposed: false,
    };
    Ok(vec![convolve(b, &x, convolution, &output)?])
}

pub(super) fn conv_transpose(b: &mut Builder, call: &Call<'_>) -> Made<Vec<Value>> {
    let Parts {
        x,
        weights,
        groups,
        axes,
    } = parts(call)?;
    let window = Window::read(call, &x.shape()[2..], Some(&weights.shape[2..]))?;
    let [all, outputs] = [weights.shape[0], weights.shape[1]];
    if all != x.shape()[1] || all % groups != 0 {
        return fault(format!(
            "its weights of shape {:?} in {groups} groups do not fit {:?}",
            weights.shape,
            x.shape()
        ));
    }
    let inputs = all / groups;
    let asked = call.sizes("output_shape", axes, 0)?;
    let more = call.sizes("output_padding", axes, 0)?;
    let (mut before, mut output) = (Vec::new(), Vec::new());
    for axis in 0..axes {
        let size = x.shape()[2 + axis];
        let full = (size - 1)
            .checked_mul(window.strides[axis])
            .and_then(|n| n.checked_add(window.extent(axis)))
            .and_then(|n| n.checked_add(more[axis]));
        let Some(full) = full else {
            return fault("its sizes are too large");
        };
        let auto = window.auto.as_str();
        let wanted = match asked[axis] {
            0 if auto.starts_with("SAME") => size.checked_mul(window.strides[axis]),
            0 => None,
            wanted => Some(wanted),
        };
        let (first, size) = if let Some(wanted) = wanted {
            let total = full.saturating_sub(wanted);
            let half = total / 2;
            let first = if auto == "SAME_LOWER" {
                total - half
            } else {
                half
            };
            // Pads that are given stand, where the file gives both.
            let has_pads = auto == "NOTSET" && window.pads.iter().any(|pad| *pad != [0, 0]);
            let given = usize::try_from(window.pads[axis][0]).unwrap_or(0);
            (if has_pads { given } else { first }, wanted)
        } else {
            let [first, last] = window.pads[axis];
            let size = i64::try_from(full).unwrap_or(i64::MAX) - first - last;
            match (usize::try_from(first), usize::try_from(size)) {
                (Ok(first), Ok(size)) if size > 0 => (first, size),
                _ => return fault("its pads leave nothing over"),
            }
        };
        before.push(first);
        output.push(size);
    }
    // (input channel, output channel of its group, kernel) becomes (group, output, input, kernel).
    let kernel: usize = window.kernel.iter().product();
    let full = Value::Constant(weights.reshaped(vec![groups, inputs, outputs, kernel]));
    let Value::Constant(turned) = b.transpose(&full, &[0, 2, 1, 3])? else {
        return fault("a constant became none");
    };
    let convolution = Convolution {
        groups,
        channels: [inputs, outputs],
        input: with(&x.shape()[2..], 1),
        output: with(&output, 1),
        kernel: with(&window.kernel, 1),
        strides: with(&window.strides, 1),
        dilations: with(&window.dilations, 1),
        before: with(&before, 0),
        weights: turned.to_f32(),
        biases: biases(call, groups.saturating_mul(outputs))?,
        is_transposed: true,
    };
    Ok(vec![convolve(b, &x, convolution, &output)?])
}

fn biases(call: &Call<'_>, count: usize) -> Made<Vec<f32>> {
    match call.constant(2)? {
        None => Ok(vec![0.0; count]),
        Some(array) if array.len() == count => Ok(array.to_f32()),
        Some(array) => fault(format!(
            "it has {} biases for {count} channels",
            array.len()
        )),
    }
}

/// Sizes of up to three axes.
fn with(sizes: &[usize], missing: usize) -> [usize; 3] {
    std::array::from_fn(|axis| sizes.get(axis).copied().unwrap_or(missing))
}

/// Adds a convolution. Images that are several become one along an axis of their own.
fn convolve(
    b: &mut Builder,
    x: &Value,
    mut convolution: Convolution,
    output: &[usize],
) -> Made<Value> {
    let count = x.shape()[0];
    let channels = convolution.groups * convolution.channels[1];
    let Value::Active(first) = x else {
        return fault("what changes with the example became a constant");
    };
    if count == 1 {
        let shape = [&[1, channels], output].concat();
        let operation = Operation::Convolution(convolution);
        return b
            .push(operation, vec![first.tensor], shape, first.kind)
            .map(Value::Active);
    }
    if output.len() > 2 {
        return unsupported(
            format!("a convolution over three axes of {count} images at a time"),
            "export the model for one example",
        );
    }
    let mut order: Vec<usize> = (0..x.rank()).collect();
    order.swap(0, 1);
    let Value::Active(turned) = b.transpose(x, &order)? else {
        return fault("what changes with the example became a constant");
    };
    let shift = |sizes: [usize; 3], first: usize| [first, sizes[0], sizes[1]];
    convolution.input = shift(convolution.input, count);
    convolution.output = shift(convolution.output, count);
    convolution.kernel = shift(convolution.kernel, 1);
    convolution.strides = shift(convolution.strides, 1);
    convolution.dilations = shift(convolution.dilations, 1);
    convolution.before = shift(convolution.before, 0);
    let shape = [&[channels, count], output].concat();
    let operation = Operation::Convolution(convolution);
    let made = b.push(operation, vec![turned.tensor], shape, turned.kind)?;
    b.transpose(&Value::Active(made), &order)
}

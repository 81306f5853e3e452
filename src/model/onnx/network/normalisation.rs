//! Normalisations, written out: centre, square, average, root, divide, scale.

use super::array::Array;
use super::axes::{Taps, strides, taps};
use super::binary::Binary;
use super::builder::{Builder, Value};
use super::call::Call;
use super::{Made, fault, unsupported};
use crate::model::network::{Activation, Channels};

/// Keeps a norm above 0: what has none is 0 in all its cells, and stays so.
const ABOVE: Activation = Activation::Clip(f32::MIN_POSITIVE, f32::MAX);

/// What a normalisation makes.
struct Normal {
    y: Value,
    mean: Option<Value>,
    /// One over the root of the mean square.
    inverse: Value,
}

impl Builder {
    /// Divides by the root of the mean square along axes, after taking the mean away if it is `centred`.
    fn normal(&mut self, x: &Value, axes: &[usize], epsilon: f64, centred: bool) -> Made<Normal> {
        let (mean, x) = if centred {
            let mean = self.mean(x, axes)?;
            let centred = self.binary(Binary::Sub, x, &mean)?;
            (Some(mean), centred)
        } else {
            (None, x.clone())
        };
        let squares = self.activation(&x, Activation::Power(2.0))?;
        let variance = self.mean(&squares, axes)?;
        let shifted = self.scaled(&variance, Channels::one(1.0), Channels::one(epsilon as f32))?;
        let inverse = self.activation(&shifted, Activation::Power(-0.5))?;
        let y = self.binary(Binary::Mul, &x, &inverse)?;
        Ok(Normal { y, mean, inverse })
    }

    /// Times a scale and plus a bias, of which there may be none.
    fn stretched(&mut self, y: Value, scale: Option<&Value>, bias: Option<&Value>) -> Made<Value> {
        // One step for both, where both are constants.
        if let (Value::Active(active), Some(Value::Constant(scale)), Some(Value::Constant(bias))) =
            (&y, scale, bias)
            && super::axes::broadcast(&scale.shape, &active.shape)? == active.shape
            && super::axes::broadcast(&bias.shape, &active.shape)? == active.shape
        {
            let shape = active.shape.clone();
            let (scale, bias) = (self.channels(scale, &shape)?, self.channels(bias, &shape)?);
            return self.scaled(&y, scale, bias);
        }
        let mut y = y;
        if let Some(scale) = scale {
            y = self.binary(Binary::Mul, &y, scale)?;
        }
        match bias {
            Some(bias) => self.binary(Binary::Add, &y, bias),
            None => Ok(y),
        }
    }
}

fn epsilon(call: &Call<'_>) -> f64 {
    call.float("epsilon", 1e-5).into()
}

/// Numbers of channels, for a value of channels and positions.
fn by_channel(array: &Value, rank: usize) -> Made<Value> {
    let mut shape = vec![array.cells()];
    shape.resize(rank.saturating_sub(1).max(1), 1);
    array.reshaped(shape)
}

fn pooled(x: &Value, least: usize) -> Made<()> {
    if x.rank() < least {
        return fault(format!(
            "it normalises the shape {:?}; expected a batch and channels",
            x.shape()
        ));
    }
    Ok(())
}

pub(super) fn batch(b: &mut Builder, call: &Call<'_>) -> Made<Vec<Value>> {
    let x = call.input(0)?;
    pooled(x, 2)?;
    if call.flag("training_mode", false) {
        return unsupported(
            "the training mode",
            "export the model in its evaluation mode",
        );
    }
    let arrays: Made<Vec<&Array>> = (1..5).map(|i| call.needed(i)).collect();
    let [scale, bias, mean, variance] = arrays?[..] else {
        return fault("it has not five inputs");
    };
    let channels = x.shape()[1];
    if [scale, bias, mean, variance]
        .iter()
        .any(|array| array.len() != channels)
    {
        return fault(format!(
            "its constants are not those of {channels} channels"
        ));
    }
    let epsilon = epsilon(call);
    let (mut scales, mut shifts) = (Vec::new(), Vec::new());
    for channel in 0..channels {
        let factor = scale.at(channel) / (variance.at(channel) + epsilon).sqrt();
        scales.push(factor as f32);
        shifts.push((bias.at(channel) - mean.at(channel) * factor) as f32);
    }
    let inner: usize = x.shape()[2..].iter().product();
    let of = |values: Vec<f32>| Channels {
        values,
        inner: inner.max(1),
    };
    Ok(vec![b.scaled(x, of(scales), of(shifts))?])
}

fn last_axes(call: &Call<'_>, rank: usize) -> Made<Vec<usize>> {
    Ok((call.axis(-1, rank)?..rank).collect())
}

pub(super) fn layer(b: &mut Builder, call: &Call<'_>) -> Made<Vec<Value>> {
    let x = call.input(0)?;
    let axes = last_axes(call, x.rank())?;
    let normal = b.normal(x, &axes, epsilon(call), true)?;
    let y = b.stretched(normal.y, call.optional(1), call.optional(2))?;
    let mean = normal.mean.unwrap_or_else(|| y.clone());
    Ok(vec![y, mean, normal.inverse])
}

pub(super) fn root(b: &mut Builder, call: &Call<'_>) -> Made<Vec<Value>> {
    let x = call.input(0)?;
    let axes = last_axes(call, x.rank())?;
    let normal = b.normal(x, &axes, epsilon(call), false)?;
    let y = b.stretched(normal.y, call.optional(1), None)?;
    Ok(vec![y, normal.inverse])
}

pub(super) fn skip(b: &mut Builder, call: &Call<'_>) -> Made<Vec<Value>> {
    let mut x = b.binary(Binary::Add, call.input(0)?, call.input(1)?)?;
    let centred = call.node.op_type == "SkipLayerNormalization";
    let (beta, bias) = if centred {
        (call.optional(3), call.optional(4))
    } else {
        (None, call.optional(3))
    };
    if let Some(bias) = bias {
        x = b.binary(Binary::Add, &x, bias)?;
    }
    let last = x.rank().saturating_sub(1);
    let epsilon = call.float("epsilon", 1e-12).into();
    let normal = b.normal(&x, &[last], epsilon, centred)?;
    let y = b.stretched(normal.y, call.optional(2), beta)?;
    let mean = normal.mean.unwrap_or_else(|| y.clone());
    Ok(vec![y, mean, normal.inverse, x])
}

pub(super) fn instance(b: &mut Builder, call: &Call<'_>) -> Made<Vec<Value>> {
    let x = call.input(0)?;
    pooled(x, 3)?;
    let axes: Vec<usize> = (2..x.rank()).collect();
    let normal = b.normal(x, &axes, epsilon(call), true)?;
    let scale = by_channel(call.input(1)?, x.rank())?;
    let bias = by_channel(call.input(2)?, x.rank())?;
    Ok(vec![b.stretched(normal.y, Some(&scale), Some(&bias))?])
}

pub(super) fn group(b: &mut Builder, call: &Call<'_>) -> Made<Vec<Value>> {
    let x = call.input(0)?;
    pooled(x, 2)?;
    let (images, channels) = (x.shape()[0], x.shape()[1]);
    let groups = usize::try_from(call.int("num_groups", 0)).unwrap_or(0);
    if groups == 0 || channels % groups != 0 {
        return fault(format!("it makes {groups} groups of {channels} channels"));
    }
    let each = x.cells() / images / groups;
    let grouped = x.reshaped(vec![images, groups, each])?;
    let normal = b.normal(&grouped, &[2], epsilon(call), true)?;
    let of = |b: &mut Builder, value: &Value| -> Made<Value> {
        // Before version 21 there was a number for each group, not for each channel.
        let value = match value.cells() {
            cells if cells == channels => value.clone(),
            cells if cells == groups => {
                let column = value.reshaped(vec![groups, 1])?;
                let all = b.repeat(&column, &[groups, channels / groups])?;
                all.reshaped(vec![channels])?
            }
            cells => return fault(format!("it has {cells} scales for {channels} channels")),
        };
        by_channel(&value, x.rank())
    };
    let (scale, bias) = (of(b, call.input(1)?)?, of(b, call.input(2)?)?);
    let y = normal.y.reshaped(x.shape().to_vec())?;
    Ok(vec![b.stretched(y, Some(&scale), Some(&bias))?])
}

pub(super) fn mean_variance(b: &mut Builder, call: &Call<'_>) -> Made<Vec<Value>> {
    let x = call.input(0)?;
    let list = match call.node.ints("axes") {
        [] => &[0, 2, 3],
        list => list,
    };
    let axes = super::call::distinct(list, x.rank())?;
    let mean = b.mean(x, &axes)?;
    let centred = b.binary(Binary::Sub, x, &mean)?;
    let squares = b.activation(&centred, Activation::Power(2.0))?;
    let variance = b.mean(&squares, &axes)?;
    let deviation = b.activation(&variance, Activation::Sqrt)?;
    let shifted = b.scaled(&deviation, Channels::one(1.0), Channels::one(1e-9))?;
    let inverse = b.activation(&shifted, Activation::Reciprocal)?;
    Ok(vec![b.binary(Binary::Mul, &centred, &inverse)?])
}

pub(super) fn norm(b: &mut Builder, call: &Call<'_>) -> Made<Vec<Value>> {
    let x = call.input(0)?;
    let axis = call.axis(-1, x.rank())?;
    let inverse = match call.int("p", 2) {
        1 => {
            let sizes = b.activation(x, Activation::Abs)?;
            let sum = b.sum(&sizes, &[axis], 1.0)?;
            let sum = b.activation(&sum, ABOVE)?;
            b.activation(&sum, Activation::Reciprocal)?
        }
        2 => {
            let squares = b.activation(x, Activation::Power(2.0))?;
            let sum = b.sum(&squares, &[axis], 1.0)?;
            let sum = b.activation(&sum, ABOVE)?;
            b.activation(&sum, Activation::Power(-0.5))?
        }
        p => return unsupported(format!("the norm of order {p}"), "use order 1 or 2"),
    };
    Ok(vec![b.binary(Binary::Mul, x, &inverse)?])
}

/// `x / (bias + α/n Σ x²)^β` over neighbouring channels.
pub(super) fn local(b: &mut Builder, call: &Call<'_>) -> Made<Vec<Value>> {
    let x = call.input(0)?;
    pooled(x, 3)?;
    let Some(size) = usize::try_from(call.int("size", 0)).ok().filter(|&n| n > 0) else {
        return fault("its size is not above 0");
    };
    let (alpha, beta) = (call.float("alpha", 1e-4), call.float("beta", 0.75));
    let channels = x.shape()[1];
    let stride = strides(x.shape())[1];
    let squares = b.activation(x, Activation::Power(2.0))?;
    b.index(channels.checked_mul(size.min(channels)))?;
    let mut axes: Vec<Taps> = taps(x.shape());
    let of = |channel: usize| {
        let first = channel.saturating_sub((size - 1) / 2);
        let last = channel.saturating_add(size / 2).min(channels - 1);
        let weight = f64::from(alpha) / size as f64;
        (first..=last)
            .map(|c| ((c * stride) as u32, weight))
            .collect()
    };
    axes[1] = (0..channels).map(of).collect();
    let sums = b.summed(&squares, &axes)?;
    let bias = call.float("bias", 1.0);
    let shifted = b.scaled(&sums, Channels::one(1.0), Channels::one(bias))?;
    let inverse = b.activation(&shifted, Activation::Power(-beta))?;
    Ok(vec![b.binary(Binary::Mul, x, &inverse)?])
}

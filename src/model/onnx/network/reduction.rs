//! Sums and the like along whole axes, and the softmax.

use super::array::{Array, Kind};
use super::axes::{Taps, strides, taps};
use super::binary::Binary;
use super::builder::{Builder, Value};
use super::call::Call;
use super::{Made, fault, unsupported};
use crate::model::network::{Activation, Operation};

/// Axes of taps in which some take all positions, each with a weight.
fn whole(shape: &[usize], axes: &[usize], weight: f64) -> Vec<Taps> {
    let mut made = taps(shape);
    let own = strides(shape);
    for (i, &axis) in axes.iter().enumerate() {
        let weight = if i == 0 { weight } else { 1.0 };
        let all = 0..shape[axis];
        let all = all.map(|p| ((p * own[axis]) as u32, weight));
        made[axis] = vec![all.collect()];
    }
    made
}

impl Builder {
    /// `weight · Σ x` along axes, which keep a size of 1.
    pub(super) fn sum(&mut self, x: &Value, axes: &[usize], weight: f64) -> Made<Value> {
        if axes.is_empty() {
            return self.times_number(x, weight);
        }
        self.summed(x, &whole(x.shape(), axes, weight))
    }

    /// The mean along axes, which keep a size of 1.
    pub(super) fn mean(&mut self, x: &Value, axes: &[usize]) -> Made<Value> {
        let count: usize = axes.iter().map(|&axis| x.shape()[axis]).product();
        self.sum(x, axes, 1.0 / count.max(1) as f64)
    }

    /// The largest along axes, which keep a size of 1.
    pub(super) fn most(&mut self, x: &Value, axes: &[usize]) -> Made<Value> {
        if axes.iter().all(|&axis| x.shape()[axis] == 1) {
            return Ok(x.clone());
        }
        self.largest(x, &whole(x.shape(), axes, 1.0))
    }

    /// The softmax of cells along axes that come last and are one in it, or its logarithm.
    pub(super) fn softmax(&mut self, x: &Value, last: usize, is_log: bool) -> Made<Value> {
        let length: usize = x.shape()[x.rank() - last..].iter().product();
        match x {
            Value::Active(active) if is_log => self.apply(active, Operation::LogSoftmax(length)),
            Value::Active(active) => self.apply(active, Operation::Softmax(length)),
            Value::Constant(array) => {
                self.fold(&array.shape)?;
                let numbers: Vec<f64> = array.numbers().collect();
                let row = |row: &[f64]| {
                    let most = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                    let sum: f64 = row.iter().map(|x| (x - most).exp()).sum();
                    let of = |x: &f64| {
                        let log = x - most - sum.ln();
                        if is_log { log } else { log.exp() }
                    };
                    row.iter().map(of).collect::<Vec<_>>()
                };
                let cells = numbers.chunks(length.max(1)).flat_map(row);
                let cells: Vec<f64> = cells.collect();
                Ok(Value::Constant(Array::of(
                    array.kind,
                    array.shape.clone(),
                    cells.into_iter(),
                )))
            }
        }
    }
}

pub(super) fn softmax(b: &mut Builder, call: &Call<'_>) -> Made<Vec<Value>> {
    let x = call.input(0)?;
    let rank = x.rank();
    let is_log = call.node.op_type == "LogSoftmax";
    if call.opset < 13 {
        // Old versions read a matrix: the axis and all behind it are one row.
        let axis = match call.int("axis", 1) {
            axis if axis == rank as i64 => return fault("its rows have no cells"),
            axis => super::axes::axis(axis, rank)?,
        };
        return Ok(vec![b.softmax(x, rank - axis, is_log)?]);
    }
    let axis = call.axis(-1, rank)?;
    let mut order: Vec<usize> = (0..rank).filter(|&a| a != axis).collect();
    order.push(axis);
    let turned = b.transpose(x, &order)?;
    let made = b.softmax(&turned, 1, is_log)?;
    let mut back: Vec<usize> = (0..rank - 1).collect();
    back.insert(axis, rank - 1);
    Ok(vec![b.transpose(&made, &back)?])
}

pub(super) fn reduce(b: &mut Builder, call: &Call<'_>) -> Made<Vec<Value>> {
    let x = call.input(0)?;
    let rank = x.rank();
    let axes = match call.axes(1, rank)?.filter(|axes| !axes.is_empty()) {
        Some(axes) => axes,
        None if call.flag("noop_with_empty_axes", false) => Vec::new(),
        None => (0..rank).collect(),
    };
    let name = call.node.op_type.as_str();
    let made = match name {
        "ReduceSum" => b.sum(x, &axes, 1.0)?,
        "ReduceMean" => b.mean(x, &axes)?,
        "ReduceMax" => b.most(x, &axes)?,
        "ReduceMin" => {
            let numbers = match x {
                Value::Constant(array) if array.kind == Kind::Bool => {
                    Value::Constant(array.cast(Kind::Int))
                }
                x => x.clone(),
            };
            let minus = b.times_number(&numbers, -1.0)?;
            let most = b.most(&minus, &axes)?;
            b.times_number(&most, -1.0)?
        }
        "ReduceL1" => {
            let sizes = b.activation(x, Activation::Abs)?;
            b.sum(&sizes, &axes, 1.0)?
        }
        "ReduceL2" => {
            let squares = b.activation(x, Activation::Power(2.0))?;
            let sum = b.sum(&squares, &axes, 1.0)?;
            b.activation(&sum, Activation::Sqrt)?
        }
        "ReduceSumSquare" => {
            let squares = b.activation(x, Activation::Power(2.0))?;
            b.sum(&squares, &axes, 1.0)?
        }
        "ReduceLogSum" => {
            let sum = b.sum(x, &axes, 1.0)?;
            b.activation(&sum, Activation::Log)?
        }
        "ReduceLogSumExp" => log_sum_exp(b, x, &axes)?,
        _ => product(b, x, &axes)?,
    };
    if call.flag("keepdims", true) {
        return Ok(vec![made]);
    }
    let kept = (0..rank).filter(|axis| !axes.contains(axis));
    let shape: Vec<usize> = kept.map(|axis| made.shape()[axis]).collect();
    Ok(vec![made.reshaped(shape)?])
}

/// `x₀ − ln softmax(x)₀`, which cannot overflow.
fn log_sum_exp(b: &mut Builder, x: &Value, axes: &[usize]) -> Made<Value> {
    if axes.is_empty() {
        return Ok(x.clone());
    }
    let rest: Vec<usize> = (0..x.rank()).filter(|axis| !axes.contains(axis)).collect();
    let turned = b.transpose(x, &[&rest[..], axes].concat())?;
    let count: usize = axes.iter().map(|&axis| x.shape()[axis]).product();
    let rows = turned.reshaped(vec![turned.cells() / count.max(1), count])?;
    let logs = b.softmax(&rows, 1, true)?;
    let (first, log) = (b.cut(&rows, 1, 0, 1)?, b.cut(&logs, 1, 0, 1)?);
    let made = b.binary(Binary::Sub, &first, &log)?;
    let size = |axis: usize| {
        if axes.contains(&axis) {
            1
        } else {
            x.shape()[axis]
        }
    };
    made.reshaped((0..x.rank()).map(size).collect())
}

/// The product along axes, of two by two.
fn product(b: &mut Builder, x: &Value, axes: &[usize]) -> Made<Value> {
    let mut made = x.clone();
    for &axis in axes {
        let size = made.shape()[axis];
        if size == 0 {
            return fault("it multiplies nothing");
        }
        if size > 4096 {
            return unsupported(
                format!("a product of {size} numbers"),
                "use sums of logarithms",
            );
        }
        let mut joined = b.cut(&made, axis, 0, 1)?;
        for p in 1..size {
            let next = b.cut(&made, axis, p, p + 1)?;
            joined = b.binary(Binary::Mul, &joined, &next)?;
        }
        made = joined;
    }
    Ok(made)
}

pub(super) fn cumulative(b: &mut Builder, call: &Call<'_>) -> Made<Vec<Value>> {
    let x = call.input(0)?;
    let number = call.number(1)?.unwrap_or(0.0) as i64;
    let axis = super::axes::axis(number, x.rank())?;
    let (exclusive, reverse) = (call.flag("exclusive", false), call.flag("reverse", false));
    let size = x.shape()[axis];
    b.index(size.checked_mul(size))?;
    let stride = strides(x.shape())[axis];
    let mut axes = taps(x.shape());
    let of = |p: usize| {
        let range = match (reverse, exclusive) {
            (false, false) => 0..p + 1,
            (false, true) => 0..p,
            (true, false) => p..size,
            (true, true) => p + 1..size,
        };
        range.map(|q| ((q * stride) as u32, 1.0)).collect()
    };
    axes[axis] = (0..size).map(of).collect();
    Ok(vec![b.summed(x, &axes)?])
}

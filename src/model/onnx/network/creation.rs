//! Values that are made of no example.

use super::array::{Array, Kind};
use super::axes;
use super::builder::{Builder, Value};
use super::call::Call;
use super::{Made, fault, unsupported};

fn one(array: Array) -> Vec<Value> {
    vec![Value::Constant(array)]
}

pub(super) fn constant(b: &mut Builder, call: &Call<'_>) -> Made<Vec<Value>> {
    let node = call.node;
    if let Some(tensor) = node.tensor("value") {
        if tensor.data_location == crate::model::onnx::message::EXTERNAL {
            return unsupported(
                "a constant whose data is in another file",
                "save the model with its data inside",
            );
        }
        let size = tensor
            .dims
            .iter()
            .map(|&d| usize::try_from(d).unwrap_or(usize::MAX));
        b.fold(&size.collect::<Vec<_>>())?;
        return Ok(one(Array::read(tensor, None)?));
    }
    let list = |name: &str| node.attribute(name);
    if let Some(attribute) = list("value_float") {
        return Ok(one(Array::floats(Vec::new(), vec![attribute.f])));
    }
    if let Some(attribute) = list("value_int") {
        return Ok(one(Array::ints(Vec::new(), vec![attribute.i])));
    }
    if let Some(attribute) = list("value_floats") {
        let floats = attribute.floats.clone();
        return Ok(one(Array::floats(vec![floats.len()], floats)));
    }
    if let Some(attribute) = list("value_ints") {
        return Ok(one(Array::list(attribute.ints.clone())));
    }
    unsupported(
        "a constant that is sparse or a text",
        "export the model without it",
    )
}

/// A shape that is given as numbers.
pub(super) fn sizes(list: &[i64]) -> Made<Vec<usize>> {
    let size = |&n: &i64| usize::try_from(n).ok();
    let sizes: Option<Vec<usize>> = list.iter().map(size).collect();
    match sizes.filter(|sizes| axes::cells(sizes).is_some()) {
        Some(sizes) => Ok(sizes),
        None => fault(format!("a shape of {list:?} was asked for")),
    }
}

pub(super) fn constant_of_shape(b: &mut Builder, call: &Call<'_>) -> Made<Vec<Value>> {
    let shape = sizes(&call.needed(0)?.whole().collect::<Vec<_>>())?;
    let cells = b.fold(&shape)?;
    let value = match call.node.tensor("value") {
        Some(tensor) => Array::read(tensor, None)?,
        None => Array::floats(vec![1], vec![0.0]),
    };
    if value.len() != 1 {
        return fault("its value has more than one element");
    }
    Ok(one(value.moved(&vec![0; cells], shape, 0.0)))
}

pub(super) fn shape(_: &mut Builder, call: &Call<'_>) -> Made<Vec<Value>> {
    let shape = call.input(0)?.shape();
    let rank = shape.len() as i64;
    let end = |name: &str, default: i64| {
        let at = call.int(name, default);
        let at = if at < 0 { at.saturating_add(rank) } else { at };
        at.clamp(0, rank) as usize
    };
    let (start, end) = (end("start", 0), end("end", rank));
    let sizes = shape.get(start..end).unwrap_or(&[]);
    Ok(one(Array::list(sizes.iter().map(|&n| n as i64).collect())))
}

pub(super) fn size(_: &mut Builder, call: &Call<'_>) -> Made<Vec<Value>> {
    let cells = call.input(0)?.cells() as i64;
    Ok(one(Array::ints(Vec::new(), vec![cells])))
}

pub(super) fn range(b: &mut Builder, call: &Call<'_>) -> Made<Vec<Value>> {
    let arrays = [call.needed(0)?, call.needed(1)?, call.needed(2)?];
    if arrays.iter().any(|array| array.len() != 1) {
        return fault("its bounds are not numbers");
    }
    let [start, end, step] = arrays.map(|array| array.at(0));
    let count = ((end - start) / step).ceil();
    if count.is_nan() || count > 1e9 {
        return fault(format!("it counts from {start} to {end} by {step}"));
    }
    let count = count.max(0.0) as usize;
    b.fold(&[count])?;
    let kind = arrays[0].kind;
    let cells = (0..count).map(|i| start + i as f64 * step);
    Ok(one(Array::of(kind, vec![count], cells)))
}

pub(super) fn eye_like(b: &mut Builder, call: &Call<'_>) -> Made<Vec<Value>> {
    let x = call.input(0)?;
    let &[rows, columns] = x.shape() else {
        return fault("what it is like has not two axes");
    };
    b.fold(&[rows, columns])?;
    let kind = call.node.int("dtype").map_or(Ok(x.kind()), Kind::of)?;
    let k = call.int("k", 0);
    let cell = |i: usize| {
        let (row, column) = ((i / columns) as i64, (i % columns) as i64);
        f64::from(u8::from(column.checked_sub(row) == Some(k)))
    };
    let shape = vec![rows, columns];
    Ok(one(Array::of(kind, shape, (0..rows * columns).map(cell))))
}

pub(super) fn non_zero(b: &mut Builder, call: &Call<'_>) -> Made<Vec<Value>> {
    let array = call.needed(0)?;
    let cells: Vec<usize> = (0..array.len()).filter(|&i| array.at(i) != 0.0).collect();
    let rank = array.shape.len();
    b.fold(&[rank, cells.len()])?;
    let strides = axes::strides(&array.shape);
    let index = |axis: usize| {
        let (stride, size) = (strides[axis], array.shape[axis]);
        cells.iter().map(move |&cell| (cell / stride % size) as i64)
    };
    let indexes: Vec<i64> = (0..rank).flat_map(index).collect();
    Ok(one(Array::ints(vec![rank, cells.len()], indexes)))
}

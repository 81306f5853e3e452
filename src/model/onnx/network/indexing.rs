//! Operators that move cells to and from places that are given as numbers.

use super::array::Array;
use super::axes::{NONE, grid, line, lines, strides};
use super::builder::{Builder, Value};
use super::call::Call;
use super::{Made, fault, unsupported};
use crate::model::network::{Embedding, Operation};

/// The position that a number means: those below zero count from the end.
fn position(number: i64, size: usize) -> Made<usize> {
    let from_end = if number < 0 { size as i64 } else { 0 };
    match number.checked_add(from_end).map(usize::try_from) {
        Some(Ok(at)) if at < size => Ok(at),
        _ => fault(format!("one of its indices is {number}, of {size}")),
    }
}

pub(super) fn gather(b: &mut Builder, call: &Call<'_>) -> Made<Vec<Value>> {
    let (x, indices) = (call.input(0)?, call.input(1)?);
    let axis = call.axis(0, x.rank())?;
    let Value::Constant(places) = indices else {
        return Ok(vec![embed(b, x, indices, axis)?]);
    };
    let size = x.shape()[axis];
    let along: Made<Vec<usize>> = places.whole().map(|n| position(n, size)).collect();
    let mut own = lines(x.shape());
    own[axis] = line(x.shape(), axis, along?.into_iter());
    let taken = b.lined(x, &own, 0.0)?;
    let shape = [&x.shape()[..axis], &places.shape, &x.shape()[axis + 1..]].concat();
    Ok(vec![taken.reshaped(shape)?])
}

/// Rows of a table that whole numbers of the example name.
fn embed(b: &mut Builder, table: &Value, indices: &Value, axis: usize) -> Made<Value> {
    let (Value::Constant(_), Value::Active(tokens)) = (table, indices) else {
        return unsupported(
            "places that change with the example in a value that does, too,",
            "only rows of a constant table can be looked up",
        );
    };
    // The axis comes first, and its rows last.
    let rest: Vec<usize> = (0..table.rank()).filter(|&a| a != axis).collect();
    let order = [&[axis], &rest[..]].concat();
    let Value::Constant(rows) = b.transpose(table, &order)? else {
        return fault("its table changes with the example");
    };
    let (entries, shape) = (table.shape()[axis], rows.shape[1..].to_vec());
    if rows.len() == 0 {
        return fault("its table is empty");
    }
    let embedding = Embedding {
        table: rows.to_f32(),
        width: rows.len() / entries,
    };
    let made_shape = [&tokens.shape[..], &shape].concat();
    let inputs = vec![tokens.tensor];
    let step = Operation::Embedding(embedding);
    let made = b.push(step, inputs, made_shape, rows.kind)?;
    // The tokens' axes take the place of the axis.
    let count = tokens.shape.len();
    let others = |range: std::ops::Range<usize>| range.map(move |a| count + a);
    let order: Vec<usize> = others(0..axis)
        .chain(0..count)
        .chain(others(axis..shape.len()))
        .collect();
    b.transpose(&Value::Active(made), &order)
}

pub(super) fn one_hot(b: &mut Builder, call: &Call<'_>) -> Made<Vec<Value>> {
    let (indices, depth) = (call.input(0)?, call.number(1)?.unwrap_or(0.0));
    let values = call.needed(2)?;
    if !(1.0..=65536.0).contains(&depth) || values.len() != 2 {
        return fault(format!("its depth is {depth}"));
    }
    let depth = depth as usize;
    b.fold(&[depth, depth])?;
    let is_on = |cell: usize| usize::from(cell / depth == cell % depth);
    let cells = (0..depth * depth).map(|cell| values.at(is_on(cell)));
    let table = Value::Constant(Array::of(values.kind, vec![depth, depth], cells));
    let rows = match indices {
        Value::Active(_) => embed(b, &table, indices, 0)?,
        Value::Constant(array) => {
            // What names no place is off everywhere.
            let of = |n: i64| position(n, depth).map_or(NONE, |at| (at * depth) as u32);
            let along: Vec<u32> = array.whole().map(of).collect();
            let within = (0..depth as u32).collect();
            let rows = b.lined(&table, &[along, within], values.at(0))?;
            rows.reshaped([&array.shape[..], &[depth]].concat())?
        }
    };
    let last = rows.rank() - 1;
    let axis = call.axis(-1, rows.rank())?;
    let mut order: Vec<usize> = (0..last).collect();
    order.insert(axis, last);
    Ok(vec![b.transpose(&rows, &order)?])
}

/// By cell of an array of places along an axis: the cell of `shape` that is meant.
fn element(shape: &[usize], places: &Array, axis: usize, cell: usize) -> Made<usize> {
    let own = strides(&places.shape);
    let outer = strides(shape);
    let mut at = 0;
    for (a, &size) in shape.iter().enumerate() {
        let p = if a == axis {
            position(places.int(cell), size)?
        } else {
            cell / own[a] % places.shape[a]
        };
        if p >= size {
            return fault("its indices reach out of what it reads");
        }
        at += p * outer[a];
    }
    Ok(at)
}

pub(super) fn gather_elements(b: &mut Builder, call: &Call<'_>) -> Made<Vec<Value>> {
    let (x, places) = (call.input(0)?, call.needed(1)?);
    let axis = call.axis(0, x.rank())?;
    if places.shape.len() != x.rank() {
        return fault("its indices have another number of axes");
    }
    b.claim(x, &places.shape)?;
    let cells = (0..places.len()).map(|cell| element(x.shape(), places, axis, cell));
    let sources: Made<Vec<u32>> = cells.map(|cell| Ok(cell? as u32)).collect();
    Ok(vec![b.moved(x, sources?, places.shape.clone(), 0.0)?])
}

pub(super) fn scatter_elements(b: &mut Builder, call: &Call<'_>) -> Made<Vec<Value>> {
    let (x, places, updates) = (call.input(0)?, call.needed(1)?, call.input(2)?);
    let axis = call.axis(0, x.rank())?;
    replaces(call)?;
    if places.shape.len() != x.rank() || updates.shape() != places.shape {
        return fault("its indices do not fit");
    }
    b.index(Some(x.cells()))?;
    let mut sources: Vec<u32> = (0..x.cells() as u32).collect();
    for cell in 0..places.len() {
        let at = element(x.shape(), places, axis, cell)?;
        sources[at] = (x.cells() + cell) as u32;
    }
    let parts = [x.clone(), updates.clone()];
    Ok(vec![b.joined(&parts, sources, x.shape().to_vec())?])
}

fn replaces(call: &Call<'_>) -> Made<()> {
    match call.text("reduction", "none").as_str() {
        "none" => Ok(()),
        other => unsupported(
            format!("the reduction \"{other}\""),
            "scatter without a reduction",
        ),
    }
}

/// Where in a shape lists of indices begin, and how many cells each means.
fn starts(shape: &[usize], places: &Array, batch: usize) -> Made<(Vec<usize>, usize)> {
    let depth = places.shape.last().copied().unwrap_or(0);
    let shared = places.shape.get(..batch).zip(shape.get(..batch));
    if shared.is_none_or(|(a, b)| a != b)
        || places.shape.len() <= batch
        || batch + depth > shape.len()
    {
        return fault(format!(
            "its indices of shape {:?} do not fit {shape:?}",
            places.shape
        ));
    }
    let outer = strides(shape);
    let inner: usize = shape[batch + depth..].iter().product();
    let count = places.shape[..places.shape.len() - 1]
        .iter()
        .product::<usize>();
    let per_batch: usize = places.shape[batch..places.shape.len() - 1].iter().product();
    let block: usize = shape[batch..].iter().product();
    let start = |tuple: usize| -> Made<usize> {
        let mut at = tuple / per_batch.max(1) * block;
        for k in 0..depth {
            let number = places.int(tuple * depth + k);
            at += position(number, shape[batch + k])? * outer[batch + k];
        }
        Ok(at)
    };
    let starts: Made<Vec<usize>> = (0..count).map(start).collect();
    Ok((starts?, inner))
}

pub(super) fn gather_nd(b: &mut Builder, call: &Call<'_>) -> Made<Vec<Value>> {
    let (x, places) = (call.input(0)?, call.needed(1)?);
    let batch = usize::try_from(call.int("batch_dims", 0)).unwrap_or(usize::MAX);
    let batch = batch.min(x.rank());
    b.fold(&[places.len()])?;
    let (starts, inner) = starts(x.shape(), places, batch)?;
    let last = places.shape.len() - 1;
    let depth = places.shape[last];
    let shape = [&places.shape[..last], &x.shape()[batch + depth..]].concat();
    b.claim(x, &shape)?;
    let sources = starts.iter().flat_map(|&s| s as u32..(s + inner) as u32);
    Ok(vec![b.moved(x, sources.collect(), shape, 0.0)?])
}

pub(super) fn scatter_nd(b: &mut Builder, call: &Call<'_>) -> Made<Vec<Value>> {
    let (x, places, updates) = (call.input(0)?, call.needed(1)?, call.input(2)?);
    replaces(call)?;
    b.fold(&[places.len()])?;
    let (starts, inner) = starts(x.shape(), places, 0)?;
    if starts.len().checked_mul(inner) != Some(updates.cells()) {
        return fault("its updates do not fit its indices");
    }
    b.index(Some(x.cells()))?;
    let mut sources: Vec<u32> = (0..x.cells() as u32).collect();
    for (update, start) in starts.into_iter().enumerate() {
        for cell in 0..inner {
            sources[start + cell] = (x.cells() + update * inner + cell) as u32;
        }
    }
    let parts = [x.clone(), updates.clone()];
    Ok(vec![b.joined(&parts, sources, x.shape().to_vec())?])
}

pub(super) fn compress(b: &mut Builder, call: &Call<'_>) -> Made<Vec<Value>> {
    let (x, condition) = (call.input(0)?.clone(), call.needed(1)?);
    let (x, axis) = match call.node.int("axis") {
        Some(_) => (x.clone(), call.axis(0, x.rank())?),
        None => (x.reshaped(vec![x.cells()])?, 0),
    };
    let size = x.shape()[axis];
    let kept = (0..condition.len().min(size)).filter(|&p| condition.at(p) != 0.0);
    let mut own = lines(x.shape());
    own[axis] = line(x.shape(), axis, kept);
    Ok(vec![b.lined(&x, &own, 0.0)?])
}

pub(super) fn reverse_sequence(b: &mut Builder, call: &Call<'_>) -> Made<Vec<Value>> {
    let (x, lengths) = (call.input(0)?, call.needed(1)?);
    let axis = |name: &str, default: i64| super::axes::axis(call.int(name, default), x.rank());
    let (batch, time) = (axis("batch_axis", 1)?, axis("time_axis", 0)?);
    let shape = x.shape().to_vec();
    if lengths.len() != shape[batch] || batch == time {
        return fault("its lengths are not those of its batch");
    }
    b.claim(x, &shape)?;
    let outer = strides(&shape);
    let source = |cell: usize| {
        let length = lengths.int(cell / outer[batch] % shape[batch]);
        let length = usize::try_from(length).unwrap_or(0).min(shape[time]);
        let at = cell / outer[time] % shape[time];
        let from = if at < length { length - 1 - at } else { at };
        (cell + from * outer[time] - at * outer[time]) as u32
    };
    let sources = (0..x.cells()).map(source).collect();
    Ok(vec![b.moved(x, sources, shape, 0.0)?])
}

pub(super) fn trilu(b: &mut Builder, call: &Call<'_>) -> Made<Vec<Value>> {
    let x = call.input(0)?;
    let k = call.number(1)?.unwrap_or(0.0) as i64;
    let upper = call.flag("upper", true);
    let &[.., rows, columns] = x.shape() else {
        return fault("what it reads has not two axes");
    };
    b.claim(x, x.shape())?;
    let source = |cell: u32| {
        let column = i64::from(cell) % columns as i64;
        let row = i64::from(cell) / columns as i64 % rows as i64;
        let above = (column - row).cmp(&k);
        let kept = if upper { above.is_ge() } else { above.is_le() };
        if kept { cell } else { NONE }
    };
    let sources = grid(&lines(x.shape())).into_iter().map(source).collect();
    Ok(vec![b.moved(x, sources, x.shape().to_vec(), 0.0)?])
}

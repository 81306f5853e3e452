//! Operators that only move cells.

use super::axes::{self, Line, NONE, grid, line, lines, strides};
use super::builder::{Builder, Value};
use super::call::{Call, distinct};
use super::creation::sizes;
use super::{Made, fault, unsupported};

pub(super) fn same(_: &mut Builder, call: &Call<'_>) -> Made<Vec<Value>> {
    Ok(vec![call.input(0)?.clone()])
}

pub(super) fn reshape(_: &mut Builder, call: &Call<'_>) -> Made<Vec<Value>> {
    let x = call.input(0)?;
    let asked = match call.list(1)? {
        Some(list) => list,
        None => call.node.ints("shape").to_vec(),
    };
    let copies = !call.flag("allowzero", false);
    let mut shape = Vec::with_capacity(asked.len());
    for (axis, &size) in asked.iter().enumerate() {
        shape.push(match (size, x.shape().get(axis)) {
            (0, Some(&own)) if copies => own as i64,
            (size, _) => size,
        });
    }
    if let Some(open) = shape.iter().position(|&size| size == -1) {
        shape[open] = 1;
        let rest = axes::cells(&sizes(&shape)?).unwrap_or(0).max(1);
        shape[open] = (x.cells() / rest) as i64;
    }
    Ok(vec![x.reshaped(sizes(&shape)?)?])
}

pub(super) fn flatten(_: &mut Builder, call: &Call<'_>) -> Made<Vec<Value>> {
    let x = call.input(0)?;
    let axis = match call.int("axis", 1) {
        axis if axis == x.rank() as i64 => x.rank(),
        axis => axes::axis(axis, x.rank())?,
    };
    let (rows, columns) = x.shape().split_at(axis);
    let shape = vec![rows.iter().product(), columns.iter().product()];
    Ok(vec![x.reshaped(shape)?])
}

pub(super) fn squeeze(_: &mut Builder, call: &Call<'_>) -> Made<Vec<Value>> {
    let x = call.input(0)?;
    let given = call.axes(1, x.rank())?;
    let mut shape = Vec::new();
    for (axis, &size) in x.shape().iter().enumerate() {
        match &given {
            Some(axes) if !axes.contains(&axis) => shape.push(size),
            Some(_) if size != 1 => {
                return fault(format!("its axis {axis} has the size {size}, not 1"));
            }
            None if size != 1 => shape.push(size),
            _ => {}
        }
    }
    Ok(vec![x.reshaped(shape)?])
}

pub(super) fn unsqueeze(_: &mut Builder, call: &Call<'_>) -> Made<Vec<Value>> {
    let x = call.input(0)?;
    let given = call.either(1, "axes")?.unwrap_or_default();
    let rank = x.rank() + given.len();
    if rank > axes::MAX_RANK {
        return fault(format!("it makes {rank} axes"));
    }
    let new = distinct(&given, rank)?;
    let mut old = x.shape().iter();
    let shape = (0..rank).map(|axis| {
        if new.contains(&axis) {
            1
        } else {
            old.next().copied().unwrap_or(1)
        }
    });
    Ok(vec![x.reshaped(shape.collect())?])
}

pub(super) fn transpose(b: &mut Builder, call: &Call<'_>) -> Made<Vec<Value>> {
    let x = call.input(0)?;
    let order = match call.node.ints("perm") {
        [] => (0..x.rank()).rev().collect(),
        list => distinct(list, x.rank())?,
    };
    if order.len() != x.rank() {
        return fault(format!("its perm does not name all {} axes", x.rank()));
    }
    Ok(vec![b.transpose(x, &order)?])
}

impl Builder {
    /// The axes in another order.
    pub(super) fn transpose(&mut self, x: &Value, order: &[usize]) -> Made<Value> {
        // Axes of one cell move for nothing.
        let moving: Vec<usize> = order
            .iter()
            .copied()
            .filter(|&a| x.shape()[a] != 1)
            .collect();
        if moving.is_sorted() {
            return x.reshaped(order.iter().map(|&axis| x.shape()[axis]).collect());
        }
        let own = lines(x.shape());
        let lines: Vec<Line> = order.iter().map(|&axis| own[axis].clone()).collect();
        self.lined(x, &lines, 0.0)
    }

    /// The positions from one to another along an axis.
    pub(super) fn cut(&mut self, x: &Value, axis: usize, from: usize, to: usize) -> Made<Value> {
        let strides = strides(x.shape());
        self.index(Some(x.shape().iter().sum::<usize>() - x.shape()[axis]))?;
        let along = |a: usize| {
            let positions = if a == axis { from..to } else { 0..x.shape()[a] };
            positions.map(|p| (p * strides[a]) as u32).collect()
        };
        let lines: Vec<Line> = (0..x.rank()).map(along).collect();
        self.lined(x, &lines, 0.0)
    }

    /// Values one after the other along an axis.
    pub(super) fn concat(&mut self, parts: &[Value], axis: usize) -> Made<Value> {
        let Some(first) = parts.first() else {
            return fault("it joins nothing");
        };
        let mut shape = first.shape().to_vec();
        shape[axis] = 0;
        let (mut along, mut start) = (Vec::new(), 0_usize);
        for part in parts {
            let mut rest = part.shape().to_vec();
            let size = rest.get(axis).copied().unwrap_or(0);
            if let Some(own) = rest.get_mut(axis) {
                *own = 0;
            }
            if rest != shape {
                return fault(format!(
                    "it joins {:?} and {:?} along axis {axis}",
                    first.shape(),
                    part.shape()
                ));
            }
            along.push((start, size));
            start = start.saturating_add(part.cells());
        }
        shape[axis] = along.iter().map(|&(_, size)| size).sum();
        let inner: usize = shape[axis + 1..].iter().product();
        let outer: usize = shape[..axis].iter().product();
        let Some(cells) = axes::cells(&shape).filter(|&cells| cells < NONE as usize) else {
            return fault(format!("it makes the shape {shape:?}"));
        };
        self.index(Some(cells))?;
        let mut sources = Vec::with_capacity(cells);
        for row in 0..outer {
            for &(start, size) in &along {
                let from = start + row * size * inner;
                sources.extend(from as u32..(from + size * inner) as u32);
            }
        }
        self.joined(parts, sources, shape)
    }
}

pub(super) fn concat(b: &mut Builder, call: &Call<'_>) -> Made<Vec<Value>> {
    let parts = call.all()?;
    let axis = call.axis(1, parts[0].rank())?;
    Ok(vec![b.concat(&parts, axis)?])
}

pub(super) fn split(b: &mut Builder, call: &Call<'_>) -> Made<Vec<Value>> {
    let x = call.input(0)?;
    let axis = call.axis(0, x.rank())?;
    let size = x.shape()[axis];
    let parts = if let Some(list) = call.either(1, "split")? {
        sizes(&list)?
    } else {
        let outputs = call.node.output.len() as i64;
        let count = call.int("num_outputs", outputs);
        let Some(count) = usize::try_from(count)
            .ok()
            .filter(|n| (1..=size).contains(n))
        else {
            return fault(format!("it splits {size} positions into {count}"));
        };
        let each = size.div_ceil(count);
        let start = |part: usize| (part * each).min(size);
        (0..count)
            .map(|part| start(part + 1) - start(part))
            .collect()
    };
    if parts.iter().try_fold(0_usize, |n, &p| n.checked_add(p)) != Some(size) {
        return fault(format!("it splits {size} positions into {parts:?}"));
    }
    let mut from = 0;
    parts
        .iter()
        .map(|&part| {
            from += part;
            b.cut(x, axis, from - part, from)
        })
        .collect()
}

pub(super) fn slice(b: &mut Builder, call: &Call<'_>) -> Made<Vec<Value>> {
    let x = call.input(0)?;
    let starts = call.either(1, "starts")?.unwrap_or_default();
    let ends = call.either(2, "ends")?.unwrap_or_default();
    let count = starts.len();
    let axes = match call.either(3, "axes")? {
        Some(axes) => distinct(&axes, x.rank())?,
        None => (0..count).collect(),
    };
    let steps = call.list(4)?.unwrap_or_else(|| vec![1; count]);
    if [ends.len(), axes.len(), steps.len()] != [count; 3] || count > x.rank() {
        return fault("its starts, ends, axes and steps are not as many as each other");
    }
    let mut own = lines(x.shape());
    for (i, &axis) in axes.iter().enumerate() {
        let size = x.shape()[axis] as i64;
        let step = steps[i];
        if step == 0 {
            return fault("its step is 0");
        }
        let (lowest, highest) = if step > 0 { (0, size) } else { (-1, size - 1) };
        let place = |at: i64| {
            let at = if at < 0 { at.saturating_add(size) } else { at };
            at.clamp(lowest, highest)
        };
        let (from, to) = (place(starts[i]), place(ends[i]));
        let mut positions = Vec::new();
        let mut at = from;
        while at < size && at >= 0 && if step > 0 { at < to } else { at > to } {
            positions.push(at as usize);
            at = at.saturating_add(step);
        }
        own[axis] = line(x.shape(), axis, positions.into_iter());
    }
    Ok(vec![b.lined(x, &own, 0.0)?])
}

pub(super) fn expand(b: &mut Builder, call: &Call<'_>) -> Made<Vec<Value>> {
    let x = call.input(0)?;
    let asked = sizes(&call.list(1)?.unwrap_or_default())?;
    let shape = axes::broadcast(x.shape(), &asked)?;
    Ok(vec![b.repeat(x, &shape)?])
}

pub(super) fn tile(b: &mut Builder, call: &Call<'_>) -> Made<Vec<Value>> {
    let x = call.input(0)?;
    let repeats = sizes(&call.list(1)?.unwrap_or_default())?;
    if repeats.len() != x.rank() {
        return fault(format!("its repeats are not those of {} axes", x.rank()));
    }
    let pairs = x.shape().iter().zip(&repeats);
    let shape: Option<Vec<usize>> = pairs.map(|(&n, &r)| n.checked_mul(r)).collect();
    let Some(shape) = shape else {
        return fault("it makes too many cells");
    };
    b.claim(x, &shape)?;
    let own = lines(x.shape());
    let lines: Vec<Line> = (own.iter().zip(&repeats))
        .map(|(line, &count)| line.repeat(count))
        .collect();
    Ok(vec![b.moved(x, grid(&lines), shape, 0.0)?])
}

pub(super) fn pad(b: &mut Builder, call: &Call<'_>) -> Made<Vec<Value>> {
    let x = call.input(0)?;
    let axes = match call.list(3)? {
        Some(axes) => distinct(&axes, x.rank())?,
        None => (0..x.rank()).collect(),
    };
    let pads = match call.list(1)? {
        Some(pads) => pads,
        None => call.node.ints("pads").to_vec(),
    };
    if pads.len() != 2 * axes.len() {
        return fault(format!(
            "its pads are {} for {} axes",
            pads.len(),
            axes.len()
        ));
    }
    let fill = match call.number(2)? {
        Some(fill) => fill,
        None => call.float("value", 0.0).into(),
    };
    let mode = call.text("mode", "constant");
    let mut own = lines(x.shape());
    let mut shape = x.shape().to_vec();
    let mut along = Vec::with_capacity(axes.len());
    for (i, &axis) in axes.iter().enumerate() {
        let (before, after, size) = (pads[i], pads[axes.len() + i], shape[axis] as i64);
        let padded = size.checked_add(before).and_then(|n| n.checked_add(after));
        match padded.map(usize::try_from) {
            Some(Ok(padded)) => shape[axis] = padded,
            _ => return fault(format!("its pads are {pads:?}")),
        }
        along.push((axis, before, size));
    }
    b.claim(x, &shape)?;
    for (axis, before, size) in along {
        let position = |p: usize| -> Option<usize> {
            let at = (p as i64).checked_sub(before)?;
            let inside = match mode.as_str() {
                _ if (0..size).contains(&at) => at,
                "constant" => return None,
                _ if size == 0 => return None,
                "edge" => at.clamp(0, size - 1),
                "wrap" => at.rem_euclid(size),
                // There and back again, the ends once each.
                _ if size == 1 => 0,
                _ => {
                    let there = at.rem_euclid(2 * (size - 1));
                    there.min(2 * (size - 1) - there)
                }
            };
            usize::try_from(inside).ok()
        };
        let stride = strides(x.shape())[axis];
        let offset = |p| position(p).map_or(NONE, |at| (at * stride) as u32);
        own[axis] = (0..shape[axis]).map(offset).collect();
    }
    if !["constant", "edge", "wrap", "reflect"].contains(&mode.as_str()) {
        return unsupported(format!("the mode \"{mode}\""), "pad with a constant");
    }
    Ok(vec![b.moved(x, grid(&own), shape, fill)?])
}

pub(super) fn depth_to_space(b: &mut Builder, call: &Call<'_>) -> Made<Vec<Value>> {
    let x = call.input(0)?;
    let ([n, c, h, w], block) = image(x, call)?;
    let Some(rest) = (block * block > 0 && c % (block * block) == 0).then(|| c / block / block)
    else {
        return fault(format!(
            "{c} channels cannot be {block} times {block} positions"
        ));
    };
    let (split, order) = match call.text("mode", "DCR").as_str() {
        "DCR" => ([n, block, block, rest, h, w], [0, 3, 4, 1, 5, 2]),
        _ => ([n, rest, block, block, h, w], [0, 1, 4, 2, 5, 3]),
    };
    let moved = b.transpose(&x.reshaped(split.to_vec())?, &order)?;
    Ok(vec![moved.reshaped(vec![n, rest, h * block, w * block])?])
}

pub(super) fn space_to_depth(b: &mut Builder, call: &Call<'_>) -> Made<Vec<Value>> {
    let x = call.input(0)?;
    let ([n, c, h, w], block) = image(x, call)?;
    if block == 0 || h % block != 0 || w % block != 0 {
        return fault(format!("{h} times {w} positions are not blocks of {block}"));
    }
    let (h, w) = (h / block, w / block);
    let split = x.reshaped(vec![n, c, h, block, w, block])?;
    let order = match call.text("mode", "DCR").as_str() {
        "DCR" => [0, 3, 5, 1, 2, 4],
        _ => [0, 1, 3, 5, 2, 4],
    };
    let moved = b.transpose(&split, &order)?;
    Ok(vec![moved.reshaped(vec![n, c * block * block, h, w])?])
}

fn image(x: &Value, call: &Call<'_>) -> Made<([usize; 4], usize)> {
    let Ok(shape) = <[usize; 4]>::try_from(x.shape()) else {
        return fault(format!(
            "it reads the shape {:?}; expected an image",
            x.shape()
        ));
    };
    match usize::try_from(call.int("blocksize", 0)) {
        Ok(block) if block < 1 << 16 => Ok((shape, block)),
        _ => fault("its blocksize is no size"),
    }
}

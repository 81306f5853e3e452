//! Where the cells of a result come from, axis by axis: all that layouts, padding, broadcasting and pooling do is a
//! product of what they do along each axis.

use super::Made;
use crate::model::network::Gather;
use crate::model::onnx::Fault;

/// No cell.
pub(super) const NONE: u32 = Gather::NONE;

/// By position along an axis of the result: how far into the source its cells lie, or [`NONE`].
pub(super) type Line = Vec<u32>;

/// By position along an axis of the result: the offsets into the source that are summed up, with weights.
pub(super) type Taps = Vec<Vec<(u32, f64)>>;

/// Axes beyond this are refused.
pub(super) const MAX_RANK: usize = 64;

/// Sizes beyond this are refused even where there is no cell.
const MAX_SIZE: usize = 1 << 28;

/// How many cells there are, where they can be counted and no size is absurd.
pub(super) fn cells(shape: &[usize]) -> Option<usize> {
    if shape.len() > MAX_RANK {
        return None;
    }
    let limit = if shape.contains(&0) {
        1 << 16
    } else {
        MAX_SIZE
    };
    let mut sizes = shape.iter();
    sizes.try_fold(1_usize, |cells, &size| {
        (size <= limit).then_some(())?;
        cells.checked_mul(size)
    })
}

/// Cells from one position to the next, by axis.
pub(super) fn strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis].max(1);
    }
    strides
}

/// The lines of an array as it is.
pub(super) fn lines(shape: &[usize]) -> Vec<Line> {
    let axes = shape.iter().zip(strides(shape));
    axes.map(|(&size, stride)| (0..size).map(|p| (p * stride) as u32).collect())
        .collect()
}

/// The line along an axis that takes these positions.
pub(super) fn line(shape: &[usize], axis: usize, positions: impl Iterator<Item = usize>) -> Line {
    let stride = strides(shape)[axis];
    positions.map(|p| (p * stride) as u32).collect()
}

/// The source of each cell of the product of lines.
pub(super) fn grid(lines: &[Line]) -> Vec<u32> {
    if lines.iter().any(Vec::is_empty) {
        return Vec::new();
    }
    let mut sources = vec![0];
    for line in lines {
        let of = |from: u32| {
            line.iter().map(move |&offset| {
                if from == NONE || offset == NONE {
                    NONE
                } else {
                    from + offset
                }
            })
        };
        sources = sources.into_iter().flat_map(of).collect();
    }
    sources
}

/// Axes whose every position takes itself.
pub(super) fn taps(shape: &[usize]) -> Vec<Taps> {
    let line = |line: Line| line.into_iter().map(|offset| vec![(offset, 1.0)]).collect();
    lines(shape).into_iter().map(line).collect()
}

/// How many taps the product of axes has; `None` where they cannot be counted.
pub(super) fn count(axes: &[Taps]) -> Option<usize> {
    axes.iter().try_fold(1_usize, |total, axis| {
        total.checked_mul(axis.iter().map(Vec::len).sum())
    })
}

/// Calls `cell` with the taps of each cell of the product of axes.
pub(super) fn walk(axes: &[Taps], cell: &mut impl FnMut(&[(u32, f64)])) {
    descend(axes, &[(0, 1.0)], cell);
}

fn descend(axes: &[Taps], known: &[(u32, f64)], cell: &mut impl FnMut(&[(u32, f64)])) {
    let Some((axis, rest)) = axes.split_first() else {
        return cell(known);
    };
    for taps in axis {
        let joined: Vec<(u32, f64)> = (known.iter())
            .flat_map(|&(from, a)| taps.iter().map(move |&(to, b)| (from + to, a * b)))
            .collect();
        descend(rest, &joined, cell);
    }
}

/// The axis that a number means: those below zero count from the end.
pub(super) fn axis(number: i64, rank: usize) -> Made<usize> {
    let from_end = if number < 0 { rank as i64 } else { 0 };
    let axis = number.checked_add(from_end).map(usize::try_from);
    match axis {
        Some(Ok(axis)) if axis < rank => Ok(axis),
        _ => Err(Fault::Bad(format!(
            "its axis is {number}, but what it reads has {rank} axes"
        ))),
    }
}

/// The shape that both are repeated to.
pub(super) fn broadcast(a: &[usize], b: &[usize]) -> Made<Vec<usize>> {
    let rank = a.len().max(b.len());
    let size = |shape: &[usize], axis: usize| {
        (axis + shape.len())
            .checked_sub(rank)
            .map_or(1, |at| shape[at])
    };
    (0..rank)
        .map(|axis| match (size(a, axis), size(b, axis)) {
            (a, b) if a == b || b == 1 => Ok(a),
            (1, b) => Ok(b),
            _ => Err(Fault::Bad(format!(
                "the shapes {a:?} and {b:?} cannot be repeated to one"
            ))),
        })
        .collect()
}

/// The lines of an array that is repeated to a shape, which must hold it.
pub(super) fn repeated(from: &[usize], to: &[usize]) -> Made<Vec<Line>> {
    let fault = || Fault::Bad(format!("the shape {from:?} cannot be repeated to {to:?}"));
    let missing = to.len().checked_sub(from.len()).ok_or_else(fault)?;
    let own = strides(from);
    (to.iter().enumerate())
        .map(|(axis, &size)| {
            let stride = match axis.checked_sub(missing) {
                None => 0,
                Some(at) if from[at] == size => own[at],
                Some(at) if from[at] == 1 => 0,
                Some(_) => return Err(fault()),
            };
            Ok((0..size).map(|p| (p * stride) as u32).collect())
        })
        .collect()
}

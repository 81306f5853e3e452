//! Steps that move cells, of one value or of several.

use std::collections::HashMap;

use super::array::{Array, Kind};
use super::axes::NONE;
use super::builder::{Active, Builder, Value};
use super::{Made, fault};
use crate::model::network::{Channels, Gather, Operation};

impl Builder {
    /// Cells of a value that move, to a shape that was claimed.
    pub(super) fn moved(
        &mut self,
        x: &Value,
        sources: Vec<u32>,
        shape: Vec<usize>,
        fill: f64,
    ) -> Made<Value> {
        match x {
            Value::Constant(array) => Ok(Value::Constant(array.moved(&sources, shape, fill))),
            Value::Active(active) => self.gather(active, sources, shape, fill as f32),
        }
    }

    fn gather(
        &mut self,
        x: &Active,
        mut sources: Vec<u32>,
        shape: Vec<usize>,
        mut fill: f32,
    ) -> Made<Value> {
        let mut inputs = vec![x.tensor];
        // Two moves in a row are one, where they fill with the same.
        if let Some(step) = self.writer(x.tensor)
            && let Operation::Gather(first) = &step.operation
        {
            let fills = |sources: &[u32]| sources.contains(&NONE);
            let (before, now) = (fills(&first.sources), fills(&sources));
            if !before || !now || first.fill == fill {
                if before {
                    fill = first.fill;
                }
                for source in &mut sources {
                    if *source != NONE {
                        *source = first.sources[*source as usize];
                    }
                }
                inputs.clone_from(&step.inputs);
            }
        }
        self.gathered(inputs, sources, shape, fill, x.kind)
    }

    /// A step that moves cells of tensors: of those that it takes any of.
    pub(super) fn gathered(
        &mut self,
        inputs: Vec<usize>,
        mut sources: Vec<u32>,
        shape: Vec<usize>,
        fill: f32,
        kind: Kind,
    ) -> Made<Value> {
        self.index(Some(inputs.len()))?;
        let inputs = if inputs.len() > 1 {
            self.compacted(&inputs, &mut sources)
        } else {
            inputs
        };
        let is_same = |&first: &usize| {
            let own = self.tensors[first].cells() == sources.len();
            own && sources.iter().enumerate().all(|(i, &s)| s as usize == i)
        };
        if let [first] = &inputs[..]
            && is_same(first)
        {
            return Ok(Value::Active(Active {
                tensor: *first,
                shape,
                kind,
            }));
        }
        if inputs.is_empty() || sources.iter().all(|&s| s == NONE) {
            self.fold(&shape)?;
            let cells = sources.iter().map(|_| f64::from(fill));
            return Ok(Value::Constant(Array::of(kind, shape, cells)));
        }
        let operation = Operation::Gather(Gather { sources, fill });
        self.push(operation, inputs, shape, kind).map(Value::Active)
    }

    /// The inputs that sources lie in, once each; sources count on from one to the next.
    fn compacted(&self, inputs: &[usize], sources: &mut [u32]) -> Vec<usize> {
        let mut ends = Vec::with_capacity(inputs.len());
        let mut end = 0_usize;
        for &input in inputs {
            end += self.tensors[input].cells();
            ends.push(end);
        }
        let which = |source: u32| ends.partition_point(|&end| end <= source as usize);
        let mut used = vec![false; inputs.len()];
        for &source in sources.iter().filter(|&&s| s != NONE) {
            used[which(source)] = true;
        }
        let mut kept: Vec<usize> = Vec::new();
        // By input: where it began, and where it begins now.
        let mut starts = vec![(0, 0); inputs.len()];
        let mut known = HashMap::new();
        let (mut start, mut next) = (0, 0);
        for (i, &input) in inputs.iter().enumerate() {
            let cells = self.tensors[input].cells();
            if used[i] {
                let now = *known.entry(input).or_insert_with(|| {
                    kept.push(input);
                    next += cells;
                    next - cells
                });
                starts[i] = (start, now);
            }
            start += cells;
        }
        for source in sources.iter_mut().filter(|s| **s != NONE) {
            let (before, now) = starts[which(*source)];
            *source = (*source as usize - before + now) as u32;
        }
        kept
    }

    /// Cells of several values that move, to a shape that was claimed: theirs count on from one to the next.
    pub(super) fn joined(
        &mut self,
        parts: &[Value],
        mut sources: Vec<u32>,
        shape: Vec<usize>,
    ) -> Made<Value> {
        let total: usize = parts.iter().map(Value::cells).sum();
        if total >= NONE as usize {
            return fault("it joins too many cells");
        }
        let kind = parts.first().map_or(Kind::Float, Value::kind);
        // By part: where it begins, and for those that change with the example where they begin among themselves.
        let mut starts = Vec::with_capacity(parts.len());
        let (mut start, mut inputs, mut next) = (0, Vec::new(), 0);
        for part in parts {
            starts.push((start, next));
            start += part.cells();
            if let Value::Active(active) = part {
                inputs.push(active.tensor);
                next += part.cells();
            }
        }
        let mut constants: Vec<(usize, f64)> = Vec::new();
        self.fold(&[sources.len()])?;
        for (cell, source) in sources.iter_mut().enumerate() {
            let at = *source as usize;
            // Of parts without cells, the last one that begins there holds it.
            let part = starts.partition_point(|&(start, _)| start <= at) - 1;
            let inside = at - starts[part].0;
            match &parts[part] {
                Value::Active(_) => *source = (starts[part].1 + inside) as u32,
                Value::Constant(array) => {
                    constants.push((cell, array.at(inside)));
                    *source = NONE;
                }
            }
        }
        let count = sources.len();
        if constants.len() == count {
            let cells = constants.into_iter().map(|(_, number)| number);
            return Ok(Value::Constant(Array::of(kind, shape, cells)));
        }
        let lifted = |number: f64| if number < -1e30 { -1e9 } else { number };
        let fill = constants.first().map_or(0.0, |constant| constant.1);
        if constants.iter().all(|constant| constant.1 == fill) {
            return self.gathered(inputs, sources, shape, lifted(fill) as f32, kind);
        }
        let mut values = vec![0.0; count];
        for (cell, number) in constants {
            values[cell] = lifted(number) as f32;
        }
        let moved = self.gathered(inputs, sources, shape, 0.0, kind)?;
        let shift = Channels { values, inner: 1 };
        self.scaled(&moved, Channels::one(1.0), shift)
    }
}

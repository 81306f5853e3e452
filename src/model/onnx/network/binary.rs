//! What two values become, cell by cell, repeated to one shape.

use super::array::{Array, Kind};
use super::axes;
use super::builder::{Active, Builder, Value};
use super::{Made, fault, unsupported};
use crate::model::network::{Activation, Channels, Operation, Windows};

/// What two numbers become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Binary {
    Add,
    Sub,
    Mul,
    Div,
    Pow,
    Max,
    Min,
}

/// Masks are that low where they are lower still: -inf would make differences of numbers that are none.
const MASKED: f64 = -1e9;
/// What is lower is a mask.
const MASK: f64 = -1e30;

impl Builder {
    /// A value as it is repeated to a shape.
    pub(super) fn repeat(&mut self, x: &Value, shape: &[usize]) -> Made<Value> {
        if x.shape() == shape {
            return Ok(x.clone());
        }
        // An axis of one cell more is no repetition.
        let is_whole = axes::broadcast(x.shape(), shape)? == shape;
        if is_whole && axes::cells(shape) == Some(x.cells()) {
            return x.reshaped(shape.to_vec());
        }
        let key = match x {
            Value::Active(x) => Some((x.tensor, x.kind, x.shape.clone(), shape.to_vec())),
            Value::Constant(_) => None,
        };
        // A mask is the same for each layer.
        if let Some(known) = key.as_ref().and_then(|key| self.repeats.get(key)) {
            return Ok(known.clone());
        }
        self.claim(x, shape)?;
        let lines = axes::repeated(x.shape(), shape)?;
        let made = self.moved(x, axes::grid(&lines), shape.to_vec(), 0.0)?;
        if let Some(key) = key {
            self.repeats.insert(key, made.clone());
        }
        Ok(made)
    }

    /// The constants of the cells of a shape, as an array is repeated to it.
    pub(super) fn channels(&mut self, array: &Array, shape: &[usize]) -> Made<Channels> {
        let repeated = axes::broadcast(&array.shape, shape)?;
        if repeated != shape {
            return fault(format!(
                "the constant of shape {:?} does not fit {shape:?}",
                array.shape
            ));
        }
        if let Some(one) = array.one() {
            return Ok(Channels::one(one as f32));
        }
        let missing = shape.len() - array.shape.len();
        let own = |axis: usize| axis.checked_sub(missing).map_or(1, |at| array.shape[at]);
        // Repeated along its first axes and its last, an array is a row of channels.
        let used: Vec<usize> = (0..shape.len()).filter(|&axis| own(axis) != 1).collect();
        if let (Some(&first), Some(&last)) = (used.first(), used.last())
            && (first..=last).all(|axis| own(axis) == shape[axis])
        {
            return Ok(Channels {
                values: array.to_f32(),
                inner: shape[last + 1..].iter().product(),
            });
        }
        let full = self.repeat(&Value::Constant(array.clone()), shape)?;
        match full {
            Value::Constant(array) => Ok(Channels {
                values: array.to_f32(),
                inner: 1,
            }),
            Value::Active(_) => fault("a constant became none"),
        }
    }

    /// A function of two constants.
    pub(super) fn folded(
        &mut self,
        x: &Array,
        y: &Array,
        kind: Kind,
        of: &dyn Fn(f64, f64) -> f64,
    ) -> Made<Value> {
        let (shape, x, y) = self.paired(x, y)?;
        let cells = x.numbers().zip(y.numbers()).map(|(x, y)| of(x, y));
        Ok(Value::Constant(Array::of(kind, shape, cells)))
    }

    /// Two constants as they are repeated to one shape.
    fn paired(&mut self, x: &Array, y: &Array) -> Made<(Vec<usize>, Array, Array)> {
        let shape = axes::broadcast(&x.shape, &y.shape)?;
        self.fold(&shape)?;
        let mut full = |array: &Array| -> Made<Array> {
            match self.repeat(&Value::Constant(array.clone()), &shape)? {
                Value::Constant(array) => Ok(array),
                Value::Active(_) => fault("a constant became none"),
            }
        };
        let (x, y) = (full(x)?, full(y)?);
        Ok((shape, x, y))
    }

    /// Both in one place, repeated to one shape.
    pub(super) fn binary(&mut self, binary: Binary, x: &Value, y: &Value) -> Made<Value> {
        if let (Value::Constant(x), Value::Constant(y)) = (x, y) {
            return self.of_constants(binary, x, y);
        }
        let shape = axes::broadcast(x.shape(), y.shape())?;
        match (x, y) {
            (_, Value::Constant(array)) => {
                let x = self.repeat(x, &shape)?;
                self.with_constant(binary, &x, array, false)
            }
            (Value::Constant(array), _) => {
                let y = self.repeat(y, &shape)?;
                self.with_constant(binary, &y, array, true)
            }
            _ => {
                let (x, y) = (self.repeat(x, &shape)?, self.repeat(y, &shape)?);
                self.of_two(binary, &x, &y)
            }
        }
    }

    fn of_constants(&mut self, binary: Binary, x: &Array, y: &Array) -> Made<Value> {
        let kind = if binary == Binary::Pow || !x.kind.is_whole() {
            x.kind
        } else {
            y.kind
        };
        if kind.is_whole() && y.kind.is_whole() {
            let (shape, x, y) = self.paired(x, y)?;
            let cells: Made<Vec<i64>> = (x.whole().zip(y.whole()))
                .map(|(x, y)| whole(binary, x, y))
                .collect();
            return Ok(Value::Constant(Array::ints(shape, cells?)));
        }
        self.folded(x, y, kind, &|x, y| match binary {
            Binary::Add => x + y,
            Binary::Sub => x - y,
            Binary::Mul => x * y,
            Binary::Div => x / y,
            Binary::Pow => x.powf(y),
            Binary::Max => x.max(y),
            Binary::Min => x.min(y),
        })
    }

    /// A value of the full shape and a constant, which is the first of the two if `swapped`.
    fn with_constant(
        &mut self,
        binary: Binary,
        x: &Value,
        array: &Array,
        swapped: bool,
    ) -> Made<Value> {
        let Value::Active(active) = x else {
            return fault("what changes with the example became a constant");
        };
        let shape = active.shape.clone();
        let mut channels = self.channels(array, &shape)?;
        let one = Channels::one;
        let map = |of: &dyn Fn(f64) -> f64| {
            let values = channels.values.iter().map(|&c| of(c.into()) as f32);
            Channels {
                values: values.collect(),
                inner: channels.inner,
            }
        };
        let (scale, shift) = match (binary, swapped) {
            (Binary::Add, _) => (one(1.0), map(&masked)),
            (Binary::Sub, false) => (one(1.0), map(&|c| masked(-c))),
            (Binary::Sub, true) => (one(-1.0), map(&masked)),
            (Binary::Mul, _) if channels.values.iter().all(|&c| c == 0.0) => {
                self.fold(&shape)?;
                let zeros = std::iter::repeat_n(0.0, active.cells());
                return Ok(Value::Constant(Array::of(active.kind, shape, zeros)));
            }
            (Binary::Mul, _) => (map(&|c| c), one(0.0)),
            (Binary::Div, false) => {
                if channels.values.contains(&0.0) {
                    return fault("it divides by 0");
                }
                (map(&|c| 1.0 / c), one(0.0))
            }
            (Binary::Div, true) => {
                let scale = map(&|c| c);
                let inverse = self.activation(x, Activation::Reciprocal)?;
                let quotient = self.scaled(&inverse, scale, one(0.0))?;
                return self.whole_if(&quotient, active.kind, array.kind);
            }
            (Binary::Pow, false) => {
                let Some(power) = array.one() else {
                    return unsupported(
                        "powers that differ from cell to cell",
                        "raise to one power at a time",
                    );
                };
                return match power {
                    1.0 => Ok(x.clone()),
                    0.5 => self.activation(x, Activation::Sqrt),
                    -1.0 => self.activation(x, Activation::Reciprocal),
                    power => self.activation(x, Activation::Power(power as f32)),
                };
            }
            (Binary::Pow, true) => {
                if channels.values.iter().any(|&c| c <= 0.0) {
                    return unsupported("powers of numbers that are not above 0", "use Exp");
                }
                let exponent = self.scaled(x, map(&f64::ln), one(0.0))?;
                return self.activation(&exponent, Activation::Exp);
            }
            (Binary::Max | Binary::Min, _) => {
                let is_max = binary == Binary::Max;
                if let Some(bound) = array.one() {
                    let bound = (bound as f32).clamp(f32::MIN, f32::MAX);
                    let clip = if is_max {
                        Activation::Clip(bound, f32::MAX)
                    } else {
                        Activation::Clip(f32::MIN, bound)
                    };
                    return self.activation(x, clip);
                }
                // max(x, c) = c + max(x − c, 0), min(x, c) = c − max(c − x, 0).
                let sign = if is_max { 1.0 } else { -1.0 };
                let minus = map(&|c| -sign * c);
                channels = map(&|c| c);
                let above = self.scaled(x, one(sign as f32), minus)?;
                let above = self.activation(&above, Activation::Relu)?;
                return self.scaled(&above, one(sign as f32), channels);
            }
        };
        let made = self.scaled(x, scale, shift)?;
        if binary == Binary::Div {
            return self.whole_if(&made, active.kind, array.kind);
        }
        Ok(made)
    }

    /// The whole part of a quotient, where both its sides are whole numbers.
    fn whole_if(&mut self, quotient: &Value, x: Kind, y: Kind) -> Made<Value> {
        if x.is_whole() && y.is_whole() {
            return self.activation(quotient, Activation::Truncate);
        }
        Ok(quotient.clone())
    }

    /// `scale · x + shift`.
    pub(super) fn scaled(&mut self, x: &Value, scale: Channels, shift: Channels) -> Made<Value> {
        let is = |channels: &Channels, number: f32| channels.values.iter().all(|&c| c == number);
        match x {
            _ if is(&scale, 1.0) && is(&shift, 0.0) => Ok(x.clone()),
            Value::Active(active) => self.apply(active, Operation::Scale(scale, shift)),
            Value::Constant(array) => {
                let cells = array.numbers().enumerate();
                let of = |(i, x): (usize, f64)| f64::from(scale.at(i)) * x + f64::from(shift.at(i));
                let kind = array.kind;
                Ok(Value::Constant(Array::of(
                    kind,
                    array.shape.clone(),
                    cells.map(of),
                )))
            }
        }
    }

    /// Two values of one shape that change with the example.
    fn of_two(&mut self, binary: Binary, x: &Value, y: &Value) -> Made<Value> {
        let (Value::Active(a), Value::Active(c)) = (x, y) else {
            return fault("what changes with the example became a constant");
        };
        let (shape, kind) = (a.shape.clone(), a.kind);
        let tensors = vec![a.tensor, c.tensor];
        let operation = match binary {
            Binary::Add => Operation::Add(vec![1.0, 1.0]),
            Binary::Sub => Operation::Add(vec![1.0, -1.0]),
            Binary::Mul if a.tensor == c.tensor => {
                return self.activation(x, Activation::Power(2.0));
            }
            Binary::Mul => Operation::Product,
            Binary::Div => {
                let inverse = self.activation(y, Activation::Reciprocal)?;
                let quotient = self.binary(Binary::Mul, x, &inverse)?;
                return self.whole_if(&quotient, a.kind, c.kind);
            }
            Binary::Pow => {
                return unsupported(
                    "a power that changes with the example",
                    "raise to a constant one",
                );
            }
            Binary::Max => return self.largest_of(a, c),
            Binary::Min => {
                let (Value::Active(a), Value::Active(c)) =
                    (self.affine(a, -1.0, 0.0)?, self.affine(c, -1.0, 0.0)?)
                else {
                    return fault("what changes with the example became a constant");
                };
                let Value::Active(most) = self.largest_of(&a, &c)? else {
                    return fault("what changes with the example became a constant");
                };
                return self.affine(&most, -1.0, 0.0);
            }
        };
        self.push(operation, tensors, shape, kind)
            .map(Value::Active)
    }

    fn largest_of(&mut self, x: &Active, y: &Active) -> Made<Value> {
        let cells = x.cells() as u32;
        self.index(Some(5 * x.cells()))?;
        let sources: Vec<u32> = (0..2 * cells).collect();
        let both = vec![x.tensor, y.tensor];
        let shape = [&[2], &x.shape[..]].concat();
        let joined = self.gathered(both, sources, shape, 0.0, x.kind)?;
        let Value::Active(joined) = joined else {
            return fault("what changes with the example became a constant");
        };
        let windows = Windows {
            offsets: (0..=cells).map(|i| 2 * i).collect(),
            sources: (0..cells).flat_map(|i| [i, i + cells]).collect(),
        };
        let (shape, kind) = (x.shape.clone(), x.kind);
        self.push(Operation::Max(windows), vec![joined.tensor], shape, kind)
            .map(Value::Active)
    }
}

fn masked(number: f64) -> f64 {
    if number < MASK { MASKED } else { number }
}

fn whole(binary: Binary, x: i64, y: i64) -> Made<i64> {
    Ok(match binary {
        Binary::Add => x.saturating_add(y),
        Binary::Sub => x.saturating_sub(y),
        Binary::Mul => x.saturating_mul(y),
        Binary::Div if y == 0 => return fault("it divides by 0"),
        Binary::Div => x.saturating_div(y),
        Binary::Pow => x.saturating_pow(u32::try_from(y).unwrap_or(0)),
        Binary::Max => x.max(y),
        Binary::Min => x.min(y),
    })
}

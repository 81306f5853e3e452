//! Truths: comparisons, connectives and what depends on them. A truth of an example is 0 or 1.

use super::Made;
use super::array::{Array, Kind};
use super::axes;
use super::binary::Binary;
use super::builder::{Active, Builder, Value};
use super::call::Call;
use crate::model::network::{Activation, Channels};

fn truth(value: Value) -> Value {
    retyped(value, Kind::Bool)
}

/// The same numbers as another kind that holds them.
pub(super) fn retyped(value: Value, kind: Kind) -> Value {
    match value {
        Value::Active(active) => Value::Active(Active { kind, ..active }),
        Value::Constant(array) => Value::Constant(array.cast(kind)),
    }
}

impl Builder {
    fn not(&mut self, x: &Value) -> Made<Value> {
        self.scaled(x, Channels::one(-1.0), Channels::one(1.0))
    }
}

pub(super) fn compare(b: &mut Builder, call: &Call<'_>) -> Made<Vec<Value>> {
    let (x, y) = (call.input(0)?, call.input(1)?);
    let name = call.node.op_type.as_str();
    let of = |x: f64, y: f64| match name {
        "Equal" => x == y,
        "Greater" => x > y,
        "GreaterOrEqual" => x >= y,
        "Less" => x < y,
        _ => x <= y,
    };
    if let (Value::Constant(x), Value::Constant(y)) = (x, y) {
        let of = |x, y| f64::from(u8::from(of(x, y)));
        return Ok(vec![b.folded(x, y, Kind::Bool, &of)?]);
    }
    // With the constant on the right, or against 0 the difference of both.
    let (swapped, x, bound) = match (x, y) {
        (x, Value::Constant(y)) if y.one().is_some() => (false, x.clone(), y.one()),
        (Value::Constant(x), y) if x.one().is_some() => (true, y.clone(), x.one()),
        _ => (false, b.binary(Binary::Sub, x, y)?, None),
    };
    let other = if swapped {
        call.input(0)?
    } else {
        call.input(1)?
    };
    let x = match bound {
        Some(_) => {
            let shape = axes::broadcast(x.shape(), other.shape())?;
            b.repeat(&x, &shape)?
        }
        None => x,
    };
    let bound = bound.unwrap_or(0.0) as f32;
    if !bound.is_finite() {
        // No number of a network is infinite.
        let holds = of(0.0, if swapped { 0.0 } else { bound.into() });
        let holds = if swapped {
            of(bound.into(), 0.0)
        } else {
            holds
        };
        b.fold(x.shape())?;
        let cells = std::iter::repeat_n(holds, x.cells());
        return Ok(vec![Value::Constant(Array::truths(
            x.shape().to_vec(),
            cells,
        ))]);
    }
    let (greater, less) = (Activation::Greater(bound), Activation::Less(bound));
    let (activation, negated) = match (name, swapped) {
        ("Equal", _) => (Activation::Equal(bound), false),
        ("Greater", false) | ("Less", true) => (greater, false),
        ("Less", false) | ("Greater", true) => (less, false),
        ("GreaterOrEqual", false) | ("LessOrEqual", true) => (less, true),
        _ => (greater, true),
    };
    let mut made = b.activation(&x, activation)?;
    if negated {
        made = b.not(&made)?;
    }
    Ok(vec![truth(made)])
}

pub(super) fn connect(b: &mut Builder, call: &Call<'_>) -> Made<Vec<Value>> {
    let (x, y) = (call.input(0)?, call.input(1)?);
    let made = match call.node.op_type.as_str() {
        "And" => b.binary(Binary::Mul, x, y)?,
        "Or" => b.binary(Binary::Max, x, y)?,
        _ => {
            let difference = b.binary(Binary::Sub, x, y)?;
            b.activation(&difference, Activation::Abs)?
        }
    };
    Ok(vec![truth(made)])
}

pub(super) fn not(b: &mut Builder, call: &Call<'_>) -> Made<Vec<Value>> {
    let x = retyped(call.input(0)?.clone(), Kind::Bool);
    Ok(vec![match &x {
        Value::Constant(array) => {
            let cells = array.whole().map(|x| x == 0);
            Value::Constant(Array::truths(array.shape.clone(), cells))
        }
        Value::Active(_) => b.not(&x)?,
    }])
}

/// Numbers of an example are finite.
pub(super) fn is_special(b: &mut Builder, call: &Call<'_>) -> Made<Vec<Value>> {
    let x = call.input(0)?;
    b.fold(x.shape())?;
    let is_nan = call.node.op_type == "IsNaN";
    let above = call.flag("detect_positive", true);
    let below = call.flag("detect_negative", true);
    let of = |x: f64| {
        if is_nan {
            return x.is_nan();
        }
        x.is_infinite() && if x > 0.0 { above } else { below }
    };
    let holds: Vec<bool> = match x {
        Value::Constant(array) => array.numbers().map(of).collect(),
        Value::Active(_) => vec![false; x.cells()],
    };
    let shape = x.shape().to_vec();
    Ok(vec![Value::Constant(Array::truths(
        shape,
        holds.into_iter(),
    ))])
}

pub(super) fn cast(b: &mut Builder, call: &Call<'_>) -> Made<Vec<Value>> {
    let x = call.input(0)?;
    let kind = match call.optional(1) {
        Some(like) => like.kind(),
        None => Kind::of(call.int("to", 0))?,
    };
    let Value::Active(active) = x else {
        b.fold(x.shape())?;
        return Ok(vec![retyped(x.clone(), kind)]);
    };
    let made = match (active.kind, kind) {
        (Kind::Float | Kind::Double, Kind::Int) => b.activation(x, Activation::Truncate)?,
        (from, Kind::Bool) if from != Kind::Bool => {
            let zero = b.activation(x, Activation::Equal(0.0))?;
            b.not(&zero)?
        }
        _ => x.clone(),
    };
    Ok(vec![retyped(made, kind)])
}

pub(super) fn choose(b: &mut Builder, call: &Call<'_>) -> Made<Vec<Value>> {
    let (condition, x, y) = (call.input(0)?, call.input(1)?, call.input(2)?);
    let shape = axes::broadcast(x.shape(), y.shape())?;
    let shape = axes::broadcast(condition.shape(), &shape)?;
    let condition = b.repeat(condition, &shape)?;
    let made = match &condition {
        Value::Constant(condition) => {
            let (x, y) = (b.repeat(x, &shape)?, b.repeat(y, &shape)?);
            let cells = condition.len() as u32;
            b.index(Some(condition.len()))?;
            let sources = (0..cells).map(|i| match condition.int(i as usize) {
                0 => cells + i,
                _ => i,
            });
            let sources = sources.collect();
            b.joined(&[x, y], sources, shape)?
        }
        // c · x + (1 − c) · y, which is exactly one of them where c is a truth.
        Value::Active(_) => {
            let otherwise = b.not(&condition)?;
            let chosen = b.times(&condition, x)?;
            let others = b.times(&otherwise, y)?;
            let kind = x.kind();
            retyped(b.binary(Binary::Add, &chosen, &others)?, kind)
        }
    };
    Ok(vec![made])
}

impl Builder {
    /// A truth times a value that may be a mask.
    fn times(&mut self, truth: &Value, x: &Value) -> Made<Value> {
        match x {
            Value::Constant(array) if array.numbers().any(|x| x < -1e30) => {
                let lifted = array.numbers().map(|x| if x < -1e30 { -1e9 } else { x });
                let lifted = Array::of(Kind::Float, array.shape.clone(), lifted);
                self.binary(Binary::Mul, truth, &Value::Constant(lifted))
            }
            x => self.binary(Binary::Mul, truth, x),
        }
    }
}

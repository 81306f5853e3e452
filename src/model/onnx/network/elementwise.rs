//! Functions of one cell, and of the cells in one place of several values.

use super::array::{Array, Kind};
use super::binary::Binary;
use super::builder::{Active, Builder, Value};
use super::call::Call;
use super::{Made, fault};
use crate::model::network::{Activation, Channels};

pub(super) fn is_unary(name: &str) -> bool {
    name == "Neg" || activation(name, &|_, default| default, "").is_some()
}

/// The function of an operator, with what reads its attributes.
fn activation(name: &str, float: &dyn Fn(&str, f32) -> f32, text: &str) -> Option<Activation> {
    const SELU: [f32; 2] = [1.673_263_2, 1.050_701];
    Some(match name {
        "Relu" => Activation::Relu,
        "LeakyRelu" => Activation::LeakyRelu(Channels::one(float("alpha", 0.01))),
        "Elu" => Activation::Elu(float("alpha", 1.0)),
        "Selu" => Activation::Selu(float("alpha", SELU[0]), float("gamma", SELU[1])),
        "Celu" => Activation::Celu(float("alpha", 1.0)),
        "Gelu" if text == "tanh" => Activation::GeluTanh,
        "Gelu" => Activation::Gelu,
        "Swish" => Activation::Swish(float("alpha", 1.0)),
        "HardSwish" => Activation::HardSwish,
        "HardSigmoid" => Activation::HardSigmoid(float("alpha", 0.2), float("beta", 0.5)),
        "Mish" => Activation::Mish,
        "Softplus" => Activation::Softplus,
        "Softsign" => Activation::Softsign,
        "Sigmoid" => Activation::Sigmoid,
        "Tanh" => Activation::Tanh,
        "ThresholdedRelu" => Activation::ThresholdedRelu(float("alpha", 1.0)),
        "Shrink" => Activation::Shrink(float("lambd", 0.5), float("bias", 0.0)),
        "Exp" => Activation::Exp,
        "Log" => Activation::Log,
        "Sqrt" => Activation::Sqrt,
        "Reciprocal" => Activation::Reciprocal,
        "Abs" => Activation::Abs,
        "Erf" => Activation::Erf,
        "Sin" => Activation::Sin,
        "Cos" => Activation::Cos,
        "Sign" => Activation::Sign,
        "Floor" => Activation::Floor,
        "Ceil" => Activation::Ceil,
        "Round" => Activation::Round,
        _ => return None,
    })
}

pub(super) fn unary(b: &mut Builder, call: &Call<'_>) -> Made<Vec<Value>> {
    let x = call.input(0)?;
    let name = call.node.op_type.as_str();
    if name == "Neg" {
        let zero = Value::Constant(Array::of(x.kind(), Vec::new(), [0.0].into_iter()));
        return Ok(vec![b.binary(Binary::Sub, &zero, x)?]);
    }
    let text = call.text("approximate", "none");
    match activation(name, &|name, default| call.float(name, default), &text) {
        Some(activation) => Ok(vec![b.activation(x, activation)?]),
        None => fault(format!("{name} is no function of one number")),
    }
}

/// What tf2onnx leaves of operators of TensorFlow that ONNX has not, though it calls them its own.
pub(super) fn of_tensorflow(b: &mut Builder, call: &Call<'_>) -> Made<Vec<Value>> {
    let x = call.input(0)?;
    let one = Value::Constant(Array::of(x.kind(), Vec::new(), [1.0].into_iter()));
    Ok(vec![match call.node.op_type.as_str() {
        "Erfc" => {
            let erf = b.activation(x, Activation::Erf)?;
            b.binary(Binary::Sub, &one, &erf)?
        }
        "Expm1" => {
            let exp = b.activation(x, Activation::Exp)?;
            b.binary(Binary::Sub, &exp, &one)?
        }
        _ => {
            let sum = b.binary(Binary::Add, x, &one)?;
            b.activation(&sum, Activation::Log)?
        }
    }])
}

pub(super) fn gelu(b: &mut Builder, call: &Call<'_>) -> Made<Vec<Value>> {
    let mut x = call.input(0)?.clone();
    if let Some(bias) = call.optional(1) {
        x = b.binary(Binary::Add, &x, bias)?;
    }
    let activation = match call.node.op_type.as_str() {
        "FastGelu" => Activation::GeluTanh,
        "QuickGelu" => Activation::Swish(call.float("alpha", 1.702)),
        _ => Activation::Gelu,
    };
    Ok(vec![b.activation(&x, activation)?])
}

pub(super) fn arithmetic(b: &mut Builder, call: &Call<'_>) -> Made<Vec<Value>> {
    let (x, y) = (call.input(0)?, call.input(1)?);
    let binary = match call.node.op_type.as_str() {
        "Add" => Binary::Add,
        "Sub" => Binary::Sub,
        "Mul" => Binary::Mul,
        "Div" => Binary::Div,
        "Pow" => Binary::Pow,
        _ => return remainder(b, x, y, call.flag("fmod", false)),
    };
    Ok(vec![b.binary(binary, x, y)?])
}

/// `x − y ⌊x / y⌋`, or with the whole part of the quotient.
fn remainder(b: &mut Builder, x: &Value, y: &Value, truncates: bool) -> Made<Vec<Value>> {
    if let (Value::Constant(x), Value::Constant(y)) = (x, y) {
        let of = |x: f64, y: f64| {
            if truncates {
                x % y
            } else {
                x - y * (x / y).floor()
            }
        };
        return Ok(vec![b.folded(x, y, x.kind, &of)?]);
    }
    let x = cast_real(x);
    let quotient = b.binary(Binary::Div, &x, &cast_real(y))?;
    let whole = if truncates {
        Activation::Truncate
    } else {
        Activation::Floor
    };
    let whole = b.activation(&quotient, whole)?;
    let taken = b.binary(Binary::Mul, &whole, y)?;
    Ok(vec![b.binary(Binary::Sub, &x, &taken)?])
}

fn cast_real(x: &Value) -> Value {
    match x {
        Value::Active(active) => Value::Active(Active {
            kind: Kind::Float,
            ..active.clone()
        }),
        Value::Constant(array) => Value::Constant(array.clone()),
    }
}

pub(super) fn several(b: &mut Builder, call: &Call<'_>) -> Made<Vec<Value>> {
    let name = call.node.op_type.as_str();
    let binary = match name {
        "Max" => Binary::Max,
        "Min" => Binary::Min,
        _ => Binary::Add,
    };
    let values = call.all()?;
    let mut joined = values[0].clone();
    for value in &values[1..] {
        joined = b.binary(binary, &joined, value)?;
    }
    if name == "Mean" {
        let count = Array::floats(Vec::new(), vec![values.len() as f32]);
        joined = b.binary(Binary::Div, &joined, &Value::Constant(count))?;
    }
    Ok(vec![joined])
}

pub(super) fn clip(b: &mut Builder, call: &Call<'_>) -> Made<Vec<Value>> {
    let x = call.input(0)?;
    let bound = |index: usize, name: &str, default: f32| -> Made<f32> {
        let given = call.number(index)?.map(|bound| bound as f32);
        Ok(given.unwrap_or_else(|| call.float(name, default)))
    };
    let low = bound(1, "min", f32::MIN)?.max(f32::MIN);
    let high = bound(2, "max", f32::MAX)?.min(f32::MAX);
    // Where the bounds cross, the upper one stands.
    let clip = Activation::Clip(low.min(high), high);
    Ok(vec![b.activation(x, clip)?])
}

pub(super) fn prelu(b: &mut Builder, call: &Call<'_>) -> Made<Vec<Value>> {
    let (x, slope) = (call.input(0)?, call.needed(1)?);
    let slopes = b.channels(slope, x.shape())?;
    Ok(vec![b.activation(x, Activation::LeakyRelu(slopes))?])
}

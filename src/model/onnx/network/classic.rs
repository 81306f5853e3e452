//! The operators of scikit-learn's pipelines: scaling and linear models.

use super::array::Array;
use super::axes::{line, lines};
use super::binary::Binary;
use super::builder::{Builder, Value};
use super::call::Call;
use super::{Made, fault, unsupported};
use crate::model::network::{Activation, Channels, Operation};

/// The features of a row, which may be a vector.
fn features(x: &Value) -> Made<usize> {
    match x.shape().last() {
        Some(&features) if x.rank() <= 2 => Ok(features),
        _ => fault(format!("it reads the shape {:?}; expected rows", x.shape())),
    }
}

/// A list with a number for all features, or one for each.
fn listed(call: &Call<'_>, name: &str, features: usize, default: f32) -> Made<Value> {
    let list = match call.node.floats(name) {
        [] => vec![default],
        list if list.len() == 1 || list.len() == features => list.to_vec(),
        list => {
            return fault(format!(
                "{name} has {} numbers for {features} features",
                list.len()
            ));
        }
    };
    Ok(Value::Constant(Array::floats(vec![list.len()], list)))
}

/// Classic operators answer float32, whatever they read.
fn real(x: &Value) -> Value {
    super::logic::retyped(x.clone(), super::array::Kind::Float)
}

pub(super) fn scaler(b: &mut Builder, call: &Call<'_>) -> Made<Vec<Value>> {
    let x = real(call.input(0)?);
    let features = features(&x)?;
    let centred = b.binary(Binary::Sub, &x, &listed(call, "offset", features, 0.0)?)?;
    let scale = listed(call, "scale", features, 1.0)?;
    Ok(vec![b.binary(Binary::Mul, &centred, &scale)?])
}

pub(super) fn normalizer(b: &mut Builder, call: &Call<'_>) -> Made<Vec<Value>> {
    let x = real(call.input(0)?);
    features(&x)?;
    let last = [x.rank() - 1];
    let norm = match call.text("norm", "MAX").as_str() {
        "L1" => {
            let sizes = b.activation(&x, Activation::Abs)?;
            b.sum(&sizes, &last, 1.0)?
        }
        "L2" => {
            let squares = b.activation(&x, Activation::Power(2.0))?;
            let sum = b.sum(&squares, &last, 1.0)?;
            b.activation(&sum, Activation::Sqrt)?
        }
        other => return unsupported(format!("the norm {other}"), "use L1 or L2"),
    };
    // A row of zeros stays one.
    let norm = b.activation(&norm, Activation::Clip(f32::MIN_POSITIVE, f32::MAX))?;
    Ok(vec![b.binary(Binary::Div, &x, &norm)?])
}

pub(super) fn vectorizer(b: &mut Builder, call: &Call<'_>) -> Made<Vec<Value>> {
    let parts: Vec<Value> = call.all()?.iter().map(real).collect();
    for part in &parts {
        if part.rank() != 2 {
            return fault(format!(
                "it joins the shape {:?}; expected rows",
                part.shape()
            ));
        }
    }
    Ok(vec![b.concat(&parts, 1)?])
}

pub(super) fn columns(b: &mut Builder, call: &Call<'_>) -> Made<Vec<Value>> {
    let (x, places) = (call.input(0)?, call.needed(1)?);
    let count = features(x)?;
    let place = |column: i64| {
        usize::try_from(column)
            .ok()
            .filter(|&column| column < count)
    };
    let columns: Option<Vec<usize>> = places.whole().map(place).collect();
    let Some(columns) = columns else {
        return fault(format!(
            "it takes columns that are not among the {count} there are"
        ));
    };
    let last = x.rank() - 1;
    let mut own = lines(x.shape());
    own[last] = line(x.shape(), last, columns.into_iter());
    Ok(vec![b.lined(x, &own, 0.0)?])
}

/// The weighted sums of rows.
fn scores(b: &mut Builder, call: &Call<'_>, count: usize) -> Made<Value> {
    let x = real(call.input(0)?);
    let features = features(&x)?;
    let weights = call.node.floats("coefficients");
    if count.checked_mul(features) != Some(weights.len()) {
        return fault(format!(
            "it has {} coefficients for {features} features and {count} scores",
            weights.len()
        ));
    }
    let weights = Value::Constant(Array::floats(vec![count, features], weights.to_vec()));
    let weights = b.transpose(&weights, &[1, 0])?;
    let x = x.reshaped(vec![x.cells() / features.max(1), features])?;
    let product = b.matmul(&x, &weights)?;
    match call.node.floats("intercepts") {
        [] => Ok(product),
        list if list.len() == count => {
            let biases = Value::Constant(Array::floats(vec![count], list.to_vec()));
            b.binary(Binary::Add, &product, &biases)
        }
        list => fault(format!(
            "it has {} intercepts for {count} scores",
            list.len()
        )),
    }
}

fn transformed(b: &mut Builder, call: &Call<'_>, scores: &Value) -> Made<Value> {
    let width = scores.shape().last().copied().unwrap_or(1);
    match (call.text("post_transform", "NONE").as_str(), scores) {
        ("NONE", _) => Ok(scores.clone()),
        ("LOGISTIC", _) => b.activation(scores, Activation::Sigmoid),
        ("SOFTMAX", Value::Active(active)) => b.apply(active, Operation::Softmax(width)),
        (other, _) => unsupported(
            format!("the post_transform {other}"),
            "use NONE, LOGISTIC or SOFTMAX",
        ),
    }
}

fn positive(number: i64) -> Made<usize> {
    match usize::try_from(number) {
        Ok(count) if (1..1 << 20).contains(&count) => Ok(count),
        _ => fault(format!("it makes {number} scores")),
    }
}

pub(super) fn regressor(b: &mut Builder, call: &Call<'_>) -> Made<Vec<Value>> {
    let count = positive(call.int("targets", 1))?;
    let scores = scores(b, call, count)?;
    Ok(vec![transformed(b, call, &scores)?])
}

/// The scores, which are the second output.
pub(super) fn classifier(b: &mut Builder, call: &Call<'_>) -> Made<Vec<Value>> {
    let labels = call.node.ints("classlabels_ints").len();
    let classes = labels.max(call.node.strings("classlabels_strings").len());
    let given = call.node.floats("intercepts").len();
    let count = if given == 0 { classes } else { given };
    let scores = scores(b, call, positive(count as i64)?)?;
    let is_single = count == 1 && classes == 2;
    if is_single && call.text("post_transform", "NONE") == "SOFTMAX" {
        return unsupported("the softmax of one score", "export a score for each class");
    }
    let made = transformed(b, call, &scores)?;
    if !is_single {
        return Ok(vec![made]);
    }
    // The other class has what the one leaves.
    let total = match call.text("post_transform", "NONE").as_str() {
        "LOGISTIC" => 1.0,
        _ => 0.0,
    };
    let other = b.scaled(&made, Channels::one(-1.0), Channels::one(total))?;
    Ok(vec![b.concat(&[other, made], 1)?])
}

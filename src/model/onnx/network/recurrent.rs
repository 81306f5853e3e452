//! Recurrent layers, unrolled: the inputs of all positions in one step, then what each position does after the other.

use super::array::{Array, Kind};
use super::builder::{Builder, Value};
use super::call::Call;
use super::cell::{Cell, State};
use super::{Made, fault, unsupported};
use crate::model::network::{Activation, Channels};

/// The sizes of a layer.
#[derive(Debug, Clone, Copy)]
struct Sizes {
    time: usize,
    batch: usize,
    /// Positions that count; what lies behind is 0.
    length: usize,
    directions: usize,
    gates: usize,
    hidden: usize,
}

pub(super) fn recurrent(b: &mut Builder, call: &Call<'_>) -> Made<Vec<Value>> {
    let kind = call.node.op_type.as_str();
    let gates = match kind {
        "LSTM" => 4,
        "GRU" => 3,
        _ => 1,
    };
    refuse(call)?;
    // The batch comes first in the other layout.
    let turned = call.flag("layout", false);
    let mut x = call.input(0)?.clone();
    if turned && x.rank() == 3 {
        x = b.transpose(&x, &[1, 0, 2])?;
    }
    let (weights, again) = (call.needed(1)?, call.needed(2)?);
    let sizes = sizes(call, &x, weights, again, gates)?;
    let Sizes {
        directions, hidden, ..
    } = sizes;
    let width = gates * hidden;
    // Each position has more.
    b.has_room(4 * sizes.length)?;
    let biases = match call.constant(3)? {
        Some(array) if array.shape == [directions, 2 * width] => array.clone(),
        None => Array::floats(
            vec![directions, 2 * width],
            vec![0.0; directions * 2 * width],
        ),
        Some(array) => return fault(format!("its biases have the shape {:?}", array.shape)),
    };
    let (mut outputs, mut last): (Vec<Vec<Value>>, Vec<State>) = (Vec::new(), Vec::new());
    for direction in 0..directions {
        let bias = |from: usize, count: usize| {
            let start = direction * 2 * width + from;
            (start..start + count)
                .map(|i| biases.at(i) as f32)
                .collect::<Vec<f32>>()
        };
        let resets_after = kind == "GRU" && call.flag("linear_before_reset", false);
        // All biases go to the inputs, but for one that is reset.
        let (mut first, mut second) = (bias(0, width), bias(width, width));
        let kept = if resets_after { 2 * hidden } else { width };
        for (sum, more) in first[..kept].iter_mut().zip(&mut second) {
            *sum += std::mem::take(more);
        }
        let cell = Cell {
            recurrent: matrix(b, again, direction)?,
            biases: second,
            peepholes: peepholes(b, call, sizes, direction)?,
            activations: activations(call, direction, directions)?,
            hidden,
            resets_after,
        };
        let inputs = matrix(b, weights, direction)?;
        let projected = b.mapped(&x, &inputs, first)?;
        let start = State {
            h: initial(b, call, 5, sizes, direction, turned)?,
            c: initial(b, call, 6, sizes, direction, turned)?,
        };
        let backwards = match call.text("direction", "forward").as_str() {
            "reverse" => true,
            "bidirectional" => direction == 1,
            _ => false,
        };
        let (all, state) = unroll(b, kind, &cell, &projected, start, backwards, sizes)?;
        outputs.push(all);
        last.push(state);
    }
    join(b, call, sizes, &outputs, &last, turned)
}

fn refuse(call: &Call<'_>) -> Made<()> {
    if call.node.attribute("clip").is_some() {
        return unsupported("the attribute clip", "export the model without it");
    }
    if call.flag("input_forget", false) {
        return unsupported("the attribute input_forget", "export the model without it");
    }
    Ok(())
}

fn sizes(call: &Call<'_>, x: &Value, weights: &Array, again: &Array, gates: usize) -> Made<Sizes> {
    let directions = match call.text("direction", "forward").as_str() {
        "forward" | "reverse" => 1,
        "bidirectional" => 2,
        other => return fault(format!("its direction is \"{other}\"")),
    };
    let hidden = again.shape.last().copied().unwrap_or(0);
    let width = gates.saturating_mul(hidden);
    let &[time, batch, inputs] = x.shape() else {
        return fault(format!("it reads the shape {:?}", x.shape()));
    };
    if hidden == 0
        || weights.shape != [directions, width, inputs]
        || again.shape != [directions, width, hidden]
    {
        return fault(format!(
            "its weights have the shapes {:?} and {:?}, and it reads {:?}",
            weights.shape,
            again.shape,
            x.shape()
        ));
    }
    let mut length = time;
    if let Some(lengths) = call.constant(4)?.filter(|lengths| lengths.len() > 0) {
        let Some(one) = lengths.one() else {
            return unsupported(
                "sequences of different lengths",
                "export the model for one sequence at a time",
            );
        };
        length = (one.max(0.0) as usize).min(time);
    }
    Ok(Sizes {
        time,
        batch,
        length,
        directions,
        gates,
        hidden,
    })
}

/// The transposed matrix of a direction.
fn matrix(b: &mut Builder, weights: &Array, direction: usize) -> Made<Array> {
    let all = Value::Constant(weights.clone());
    let own = b.cut(&all, 0, direction, direction + 1)?;
    let own = own.reshaped(weights.shape[1..].to_vec())?;
    match b.transpose(&own, &[1, 0])? {
        Value::Constant(array) => Ok(array),
        Value::Active(_) => fault("a constant became none"),
    }
}

fn peepholes(
    b: &mut Builder,
    call: &Call<'_>,
    sizes: Sizes,
    direction: usize,
) -> Made<Option<[Value; 3]>> {
    let Some(array) = call.constant(7)? else {
        return Ok(None);
    };
    if array.shape != [sizes.directions, 3 * sizes.hidden] {
        return fault(format!("its peepholes have the shape {:?}", array.shape));
    }
    let all = Value::Constant(array.reshaped(vec![sizes.directions * 3, sizes.hidden]));
    let mut of = |k: usize| b.cut(&all, 0, direction * 3 + k, direction * 3 + k + 1);
    Ok(Some([of(0)?, of(1)?, of(2)?]))
}

/// The functions of a direction.
fn activations(call: &Call<'_>, direction: usize, directions: usize) -> Made<Vec<Activation>> {
    let default: &[&str] = match call.node.op_type.as_str() {
        "LSTM" => &["Sigmoid", "Tanh", "Tanh"],
        "GRU" => &["Sigmoid", "Tanh"],
        _ => &["Tanh"],
    };
    let count = default.len();
    let given = call.node.strings("activations");
    let text = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).to_ascii_lowercase();
    let names: Vec<String> = if given.is_empty() {
        let all = default.iter().cycle().take(count * directions);
        all.map(|name| name.to_ascii_lowercase()).collect()
    } else {
        given.iter().map(text).collect()
    };
    if names.len() != count * directions {
        return fault(format!("it has {} activations", names.len()));
    }
    let mut alphas = call.node.floats("activation_alpha").iter();
    let mut betas = call.node.floats("activation_beta").iter();
    let mut found = Vec::with_capacity(names.len());
    for name in &names {
        let mut alpha = |default: f32| alphas.next().copied().unwrap_or(default);
        found.push(match name.as_str() {
            "sigmoid" => Activation::Sigmoid,
            "tanh" => Activation::Tanh,
            "relu" => Activation::Relu,
            "softsign" => Activation::Softsign,
            "softplus" => Activation::Softplus,
            "leakyrelu" => Activation::LeakyRelu(Channels::one(alpha(0.01))),
            "elu" => Activation::Elu(alpha(1.0)),
            "hardsigmoid" => {
                let alpha = alpha(0.2);
                Activation::HardSigmoid(alpha, betas.next().copied().unwrap_or(0.5))
            }
            other => {
                return unsupported(
                    format!("the activation \"{other}\""),
                    "use Sigmoid, Tanh, Relu or HardSigmoid",
                );
            }
        });
    }
    Ok(found[direction * count..(direction + 1) * count].to_vec())
}

/// The state before the first position.
fn initial(
    b: &mut Builder,
    call: &Call<'_>,
    index: usize,
    sizes: Sizes,
    direction: usize,
    turned: bool,
) -> Made<Value> {
    let Sizes {
        batch,
        hidden,
        directions,
        ..
    } = sizes;
    let Some(given) = call.optional(index) else {
        b.fold(&[batch, hidden])?;
        let zeros = std::iter::repeat_n(0.0, batch * hidden);
        return Ok(Value::Constant(Array::of(
            Kind::Float,
            vec![batch, hidden],
            zeros,
        )));
    };
    let mut given = given.clone();
    if turned && given.rank() == 3 {
        given = b.transpose(&given, &[1, 0, 2])?;
    }
    if given.shape() != [directions, batch, hidden] {
        return fault(format!("a first state has the shape {:?}", given.shape()));
    }
    b.cut(&given, 0, direction, direction + 1)?
        .reshaped(vec![batch, hidden])
}

/// The states of a direction at all positions, in their order, and the last one that it computes.
fn unroll(
    b: &mut Builder,
    kind: &str,
    cell: &Cell,
    projected: &Value,
    start: State,
    backwards: bool,
    sizes: Sizes,
) -> Made<(Vec<Value>, State)> {
    let mut state = start;
    let mut all = vec![None; sizes.time];
    for step in 0..sizes.length {
        let at = if backwards {
            sizes.length - 1 - step
        } else {
            step
        };
        let x = b.cut(projected, 0, at, at + 1)?;
        let x = x.reshaped(vec![sizes.batch, sizes.gates * sizes.hidden])?;
        state = match kind {
            "LSTM" => cell.lstm(b, &x, &state)?,
            "GRU" => cell.gru(b, &x, state)?,
            _ => cell.rnn(b, &x, state)?,
        };
        all[at] = Some(state.h.clone());
    }
    b.fold(&[sizes.batch, sizes.hidden])?;
    let zeros = std::iter::repeat_n(0.0, sizes.batch * sizes.hidden);
    let shape = vec![sizes.batch, sizes.hidden];
    let zeros = Value::Constant(Array::of(Kind::Float, shape, zeros));
    let all = all.into_iter().map(|h| h.unwrap_or_else(|| zeros.clone()));
    Ok((all.collect(), state))
}

/// The outputs: all positions, and the last states.
fn join(
    b: &mut Builder,
    call: &Call<'_>,
    sizes: Sizes,
    outputs: &[Vec<Value>],
    last: &[State],
    turned: bool,
) -> Made<Vec<Value>> {
    let Sizes {
        time,
        batch,
        directions,
        hidden,
        ..
    } = sizes;
    let mut whole = |parts: Vec<Value>, shape: Vec<usize>, order: &[usize]| -> Made<Value> {
        let cells = super::axes::cells(&shape);
        b.index(cells)?;
        let sources = (0..cells.unwrap_or(0) as u32).collect();
        let made = b.joined(&parts, sources, shape)?;
        if turned {
            b.transpose(&made, order)
        } else {
            Ok(made)
        }
    };
    let all = (0..time).flat_map(|t| outputs.iter().map(move |own| own[t].clone()));
    let shape = vec![time, directions, batch, hidden];
    let mut made = vec![whole(all.collect(), shape, &[2, 0, 1, 3])?];
    let wanted = call.node.output.len();
    let shape = vec![directions, batch, hidden];
    if wanted > 1 {
        let states = last.iter().map(|state| state.h.clone()).collect();
        made.push(whole(states, shape.clone(), &[1, 0, 2])?);
    }
    if wanted > 2 {
        let states = last.iter().map(|state| state.c.clone()).collect();
        made.push(whole(states, shape, &[1, 0, 2])?);
    }
    Ok(made)
}

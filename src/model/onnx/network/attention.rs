//! Attention as one operator, written out: `softmax(Q Kᵀ · scale + mask) V`.

use super::array::{Array, Kind};
use super::binary::Binary;
use super::builder::{Builder, Value};
use super::call::Call;
use super::{Made, fault, unsupported};
use crate::model::network::Activation;

/// Attributes that are read, or that change nothing here.
const KNOWN: [&str; 7] = [
    "is_causal",
    "kv_num_heads",
    "q_num_heads",
    "qk_matmul_output_mode",
    "scale",
    "softcap",
    "softmax_precision",
];

/// What a mask adds where it hides.
const HIDDEN: f64 = -1e9;

pub(super) fn attention(b: &mut Builder, call: &Call<'_>) -> Made<Vec<Value>> {
    if call.optional(6).is_some() {
        return unsupported("the input nonpad_kv_seqlen", "mask with attn_mask");
    }
    let mut attributes = call.node.attribute.iter();
    if let Some(other) = attributes.find(|a| !KNOWN.contains(&a.name.as_str())) {
        return unsupported(
            format!("the attribute {}", other.name),
            "mask with attn_mask",
        );
    }
    let is_flat = call.input(0)?.rank() == 3;
    let heads = |b: &mut Builder, index: usize, name: &str| split(b, call, index, name);
    let q = heads(b, 0, "q_num_heads")?;
    let mut k = heads(b, 1, "kv_num_heads")?;
    let mut v = heads(b, 2, "kv_num_heads")?;
    if let (Some(past_k), Some(past_v)) = (call.optional(4), call.optional(5)) {
        k = b.concat(&[past_k.clone(), k], 2)?;
        v = b.concat(&[past_v.clone(), v], 2)?;
    }
    let present = [k.clone(), v.clone()];
    let [queries, keys] = [q.shape()[2], k.shape()[2]];
    (k, v) = (shared(b, &q, k)?, shared(b, &q, v)?);
    let width = q.shape()[3];
    let default = 1.0 / (width.max(1) as f32).sqrt();
    let scale = f64::from(call.float("scale", default));
    let q = b.times_number(&q, scale)?;
    let k = b.transpose(&k, &[0, 1, 3, 2])?;
    let products = b.matmul(&q, &k)?;
    let mut scores = products.clone();
    let softcap = f64::from(call.float("softcap", 0.0));
    if softcap != 0.0 {
        let inner = b.times_number(&scores, 1.0 / softcap)?;
        let inner = b.activation(&inner, Activation::Tanh)?;
        scores = b.times_number(&inner, softcap)?;
    }
    let mask = mask(b, call, queries, keys)?;
    if let Some(mask) = &mask {
        scores = b.binary(Binary::Add, &scores, mask)?;
    }
    let mut weights = b.softmax(&scores, 1, false)?;
    // Who sees nothing has an answer of 0.
    if let Some(Value::Constant(mask)) = &mask {
        let seen = mask.numbers().collect::<Vec<f64>>();
        let rows = seen.chunks(mask.shape.last().copied().unwrap_or(1).max(1));
        let rows = rows.map(|row| row.iter().any(|&cell| cell > HIDDEN / 2.0));
        let rows: Vec<f64> = rows.map(|seen| f64::from(u8::from(seen))).collect();
        if rows.contains(&0.0) {
            let mut shape = mask.shape.clone();
            if let Some(last) = shape.last_mut() {
                *last = 1;
            }
            let rows = Value::Constant(Array::of(Kind::Float, shape, rows.into_iter()));
            weights = b.binary(Binary::Mul, &weights, &rows)?;
        }
    }
    let mut y = b.matmul(&weights, &v)?;
    if is_flat {
        y = b.transpose(&y, &[0, 2, 1, 3])?;
        let &[n, t, heads, width] = y.shape() else {
            return fault(format!("it makes the shape {:?}", y.shape()));
        };
        y = y.reshaped(vec![n, t, heads * width])?;
    }
    let [present_k, present_v] = present;
    let seen = match call.int("qk_matmul_output_mode", 0) {
        0 => products,
        3 => weights,
        _ => return Ok(vec![y, present_k, present_v]),
    };
    Ok(vec![y, present_k, present_v, seen])
}

/// What is added to the scores, if something is.
fn mask(b: &mut Builder, call: &Call<'_>, queries: usize, keys: usize) -> Made<Option<Value>> {
    let given = match call.optional(3) {
        Some(mask) => Some(additive(b, mask, keys)?),
        None => None,
    };
    if !call.flag("is_causal", false) {
        return Ok(given);
    }
    // Those behind what is cached see it all.
    let before = match call.optional(4) {
        Some(past) => past.shape().get(2).copied().unwrap_or(0),
        None => 0,
    };
    b.fold(&[queries, keys])?;
    let of = |cell: usize| {
        let (query, key) = (cell / keys, cell % keys);
        if key > query + before { HIDDEN } else { 0.0 }
    };
    let cells = (0..queries * keys).map(of);
    let causal = Value::Constant(Array::of(Kind::Float, vec![queries, keys], cells));
    Ok(Some(match given {
        Some(mask) => b.binary(Binary::Add, &mask, &causal)?,
        None => causal,
    }))
}

/// (batch, heads, positions, width), whatever the heads are in.
fn split(b: &mut Builder, call: &Call<'_>, index: usize, name: &str) -> Made<Value> {
    let x = call.input(index)?;
    match *x.shape() {
        [_, _, _, _] => Ok(x.clone()),
        [n, t, all] => {
            let heads = usize::try_from(call.int(name, 0)).unwrap_or(0);
            if heads == 0 || all % heads != 0 {
                return fault(format!("{name} is {heads}, of {all} numbers"));
            }
            let parts = x.reshaped(vec![n, t, heads, all / heads])?;
            b.transpose(&parts, &[0, 2, 1, 3])
        }
        _ => fault(format!("it reads the shape {:?}", x.shape())),
    }
}

/// Keys or values, repeated for all the heads of the queries that share them.
fn shared(b: &mut Builder, q: &Value, x: Value) -> Made<Value> {
    let &[n, heads, t, width] = x.shape() else {
        return fault(format!("it reads the shape {:?}", x.shape()));
    };
    let wanted = q.shape()[1];
    if wanted == heads {
        return Ok(x);
    }
    if heads == 0 || !wanted.is_multiple_of(heads) {
        return fault(format!("{wanted} heads cannot share {heads}"));
    }
    let one = x.reshaped(vec![n, heads, 1, t, width])?;
    let all = b.repeat(&one, &[n, heads, wanted / heads, t, width])?;
    all.reshaped(vec![n, wanted, t, width])
}

/// A mask as what is added: truths say what is seen.
fn additive(b: &mut Builder, mask: &Value, keys: usize) -> Made<Value> {
    let mut mask = match (mask.kind(), mask) {
        (Kind::Bool, Value::Constant(array)) => {
            let of = |seen: f64| if seen == 0.0 { HIDDEN } else { 0.0 };
            let shape = array.shape.clone();
            Value::Constant(Array::of(Kind::Float, shape, array.numbers().map(of)))
        }
        (Kind::Bool, Value::Active(active)) => b.affine(active, -HIDDEN, HIDDEN)?,
        _ => mask.clone(),
    };
    // What a short mask does not reach is hidden.
    let last = mask.rank().saturating_sub(1);
    let short = keys.saturating_sub(mask.shape().last().copied().unwrap_or(keys));
    if short > 0 && mask.shape()[last] > 1 {
        let mut shape = mask.shape().to_vec();
        shape[last] = short;
        let count = b.fold(&shape)?;
        let hidden = std::iter::repeat_n(HIDDEN, count);
        let hidden = Value::Constant(Array::of(Kind::Float, shape, hidden));
        mask = b.concat(&[mask, hidden], last)?;
    }
    Ok(mask)
}

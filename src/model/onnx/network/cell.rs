//! What a recurrent layer does at one position.

use super::array::Array;
use super::binary::Binary;
use super::builder::{Builder, Value};
use super::{Made, fault};
use crate::model::network::Activation;

/// The weights of one direction, and how it computes.
#[derive(Debug)]
pub(super) struct Cell {
    /// Of the last position: the recurrent weights of all gates, (hidden, gates · hidden).
    pub(super) recurrent: Array,
    /// Added behind the recurrent weights.
    pub(super) biases: Vec<f32>,
    /// Of an LSTM: from the state to the gates for input, output and forgetting.
    pub(super) peepholes: Option<[Value; 3]>,
    pub(super) activations: Vec<Activation>,
    pub(super) hidden: usize,
    /// Of a GRU: whether its reset comes behind the recurrent weights.
    pub(super) resets_after: bool,
}

/// What goes from one position to the next.
#[derive(Debug, Clone)]
pub(super) struct State {
    pub(super) h: Value,
    /// An LSTM's alone.
    pub(super) c: Value,
}

impl Builder {
    /// `x · weights + biases`, whether `x` is a constant or not.
    pub(super) fn mapped(&mut self, x: &Value, weights: &Array, biases: Vec<f32>) -> Made<Value> {
        match x {
            Value::Active(active) => self.dense(active, weights, biases),
            Value::Constant(_) => {
                let product = self.matmul(x, &Value::Constant(weights.clone()))?;
                let biases = Array::floats(vec![biases.len()], biases);
                self.binary(Binary::Add, &product, &Value::Constant(biases))
            }
        }
    }
}

impl Cell {
    /// The part of a gate.
    fn gate(&self, b: &mut Builder, z: &Value, gate: usize) -> Made<Value> {
        b.cut(z, 1, gate * self.hidden, (gate + 1) * self.hidden)
    }

    fn again(&self, b: &mut Builder, h: &Value) -> Made<Value> {
        b.mapped(h, &self.recurrent, self.biases.clone())
    }

    pub(super) fn lstm(&self, b: &mut Builder, x: &Value, state: &State) -> Made<State> {
        let again = self.again(b, &state.h)?;
        let z = b.binary(Binary::Add, x, &again)?;
        let [sigma, inner, outer] = &self.activations[..] else {
            return fault("it has not three activations");
        };
        let gate = |b: &mut Builder, k: usize, peephole: usize, c: &Value| {
            let mut own = self.gate(b, &z, k)?;
            if let Some(peepholes) = &self.peepholes {
                let seen = b.binary(Binary::Mul, c, &peepholes[peephole])?;
                own = b.binary(Binary::Add, &own, &seen)?;
            }
            b.activation(&own, sigma.clone())
        };
        let input = gate(b, 0, 0, &state.c)?;
        let forget = gate(b, 2, 2, &state.c)?;
        let new = self.gate(b, &z, 3)?;
        let new = b.activation(&new, inner.clone())?;
        let kept = b.binary(Binary::Mul, &forget, &state.c)?;
        let added = b.binary(Binary::Mul, &input, &new)?;
        let c = b.binary(Binary::Add, &kept, &added)?;
        let output = gate(b, 1, 1, &c)?;
        let shown = b.activation(&c, outer.clone())?;
        let h = b.binary(Binary::Mul, &output, &shown)?;
        Ok(State { h, c })
    }

    pub(super) fn gru(&self, b: &mut Builder, x: &Value, state: State) -> Made<State> {
        let [sigma, inner] = &self.activations[..] else {
            return fault("it has not two activations");
        };
        let again = self.again(b, &state.h)?;
        let gate = |b: &mut Builder, k: usize| {
            let (own, more) = (self.gate(b, x, k)?, self.gate(b, &again, k)?);
            let sum = b.binary(Binary::Add, &own, &more)?;
            b.activation(&sum, sigma.clone())
        };
        let (update, reset) = (gate(b, 0)?, gate(b, 1)?);
        let more = if self.resets_after {
            let all = self.gate(b, &again, 2)?;
            b.binary(Binary::Mul, &reset, &all)?
        } else {
            let left = b.binary(Binary::Mul, &reset, &state.h)?;
            let weights = Value::Constant(self.recurrent.clone());
            let weights = self.gate(b, &weights, 2)?;
            b.matmul(&left, &weights)?
        };
        let own = self.gate(b, x, 2)?;
        let sum = b.binary(Binary::Add, &own, &more)?;
        let new = b.activation(&sum, inner.clone())?;
        // (1 − z) ∘ new + z ∘ h = new + z ∘ (h − new).
        let change = b.binary(Binary::Sub, &state.h, &new)?;
        let change = b.binary(Binary::Mul, &update, &change)?;
        let h = b.binary(Binary::Add, &new, &change)?;
        Ok(State { h, ..state })
    }

    pub(super) fn rnn(&self, b: &mut Builder, x: &Value, state: State) -> Made<State> {
        let again = self.again(b, &state.h)?;
        let sum = b.binary(Binary::Add, x, &again)?;
        let [activation] = &self.activations[..] else {
            return fault("it has not one activation");
        };
        let h = b.activation(&sum, activation.clone())?;
        Ok(State { h, ..state })
    }
}

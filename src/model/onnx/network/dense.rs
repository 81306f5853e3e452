//! Products of matrices.

use super::array::Array;
use super::axes;
use super::binary::Binary;
use super::builder::{Active, Builder, Value};
use super::call::Call;
use super::{Made, fault};
use crate::model::network::{Channels, Convolution, Dense, MatMul, Operation};

pub(super) fn matmul(b: &mut Builder, call: &Call<'_>) -> Made<Vec<Value>> {
    Ok(vec![b.matmul(call.input(0)?, call.input(1)?)?])
}

pub(super) fn gemm(b: &mut Builder, call: &Call<'_>) -> Made<Vec<Value>> {
    let side = |index: usize, name: &str| -> Made<(Value, bool)> {
        let x = call.input(index)?;
        if x.rank() != 2 {
            return fault(format!("it multiplies the shape {:?}", x.shape()));
        }
        Ok((x.clone(), call.flag(name, false)))
    };
    let ((mut x, x_turns), (mut y, y_turns)) = (side(0, "transA")?, side(1, "transB")?);
    if x_turns {
        x = b.transpose(&x, &[1, 0])?;
    }
    if y_turns {
        y = b.transpose(&y, &[1, 0])?;
    }
    let (alpha, beta) = (call.float("alpha", 1.0), call.float("beta", 1.0));
    let number = |number: f32| Value::Constant(Array::floats(Vec::new(), vec![number]));
    // Constants take the factor.
    if alpha != 1.0 {
        let factor = number(alpha);
        if matches!(x, Value::Constant(_)) {
            x = b.binary(Binary::Mul, &x, &factor)?;
        } else {
            y = b.binary(Binary::Mul, &y, &factor)?;
        }
    }
    let Some(bias) = call.optional(2).filter(|_| beta != 0.0) else {
        return Ok(vec![b.matmul(&x, &y)?]);
    };
    let bias = if beta == 1.0 {
        bias.clone()
    } else {
        b.binary(Binary::Mul, bias, &number(beta))?
    };
    if let (Value::Active(active), Value::Constant(weights), Value::Constant(biases)) =
        (&x, &y, &bias)
        && biases.shape.iter().rev().skip(1).all(|&size| size == 1)
    {
        let columns = weights.shape[1];
        let biases = b.repeat(&Value::Constant(biases.clone()), &[1, columns]);
        if let Ok(Value::Constant(biases)) = biases {
            return Ok(vec![b.dense(active, weights, biases.to_f32())?]);
        }
    }
    let product = b.matmul(&x, &y)?;
    axes::repeated(bias.shape(), product.shape())?;
    Ok(vec![b.binary(Binary::Add, &product, &bias)?])
}

impl Builder {
    /// `x · weights + biases` along the last axis.
    pub(super) fn dense(&mut self, x: &Active, weights: &Array, biases: Vec<f32>) -> Made<Value> {
        let &[inputs, outputs] = &weights.shape[..] else {
            return fault(format!("its weights have the shape {:?}", weights.shape));
        };
        let Some((&last, rows)) = x.shape.split_last().filter(|(last, _)| **last == inputs) else {
            return fault(format!(
                "it multiplies the shapes {:?} and {:?}",
                x.shape, weights.shape
            ));
        };
        let shape = [rows, &[outputs]].concat();
        let operation = Operation::Dense(Dense {
            weights: weights.to_f32(),
            biases,
            inputs: last,
        });
        self.push(operation, vec![x.tensor], shape, x.kind)
            .map(Value::Active)
    }

    /// As numpy's `matmul`.
    pub(super) fn matmul(&mut self, x: &Value, y: &Value) -> Made<Value> {
        if x.rank() == 0 || y.rank() == 0 {
            return fault("it multiplies a number, not a matrix");
        }
        if x.rank() == 1 || y.rank() == 1 {
            let (mut shape_x, mut shape_y) = (x.shape().to_vec(), y.shape().to_vec());
            if x.rank() == 1 {
                shape_x.insert(0, 1);
            }
            if y.rank() == 1 {
                shape_y.push(1);
            }
            let made = self.matmul(&x.reshaped(shape_x)?, &y.reshaped(shape_y)?)?;
            let mut shape = made.shape().to_vec();
            if y.rank() == 1 {
                shape.pop();
            }
            if x.rank() == 1 {
                let rows = if y.rank() == 1 { 1 } else { 2 };
                shape.remove(shape.len() - rows);
            }
            return made.reshaped(shape);
        }
        let (batch_x, [rows, inner]) = matrix(x.shape());
        let (batch_y, [inner_y, columns]) = matrix(y.shape());
        if inner != inner_y {
            return fault(format!(
                "it multiplies the shapes {:?} and {:?}",
                x.shape(),
                y.shape()
            ));
        }
        let batch = axes::broadcast(batch_x, batch_y)?;
        let shape = [&batch[..], &[rows, columns]].concat();
        let is_one = |sizes: &[usize]| sizes.iter().all(|&size| size == 1);
        match (x, y) {
            (Value::Constant(x), Value::Constant(y)) => {
                let full = |b: &mut Self, array: &Array, sizes: [usize; 2]| {
                    let shape = [&batch[..], &sizes].concat();
                    match b.repeat(&Value::Constant(array.clone()), &shape)? {
                        Value::Constant(array) => Ok(array),
                        Value::Active(_) => fault("a constant became none"),
                    }
                };
                self.fold(&[&shape[..], &[inner.max(1)]].concat())?;
                let (x, y) = (
                    full(self, x, [rows, inner])?,
                    full(self, y, [inner, columns])?,
                );
                let cell = |at: usize| {
                    let (row, column) = (at / columns, at % columns);
                    let group = row / rows;
                    let term = |k: usize| {
                        x.at(row * inner + k) * y.at((group * inner + k) * columns + column)
                    };
                    (0..inner).map(term).sum()
                };
                let cells: Vec<f64> = (0..shape.iter().product()).map(cell).collect();
                Ok(Value::Constant(Array::of(x.kind, shape, cells.into_iter())))
            }
            (Value::Active(active), Value::Constant(weights)) if is_one(batch_y) => {
                let weights = weights.reshaped(vec![inner, columns]);
                self.dense(active, &weights, vec![0.0; columns])?
                    .reshaped(shape)
            }
            (Value::Active(_), Value::Constant(weights)) => {
                self.blocks(x, weights, &batch, [rows, inner, columns])
            }
            // The transpose of a product is that of the transposes, the other way round.
            (Value::Constant(_), Value::Active(_)) => {
                let (x, y) = (self.turned(x)?, self.turned(y)?);
                let made = self.matmul(&y, &x)?;
                self.turned(&made)
            }
            (Value::Active(a), Value::Active(_)) => {
                let kind = a.kind;
                let x = self.repeat(x, &[&batch[..], &[rows, inner]].concat())?;
                let y = self.repeat(y, &[&batch[..], &[inner, columns]].concat())?;
                let (Value::Active(x), Value::Active(y)) = (x, y) else {
                    return fault("what changes with the example became a constant");
                };
                let operation = Operation::MatMul(MatMul {
                    batch: batch.iter().product(),
                    rows,
                    inner,
                    columns,
                });
                self.push(operation, vec![x.tensor, y.tensor], shape, kind)
                    .map(Value::Active)
            }
        }
    }

    /// The last two axes the other way round.
    fn turned(&mut self, x: &Value) -> Made<Value> {
        let mut order: Vec<usize> = (0..x.rank()).collect();
        let last = order.len() - 1;
        order.swap(last - 1, last);
        self.transpose(x, &order)
    }

    /// Products with a matrix for each of a batch: a convolution of one position whose groups are the batch.
    fn blocks(
        &mut self,
        x: &Value,
        weights: &Array,
        batch: &[usize],
        [rows, inner, columns]: [usize; 3],
    ) -> Made<Value> {
        let groups: usize = batch.iter().product();
        let x = self.repeat(x, &[batch, &[rows, inner]].concat())?;
        let x = self.turned(&x)?;
        let weights = Value::Constant(weights.clone());
        let weights = self.repeat(&weights, &[batch, &[inner, columns]].concat())?;
        let (Value::Active(x), Value::Constant(weights)) = (x, self.turned(&weights)?) else {
            return fault("what changes with the example became a constant");
        };
        let convolution = Convolution {
            groups,
            channels: [inner, columns],
            input: [rows, 1, 1],
            output: [rows, 1, 1],
            kernel: [1; 3],
            strides: [1; 3],
            dilations: [1; 3],
            before: [0; 3],
            weights: weights.to_f32(),
            biases: vec![0.0; groups * columns],
            is_transposed: false,
        };
        let shape = [batch, &[columns, rows]].concat();
        let operation = Operation::Convolution(convolution);
        let made = self.push(operation, vec![x.tensor], shape, x.kind)?;
        self.turned(&Value::Active(made))
    }

    /// `x · factor`.
    pub(super) fn times_number(&mut self, x: &Value, factor: f64) -> Made<Value> {
        self.scaled(x, Channels::one(factor as f32), Channels::one(0.0))
    }
}

/// The batch of a shape, and the sizes of its matrices.
fn matrix(shape: &[usize]) -> (&[usize], [usize; 2]) {
    let (batch, last) = shape.split_at(shape.len().saturating_sub(2));
    (batch, [last[0], last[1]])
}

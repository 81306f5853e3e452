//! Scalings, layers and activations.

use ndarray::{Array2, ArrayView2};

use super::network::Ending;
use super::{Walk, unsupported, widened};
use crate::model::Activation;
use crate::model::onnx::Fault;
use crate::model::onnx::message::NodeMessage;

/// `scale · x + shift`: a number each for all columns, or one for each column.
#[derive(Debug)]
pub(super) struct Scaling {
    scale: Vec<f64>,
    shift: Vec<f64>,
}

impl Scaling {
    /// How many columns it is for; `None` where it is the same for all.
    pub(super) fn width(&self) -> Option<usize> {
        let longest = self.scale.len().max(self.shift.len());
        (longest > 1).then_some(longest)
    }

    pub(super) fn scale(&self, column: usize) -> f64 {
        self.scale[column.min(self.scale.len() - 1)]
    }

    pub(super) fn shift(&self, column: usize) -> f64 {
        self.shift[column.min(self.shift.len() - 1)]
    }
}

impl<'a> Walk<'a, '_> {
    /// Scales the neurons.
    pub(super) fn scale(
        &mut self,
        node: &'a NodeMessage,
        operator: &str,
        place: usize,
    ) -> Result<(), Fault> {
        let scaling = self.scaling(node, operator, place)?;
        let map = self.network.next(scaling.width(), &mut self.budget)?;
        map.transform(|k| scaling.scale(k), |k| scaling.shift(k));
        Ok(())
    }

    /// What a Scaler does, or Add, Sub, Mul or Div with constants, or Neg; `place` is that of the value among the
    /// inputs.
    pub(super) fn scaling(
        &mut self,
        node: &'a NodeMessage,
        operator: &str,
        place: usize,
    ) -> Result<Scaling, Fault> {
        match operator {
            "Scaler" => scaler(node),
            "Neg" => Ok(Scaling {
                scale: vec![-1.0],
                shift: vec![0.0],
            }),
            _ => self.shifted(node, operator, place),
        }
    }

    fn shifted(
        &mut self,
        node: &'a NodeMessage,
        operator: &str,
        place: usize,
    ) -> Result<Scaling, Fault> {
        let other = (node.input.get(1 - place.min(1))).filter(|_| node.input.len() == 2);
        let constant = match other {
            Some(name) => self.constant(name)?,
            None => None,
        };
        let Some(constant) = constant else {
            return Err(unsupported("what is no constant beside its input"));
        };
        let (count, last) = (constant.numbers.len(), constant.dims.last().copied());
        let is_row = count > 0 && (count == 1 || last == i64::try_from(count).ok());
        let rows = constant.dims.iter().rev().skip(1);
        if !is_row || constant.dims.len() > 2 || count > 1 && rows.into_iter().any(|&d| d != 1) {
            return Err(unsupported(format!(
                "a constant of shape {:?}",
                constant.dims
            )));
        }
        let mut numbers = constant.numbers;
        let (scale, shift) = match (operator, place) {
            ("Add", _) => (vec![1.0], numbers),
            ("Sub", 0) => {
                for c in &mut numbers {
                    *c = -*c;
                }
                (vec![1.0], numbers)
            }
            ("Sub", _) => (vec![-1.0], numbers),
            ("Mul", _) => (numbers, vec![0.0]),
            ("Div", 0) if !numbers.contains(&0.0) => {
                for c in &mut numbers {
                    *c = 1.0 / *c;
                }
                (numbers, vec![0.0])
            }
            _ => return Err(unsupported("a division by the rows, or by 0")),
        };
        Ok(Scaling { scale, shift })
    }

    /// `MatMul(x, W)` or `Gemm(x, W, C)`.
    pub(super) fn dense(&mut self, node: &'a NodeMessage, operator: &str) -> Result<(), Fault> {
        let is_gemm = operator == "Gemm";
        let weights = match node.input.get(1) {
            Some(name) => self.constant(name)?,
            None => None,
        };
        let Some(weights) = weights else {
            return Err(unsupported("weights that are no constants"));
        };
        let dims: Vec<usize> = (weights.dims.iter())
            .filter_map(|&dim| usize::try_from(dim).ok())
            .collect();
        let [rows, columns] = dims[..] else {
            return Err(unsupported(format!("weights of shape {:?}", weights.dims)));
        };
        if rows == 0 || columns == 0 {
            return Err(Fault::bad("it has no weights"));
        }
        let shape = ArrayView2::from_shape((rows, columns), &weights.numbers);
        let matrix = shape.map_err(|error| Fault::Bad(error.to_string()))?;
        if node.int("transA").unwrap_or(0) != 0 {
            return Err(unsupported("its input transposed"));
        }
        let is_transposed = is_gemm && node.int("transB").unwrap_or(0) != 0;
        let mut layer: Array2<f64> = if is_transposed {
            matrix.to_owned()
        } else {
            matrix.t().as_standard_layout().into_owned()
        };
        let (neurons, width) = layer.dim();
        let mut biases = vec![0.0; neurons];
        if is_gemm {
            let factor = |name: &str| f64::from(node.float(name).unwrap_or(1.0));
            layer *= factor("alpha");
            if let Some(name) = node.input.get(2).filter(|name| !name.is_empty()) {
                let Some(added) = self.constant(name)? else {
                    return Err(unsupported("biases that are no constants"));
                };
                let count = added.numbers.len();
                let is_column = added.dims.len() == 2 && added.dims.first() != Some(&1);
                if count != 1 && (count != neurons || is_column) {
                    return Err(unsupported(format!("biases of shape {:?}", added.dims)));
                }
                for (k, bias) in biases.iter_mut().enumerate() {
                    *bias = factor("beta") * added.numbers[if count == 1 { 0 } else { k }];
                }
            }
        }
        let map = self.network.next(Some(width), &mut self.budget)?;
        map.dense(layer, biases, &mut self.budget)
    }

    pub(super) fn activation(&mut self, node: &NodeMessage, operator: &str) -> Result<(), Fault> {
        let ending = match operator {
            "Relu" => Ending::Activation(Activation::Relu),
            "Tanh" => Ending::Activation(Activation::Tanh),
            "Sigmoid" => Ending::Activation(Activation::Logistic),
            // Along the columns, which the axis 1 and the last one are alike.
            _ if matches!(node.int("axis"), None | Some(1 | -1)) => Ending::Softmax,
            _ => return Err(unsupported("a Softmax along the rows")),
        };
        self.network.end(ending, &mut self.budget)
    }
}

/// `(x − offset) · scale`.
fn scaler(node: &NodeMessage) -> Result<Scaling, Fault> {
    let (offset, scale) = (
        widened(node.floats("offset")),
        widened(node.floats("scale")),
    );
    let longest = offset.len().max(scale.len());
    for (name, list) in [("offset", &offset), ("scale", &scale)] {
        if list.is_empty() || list.len() != 1 && list.len() != longest {
            return Err(Fault::Bad(format!(
                "{name} has {} entries, expected one, or one for each of {longest} columns",
                list.len(),
            )));
        }
    }
    let of = |list: &[f64], k: usize| list[k.min(list.len() - 1)];
    let shift = (0..longest).map(|k| -of(&offset, k) * of(&scale, k));
    Ok(Scaling {
        shift: shift.collect(),
        scale,
    })
}

//! Operators on constants alone, whose steps are run while the file is read.

use super::array::Array;
use super::builder::{Active, Builder, Value};
use super::call::Call;
use super::operators::Operator;
use super::{Made, fault, unsupported};
use crate::model::network::{Input, Network, Tensor};

/// Products of numbers that one node may take on constants.
const MAX_PRODUCTS: usize = 1 << 26;

/// Whether constants are folded by running the steps for them.
pub(super) fn is_lifted(name: &str) -> bool {
    matches!(name, "Conv" | "ConvTranspose")
}

/// What an operator makes of a constant: what its steps make of an example that is the constant.
pub(super) fn lifted(b: &mut Builder, operator: Operator, mut call: Call<'_>) -> Made<Vec<Value>> {
    let Some(Some(Value::Constant(array))) = call.inputs.first().cloned() else {
        return fault("its first input is no constant");
    };
    let tensor = Tensor {
        name: String::new(),
        shape: array.shape.clone(),
    };
    let mut scratch = b.scratch(vec![tensor.clone()])?;
    call.inputs[0] = Some(Value::Active(Active {
        tensor: 0,
        shape: array.shape.clone(),
        kind: array.kind,
    }));
    let made = operator(&mut scratch, &call)?;
    b.count_as(&scratch);
    let network = Network {
        inputs: vec![Input {
            name: String::new(),
            shape: tensor.shape,
            is_whole: false,
        }],
        tensors: scratch.tensors,
        steps: scratch.steps,
        output: 0,
        outputs: Vec::new(),
        features: Vec::new(),
        layers: Vec::new(),
    };
    if network.products() > MAX_PRODUCTS {
        return unsupported(
            "this much work on constants",
            "export the model with its constants folded",
        );
    }
    let values = network.values(&array.numbers().collect::<Vec<_>>());
    let constant = |value: Value| match value {
        Value::Active(Active {
            tensor,
            shape,
            kind,
        }) => {
            let cells = values[tensor].iter().copied();
            Value::Constant(Array::of(kind, shape, cells))
        }
        Value::Constant(_) => value,
    };
    Ok(made.into_iter().map(constant).collect())
}

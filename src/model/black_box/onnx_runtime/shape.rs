//! How a model of ONNX Runtime takes rows, and which of its outputs is explained.

use ort::session::Session;
use ort::value::{Outlet, TensorElementType, ValueType};

/// What a cell is rounded to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Element {
    F32,
    F64,
    I64,
}

/// The inputs.
#[derive(Debug)]
pub(super) enum Input {
    /// One, of (rows, columns).
    Matrix {
        name: String,
        element: Element,
        /// None for any number.
        columns: Option<usize>,
    },
    /// One of (rows, 1) for each column, as converters write models of data frames.
    Columns(Vec<(String, Element)>),
}

/// What goes in and comes out.
#[derive(Debug)]
pub(super) struct Shape {
    pub(super) input: Input,
    /// Rows of a run; none for any number.
    pub(super) rows: Option<usize>,
    /// The name of the output that is explained.
    pub(super) output: String,
    pub(super) output_is_f64: bool,
}

/// Where a model does not fit, and why.
type Unfit = (&'static str, String);

impl Shape {
    pub(super) fn of(session: &Session) -> Result<Self, Unfit> {
        let (input, rows) = input(session.inputs()).map_err(|reason| ("its inputs", reason))?;
        let (output, output_is_f64) =
            output(session.outputs()).map_err(|reason| ("its outputs", reason))?;
        Ok(Self {
            input,
            rows,
            output,
            output_is_f64,
        })
    }
}

fn input(inputs: &[Outlet]) -> Result<(Input, Option<usize>), String> {
    let mut rows = None;
    let mut columns = Vec::with_capacity(inputs.len());
    for outlet in inputs {
        let refused = |what: String| {
            format!(
                "\"{}\" takes {what}; expected numbers, in one input of the shape (rows, columns), or in an \
                 input of (rows, 1) for each column",
                outlet.name()
            )
        };
        let ValueType::Tensor { ty, shape, .. } = outlet.dtype() else {
            return Err(refused(outlet.dtype().to_string()));
        };
        let element = match ty {
            TensorElementType::Float32 => Element::F32,
            TensorElementType::Float64 => Element::F64,
            TensorElementType::Int64 => Element::I64,
            other => return Err(refused(format!("tensors of {other}"))),
        };
        let dimensions: Vec<i64> = shape.iter().copied().collect();
        let [height, width] = dimensions[..] else {
            return Err(refused(format!("tensors of the shape {dimensions:?}")));
        };
        if height == 0 || width == 0 {
            return Err(refused("nothing".to_owned()));
        }
        if height > 0 {
            rows = Some(height as usize);
        }
        columns.push((outlet.name().to_owned(), element, width));
    }
    match &columns[..] {
        [] => Err("none; expected rows of numbers".to_owned()),
        [(name, element, width)] => {
            let input = Input::Matrix {
                name: name.clone(),
                element: *element,
                columns: usize::try_from(*width).ok(),
            };
            Ok((input, rows))
        }
        several => {
            if let Some((name, _, width)) = several.iter().find(|(_, _, width)| *width > 1) {
                return Err(format!(
                    "\"{name}\" takes {width} columns beside {} other inputs; expected one input for all \
                     columns, or one for each",
                    several.len() - 1
                ));
            }
            let columns = several
                .iter()
                .map(|(name, element, _)| (name.clone(), *element));
            Ok((Input::Columns(columns.collect()), rows))
        }
    }
}

/// The output to explain, and whether it is of float64: probabilities where there are some, else the first of
/// numbers.
pub(super) fn output(outputs: &[Outlet]) -> Result<(String, bool), String> {
    let numbers: Vec<(&str, bool)> = (outputs.iter())
        .filter_map(|outlet| match outlet.dtype() {
            ValueType::Tensor {
                ty: TensorElementType::Float32,
                ..
            } => Some((outlet.name(), false)),
            ValueType::Tensor {
                ty: TensorElementType::Float64,
                ..
            } => Some((outlet.name(), true)),
            _ => None,
        })
        .collect();
    let probabilities = |(name, _): &&(&str, bool)| name.to_ascii_lowercase().contains("prob");
    let chosen = (numbers.iter().find(probabilities)).or(numbers.first());
    if let Some((name, is_f64)) = chosen {
        return Ok(((*name).to_owned(), *is_f64));
    }
    let is_map = |outlet: &Outlet| {
        matches!(
            outlet.dtype(),
            ValueType::Sequence(_) | ValueType::Map { .. }
        )
    };
    let names: Vec<&str> = outputs.iter().map(Outlet::name).collect();
    let names = names.join("\", \"");
    Err(if outputs.iter().any(is_map) {
        format!(
            "of \"{names}\", the probabilities are a list of maps; convert the model again with the option \
             zipmap=False (skl2onnx: options={{\"zipmap\": False}})"
        )
    } else {
        format!(
            "\"{names}\" holds no tensor of float or double; convert the model so that it answers with \
             probabilities or scores, and not with labels alone"
        )
    })
}

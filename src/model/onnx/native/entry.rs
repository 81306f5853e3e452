//! How columns come to the model: as they are, encoded before it, or divided by their norm.

use super::network::Network;
use super::{Value, Walk, unsupported};
use crate::model::onnx::Fault;
use crate::model::onnx::message::NodeMessage;
use crate::model::{Column, Encoded, Model, Norm, Part};

impl Walk<'_, '_> {
    /// Makes a list the input of the first layer. Raw columns in their order, scaled, become a part of it.
    pub(super) fn enter(&mut self, list: usize) -> Result<(Vec<f64>, Vec<f64>), Fault> {
        let columns = self.numbers(list)?.to_vec();
        let Some(raw) = &self.raw else {
            return Err(Fault::bad("columns of no input"));
        };
        let is_raw = columns.len() == raw.features.len()
            && raw.strict.is_empty()
            && (columns.iter().enumerate())
                .all(|(place, column)| column.feature == place && column.part == Part::Cell);
        let width = columns.len();
        if !is_raw {
            self.encoding = Some(columns);
            return Ok((vec![1.0; width], vec![0.0; width]));
        }
        self.features.clone_from(&raw.features);
        Ok(columns
            .iter()
            .map(|column| (column.scale, column.shift))
            .unzip())
    }

    /// Has rows of columns divided by their norm before the model.
    pub(super) fn normalised(&mut self, node: &NodeMessage, list: usize) -> Result<Value, Fault> {
        let norm = match node.text("norm").as_deref() {
            None | Some("MAX") => return Err(unsupported("the norm MAX, which is no sum")),
            Some("L1") => Norm::L1,
            Some("L2") => Norm::L2,
            Some(other) => {
                return Err(Fault::Bad(format!(
                    "its norm \"{other}\" is not one of MAX, L1, L2"
                )));
            }
        };
        self.begin(Value::Columns(list))?;
        let columns = self.lists[list].columns.clone();
        self.network = Network::new(Some(columns.len()));
        self.network.next(None, &mut self.budget)?;
        self.features.clear();
        (self.encoding, self.norm) = (Some(columns), Some(norm));
        Ok(Value::Neurons(self.network.steps))
    }

    /// Has the raw columns scaled before the model, which cannot do it; whether they are the model's.
    pub(super) fn encode(&mut self, scales: &[f64], shifts: &[f64]) -> bool {
        if self.encoding.is_some() || self.raw.is_none() {
            return false;
        }
        self.features.clear();
        let columns = scales.iter().zip(shifts).enumerate();
        let column = |(feature, (&scale, &shift))| Column {
            scale,
            shift,
            ..Column::of(feature)
        };
        self.encoding = Some(columns.map(column).collect());
        true
    }

    /// A model, after what makes its columns.
    pub(super) fn encoded(&mut self, model: Model) -> Model {
        match (self.encoding.take(), self.raw.take()) {
            (Some(columns), Some(raw)) => Model::Encoded(Encoded {
                features: raw.features,
                precisions: raw.precisions,
                columns,
                strict: raw.strict,
                norm: self.norm,
                model: Box::new(model),
            }),
            _ => model,
        }
    }
}

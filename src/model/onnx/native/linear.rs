//! `LinearRegressor` and `LinearClassifier`.

use ndarray::Array2;

use super::answer::Answer;
use super::network::Ending;
use super::{Value, Walk, class_count, unsupported, widened};
use crate::model::Activation;
use crate::model::onnx::message::NodeMessage;
use crate::model::onnx::{Fault, output_count, same_length};

impl Walk<'_, '_> {
    pub(super) fn linear_regressor(&mut self, node: &NodeMessage) -> Result<(), Fault> {
        plain(node)?;
        let targets = output_count("targets", node.int("targets").unwrap_or(1))?;
        let mut intercepts = widened(node.floats("intercepts"));
        if intercepts.is_empty() {
            intercepts = vec![0.0; targets];
        }
        same_length(
            "intercepts",
            intercepts.len(),
            "the list of targets",
            targets,
        )?;
        self.rows_of(node, intercepts)
    }

    pub(super) fn linear_classifier(&mut self, node: &NodeMessage) -> Result<Value, Fault> {
        self.label(node, "classlabels_strings", "classlabels_ints");
        let classes = class_count(&self.classes)?;
        let intercepts = widened(node.floats("intercepts"));
        let rows = intercepts.len();
        let transform = node.text("post_transform").unwrap_or_default();
        let coefficients = node.floats("coefficients");
        let (first, second) = coefficients.split_at(coefficients.len() / 2);
        let is_mirrored = rows == 2
            && intercepts[0] == -intercepts[1]
            && first.iter().zip(second).all(|(a, b)| *a == -*b);
        if rows != classes && !(rows == 1 && classes == 2) {
            return Err(Fault::Bad(format!(
                "it has {rows} intercepts for {classes} classes; expected one for each"
            )));
        }
        self.rows_of(node, intercepts)?;
        let is_pair = classes == 2 && (rows == 1 || is_mirrored);
        if is_pair && rows == 2 {
            // The margin of the second class: the first one's is the same below 0.
            let keep = Array2::from_shape_fn((1, 2), |(_, k)| k as f64);
            let map = self.network.next(Some(2), &mut self.budget)?;
            map.dense(keep, vec![0.0], &mut self.budget)?;
        }
        match transform.as_str() {
            "" | "NONE" if is_pair => return Ok(Value::Answer(Answer::Mirrored)),
            "" | "NONE" => {}
            "LOGISTIC" if is_pair => {
                let ending = Ending::Activation(Activation::Logistic);
                self.network.end(ending, &mut self.budget)?;
                return Ok(Value::Answer(Answer::Pair));
            }
            // Of two opposite margins, the softmax would be that of twice the one.
            "SOFTMAX" if is_pair && rows == 2 => {
                let map = self.network.next(Some(1), &mut self.budget)?;
                map.transform(|_| 2.0, |_| 0.0);
                let ending = Ending::Activation(Activation::Logistic);
                self.network.end(ending, &mut self.budget)?;
                return Ok(Value::Answer(Answer::Pair));
            }
            "SOFTMAX" if rows > 1 => self.network.end(Ending::Softmax, &mut self.budget)?,
            other => {
                return Err(unsupported(format!(
                    "the post_transform {other} of {rows} margins"
                )));
            }
        }
        Ok(Value::Neurons(self.network.steps))
    }

    /// The layer of a node's coefficients, one row for each intercept.
    fn rows_of(&mut self, node: &NodeMessage, intercepts: Vec<f64>) -> Result<(), Fault> {
        let coefficients = widened(node.floats("coefficients"));
        let (count, rows) = (coefficients.len(), intercepts.len());
        if rows == 0 || count == 0 || count % rows != 0 {
            return Err(Fault::Bad(format!(
                "it has {count} coefficients and {rows} intercepts; expected as many for each"
            )));
        }
        let weights = Array2::from_shape_vec((rows, count / rows), coefficients);
        let weights = weights.map_err(|error| Fault::Bad(error.to_string()))?;
        self.budget.spend(0, count)?;
        let map = self.network.next(Some(count / rows), &mut self.budget)?;
        map.dense(weights, intercepts, &mut self.budget)
    }
}

/// Refuses a transform of what a node answers.
pub(super) fn plain(node: &NodeMessage) -> Result<(), Fault> {
    match node.text("post_transform").as_deref() {
        None | Some("" | "NONE") => Ok(()),
        Some(other) => Err(unsupported(format!("the post_transform {other}"))),
    }
}

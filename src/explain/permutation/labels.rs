//! From a column of labels to what scores a model's answers.

use std::sync::Arc;

use crate::data::Column;
use crate::error::{Error, MEMORY, Result};
use crate::explain::Output;
use crate::explain::answers::Answers;
use crate::metric::{Average, Decide, Judge, Labels, Metric, Takes};
use crate::model::Model;

/// A metric with labels as a table has them, and the answers of the model that it is taken of.
///
/// Without a metric it is the F1 score, micro-averaged, of a classifier, and the mean absolute error of others. A model
/// is taken for a classifier if it answers with probabilities, or with several outputs, or if labels are text. Labels
/// of classes are the names of the model's outputs, or their numbers from 0; of a single output, 0 and 1.
///
/// # Errors
/// [`Error::Data`] for a label that is missing, or is none of the model's classes, by its row; [`Error::Unsupported`]
/// for a metric of probabilities where the model has none; else as [`Judge::new`].
pub fn judge(
    model: &Arc<Model>,
    metric: Option<Metric>,
    labels: &Column,
) -> Result<(Judge, Output)> {
    let raw = Answers::new(model, Output::Raw)?;
    let probability = Answers::new(model, Output::Probability);
    let is_text = matches!(labels, Column::Labels { .. });
    let is_classifier = probability.is_ok() || raw.names().len() > 1 || is_text;
    let metric = metric.unwrap_or(if is_classifier {
        Metric::FScore(Average::Micro, 1.0)
    } else {
        Metric::MeanAbsoluteError
    });
    if metric.takes() == Takes::Numbers {
        let output = match (&**model, &probability) {
            (Model::Trees(trees), _) if trees.link().is_ok() => Output::Response,
            _ => Output::Raw,
        };
        let judge = Judge::new(metric, Labels::Numbers(numbers(labels)?), Decide::Largest)?;
        return Ok((judge, output));
    }
    // What an endpoint, a program or a network answers is all there is: probabilities for all that is known.
    let is_as_it_is = raw.is_asked() || matches!(**model, Model::Network(_));
    let (answers, is_probability) = match probability {
        Ok(answers) => {
            let is_probability = answers.is_probability();
            (answers, is_probability)
        }
        Err(refused) if metric.takes() == Takes::Probabilities && !is_as_it_is => {
            return Err(refused);
        }
        Err(_) => (raw, is_as_it_is),
    };
    let outputs = answers.names().len();
    let names = if outputs == 1 {
        model.outputs()
    } else {
        answers.names()
    };
    let count = outputs.max(2);
    let labels = Labels::Classes {
        of: classes(labels, names, count)?,
        count,
    };
    let is_votes = matches!(&**model, Model::KernelMachine(_)) && !is_probability && outputs > 2;
    let decide = if is_votes {
        Decide::Votes
    } else {
        Decide::of(outputs, is_probability)
    };
    Ok((Judge::new(metric, labels, decide)?, answers.output()))
}

fn bad(row: usize, reason: String) -> Error {
    Error::Data {
        path: MEMORY.into(),
        at: format!("the label of row {}", row + 1),
        reason,
    }
}

/// Labels that are numbers.
fn numbers(labels: &Column) -> Result<Vec<f64>> {
    let numbers: Vec<f64> = match labels {
        Column::F32(numbers) => numbers.iter().map(|&number| f64::from(number)).collect(),
        Column::F64(numbers) => numbers.clone(),
        Column::Labels { codes, labels } => {
            let text = codes.first().map_or("", |&code| text(labels, code));
            return Err(bad(0, format!("\"{text}\"; expected a number")));
        }
    };
    match numbers.iter().position(|number| !number.is_finite()) {
        Some(row) => Err(bad(
            row,
            format!("{}; expected a finite number", numbers[row]),
        )),
        None => Ok(numbers),
    }
}

fn text(labels: &[String], code: i32) -> &str {
    let label = usize::try_from(code).ok().and_then(|code| labels.get(code));
    label.map_or("(missing)", String::as_str)
}

/// Labels that are classes, as their numbers.
fn classes(labels: &Column, names: &[String], count: usize) -> Result<Vec<u32>> {
    let is_named = names.len() == count;
    let of_text = |text: &str| {
        let named = names.iter().position(|name| is_named && name == text);
        let number = || {
            text.parse()
                .ok()
                .filter(|number: &f64| number.fract() == 0.0)
        };
        let numbered = || number().filter(|number| (0.0..count as f64).contains(number));
        named.or_else(|| numbered().map(|number| number as usize))
    };
    let expected = || {
        let numbers = format!("a class from 0 to {}", count - 1);
        if is_named {
            let some: Vec<&str> = names.iter().take(8).map(String::as_str).collect();
            let more = if names.len() > 8 { ", …" } else { "" };
            format!(
                "one of the model's classes ({}{more}), or {numbers}",
                some.join(", ")
            )
        } else {
            numbers
        }
    };
    let all: Vec<String> = match labels {
        Column::F32(numbers) => numbers.iter().map(f32::to_string).collect(),
        Column::F64(numbers) => numbers.iter().map(f64::to_string).collect(),
        Column::Labels { codes, labels } => codes
            .iter()
            .map(|&code| text(labels, code).to_owned())
            .collect(),
    };
    let class = |(row, label): (usize, &String)| {
        let found = of_text(label).map(|class| class as u32);
        found.ok_or_else(|| {
            let label = if label == "NaN" { "missing" } else { label };
            bad(row, format!("{label}; expected {}", expected()))
        })
    };
    all.iter().enumerate().map(class).collect()
}

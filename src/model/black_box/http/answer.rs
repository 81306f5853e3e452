//! What an endpoint answers, read.

use ndarray::Array2;
use serde::Deserialize;
use serde_json::Value;

/// Characters of an answer that an error shows.
const SHOWN: usize = 200;

#[derive(Debug, Deserialize)]
struct Answer {
    predictions: Vec<Value>,
}

/// The outputs (rows, outputs) in the body of an answer; else what is wrong with it.
pub(super) fn read(body: &[u8], rows: usize) -> Result<Array2<f64>, String> {
    let answer: Answer = serde_json::from_slice(body).map_err(|error| {
        let begins = match beginning(body).as_str() {
            "" => "is empty".to_owned(),
            text => format!("begins with {text}"),
        };
        format!(
            "{error}; expected {{\"predictions\": […]}} in JSON, with a number, or a list of numbers, \
             for each row; it {begins}"
        )
    })?;
    if answer.predictions.len() != rows {
        return Err(format!(
            "{} predictions; expected one for each row",
            answer.predictions.len()
        ));
    }
    let mut outputs = None;
    let mut cells = Vec::with_capacity(rows);
    for (row, prediction) in answer.predictions.iter().enumerate() {
        let before = cells.len();
        match prediction {
            Value::Array(list) => {
                for value in list {
                    cells.push(number(value, row)?);
                }
            }
            value => cells.push(number(value, row)?),
        }
        let found = cells.len() - before;
        let expected = *outputs.get_or_insert(found);
        if found != expected {
            return Err(format!(
                "{found} outputs of row {row}, but {expected} of row 0; expected the same number for every \
                 row"
            ));
        }
    }
    let shape = (rows, outputs.unwrap_or(0));
    Array2::from_shape_vec(shape, cells).map_err(|error| error.to_string())
}

fn number(value: &Value, row: usize) -> Result<f64, String> {
    value.as_f64().ok_or_else(|| {
        format!(
            "the prediction of row {row} holds {}; expected a number, or a list of numbers, such as \
             probabilities",
            beginning(value.to_string().as_bytes())
        )
    })
}

/// The beginning of a body, quoted, on one line; nothing of an empty one.
pub(super) fn beginning(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(4 * SHOWN)]);
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut shown: String = text
        .chars()
        .filter(|c| !c.is_control())
        .take(SHOWN)
        .collect();
    if shown.is_empty() {
        return shown;
    }
    if text.chars().count() > SHOWN {
        shown.push('…');
    }
    format!("`{shown}`")
}

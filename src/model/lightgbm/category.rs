//! The categories of a data frame, which Python adds as the file's last line: one list per
//! category column, in the order of the columns, without their names.

use std::path::Path;

use serde_json::Value;

use super::FORMAT;
use crate::error::{Error, Result};
use crate::model::trees::{Categories, Feature, Numbers};

/// Gives the lists to the columns that `feature_infos` marks as categorical.
///
/// Text is looked up; so is a number where all categories are numbers, since it stands in the data
/// frame for itself. A list 0, 1, 2, … needs no look-up.
pub(super) fn assign(
    features: &mut [Feature],
    infos: &[&str],
    line: Option<&str>,
    path: &Path,
) -> Result<()> {
    let Some(line) = line else {
        return Ok(());
    };
    let lists: Option<Vec<Vec<Value>>> =
        serde_json::from_str(line).map_err(|error| Error::Model {
            path: path.to_owned(),
            format: FORMAT,
            at: "pandas_categorical".to_owned(),
            reason: format!("expected a list of lists of categories: {error}"),
        })?;
    let lists = lists.unwrap_or_default();
    let columns: Vec<usize> = (0..infos.len())
        .filter(|&i| !infos[i].starts_with('[') && infos[i] != "none")
        .collect();
    let fits = columns.len() == lists.len()
        && columns
            .iter()
            .zip(&lists)
            .all(|(&column, list)| largest(infos[column]) < list.len() as f64);
    if !fits {
        if lists.iter().all(|list| identity(list)) {
            return Ok(());
        }
        return Err(Error::Unsupported {
            what: format!(
                "{}: pandas_categorical, which lists the categories of {} columns where \
                 feature_infos marks {} columns as categorical, so that the columns cannot be told,",
                path.display(),
                lists.len(),
                columns.len()
            ),
            by: "this loader".to_owned(),
            instead: "drop category columns with a single category and train again, or train on \
                      integer codes"
                .to_owned(),
        });
    }
    for (column, list) in columns.into_iter().zip(lists) {
        if !identity(&list) {
            let numbers = if list.iter().any(Value::is_number) {
                Numbers::Values
            } else {
                Numbers::Codes
            };
            features[column].categories = Some(Categories {
                labels: list.iter().map(label).collect(),
                numbers,
            });
        }
    }
    Ok(())
}

/// The largest category number of a word such as `-1:0:5:3`.
fn largest(info: &str) -> f64 {
    info.split(':')
        .filter_map(|code| code.parse().ok())
        .fold(-1.0, f64::max)
}

/// Whether every category is its own number.
fn identity(list: &[Value]) -> bool {
    list.iter()
        .enumerate()
        .all(|(i, value)| value.as_f64() == Some(i as f64))
}

/// A category as a table spells it.
fn label(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Number(number) => number.as_i64().map_or_else(
            || number.as_f64().unwrap_or(f64::NAN).to_string(),
            |n| n.to_string(),
        ),
        other => other.to_string(),
    }
}

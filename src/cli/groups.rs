//! `--group` and `--groups`: columns that play as one.

use std::path::PathBuf;

use clap::Args;
use serde_json::Value;
use whylight::explain::Group;
use whylight::model::Model;
use whylight::{Error, Result};

use super::input::shown;

/// Which columns play as one.
#[derive(Debug, Args)]
pub(super) struct Groups {
    /// Columns that play as one, such as a one-hot encoding, under a name: NAME=COLUMN,COLUMN,…;
    /// can be given several times
    #[arg(long, value_name = "GROUP")]
    group: Vec<String>,

    /// JSON file of groups: an object of names, each with a list of columns, or with an object of
    /// further names that all play as one
    #[arg(long, value_name = "FILE")]
    groups: Option<PathBuf>,
}

impl Groups {
    /// The groups, by the columns of a model.
    pub(super) fn of(&self, model: &Model) -> Result<Vec<Group>> {
        let mut named = self.in_file()?;
        for text in &self.group {
            let Some((name, columns)) = text.split_once('=') else {
                return Err(Error::Parameter {
                    name: "group",
                    got: format!("\"{text}\""),
                    allowed: "NAME=COLUMN,COLUMN,…".to_owned(),
                });
            };
            let columns = columns.split(',').map(|column| column.trim().to_owned());
            named.push((name.trim().to_owned(), columns.collect()));
        }
        let features = model.features();
        (named.iter())
            .map(|(name, columns)| Group::of_names(name, columns, features))
            .collect()
    }

    fn in_file(&self) -> Result<Vec<(String, Vec<String>)>> {
        let Some(path) = &self.groups else {
            return Ok(Vec::new());
        };
        let bytes = std::fs::read(path).map_err(|source| Error::Io {
            path: path.clone(),
            source,
        })?;
        let refused = |reason: String| Error::Data {
            path: path.clone(),
            at: "its groups".to_owned(),
            reason,
        };
        let value: Value = serde_json::from_slice(&bytes)
            .map_err(|error| refused(format!("{} is no JSON: {error}", shown(path))))?;
        let Value::Object(groups) = value else {
            return Err(refused(
                "no JSON object; expected names of groups".to_owned(),
            ));
        };
        (groups.iter())
            .map(|(name, members)| {
                let mut columns = Vec::new();
                let is_clear = collect(members, &mut columns);
                is_clear.then(|| (name.clone(), columns)).ok_or_else(|| {
                    refused(format!(
                        "\"{name}\" holds something other than names of columns; expected a list \
                         of them, or an object of such lists"
                    ))
                })
            })
            .collect()
    }
}

/// The names in nested lists and objects; false if there is anything else.
fn collect(value: &Value, columns: &mut Vec<String>) -> bool {
    match value {
        Value::String(name) => {
            columns.push(name.clone());
            true
        }
        Value::Array(values) => values.iter().all(|value| collect(value, columns)),
        Value::Object(values) => values.values().all(|value| collect(value, columns)),
        _ => false,
    }
}

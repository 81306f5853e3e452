//! What LIME is asked for.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use clap::Args;
use whylight::data::{self, Cells, Column, Header, LabelColumn, ReadOptions, Reader};
use whylight::explain::lime::{Discretizer, LimeOptions, Selection};
use whylight::model::Feature;
use whylight::{Error, Result, Table};

/// How LIME samples, weighs and chooses.
#[derive(Debug, Args)]
pub(super) struct LimeArgs {
    /// What numbers are compared by: quartile, decile, entropy (bins that tell --training-labels apart), or none (they are
    /// quantities); quartile by default (lime)
    #[arg(long, value_name = "WHICH")]
    discretizer: Option<Discretizer>,

    /// Table of one column, the class of each row of --background, for the discretizer entropy (lime)
    #[arg(long, value_name = "FILE")]
    training_labels: Option<PathBuf>,

    /// A column whose numbers are categories, by name, or by position from 1 where it has none; can be given several
    /// times (lime)
    #[arg(long, value_name = "COL")]
    categorical: Vec<String>,

    /// Features of a row's model at most; all by default (lime)
    #[arg(long, value_name = "N")]
    num_features: Option<usize>,

    /// Samples about a row; 5000 by default (lime)
    #[arg(long, value_name = "N")]
    num_samples: Option<usize>,

    /// The distance at which a sample weighs exp(-1/2); 0.75 times the root of the number of features by default (lime)
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    kernel_width: Option<f64>,

    /// How features are chosen: auto, `forward_selection`, `highest_weights`, `lasso_path` or none; auto by default (lime)
    #[arg(long, value_name = "WHICH")]
    feature_selection: Option<Selection>,

    /// Draw samples around each row, with the discretizer none (lime)
    #[arg(long)]
    sample_around_instance: bool,
}

impl LimeArgs {
    /// The options, for a model of these features; `header` is that of CSV files.
    pub(super) fn options(&self, features: &[Feature], header: Header) -> Result<LimeOptions> {
        let default = LimeOptions::default();
        let labels = self
            .training_labels
            .as_deref()
            .map(|path| classes(path, header))
            .transpose()?;
        let column = |name: &String| position(features, name);
        Ok(LimeOptions {
            discretizer: self.discretizer.unwrap_or_default(),
            labels,
            categorical: self.categorical.iter().map(column).collect::<Result<_>>()?,
            kernel_width: self.kernel_width,
            num_features: self.num_features,
            num_samples: self.num_samples.unwrap_or(default.num_samples),
            feature_selection: self.feature_selection.unwrap_or_default(),
            sample_around_instance: self.sample_around_instance,
        })
    }

    /// Refuses options that mean nothing to another method.
    pub(super) fn check_unused(&self) -> Result<()> {
        let name = match self {
            Self {
                discretizer: Some(_),
                ..
            } => "discretizer",
            Self {
                training_labels: Some(_),
                ..
            } => "training-labels",
            Self { categorical, .. } if !categorical.is_empty() => "categorical",
            Self {
                num_features: Some(_),
                ..
            } => "num-features",
            Self {
                num_samples: Some(_),
                ..
            } => "num-samples",
            Self {
                kernel_width: Some(_),
                ..
            } => "kernel-width",
            Self {
                feature_selection: Some(_),
                ..
            } => "feature-selection",
            Self {
                sample_around_instance: true,
                ..
            } => "sample-around-instance",
            _ => return Ok(()),
        };
        Err(Error::Parameter {
            name,
            got: "a value for another method".to_owned(),
            allowed: "with --method lime".to_owned(),
        })
    }
}

/// The position of a column.
fn position(features: &[Feature], name: &str) -> Result<usize> {
    let named = |feature: &Feature| feature.name.as_deref() == Some(name);
    if let Some(found) = features.iter().position(named) {
        return Ok(found);
    }
    let is_numbered = features.iter().all(|feature| feature.name.is_none());
    match name.parse::<usize>() {
        Ok(place) if is_numbered && (1..=features.len()).contains(&place) => Ok(place - 1),
        _ => Err(Error::Parameter {
            name: "categorical",
            got: format!("\"{name}\""),
            allowed: "the name of a column of the model, or its position from 1 where it has none"
                .to_owned(),
        }),
    }
}

/// The classes in a table of one column, numbered as they come.
fn classes(path: &Path, header: Header) -> Result<Vec<u32>> {
    let mut options = ReadOptions {
        header,
        ..ReadOptions::default()
    };
    let name = Reader::open(path, &options)?
        .names()
        .and_then(|names| names.first().cloned());
    // Of a CSV file, whatever a cell says is a class.
    options.labels = vec![LabelColumn {
        name,
        index: Some(0),
        known: Vec::new(),
    }];
    let table = data::read(path, &options)?;
    if table.columns() != 1 {
        return Err(Error::Shape {
            what: format!("{}: the labels", path.display()),
            expected: "one column".to_owned(),
            got: table.columns().to_string(),
        });
    }
    let mut numbers = HashMap::new();
    let mut number = |cell: u64| {
        let next = numbers.len() as u32;
        *numbers.entry(cell).or_insert(next)
    };
    Ok(match &table {
        Table {
            cells: Cells::F32(matrix),
            ..
        } => matrix
            .iter()
            .map(|cell| number(f64::from(*cell).to_bits()))
            .collect(),
        Table {
            cells: Cells::F64(matrix),
            ..
        } => matrix.iter().map(|cell| number(cell.to_bits())).collect(),
        Table {
            cells: Cells::Columns(columns),
            ..
        } => match columns.first() {
            Some(Column::F32(cells)) => cells
                .iter()
                .map(|cell| number(f64::from(*cell).to_bits()))
                .collect(),
            Some(Column::F64(cells)) => cells.iter().map(|cell| number(cell.to_bits())).collect(),
            Some(Column::Labels { codes, .. }) => codes
                .iter()
                .map(|code| number(i64::from(*code).cast_unsigned()))
                .collect(),
            None => Vec::new(),
        },
    })
}

//! `whylight demo`: a model and a table that are built in, explained from end to end.

use std::fmt::Write;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ndarray::{Array2, Axis};
use whylight::data::Cells;
use whylight::report::{self, Waterfall};
use whylight::{Device, Error, Explainer, Options, Result, Table, model};

use super::explain::account;
use super::input::shown;
use super::output::PartFile;
use super::show;

const MODEL: &[u8] = include_bytes!("../../examples/breast_cancer/model.json");
const ROWS: &[u8] = include_bytes!("../../examples/breast_cancer/rows.csv");

/// Features that are shown of the ranking.
const RANKED: usize = 10;
/// Features that are shown of the row.
const STEPS: usize = 10;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Folder for explanation.json
    #[arg(long, value_name = "DIR", default_value = ".")]
    out: PathBuf,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let out = args.out.join("explanation.json");
    std::fs::create_dir_all(&args.out).map_err(|source| Error::Io {
        path: args.out.clone(),
        source: match source.kind() {
            ErrorKind::AlreadyExists => io::Error::other("not a folder; name a folder"),
            _ => source,
        },
    })?;
    let file = PartFile::create(&out)?;
    let model = Arc::new(model::parse(MODEL, Path::new("<demo>/model.json"))?);
    let table = table()?;
    let options = Options {
        additivity_rows: Some(u64::MAX),
        ..Options::on(Device::auto())
    };
    let explainer = Explainer::new(model, None, options)?;
    let explanation = explainer.explain(&table)?;
    let header = &explanation.header;

    let mut text = format!(
        "A gradient-boosted model tells benign from malignant tumours by {} measurements.\n\
         These are the reasons for its answers on {} tumours that it has never seen.\n\n",
        table.columns(),
        table.rows(),
    );
    text += &account(header, &explanation.trailer);
    text += "\nWhich measurements matter most, by mean |value|\n\n";
    text += &report::ranking(&header.feature_names, &explanation.ranking(), RANKED);

    // The first row on the malignant side, where the margin is below zero.
    let base_value = header.base_values.first().copied().unwrap_or_default();
    let margins: Vec<f64> = (explanation.values.axis_iter(Axis(0)))
        .map(|row| base_value + row.iter().map(|&value| f64::from(value)).sum::<f64>())
        .collect();
    let row = margins.iter().position(|&margin| margin < 0.0).unwrap_or(0);
    let margin = margins.get(row).copied().unwrap_or(base_value);
    let benign = 1.0 / (1.0 + (-margin).exp());
    let _ = writeln!(
        text,
        "\nRow {}: why the model gives it a probability of {benign:.3} of being benign\n",
        row + 1
    );
    let values = explanation.values.index_axis(Axis(0), row);
    text += &report::waterfall(
        Waterfall {
            output: header.output_label(),
            base_value,
            values: &values.column(0).to_vec(),
            features: &header.feature_names,
            columns: &header.columns,
            data: Some((&table, row)),
        },
        STEPS,
    );
    let _ = writeln!(
        text,
        "\nThe margin is the log-odds of being benign: 1 / (1 + exp({:.4})) = {benign:.3}.",
        -margin
    );
    file.write(&explanation.with_data(table))?;
    let _ = writeln!(text, "The whole result is in {}.", shown(&out));
    show(&text)
}

/// The embedded table; its cells are numbers, which the script that made it wrote.
fn table() -> Result<Table> {
    let fault = |at: String, reason: String| Error::Data {
        path: "<demo>/rows.csv".into(),
        at,
        reason,
    };
    let mut text = csv::Reader::from_reader(ROWS);
    let names = text
        .headers()
        .map_err(|error| fault("line 1".to_owned(), error.to_string()))?;
    let names: Vec<String> = names.iter().map(str::to_owned).collect();
    let mut cells: Vec<f64> = Vec::new();
    let mut rows = 0;
    for record in text.deserialize::<Vec<f64>>() {
        rows += 1;
        let record = record.map_err(|error| fault(format!("row {rows}"), error.to_string()))?;
        cells.extend(record);
    }
    let matrix = Array2::from_shape_vec((rows, names.len()), cells)
        .map_err(|error| fault("its rows".to_owned(), error.to_string()))?;
    Table::new(Some(names), Cells::F64(matrix))
}

//! `whylight explain`: from a model file and a table to an explanation.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};
use ndarray::Axis;
use whylight::data::{self, Reader, Table, View};
use whylight::explanation::{Explanation, Header, Sink, Summary, Trailer};
use whylight::report::{self, Coefficients, Waterfall};
use whylight::{Error, Explainer, Options, Result};

use super::input::{Input, shown};
use super::output::{Format, PartFile};
use super::permutation::{self, PermutationArgs};
use super::value;
use super::{note, show, use_threads};

/// Rows whose values are shown on the screen.
const ROWS: usize = 3;
/// Features that are shown of a ranking.
const RANKED: usize = 20;
/// Features that are shown of a row.
const STEPS: usize = 8;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) input: Input,

    #[command(flatten)]
    pub(super) permutation: PermutationArgs,

    /// Where to compute: auto, cpu, gpu, or gpu:N as `whylight devices` numbers them
    #[arg(long, default_value = "auto")]
    pub(super) device: String,

    /// File to write: .json (the whole result), .npy (the values), .parquet, .arrow or .csv (a row
    /// per explained row, of permutation .csv with a row per feature); without it, the ranking and the first rows are
    /// shown
    #[arg(long, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,

    /// CPU threads; all by default
    #[arg(long, value_name = "N", value_parser = value::threads)]
    threads: Option<usize>,

    /// Memory that rows and their values may take, such as 512MiB
    #[arg(long, value_name = "SIZE", value_parser = value::bytes)]
    pub(super) memory_limit: Option<u64>,

    /// Rows whose values are held against the model's float64 margin: a number, or all
    #[arg(long, value_name = "N", value_parser = value::rows)]
    pub(super) additivity_rows: Option<u64>,

    /// Of the explained rows, keep N that cover the most of what the model does, by SP-LIME (lime)
    #[arg(long, value_name = "N", value_parser = value::positive)]
    sp: Option<usize>,
}

pub(super) fn run(args: &Args) -> Result<()> {
    use_threads(args.threads)?;
    if args.input.is_permutation() {
        return permutation::run(args);
    }
    args.permutation.check_unused()?;
    let format = args.out.as_deref().map(Format::of).transpose()?;
    if format == Some(Format::Json) && args.memory_limit.is_some() {
        return Err(Error::Parameter {
            name: "memory-limit",
            got: "a limit for a .json file".to_owned(),
            allowed: "use .npy, .parquet, .arrow or .csv, which are written as the rows come; \
                      .json holds the whole result in memory"
                .to_owned(),
        });
    }
    let (model, background) = args.input.load()?;
    let options = Options {
        memory_limit: args.memory_limit,
        additivity_rows: args.additivity_rows,
        ..Options::on(args.device.parse()?)
    };
    let options = args.input.options(&model, options)?;
    let explainer = args.input.explainer(model, background.as_ref(), options)?;
    if args.sp.is_some() && explainer.header().lime.is_none() {
        return Err(Error::Parameter {
            name: "sp",
            got: "a number of rows for another method".to_owned(),
            allowed: "with --method lime".to_owned(),
        });
    }
    match (&args.out, format) {
        (Some(out), Some(format)) => to_file(args, &explainer, out, format),
        _ => to_screen(args, &explainer),
    }
}

fn to_file(args: &Args, explainer: &Explainer, out: &Path, format: Format) -> Result<()> {
    let options = args.input.reading(explainer.read_options());
    let start;
    let trailer = if let Some(budget) = args.sp {
        let sink = format.sink(out, explainer.header())?;
        let part = if sink.is_none() {
            Some(PartFile::create(out)?)
        } else {
            None
        };
        start = Instant::now();
        let explanation = picked(args, explainer, budget)?;
        if let Some(mut sink) = sink {
            sink.begin(explainer.header())?;
            sink.block(&explanation.block())?;
            sink.end(&explanation.trailer)?;
        }
        if let Some(part) = part {
            part.write(&explanation)?;
        }
        explanation.trailer
    } else if let Some(mut sink) = format.sink(out, explainer.header())? {
        let mut reader = Reader::open(&args.input.data, &options)?;
        start = Instant::now();
        stream(explainer, &mut reader, &mut *sink)?
    } else {
        let file = PartFile::create(out)?;
        let table = data::read(&args.input.data, &options)?;
        start = Instant::now();
        let explanation = explainer.explain(&table);
        let explanation = explanation.map_err(|error| error.in_file(&args.input.data))?;
        let explanation = explanation.with_data(table);
        file.write(&explanation)?;
        explanation.trailer
    };
    let seconds = start.elapsed().as_secs_f64();
    note(account(explainer.header(), &trailer).trim_end());
    note(&format!("wrote {} in {seconds:.2} s", shown(out)));
    Ok(())
}

/// The rows that SP-LIME picks, with their cells.
fn picked(args: &Args, explainer: &Explainer, budget: usize) -> Result<Explanation> {
    let options = args.input.reading(explainer.read_options());
    let table = data::read(&args.input.data, &options)?;
    let in_file = |error: Error| error.in_file(&args.input.data);
    let mut explanation = explainer.explain(&table).map_err(in_file)?;
    let rows = explainer.pick(&explanation, &View::from(&table), budget)?;
    let places: Vec<String> = rows.iter().map(|row| (row + 1).to_string()).collect();
    let note = format!(
        "SP-LIME picked the rows {} of {}",
        places.join(", "),
        table.rows()
    );
    explanation.trailer.notes.push(note);
    Ok(explanation.with_data(table).select(&rows))
}

/// The linear models of rows that are there with their cells.
fn coefficients(explainer: &Explainer, explanation: &Explanation) -> Result<String> {
    let mut text = String::new();
    let (Some(table), Some(intercepts), Some(fits)) = (
        &explanation.data,
        &explanation.intercepts,
        &explanation.local_fit,
    ) else {
        return Ok(text);
    };
    let names = &explanation.header.output_names;
    let rules = explainer.rules(&View::from(table))?;
    for (row, rules) in rules.iter().enumerate() {
        let values = explanation.values.index_axis(Axis(0), row);
        let said = |output: usize| {
            let values = values.column(output);
            intercepts[[row, output]] + values.iter().map(|&value| f64::from(value)).sum::<f64>()
        };
        let largest = (0..names.len()).max_by(|&a, &b| said(a).total_cmp(&said(b)));
        let largest = largest.unwrap_or(0);
        let place = explanation
            .picked
            .as_ref()
            .map_or(row, |picked| picked[row]);
        let _ = write!(text, "\nRow {}", place + 1);
        if names.len() > 1 {
            let of = names.len();
            let _ = write!(text, ", {} (the largest of {of} outputs)", names[largest]);
        }
        text += "\n\n";
        let errors = explanation.standard_errors.as_ref();
        let errors = errors.map(|errors| errors.index_axis(Axis(0), row).column(largest).to_vec());
        let model = Coefficients {
            rules,
            values: &values.column(largest).to_vec(),
            errors: &errors.unwrap_or_default(),
            intercept: intercepts[[row, largest]],
            local_fit: fits[[row, largest]],
        };
        text += &report::coefficients(model, STEPS);
    }
    Ok(text)
}

/// Global and local LIME: of the picked rows where some are to be picked, else of the first ones.
fn lime_to_screen(args: &Args, explainer: &Explainer) -> Result<()> {
    let options = args.input.reading(explainer.read_options());
    let (explanation, ranking, trailer);
    if let Some(budget) = args.sp {
        explanation = picked(args, explainer, budget)?;
        ranking = explanation.ranking();
        trailer = explanation.trailer.clone();
    } else {
        let mut summary = Summary::new(0);
        let mut reader = Reader::open(&args.input.data, &options)?;
        trailer = stream(explainer, &mut reader, &mut summary)?;
        ranking = summary.ranking();
        let table = data::head(&args.input.data, &options, ROWS)?;
        explanation = explainer.explain(&table)?.with_data(table);
    }
    let header = explainer.header();
    let mut text = account(header, &trailer);
    let _ = writeln!(
        text,
        "\nFeatures by mean |coefficient| over {} rows\n",
        trailer.rows
    );
    text += &report::ranking(&header.feature_names, &ranking, RANKED);
    text += &coefficients(explainer, &explanation)?;
    show(&text)
}

fn to_screen(args: &Args, explainer: &Explainer) -> Result<()> {
    if explainer.header().lime.is_some() {
        return lime_to_screen(args, explainer);
    }
    let options = args.input.reading(explainer.read_options());
    let mut summary = Summary::new(ROWS);
    let mut reader = Reader::open(&args.input.data, &options)?;
    let trailer = stream(explainer, &mut reader, &mut summary)?;
    // The rows are gone by now; the first ones are read again for their cells.
    let table = data::head(&args.input.data, &options, ROWS)?;
    let header = explainer.header();
    let mut text = account(header, &trailer);
    if header.interactions {
        let _ = writeln!(
            text,
            "\nPairs of features by mean |interaction| over {} rows\n",
            trailer.rows
        );
        let features = header.feature_names.len();
        let mut ranking = summary.ranking();
        // A pair is there twice.
        ranking.retain(|(cell, _)| cell / features <= cell % features);
        text += &report::ranking(&report::cell_names(header), &ranking, RANKED);
        return show(&text);
    }
    let _ = writeln!(
        text,
        "\nFeatures by mean |value| over {} rows\n",
        trailer.rows
    );
    text += &report::ranking(&header.feature_names, &summary.ranking(), RANKED);
    for row in 0..summary.first().dim().0 {
        text += &local(header, &summary, &table, row);
    }
    show(&text)
}

/// The waterfall of a row; of several outputs the one with the largest margin.
fn local(header: &Header, summary: &Summary, table: &Table, row: usize) -> String {
    let values = summary.first();
    let values = values.index_axis(Axis(0), row);
    let margin = |output: usize| {
        let values = values.column(output);
        header.base_values[output] + values.iter().map(|&value| f64::from(value)).sum::<f64>()
    };
    let outputs = 0..header.output_names.len();
    let largest = outputs
        .max_by(|&a, &b| margin(a).total_cmp(&margin(b)))
        .unwrap_or(0);
    let mut text = format!("\nRow {}", row + 1);
    if header.output_names.len() > 1 {
        let name = &header.output_names[largest];
        let _ = write!(
            text,
            ", {name} (the largest of {} outputs)",
            header.output_names.len()
        );
    }
    text += "\n\n";
    text += &report::waterfall(
        Waterfall {
            output: header.output_label(),
            base_value: header.base_values[largest],
            values: &values.column(largest).to_vec(),
            features: &header.feature_names,
            columns: &header.columns,
            data: Some((table, row)),
        },
        STEPS,
    );
    text
}

/// Explains with a progress bar, which only a terminal shows.
fn stream(explainer: &Explainer, reader: &mut Reader, sink: &mut dyn Sink) -> Result<Trailer> {
    let bar = match reader.rows() {
        Some(rows) => ProgressBar::new(rows).with_style(style(
            "{bar:40} {human_pos} of {human_len} rows, {per_sec}, {eta} left",
        )),
        None => ProgressBar::no_length().with_style(style("{spinner} {human_pos} rows, {per_sec}")),
    };
    let trailer = explainer.explain_into(reader, sink, &mut |rows| bar.set_position(rows));
    bar.finish_and_clear();
    trailer
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// What was explained, how, where and how exactly.
pub(super) fn account(header: &Header, trailer: &Trailer) -> String {
    let base: Vec<String> = (header.base_values.iter().take(4))
        .map(|value| format!("{value:.6}"))
        .collect();
    let more = if header.base_values.len() > 4 {
        ", …"
    } else {
        ""
    };
    // A model of trees is divided among engines; any other has one kernel, or none where it is asked.
    let of_trees = |(engine, trees): &(String, usize)| format!("{engine} {trees}");
    let engines = match &*trailer.engines {
        [] => String::new(),
        [(kernel, _)] if header.method == "kernel_shap" => format!("kernel      {kernel}\n"),
        all => {
            let title = if header.method == "deep_shap" {
                "rules"
            } else {
                "trees"
            };
            let all: Vec<String> = all.iter().map(of_trees).collect();
            format!("{title}       {}\n", all.join(", "))
        }
    };
    let additivity = if header.has_intercepts() {
        "none: coefficients do not add up".to_owned()
    } else if trailer.additivity_error.is_nan() {
        format!("none: {} values do not add up", header.index)
    } else {
        format!(
            "error {:.1e}, the largest of {} rows checked",
            trailer.additivity_error, trailer.additivity_rows
        )
    };
    let base = match &*base {
        [] => String::new(),
        // Rows have base values of their own.
        base if header.has_intercepts() => format!("mean answer {}{more}\n", base.join(", ")),
        base => format!("base value  {}{more}\n", base.join(", ")),
    };
    let mut text = format!(
        "model       {}{}, {} features, {} output{}\n\
         method      {}, {}, {}, output: {}\n\
         cover       {}\n\
         device      {}\n\
         because     {}\n\
         {engines}\
         rows        {}\n\
         {base}\
         additivity  {additivity}\n",
        header.model_format,
        match header.objective.as_str() {
            "" => String::new(),
            objective => format!(" ({objective})"),
        },
        header.feature_names.len(),
        header.output_names.len(),
        if header.output_names.len() == 1 {
            ""
        } else {
            "s"
        },
        header.method,
        header.value_function,
        header.estimator,
        header.output,
        header.cover,
        header.device,
        header.device_reason,
        trailer.rows,
    );
    for (name, columns) in &header.groups {
        let _ = writeln!(text, "group       {name}: {}", columns.join(", "));
    }
    for line in &trailer.notes {
        let _ = writeln!(text, "note        {line}");
    }
    text
}

//! `--method permutation`: how much worse a model's answers fit labels once a column is shuffled.

use std::collections::HashMap;
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};
use whylight::data::{self, Cells, Column, LabelColumn, ReadOptions, View};
use whylight::explain::permutation::{
    PermutationImportance, PermutationOptions, explain_permutation, judge,
};
use whylight::metric::Metric;
use whylight::report;
use whylight::{Device, Error, Model, Options, Result};

use super::explain::Args;
use super::input::{Input, shown};
use super::output::PartFile;
use super::{note, show, value};

/// Features that are shown of a ranking.
const RANKED: usize = 30;

/// What rows are shuffled, and what is made of the answers.
#[derive(Debug, clap::Args)]
pub(super) struct PermutationArgs {
    /// Column of the rows that holds the true labels: numbers, or the names or numbers of classes (permutation)
    #[arg(long, value_name = "COL")]
    labels: Option<String>,

    /// How answers are scored, by the name that scikit-learn has for it, such as accuracy, `f1_macro`, `roc_auc`,
    /// `log_loss`, `mean_squared_error` or r2; by default `f1_micro` of classifiers, `mean_absolute_error` of others
    /// (permutation)
    #[arg(long, value_name = "NAME")]
    metric: Option<Metric>,

    /// How often each column is shuffled; 5 by default (permutation)
    #[arg(long, value_name = "N", value_parser = value::positive)]
    repeats: Option<usize>,

    /// A column within whose values rows are shuffled, so that they keep what goes with it; can be given several times
    /// (permutation)
    #[arg(long, value_name = "COL")]
    strata: Vec<String>,
}

impl PermutationArgs {
    /// Refuses what other methods would leave unread.
    pub(super) fn check_unused(&self) -> Result<()> {
        let given = [
            ("labels", self.labels.is_some()),
            ("metric", self.metric.is_some()),
            ("repeats", self.repeats.is_some()),
            ("strata", !self.strata.is_empty()),
        ];
        match given.into_iter().find(|(_, is_given)| *is_given) {
            Some((name, _)) => Err(Error::Parameter {
                name,
                got: "given without --method permutation".to_owned(),
                allowed: "leave it out, or take the method permutation".to_owned(),
            }),
            None => Ok(()),
        }
    }
}

pub(super) fn run(args: &Args) -> Result<()> {
    let own = &args.permutation;
    let Some(label) = &own.labels else {
        return Err(Error::Parameter {
            name: "labels",
            got: "none".to_owned(),
            allowed: "permutation importance is how much worse answers fit the true labels: name their column of the \
                      rows"
            .to_owned(),
        });
    };
    let ending = args.out.as_deref().map(ending).transpose()?;
    if args.additivity_rows.is_some() {
        return Err(unused("additivity-rows"));
    }
    let apart = std::slice::from_ref(label);
    let (model, _) = args.input.load_beside(apart)?;
    let device: Device = args.device.parse()?;
    let others = args.input.options(&model, Options::on(Device::cpu()))?;
    check(&others)?;
    let file = args.out.as_deref().map(PartFile::create).transpose()?;
    let rows = args.input.rows_beside(&model, label, &own.strata)?;
    let labels = numbers_or_text(args.input.column(label)?);
    let in_file = |error: Error| error.in_file(&args.input.data);
    let (judge, output) = judge(&model, own.metric, &labels).map_err(in_file)?;
    let strata = match &*own.strata {
        [] => None,
        names => Some(strata(&args.input, names)?),
    };
    let options = PermutationOptions {
        device,
        // The whole command has as many as it was given.
        threads: 0,
        memory_limit: args.memory_limit,
        output,
        n_repeats: own.repeats.unwrap_or(5),
        seed: others.seed,
        groups: others.groups,
        subset: None,
        strata,
    };
    let start = Instant::now();
    let found = shuffled(&model, &View::from(&rows), &judge, &options).map_err(in_file)?;
    let Some(file) = file else {
        let mut text = account(&found);
        let _ = writeln!(
            text,
            "\nFeatures by what {} {} by once they are shuffled\n",
            found.metric,
            if found.is_error { "rises" } else { "falls" }
        );
        text += &report::importance_ranking(&found, RANKED);
        return show(&text);
    };
    file.write_with(|out| match ending {
        Some(Ending::Csv) => report::importance_csv(&found, out),
        _ => report::importance_json(&found, out),
    })?;
    note(account(&found).trim_end());
    let seconds = start.elapsed().as_secs_f64();
    let path = args.out.as_deref().map(shown).unwrap_or_default();
    note(&format!("wrote {path} in {seconds:.2} s"));
    Ok(())
}

/// Computes with a progress bar, which only a terminal shows.
fn shuffled(
    model: &Arc<Model>,
    rows: &View<'_>,
    judge: &whylight::metric::Judge,
    options: &PermutationOptions,
) -> Result<PermutationImportance> {
    let style = ProgressStyle::with_template("{bar:40} {pos} of {len} features, {eta} left");
    let bar = ProgressBar::new(model.features().len() as u64)
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let found = explain_permutation(model, rows, judge, options, &mut |done| {
        bar.set_position(done);
        true
    });
    bar.finish_and_clear();
    found?.ok_or_else(|| Error::Predict {
        source: "the work was stopped".into(),
    })
}

#[derive(Debug, Clone, Copy)]
enum Ending {
    Json,
    Csv,
}

fn ending(path: &Path) -> Result<Ending> {
    let ending = path.extension().unwrap_or_default().to_string_lossy();
    match ending.to_ascii_lowercase().as_str() {
        "json" => Ok(Ending::Json),
        "csv" => Ok(Ending::Csv),
        _ => Err(Error::Parameter {
            name: "out",
            got: path.display().to_string(),
            allowed: "of permutation importance, a file that ends in .json (the whole result) or .csv (a row per \
                      feature)"
                .to_owned(),
        }),
    }
}

fn unused(name: &'static str) -> Error {
    Error::Parameter {
        name,
        got: "given with --method permutation".to_owned(),
        allowed: "leave it out: it is of Shapley values".to_owned(),
    }
}

/// Refuses the options of other methods.
fn check(options: &Options) -> Result<()> {
    let plain = Options::on(Device::cpu());
    let given = [
        ("interactions", options.interactions),
        (
            "value-function",
            options.value_function != plain.value_function,
        ),
        ("index", options.index != plain.index),
        ("output", options.output != plain.output),
        ("estimator", options.estimator != plain.estimator),
        ("link", options.link != plain.link),
        ("nsamples", options.samples.is_some()),
        ("tolerance", options.tolerance.is_some()),
        ("used-only", options.used_only),
        ("layer", options.layer.is_some()),
        ("fallback", options.fallback.is_some()),
    ];
    match given.into_iter().find(|(_, is_given)| *is_given) {
        Some((name, _)) => Err(unused(name)),
        None => Ok(()),
    }
}

impl Input {
    /// The rows without their labels, and without strata that a model which names its columns does not read.
    fn rows_beside(&self, model: &Model, label: &str, strata: &[String]) -> Result<data::Table> {
        let features = model.features();
        let mut options = self.reading(ReadOptions::for_features(features));
        options.drop.push(label.to_owned());
        let is_read = |name: &String| {
            let is_feature =
                |feature: &whylight::model::Feature| feature.name.as_ref() == Some(name);
            features
                .iter()
                .any(|feature| feature.name.is_none() || is_feature(feature))
        };
        let apart = strata
            .iter()
            .filter(|name| !is_read(name) && !options.drop.contains(*name));
        let apart: Vec<String> = apart.cloned().collect();
        options.drop.extend(apart);
        data::read(&self.data, &options)
    }

    /// One column of the rows, as text where its file has no types.
    fn column(&self, name: &str) -> Result<Column> {
        let mut options = self.reading(ReadOptions::default());
        options.drop.clear();
        options.only = vec![name.to_owned()];
        options.labels = vec![LabelColumn {
            name: Some(name.to_owned()),
            index: Some(0),
            known: Vec::new(),
        }];
        let table = data::read(&self.data, &options)?;
        Ok(match table.cells {
            Cells::F32(matrix) => Column::F32(matrix.into_iter().collect()),
            Cells::F64(matrix) => Column::F64(matrix.into_iter().collect()),
            Cells::Columns(columns) => {
                let first = columns.into_iter().next();
                first.unwrap_or_else(|| Column::F64(Vec::new()))
            }
        })
    }
}

/// Labels that are numbers all, as numbers.
fn numbers_or_text(column: Column) -> Column {
    let Column::Labels { codes, labels } = &column else {
        return column;
    };
    let numbers: Option<Vec<f64>> = labels
        .iter()
        .map(|label| label.trim().parse().ok())
        .collect();
    let Some(numbers) = numbers else {
        return column;
    };
    let number = |&code: &i32| {
        let number = usize::try_from(code)
            .ok()
            .and_then(|code| numbers.get(code));
        number.copied().unwrap_or(f64::NAN)
    };
    Column::F64(codes.iter().map(number).collect())
}

/// A number for each row, the same for rows that have the same cells in all of these columns.
fn strata(input: &Input, names: &[String]) -> Result<Vec<u32>> {
    let columns = names.iter().map(|name| input.column(name));
    let columns = columns.collect::<Result<Vec<Column>>>()?;
    let rows = columns.first().map_or(0, Column::len);
    let mut numbers: HashMap<Vec<u64>, u32> = HashMap::new();
    let cell = |column: &Column, row: usize| match column {
        Column::F32(cells) => u64::from(cells[row].to_bits()),
        Column::F64(cells) => cells[row].to_bits(),
        Column::Labels { codes, .. } => u64::from(codes[row].cast_unsigned()),
    };
    Ok((0..rows)
        .map(|row| {
            let key = columns.iter().map(|column| cell(column, row)).collect();
            let next = numbers.len() as u32;
            *numbers.entry(key).or_insert(next)
        })
        .collect())
}

/// What was shuffled, how, and how it was scored.
fn account(found: &PermutationImportance) -> String {
    let strata = match found.strata {
        Some(strata) => format!(" within {strata} strata"),
        None => String::new(),
    };
    let mut text = format!(
        "model       {}, {} features\n\
         method      {}, {} repeats{strata}, seed {}\n\
         metric      {} of the {} output, {} of the rows as they are\n\
         device      {}\n\
         because     {}\n\
         engine      {}\n\
         rows        {}\n",
        found.model_format,
        found.feature_names.len(),
        found.method,
        found.n_repeats,
        found.seed,
        found.metric,
        found.output,
        found.base_score,
        found.device,
        found.device_reason,
        found.engine,
        found.rows,
    );
    for (name, columns) in &found.groups {
        let _ = writeln!(text, "group       {name}: {}", columns.join(", "));
    }
    for line in &found.notes {
        let _ = writeln!(text, "note        {line}");
    }
    text
}

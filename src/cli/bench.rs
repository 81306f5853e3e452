//! `whylight bench`: how many rows a second, on one device or on all side by side.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Instant;

use ndarray::Array3;
use serde::{Serialize, Serializer};
use whylight::data::read;
use whylight::{Device, Error, Explainer, Model, Options, Result, Table};

use super::input::Input;
use super::{devices, show, use_threads, value};

/// Cells of a table that is made longer at most: 16 GiB of float64.
const CELLS: usize = 1 << 31;

/// Short calls are repeated until they add up to this, so that the median means something.
const SECONDS: f64 = 0.2;
const MOST_REPEATS: usize = 1000;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    input: Input,

    /// Rows to explain: the first N, the table's rows over and over where it has fewer; all by
    /// default
    #[arg(long, value_name = "N", value_parser = value::positive)]
    rows: Option<usize>,

    /// CPU threads; all by default
    #[arg(long, value_name = "T", value_parser = value::threads)]
    threads: Option<usize>,

    /// Where to compute: auto, cpu, gpu, gpu:N, or all (the CPU and every GPU, compared)
    #[arg(long, default_value = "auto")]
    device: String,

    /// Repeats of each measurement, at the least; medians are printed
    #[arg(long, value_name = "R", default_value = "5", value_parser = value::positive)]
    repeats: usize,

    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// One device's measurement; the field names are the keys of `--json`.
#[derive(Debug, Serialize)]
struct Measurement {
    rows: usize,
    /// From the table in memory to values in memory by a new explainer, so that whatever it packs
    /// for its first rows (tables, factors, uploads) is included.
    seconds: f64,
    /// With the explainer built and warm.
    rows_per_second_resident: f64,
    rows_per_second_end_to_end: f64,
    device: String,
    threads: usize,
    #[serde(serialize_with = "as_object")]
    engines: Vec<(String, usize)>,
    /// From the loaded model to an explainer that has packed all that such calls need.
    build_seconds: f64,
    /// None where the system does not tell.
    peak_rss_bytes: Option<u64>,
}

/// All devices' measurements.
#[derive(Debug, Serialize)]
struct Comparison {
    devices: Vec<Measurement>,
    /// The largest |difference| of any value of any device from the first one's.
    largest_difference: f64,
}

fn as_object<S: Serializer>(engines: &[(String, usize)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(engines.iter().map(|(engine, trees)| (engine, trees)))
}

pub(super) fn run(args: &Args) -> Result<()> {
    use_threads(args.threads)?;
    if args.input.is_permutation() {
        return Err(Error::Unsupported {
            what: "the method permutation".to_owned(),
            by: "bench".to_owned(),
            instead: "take tree, deep or kernel; explain says how long permutation took".to_owned(),
        });
    }
    let (model, background) = args.input.load()?;
    let chosen = match args.device.as_str() {
        "all" => devices::all(),
        one => vec![one.parse()?],
    };
    let mut bench = Bench {
        args,
        model,
        background,
        table: None,
    };
    if args.device != "all" {
        let mut measured = Vec::new();
        for device in chosen {
            measured.push(bench.measure(&device)?.0);
        }
        return match measured.first() {
            Some(only) if args.json => print_json(only),
            _ => show(&table(&measured)),
        };
    }
    let mut comparison = Comparison {
        devices: Vec::new(),
        largest_difference: 0.0,
    };
    let mut first: Option<Array3<f32>> = None;
    let mut relative: f64 = 0.0;
    for device in chosen {
        let (measurement, values) = bench.measure(&device)?;
        comparison.devices.push(measurement);
        if let Some(first) = &first {
            let (largest, of_row) = difference(first, &values);
            comparison.largest_difference = comparison.largest_difference.max(largest);
            relative = relative.max(of_row);
        } else {
            first = Some(values);
        }
    }
    if args.json {
        return print_json(&comparison);
    }
    let mut text = table(&comparison.devices);
    if comparison.devices.len() > 1 {
        let _ = writeln!(
            text,
            "\nlargest difference of a value {:.3e}; {relative:.1e} of the largest value of its row",
            comparison.largest_difference
        );
    } else {
        text += "\nno other device to compare with; `whylight devices` says why\n";
    }
    show(&text)
}

struct Bench<'a> {
    args: &'a Args,
    model: Arc<Model>,
    background: Option<Table>,
    table: Option<Table>,
}

impl Bench<'_> {
    fn explainer(&self, device: &Device) -> Result<Explainer> {
        let options = Options::on(device.clone());
        let options = self.args.input.options(&self.model, options)?;
        (self.args.input).explainer(Arc::clone(&self.model), self.background.as_ref(), options)
    }

    /// The measurement of a device, and its values.
    fn measure(&mut self, device: &Device) -> Result<(Measurement, Array3<f32>)> {
        let explainer = self.explainer(device)?;
        if self.table.is_none() {
            let options = self.args.input.reading(explainer.read_options());
            self.table = Some(repeated(
                read(&self.args.input.data, &options)?,
                self.args.rows,
            )?);
        }
        let Some(table) = &self.table else {
            return Err(no_table());
        };
        let explanation = explainer.explain(table);
        let explanation = explanation.map_err(|error| error.in_file(&self.args.input.data))?;
        let resident = self.median(|| {
            let start = Instant::now();
            let explanation = explainer.explain(table)?;
            let seconds = start.elapsed().as_secs_f64();
            drop(explanation);
            Ok(seconds)
        })?;
        drop(explainer);
        let mut builds = Vec::new();
        let end_to_end = self.median(|| {
            let start = Instant::now();
            let explainer = self.explainer(device)?;
            builds.push(start.elapsed().as_secs_f64());
            let start = Instant::now();
            let explanation = explainer.explain(table)?;
            let seconds = start.elapsed().as_secs_f64();
            drop(explanation);
            Ok(seconds)
        })?;
        let rows = table.rows();
        let measurement = Measurement {
            rows,
            seconds: end_to_end,
            rows_per_second_resident: rows as f64 / resident,
            rows_per_second_end_to_end: rows as f64 / end_to_end,
            device: explanation.header.device,
            threads: rayon::current_num_threads(),
            engines: explanation.trailer.engines,
            build_seconds: median(builds) + (end_to_end - resident).max(0.0),
            peak_rss_bytes: peak_rss_bytes(),
        };
        Ok((measurement, explanation.values))
    }

    fn median(&self, mut measure: impl FnMut() -> Result<f64>) -> Result<f64> {
        let mut seconds = Vec::new();
        let enough = |seconds: &[f64]| {
            seconds.len() >= self.args.repeats
                && (seconds.iter().sum::<f64>() >= SECONDS || seconds.len() >= MOST_REPEATS)
        };
        while !enough(&seconds) {
            seconds.push(measure()?);
        }
        Ok(median(seconds))
    }
}

fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    let middle = seconds.len() / 2;
    match (seconds.get(middle.wrapping_sub(1)), seconds.get(middle)) {
        (Some(low), Some(high)) if seconds.len().is_multiple_of(2) => f64::midpoint(*low, *high),
        (_, Some(middle)) => *middle,
        _ => 0.0,
    }
}

/// The first `rows` rows, over and over where there are fewer.
fn repeated(table: Table, rows: Option<usize>) -> Result<Table> {
    match (rows, table.rows()) {
        (None, _) => Ok(table),
        (Some(_), 0) => Err(no_table()),
        (Some(rows), found) if rows <= found => table.slice(0..rows),
        (Some(rows), _) if rows.saturating_mul(table.columns()) > CELLS => Err(Error::Parameter {
            name: "rows",
            got: rows.to_string(),
            allowed: format!(
                "up to {} rows of {} columns, which memory holds",
                CELLS / table.columns(),
                table.columns()
            ),
        }),
        (Some(rows), found) => {
            let cycle: Vec<usize> = (0..rows).map(|row| row % found).collect();
            table.select(&cycle)
        }
    }
}

fn no_table() -> Error {
    Error::Shape {
        what: "the table".to_owned(),
        expected: "at least one row".to_owned(),
        got: "none".to_owned(),
    }
}

/// The largest difference of two results, and the largest share of its row's largest value.
fn difference(first: &Array3<f32>, other: &Array3<f32>) -> (f64, f64) {
    let (mut largest, mut relative) = (0.0_f64, 0.0_f64);
    let rows = first
        .axis_iter(ndarray::Axis(0))
        .zip(other.axis_iter(ndarray::Axis(0)));
    for (a, b) in rows {
        let scale = a
            .iter()
            .map(|&value| f64::from(value.abs()))
            .fold(0.0, f64::max);
        for (&a, &b) in a.iter().zip(b) {
            let difference = match (f64::from(a) - f64::from(b)).abs() {
                // Two infinities of one sign agree; a NaN agrees with nothing.
                nan if nan.is_nan() => {
                    if a.to_bits() == b.to_bits() {
                        0.0
                    } else {
                        f64::INFINITY
                    }
                }
                difference => difference,
            };
            largest = largest.max(difference);
            if difference > 0.0 {
                relative = relative.max(difference / scale);
            }
        }
    }
    (largest, relative)
}

fn print_json(value: &impl Serialize) -> Result<()> {
    match serde_json::to_string(value) {
        Ok(text) => show(&(text + "\n")),
        Err(error) => Err(Error::Io {
            path: "<stdout>".into(),
            source: error.into(),
        }),
    }
}

/// A line of a table: its title, and its cell for a device.
type Line<'a> = (&'a str, &'a dyn Fn(&Measurement) -> String);

/// The measurements side by side, a column per device.
fn table(measured: &[Measurement]) -> String {
    let engines = |m: &Measurement| {
        let each = m
            .engines
            .iter()
            .map(|(engine, trees)| format!("{engine} {trees}"));
        each.collect::<Vec<_>>().join(", ")
    };
    let memory = |m: &Measurement| match m.peak_rss_bytes {
        Some(bytes) => format!("{:.0} MiB", bytes as f64 / f64::from(1 << 20)),
        None => "unknown".to_owned(),
    };
    let lines: [Line<'_>; 9] = [
        ("device", &|m| m.device.clone()),
        ("threads", &|m| m.threads.to_string()),
        ("rows", &|m| m.rows.to_string()),
        ("rows/s, end to end", &|m| {
            format!("{:.0}", m.rows_per_second_end_to_end)
        }),
        ("rows/s, resident", &|m| {
            format!("{:.0}", m.rows_per_second_resident)
        }),
        ("seconds, end to end", &|m| format!("{:.6}", m.seconds)),
        ("seconds, building", &|m| format!("{:.6}", m.build_seconds)),
        ("trees by engine", &engines),
        ("peak memory so far", &memory),
    ];
    let widths: Vec<usize> = (measured.iter())
        .map(|m| {
            lines
                .iter()
                .map(|(_, show)| show(m).chars().count())
                .max()
                .unwrap_or(0)
        })
        .collect();
    let mut text = String::new();
    for (title, show) in lines {
        let _ = write!(text, "{title:19}");
        for (m, width) in measured.iter().zip(&widths) {
            let _ = write!(text, "  {:>width$}", show(m));
        }
        text += "\n";
    }
    text
}

/// The largest part of the memory that this process has ever held, as Linux counts it.
fn peak_rss_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::arr3;

    #[test]
    fn the_median_of_an_even_number_is_the_middle_of_two() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]).to_bits(), 2.0_f64.to_bits());
        assert_eq!(
            median(vec![4.0, 1.0, 2.0, 3.0]).to_bits(),
            2.5_f64.to_bits()
        );
    }

    #[test]
    fn a_difference_is_the_largest_one_and_nan_is_never_equal() {
        let a = arr3(&[[[1.0_f32], [4.0]], [[0.5], [0.25]]]);
        assert_eq!(difference(&a, &a), (0.0, 0.0));
        let b = arr3(&[[[1.0_f32], [3.0]], [[0.5], [0.75]]]);
        assert_eq!(difference(&a, &b), (1.0, 1.0));
        let c = arr3(&[[[1.0_f32], [f32::NAN]], [[0.5], [0.25]]]);
        assert!(difference(&a, &c).0.is_infinite());
    }
}

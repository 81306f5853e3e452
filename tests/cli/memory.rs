//! A memory limit holds however long the file is, and changes no bit.

use std::fs;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use whylight::data::{TableWriter, Width, WriteOptions};

use super::Place;
use super::explain::cells;
use crate::values::file_of_many_trees;

/// Columns of the example.
const COLUMNS: usize = 30;
/// Bytes of a mebibyte.
const MIB: u64 = 1 << 20;
/// What ten thousand trees may take, a file of 11 MiB: about the double of what they do.
const MOST_OF_MANY_TREES: u64 = 512 * MIB;

/// Writes the example's rows over and over.
fn repeat(place: &Place, name: &str, rows: usize) {
    let text = place.read("rows.csv");
    let names = text.lines().next().unwrap().split(',');
    let options = WriteOptions {
        names: names.map(str::to_owned).collect(),
        width: Width::F32,
        row_shape: Vec::new(),
    };
    let example = cells(place, "rows.csv");
    let mut writer = TableWriter::create(&place.path(name), &options).unwrap();
    let mut left = rows * COLUMNS;
    while left > 0 {
        let part = left.min(example.len());
        writer.write_f32(&example[..part]).unwrap();
        left -= part;
    }
    writer.finish().unwrap();
}

/// The peak of a call's resident memory in bytes; `None` where the system does not tell it.
fn peak(place: &Place, line: &str) -> Option<u64> {
    let mut child = Command::new(env!("CARGO_BIN_EXE_whylight"))
        .args(line.split_whitespace())
        .current_dir(place.folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = None;
    let code = loop {
        // A process that has ended has no memory left to tell of.
        let told = fs::read_to_string(&status).unwrap_or_default();
        let line = told.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        if let Some(line) = line {
            let kib: u64 = line.trim().trim_end_matches(" kB").parse().unwrap();
            peak = peak.max(Some(kib << 10));
        }
        if let Some(code) = child.try_wait().unwrap() {
            break code;
        }
        thread::sleep(Duration::from_millis(2));
    };
    assert!(code.success(), "{line}");
    if peak.is_none() {
        eprintln!("SKIPPED: this system has no /proc/PID/status with VmHWM; {line}");
    }
    peak
}

/// Explains few rows and many under a limit of 16 MiB: what many take more stays below `bound`
/// bytes, and the whole table with its values would not.
fn stays_below(ending: &str, rows: usize, bound: u64) {
    assert!((rows * COLUMNS * 8) as u64 > bound + bound / 2);
    let place = Place::new();
    let peak = |rows: usize| {
        repeat(&place, &format!("many.{ending}"), rows);
        peak(
            &place,
            &format!(
                "explain --model model.json --data many.{ending} --device cpu --threads 2 \
                 --memory-limit 16MiB --out out.{ending}"
            ),
        )
    };
    let (Some(few), Some(many)) = (peak(2000), peak(rows)) else {
        return;
    };
    let more = many.saturating_sub(few);
    eprintln!(
        "{ending}: {} MiB, {} MiB more for {rows} rows",
        few / MIB,
        more / MIB
    );
    assert!(
        more < bound,
        "{rows} rows of {ending} take {more} bytes more than 2000 rows do, not {bound} at most"
    );
}

#[test]
fn a_long_npy_file_takes_no_more_memory_than_the_limit_says() {
    stays_below("npy", 300_000, 24 * MIB);
}

/// Ten thousand trees: the file is read, and the kernels' tables are built, beside the limit.
#[test]
fn a_model_of_ten_thousand_trees_takes_a_bounded_multiple_of_its_file() {
    let place = Place::new();
    let model = file_of_many_trees();
    fs::write(place.path("trees.json"), &model).unwrap();
    for (name, rows) in [("few.csv", 100), ("many.csv", 500)] {
        let mut text = String::from("a,b,c,d,e\n");
        for row in 0..rows {
            let cells = (0..5).map(|column| f64::from((row * 37 + column * 11) % 61) / 20.0 - 1.5);
            let cells: Vec<String> = cells.map(|cell| cell.to_string()).collect();
            text.push_str(&cells.join(","));
            text.push('\n');
        }
        fs::write(place.path(name), text).unwrap();
    }
    for options in ["", "--background few.csv"] {
        let peak = peak(
            &place,
            &format!(
                "explain --model trees.json --data many.csv {options} --device cpu --threads 2 \
                 --memory-limit 16MiB --out out.npy"
            ),
        );
        let Some(peak) = peak else { return };
        let megabytes = peak / MIB;
        eprintln!(
            "{} MiB of trees {options}: {megabytes} MiB",
            model.len() as u64 / MIB
        );
        assert!(peak < MOST_OF_MANY_TREES, "{options}: {megabytes} MiB");
    }
}

#[cfg(feature = "arrow")]
#[test]
fn a_long_parquet_file_takes_no_more_memory_than_the_limit_and_a_row_group() {
    stays_below("parquet", 500_000, 64 * MIB);
}

#[test]
fn a_file_explained_in_batches_has_the_bits_of_a_table_explained_at_once() {
    let place = Place::new();
    let endings: &[&str] = if cfg!(feature = "arrow") {
        &["csv", "npy", "arrow", "parquet"]
    } else {
        &["csv", "npy"]
    };
    // Fewer rows and more rows than the choice of the engines looks at.
    for rows in [700, 4000] {
        for ending in endings {
            repeat(&place, &format!("many.{ending}"), rows);
            let call = format!("explain --model model.json --data many.{ending} --device cpu");
            place.ok(&format!("{call} --out whole.json"));
            let whole = super::flat(&place.json("whole.json")["values"]);
            for to in endings {
                // 92 rows a batch.
                place.ok(&format!("{call} --memory-limit 100KiB --out parts.{to}"));
                let parts = cells(&place, &format!("parts.{to}"));
                assert!(whole == parts, "{rows} rows of {ending} to {to}");
            }
        }
    }
}

//! The same bits, however many threads and however large the batches, and in every run.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ndarray::{Array3, Axis};
use whylight::data::{Cells, Reader, read};
use whylight::explanation::{Block, Header, Sink, Trailer};
use whylight::{Explainer, Options, Result, model};

use super::subject::{LIBRARIES, Subject, options, subject, subjects};

/// Keeps the blocks, and checks that begin, blocks and end come in this order.
#[derive(Default)]
struct Blocks {
    header: Option<Header>,
    values: Vec<Array3<f32>>,
    trailer: Option<Trailer>,
}

impl Sink for Blocks {
    fn begin(&mut self, header: &Header) -> Result<()> {
        assert!(self.header.is_none() && self.values.is_empty());
        self.header = Some(header.clone());
        Ok(())
    }

    fn block(&mut self, block: &Block<'_>) -> Result<()> {
        assert!(self.header.is_some() && self.trailer.is_none());
        self.values.push(block.values.to_owned());
        Ok(())
    }

    fn end(&mut self, trailer: &Trailer) -> Result<()> {
        assert!(self.trailer.is_none());
        self.trailer = Some(trailer.clone());
        Ok(())
    }
}

/// The values of a file, and in how many blocks they came.
pub(super) fn stream(explainer: &Explainer, path: &Path) -> (Array3<f32>, usize) {
    let mut reader = Reader::open(path, &explainer.read_options()).unwrap();
    let (mut sink, mut told) = (Blocks::default(), Vec::new());
    let trailer = explainer
        .explain_into(&mut reader, &mut sink, &mut |rows| told.push(rows))
        .unwrap();
    let views: Vec<_> = sink.values.iter().map(|block| block.view()).collect();
    let values = ndarray::concatenate(Axis(0), &views).unwrap();
    assert_eq!(told.len(), views.len());
    assert_eq!(told.last(), Some(&(values.dim().0 as u64)));
    assert_eq!(sink.trailer.as_ref(), Some(&trailer));
    assert_eq!(sink.header.as_ref(), Some(explainer.header()));
    assert_eq!(trailer.rows, values.dim().0 as u64);
    (values, sink.values.len())
}

pub(super) fn assert_same_bits(name: &str, a: &Array3<f32>, b: &Array3<f32>) {
    assert_eq!(a.dim(), b.dim(), "{name}");
    let same = a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits());
    assert!(same, "{name}");
}

fn with(threads: usize, memory_limit: Option<u64>) -> Options {
    Options {
        threads,
        memory_limit,
        ..options()
    }
}

/// Explains a file in every way that must not matter.
fn check(subject: &Subject, path: &Path) {
    let name = &subject.case.name;
    let plain = subject.explainer(with(1, None));
    let expected = plain.explain(&subject.table).unwrap().values;
    let again = plain.explain(&subject.table).unwrap().values;
    assert_same_bits(&format!("{name}, again"), &expected, &again);
    let row = 2 * 8 * subject.trees.features.len() * (1 + subject.trees.outputs.len());
    let mut blocks = Vec::new();
    for threads in [1, 2] {
        for rows_a_batch in [None, Some(1), Some(7), Some(100)] {
            let limit = rows_a_batch.map(|rows| (rows * row) as u64);
            let explainer = subject.explainer(with(threads, limit));
            let (values, count) = stream(&explainer, path);
            let what = format!("{name}, {threads} threads, {count} blocks");
            assert_same_bits(&what, &expected, &values);
            blocks.push(count);
        }
    }
    assert!(blocks[0] == 1 && blocks[1] > 5, "{name}: {blocks:?}");
}

#[test]
fn neither_batches_nor_threads_nor_another_run_change_a_bit() {
    let mut checked = 0;
    for library in LIBRARIES {
        for subject in subjects(library) {
            let path = subject.case.folder.join("rows.npy");
            // The order of labels in a CSV file is that of its batches; its rows have no number.
            if path.exists() && !subject.case.folder.join("rows.csv").exists() {
                check(&subject, &path);
                checked += 1;
            }
        }
    }
    assert!(checked > 130, "only {checked} cases");
}

/// The rows of a case over and over, as a file.
pub(super) fn repeated(subject: &mut Subject, rows: usize, folder: &Path) -> PathBuf {
    let height = subject.table.rows();
    let cycle: Vec<usize> = (0..rows).map(|row| row % height).collect();
    subject.table = subject.table.select(&cycle).unwrap();
    let (descr, cells): (_, Vec<u8>) = match &subject.table.cells {
        Cells::F32(cells) => ("<f4", cells.iter().flat_map(|c| c.to_le_bytes()).collect()),
        Cells::F64(cells) => ("<f8", cells.iter().flat_map(|c| c.to_le_bytes()).collect()),
        Cells::Columns(_) => panic!("{}: not a matrix", subject.case.name),
    };
    let shape = format!("({rows}, {})", subject.table.columns());
    let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(cells);
    let path = folder.join(format!("{}.npy", subject.case.name));
    std::fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn the_same_holds_for_many_rows() {
    let folder = tempfile::tempdir().unwrap();
    for (library, name) in [
        ("xgboost", "softprob_3_4"),
        ("xgboost", "vector_leaf_3_4"),
        ("lightgbm", "binary_categorical_4_7"),
        ("lightgbm", "deep_4_7"),
        ("catboost", "multiclass_1_2"),
        ("onnx", "forest_double_5"),
        ("onnx", "modes_5"),
    ] {
        let mut subject = subject(library, name);
        let path = repeated(&mut subject, 1777, folder.path());
        check(&subject, &path);
    }
}

/// Explains with one fresh explainer from several threads at once, over and over: all wait for the
/// same packs, and each for work that it shares.
pub(super) fn from_many_threads(options: &Options, rounds: usize) {
    // Trees enough to be packed by several threads.
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/breast_cancer");
    let model = Arc::new(model::load(&example.join("model.json")).unwrap());
    let explainer = || Explainer::new(model.clone(), None, options.clone()).unwrap();
    let table = read(&example.join("rows.csv"), &explainer().read_options()).unwrap();
    let rows: Vec<usize> = (0..1600).map(|row| row % table.rows()).collect();
    let table = table.select(&rows).unwrap();
    let expected = explainer().explain(&table).unwrap();
    for round in 0..rounds {
        let explainer = explainer();
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let (explainer, table, expected) = (&explainer, &table, &expected.values);
                scope.spawn(move || {
                    // Some arrive while others already share the packing.
                    std::thread::sleep(Duration::from_micros(thread * 40 * (round as u64 % 8)));
                    let values = explainer.explain(table).unwrap().values;
                    assert_same_bits(&format!("{round}, {thread}"), expected, &values);
                });
            }
        });
    }
}

#[test]
fn an_explainer_serves_several_threads() {
    from_many_threads(&options(), 40);
    from_many_threads(&with(4, None), 40);
}

#[test]
fn rows_of_float32_numbers_keep_their_bits_beside_rows_that_are_not() {
    let mut checked = 0;
    for library in ["lightgbm", "onnx"] {
        for subject in subjects(library) {
            if !subject.is_wide() || !matches!(subject.table.cells, Cells::F64(_)) {
                continue;
            }
            let explainer = subject.explainer(options());
            let Cells::F64(wide) = subject.table.cells.clone() else {
                panic!("{}: not float64", subject.case.name);
            };
            let inexact =
                |cell: &f64| !cell.is_nan() && f64::from(*cell as f32).to_bits() != cell.to_bits();
            let mut rows = wide.outer_iter();
            let other = rows.find(|row| row.iter().any(inexact)).unwrap();
            let subject = subject.rounded();
            for count in [6, subject.table.rows(), 1600] {
                let cycle: Vec<usize> = (0..count).map(|i| i % subject.table.rows()).collect();
                let mut table = subject.table.select(&cycle).unwrap();
                let mut expected = explainer.explain(&table).unwrap().values;
                // One row that float32 cannot hold takes the table to the other comparison.
                if let Cells::F64(cells) = &mut table.cells {
                    cells.row_mut(count - 1).assign(&other);
                }
                let mut values = explainer.explain(&table).unwrap().values;
                for values in [&mut expected, &mut values] {
                    values.slice_collapse(ndarray::s![..count - 1, .., ..]);
                }
                let what = format!("{}, {count} rows", subject.case.name);
                assert_same_bits(&what, &expected, &values);
            }
            checked += 1;
        }
    }
    assert!(checked > 20, "only {checked} cases");
}

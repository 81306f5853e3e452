//! Tables from files: what is read, and what every bad file says.

#![expect(
    clippy::unwrap_used,
    reason = "a test's own file either opens or fails the test"
)]

use std::path::{Path, PathBuf};

use whylight::data::{Cells, Column, Header, LabelColumn, ReadOptions, Reader, read};
use whylight::{Result, Table};

#[cfg(feature = "arrow")]
mod arrow;
mod csv;
mod npy;
mod write;

/// A file in a directory that lives as long as this.
struct Scratch {
    folder: tempfile::TempDir,
}

impl Scratch {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// An error without the folder's name.
    fn message<T>(&self, result: Result<T>) -> String {
        let folder = format!(
            "{}{}",
            self.folder.path().display(),
            std::path::MAIN_SEPARATOR
        );
        match result {
            Ok(_) => "no error".to_owned(),
            Err(error) => error.to_string().replace(&folder, ""),
        }
    }
}

fn wide(table: &Table) -> Vec<Vec<f64>> {
    let Cells::F64(matrix) = &table.cells else {
        panic!("a float64 matrix was expected");
    };
    matrix.rows().into_iter().map(|row| row.to_vec()).collect()
}

/// All cells, with missing ones as `None`, so that tables can be compared.
fn cells(table: &Table) -> Vec<Vec<Option<String>>> {
    let text = |cell: f64| (!cell.is_nan()).then(|| format!("{cell:?}"));
    match &table.cells {
        Cells::F32(matrix) => (matrix.columns().into_iter())
            .map(|column| column.iter().map(|&cell| text(f64::from(cell))).collect())
            .collect(),
        Cells::F64(matrix) => (matrix.columns().into_iter())
            .map(|column| column.iter().map(|&cell| text(cell)).collect())
            .collect(),
        Cells::Columns(columns) => (columns.iter())
            .map(|column| match column {
                Column::F32(cells) => cells.iter().map(|&cell| text(f64::from(cell))).collect(),
                Column::F64(cells) => cells.iter().map(|&cell| text(cell)).collect(),
                Column::Labels { codes, labels } => (codes.iter())
                    .map(|&code| labels.get(usize::try_from(code).ok()?).cloned())
                    .collect(),
            })
            .collect(),
    }
}

/// Reads in batches of `max_rows` and gives the rows of each.
fn batches(path: &Path, options: &ReadOptions, max_rows: usize) -> Vec<Table> {
    let mut reader = Reader::open(path, options).unwrap();
    std::iter::from_fn(|| reader.next(max_rows).unwrap()).collect()
}

#[test]
fn a_table_takes_rows_and_leaves_columns_out() {
    let table = Table::new(
        Some(vec!["a".to_owned(), "b".to_owned()]),
        Cells::Columns(vec![
            Column::F32(vec![1.0, 2.0, 3.0]),
            Column::Labels {
                codes: vec![0, -1, 1],
                labels: vec!["x".to_owned(), "y".to_owned()],
            },
        ]),
    )
    .unwrap();
    let text = |cell: &str| Some(cell.to_owned());
    assert_eq!(
        cells(&table.select(&[2, 0, 2]).unwrap()),
        [
            vec![text("3.0"), text("1.0"), text("3.0")],
            vec![text("y"), text("x"), text("y")]
        ]
    );
    assert_eq!(
        cells(&table.slice(1..3).unwrap()),
        [vec![text("2.0"), text("3.0")], vec![None, text("y")]]
    );
    let rest = table.drop_columns(&["a"]).unwrap();
    assert_eq!(rest.names, Some(vec!["b".to_owned()]));
    assert_eq!(rest.columns(), 1);
    insta::assert_snapshot!(
        table.select(&[3]).unwrap_err(),
        @"a selected row: expected a row of a table with 3 rows, from 0, got 3"
    );
    insta::assert_snapshot!(
        table.slice(2..4).unwrap_err(),
        @"a range of rows: expected one within 0..3, got 2..4"
    );
    insta::assert_snapshot!(
        table.drop_columns(&["B"]).unwrap_err(),
        @r#"<memory>: at column "B": no column has this name; did you mean "b"?"#
    );
}

#[test]
fn a_table_whose_parts_do_not_fit_is_refused() {
    let names = |names: &[&str]| Some(names.iter().map(|&name| name.to_owned()).collect());
    let columns = |cells: Vec<Column>| Cells::Columns(cells);
    let two = || columns(vec![Column::F64(vec![1.0]), Column::F64(vec![2.0])]);
    let labels = |code| Column::Labels {
        codes: vec![0, code],
        labels: vec!["x".to_owned()],
    };
    insta::assert_snapshot!(
        Table::new(names(&["a"]), two()).unwrap_err(),
        @"column names: expected one for each of the 2 columns, got 1"
    );
    insta::assert_snapshot!(
        Table::new(names(&["a", "a"]), two()).unwrap_err(),
        @r#"<memory>: at the column names: columns 1 and 2 are both called "a"; give every column a name of its own"#
    );
    insta::assert_snapshot!(
        Table::new(None, columns(vec![Column::F64(vec![1.0]), labels(0)])).unwrap_err(),
        @"column 2: expected 1 rows, as in the first column, got 2"
    );
    insta::assert_snapshot!(
        Table::new(None, columns(vec![labels(1)])).unwrap_err(),
        @"<memory>: at row 2, column 1: label 1 does not exist; expected -1 (missing) or a position among the column's 1 labels"
    );
    assert!(Table::new(None, columns(vec![labels(-2)])).is_err());
    assert!(Table::new(None, columns(vec![labels(-1)])).is_ok());
}

#[test]
fn the_ending_and_the_first_bytes_must_agree() {
    let scratch = Scratch::new();
    let message = |name: &str, bytes: &[u8]| {
        let path = scratch.file(name, bytes);
        scratch.message(Reader::open(&path, &ReadOptions::default()))
    };
    insta::assert_snapshot!(
        message("a.csv", b"PAR1...."),
        @"a.csv: at its first bytes: the ending says CSV, the content is Parquet; rename the file"
    );
    insta::assert_snapshot!(
        message("a.npy", b"1,2,3\n4,5,6\n"),
        @"a.npy: at its first bytes: the ending says npy, the content is something else; expected \\x93NUMPY"
    );
    insta::assert_snapshot!(
        message("a.csv", b"\x1f\x8b\x08\x00"),
        @"a.csv: at its first bytes: the file is compressed; unpack it first"
    );
    insta::assert_snapshot!(
        message("a.csv", b"\xff\xfea\x00,\x00"),
        @"a.csv: at its first bytes: this is not UTF-8 text; save the table as CSV in UTF-8"
    );
    insta::assert_snapshot!(
        message("a.csv", b""),
        @"a.csv: at its first bytes: the file is empty; expected a table"
    );
    insta::assert_snapshot!(
        message("a.data", b"1,2\n").replace(scratch.folder.path().to_str().unwrap(), "…"),
        @"the ending of a.data is not supported by tables: name the file after its format: .csv, .tsv, .txt, .npy, .parquet, .pq, .arrow, .feather, .arrows"
    );
    let absent = scratch.path("absent.csv");
    assert!(
        scratch
            .message(read(&absent, &ReadOptions::default()))
            .starts_with("absent.csv: ")
    );
}

//! Tables to files: what is written is what is read.

use proptest::prelude::*;
use whylight::data::{TableWriter, Width, WriteOptions};

use super::*;

#[cfg(feature = "arrow")]
const ENDINGS: [&str; 6] = ["csv", "tsv", "npy", "parquet", "arrow", "arrows"];
#[cfg(not(feature = "arrow"))]
const ENDINGS: [&str; 3] = ["csv", "tsv", "npy"];

fn options(columns: usize, width: Width) -> WriteOptions {
    WriteOptions {
        names: (0..columns)
            .map(|column| format!("column,{column}"))
            .collect(),
        width,
        row_shape: Vec::new(),
    }
}

/// Every file in the folder.
fn listed(scratch: &Scratch) -> Vec<String> {
    let files = std::fs::read_dir(scratch.folder.path()).unwrap();
    files
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect()
}

/// The bits of every cell, row-major, NaNs as one.
fn bits(table: &Table) -> Vec<u64> {
    let rows = table.rows();
    let cell = |number: f64| {
        if number.is_nan() {
            f64::NAN.to_bits()
        } else {
            number.to_bits()
        }
    };
    let column = |index: usize| -> Vec<u64> {
        match &table.cells {
            Cells::F32(matrix) => matrix
                .column(index)
                .iter()
                .map(|&n| cell(n.into()))
                .collect(),
            Cells::F64(matrix) => matrix.column(index).iter().map(|&n| cell(n)).collect(),
            Cells::Columns(columns) => match &columns[index] {
                Column::F32(cells) => cells.iter().map(|&n| cell(n.into())).collect(),
                Column::F64(cells) => cells.iter().map(|&n| cell(n)).collect(),
                Column::Labels { .. } => panic!("numbers were written"),
            },
        }
    };
    let columns: Vec<_> = (0..table.columns()).map(column).collect();
    (0..rows)
        .flat_map(|row| columns.iter().map(move |column| column[row]))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn what_is_written_is_read(
        columns in 1usize..5,
        cells in proptest::collection::vec(any::<u64>(), 1..60),
        cut in 0.0f64..1.0,
        narrow in any::<bool>(),
    ) {
        let rows = cells.len().div_ceil(columns);
        let cells: Vec<f64> = (0..rows * columns)
            .map(|at| cells[at % cells.len()])
            .map(|bits| if narrow { f32::from_bits(bits as u32).into() } else { f64::from_bits(bits) })
            .collect();
        let normal = |n: f64| if n.is_nan() { f64::NAN.to_bits() } else { n.to_bits() };
        let expected: Vec<u64> = cells.iter().map(|&n| normal(n)).collect();
        let begin = (cut * rows as f64) as usize * columns;
        for ending in ENDINGS {
            let scratch = Scratch::new();
            let path = scratch.path(&format!("a.{ending}"));
            let width = if narrow { Width::F32 } else { Width::F64 };
            let mut writer = TableWriter::create(&path, &options(columns, width)).unwrap();
            for part in [&cells[..begin], &cells[begin..]] {
                if narrow {
                    let part: Vec<f32> = part.iter().map(|&n| n as f32).collect();
                    writer.write_f32(&part).unwrap();
                } else {
                    writer.write_f64(part).unwrap();
                }
            }
            prop_assert_eq!(writer.finish().unwrap(), rows as u64);
            let table = read(&path, &ReadOptions::default()).unwrap();
            if ending.ends_with("sv") && narrow {
                // The shortest text of a float32 is that of another float64.
                let Cells::F64(read) = &table.cells else { panic!("CSV is float64") };
                let read: Vec<u64> = read.iter().map(|&n| normal((n as f32).into())).collect();
                prop_assert_eq!(&read, &expected);
            } else {
                prop_assert_eq!(&bits(&table), &expected, "{}", ending);
            }
            if ending != "npy" {
                prop_assert_eq!(table.names.unwrap(), options(columns, width).names);
            }
            prop_assert_eq!(listed(&scratch), [format!("a.{ending}")]);
        }
    }
}

#[test]
fn an_npy_file_can_have_three_dimensions() {
    let scratch = Scratch::new();
    let path = scratch.path("a.npy");
    let options = WriteOptions {
        row_shape: vec![3, 2],
        ..options(6, Width::F32)
    };
    let mut writer = TableWriter::create(&path, &options).unwrap();
    writer.write_f32(&[0.0; 24]).unwrap();
    assert_eq!(writer.rows(), 4);
    writer.finish().unwrap();
    let bytes = std::fs::read(&path).unwrap();
    assert_eq!(bytes.len() % 64, 96 % 64);
    let header = String::from_utf8_lossy(&bytes[10..bytes.len() - 96]).into_owned();
    assert_eq!(
        header.trim_end(),
        "{'descr': '<f4', 'fortran_order': False, 'shape': (4, 3, 2), }"
    );
    assert!(header.ends_with(" \n"));
}

#[test]
fn many_rows_in_small_blocks_are_read_back() {
    for ending in ENDINGS {
        let scratch = Scratch::new();
        let path = scratch.path(&format!("a.{ending}"));
        let mut writer = TableWriter::create(&path, &options(70, Width::F32)).unwrap();
        for block in 0..70 {
            let cells: Vec<f32> = (0..70 * 256)
                .map(|cell| (block * 70 * 256 + cell) as f32)
                .collect();
            writer.write_f32(&cells).unwrap();
        }
        writer.finish().unwrap();
        let tables = batches(&path, &ReadOptions::default(), 1000);
        let mut expected = 0.0f64;
        for bits in tables.iter().flat_map(bits) {
            assert_eq!(bits, expected.to_bits(), "{ending}");
            expected += 1.0;
        }
        assert_eq!(expected as usize, 70 * 256 * 70, "{ending}");
    }
}

#[test]
fn a_failed_run_leaves_the_old_file_and_nothing_else() {
    for ending in ENDINGS {
        let scratch = Scratch::new();
        let path = scratch.file(&format!("a.{ending}"), "old");
        let mut writer = TableWriter::create(&path, &options(2, Width::F32)).unwrap();
        writer.write_f32(&[1.0, 2.0]).unwrap();
        drop(writer);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(listed(&scratch).len(), 1);
        let writer = TableWriter::create(&path, &options(2, Width::F32)).unwrap();
        writer.finish().unwrap();
        assert_ne!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(listed(&scratch).len(), 1);
    }
}

#[cfg(unix)]
#[test]
fn a_link_stays_a_link() {
    let scratch = Scratch::new();
    let target = scratch.file("real.csv", "old");
    let link = scratch.path("link.csv");
    std::os::unix::fs::symlink(&target, &link).unwrap();
    let mut writer = TableWriter::create(&link, &options(1, Width::F64)).unwrap();
    writer.write_f64(&[0.25, f64::NAN]).unwrap();
    writer.finish().unwrap();
    assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
    let text = std::fs::read_to_string(&target).unwrap();
    assert_eq!(text, "\"column,0\"\n0.25\nNaN\n");
}

#[test]
fn a_bad_path_shape_or_block_fails_at_once() {
    let scratch = Scratch::new();
    let message = |name: &str, options: &WriteOptions| {
        let path = scratch.path(name);
        scratch.message(TableWriter::create(&path, options))
    };
    let two = options(2, Width::F32);
    insta::assert_snapshot!(
        message("absent/a.npy", &two),
        @"absent/a.npy: No such file or directory (os error 2)"
    );
    insta::assert_snapshot!(
        message("a.xlsx", &two),
        @"the ending of a.xlsx is not supported by tables: name the file after its format: .csv, .tsv, .txt, .npy, .parquet, .pq, .arrow, .feather, .arrows"
    );
    std::fs::create_dir(scratch.path("folder.csv")).unwrap();
    insta::assert_snapshot!(
        message("folder.csv", &two),
        @"folder.csv: not a file; name a file to write"
    );
    let torn = WriteOptions {
        row_shape: vec![3],
        ..two.clone()
    };
    insta::assert_snapshot!(
        message("a.npy", &torn),
        @"the shape of a row: expected dimensions whose product is the 2 columns, at least one, got [3]"
    );
    let mut writer = TableWriter::create(&scratch.path("a.npy"), &two).unwrap();
    insta::assert_snapshot!(
        scratch.message(writer.write_f32(&[1.0; 3])),
        @"the cells to write: expected whole rows of 2, got 3"
    );
    insta::assert_snapshot!(
        scratch.message(writer.write_f64(&[1.0; 2])),
        @"the numbers to write: expected float32, as the file was created for, got float64; create the file for float64"
    );
}

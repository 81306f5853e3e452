use super::*;

fn file(version: u8, descr: &str, fortran: bool, shape: &str, cells: &[u8]) -> Vec<u8> {
    let order = if fortran { "True" } else { "False" };
    let text = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}\n");
    let mut bytes = b"\x93NUMPY".to_vec();
    bytes.extend([version, 0]);
    match version {
        1 => bytes.extend((text.len() as u16).to_le_bytes()),
        _ => bytes.extend((text.len() as u32).to_le_bytes()),
    }
    bytes.extend(text.as_bytes());
    bytes.extend(cells);
    bytes
}

fn load(bytes: &[u8]) -> Table {
    let scratch = Scratch::new();
    read(&scratch.file("a.npy", bytes), &ReadOptions::default()).unwrap()
}

fn message(bytes: &[u8]) -> String {
    let scratch = Scratch::new();
    scratch.message(read(&scratch.file("a.npy", bytes), &ReadOptions::default()))
}

macro_rules! stored {
    ($to:ident, $($cell:expr),*) => {
        [$($cell.$to().to_vec()),*].concat()
    };
}

#[test]
fn every_type_and_byte_order_is_read() {
    let little = [
        ("|i1", stored!(to_le_bytes, 1i8, -2i8, 3i8, 4i8)),
        ("<i2", stored!(to_le_bytes, 1i16, -2i16, 3i16, 4i16)),
        ("<i4", stored!(to_le_bytes, 1i32, -2i32, 3i32, 4i32)),
        ("<i8", stored!(to_le_bytes, 1i64, -2i64, 3i64, 4i64)),
        ("<f8", stored!(to_le_bytes, 1f64, -2f64, 3f64, 4f64)),
        (">i2", stored!(to_be_bytes, 1i16, -2i16, 3i16, 4i16)),
        (">i4", stored!(to_be_bytes, 1i32, -2i32, 3i32, 4i32)),
        (">i8", stored!(to_be_bytes, 1i64, -2i64, 3i64, 4i64)),
        (">f8", stored!(to_be_bytes, 1f64, -2f64, 3f64, 4f64)),
    ];
    for (descr, bytes) in little {
        let table = load(&file(1, descr, false, "(2, 2)", &bytes));
        assert_eq!(wide(&table), [[1.0, -2.0], [3.0, 4.0]], "{descr}");
    }
    let unsigned = [
        ("|u1", stored!(to_le_bytes, 1u8, 2u8, 3u8, 200u8)),
        ("<u2", stored!(to_le_bytes, 1u16, 2u16, 3u16, 200u16)),
        ("<u4", stored!(to_le_bytes, 1u32, 2u32, 3u32, 200u32)),
        (">u8", stored!(to_be_bytes, 1u64, 2u64, 3u64, 200u64)),
    ];
    for (descr, bytes) in unsigned {
        let table = load(&file(1, descr, false, "(2, 2)", &bytes));
        assert_eq!(wide(&table), [[1.0, 2.0], [3.0, 200.0]], "{descr}");
    }
    assert_eq!(
        wide(&load(&file(1, "|b1", false, "(1, 2)", &[0, 1]))),
        [[0.0, 1.0]]
    );
}

#[test]
fn float32_stays_float32() {
    for (descr, bytes) in [
        ("<f4", stored!(to_le_bytes, 0.1f32, f32::NAN)),
        (">f4", stored!(to_be_bytes, 0.1f32, f32::NAN)),
    ] {
        let table = load(&file(2, descr, false, "(2, 1)", &bytes));
        let Cells::F32(matrix) = &table.cells else {
            panic!("float32 was expected");
        };
        assert_eq!(matrix[[0, 0]].to_bits(), 0.1f32.to_bits());
        assert!(matrix[[1, 0]].is_nan());
        assert_eq!(table.names, None);
    }
}

#[test]
fn fortran_order_batches_and_dropped_columns_are_read() {
    let scratch = Scratch::new();
    let (rows, columns) = (1000u32, 3u32);
    let by_row = (0..rows * columns).flat_map(|cell| f64::from(cell).to_le_bytes());
    let by_column = (0..columns)
        .flat_map(|c| (0..rows).flat_map(move |r| f64::from(r * columns + c).to_le_bytes()));
    let wide_file = file(3, "<f8", false, "(1000, 3)", &by_row.collect::<Vec<_>>());
    let tall_file = file(1, "<f8", true, "(1000, 3)", &by_column.collect::<Vec<_>>());
    let options = ReadOptions {
        drop: vec!["2".to_owned()],
        ..ReadOptions::default()
    };
    for bytes in [wide_file, tall_file] {
        let path = scratch.file("a.npy", bytes);
        let reader = Reader::open(&path, &options).unwrap();
        assert_eq!((reader.rows(), reader.columns()), (Some(1000), 2));
        for max_rows in [1, 333, 1000, usize::MAX] {
            let parts = batches(&path, &options, max_rows);
            let all: Vec<_> = parts.iter().flat_map(wide).collect();
            assert_eq!(all.len(), 1000);
            assert_eq!(all[0], [0.0, 2.0]);
            assert_eq!(all[999], [2997.0, 2999.0]);
            assert_eq!(all[500], [1500.0, 1502.0]);
        }
    }
}

#[test]
fn bad_files_say_what_is_wrong() {
    insta::assert_snapshot!(
        message(&file(1, "<f8", false, "(4,)", &[0; 32])),
        @"a.npy: at its shape: 1 dimensions (4); expected 2, rows and columns; reshape a single row with x.reshape(1, -1), a single column with x.reshape(-1, 1)"
    );
    insta::assert_snapshot!(
        message(&file(1, "<f8", false, "(4, 2)", &[0; 32])),
        @"a.npy: at its shape: (4, 2) needs 64 bytes of cells, the file holds 32; save one whole array per file"
    );
    insta::assert_snapshot!(
        message(&file(1, "<f8", false, "(4294967296, 4294967296)", &[0; 32])),
        @"a.npy: at its shape: (4294967296, 4294967296) needs more than 2^64 bytes of cells, the file holds 32; save one whole array per file"
    );
    insta::assert_snapshot!(
        message(&file(1, "<f2", false, "(4, 2)", &[0; 16])),
        @r#"a.npy: at its header: cells of dtype "<f2"; expected float32, float64, an integer or bool; convert with x.astype("float64"), or save a table of several types as CSV or Parquet"#
    );
    insta::assert_snapshot!(
        message(&file(1, "<i8", false, "(2, 1)", &stored!(to_le_bytes, 1i64, i64::MAX))),
        @"a.npy: at row 2, column 1: the integer lies beyond ±2^53, where float64 skips integers; save the column as float64 if that is precise enough, or leave it out with --drop 1"
    );
    insta::assert_snapshot!(
        message(&file(1, "<i8", true, "(2, 2)", &stored!(to_le_bytes, 1i64, 2i64, i64::MIN, 3i64))),
        @"a.npy: at row 1, column 2: the integer lies beyond ±2^53, where float64 skips integers; save the column as float64 if that is precise enough, or leave it out with --drop 2"
    );
    insta::assert_snapshot!(
        message(&file(9, "<f8", false, "(1, 1)", &[0; 8])),
        @"a.npy: at its header: version 9 of the format; versions 1 to 3 are read"
    );
    insta::assert_snapshot!(message(&file(1, "<f8", false, "(0, 3)", &[])), @"a.npy: at its end: no rows; expected at least one");
    insta::assert_snapshot!(
        message(&file(1, "<f8", false, "(3, 0)", &[])),
        @"a.npy: at its shape: (3, 0), of which no column is kept; expected at least one"
    );
    insta::assert_snapshot!(
        message(b"\x93NUMPY\x01\x00\xff\xff{"),
        @"a.npy: at its header: a header of 65535 bytes in a file of 11; expected a header within the file, 65536 bytes at most"
    );
    insta::assert_snapshot!(
        message(b"\x93NUMPY"),
        @"a.npy: at its header: the file ends within the header; save the array again"
    );
}

#[test]
fn no_mutation_of_a_file_makes_the_reader_panic() {
    let good = file(1, "<f4", false, "(3, 2)", &[0; 24]);
    let scratch = Scratch::new();
    for at in 0..good.len() {
        for byte in [0, b'9', b'(', b'\'', 0x7f, 0xff] {
            let mut bytes = good.clone();
            bytes[at] = byte;
            let path = scratch.file("a.npy", &bytes);
            if let Ok(table) = read(&path, &ReadOptions::default()) {
                assert_eq!(table.rows() * table.columns(), 6);
            }
        }
        let path = scratch.file("a.npy", &good[..at]);
        assert!(read(&path, &ReadOptions::default()).is_err());
    }
}

#[test]
fn a_large_integer_in_a_dropped_column_is_no_matter() {
    let scratch = Scratch::new();
    let large = 1i64 << 60;
    let options = ReadOptions {
        drop: vec!["1".to_owned()],
        ..ReadOptions::default()
    };
    for (fortran, cells) in [(false, [large, 1, large, 2]), (true, [large, large, 1, 2])] {
        let bytes: Vec<u8> = cells.iter().flat_map(|cell| cell.to_le_bytes()).collect();
        let path = scratch.file("a.npy", file(1, "<i8", fortran, "(2, 2)", &bytes));
        let table = read(&path, &options).unwrap();
        let Cells::F64(cells) = table.cells else {
            panic!("not float64");
        };
        assert_eq!(cells.iter().copied().collect::<Vec<_>>(), [1.0, 2.0]);
    }
}

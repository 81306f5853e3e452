//! Parquet and Arrow IPC: what their types become, and what bad files say.

use std::fs::File;
use std::sync::Arc;

use ::arrow::array::types::{Int8Type, Int32Type};
use ::arrow::array::*;
use ::arrow::datatypes::{Field, Schema, i256};
use ::arrow::ipc::CompressionType;
use ::arrow::ipc::writer::{FileWriter, IpcWriteOptions, StreamWriter};
use ::parquet::arrow::ArrowWriter;
use ::parquet::basic::Compression;
use ::parquet::file::properties::WriterProperties;

use whylight::data::head;

use super::*;

/// How a file of record batches is written.
#[derive(Debug, Clone, Copy)]
enum Way {
    Parquet,
    File(Option<CompressionType>),
    Stream(Option<CompressionType>),
}

const WAYS: [Way; 7] = [
    Way::Parquet,
    Way::File(None),
    Way::File(Some(CompressionType::LZ4_FRAME)),
    Way::File(Some(CompressionType::ZSTD)),
    Way::Stream(None),
    Way::Stream(Some(CompressionType::LZ4_FRAME)),
    Way::Stream(Some(CompressionType::ZSTD)),
];

fn write(scratch: &Scratch, way: Way, batches: &[RecordBatch]) -> PathBuf {
    let schema = batches[0].schema();
    let compressed = |codec| {
        IpcWriteOptions::default()
            .try_with_compression(codec)
            .unwrap()
    };
    match way {
        Way::Parquet => {
            let path = scratch.path("a.parquet");
            let properties = WriterProperties::builder()
                .set_compression(Compression::SNAPPY)
                .set_max_row_group_row_count(Some(7))
                .build();
            let file = File::create(&path).unwrap();
            let mut writer = ArrowWriter::try_new(file, schema, Some(properties)).unwrap();
            for batch in batches {
                writer.write(batch).unwrap();
            }
            writer.close().unwrap();
            path
        }
        Way::File(codec) => {
            let path = scratch.path("a.arrow");
            let file = File::create(&path).unwrap();
            let mut writer =
                FileWriter::try_new_with_options(file, &schema, compressed(codec)).unwrap();
            for batch in batches {
                writer.write(batch).unwrap();
            }
            writer.finish().unwrap();
            path
        }
        Way::Stream(codec) => {
            let path = scratch.path("a.arrows");
            let file = File::create(&path).unwrap();
            let mut writer =
                StreamWriter::try_new_with_options(file, &schema, compressed(codec)).unwrap();
            for batch in batches {
                writer.write(batch).unwrap();
            }
            writer.finish().unwrap();
            path
        }
    }
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let fields: Vec<Field> = (columns.iter())
        .map(|(name, array)| Field::new(*name, array.data_type().clone(), true))
        .collect();
    let arrays = columns.into_iter().map(|(_, array)| array).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap()
}

fn message(columns: Vec<(&str, ArrayRef)>) -> String {
    let scratch = Scratch::new();
    let path = write(&scratch, Way::Parquet, &[batch(columns)]);
    scratch.message(read(&path, &ReadOptions::default()))
}

/// One column of every type that is read, and its cells.
fn every_type() -> Vec<(&'static str, ArrayRef, [Option<&'static str>; 3])> {
    let numbers = [Some("1.0"), None, Some("3.0")];
    let words = [Some("red"), None, Some("a,b")];
    let list = [Some("red"), None, Some("a,b")];
    let decimal = |array: Decimal128Array| array.with_precision_and_scale(38, 2).unwrap();
    let keys = Int8Array::from(vec![Some(2), None, Some(0)]);
    let doubled = StringArray::from(vec!["a,b", "a,b", "red"]);
    let numeric = Float64Array::from(vec![3.0, 9.0, 1.0]);
    vec![
        (
            "i8",
            Arc::new(Int8Array::from(vec![Some(1), None, Some(3)])),
            numbers,
        ),
        (
            "i16",
            Arc::new(Int16Array::from(vec![Some(1), None, Some(3)])),
            numbers,
        ),
        (
            "i32",
            Arc::new(Int32Array::from(vec![Some(1), None, Some(3)])),
            numbers,
        ),
        (
            "i64",
            Arc::new(Int64Array::from(vec![Some(1), None, Some(3)])),
            numbers,
        ),
        (
            "u8",
            Arc::new(UInt8Array::from(vec![Some(1), None, Some(3)])),
            numbers,
        ),
        (
            "u16",
            Arc::new(UInt16Array::from(vec![Some(1), None, Some(3)])),
            numbers,
        ),
        (
            "u32",
            Arc::new(UInt32Array::from(vec![Some(1), None, Some(3)])),
            numbers,
        ),
        (
            "u64",
            Arc::new(UInt64Array::from(vec![Some(1), None, Some(3)])),
            numbers,
        ),
        (
            "f32",
            Arc::new(Float32Array::from(vec![Some(1.0), None, Some(3.0)])),
            numbers,
        ),
        (
            "f64",
            Arc::new(Float64Array::from(vec![Some(1.0), None, Some(3.0)])),
            numbers,
        ),
        (
            "bool",
            Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)])),
            [Some("1.0"), None, Some("0.0")],
        ),
        (
            "decimal",
            Arc::new(decimal(Decimal128Array::from(vec![
                Some(110),
                None,
                Some(12_345_678_901_234_567_890_123),
            ]))),
            [Some("1.1"), None, Some("1.2345678901234568e20")],
        ),
        (
            "decimal256",
            Arc::new(
                Decimal256Array::from(vec![Some(i256::from(-7)), None, Some(i256::from(25))])
                    .with_precision_and_scale(76, 1)
                    .unwrap(),
            ),
            [Some("-0.7"), None, Some("2.5")],
        ),
        ("null", Arc::new(NullArray::new(3)), [None; 3]),
        ("utf8", Arc::new(StringArray::from(list.to_vec())), words),
        (
            "large",
            Arc::new(LargeStringArray::from(list.to_vec())),
            words,
        ),
        (
            "view",
            Arc::new(StringViewArray::from(list.to_vec())),
            words,
        ),
        (
            "dictionary",
            Arc::new(DictionaryArray::new(keys.clone(), Arc::new(doubled))),
            [Some("red"), None, Some("a,b")],
        ),
        (
            "numeric dictionary",
            Arc::new(DictionaryArray::new(keys, Arc::new(numeric))),
            [Some("1.0"), None, Some("3.0")],
        ),
    ]
}

#[test]
fn every_type_is_read_from_every_format() {
    let columns = every_type();
    let batch = batch(
        columns
            .iter()
            .map(|(name, array, _)| (*name, array.clone()))
            .collect(),
    );
    let expected: Vec<Vec<Option<String>>> = (columns.iter())
        .map(|(_, _, cells)| cells.map(|cell| cell.map(str::to_owned)).to_vec())
        .collect();
    for way in WAYS {
        let scratch = Scratch::new();
        let path = write(&scratch, way, std::slice::from_ref(&batch));
        let reader = Reader::open(&path, &ReadOptions::default()).unwrap();
        assert_eq!(reader.rows(), Some(3), "{way:?}");
        let table = read(&path, &ReadOptions::default()).unwrap();
        let names: Vec<&str> = columns.iter().map(|(name, _, _)| *name).collect();
        assert_eq!(table.names.as_ref().unwrap(), &names, "{way:?}");
        for ((name, _, _), (found, expected)) in
            columns.iter().zip(cells(&table).iter().zip(&expected))
        {
            assert_eq!(found, expected, "{name} {way:?}");
        }
        let Cells::Columns(read) = &table.cells else {
            panic!("columns were expected");
        };
        let narrow = |column: &Column| matches!(column, Column::F32(_));
        let narrow: Vec<&str> = (read.iter().zip(names))
            .filter_map(|(column, name)| narrow(column).then_some(name))
            .collect();
        assert_eq!(narrow, ["f32"], "{way:?}");
    }
}

#[test]
fn batches_are_the_whole_table_whatever_their_size_and_dictionaries() {
    let part = |begin: i32, labels: [&str; 2]| {
        let numbers = Int32Array::from_iter_values(begin..begin + 10);
        let keys = Int32Array::from_iter_values((0..10).map(|row| row % 2));
        let words = StringArray::from(labels.to_vec());
        batch(vec![
            ("number", Arc::new(numbers)),
            (
                "word",
                Arc::new(DictionaryArray::new(keys, Arc::new(words))),
            ),
        ])
    };
    let parts = [
        part(0, ["a", "b"]),
        part(10, ["b", "c"]),
        part(20, ["b", "c"]),
    ];
    for way in [Way::Parquet, Way::Stream(None)] {
        let scratch = Scratch::new();
        let path = write(&scratch, way, &parts);
        let whole = cells(&read(&path, &ReadOptions::default()).unwrap());
        let words: Vec<&str> = whole[1].iter().flatten().map(String::as_str).collect();
        assert_eq!(
            words,
            [["a", "b"].repeat(5), ["b", "c"].repeat(10)].concat()
        );
        for max_rows in [1, 3, 10, 100] {
            let tables = batches(&path, &ReadOptions::default(), max_rows);
            assert!(
                tables
                    .iter()
                    .all(|table| (1..=max_rows).contains(&table.rows()))
            );
            let joined: Vec<Vec<_>> = (0..2)
                .map(|column| {
                    tables
                        .iter()
                        .flat_map(|t| cells(t)[column].clone())
                        .collect()
                })
                .collect();
            assert_eq!(joined, whole, "{way:?} {max_rows}");
        }
    }
}

#[test]
fn types_that_are_no_numbers_and_no_labels_are_refused_by_name() {
    let nested = ListArray::from_iter_primitive::<Int32Type, _, _>([Some([Some(1)])]);
    let time = TimestampSecondArray::from(vec![1]);
    insta::assert_snapshot!(
        message(vec![("when", Arc::new(time.clone()))]),
        @r#"column "when" of type "Timestamp(s)" is not supported by the table reader: store it as numbers, booleans or strings, or leave it out with --drop "when""#
    );
    insta::assert_snapshot!(
        message(vec![("many", Arc::new(nested.clone()))]),
        @r#"column "many" of type "List(Int32)" is not supported by the table reader: store it as numbers, booleans or strings, or leave it out with --drop "many""#
    );
    insta::assert_snapshot!(
        message(vec![("none", Arc::new(NullArray::new(4)))]),
        @"a.parquet: at its schema: 1 columns, of which none that is kept holds values; expected at least one"
    );
    let options = ReadOptions {
        drop: vec!["when".to_owned(), "many".to_owned()],
        ..ReadOptions::default()
    };
    let mixed = batch(vec![
        ("when", Arc::new(time)),
        ("a", Arc::new(Float64Array::from(vec![0.5]))),
        ("many", Arc::new(nested)),
        ("b", Arc::new(BooleanArray::from(vec![true]))),
    ]);
    for way in WAYS {
        let scratch = Scratch::new();
        let path = write(&scratch, way, std::slice::from_ref(&mixed));
        let table = read(&path, &options).unwrap();
        assert_eq!(table.names, Some(vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(
            cells(&table),
            [[Some("0.5".to_owned())], [Some("1.0".to_owned())]]
        );
    }
}

#[test]
fn an_integer_that_float64_skips_is_named_by_its_row_in_the_file() {
    let large = |cell: i64| {
        let cells = (0..20).map(|row| if row == 17 { Some(cell) } else { None });
        let array: ArrayRef = Arc::new(cells.collect::<Int64Array>());
        vec![("id", array)]
    };
    insta::assert_snapshot!(
        message(large((1 << 53) + 1)),
        @r#"a.parquet: at row 18, column "id": the integer lies beyond ±2^53, where float64 skips integers; store the column as float64 if that is precise enough, or leave it out with --drop "id""#
    );
    assert!(message(large(i64::MIN)).contains("row 18"));
    assert_eq!(message(large(-1 << 53)), "no error");
    let unsigned: ArrayRef = Arc::new(UInt64Array::from(vec![u64::MAX]));
    assert!(message(vec![("id", unsigned)]).contains("row 1, column \"id\""));
}

#[test]
fn duplicate_names_and_empty_tables_are_refused() {
    let column = || Arc::new(Int8Array::from(vec![1])) as ArrayRef;
    insta::assert_snapshot!(
        message(vec![("a", column()), ("a", column())]),
        @r#"a.parquet: at its schema: columns 1 and 2 are both called "a"; give every column a name of its own"#
    );
    let empty: ArrayRef = Arc::new(Int8Array::from(Vec::<i8>::new()));
    for way in WAYS {
        let scratch = Scratch::new();
        let path = write(&scratch, way, &[batch(vec![("a", empty.clone())])]);
        let message = scratch.message(read(&path, &ReadOptions::default()));
        assert!(
            message.ends_with("at its end: no rows; expected at least one"),
            "{message}"
        );
    }
}

/// A table of several types in two batches.
fn small() -> Vec<RecordBatch> {
    let keys = PrimitiveArray::<Int8Type>::from(vec![0, 1, 1, 0]);
    let words: ArrayRef = Arc::new(StringArray::from(vec!["x", "y"]));
    let one = batch(vec![
        ("a", Arc::new(Float32Array::from(vec![1.0, 2.0, 3.0, 4.0]))),
        (
            "b",
            Arc::new(Int64Array::from(vec![Some(1), None, Some(3), None])),
        ),
        (
            "c",
            Arc::new(StringViewArray::from(vec![
                "p",
                "q",
                "a string too long to inline",
                "p",
            ])),
        ),
        ("d", Arc::new(DictionaryArray::new(keys, words))),
    ]);
    vec![one.clone(), one]
}

#[test]
fn a_file_that_is_cut_off_is_an_error() {
    for way in [
        Way::Parquet,
        Way::File(None),
        Way::File(Some(CompressionType::ZSTD)),
    ] {
        let scratch = Scratch::new();
        let path = write(&scratch, way, &small());
        let whole = std::fs::read(&path).unwrap();
        for length in (0..whole.len()).step_by(7) {
            std::fs::write(&path, &whole[..length]).unwrap();
            assert!(
                read(&path, &ReadOptions::default()).is_err(),
                "{way:?} {length}"
            );
        }
    }
}

#[test]
fn an_arrow_file_is_read_by_its_footer_alone() {
    let scratch = Scratch::new();
    let path = write(&scratch, Way::File(None), &small());
    let mut bytes = std::fs::read(&path).unwrap();
    let expected = read(&path, &ReadOptions::default()).unwrap();
    // Some writers store the schema before the first message in a form of their own.
    let schema = bytes
        .windows(4)
        .position(|window| window == [255; 4])
        .unwrap();
    bytes[schema..schema + 8].fill(7);
    std::fs::write(&path, &bytes).unwrap();
    let found = read(&path, &ReadOptions::default()).unwrap();
    assert_eq!(cells(&found), cells(&expected));
    std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    insta::assert_snapshot!(
        scratch.message(read(&path, &ReadOptions::default())),
        @"a.arrow: at its end: the file is cut off: it does not end with ARROW1; write the file again"
    );
}

/// Bytes between two mutations; 1 tries them all, in a minute.
const STEP: usize = 7;

#[test]
fn no_mutation_of_a_file_makes_the_reader_panic_or_reserve_memory() {
    let mut seed = 1u64;
    for way in WAYS {
        let scratch = Scratch::new();
        let path = write(&scratch, way, &small());
        let whole = std::fs::read(&path).unwrap();
        for round in (0..whole.len()).step_by(STEP) {
            let mut bytes = whole.clone();
            for flip in 0..=round % 3 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let at = if flip == 0 {
                    round
                } else {
                    (seed >> 33) as usize % bytes.len()
                };
                bytes[at] = [0, 0x7f, 0x80, 0xff, (seed >> 24) as u8][(seed >> 40) as usize % 5];
            }
            std::fs::write(&path, &bytes).unwrap();
            if let Ok(table) = read(&path, &ReadOptions::default()) {
                assert!(table.check().is_ok());
            }
        }
    }
}

#[test]
fn a_compressed_buffer_that_claims_too_much_is_refused() {
    let scratch = Scratch::new();
    let zeros: ArrayRef = Arc::new(Float64Array::from(vec![0.0; 4096]));
    let way = Way::File(Some(CompressionType::ZSTD));
    let path = write(&scratch, way, &[batch(vec![("a", zeros)])]);
    let mut bytes = std::fs::read(&path).unwrap();
    let size = (4096u64 * 8).to_le_bytes();
    let at = bytes.windows(8).rposition(|window| window == size).unwrap();
    bytes[at..at + 8].copy_from_slice(&(1u64 << 46).to_le_bytes());
    std::fs::write(&path, &bytes).unwrap();
    insta::assert_snapshot!(
        scratch.message(read(&path, &ReadOptions::default())),
        @"a.arrow: at its messages: a compressed buffer claims more than its bytes can hold; write the file again"
    );
}

#[test]
fn the_first_rows_are_gathered_from_as_many_batches_as_they_take() {
    let scratch = Scratch::new();
    let one = |cell: f64| {
        batch(vec![(
            "a",
            Arc::new(Float64Array::from(vec![cell])) as ArrayRef,
        )])
    };
    let batches: Vec<_> = (0..5).map(|cell| one(f64::from(cell))).collect();
    let path = write(&scratch, Way::File(None), &batches);
    for (rows, expected) in [(1, 1), (3, 3), (9, 5)] {
        let table = head(&path, &ReadOptions::default(), rows).unwrap();
        assert_eq!(table.rows(), expected);
    }
}

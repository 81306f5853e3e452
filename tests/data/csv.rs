use std::fmt::Write;

use super::*;

fn table(text: &str) -> Table {
    let scratch = Scratch::new();
    read(&scratch.file("a.csv", text), &ReadOptions::default()).unwrap()
}

fn message(text: impl AsRef<[u8]>, options: &ReadOptions) -> String {
    let scratch = Scratch::new();
    scratch.message(read(&scratch.file("a.csv", text), options))
}

fn label(name: Option<&str>, index: Option<usize>) -> LabelColumn {
    LabelColumn {
        name: name.map(str::to_owned),
        index,
        known: Vec::new(),
    }
}

#[test]
fn a_first_row_with_text_is_a_header() {
    let named = table("a,b\n1,2\n");
    assert_eq!(named.names, Some(vec!["a".to_owned(), "b".to_owned()]));
    assert_eq!(wide(&named), [[1.0, 2.0]]);
    let bare = table("1,NA\n3,4\n");
    assert_eq!(bare.names, None);
    assert_eq!(bare.rows(), 2);
}

#[test]
fn the_caller_can_say_whether_there_is_a_header() {
    let scratch = Scratch::new();
    let path = scratch.file("a.csv", "1,2\n3,4\n");
    let with = |header| ReadOptions {
        header,
        ..ReadOptions::default()
    };
    let named = read(&path, &with(Header::Yes)).unwrap();
    assert_eq!(named.names, Some(vec!["1".to_owned(), "2".to_owned()]));
    assert_eq!(wide(&named), [[3.0, 4.0]]);
    assert_eq!(read(&path, &with(Header::No)).unwrap().rows(), 2);
    insta::assert_snapshot!(
        message("a,b\n1,2\n", &with(Header::No)),
        @r#"a.csv: at row 1 (line 1), column 1: "a" is not a number; a missing value is an empty cell or one of NA, N/A, NaN, nan, null, NULL, None, ?; a column of categories needs a model that has labels for it; leave a column out with --drop "1""#
    );
}

#[test]
fn byte_order_marks_line_ends_quotes_and_blank_lines_are_no_cells() {
    let named = table("\u{feff}a,\"b,\"\"c\"\r\n\"1\",2\r\n\r\n3,\" 4 \"");
    assert_eq!(named.names, Some(vec!["a".to_owned(), "b,\"c".to_owned()]));
    assert_eq!(wide(&named), [[1.0, 2.0], [3.0, 4.0]]);
    assert_eq!(wide(&table("\u{feff}1,2\n")), [[1.0, 2.0]]);
    assert_eq!(wide(&table("x\n1\n")), [[1.0]]);
}

#[test]
fn missing_marks_infinities_and_extremes_are_exact() {
    let read = table("a,b,c,d\n,NA,nan,?\ninf,-inf,-0.0,1e999\n5e-324,0.1,1e308,-1\n");
    let rows = wide(&read);
    assert!(rows[0].iter().all(|cell| cell.is_nan()));
    assert_eq!(
        rows[1],
        [f64::INFINITY, f64::NEG_INFINITY, -0.0, f64::INFINITY]
    );
    assert!(rows[1][2].is_sign_negative());
    assert_eq!(rows[2], [5e-324, 0.1, 1e308, -1.0]);
}

#[test]
fn bad_cells_and_rows_name_their_place() {
    let options = ReadOptions::default();
    insta::assert_snapshot!(
        message("age,income\n1,2\n3,abc\n", &options),
        @r#"a.csv: at row 2 (line 3), column "income": "abc" is not a number; a missing value is an empty cell or one of NA, N/A, NaN, nan, null, NULL, None, ?; a column of categories needs a model that has labels for it; leave a column out with --drop "income""#
    );
    insta::assert_snapshot!(
        message("a,b\n1,2\n3\n", &options),
        @"a.csv: at row 2 (line 3): 1 cells; expected 2, as in the first line; add the missing cells or quote the cell that holds the delimiter"
    );
    insta::assert_snapshot!(
        message("a,b\n1,2,3\n", &options),
        @"a.csv: at row 1 (line 2): 3 cells; expected 2, as in the first line; add the missing cells or quote the cell that holds the delimiter"
    );
    insta::assert_snapshot!(
        message("a,b,a\n1,2,3\n", &options),
        @r#"a.csv: at the header: columns 1 and 3 are both called "a"; give every column a name of its own"#
    );
    insta::assert_snapshot!(message("a,b\n", &options), @"a.csv: at its end: no rows; expected at least one");
    insta::assert_snapshot!(message("\n\n", &options), @"a.csv: at its start: no rows; expected at least one");
    insta::assert_snapshot!(
        message("a;b\n1;2\n", &options),
        @r#"a.csv: at row 1 (line 2), column "a;b": the only cell of the row holds ';'; give the byte between the cells as the delimiter, which is ',' now"#
    );
    insta::assert_snapshot!(
        message(b"a,\xff\n1,2\n", &options),
        @"a.csv: at the header, column 2: the name is not UTF-8; save the file as UTF-8"
    );
}

#[test]
fn the_first_bad_cell_is_reported_however_many_tasks_parse() {
    let mut text = "a\n".to_owned();
    for row in 0..3000 {
        text += if row % 1000 == 700 { "bad\n" } else { "1\n" };
    }
    for _ in 0..10 {
        assert!(message(&text, &ReadOptions::default()).contains("row 701 (line 702)"));
    }
}

#[test]
fn other_delimiters_are_read() {
    let scratch = Scratch::new();
    let tabs = scratch.file("a.tsv", "a\tb\n1\t2\n");
    assert_eq!(
        wide(&read(&tabs, &ReadOptions::default()).unwrap()),
        [[1.0, 2.0]]
    );
    let options = ReadOptions {
        delimiter: Some(b';'),
        ..ReadOptions::default()
    };
    let semicolons = scratch.file("a.csv", "a;b\n1;2\n");
    assert_eq!(wide(&read(&semicolons, &options).unwrap()), [[1.0, 2.0]]);
}

#[test]
fn declared_columns_are_labels_by_name_or_position() {
    let scratch = Scratch::new();
    let options = ReadOptions {
        labels: vec![label(Some("colour"), None), label(None, Some(2))],
        drop: vec!["id".to_owned()],
        ..ReadOptions::default()
    };
    let path = scratch.file(
        "a.csv",
        "id,colour,x,size\nr1,red,1,S\nr2,NA,2,\nr3, red,3,S\nr4,red,4,L\n",
    );
    let reader = Reader::open(&path, &options).unwrap();
    let names = ["colour", "x", "size"].map(str::to_owned);
    assert_eq!(reader.names(), Some(&names[..]));
    assert_eq!(reader.columns(), 3);
    let text = |cells: [&str; 4]| {
        cells
            .map(|cell| (!cell.is_empty()).then(|| cell.to_owned()))
            .to_vec()
    };
    let expected = [
        text(["red", "", " red", "red"]),
        text(["1.0", "2.0", "3.0", "4.0"]),
        text(["S", "", "S", "L"]),
    ];
    assert_eq!(cells(&read(&path, &options).unwrap()), expected);
    let parts = batches(&path, &options, 3);
    assert_eq!(parts.iter().map(Table::rows).collect::<Vec<_>>(), [3, 1]);
    assert_eq!(cells(&parts[1])[0], [Some("red".to_owned())]);
}

#[test]
fn dropping_an_unknown_column_names_the_nearest() {
    let with = |drop: &str| ReadOptions {
        drop: vec![drop.to_owned()],
        ..ReadOptions::default()
    };
    insta::assert_snapshot!(
        message("target,b\n1,2\n", &with("Target")),
        @r#"a.csv: at column "Target": no column has this name; did you mean "target"?"#
    );
    insta::assert_snapshot!(
        message("target,b\n1,2\n", &with("outcome")),
        @r#"a.csv: at column "outcome": no column has this name; the columns are "target", "b""#
    );
    insta::assert_snapshot!(
        message("1,2\n", &with("3")),
        @r#"a.csv: at column "3": the table has no column names; name a column by its position, 1 to 2"#
    );
    insta::assert_snapshot!(
        message("a\n2\n", &with("a")),
        @"a.csv: at the header: every column is dropped; keep one"
    );
}

#[test]
fn batches_are_the_whole_table_in_pieces() {
    let scratch = Scratch::new();
    let mut text = "a,b\n".to_owned();
    for row in 0..10_000 {
        writeln!(text, "{row},{}", f64::from(row) / 7.0).unwrap();
    }
    let path = scratch.file("a.csv", text);
    let options = ReadOptions::default();
    let whole = wide(&read(&path, &options).unwrap());
    for max_rows in [999, 4096, 5000, 20_000] {
        let parts = batches(&path, &options, max_rows);
        assert!(parts.iter().all(|part| part.rows() <= max_rows));
        assert_eq!(parts.iter().flat_map(wide).collect::<Vec<_>>(), whole);
    }
    assert_eq!(whole[9999], [9999.0, 9999.0 / 7.0]);
}

#[test]
fn a_quote_that_never_closes_is_an_error_without_the_memory_of_the_file() {
    let scratch = Scratch::new();
    let path = scratch.path("a.csv");
    let file = std::fs::File::create(&path).unwrap();
    std::io::Write::write_all(&mut &file, b"a,b\n1,\"2\n").unwrap();
    // A hole in the file: a gigabyte that the disk does not hold.
    file.set_len(1 << 30).unwrap();
    insta::assert_snapshot!(
        scratch.message(read(&path, &ReadOptions::default())),
        @"a.csv: at the row that begins in line 2: the row is longer than 64 MB; close the quotation mark that it opens"
    );
}

#[test]
fn a_label_column_is_found_as_the_model_finds_it() {
    let scratch = Scratch::new();
    let options = ReadOptions {
        labels: vec![label(Some("marital_status"), None)],
        ..ReadOptions::default()
    };
    let is_label = |text: &str| {
        let table = read(&scratch.file("a.csv", text), &options);
        table.is_ok_and(|table| match table.cells {
            Cells::Columns(columns) => matches!(columns[0], Column::Labels { .. }),
            _ => false,
        })
    };
    assert!(is_label("marital status,b\nMarried,1\n"));
    assert!(is_label("marital_status,marital status\nMarried,1\n"));
    // Which of the two is meant cannot be known.
    assert!(!is_label("marital status,marital\u{a0}status\nMarried,1\n"));
}

#[test]
fn a_short_row_below_a_wide_one_takes_no_room_for_cells_that_are_not_there() {
    // 4095 rows of 300,000 cells would be 10 GB.
    let text = ",".repeat(300_000) + "\n" + &"1\n".repeat(4095);
    let message = message(text, &ReadOptions::default());
    assert!(
        message.starts_with("a.csv: at row 2 (line 2): 1 cells; expected 300001"),
        "{message}"
    );
}

//! Word vectors and texts from files.

use std::fmt::Write;
use std::path::PathBuf;

use ndarray::array;
use whylight::text::{
    Coverage, Document, Vectors, Vocabulary, VocabularyOptions, WordCounts, read_corpus,
};

fn file(folder: &tempfile::TempDir, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

fn counts(texts: &[&str]) -> WordCounts {
    let documents: Vec<Document> = texts.iter().map(|text| Document::new(*text)).collect();
    WordCounts::of(&documents)
}

#[test]
fn lines_of_glove_and_word2vec_are_read_and_only_the_words_of_the_corpus_kept() {
    let folder = tempfile::tempdir().unwrap();
    let lines = "the 0.5 -1 2e-1\n. . . 1 2 3\nfilm 4 5 6\r\nthe 9 9 9\nodd x y z\n";
    let path = file(&folder, "glove.txt", lines.replace("odd x y z\n", ""));
    let all = Vectors::read(&path, None, None).unwrap();
    assert_eq!(all.words(), ["the", ". . .", "film"]);
    assert_eq!((all.dimensions(), all.in_file()), (3, 4));
    assert_eq!(all.get("the"), Some(&[0.5, -1.0, 0.2][..]));
    assert_eq!(all.get(". . ."), Some(&[1.0, 2.0, 3.0][..]));
    assert_eq!(all.get("film"), Some(&[4.0, 5.0, 6.0][..]));
    // Numbers of words that are not kept are not parsed.
    let path = file(&folder, "odd.txt", lines);
    let counts = counts(&["Film, film FILM unseen the"]);
    let kept = Vectors::read(&path, None, Some(&counts)).unwrap();
    assert_eq!(kept.words(), ["the", "film"]);
    let expected = Coverage {
        types: 3,
        types_found: 2,
        tokens: 5,
        tokens_found: 4,
    };
    assert_eq!(kept.coverage(&counts), expected);
    let vocabulary = Vocabulary::new(
        &counts,
        &VocabularyOptions {
            min_count: 1,
            most: None,
            buckets: 2,
        },
    )
    .unwrap();
    let (table, known) = kept.table(&vocabulary);
    assert_eq!(vocabulary.words(), ["film", "the", "unseen"]);
    assert_eq!(
        table,
        array![
            [4.0, 5.0, 6.0],
            [0.5, -1.0, 0.2],
            [0.0; 3],
            [0.0; 3],
            [0.0; 3]
        ]
    );
    assert_eq!(known, [true, true, false, false, false]);

    let path = file(&folder, "word2vec.txt", "2 2\na 1 2 \nb\u{e9} 3 4 \n");
    let vectors = Vectors::read(&path, None, None).unwrap();
    assert_eq!(vectors.words(), ["a", "b\u{e9}"]);
    assert_eq!(vectors.get("b\u{e9}"), Some(&[3.0, 4.0][..]));
    let path = file(&folder, "tabs.txt", "a\t1\t2\nb c\t3\t4");
    assert_eq!(
        Vectors::read(&path, None, None).unwrap().get("b c"),
        Some(&[3.0, 4.0][..])
    );
}

#[test]
fn blocks_of_a_large_file_give_every_line_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut text = String::new();
    let words = 60_000_u32;
    for word in 0..words {
        // Lines of many lengths, so that blocks end at every place of a line.
        let _ = write!(text, "word{word:0width$}", width = 1 + word as usize % 97);
        for dimension in 0..16 {
            let _ = write!(text, " {}", word * 16 + dimension);
        }
        text.push('\n');
    }
    assert!(text.len() > 9 << 20);
    let path = file(&folder, "large.txt", &text);
    let vectors = Vectors::read(&path, None, None).unwrap();
    assert_eq!(vectors.words().len(), words as usize);
    for (word, name) in (0..words).zip(vectors.words()) {
        assert_eq!(
            *name,
            format!("word{word:0width$}", width = 1 + word as usize % 97)
        );
        assert_eq!(vectors.get(name).unwrap()[15], (word * 16 + 15) as f32);
    }
    // A line that is wrong has its number whatever block it is in.
    let lines: Vec<&str> = text.lines().collect();
    let mut broken = lines.clone();
    broken[59_000] = "short 1 2";
    let path = file(&folder, "broken.txt", broken.join("\n"));
    let error = Vectors::read(&path, None, Some(&counts(&["other"])))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("line 59001") && error.contains("2 numbers in `short 1 2`; expected 16"),
        "{error}"
    );
}

#[test]
fn what_is_no_vector_is_named() {
    let folder = tempfile::tempdir().unwrap();
    for (bytes, says) in [
        ("", "line 1: it holds ``"),
        ("word\n", "line 1: it holds `word`"),
        (
            "a 1 2\nb 1 x\n",
            "line 2: `x` in the vector of \"b\" is no finite number",
        ),
        ("a 1 2\n\nb 1 2\n", "line 2: 0 numbers"),
        (
            "a 1 2\nb 1 2 3\n",
            "line 2: 3 numbers in `b 1 2 3`; expected 2",
        ),
        ("a 1 2\nb inf 2\n", "no finite number"),
        (
            "3 2\na 1 2\nb 3 4\n",
            "line 1: it announces 3 words, and 2 follow",
        ),
        (
            "2 3\na 1 2\nb 3 4\n",
            "line 2: 2 numbers in `a 1 2`; expected 3",
        ),
        ("1 0\na\n", "0 dimensions"),
    ] {
        let path = file(&folder, "vectors.txt", bytes);
        let error = Vectors::read(&path, None, None).unwrap_err().to_string();
        assert!(
            error.contains(says) && error.contains("vectors.txt"),
            "{bytes:?}: {error}"
        );
    }
    let path = file(&folder, "vectors.txt", b"a 1 2\n\xff\xfe 3 4\n");
    let error = Vectors::read(&path, None, None).unwrap_err().to_string();
    assert!(
        error.contains("line 2") && error.contains("is not UTF-8"),
        "{error}"
    );
    assert!(Vectors::read(&folder.path().join("none.txt"), None, None).is_err());
}

/// A NumPy file of float32.
fn npy(rows: usize, columns: usize, cells: &[f32]) -> Vec<u8> {
    let mut header =
        format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {columns}), }}");
    while !(header.len() + 11).is_multiple_of(64) {
        header.push(' ');
    }
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(cells.iter().flat_map(|cell| cell.to_le_bytes()));
    bytes
}

#[test]
fn an_array_has_its_words_in_a_list() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(
        &folder,
        "vectors.npy",
        npy(3, 2, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]),
    );
    let list = file(&folder, "words.txt", "a\n\nc\n");
    let vectors = Vectors::read(&path, Some(&list), None).unwrap();
    assert_eq!(vectors.words(), ["a", "", "c"]);
    assert_eq!(vectors.get("c"), Some(&[5.0, 6.0][..]));
    let kept = Vectors::read(&path, Some(&list), Some(&counts(&["C d"]))).unwrap();
    assert_eq!((kept.words(), kept.in_file()), (&["c".to_owned()][..], 3));
    let short = file(&folder, "short.txt", "a\nb\n");
    let error = Vectors::read(&path, Some(&short), None)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("expected one for each of the 3 rows, got 2"),
        "{error}"
    );
    let error = Vectors::read(&path, None, None).unwrap_err().to_string();
    assert!(error.contains("an array has no words"), "{error}");
    let error = Vectors::read(&list, Some(&short), None)
        .unwrap_err()
        .to_string();
    assert!(error.contains("belongs to a .npy file"), "{error}");
    let path = file(&folder, "nan.npy", npy(3, 1, &[1.0, f32::NAN, 3.0]));
    let error = Vectors::read(&path, Some(&list), None)
        .unwrap_err()
        .to_string();
    assert!(error.contains("row 2"), "{error}");
}

#[cfg(feature = "arrow")]
mod tables {
    use std::path::Path;
    use std::sync::Arc;

    use arrow::array::{
        ArrayRef, DictionaryArray, Float32Array, Float64Array, Int64Array, ListArray, RecordBatch,
        StringArray,
    };
    use arrow::datatypes::{Float64Type, Int32Type};
    use whylight::text::{Vectors, read_corpus};

    fn parquet(path: &Path, columns: Vec<(&str, ArrayRef)>) {
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let file = std::fs::File::create(path).unwrap();
        let mut writer = parquet::arrow::ArrowWriter::try_new(file, batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
    }

    fn lists(lists: &[Option<Vec<f64>>]) -> ArrayRef {
        let lists = lists
            .iter()
            .map(|list| list.as_ref().map(|list| list.iter().copied().map(Some)));
        Arc::new(ListArray::from_iter_primitive::<Float64Type, _, _>(lists))
    }

    #[test]
    fn parquet_has_a_column_of_words_and_numbers_or_lists() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vectors.parquet");
        let words: ArrayRef = Arc::new(StringArray::from(vec!["a", "b"]));
        let first: ArrayRef = Arc::new(Float32Array::from(vec![1.0, 3.0]));
        let second: ArrayRef = Arc::new(Float64Array::from(vec![2.0, 4.0]));
        parquet(
            &path,
            vec![("x", first), ("word", Arc::clone(&words)), ("y", second)],
        );
        let vectors = Vectors::read(&path, None, None).unwrap();
        assert_eq!(vectors.get("b"), Some(&[3.0, 4.0][..]));
        let place: ArrayRef = Arc::new(Int64Array::from(vec![0, 1]));
        let list = lists(&[Some(vec![1.0, 2.0, 3.0]), Some(vec![4.0, 5.0, 6.0])]);
        let keys: ArrayRef = Arc::new(DictionaryArray::<Int32Type>::from_iter(["a", "b"]));
        parquet(
            &path,
            vec![("place", place), ("word", keys), ("vector", list)],
        );
        let vectors = Vectors::read(&path, None, None).unwrap();
        assert_eq!(vectors.get("b"), Some(&[4.0, 5.0, 6.0][..]));
        for (list, says) in [
            (
                vec![Some(vec![1.0, 2.0]), Some(vec![1.0])],
                "row 2: 1 numbers",
            ),
            (vec![Some(vec![1.0, 2.0]), None], "row 2: 0 numbers"),
            (
                vec![Some(vec![1.0]), Some(vec![f64::NAN])],
                "row 2: 1 numbers, 0 of them finite",
            ),
        ] {
            parquet(
                &path,
                vec![("word", Arc::clone(&words)), ("vector", lists(&list))],
            );
            let error = Vectors::read(&path, None, None).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
        parquet(&path, vec![("word", Arc::clone(&words))]);
        let error = Vectors::read(&path, None, None).unwrap_err().to_string();
        assert!(
            error.contains("1 of text, 0 of lists and 0 of numbers"),
            "{error}"
        );
        std::fs::write(&path, b"PAR1 and nothing else").unwrap();
        assert!(Vectors::read(&path, None, None).is_err());
    }

    #[test]
    fn texts_are_a_column_beside_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("corpus.parquet");
        let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("NA"), Some("")]));
        let score: ArrayRef = Arc::new(Float64Array::from(vec![0.25, 0.75]));
        let other = lists(&[None, None]);
        parquet(
            &path,
            vec![("other", other), ("text", texts), ("score", score)],
        );
        let corpus = read_corpus(&path, "text", &["score".to_owned()]).unwrap();
        assert_eq!(corpus.texts, ["NA", ""]);
        assert_eq!(corpus.numbers, ndarray::array![[0.25], [0.75]]);
        let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None]));
        parquet(&path, vec![("text", texts)]);
        let error = read_corpus(&path, "text", &[]).unwrap_err().to_string();
        assert!(error.contains("row 2, column \"text\": no text"), "{error}");
    }
}

#[test]
fn texts_come_from_tables_and_lines() {
    let folder = tempfile::tempdir().unwrap();
    let table = "label,text,yes,no\npos,\"Good, \"\"very\"\"\ngood\",0.9,0.1\nneg,NA,0.2,0.8\nneg,,0.5,0.5\n";
    let path = file(&folder, "corpus.csv", table);
    let names = ["no".to_owned(), "yes".to_owned()];
    let corpus = read_corpus(&path, "text", &names).unwrap();
    assert_eq!(corpus.texts, ["Good, \"very\"\ngood", "NA", ""]);
    assert_eq!(corpus.numbers, array![[0.1, 0.9], [0.8, 0.2], [0.5, 0.5]]);
    for (column, numbers, says) in [
        ("txt", &[][..], "did you mean \"text\""),
        ("text", &["label".to_owned()][..], "label"),
    ] {
        let error = read_corpus(&path, column, numbers).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
    let path = file(&folder, "corpus.txt", "\u{feff}one\n\n two \r\n");
    assert_eq!(
        read_corpus(&path, "text", &[]).unwrap().texts,
        ["one", " two "]
    );
    for (name, bytes, says) in [
        ("empty.txt", &b"\n \n"[..], "no texts"),
        ("empty.csv", b"text\n", "no rows"),
        ("bytes.txt", b"a\n\xff\n", "line 2"),
    ] {
        let error = read_corpus(&file(&folder, name, bytes), "text", &[])
            .unwrap_err()
            .to_string();
        assert!(error.contains(says) && error.contains(name), "{error}");
    }
}

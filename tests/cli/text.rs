//! `whylight text`: texts in, the values of their words out.

use std::path::Path;

use serde_json::Value;

use super::Place;

/// 0.75 where there is "good", of two outputs, by each line of a text.
const MODEL: &str = "read name
while read -r count; do
    echo $count
    i=0
    while [ $i -lt $count ]; do
        IFS= read -r line
        case \"$line\" in *good*) echo 0.75,0.25 ;; *) echo 0.25,0.75 ;; esac
        i=$((i + 1))
    done
done
";

const CALL: &str = "text --teacher-command 'sh model.sh' --corpus corpus.csv --classes yes,no";

fn place() -> Place {
    let place = Place::new();
    place.write("model.sh", MODEL);
    place.write(
        "corpus.csv",
        "label,text\npos,\"a good, \u{1F600} film\"\nneg,bad\npos,\n",
    );
    place
}

#[test]
fn words_come_with_their_places_and_values() {
    let place = place();
    let done = place.run(&format!("{CALL} --method leave-one-out --out words.csv"));
    assert_eq!((done.code, &*done.stdout), (0, ""), "{}", done.stderr);
    insta::assert_snapshot!(place.read("words.csv"), @"
    document,output,word,start,end,sentence,value,standard_error,base_value
    0,yes,a,0,1,0,0,,0.25
    0,yes,good,2,6,0,0.5,,0.25
    0,yes,😀,8,9,0,0,,0.25
    0,yes,film,10,14,0,0,,0.25
    0,no,a,0,1,0,0,,0.75
    0,no,good,2,6,0,-0.5,,0.75
    0,no,😀,8,9,0,0,,0.75
    0,no,film,10,14,0,0,,0.75
    1,yes,bad,0,3,0,0,,0.25
    1,no,bad,0,3,0,0,,0.75
    ");
    assert!(
        done.stderr.contains("leave-one-out of 3 documents"),
        "{}",
        done.stderr
    );
}

#[test]
fn json_has_what_is_known_of_each_document() {
    let place = place();
    place.ok(&format!(
        "{CALL} --method lime --nsamples 500 --seed 3 --out words.json"
    ));
    let json = place.json("words.json");
    assert_eq!(json["seed"], 3);
    assert_eq!(json["output_names"], serde_json::json!(["yes", "no"]));
    assert!(json["model"].as_str().unwrap().contains("sh model.sh"));
    let document = &json["documents"][0];
    assert_eq!(document["method"], "lime");
    assert_eq!(document["text"], "a good, \u{1F600} film");
    assert_eq!(document["answers"], serde_json::json!([0.75, 0.25]));
    assert!(document["local_fit"][0].as_f64().unwrap() > 0.9);
    let words: Vec<&Value> = document["words"].as_array().unwrap().iter().collect();
    assert_eq!((words.len(), &words[1]["word"]), (8, &"good".into()));
    assert!((words[1]["value"].as_f64().unwrap() - 0.5).abs() < 0.05);
    assert!(words[1].get("standard_error").is_none());
    assert_eq!(json["documents"].as_array().unwrap().len(), 3);
}

#[cfg(feature = "arrow")]
#[test]
fn tables_are_read_back() {
    use whylight::data::{Cells, Column, LabelColumn, ReadOptions, read};

    let place = place();
    for name in ["words.parquet", "words.arrow"] {
        place.ok(&format!("{CALL} --method leave-one-out --out {name}"));
        let options = ReadOptions {
            labels: vec![LabelColumn {
                name: Some("word".to_owned()),
                ..LabelColumn::default()
            }],
            ..ReadOptions::default()
        };
        let table = read(&place.path(name), &options).unwrap();
        assert_eq!(table.rows(), 10);
        let names = table.names.clone().unwrap();
        let Cells::Columns(columns) = &table.cells else {
            panic!("columns");
        };
        let column = |wanted: &str| &columns[names.iter().position(|name| name == wanted).unwrap()];
        let Column::Labels { codes, labels } = column("word") else {
            panic!("labels");
        };
        assert_eq!(labels[codes[1] as usize], "good");
        let Column::F64(values) = column("value") else {
            panic!("numbers");
        };
        assert_eq!(values[..6], [0.0, 0.5, 0.0, 0.0, 0.0, -0.5]);
        let Column::F64(starts) = column("start") else {
            panic!("numbers");
        };
        assert_eq!(starts[..4], [0.0, 2.0, 8.0, 10.0]);
    }
}

#[test]
fn a_page_highlights_words_and_escapes_the_rest() {
    let place = place();
    place.write("texts.txt", "<b>good</b> & bad\n\nbad\n");
    place.ok("text --teacher-command 'sh model.sh' --corpus texts.txt --method leave-one-out --out words.html");
    let page = place.read("words.html");
    assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>\n"));
    assert!(page.contains("&lt;b&gt;<mark ") && page.contains(">good</mark>&lt;/b&gt; &amp; bad"));
    assert!(
        page.contains("title=\"+0.5000\"") && page.contains("dashed") && !page.contains("http")
    );
}

#[test]
fn without_a_file_the_ranking_and_the_first_documents_are_shown() {
    let text = place().ok(&format!("{CALL} --nsamples 64"));
    assert!(
        text.contains("Words by mean |value| over 3 documents"),
        "{text}"
    );
    let ranking = text
        .lines()
        .skip_while(|line| !line.starts_with("feature"))
        .nth(1);
    assert!(
        ranking.is_some_and(|line| line.starts_with("good")),
        "{text}"
    );
    assert!(text.contains("kernel of 3 documents"), "{text}");
    assert!(text.contains("exact       3 of 3 documents"), "{text}");
    assert!(text.contains("Document 0, yes: 0.2500 → 0.7500"), "{text}");
    assert!(text.contains("Document 1, no: 0.7500 → 0.7500"), "{text}");
}

#[cfg(feature = "http")]
#[test]
fn an_endpoint_is_a_model_too() {
    use serde_json::json;

    use crate::support::server::Server;

    let server = Server::new(|_, request| {
        let texts = request.body["instances"].as_array().unwrap().clone();
        let answers: Vec<f64> = texts
            .iter()
            .map(|text| f64::from(u8::from(text.as_str().unwrap().contains("good"))))
            .collect();
        Some((
            200,
            String::new(),
            json!({ "predictions": answers }).to_string(),
        ))
    });
    let place = place();
    let url = server.url("/v1/models/m:predict");
    place.ok(&format!(
        "text --teacher {url} --corpus corpus.csv --method leave-one-out --out words.csv --mask [MASK]"
    ));
    assert!(
        place
            .read("words.csv")
            .contains("0,output 0,good,2,6,0,1,,0\n")
    );
    let asked: Vec<String> = server
        .requests()
        .iter()
        .map(|request| request.body.to_string())
        .collect();
    assert!(
        asked
            .iter()
            .any(|body| body.contains("[MASK] good, \u{1F600} film")),
        "{asked:?}"
    );
}

#[test]
fn what_cannot_be_done_is_said() {
    let place = place();
    for (line, says) in [
        (
            "text --corpus corpus.csv",
            "2: error: the following required arguments were not provided",
        ),
        (
            &format!("{CALL} --method best"),
            "expected auto, kernel, hierarchical, lime",
        ),
        (
            &format!("{CALL} --players letters"),
            "2: error: players: \"letters\" is not allowed",
        ),
        (
            &format!("{CALL} --players tokens"),
            "2: error: tokenizer: none is not allowed: for tokens as players",
        ),
        (
            &format!("{CALL} --nsamples 3"),
            "2: error: samples: 3 is not allowed",
        ),
        (
            &format!("{CALL} --out words.npy"),
            "2: error: out: words.npy is not allowed",
        ),
        (
            &format!("{CALL} --column txt"),
            "1: error: corpus.csv: at column \"txt\": no column has this name",
        ),
        (
            "text --teacher-command 'sh model.sh' --corpus corpus.csv --classes one",
            "expected 2, as the model answers",
        ),
        (
            "text --teacher model.onnx --corpus corpus.csv",
            "tokenizer: none is not allowed: for an ONNX classifier",
        ),
        (
            "text --teacher-command \"\" --corpus corpus.csv",
            "1: error: ",
        ),
        (
            "text --teacher-command 'sh none.sh' --corpus corpus.csv",
            "1: error: the model did not answer: sh none.sh",
        ),
    ] {
        let error = place.fails(line);
        assert!(error.contains(says), "{line}\n{error}");
        assert!(!Path::new(&place.path("words.npy")).exists());
    }
}

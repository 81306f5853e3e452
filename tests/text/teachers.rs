//! Models of text: what they are asked, and what becomes of their answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ndarray::{Array2, array};
use whylight::text::{Function, Recorded, Teacher};

/// A function that answers with some array, whatever it is asked.
fn answering(answers: impl Fn(usize, usize) -> Array2<f64> + Send + Sync + 'static) -> Teacher {
    let calls = AtomicUsize::new(0);
    let function = Function::new(move |texts: &[&str]| {
        Ok(answers(calls.fetch_add(1, Ordering::Relaxed), texts.len()))
    });
    Teacher::new(Arc::new(function), None, "first").unwrap()
}

#[test]
fn an_answer_of_the_wrong_shape_or_without_numbers_is_named() {
    let error = |later: Array2<f64>| {
        let first = array![[0.5, 0.5]];
        let teacher = answering(move |call, _| {
            if call == 0 {
                first.clone()
            } else {
                later.clone()
            }
        });
        assert_eq!(teacher.outputs(), ["output 0", "output 1"]);
        teacher.answer(&["a", "b"]).unwrap_err().to_string()
    };
    for (answer, says) in [
        (
            array![[0.1, 0.9]],
            "1 rows of 2 outputs; expected one row for each, of 2 outputs",
        ),
        (array![[0.1], [0.2]], "2 rows of 1 outputs"),
        (
            array![[0.1, 0.9], [f64::NAN, 0.0]],
            "output 0 of text 1 is NaN",
        ),
        (
            array![[0.1, f64::INFINITY], [0.0, 0.0]],
            "output 1 of text 0 is inf",
        ),
    ] {
        let error = error(answer);
        assert!(
            error.contains(says) && error.contains("its answer to 2 texts"),
            "{error}"
        );
    }
    for (first, says) in [
        (Array2::zeros((1, 0)), "1 rows of 0 outputs"),
        (
            Array2::zeros((2, 1)),
            "2 rows of 1 outputs; expected one row",
        ),
    ] {
        let function = Function::new(move |_: &[&str]| Ok(first.clone()));
        let error = Teacher::new(Arc::new(function), None, "")
            .unwrap_err()
            .to_string();
        assert!(error.contains(says), "{error}");
    }
    let function = Function::new(|_: &[&str]| Ok(array![[1.0, 2.0]]));
    let names = Some(vec!["only".to_owned()]);
    let error = Teacher::new(Arc::new(function), names, "")
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("expected 2, as the model answers, got 1"),
        "{error}"
    );
}

#[test]
fn what_was_asked_is_counted() {
    let teacher = answering(|_, texts| Array2::ones((texts, 1)));
    assert_eq!(teacher.asked(), (1, 1));
    teacher.answer(&["a", "b", "c"]).unwrap();
    teacher.answer(&[]).unwrap();
    assert_eq!(teacher.asked(), (2, 4));
    assert_eq!(teacher.title(), "black box");
}

#[test]
fn recorded_answers_are_for_the_texts_of_the_corpus_alone() {
    let texts = ["a".to_owned(), "b".to_owned(), "a".to_owned()];
    let recorded = Recorded::new(&texts, array![[1.0], [2.0], [3.0]]).unwrap();
    let teacher = Teacher::new(Arc::new(recorded), None, "a").unwrap();
    assert_eq!(teacher.answer(&["b", "a"]).unwrap(), array![[2.0], [1.0]]);
    let error = teacher.answer(&["c"]).unwrap_err().to_string();
    assert!(
        error.contains("\"c…\", which is none of the corpus"),
        "{error}"
    );
    assert!(Recorded::new(&texts, array![[1.0]]).is_err());
}

#[cfg(feature = "http")]
#[test]
fn an_endpoint_gets_texts_as_instances() {
    use serde_json::json;
    use whylight::model::{Http, HttpOptions};

    use crate::support::server::Server;

    let server = Server::new(|_, request| {
        let texts = request.body["instances"].as_array().unwrap().clone();
        let lengths: Vec<_> = texts
            .iter()
            .map(|text| json!([text.as_str().unwrap().len(), 1]))
            .collect();
        Some((
            200,
            String::new(),
            json!({"predictions": lengths}).to_string(),
        ))
    });
    let options = HttpOptions {
        rows: 2,
        ..HttpOptions::default()
    };
    let http = Http::new(&server.url("/texts"), options).unwrap();
    let teacher = Teacher::new(Arc::new(http), None, "").unwrap();
    let answer = teacher.answer(&["a\n\"b\"", "", "é"]).unwrap();
    assert_eq!(answer, array![[5.0, 1.0], [0.0, 1.0], [2.0, 1.0]]);
    assert!(teacher.title().contains("/texts"));
    let bodies: Vec<_> = server
        .requests()
        .into_iter()
        .map(|request| request.body)
        .collect();
    assert_eq!(bodies[1], json!({"instances": ["a\n\"b\"", ""]}));
    assert_eq!(bodies[2], json!({"instances": ["é"]}));
}

#[cfg(unix)]
mod programs {
    use std::sync::Arc;

    use ndarray::array;
    use whylight::model::{Predict, PredictText, Process, ProcessOptions};
    use whylight::text::Teacher;

    fn start(script: &str, options: ProcessOptions) -> Process {
        let arguments = ["-c".to_owned(), script.to_owned()];
        Process::start_for_texts("sh", &arguments, "text", options).unwrap()
    }

    #[test]
    fn a_program_gets_texts_in_quotes() {
        // Answers each line of a text with its length in bytes, but for the quotes around it.
        let script = "read name; [ \"$name\" = text ] || exit 1; \
            while read -r count; do echo $count; i=0; while [ $i -lt $count ]; do IFS= read -r line; \
            echo \"$((${#line} - 2)),7\"; i=$((i + 1)); done; done";
        let options = ProcessOptions {
            rows: 2,
            ..ProcessOptions::default()
        };
        let teacher = Teacher::new(Arc::new(start(script, options)), None, "first").unwrap();
        let answer = teacher.answer(&["", "a, b", "\"\""]).unwrap();
        // A quote is written twice.
        assert_eq!(answer, array![[0.0, 7.0], [4.0, 7.0], [4.0, 7.0]]);
    }

    #[test]
    fn a_program_for_texts_gets_no_rows_and_its_faults_are_named() {
        let program = start("read name; exec cat", ProcessOptions::default());
        let error = program.predict(array![[1.0]]).unwrap_err().to_string();
        assert!(error.contains("which was started for texts"), "{error}");
        let error = program.predict_text(&["good"]).unwrap_err().to_string();
        assert!(error.contains("is no number"), "{error}");
        let rows =
            Process::start("cat", &[], &["a".to_owned()], ProcessOptions::default()).unwrap();
        let error = rows.predict_text(&["good"]).unwrap_err().to_string();
        assert!(
            error.contains("a question for texts") && error.contains("started for rows"),
            "{error}"
        );
    }
}

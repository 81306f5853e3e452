//! Models behind an HTTP endpoint, on a server of this machine: what it is asked, and what becomes of every
//! kind of answer.

use std::net::TcpListener;
use std::sync::mpsc;
use std::time::Duration;

use ndarray::{Array2, array};
use serde_json::{Value, json};
use whylight::model::{Http, HttpOptions, Predict};

use crate::support::server::{Reply, Request, Server, predictions};

fn options() -> HttpOptions {
    HttpOptions {
        retries: 2,
        back_off: Duration::from_millis(1),
        ..HttpOptions::default()
    }
}

fn http(server: &Server, options: HttpOptions) -> Http {
    Http::new(&server.url("/v1/models/m:predict?key=secret"), options).unwrap()
}

/// Two outputs of a row; a missing cell counts as 10.
fn sums(row: &[f64]) -> Value {
    let cells = row
        .iter()
        .map(|cell| if cell.is_nan() { 10.0 } else { *cell });
    let sum: f64 = cells.sum();
    json!([sum, -0.5 * sum])
}

fn rows() -> Array2<f64> {
    array![
        [0.1, 2.0],
        [f64::NAN, 1e-300],
        [3.0, -4.0],
        [1.0, 1.0],
        [0.5, 0.25]
    ]
}

/// What an answer to the five rows comes to, that is an error.
fn error(answer: impl Fn(usize, &Request) -> Reply + Send + 'static) -> String {
    let server = Server::new(answer);
    let error = http(&server, options())
        .predict(rows())
        .unwrap_err()
        .to_string();
    let place = server.url("/v1/models/m:predict");
    assert!(error.contains(&place), "{error}");
    assert!(!error.contains("secret"), "{error}");
    error.replace(&place, "URL")
}

/// What a body comes to, that is an error.
fn body(body: &'static str) -> String {
    error(move |_, _| Some((200, String::new(), body.to_owned())))
}

#[test]
fn rows_are_asked_in_parts_and_missing_cells_are_null() {
    let server = Server::of(sums);
    let asked = HttpOptions {
        rows: 2,
        headers: vec![("Authorization".to_owned(), "Bearer abc".to_owned())],
        ..options()
    };
    let answer = http(&server, asked).predict(rows()).unwrap();
    let expected = [2.1, 10.0, -1.0, 2.0, 0.75];
    assert_eq!(answer.dim(), (5, 2));
    for (answer, expected) in answer.outer_iter().zip(expected) {
        assert!((answer[0] - expected).abs() < 1e-15 && (answer[1] + 0.5 * expected).abs() < 1e-15);
    }
    let requests = server.requests();
    let heights: Vec<usize> = requests
        .iter()
        .map(|request| request.rows().len())
        .collect();
    assert_eq!(heights, [2, 2, 1]);
    assert_eq!(
        requests[0].body,
        json!({"instances": [[0.1, 2.0], [null, 1e-300]]})
    );
    let head = &requests[0].head;
    assert!(
        head.starts_with("POST /v1/models/m:predict?key=secret HTTP/1.1\r\n"),
        "{head}"
    );
    let head = head.to_ascii_lowercase();
    for line in [
        "content-type: application/json\r\n",
        "authorization: bearer abc\r\n",
    ] {
        assert!(head.contains(line), "{head}");
    }
}

#[test]
fn a_number_is_an_answer_of_one_output() {
    let server = Server::of(|row| json!(row[1]));
    let answer = http(&server, options()).predict(rows()).unwrap();
    assert_eq!(answer, rows().slice(ndarray::s![.., 1..2]));
}

#[test]
fn what_passes_is_tried_again() {
    let unavailable = |status: u16| Some((status, String::new(), "busy".to_owned()));
    for status in [429, 500, 503] {
        let server = Server::new(move |number, request| match number {
            0 | 1 => unavailable(status),
            _ => Some(predictions(request, sums)),
        });
        let answer = http(&server, options()).predict(rows()).unwrap();
        assert_eq!(answer[[3, 0]], 2.0);
        assert_eq!(server.requests().len(), 3);
    }
    // A connection that is closed without an answer.
    let server = Server::new(|number, request| match number {
        0 => None,
        _ => Some(predictions(request, sums)),
    });
    assert_eq!(
        http(&server, options()).predict(rows()).unwrap()[[3, 0]],
        2.0
    );
    // The wait that the server asks for is taken in place of one that would last for hours.
    let server = Server::new(|number, request| match number {
        0 => Some((503, "Retry-After: 0\r\n".to_owned(), String::new())),
        _ => Some(predictions(request, sums)),
    });
    let hours = HttpOptions {
        back_off: Duration::from_hours(5),
        ..options()
    };
    assert_eq!(http(&server, hours).predict(rows()).unwrap()[[3, 0]], 2.0);
}

#[test]
fn what_does_not_pass_is_told_with_the_address_and_what_the_server_says() {
    let fails = error(|_, _| Some((500, String::new(), "out of\n memory".to_owned())));
    insta::assert_snapshot!(fails, @"the model did not answer: URL: status 500 Internal Server Error: it says `out of memory`; tried 3 times");
    let absent = error(|number, _| {
        assert_eq!(number, 0, "no second try");
        Some((404, String::new(), "<html>no such model</html>".to_owned()))
    });
    insta::assert_snapshot!(absent, @"the model did not answer: URL: status 404 Not Found: it says `<html>no such model</html>`");
    let moved = error(|_, _| {
        Some((
            307,
            "Location: http://elsewhere/\r\n".to_owned(),
            String::new(),
        ))
    });
    insta::assert_snapshot!(moved, @"the model did not answer: URL: status 307 Temporary Redirect, to http://elsewhere/");
    let later = error(|_, _| Some((429, "Retry-After: 86400\r\n".to_owned(), String::new())));
    insta::assert_snapshot!(later, @"the model did not answer: URL: status 429 Too Many Requests; it asks to wait 86400 seconds");
    let long = "x".repeat(1000);
    let long = error(move |_, _| Some((400, String::new(), long.clone())));
    assert!(long.ends_with("xxx…`") && long.len() < 400, "{long}");
}

#[test]
fn an_answer_that_is_none_is_told() {
    insta::assert_snapshot!(body("<html>login</html>"), @r#"URL: not a usable black box model: at its answer to 5 rows: expected value at line 1 column 1; expected {"predictions": […]} in JSON, with a number, or a list of numbers, for each row; it begins with `<html>login</html>`"#);
    insta::assert_snapshot!(body(""), @r#"URL: not a usable black box model: at its answer to 5 rows: EOF while parsing a value at line 1 column 0; expected {"predictions": […]} in JSON, with a number, or a list of numbers, for each row; it is empty"#);
    insta::assert_snapshot!(body(r#"{"outputs": [1, 2]}"#), @r#"URL: not a usable black box model: at its answer to 5 rows: missing field `predictions` at line 1 column 19; expected {"predictions": […]} in JSON, with a number, or a list of numbers, for each row; it begins with `{"outputs": [1, 2]}`"#);
    insta::assert_snapshot!(body(r#"{"predictions": [1, 2, 3]}"#), @"URL: not a usable black box model: at its answer to 5 rows: 3 predictions; expected one for each row");
    insta::assert_snapshot!(body(r#"{"predictions": [1, 2, null, 4, 5]}"#), @"URL: not a usable black box model: at its answer to 5 rows: the prediction of row 2 holds `null`; expected a number, or a list of numbers, such as probabilities");
    insta::assert_snapshot!(body(r#"{"predictions": [1, NaN, 2, 4, 5]}"#), @r#"URL: not a usable black box model: at its answer to 5 rows: expected value at line 1 column 21; expected {"predictions": […]} in JSON, with a number, or a list of numbers, for each row; it begins with `{"predictions": [1, NaN, 2, 4, 5]}`"#);
    insta::assert_snapshot!(body(r#"{"predictions": [[1, 2], [3], [1, 2], [1, 2], [1, 2]]}"#), @"URL: not a usable black box model: at its answer to 5 rows: 1 outputs of row 1, but 2 of row 0; expected the same number for every row");
    insta::assert_snapshot!(body(r#"{"predictions": ["yes", "no", "no", "no", "no"]}"#), @r#"URL: not a usable black box model: at its answer to 5 rows: the prediction of row 0 holds `"yes"`; expected a number, or a list of numbers, such as probabilities"#);
    insta::assert_snapshot!(body(r#"{"predictions": [{"p": 1}, 1, 1, 1, 1]}"#), @r#"URL: not a usable black box model: at its answer to 5 rows: the prediction of row 0 holds `{"p":1}`; expected a number, or a list of numbers, such as probabilities"#);
}

#[test]
fn parts_of_different_widths_are_told() {
    let server =
        Server::new(|number, request| Some(predictions(request, |_| json!(vec![0.5; number + 1]))));
    let parts = HttpOptions {
        rows: 3,
        ..options()
    };
    let error = http(&server, parts)
        .predict(rows())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("its answers to 2 requests: they have different numbers"),
        "{error}"
    );
}

#[test]
fn a_server_that_is_not_there_is_told() {
    // A port that was free a moment ago.
    let address = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let nobody = Http::new(&format!("http://{address}/"), options()).unwrap();
    let error = nobody.predict(rows()).unwrap_err().to_string();
    assert!(error.contains(&format!("http://{address}/: ")), "{error}");
    assert!(
        error.contains("refused") && error.ends_with("; tried 3 times"),
        "{error}"
    );
}

#[test]
fn a_slow_server_is_told_and_not_asked_again() {
    // The server answers when the client has given up.
    let (done, wait) = mpsc::channel::<()>();
    let server = Server::new(move |_, request| {
        let _ = wait.recv_timeout(Duration::from_mins(1));
        Some(predictions(request, sums))
    });
    let short = HttpOptions {
        timeout: Duration::from_millis(100),
        ..options()
    };
    let error = http(&server, short)
        .predict(rows())
        .unwrap_err()
        .to_string();
    done.send(()).unwrap();
    assert!(
        error.contains("no answer within 0.1 seconds; allow more"),
        "{error}"
    );
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn an_infinite_cell_is_told() {
    let server = Server::of(sums);
    let error = http(&server, options())
        .predict(array![[1.0, f64::INFINITY]])
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("an infinite cell, which JSON cannot say"),
        "{error}"
    );
    assert!(server.requests().is_empty());
}

#[test]
fn an_address_that_is_none_is_refused_and_shows_no_secret() {
    let refused = |address: &str| Http::new(address, options()).unwrap_err().to_string();
    insta::assert_snapshot!(refused("localhost:80"), @r#"model: "localhost:80" is not allowed: an address is http://HOST/PATH, or https://"#);
    insta::assert_snapshot!(refused("ftp://localhost/"), @r#"model: "ftp://localhost/" is not allowed: an address is http://HOST/PATH, or https://"#);
    insta::assert_snapshot!(refused("http:///predict"), @r#"model: "http:///predict" is not allowed: no address: invalid format; expected http://HOST/PATH"#);
    insta::assert_snapshot!(refused("http://me:secret@localhost/"), @r#"model: an address with a name or a password is not allowed: give these in a header (in the command, --http-header "Authorization: …")"#);
    let bad = HttpOptions {
        headers: vec![("Authorization".to_owned(), "secret\n".to_owned())],
        ..options()
    };
    assert!(!format!("{bad:?}").contains("secret"));
    let refused = Http::new("http://localhost/", bad).unwrap_err().to_string();
    insta::assert_snapshot!(refused, @"headers: a header that HTTP does not allow is not allowed: a name and a value of plain text: failed to parse header value");
    let none = HttpOptions {
        rows: 0,
        ..options()
    };
    let refused = Http::new("http://localhost/", none)
        .unwrap_err()
        .to_string();
    insta::assert_snapshot!(refused, @"rows: 0 is not allowed: at least one row for each request");
}

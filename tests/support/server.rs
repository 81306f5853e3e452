//! A server of predictions on this machine, that answers as a test says.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

/// What came in.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// The request line and the headers.
    pub(crate) head: String,
    pub(crate) body: serde_json::Value,
}

/// What goes out: a status, headers, and a body; or nothing, on a connection that is closed.
pub(crate) type Reply = Option<(u16, String, String)>;

/// Serves until it is dropped.
pub(crate) struct Server {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Answers each request, which come with their number.
    pub(crate) fn new(answer: impl Fn(usize, &Request) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests: Arc<Mutex<Vec<Request>>> = Arc::default();
        let ends = Arc::new(AtomicBool::new(false));
        let (seen, stop) = (Arc::clone(&requests), Arc::clone(&ends));
        let thread = thread::spawn(move || {
            for stream in listener.incoming() {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                let stream = stream.unwrap();
                let Some(request) = read(&stream) else {
                    continue;
                };
                let number = seen.lock().unwrap().len();
                seen.lock().unwrap().push(request.clone());
                if let Some(reply) = answer(number, &request) {
                    write(stream, &reply);
                }
            }
        });
        Self {
            address,
            requests,
            ends,
            thread: Some(thread),
        }
    }

    /// Answers with predictions of rows whose missing cells are NaN.
    pub(crate) fn of(predict: impl Fn(&[f64]) -> serde_json::Value + Send + 'static) -> Self {
        Self::new(move |_, request| Some(predictions(request, &predict)))
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Request {
    /// Cells, NaN where they are null.
    pub(crate) fn rows(&self) -> Vec<Vec<f64>> {
        let cell = |cell: &serde_json::Value| match cell {
            serde_json::Value::Null => f64::NAN,
            cell => cell.as_f64().unwrap(),
        };
        let row = |row: &serde_json::Value| row.as_array().unwrap().iter().map(cell).collect();
        let rows = self.body["instances"].as_array().unwrap();
        rows.iter().map(row).collect()
    }
}

/// A reply with a prediction for each row.
pub(crate) fn predictions(
    request: &Request,
    predict: impl Fn(&[f64]) -> serde_json::Value,
) -> (u16, String, String) {
    let rows = request.rows();
    let list: Vec<serde_json::Value> = rows.iter().map(|row| predict(row)).collect();
    let body = serde_json::json!({ "predictions": list });
    (200, String::new(), body.to_string())
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let lower = head.to_ascii_lowercase();
    let (_, length) = lower.split_once("content-length:")?;
    let length = length.lines().next()?.trim().parse().ok()?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request {
        head,
        body: serde_json::from_slice(&body).ok()?,
    })
}

fn write(mut stream: TcpStream, (status, headers, body): &(u16, String, String)) {
    // A client that has gone needs no answer.
    let _ = write!(
        stream,
        "HTTP/1.1 {status} Said\r\nContent-Length: {}\r\nConnection: close\r\n{headers}\r\n{body}",
        body.len()
    );
}

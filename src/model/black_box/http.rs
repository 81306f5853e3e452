//! A model behind an HTTP endpoint.
//!
//! Rows go out as `{"instances": [[1.5, null, …], …]}`, a list of cells for each row with `null` where a cell
//! is missing, in one `POST` request for every so many rows, and texts as `{"instances": ["…", …]}`. What comes back is `{"predictions": [0.7, …]}`,
//! with a number, or a list of numbers, for each row. That is version 1 of the inference protocol that
//! KServe, TensorFlow Serving and MLflow speak (addresses that end in `:predict`, and `/invocations`),
//! and easily written by hand.

mod answer;

use std::fmt::{self, Write};
use std::thread;
use std::time::Duration;

use ndarray::{Array2, Axis, concatenate};
use serde::Serialize;
use ureq::http::{Response, Uri};
use ureq::{Agent, Body};

use super::{BlackBox, Predict, PredictText};
use crate::error::{Error, Result};

/// Bytes of an answer at most.
const MOST_BYTES: u64 = 256 << 20;

/// The longest that a connection may take, however long the answer to a request.
const LONGEST_CONNECT: Duration = Duration::from_secs(10);

/// The longest wait between two tries, and the longest that a server may ask for.
const LONGEST_BACK_OFF: Duration = Duration::from_secs(30);
const LONGEST_WAIT: Duration = Duration::from_mins(5);

/// How an endpoint is asked.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpOptions {
    /// Rows of a request at most, at least 1; 1000 by default.
    pub rows: usize,
    /// How long a request may take; a minute by default.
    pub timeout: Duration,
    /// How often a request is repeated after a connection that failed, status 429, or a status from 500; 4
    /// times by default.
    pub retries: u32,
    /// The wait before the first repetition, doubled before each further one, up to 30 seconds; a quarter of a
    /// second by default. What a server says in `Retry-After`, in seconds, is waited instead.
    pub back_off: Duration,
    /// Headers of every request, such as `Authorization`.
    pub headers: Vec<(String, String)>,
}

impl fmt::Debug for HttpOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A header's value may be a secret.
        let headers: Vec<&str> = (self.headers.iter())
            .map(|(name, _)| name.as_str())
            .collect();
        f.debug_struct("HttpOptions")
            .field("rows", &self.rows)
            .field("timeout", &self.timeout)
            .field("retries", &self.retries)
            .field("back_off", &self.back_off)
            .field("headers", &headers)
            .finish()
    }
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            rows: 1000,
            timeout: Duration::from_mins(1),
            retries: 4,
            back_off: Duration::from_millis(250),
            headers: Vec::new(),
        }
    }
}

/// A model behind an HTTP endpoint, which takes `{"instances": [[…], …]}` and answers `{"predictions": […]}`.
#[derive(Debug)]
pub struct Http {
    address: Uri,
    agent: Agent,
    options: HttpOptions,
}

/// The body of a request; a cell that is no number is `null`.
#[derive(Debug, Serialize)]
struct Question<'a, T> {
    instances: &'a [T],
}

/// Why a try failed.
#[derive(Debug)]
struct Failure {
    reason: String,
    /// Whether another try may succeed.
    passes: bool,
    /// What the server asks to wait.
    wait: Option<Duration>,
}

impl Http {
    /// Names an endpoint; nothing is sent yet.
    ///
    /// # Errors
    /// [`Error::Parameter`] if the address is not one of `http://` or `https://`, if it holds a password, or for
    /// headers that are none; [`Error::Unsupported`] for `https://` in a build without the feature `https`.
    pub fn new(address: &str, options: HttpOptions) -> Result<Self> {
        let refused = |allowed: &str| Error::Parameter {
            name: "model",
            got: format!("\"{address}\""),
            allowed: allowed.to_owned(),
        };
        let uri: Uri = (address.parse())
            .map_err(|error| refused(&format!("no address: {error}; expected http://HOST/PATH")))?;
        if uri.host().is_none_or(str::is_empty)
            || !matches!(uri.scheme_str(), Some("http" | "https"))
        {
            return Err(refused("an address is http://HOST/PATH, or https://"));
        }
        if uri
            .authority()
            .is_some_and(|host| host.as_str().contains('@'))
        {
            return Err(Error::Parameter {
                name: "model",
                got: "an address with a name or a password".to_owned(),
                allowed:
                    "give these in a header (in the command, --http-header \"Authorization: …\")"
                        .to_owned(),
            });
        }
        if uri.scheme_str() == Some("https") && !cfg!(feature = "https") {
            return Err(Error::Unsupported {
                what: place(&uri),
                by: "this build of whylight".to_owned(),
                instead: "build it with the feature https, or take http://".to_owned(),
            });
        }
        if options.rows == 0 {
            return Err(Error::Parameter {
                name: "rows",
                got: "0".to_owned(),
                allowed: "at least one row for each request".to_owned(),
            });
        }
        let mut request = ureq::http::Request::builder();
        for (name, value) in &options.headers {
            request = request.header(name, value);
        }
        if let Err(error) = request.body(()) {
            // The value may be a secret: it is not shown.
            return Err(Error::Parameter {
                name: "headers",
                got: "a header that HTTP does not allow".to_owned(),
                allowed: format!("a name and a value of plain text: {error}"),
            });
        }
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(options.timeout))
            .timeout_connect(Some(LONGEST_CONNECT))
            .user_agent(concat!("whylight/", env!("CARGO_PKG_VERSION")));
        // The authorities that the system trusts, which a company adds its own to.
        #[cfg(feature = "https")]
        let config = config.tls_config(
            ureq::tls::TlsConfig::builder()
                .root_certs(ureq::tls::RootCerts::PlatformVerifier)
                .build(),
        );
        Ok(Self {
            agent: config.build().new_agent(),
            address: uri,
            options,
        })
    }

    /// The answers to as many requests as it takes.
    fn requests<T: Serialize>(&self, instances: &[T]) -> Result<Array2<f64>> {
        let parts = instances.chunks(self.options.rows);
        let answers: Vec<Array2<f64>> = parts
            .map(|part| self.request(part))
            .collect::<Result<_>>()?;
        let views: Vec<_> = answers.iter().map(|answer| answer.view()).collect();
        concatenate(Axis(0), &views).map_err(|_| Error::Model {
            path: place(&self.address).into(),
            format: BlackBox::FORMAT,
            at: format!("its answers to {} requests", views.len()),
            reason: "they have different numbers of outputs; expected the same for every row"
                .to_owned(),
        })
    }

    /// The answer to one request, after as many tries as it takes.
    fn request<T: Serialize>(&self, instances: &[T]) -> Result<Array2<f64>> {
        let body = serde_json::to_vec(&Question { instances })
            .map_err(|error| self.failed(&error.to_string()))?;
        let mut tries = 0;
        loop {
            tries += 1;
            let Failure {
                reason,
                passes,
                wait,
            } = match self.send(&body) {
                Ok(bytes) => {
                    return answer::read(&bytes, instances.len()).map_err(|reason| Error::Model {
                        path: place(&self.address).into(),
                        format: BlackBox::FORMAT,
                        at: format!("its answer to {} rows", instances.len()),
                        reason,
                    });
                }
                Err(failure) => failure,
            };
            let wait = wait.unwrap_or_else(|| {
                let doubled = 1 << (tries - 1).min(16);
                (self.options.back_off.saturating_mul(doubled)).min(LONGEST_BACK_OFF)
            });
            if !passes {
                return Err(self.failed(&reason));
            }
            if wait > LONGEST_WAIT {
                return Err(self.failed(&format!(
                    "{reason}; it asks to wait {} seconds",
                    wait.as_secs()
                )));
            }
            if tries > self.options.retries {
                return Err(self.failed(&format!("{reason}; tried {tries} times")));
            }
            thread::sleep(wait);
        }
    }

    /// The body of the answer to one request.
    fn send(&self, body: &[u8]) -> Result<Vec<u8>, Failure> {
        let mut request = (self.agent.post(&self.address))
            .header("content-type", "application/json")
            .header("accept", "application/json");
        for (name, value) in &self.options.headers {
            request = request.header(name, value);
        }
        let mut response = request.send(body).map_err(|error| self.unsent(&error))?;
        let status = response.status();
        let bytes = (response.body_mut().with_config())
            .limit(MOST_BYTES)
            .read_to_vec();
        if status.is_success() {
            return bytes.map_err(|error| self.unsent(&error));
        }
        let mut reason = format!("status {status}");
        if let Some(to) = response.headers().get("location") {
            let _ = write!(reason, ", to {}", String::from_utf8_lossy(to.as_bytes()));
        }
        let said = answer::beginning(&bytes.unwrap_or_default());
        if !said.is_empty() {
            let _ = write!(reason, ": it says {said}");
        }
        Err(Failure {
            reason,
            passes: status.as_u16() == 429 || status.is_server_error(),
            wait: retry_after(&response),
        })
    }

    /// What an error says of a request that brought no answer.
    fn unsent(&self, error: &ureq::Error) -> Failure {
        use ureq::{Error as E, Timeout};
        let (reason, passes) = match error {
            E::Timeout(Timeout::Resolve | Timeout::Connect) => (error.to_string(), true),
            E::Timeout(_) => {
                let reason = format!(
                    "no answer within {} seconds; allow more (in the command, --timeout), or ask for \
                     fewer rows at a time (--rows-per-request)",
                    self.options.timeout.as_secs_f64()
                );
                (reason, false)
            }
            E::BodyExceedsLimit(_) => {
                let reason = format!(
                    "an answer of more than {} MiB; ask for fewer rows at a time (in the command, \
                     --rows-per-request)",
                    MOST_BYTES >> 20
                );
                (reason, false)
            }
            E::Io(_) | E::ConnectionFailed | E::HostNotFound | E::Protocol(_) => {
                (error.to_string(), true)
            }
            _ => (error.to_string(), false),
        };
        Failure {
            reason,
            passes,
            wait: None,
        }
    }

    fn failed(&self, reason: &str) -> Error {
        Error::Predict {
            source: format!("{}: {reason}", place(&self.address)).into(),
        }
    }
}

impl Predict for Http {
    fn predict(&self, rows: Array2<f64>) -> Result<Array2<f64>> {
        if rows.iter().any(|cell| cell.is_infinite()) {
            return Err(self.failed(
                "an infinite cell, which JSON cannot say; write it as a missing cell, or as a number",
            ));
        }
        let standard = rows.as_standard_layout();
        let instances = standard.rows().into_iter();
        let instances: Vec<&[f64]> = instances.filter_map(|row| row.to_slice()).collect();
        self.requests(&instances)
    }

    fn place(&self) -> Option<String> {
        Some(place(&self.address))
    }
}

impl PredictText for Http {
    fn predict_text(&self, texts: &[&str]) -> Result<Array2<f64>> {
        self.requests(texts)
    }

    fn place(&self) -> Option<String> {
        Predict::place(self)
    }
}

/// An address as it is shown: a query may hold a key.
fn place(address: &Uri) -> String {
    let part = |part: Option<&str>| part.unwrap_or_default().to_owned();
    format!(
        "{}://{}{}",
        part(address.scheme_str()),
        part(address.authority().map(ureq::http::uri::Authority::as_str)),
        address.path()
    )
}

fn retry_after(response: &Response<Body>) -> Option<Duration> {
    let value = response.headers().get("retry-after")?;
    let seconds = value.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

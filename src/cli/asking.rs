//! How a model is asked that is a program or behind an address.

use std::time::Duration;

use clap::Args;
use whylight::model::{Exchange, ProcessOptions};
use whylight::{Error, Result};

use super::value;

/// How often, how long, and for how many rows at a time.
#[derive(Debug, Args)]
pub(super) struct Asking {
    /// Seconds that a request to a model, or a batch of a program, may take
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = value::seconds)]
    timeout: Duration,

    /// How often a request to a model is repeated, with longer and longer waits, after a connection
    /// that failed or a server that could not answer (status 429, or 500 and above)
    #[arg(long, value_name = "N", default_value_t = 4)]
    retries: u32,

    /// Rows of a request to a model, or of a batch of a program, at most
    #[arg(long, value_name = "N", default_value = "1000", value_parser = value::positive)]
    rows_per_request: usize,

    /// A header of requests to a model, such as "Authorization: Bearer …"; can be given several
    /// times
    #[arg(long, value_name = "NAME: VALUE")]
    http_header: Vec<String>,
}

impl Asking {
    /// How a program is asked.
    pub(super) fn of_program(&self, exchange: Exchange) -> ProcessOptions {
        ProcessOptions {
            exchange,
            rows: self.rows_per_request,
            timeout: self.timeout,
        }
    }

    /// How an endpoint is asked.
    #[cfg(feature = "http")]
    pub(super) fn of_endpoint(&self) -> Result<whylight::model::HttpOptions> {
        Ok(whylight::model::HttpOptions {
            rows: self.rows_per_request,
            timeout: self.timeout,
            retries: self.retries,
            headers: (self.http_header.iter())
                .map(|header| match header.split_once(':') {
                    Some((name, value)) => Ok((name.trim().to_owned(), value.trim().to_owned())),
                    // What was given may be a secret: it is not shown.
                    None => Err(Error::Parameter {
                        name: "http-header",
                        got: "a text without a colon".to_owned(),
                        allowed: "a header is NAME: VALUE".to_owned(),
                    }),
                })
                .collect::<Result<_>>()?,
            ..whylight::model::HttpOptions::default()
        })
    }
}

/// A program and its arguments, from the value of an option.
pub(super) fn program(name: &'static str, line: &str) -> Result<(String, Vec<String>)> {
    let mut words = shlex::split(line).unwrap_or_default().into_iter();
    let Some(program) = words.next() else {
        return Err(Error::Parameter {
            name,
            got: format!("\"{line}\""),
            allowed: "a program and its arguments, as a shell reads them, with quotes in pairs"
                .to_owned(),
        });
    };
    Ok((program, words.collect()))
}

/// The refusal of an address by a build that asks none.
#[cfg(not(feature = "http"))]
pub(super) fn no_endpoint() -> Error {
    Error::Unsupported {
        what: "the address of a model".to_owned(),
        by: "this build of whylight".to_owned(),
        instead: "build it with the feature https".to_owned(),
    }
}

/// Whether a model is an address.
pub(super) fn is_address(model: &str) -> bool {
    ["http://", "https://"].iter().any(|scheme| {
        (model.get(..scheme.len())).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    })
}

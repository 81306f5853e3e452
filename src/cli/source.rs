//! `--model`: a file that is read, or a model that is asked for answers.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use whylight::model::{self, Feature, Model, Predict};
use whylight::{Error, Result};

use super::value;

/// Where the model is.
#[derive(Debug, Args)]
pub(super) struct Source {
    /// Model file: XGBoost JSON or UBJSON, LightGBM text, CatBoost JSON, ONNX, treelite checkpoint;
    /// or the address of a model that answers {"instances": [[…], …]} with {"predictions": […]}:
    /// http://… or https://…
    #[arg(long, value_name = "MODEL")]
    model: PathBuf,

    /// Seconds that a request to a model may take
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = value::seconds)]
    timeout: Duration,

    /// How often a request to a model is repeated, with longer and longer waits, after a connection
    /// that failed or a server that could not answer (status 429, or 500 and above)
    #[arg(long, value_name = "N", default_value_t = 4)]
    retries: u32,

    /// Rows of a request to a model at most
    #[arg(long, value_name = "N", default_value = "1000", value_parser = value::positive)]
    rows_per_request: usize,

    /// A header of requests to a model, such as "Authorization: Bearer …"; can be given several
    /// times
    #[arg(long, value_name = "NAME: VALUE")]
    http_header: Vec<String>,
}

/// A model that was read, or one that is asked.
#[derive(Debug)]
pub(super) enum Found {
    Model(Model),
    Asked(Asked),
}

/// A model that is asked, and the columns that it takes where it says so.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) predict: Arc<dyn Predict>,
    pub(super) features: Option<Vec<Feature>>,
}

impl Source {
    pub(super) fn find(&self) -> Result<Found> {
        match self.model.to_str().filter(|model| is_address(model)) {
            Some(address) => self.endpoint(address).map(Found::Asked),
            None => model::load(&self.model).map(Found::Model),
        }
    }

    #[cfg(feature = "http")]
    fn endpoint(&self, address: &str) -> Result<Asked> {
        let options = model::HttpOptions {
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
            ..model::HttpOptions::default()
        };
        Ok(Asked {
            predict: Arc::new(model::Http::new(address, options)?),
            features: None,
        })
    }

    #[cfg(not(feature = "http"))]
    fn endpoint(&self, _: &str) -> Result<Asked> {
        Err(Error::Unsupported {
            what: "the address of a model".to_owned(),
            by: "this build of whylight".to_owned(),
            instead: "build it with the feature https".to_owned(),
        })
    }
}

fn is_address(model: &str) -> bool {
    ["http://", "https://"].iter().any(|scheme| {
        (model.get(..scheme.len())).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    })
}

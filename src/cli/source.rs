//! `--model`: a file that is read, or a model that is asked for answers.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use whylight::model::{self, Exchange, Feature, Model, Predict, Process};
use whylight::{Error, Result};

use super::asking::{self, Asking, is_address};
use super::value;

/// Who refuses, in errors, an ONNX file that whylight does not read itself.
#[cfg(feature = "onnxruntime")]
const ONNX: &str = "the ONNX loader";

/// Where the model is.
#[derive(Debug, Args)]
pub(super) struct Source {
    /// Model file: XGBoost JSON or UBJSON, LightGBM text, CatBoost JSON, ONNX, treelite checkpoint;
    /// or the address of a model that answers {"instances": [[…], …]} with {"predictions": […]}:
    /// http://… or https://…
    #[arg(long, value_name = "MODEL", required_unless_present = "model_command")]
    model: Option<PathBuf>,

    /// Program that is the model, with its arguments, such as "python model.py": it is started once,
    /// reads batches of rows from its standard input and writes what it answers to its standard
    /// output
    #[arg(long, value_name = "COMMAND", conflicts_with = "model")]
    model_command: Option<String>,

    /// How rows go to the program, and answers come back: csv (the names of the columns; then for
    /// each batch a line with the number of rows, and a line for each; answered alike, with a line
    /// of outputs for each row), or arrow (an Arrow IPC stream each way, a record batch for each
    /// batch)
    #[arg(long, value_name = "FORMAT", default_value = "csv", value_parser = value::exchange)]
    model_format: Exchange,

    /// Shared library of ONNX Runtime, which then runs the model, an ONNX file; without it, it runs
    /// those that whylight does not read itself, if `ORT_DYLIB_PATH` or the system names its library
    #[arg(long, value_name = "LIBRARY", conflicts_with = "model_command")]
    onnxruntime: Option<PathBuf>,

    #[command(flatten)]
    asking: Asking,
}

/// A model that was read, or one that is asked.
pub(super) enum Found {
    Model(Box<Model>),
    Asked(Asked),
}

/// A model that is asked.
pub(super) struct Asked {
    /// The columns that it takes, where it says so.
    pub(super) features: Option<Vec<Feature>>,
    /// Makes it ready for columns.
    pub(super) begin: Box<Begin>,
}

type Begin = dyn FnOnce(&[Feature]) -> Result<Arc<dyn Predict>>;

impl Source {
    /// The file of the model, if it is one.
    pub(super) fn path(&self) -> Option<&Path> {
        let path = self.model.as_deref()?;
        let is_asked = path.to_str().is_some_and(is_address) || self.onnxruntime.is_some();
        (!is_asked).then_some(path)
    }

    /// Finds it; `network` reads an ONNX file that holds none of the models that have a name.
    pub(super) fn find(&self, network: &dyn Fn(&Path) -> Result<Model>) -> Result<Found> {
        if let Some(line) = &self.model_command {
            return self.program(line).map(Found::Asked);
        }
        // The parser asks for one of the two.
        let path = self.model.clone().unwrap_or_default();
        match path.to_str().filter(|model| is_address(model)) {
            Some(address) => self.endpoint(address).map(Found::Asked),
            None => self.file(&path, network),
        }
    }

    /// A file that whylight reads itself; else, of ONNX, one that ONNX Runtime runs.
    #[cfg(feature = "onnxruntime")]
    fn file(&self, path: &Path, network: &dyn Fn(&Path) -> Result<Model>) -> Result<Found> {
        let run = |library: Option<&Path>| {
            let model = model::OnnxRuntime::load(path, library)?;
            Ok(Found::Asked(Asked {
                features: model.features(),
                begin: Box::new(|_| Ok(Arc::new(model))),
            }))
        };
        if let Some(library) = &self.onnxruntime {
            return run(Some(library));
        }
        match model::load(path) {
            Ok(model) => Ok(Found::Model(Box::new(model))),
            Err(Error::Unsupported { what, by, instead }) if by == ONNX => {
                if let Ok(model) = network(path) {
                    return Ok(Found::Model(Box::new(model)));
                }
                run(None).map_err(|error| {
                    let Error::Unsupported {
                        by: machine,
                        instead: library,
                        ..
                    } = error
                    else {
                        return error;
                    };
                    Error::Unsupported {
                        what,
                        by: format!("{by}, nor by {machine}"),
                        instead: format!(
                            "{instead}; or have ONNX Runtime run the model: {library}"
                        ),
                    }
                })
            }
            Err(error) => Err(error),
        }
    }

    #[cfg(not(feature = "onnxruntime"))]
    fn file(&self, path: &Path, network: &dyn Fn(&Path) -> Result<Model>) -> Result<Found> {
        if self.onnxruntime.is_some() {
            return Err(Error::Unsupported {
                what: "ONNX Runtime".to_owned(),
                by: "this build of whylight".to_owned(),
                instead: "build it with the feature onnxruntime".to_owned(),
            });
        }
        let model = match model::load(path) {
            Err(error @ Error::Unsupported { .. }) => network(path).map_err(|_| error)?,
            model => model?,
        };
        Ok(Found::Model(Box::new(model)))
    }

    fn program(&self, line: &str) -> Result<Asked> {
        let (program, arguments) = asking::program("model-command", line)?;
        let options = self.asking.of_program(self.model_format);
        Ok(Asked {
            features: None,
            begin: Box::new(move |features| {
                let names = names(features);
                let process = Process::start(&program, &arguments, &names, options)?;
                Ok(Arc::new(process))
            }),
        })
    }

    #[cfg(feature = "http")]
    fn endpoint(&self, address: &str) -> Result<Asked> {
        let http = model::Http::new(address, self.asking.of_endpoint()?)?;
        Ok(Asked {
            features: None,
            begin: Box::new(|_| Ok(Arc::new(http))),
        })
    }

    #[cfg(not(feature = "http"))]
    #[expect(clippy::unused_self, reason = "it stands in for the one that asks")]
    fn endpoint(&self, _: &str) -> Result<Asked> {
        Err(asking::no_endpoint())
    }
}

/// The names of columns; `f0`, … where they have none.
fn names(features: &[Feature]) -> Vec<String> {
    let name = |(column, feature): (usize, &Feature)| {
        let name = feature.name.clone();
        name.unwrap_or_else(|| format!("f{column}"))
    };
    features.iter().enumerate().map(name).collect()
}

//! Networks and trainings in files: safetensors, with the configuration as JSON among their metadata.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde::{Deserialize, Serialize};

use super::training::{Moments, State};
use super::{Config, Han, Training, Weights};
use crate::error::{Error, Result};

/// The key of the configuration among the metadata.
const KEY: &str = "whylight.han";

/// The version of what is written.
const VERSION: u32 = 1;

/// What stands beside the tensors.
#[derive(Debug, Serialize, Deserialize)]
struct Header {
    version: u32,
    config: Config,
    /// Of a training: where it is.
    training: Option<State>,
}

/// The moments' names, before those of their tensors.
const MOMENTS: [&str; 2] = ["adam.first.", "adam.second."];

/// The table's name.
const TABLE: &str = "table";

impl Han {
    /// The network as a file.
    ///
    /// # Errors
    /// [`Error::Data`] if it is too large for the format.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        write(self, None)
    }

    /// A network from a file's bytes, a training's too; `path` names it in errors.
    ///
    /// # Errors
    /// [`Error::Model`] if the file is damaged, or none of a network.
    pub fn from_bytes(bytes: &[u8], path: &Path) -> Result<Self> {
        File::open(bytes, path)?.han()
    }

    /// Writes the network to a file, which is whole or not there.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        put(path, &self.to_bytes()?)
    }

    /// Reads a network from a file, a training's too.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read, [`Error::Model`] if it is damaged.
    pub fn load(path: &Path) -> Result<Self> {
        Self::from_bytes(&get(path)?, path)
    }
}

impl Training {
    /// The training as a file, from which it goes on to the bit.
    ///
    /// # Errors
    /// [`Error::Data`] if it is too large for the format.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        write(&self.han, Some((&self.state, &self.moments)))
    }

    /// A training from a file's bytes; `path` names it in errors.
    ///
    /// # Errors
    /// [`Error::Model`] if the file is damaged, or none of a training.
    pub fn from_bytes(bytes: &[u8], path: &Path) -> Result<Self> {
        let file = File::open(bytes, path)?;
        let Some(state) = file.header.training else {
            let reason = "the network is here, but not its training; train it anew";
            return Err(file.error("metadata", reason));
        };
        let mut training = Self::new(file.han()?);
        let config = &file.header.config;
        let moments = &mut training.moments;
        let each = moments.dense.iter_mut().zip(&mut moments.table);
        for (prefix, (dense, table)) in MOMENTS.into_iter().zip(each) {
            *dense = file.dense(prefix)?;
            if config.learns_embedding {
                *table = file.tensor(&format!("{prefix}{TABLE}"), None)?;
                if table.len() != training.han.weights.table().len() {
                    return Err(file.error(TABLE, "its moments have another size"));
                }
            }
        }
        let numbers = moments.table.iter().chain(&moments.dense).flatten();
        let [loss, weight] = state.loss;
        let is_finite = loss.is_finite() && weight.is_finite();
        if !is_finite || numbers.into_iter().any(|number| !number.is_finite()) {
            return Err(file.error("moments", "numbers that are not finite"));
        }
        training.state = state;
        Ok(training)
    }

    /// Writes the training to a file, which is whole or not there.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        put(path, &self.to_bytes()?)
    }

    /// Reads a training from a file.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read, [`Error::Model`] if it is damaged.
    pub fn load(path: &Path) -> Result<Self> {
        Self::from_bytes(&get(path)?, path)
    }
}

fn get(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|source| Error::Io {
        path: path.to_owned(),
        source,
    })
}

/// Writes beside the file first, so that what was there stays until all is written.
fn put(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut part = path.as_os_str().to_owned();
    part.push(format!(".{}.part", std::process::id()));
    let written = fs::write(&part, bytes).and_then(|()| fs::rename(&part, path));
    written.map_err(|source| {
        // What is left of it is of no use; that it cannot be removed either says nothing new.
        let _ = fs::remove_file(&part);
        Error::Io {
            path: path.to_owned(),
            source,
        }
    })
}

fn write(han: &Han, training: Option<(&State, &Moments)>) -> Result<Vec<u8>> {
    let config = han.config();
    let header = Header {
        version: VERSION,
        config: config.clone(),
        training: training.map(|(state, _)| *state),
    };
    let mut tensors: Vec<(String, Vec<usize>, Vec<u8>)> = Vec::new();
    let mut push = |prefix: &str, table: &[f32], dense: &[f32]| {
        let bytes = |numbers: &[f32]| numbers.iter().flat_map(|x| x.to_le_bytes()).collect();
        if !table.is_empty() {
            let shape = vec![han.weights().words(), config.embedding];
            tensors.push((format!("{prefix}{TABLE}"), shape, bytes(table)));
        }
        for tensor in config.tensors() {
            let numbers = bytes(&dense[tensor.range()]);
            tensors.push((format!("{prefix}{}", tensor.name), tensor.shape, numbers));
        }
    };
    push("", han.weights().table(), han.weights().dense());
    if let Some((_, moments)) = training {
        for (which, prefix) in MOMENTS.into_iter().enumerate() {
            push(prefix, &moments.table[which], &moments.dense[which]);
        }
    }
    let error = |error: &dyn std::fmt::Display| Error::Data {
        path: crate::error::MEMORY.into(),
        at: "a checkpoint of the network".to_owned(),
        reason: format!("it cannot be written as safetensors: {error}"),
    };
    let mut views = Vec::with_capacity(tensors.len());
    for (name, shape, bytes) in &tensors {
        let view = TensorView::new(Dtype::F32, shape.clone(), bytes).map_err(|e| error(&e))?;
        views.push((name, view));
    }
    let json = serde_json::to_string(&header).map_err(|e| error(&e))?;
    let metadata = HashMap::from([(KEY.to_owned(), json)]);
    safetensors::serialize(views, Some(metadata)).map_err(|e| error(&e))
}

/// A file that is being read.
struct File<'a> {
    path: &'a Path,
    header: Header,
    tensors: SafeTensors<'a>,
}

impl<'a> File<'a> {
    fn open(bytes: &'a [u8], path: &'a Path) -> Result<Self> {
        let error = |at: &str, reason: String| model(path, at, reason);
        let tensors = SafeTensors::deserialize(bytes)
            .map_err(|e| error("the header", format!("{e}; the file may be cut")))?;
        let (_, metadata) =
            SafeTensors::read_metadata(bytes).map_err(|e| error("the header", e.to_string()))?;
        let json = metadata.metadata().as_ref().and_then(|all| all.get(KEY));
        let Some(json) = json else {
            let reason = format!("it has no \"{KEY}\"; take a file that whylight wrote");
            return Err(error("metadata", reason));
        };
        let header: Header =
            serde_json::from_str(json).map_err(|e| error("metadata", e.to_string()))?;
        if header.version != VERSION {
            let reason = format!("version {}, and {VERSION} is known", header.version);
            return Err(error("metadata", reason));
        }
        header
            .config
            .check()
            .map_err(|e| error("metadata", e.to_string()))?;
        Ok(Self {
            path,
            header,
            tensors,
        })
    }

    fn error(&self, at: &str, reason: impl Into<String>) -> Error {
        model(self.path, at, reason.into())
    }

    /// The numbers of a tensor, which has this shape if one is given.
    fn tensor(&self, name: &str, shape: Option<&[usize]>) -> Result<Vec<f32>> {
        let tensor = self
            .tensors
            .tensor(name)
            .map_err(|e| self.error(name, e.to_string()))?;
        if tensor.dtype() != Dtype::F32 {
            let reason = format!("float32 is expected, and it is {:?}", tensor.dtype());
            return Err(self.error(name, reason));
        }
        if let Some(shape) = shape
            && tensor.shape() != shape
        {
            let reason = format!(
                "its shape is {:?}, and {shape:?} is expected",
                tensor.shape()
            );
            return Err(self.error(name, reason));
        }
        let (numbers, _) = tensor.data().as_chunks::<4>();
        Ok(numbers
            .iter()
            .map(|&bytes| f32::from_le_bytes(bytes))
            .collect())
    }

    /// All tensors but the table, side by side.
    fn dense(&self, prefix: &str) -> Result<Vec<f32>> {
        let mut dense = Vec::new();
        for tensor in self.header.config.tensors() {
            let name = format!("{prefix}{}", tensor.name);
            dense.extend(self.tensor(&name, Some(&tensor.shape))?);
        }
        Ok(dense)
    }

    fn han(&self) -> Result<Han> {
        let table = self.tensor(TABLE, None)?;
        let config = self.header.config.clone();
        let weights = Weights::new(&config, table, self.dense("")?)
            .map_err(|e| self.error("weights", e.to_string()))?;
        Han::with(config, weights)
    }
}

fn model(path: &Path, at: &str, reason: String) -> Error {
    Error::Model {
        path: path.to_owned(),
        format: "text network",
        at: at.to_owned(),
        reason,
    }
}

//! A surrogate in a folder: the network and its training as safetensors, the vocabulary, and what is known of both.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::answers::Space;
use super::{Fidelity, Surrogate};
use crate::error::{Error, Result};
use crate::han::Training;
use crate::text::{Coverage, Vocabulary};

const NETWORK: &str = "network.safetensors";
const VOCABULARY: &str = "vocabulary.json";
const SURROGATE: &str = "surrogate.json";

/// The version of the folder's layout.
const VERSION: u32 = 1;

#[derive(Debug, Serialize, Deserialize)]
struct Said {
    format_version: u32,
    output_names: Vec<String>,
    space: Space,
    fidelity: Fidelity,
    /// Types and tokens, and those of them that have a vector.
    coverage: Option<[u64; 4]>,
    epochs: Vec<(f64, Option<f64>)>,
    /// The network's own sizes, to see that the files belong together.
    words: usize,
}

impl Surrogate {
    /// Writes the surrogate to a folder, which is made if there is none. A file there takes its name when it is complete.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be written.
    pub fn save(&self, folder: &Path) -> Result<()> {
        let io = |path: &Path| {
            let path = path.to_owned();
            move |source| Error::Io { path, source }
        };
        fs::create_dir_all(folder).map_err(io(folder))?;
        self.training.save(&folder.join(NETWORK))?;
        self.vocabulary.save(&folder.join(VOCABULARY))?;
        let said = Said {
            format_version: VERSION,
            output_names: self.output_names.clone(),
            space: self.space.clone(),
            fidelity: self.fidelity.clone(),
            coverage: self
                .coverage
                .map(|c| [c.types, c.types_found, c.tokens, c.tokens_found]),
            epochs: self.epochs.clone(),
            words: self.vocabulary.len(),
        };
        let path = folder.join(SURROGATE);
        let part = folder.join(format!(".{SURROGATE}.{}.part", std::process::id()));
        let text = serde_json::to_string_pretty(&said).unwrap_or_default();
        fs::write(&part, text).map_err(io(&part))?;
        fs::rename(&part, &path).map_err(io(&path))
    }

    /// Reads what [`Surrogate::save`] wrote.
    ///
    /// # Errors
    /// [`Error::Io`] if a file cannot be read; [`Error::Model`] or [`Error::Data`] if one is damaged, or if they do not belong
    /// together.
    pub fn load(folder: &Path) -> Result<Self> {
        let path = folder.join(SURROGATE);
        let bytes = fs::read(&path).map_err(|source| Error::Io {
            path: path.clone(),
            source,
        })?;
        let damaged = |path: &PathBuf, reason: String| Error::Data {
            path: path.clone(),
            at: "the surrogate".to_owned(),
            reason,
        };
        let said: Said =
            serde_json::from_slice(&bytes).map_err(|error| damaged(&path, error.to_string()))?;
        if said.format_version != VERSION {
            let reason = format!(
                "format version {}, of which this whylight reads {VERSION}; update whylight",
                said.format_version
            );
            return Err(damaged(&path, reason));
        }
        let training = Training::load(&folder.join(NETWORK))?;
        let vocabulary = Vocabulary::load(&folder.join(VOCABULARY))?;
        let han = training.han();
        let fits = said.words == vocabulary.len()
            && han.weights().words() == vocabulary.len()
            && han.config().outputs == said.space.network_outputs()
            && han.config().loss == said.space.loss()
            && said.output_names.len() == said.space.outputs().len()
            && said.space.is_finite();
        if !fits {
            let reason = "its network, its vocabulary and what is said of them do not belong together; train it anew";
            return Err(damaged(&path, reason.to_owned()));
        }
        Ok(Self {
            vocabulary,
            training,
            space: said.space,
            output_names: said.output_names,
            fidelity: said.fidelity,
            coverage: said
                .coverage
                .map(|[types, types_found, tokens, tokens_found]| Coverage {
                    types,
                    types_found,
                    tokens,
                    tokens_found,
                }),
            epochs: said.epochs,
            is_stopped: false,
        })
    }
}

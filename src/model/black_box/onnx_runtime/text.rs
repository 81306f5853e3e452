//! ONNX classifiers of text, as transformers exports them, with the tokenizer that they were trained with.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ndarray::Array2;
use ort::session::{Session, SessionInputValue};
use ort::value::{Outlet, Tensor, TensorElementType, ValueType};
use tokenizers::{Encoding, Tokenizer};

use super::shape::output;
use super::{environment, wrong};
use crate::error::{Error, Result};
use crate::model::PredictText;

/// How a classifier of text is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnnxTextOptions {
    /// The library of ONNX Runtime; see [`super::OnnxRuntime::load`].
    pub library: Option<PathBuf>,
    /// Whether outputs become probabilities: their softmax, or of one output its logistic function.
    pub probability: bool,
    /// Texts of a run at most, at least 1; 32 by default. Texts of about the same length run together.
    pub rows: usize,
}

impl Default for OnnxTextOptions {
    fn default() -> Self {
        Self {
            library: None,
            probability: false,
            rows: 32,
        }
    }
}

/// What an input of the model gets of each token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Id,
    Mask,
    Type,
}

/// An input of the shape (texts, tokens).
#[derive(Debug)]
struct Input {
    name: String,
    role: Role,
    is_i64: bool,
}

/// The numbers of texts and of tokens of a run; none for any.
type Fixed = (Option<usize>, Option<usize>);

/// An ONNX model of token ids, run by ONNX Runtime, and its `tokenizer.json`.
///
/// Its inputs are known by their names: `input_ids`, `attention_mask` and `token_type_ids`, of int64 or int32. Texts are
/// padded to the longest of a run, or to the length that the model is made for. They are cut where the tokenizer file says
/// so, as the model's own pipeline does; without that, a text that is too long for the model is an error of the model's.
#[derive(Debug)]
pub struct OnnxText {
    path: PathBuf,
    tokenizer: Tokenizer,
    padding: u32,
    inputs: Vec<Input>,
    fixed: Fixed,
    output: (String, bool),
    options: OnnxTextOptions,
    session: Mutex<Session>,
}

impl OnnxText {
    /// Loads a model and its tokenizer.
    ///
    /// # Errors
    /// [`Error::Io`] and [`Error::Data`] of the tokenizer; [`Error::Unsupported`] without ONNX Runtime;
    /// [`Error::Model`] if it cannot load the model, or if the model's inputs are not those of tokens;
    /// [`Error::Parameter`] for runs of no texts.
    pub fn load(path: &Path, tokenizer: &Path, options: OnnxTextOptions) -> Result<Self> {
        if options.rows == 0 {
            return Err(Error::Parameter {
                name: "rows",
                got: "0".to_owned(),
                allowed: "at least one text of each run".to_owned(),
            });
        }
        let mut tokenizer = crate::text::load_tokenizer(tokenizer)?;
        let named = ["[PAD]", "<pad>", "<PAD>", "<|pad|>"];
        let known = named.iter().find_map(|name| tokenizer.token_to_id(name));
        let padding = tokenizer
            .get_padding()
            .map(|padding| padding.pad_id)
            .or(known);
        tokenizer.with_padding(None);
        let environment = environment(path, options.library.as_deref())?;
        let session = Session::builder(&environment)
            .and_then(|mut builder| builder.commit_from_file(path))
            .map_err(|error| wrong(path, "its graph", error.to_string()))?;
        let (inputs, fixed) =
            inputs(session.inputs()).map_err(|reason| wrong(path, "its inputs", reason))?;
        let output =
            output(session.outputs()).map_err(|reason| wrong(path, "its outputs", reason))?;
        Ok(Self {
            path: path.to_owned(),
            tokenizer,
            padding: padding.unwrap_or(0),
            inputs,
            fixed,
            output,
            options,
            session: Mutex::new(session),
        })
    }

    /// The outputs of the texts of one run.
    fn run(&self, encodings: &[&Encoding]) -> Result<Array2<f64>> {
        let height = self.fixed.0.unwrap_or(encodings.len());
        let longest = encodings
            .iter()
            .map(|encoding| encoding.len())
            .max()
            .unwrap_or(0);
        let width = self.fixed.1.unwrap_or(longest.max(1));
        if longest > width {
            let reason = format!(
                "a text of {longest} tokens, but the model is made for {width}; set the truncation in its \
                 tokenizer.json"
            );
            return Err(wrong(&self.path, "its inputs", reason));
        }
        let tensors = self.inputs.iter().map(|input| {
            let mut cells = vec![0; height * width];
            if input.role == Role::Id {
                cells.fill(i64::from(self.padding));
            }
            // A model of so many texts gets the last one as often as it takes to fill them.
            for (row, cells) in cells.chunks_mut(width).enumerate() {
                let encoding = encodings[row.min(encodings.len() - 1)];
                let tokens = match input.role {
                    Role::Id => encoding.get_ids(),
                    Role::Mask => encoding.get_attention_mask(),
                    Role::Type => encoding.get_type_ids(),
                };
                for (cell, token) in cells.iter_mut().zip(tokens) {
                    *cell = i64::from(*token);
                }
            }
            let tensor: Result<SessionInputValue<'static>, ort::Error> = if input.is_i64 {
                Tensor::from_array(([height, width], cells)).map(Into::into)
            } else {
                let cells: Vec<i32> = cells.into_iter().map(|cell| cell as i32).collect();
                Tensor::from_array(([height, width], cells)).map(Into::into)
            };
            tensor.map(|tensor| (input.name.clone(), tensor))
        });
        let tensors: Vec<_> = tensors
            .collect::<Result<_, ort::Error>>()
            .map_err(|error| self.failed(&error))?;
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        let outputs = session.run(tensors).map_err(|error| self.failed(&error))?;
        let (name, is_f64) = &self.output;
        let at = format!("its output \"{name}\" for {} texts", encodings.len());
        let Some(value) = outputs.get(name) else {
            return Err(wrong(&self.path, &at, "none".to_owned()));
        };
        let (shape, cells): (Vec<i64>, Vec<f64>) = if *is_f64 {
            let (shape, cells) =
                (value.try_extract_tensor::<f64>()).map_err(|error| self.failed(&error))?;
            (shape.to_vec(), cells.to_vec())
        } else {
            let (shape, cells) =
                (value.try_extract_tensor::<f32>()).map_err(|error| self.failed(&error))?;
            (
                shape.to_vec(),
                cells.iter().map(|cell| f64::from(*cell)).collect(),
            )
        };
        let outputs = match shape[..] {
            [rows] if rows == height as i64 => 1,
            [rows, outputs] if rows == height as i64 => outputs as usize,
            _ => {
                let reason = format!(
                    "a tensor of the shape {shape:?}; expected (texts, classes), as a classifier has it"
                );
                return Err(wrong(&self.path, &at, reason));
            }
        };
        let mut answer = Array2::from_shape_vec((height, outputs), cells)
            .map_err(|error| wrong(&self.path, &at, error.to_string()))?;
        if self.options.probability {
            answer
                .rows_mut()
                .into_iter()
                .for_each(|row| to_probabilities(row));
        }
        Ok(answer.slice_move(ndarray::s![..encodings.len(), ..]))
    }

    fn failed(&self, error: &ort::Error) -> Error {
        Error::Predict {
            source: format!("{}: ONNX Runtime: {error}", self.path.display()).into(),
        }
    }
}

fn to_probabilities(mut row: ndarray::ArrayViewMut1<'_, f64>) {
    if row.len() == 1 {
        row.mapv_inplace(|cell| 1.0 / (1.0 + (-cell).exp()));
        return;
    }
    let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    row.mapv_inplace(|cell| (cell - largest).exp());
    let sum = row.sum();
    row.mapv_inplace(|cell| cell / sum);
}

impl PredictText for OnnxText {
    fn predict_text(&self, texts: &[&str]) -> Result<Array2<f64>> {
        let encodings = self
            .tokenizer
            .encode_batch(texts.to_vec(), true)
            .map_err(|error| Error::Predict {
                source: format!("{}: its tokenizer: {error}", self.path.display()).into(),
            })?;
        // Texts of one length need no padding, whose rounding would depend on the others.
        let mut order: Vec<usize> = (0..encodings.len()).collect();
        order.sort_by_key(|&text| encodings[text].len());
        let mut answer: Option<Array2<f64>> = None;
        for part in order.chunks(self.fixed.0.unwrap_or(self.options.rows)) {
            let some: Vec<&Encoding> = part.iter().map(|&text| &encodings[text]).collect();
            let outputs = self.run(&some)?;
            let all = answer.get_or_insert_with(|| Array2::zeros((texts.len(), outputs.ncols())));
            if all.ncols() != outputs.ncols() {
                let reason = format!("{} outputs, but {} before", outputs.ncols(), all.ncols());
                return Err(wrong(&self.path, "its answers", reason));
            }
            for (&text, row) in part.iter().zip(outputs.rows()) {
                all.row_mut(text).assign(&row);
            }
        }
        Ok(answer.unwrap_or_default())
    }

    fn place(&self) -> Option<String> {
        Some(self.path.display().to_string())
    }
}

/// The inputs, and the numbers of texts and tokens that they are made for.
fn inputs(outlets: &[Outlet]) -> Result<(Vec<Input>, Fixed), String> {
    let mut inputs = Vec::with_capacity(outlets.len());
    let mut fixed = (None, None);
    for outlet in outlets {
        let name = outlet.name();
        let refused = |what: String| {
            format!(
                "\"{name}\" takes {what}; expected input_ids, attention_mask and token_type_ids, or some of them, of \
                 int64 or int32 and of the shape (texts, tokens)"
            )
        };
        let ValueType::Tensor { ty, shape, .. } = outlet.dtype() else {
            return Err(refused(outlet.dtype().to_string()));
        };
        let is_i64 = match ty {
            TensorElementType::Int64 => true,
            TensorElementType::Int32 => false,
            other => return Err(refused(format!("tensors of {other}"))),
        };
        let dimensions: Vec<i64> = shape.iter().copied().collect();
        let [height, width] = dimensions[..] else {
            return Err(refused(format!("tensors of the shape {dimensions:?}")));
        };
        let lower = name.to_ascii_lowercase();
        let role = if lower.contains("mask") {
            Role::Mask
        } else if lower.contains("type") || lower.contains("segment") {
            Role::Type
        } else if lower.contains("id") || lower.contains("token") {
            Role::Id
        } else {
            return Err(refused("what its name does not tell".to_owned()));
        };
        let size = |dimension: i64| usize::try_from(dimension).ok().filter(|&size| size > 0);
        fixed = (size(height).or(fixed.0), size(width).or(fixed.1));
        inputs.push(Input {
            name: name.to_owned(),
            role,
            is_i64,
        });
    }
    if !inputs.iter().any(|input| input.role == Role::Id) {
        return Err("none of token ids; expected input_ids".to_owned());
    }
    Ok((inputs, fixed))
}

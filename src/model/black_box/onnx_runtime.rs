//! ONNX models that ONNX Runtime runs: any graph that takes a row as numbers. Its library is found when it is
//! needed, and nothing of it is in the build.

mod shape;
#[cfg(feature = "text")]
mod text;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ndarray::{Array2, Axis, s};
use ort::environment::Environment;
use ort::session::{Session, SessionInputValue};
use ort::value::Tensor;

use self::shape::{Element, Input, Shape};
#[cfg(feature = "text")]
pub use self::text::{OnnxText, OnnxTextOptions};
use super::{BlackBox, Predict};
use crate::error::{Error, Result};
use crate::model::Feature;

/// The library's own, of which a process has one.
static ENVIRONMENT: Mutex<Option<Environment>> = Mutex::new(None);

/// How errors say where the library comes from.
const LIBRARY: &str = "install it (pip install onnxruntime has it as onnxruntime/capi/libonnxruntime.so.1.…), \
                       and name the library in ORT_DYLIB_PATH (in the command, --onnxruntime PATH)";

/// An ONNX model, run by ONNX Runtime. Cells are rounded to the type of its inputs.
#[derive(Debug)]
pub struct OnnxRuntime {
    path: PathBuf,
    shape: Shape,
    session: Mutex<Session>,
}

impl OnnxRuntime {
    /// Loads a model with ONNX Runtime 1.17 or later: the library at a path; else that which the environment
    /// variable `ORT_DYLIB_PATH` names; else `libonnxruntime.so` (`.dylib`, `onnxruntime.dll`) where the system
    /// finds libraries. The first call of a process chooses the library for all.
    ///
    /// # Errors
    /// [`Error::Unsupported`] if there is no such library; [`Error::Model`] if it cannot load the file, or if
    /// the model's inputs are not rows of numbers, or its outputs hold none.
    pub fn load(path: &Path, library: Option<&Path>) -> Result<Self> {
        let environment = environment(path, library)?;
        let session = Session::builder(&environment)
            .and_then(|mut builder| builder.commit_from_file(path))
            .map_err(|error| wrong(path, "its graph", error.to_string()))?;
        let shape = Shape::of(&session).map_err(|(at, reason)| wrong(path, at, reason))?;
        Ok(Self {
            path: path.to_owned(),
            shape,
            session: Mutex::new(session),
        })
    }

    /// The columns that it takes; `None` if it does not say how many.
    pub fn features(&self) -> Option<Vec<Feature>> {
        match &self.shape.input {
            Input::Matrix { columns, .. } => {
                columns.map(|columns| vec![Feature::default(); columns])
            }
            Input::Columns(columns) => Some(
                (columns.iter())
                    .map(|(name, _)| Feature {
                        name: Some(name.clone()),
                        categories: None,
                    })
                    .collect(),
            ),
        }
    }

    /// The inputs of a run of some rows, by name.
    fn inputs(&self, rows: &Array2<f64>) -> Result<Vec<(String, SessionInputValue<'static>)>> {
        let (height, width) = rows.dim();
        match &self.shape.input {
            Input::Matrix {
                name,
                element,
                columns,
            } => {
                let expected = columns.unwrap_or(width);
                if width != expected {
                    return Err(Error::Shape {
                        what: format!("{}: the columns of its rows", self.path.display()),
                        expected: expected.to_string(),
                        got: width.to_string(),
                    });
                }
                let tensor = self.tensor(name, *element, (height, width), rows.iter())?;
                Ok(vec![(name.clone(), tensor)])
            }
            Input::Columns(columns) => {
                if width != columns.len() {
                    return Err(Error::Shape {
                        what: format!("{}: the columns of its rows", self.path.display()),
                        expected: columns.len().to_string(),
                        got: width.to_string(),
                    });
                }
                (columns.iter().zip(rows.columns()))
                    .map(|((name, element), cells)| {
                        let tensor = self.tensor(name, *element, (height, 1), cells.iter())?;
                        Ok((name.clone(), tensor))
                    })
                    .collect()
            }
        }
    }

    fn tensor<'a>(
        &self,
        name: &str,
        element: Element,
        shape: (usize, usize),
        cells: impl Iterator<Item = &'a f64>,
    ) -> Result<SessionInputValue<'static>> {
        let shape = [shape.0, shape.1];
        let tensor = match element {
            Element::F32 => {
                let cells: Vec<f32> = cells.map(|cell| *cell as f32).collect();
                Tensor::from_array((shape, cells)).map(Into::into)
            }
            Element::F64 => {
                let cells: Vec<f64> = cells.copied().collect();
                Tensor::from_array((shape, cells)).map(Into::into)
            }
            Element::I64 => {
                let whole = |cell: &f64| {
                    let is_whole = cell.fract() == 0.0 && cell.abs() < 9e15;
                    is_whole.then_some(*cell as i64).ok_or_else(|| {
                        let reason = format!("{cell} is no whole number, which it takes alone");
                        wrong(&self.path, &format!("input \"{name}\""), reason)
                    })
                };
                let cells: Vec<i64> = cells.map(whole).collect::<Result<_>>()?;
                Tensor::from_array((shape, cells)).map(Into::into)
            }
        };
        tensor.map_err(|error| self.failed(&error))
    }

    /// What the model answers to as many rows as it takes at a time.
    fn run(&self, rows: &Array2<f64>) -> Result<Array2<f64>> {
        let inputs = self.inputs(rows)?;
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        let outputs = session.run(inputs).map_err(|error| self.failed(&error))?;
        let output = &self.shape.output;
        let at = || format!("its output \"{}\" for {} rows", output, rows.nrows());
        let Some(value) = outputs.get(output) else {
            return Err(wrong(&self.path, &at(), "none".to_owned()));
        };
        let (shape, cells): (_, Vec<f64>) = if self.shape.output_is_f64 {
            let (shape, cells) =
                (value.try_extract_tensor::<f64>()).map_err(|error| self.failed(&error))?;
            (shape, cells.to_vec())
        } else {
            let (shape, cells) =
                (value.try_extract_tensor::<f32>()).map_err(|error| self.failed(&error))?;
            (shape, cells.iter().map(|cell| f64::from(*cell)).collect())
        };
        let shape: Vec<i64> = shape.iter().copied().collect();
        let width = match shape[..] {
            [height] if height == rows.nrows() as i64 => 1,
            [height, width] if height == rows.nrows() as i64 => width as usize,
            _ => {
                let reason = format!("a tensor of the shape {shape:?}; expected (rows, outputs)");
                return Err(wrong(&self.path, &at(), reason));
            }
        };
        Array2::from_shape_vec((rows.nrows(), width), cells)
            .map_err(|error| wrong(&self.path, &at(), error.to_string()))
    }

    fn failed(&self, error: &ort::Error) -> Error {
        Error::Predict {
            source: format!("{}: ONNX Runtime: {error}", self.path.display()).into(),
        }
    }
}

impl Predict for OnnxRuntime {
    fn predict(&self, rows: Array2<f64>) -> Result<Array2<f64>> {
        let Some(height) = self.shape.rows else {
            return self.run(&rows);
        };
        // A model of so many rows gets the last one as often as it takes to fill them.
        let mut answer: Option<Array2<f64>> = None;
        for (part, first) in (0..rows.nrows()).step_by(height).enumerate() {
            let places: Vec<usize> = (first..first + height)
                .map(|row| row.min(rows.nrows() - 1))
                .collect();
            let count = height.min(rows.nrows() - first);
            let outputs = self.run(&rows.select(Axis(0), &places))?;
            let all = answer.get_or_insert_with(|| Array2::zeros((rows.nrows(), outputs.ncols())));
            if all.ncols() != outputs.ncols() {
                let reason = format!("{} outputs, but {} before", outputs.ncols(), all.ncols());
                return Err(wrong(
                    &self.path,
                    &format!("its answer number {part}"),
                    reason,
                ));
            }
            all.slice_mut(s![first..first + count, ..])
                .assign(&outputs.slice(s![..count, ..]));
        }
        Ok(answer.unwrap_or_default())
    }

    fn place(&self) -> Option<String> {
        Some(self.path.display().to_string())
    }
}

/// The environment of the process, which the first caller makes.
fn environment(path: &Path, library: Option<&Path>) -> Result<Environment> {
    let mut environment = ENVIRONMENT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(environment) = &*environment {
        return Ok(environment.clone());
    }
    let named = std::env::var_os("ORT_DYLIB_PATH").filter(|path| !path.is_empty());
    let library = match (library, named) {
        (Some(library), _) => library.to_owned(),
        (None, Some(library)) => library.into(),
        (None, None) => {
            use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
            format!("{DLL_PREFIX}onnxruntime{DLL_SUFFIX}").into()
        }
    };
    // A path is the caller's; a bare name is for the system to find.
    let library = match library.canonicalize() {
        Ok(found) if library.components().count() > 1 => found,
        _ => library,
    };
    let absent = |reason: String| Error::Unsupported {
        what: format!("{}: to run it", path.display()),
        by: format!("this machine as it is, without ONNX Runtime ({reason})"),
        instead: LIBRARY.to_owned(),
    };
    let made = ort::init_from(&library)
        .map_err(|error| absent(error.to_string()))?
        .with_telemetry(false)
        .build()
        .map_err(|error| absent(error.to_string()))?;
    Ok(environment.insert(made).clone())
}

fn wrong(path: &Path, at: &str, reason: String) -> Error {
    Error::Model {
        path: path.to_owned(),
        format: BlackBox::FORMAT,
        at: at.to_owned(),
        reason,
    }
}

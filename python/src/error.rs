//! One Python exception class per family of errors; see `whylight/errors.py`.

use pyo3::prelude::*;
use whylight::Error;

/// The exception for an error of the engine.
pub(crate) fn raised(py: Python<'_>, error: &Error) -> PyErr {
    if let Error::Predict { source } = error
        && let Some(raised) = source.downcast_ref::<PyErr>()
    {
        // What a function in Python raised is what its caller gets.
        return raised.clone_ref(py);
    }
    let class = match error {
        Error::Io { .. } => "FileError",
        Error::Model { .. } => "ModelError",
        Error::Data { .. } => "DataError",
        Error::Shape { .. } => "ShapeError",
        Error::Parameter { .. } => "ParameterError",
        Error::Unsupported { .. } => "UnsupportedError",
        Error::Device { .. } => "DeviceError",
        Error::Gpu { .. } => "GpuError",
        _ => "WhylightError",
    };
    let made = py
        .import("whylight.errors")
        .and_then(|errors| errors.getattr(class)?.call1((error.to_string(),)));
    match made {
        Ok(exception) => PyErr::from_value(exception),
        Err(error) => error,
    }
}

//! The extension module `whylight._engine`: the engine as Python calls it. What users see, and what
//! knows the model classes of other libraries, is the package beside it, in `whylight/`.

#![expect(
    clippy::needless_pass_by_value,
    reason = "arguments come from Python as values"
)]

mod error;
mod explainer;
mod files;
mod model;
mod native;
mod permutation;
mod summarise;
mod surrogate;
mod table;
mod text;

use pyo3::prelude::*;

/// The engine of whylight.
#[pymodule]
mod _engine {
    #[pymodule_export]
    use super::explainer::Explainer;
    #[pymodule_export]
    use super::explainer::pick;
    #[pymodule_export]
    use super::files::{TableReader, TableWriter};
    #[pymodule_export]
    use super::model::Model;
    #[pymodule_export]
    use super::permutation::{Judge, answers, explain_permutation, metric, permutation};
    #[pymodule_export]
    use super::summarise::kmeans;
    #[pymodule_export]
    use super::surrogate::Surrogate;
    #[pymodule_export]
    use super::text::explain_texts;
    use pyo3::prelude::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}

//! Explanations as bytes and as text: one file per format.
//!
//! [`json`] and the text reports return what they make and touch no file; [`Npy`] and [`Columns`]
//! are sinks, because their files can be larger than the memory.

mod cell;
mod coefficients;
mod columns;
mod importance;
mod json;
mod npy;
mod ranking;
mod text;
mod waterfall;
#[cfg(feature = "text")]
mod words;

pub use cell::Cell;
pub use coefficients::{Coefficients, coefficients};
pub use columns::{Columns, cell_names, column_names, extra_column_names};
pub use importance::{importance_csv, importance_json, importance_ranking};
pub use json::json;
pub use npy::Npy;
pub use ranking::ranking;
pub use waterfall::{Waterfall, waterfall};
#[cfg(feature = "text")]
pub use words::{WordsFormat, words};

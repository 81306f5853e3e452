#![doc = include_str!("../README.md")]

pub mod data;
pub mod device;
pub mod error;
pub mod explain;
pub mod explanation;
#[cfg(feature = "gpu")]
pub mod gpu;
#[cfg(feature = "gpu")]
pub mod gpu_coalitions;
#[cfg(feature = "gpu")]
pub mod gpu_games;
#[cfg(feature = "gpu")]
pub mod gpu_rows;
#[cfg(feature = "gpu")]
pub mod gpu_samples;
#[cfg(feature = "gpu")]
pub mod gpu_shuffles;
#[cfg(feature = "gpu")]
pub mod gpu_trees;
pub mod han;
#[cfg(feature = "gpu")]
pub mod kernel;
pub mod metric;
pub mod model;
mod random;
pub mod report;
pub mod summarise;
#[cfg(feature = "text")]
pub mod surrogate;
#[cfg(feature = "text")]
pub mod text;

pub use data::Table;
pub use device::Device;
pub use error::{Error, Result};
pub use explain::{Explainer, Options};
pub use explanation::Explanation;
pub use model::Model;

#![doc = include_str!("../README.md")]

pub mod data;
pub mod error;
pub mod model;

pub use data::Table;
pub use error::{Error, Result};
pub use model::Model;

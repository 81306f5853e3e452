//! Tables: the rows to explain, as their file gives them.
//!
//! A reader per file format turns bytes into a [`Table`], whole or in batches of rows; an
//! [`Encoder`] puts the columns into the order and the numbers that a model reads.

#[cfg(feature = "arrow")]
mod arrow;
mod csv;
mod encode;
mod name;
mod npy;
#[cfg(feature = "arrow")]
mod parquet;
mod reader;
mod sparse;
mod table;
mod view;
mod write;

#[cfg(all(feature = "arrow", feature = "text"))]
pub(crate) use arrow::guarded;
pub(crate) use encode::city_hash;
pub use encode::{Batch, Encoder};
pub use reader::{Header, LabelColumn, ReadOptions, Reader, head, read};
pub use sparse::Indices;
pub use table::{Cells, Column, Table};
pub use view::View;
pub use write::{TableWriter, Width, WriteOptions};

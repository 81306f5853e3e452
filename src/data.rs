//! Tables: the rows to explain, as their file gives them.
//!
//! A reader per file format turns bytes into a [`Table`], whole or in batches of rows.

mod table;

pub use table::{Cells, Column, Table};

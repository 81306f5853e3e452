//! Explanations, from the model's file to the values, against the libraries that wrote the files.

mod agreement;
mod degenerate;
mod edges;
mod generated;
#[cfg(feature = "gpu")]
mod gpu;
mod interactions;
mod interventional;
mod linear_leaves;
mod matrix;
mod metamorphic;
mod outputs;
mod players;
mod responses;
mod stable;
mod subject;
mod wide;

#[cfg(feature = "cli")]
pub(crate) use generated::file_of_many_trees;

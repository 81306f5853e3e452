//! The CPU kernels against naive definitions.

pub(crate) mod coalitions;
mod interactions;
mod interventional;
mod margins;
mod nearest;
mod trees;

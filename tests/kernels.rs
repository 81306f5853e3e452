//! The CPU kernels against naive definitions.

pub(crate) mod coalitions;
mod interventional;
mod margins;
mod nearest;
mod trees;

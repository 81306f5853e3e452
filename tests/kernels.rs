//! The CPU kernels against naive definitions.

pub(crate) mod coalitions;
mod interactions;
mod interventional;
pub(crate) mod least_squares;
mod linear_leaves;
pub(crate) mod machines;
mod margins;
mod nearest;
pub(crate) mod shuffled;
mod trees;
pub(crate) mod weighted_gram;

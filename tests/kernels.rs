//! The CPU kernels against naive definitions.

mod margins;
mod nearest;
mod trees;

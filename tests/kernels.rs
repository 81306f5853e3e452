//! The CPU kernels against naive definitions.

mod trees;

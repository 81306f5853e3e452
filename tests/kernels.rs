//! The CPU kernels against naive definitions.

mod interventional;
mod margins;
mod nearest;
mod trees;

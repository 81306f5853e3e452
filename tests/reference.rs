//! Naive definitions in float64 that share no code with what they check.

pub(crate) mod interventional;
pub(crate) mod linear;
pub(crate) mod path_dependent;
pub(crate) mod shapley;

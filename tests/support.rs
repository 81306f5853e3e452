//! Generators and comparisons that several tests share.

pub(crate) mod compare;
pub(crate) mod forest;
pub(crate) mod random;

//! Generators and comparisons that several tests share.

pub(crate) mod chain;
pub(crate) mod compare;
pub(crate) mod damage;
pub(crate) mod forest;
pub(crate) mod native;
pub(crate) mod network;
pub(crate) mod points;
pub(crate) mod random;
#[cfg(feature = "http")]
pub(crate) mod server;

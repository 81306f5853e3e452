//! All integration tests in one binary, so that the heavy dependencies are linked once.

#![expect(
    clippy::unwrap_used,
    reason = "a panic is how a test fails, in its helpers too"
)]

mod black_box;
mod catboost;
#[cfg(feature = "cli")]
mod cli;
mod corpus;
mod data;
mod deep;
mod device;
#[cfg(feature = "http")]
mod endpoint;
mod han;
mod iteration;
mod kernels;
mod lightgbm;
mod lime;
mod linear;
mod mimic;
mod native;
mod network;
mod onnx;
mod permutation;
#[cfg(unix)]
mod program;
mod reference;
mod report;
#[cfg(feature = "gpu")]
mod shaders;
mod summarise;
mod support;
#[cfg(feature = "text")]
mod surrogate;
#[cfg(feature = "text")]
mod text;
mod treelite;
#[cfg(feature = "gpu")]
mod twins;
mod values;
mod xgboost;

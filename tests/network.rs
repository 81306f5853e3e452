//! Networks of ONNX files against what made them.

mod damage;
mod exports;
mod nodes;

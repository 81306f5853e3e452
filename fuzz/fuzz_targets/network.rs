//! ONNX models as networks.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| whylight_fuzz::network(bytes));

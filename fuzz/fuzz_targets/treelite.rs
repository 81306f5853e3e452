//! Treelite checkpoints.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| whylight_fuzz::model(bytes));

//! CSV tables.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| whylight_fuzz::table(bytes, "csv"));

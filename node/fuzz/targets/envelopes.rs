#![no_main]
#![allow(dead_code, reason = "each target makes one of the trials")]

#[path = "../trials.rs"]
mod trials;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| trials::envelopes(bytes));

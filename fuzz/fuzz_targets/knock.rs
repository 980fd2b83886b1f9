//! `cargo fuzz run knock`
#![no_main]

#[path = "../ways/gate.rs"]
#[allow(dead_code)]
mod ways;

libfuzzer_sys::fuzz_target!(|data: &[u8]| ways::knock(data));

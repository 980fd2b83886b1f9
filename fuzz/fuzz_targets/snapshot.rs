//! `cargo fuzz run snapshot`
#![no_main]

#[path = "../ways/gate.rs"]
#[allow(dead_code)]
mod ways;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    ways::snapshot(data, serde_json::from_slice(data).ok(), serde_json::from_slice(data).ok());
});

//! The fuzzer's entry to `properties/gate.rs`: `snapshot`.
#![no_main]

#[path = "../properties/gate.rs"]
#[allow(dead_code)]
mod property;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    property::snapshot(data, serde_json::from_slice(data).ok(), serde_json::from_slice(data).ok());
});

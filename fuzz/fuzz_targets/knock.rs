//! The fuzzer's entry to `properties/gate.rs`: `knock`.
#![no_main]

#[path = "../properties/gate.rs"]
#[allow(dead_code)]
mod property;

libfuzzer_sys::fuzz_target!(|data: &[u8]| property::knock(data));

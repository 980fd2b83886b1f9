//! The fuzzer's entry to `properties/sdp.rs`.

#![no_main]

#[path = "../properties/sdp.rs"]
mod property;

libfuzzer_sys::fuzz_target!(|data: &[u8]| property::check(data));

//! The fuzzer's entry to `properties/forwarded.rs`.

#![no_main]

#[path = "../properties/forwarded.rs"]
mod property;

libfuzzer_sys::fuzz_target!(|data: &[u8]| property::check(data));

//! The fuzzer's entry to `properties/head.rs`.

#![no_main]

#[path = "../properties/head.rs"]
mod property;

libfuzzer_sys::fuzz_target!(|data: &[u8]| property::check(data));

//! The fuzzer's entry to `properties/proxy_header.rs`.

#![no_main]

#[path = "../properties/proxy_header.rs"]
mod property;

libfuzzer_sys::fuzz_target!(|data: &[u8]| property::check(data));

//! The fuzzer's entry to `properties/shield_message.rs`.

#![no_main]

#[path = "../properties/shield_message.rs"]
mod property;

libfuzzer_sys::fuzz_target!(|data: &[u8]| property::check(data));

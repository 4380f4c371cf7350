//! Whatever comes on this wire, its decoder never panics and ends at most once.
#![no_main]

mod common;

libfuzzer_sys::fuzz_target!(|data: &[u8]| common::read("ollama", data));

//! Whatever comes, a stream of server-sent events is taken apart without a panic, and holds no more events than bytes.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| assert!(mosaic_providers::decode::events(data) <= data.len()));

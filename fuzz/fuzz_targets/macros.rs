//! Fuzzes `larder_fuzz_entries::macros`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| larder_fuzz_entries::macros::run(data));

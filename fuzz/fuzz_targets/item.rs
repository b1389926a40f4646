//! An item of the account table. What is done with it, and must hold, is in `src/fuzzing.rs`, which the unit tests compile, too.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sftpctl::fuzzing::item(data));

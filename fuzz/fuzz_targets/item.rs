//! An item of the account table. The checks are in `fuzz/src/log_in.rs`, which the tests compile too.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sftpctl_fuzz::log_in::item(data));

//! A saved plan. The checks are in `fuzz/src/files.rs`, which the tests compile too.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sftpctl_fuzz::files::plan(data));

//! State, journal and lock. What is done with it, and must hold, is in `fuzz/src/files.rs`, which the tests compile, too.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sftpctl_fuzz::files::state(data));

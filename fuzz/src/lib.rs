//! The checks that `scripts/fuzz` applies to each input. `tests/it/fuzz_seeds.rs` compiles the same files and runs them
//! on the seeds.

#[cfg(feature = "files")]
pub mod files;
pub mod log_in;

//! sftpctl
#![forbid(unsafe_code)]
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "cli")]
pub mod local;
#[cfg(feature = "cli")]
pub mod spec;

//! sftpctl
#[cfg(feature = "cli")]
pub mod spec;

//! sftpctl
#![forbid(unsafe_code)]
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "cli")]
pub mod local;
#[cfg(feature = "cli")]
pub mod aws;
#[cfg(feature = "cli")]
pub mod plan;
#[cfg(feature = "cli")]
pub mod report;
#[cfg(feature = "cli")]
pub mod resources;
#[cfg(feature = "cli")]
pub mod spec;

//! The command `sftpctl`: its arguments, output and exit codes. The work is done by the crates below `crates/`.

pub mod commands;
mod companion;
pub mod error;
pub mod exit;
mod local_cloud;
pub mod report;

//! `sftpctl`, the command: its arguments, what it prints, how it ends. What it does is in the crates below `crates/`.

pub mod commands;
pub mod error;
pub mod exit;
mod local_cloud;
pub mod report;

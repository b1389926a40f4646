//! Customers' files. A home directory becomes a folder in S3 (`homes`), agents fetch files from there (`pull`), and the
//! versions that S3 keeps are the history of a file (`history`).
//!
//! What is decided is pure and apart from what is done: names, manifests and plans know no disk and no AWS.
//!
//! Home directories, mounts and pulls need calls of Linux: paths that leave no folder (openat2(2)), one `syncfs` for many
//! files, `/proc`. Elsewhere there is only what needs none.

pub mod checksum;
pub mod history;
#[cfg(target_os = "linux")]
pub mod homes;
#[cfg(target_os = "linux")]
pub mod mounts;
pub mod notice;
mod own;
#[cfg(target_os = "linux")]
pub mod pull;
#[cfg(target_os = "linux")]
pub mod said;

/// The beginning of the names of the objects by which mounts are probed. Nothing that customers store begins so, since
/// their keys begin with an organisation's ID; other commands skip it.
pub const CANARY: &str = ".sftpctl-canary-";

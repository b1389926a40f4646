//! `sftpctl` deploys and looks after password SFTP on AWS Transfer Family.
//!
//! ```text
//! environments/99.yaml ─ spec ─> desired ─┐
//!                     observe (reads AWS) ┼─> plan ─> execute ─> AWS
//!                     state (last run) ───┘             │
//!                                                       └─ events ─> report
//! ```
//!
//! `spec`, `desired`, `template`, `names`, `plan` and `authorizer` are pure: no AWS, clock, file system or randomness.
//! Only `aws` names an SDK crate, only `report` prints, only `execute::wait` waits.

#[cfg(feature = "cli")]
pub mod accounts;
#[cfg(feature = "accounts")]
pub mod authorizer;
#[cfg(feature = "cli")]
pub mod aws;
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "cli")]
pub mod desired;
#[cfg(feature = "cli")]
pub mod drift;
#[cfg(feature = "cli")]
pub mod execute;
#[cfg(feature = "cli")]
pub mod exit;
#[cfg(all(feature = "accounts", any(test, fuzzing)))]
pub mod fuzzing;
#[cfg(feature = "cli")]
pub mod host_keys;
#[cfg(feature = "cli")]
pub mod kind;
#[cfg(feature = "cli")]
pub mod local;
#[cfg(feature = "cli")]
pub mod model;
#[cfg(feature = "cli")]
pub mod node;
#[cfg(feature = "cli")]
pub mod observe;
#[cfg(feature = "cli")]
pub mod package;
#[cfg(feature = "cli")]
pub mod plan;
#[cfg(feature = "cli")]
mod process;
#[cfg(feature = "cli")]
pub mod report;
#[cfg(feature = "cli")]
pub mod resources;
#[cfg(feature = "cli")]
pub mod session;
#[cfg(feature = "cli")]
pub mod spec;
#[cfg(feature = "cli")]
pub mod state;
#[cfg(feature = "cli")]
pub mod template;
#[cfg(feature = "cli")]
pub mod user_policies;
#[cfg(feature = "cli")]
pub mod verify;
#[cfg(feature = "cli")]
pub mod wait;

//! The local cloud: an AWS on this machine, with real parts, for rehearsal and tests.
//!
//! Two processes, both on loopback only: [MiniStack](https://pypi.org/project/ministack/), which has most services, in a
//! virtual environment of its own; and a front, ours, which answers what MiniStack lacks and passes the rest on.
//!
//! [`start`], [`stop`], [`status`] and [`logs`] are for the command `sftpctl-local`; [`serve`] is the background process
//! itself.

mod cloud;
mod control;
mod delay;
mod error;
mod execute_api;
mod files;
mod front;
mod functions;
mod login;
mod ministack;
mod process;
mod roles;
mod serve;
mod sftp;
mod transfer;
pub mod zone;

pub use control::{
    DEFAULT_DIR, DEFAULT_PORT, MinistackStatus, ServerStatus, StartOptions, Status, logs, manage, start, status, stop,
};
pub use delay::Delays;
pub use error::LocalError;
pub use front::{Fault, Only, Rule};
pub use serve::serve;
pub use sftp::SftpLimits;

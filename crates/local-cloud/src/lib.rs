//! The local cloud: an AWS on this machine, with real parts, for rehearsals and tests.
//!
//! It is the program `sftpctl-local`, which `sftpctl local` and `--local` run. Of the workspace it uses only
//! `sftpctl-aws`, for calls to MiniStack, and `iam-model`, for policies.
//!
//! It runs as two processes, both on loopback only: MiniStack, which has most
//! services, in a Python virtual environment of its own; and a front, which answers what MiniStack lacks and passes
//! everything else on.
//!
//! [`start`], [`stop`], [`status`] and [`logs`] are the program's commands; [`serve`] is the background process.

mod addresses;
mod cloud;
mod control;
mod delay;
mod error;
mod events;
mod execute_api;
mod files;
mod folder;
mod front;
mod function_key;
mod functions;
mod log_file;
mod login;
mod ministack;
mod place;
mod process;
mod roles;
mod secret;
mod serve;
mod settings;
mod sftp;
mod socket_owner;
mod structured_logs;
mod transfer;
mod waf;
mod workflows;
pub mod zone;

pub use control::{logs, manage, secret_key, start, status, stop};
pub use delay::Delays;
pub use error::LocalError;
pub use folder::close_to_others;
pub use front::{Fault, Only, Rule};
pub use log_file::LogFile;
pub use serve::serve;
pub use settings::{DEFAULT_DIR, DEFAULT_PORT, MinistackStatus, ServerStatus, SftpLimits, StartOptions, Status};

//! The errors of the state, with hints.

use std::io;
use std::time::Duration;

use sftpctl_aws::AwsError;

/// The reason that the state cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The file system refused a call.
    #[error("cannot {action} {address}")]
    Io {
        /// `read`, `write`, `create`, `lock`.
        action: &'static str,
        address: String,
        #[source]
        source: io::Error,
    },
    /// S3 refused a call.
    #[error("cannot {action} {address}")]
    Aws {
        /// `read`, `write`.
        action: &'static str,
        address: String,
        #[source]
        source: Box<AwsError>,
    },
    /// The place cannot keep state.
    #[error("{address} cannot keep state: {reason}")]
    Unfit { address: String, reason: String, hint: String },
    /// A document is not as sftpctl wrote it.
    #[error("{address} is damaged: {reason}")]
    Damaged { address: String, reason: String },
    /// The lock is not as sftpctl wrote it.
    #[error("{address} is damaged: {reason}")]
    DamagedLock { address: String, reason: String },
    /// A write took too long.
    #[error("{address} was not written within {} s", .limit.as_secs_f32().ceil())]
    Slow { address: String, limit: Duration },
    /// A newer sftpctl wrote it: its version is higher, or it has members that this program does not have.
    #[error(
        "{address} was written by a newer sftpctl (format {version}{}); this one reads up to format {newest}",
        if *.version > u64::from(*.newest) { "" } else { " with additions" }
    )]
    Newer {
        address: String,
        version: u64,
        /// The highest version that this program reads.
        newest: u32,
    },
    /// A document belongs to another environment or account.
    #[error("{address} belongs to environment {environment} in account {account}")]
    Other { address: String, environment: String, account: String },
    /// The state was moved.
    #[error("the state of environment {environment} has moved to {to}")]
    Moved { environment: String, to: String },
    /// A move to this place was interrupted.
    #[error("the move of the state of environment {environment} from {from} to this place was interrupted")]
    MoveInterrupted { environment: String, from: String },
    /// Another run has replaced a document since it was read.
    #[error("{address} was changed by another run in the meantime")]
    Conflict { address: String },
    /// Another run holds the lock.
    #[error("another run holds the lock on this environment: {holder}")]
    Locked {
        /// The holder, as `Holder::describe` shows it.
        holder: String,
    },
    /// This run held the lock and lost it.
    #[error("this run has lost its lock: {taken}")]
    Fenced {
        /// The new holder of the lock, or the reason of the loss.
        taken: String,
    },
}

impl StateError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Io { .. } => "check the path and its permissions, or name another place with --state".into(),
            Self::Aws { source, .. } => return source.hint(),
            Self::Unfit { hint, .. } => hint.clone(),
            Self::Damaged { .. } => {
                "nothing was changed; `sftpctl state rebuild` puts it aside and rebuilds it from AWS, where everything \
                 in it is found by name and tag, except for records that were imported: import them again"
                    .into()
            }
            Self::DamagedLock { .. } => {
                "check that no run is in progress, then remove the lock with `sftpctl lock break`".into()
            }
            Self::Slow { .. } => "rerun the same command to resume".into(),
            Self::Other { .. } => {
                "nothing was changed; name another place with --state, or remove what was copied here by mistake".into()
            }
            Self::MoveInterrupted { environment, from } => format!(
                "rerun the move to finish it: \
                 sftpctl state move --env {environment} --state {from} --to PLACE, where PLACE is this one"
            ),
            Self::Newer { .. } => "nothing was changed; upgrade sftpctl".into(),
            Self::Moved { to, .. } => format!("pass --state {to}, or set it in the environment file"),
            Self::Conflict { .. } => "rerun the same command".into(),
            Self::Locked { .. } => {
                "rerun the command when the other run has finished, or wait for it with --lock-timeout; \
                 `sftpctl lock show` shows who holds the lock"
                    .into()
            }
            Self::Fenced { .. } => {
                "this run has stopped writing; rerun the same command when the other one has finished".into()
            }
        })
    }
}

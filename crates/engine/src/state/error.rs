//! State could not be used: what is wrong, and what to do about it.

use std::io;
use std::time::Duration;

use super::model::VERSION;
use sftpctl_aws::AwsError;

/// State could not be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The file system refused.
    #[error("cannot {action} {address}")]
    Io {
        /// `read`, `write`, `create`, `lock`.
        action: &'static str,
        /// The file.
        address: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// S3 refused.
    #[error("cannot {action} {address}")]
    Aws {
        /// `read`, `write`.
        action: &'static str,
        /// The object.
        address: String,
        /// Why.
        #[source]
        source: Box<AwsError>,
    },
    /// The place is not fit to keep state.
    #[error("{address} cannot keep state: {reason}")]
    Unfit {
        /// The place.
        address: String,
        /// Why.
        reason: String,
        /// What to do.
        hint: String,
    },
    /// It isn't what sftpctl wrote.
    #[error("{address} is damaged: {reason}")]
    Damaged {
        /// The document.
        address: String,
        /// Why.
        reason: String,
    },
    /// The lock isn't what sftpctl wrote.
    #[error("{address} is damaged: {reason}")]
    DamagedLock {
        /// The document.
        address: String,
        /// Why.
        reason: String,
    },
    /// No answer came.
    #[error("{address} was not written within {} s", .limit.as_secs_f32().ceil())]
    Slow {
        /// The document.
        address: String,
        /// How long it was waited for.
        limit: Duration,
    },
    /// A newer sftpctl wrote it.
    #[error("{address} has version {version}, this sftpctl knows {VERSION}")]
    Newer {
        /// The document.
        address: String,
        /// Its version.
        version: u64,
    },
    /// It is about something else.
    #[error("{address} is of environment {environment} in account {account}")]
    Other {
        /// The document.
        address: String,
        /// Its environment.
        environment: String,
        /// Its account.
        account: String,
    },
    /// It has moved.
    #[error("the state of environment {environment} has moved to {to}")]
    Moved {
        /// The environment.
        environment: String,
        /// Where it is now.
        to: String,
    },
    /// A move to this place was interrupted.
    #[error(
        "the state of environment {environment} is on its way from {from} to this place, and a move was interrupted"
    )]
    OnItsWay {
        /// The environment.
        environment: String,
        /// Where it comes from.
        from: String,
    },
    /// Somebody else wrote in between.
    #[error("{address} was changed by somebody else in between")]
    Conflict {
        /// The document.
        address: String,
    },
    /// Another run holds the lock.
    #[error("another run works on this environment: {holder}")]
    Locked {
        /// Who, and since when.
        holder: String,
    },
    /// This run held the lock and lost it.
    #[error("this run has lost its lock: {taken}")]
    Fenced {
        /// Who has it now.
        taken: String,
    },
}

impl StateError {
    /// What to do.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Io { .. } => "--state names another place".into(),
            Self::Aws { source, .. } => return source.hint(),
            Self::Unfit { hint, .. } => hint.clone(),
            Self::Damaged { .. } => {
                "nothing was touched. `sftpctl state rebuild` puts it aside and makes it anew from AWS, where everything in it \
                is found by name and tag but what has no tags: records that were imported are to be imported again"
                    .into()
            }
            Self::DamagedLock { .. } => {
                "`sftpctl lock break` removes it, when nobody works on the environment; it asks first".into()
            }
            Self::Slow { .. } => "run the same command again, it goes on where this one stopped".into(),
            Self::Other { .. } => {
                "nothing was touched. --state names another place; what was copied here by mistake may be removed".into()
            }
            Self::OnItsWay { environment, from } => format!(
                "say the move again, it goes on where it was interrupted: \
                 sftpctl state move --env {environment} --state {from} --to PLACE, where PLACE is this one"
            ),
            Self::Newer { .. } => "use the sftpctl that wrote it, or a newer one".into(),
            Self::Moved { to, .. } => format!("say --state {to}, or write it into the environment file"),
            Self::Conflict { .. } => "run the same command again".into(),
            Self::Locked { .. } => {
                "run again when it has finished, or wait for it with --lock-timeout; `sftpctl lock show` tells who holds it"
                    .into()
            }
            Self::Fenced { .. } => {
                "this run stopped writing; when the other one has finished, run the same command again".into()
            }
        })
    }
}

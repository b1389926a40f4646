//! Why a step could not be done.

use crate::resources::resource::ResourceError;
use crate::state::error::StateError;
use sftpctl_aws::AwsError;

/// Why a step could not be done.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// The resource could not be changed.
    #[error(transparent)]
    Resource(#[from] ResourceError),
    /// AWS finished, but not well.
    #[error("{what} ended in {status}")]
    EndedIn {
        /// The resource.
        what: String,
        /// AWS's status.
        status: String,
        /// The cause, found in AWS's events; each is one line.
        causes: Vec<String>,
        /// What exists now.
        left: String,
    },
    /// AWS accepted every change, and still something differs.
    #[error("{what} is not as wanted although AWS accepted the change: {differs}")]
    DoesNotConverge {
        /// The resource.
        what: String,
        /// The properties that differ.
        differs: String,
    },
    /// AWS accepted its creation and does not show it yet, or nobody can say whether it did.
    #[error("{what} may have been made, and is not seen yet{}", .why.as_ref().map(|why| format!(" ({why})")).unwrap_or_default())]
    Unseen {
        /// The resource.
        what: String,
        /// Why it could not be looked for, where that is so.
        why: Option<String>,
    },
    /// The run was asked to stop while AWS was at work.
    #[error("stopped while {what} was {status}: AWS goes on by itself")]
    Stopped {
        /// The resource.
        what: String,
        /// Last status.
        status: String,
    },
    /// The journal cannot be written, so nothing may be called.
    #[error(transparent)]
    Journal(#[from] StateError),
}

impl StepError {
    /// What a person can do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Resource(error) => error.hint(),
            Self::Journal(error) => error.hint(),
            Self::Unseen { .. } => {
                Some("run the same command again: it looks for it first, and makes it only when it is not there".into())
            }
            Self::EndedIn { .. } => {
                Some("settle the first cause, and run the same command again: it clears up what was left".into())
            }
            Self::Stopped { .. } => Some("run the same command again: it waits for what is under way".into()),
            _ => None,
        }
    }
}

impl From<AwsError> for StepError {
    fn from(error: AwsError) -> Self {
        Self::Resource(ResourceError::Aws(error))
    }
}

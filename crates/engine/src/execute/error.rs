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
    /// The operation in AWS failed.
    #[error("{what} ended in {status}")]
    EndedIn {
        what: String,
        status: String,
        /// The causes from AWS's events, one line each.
        causes: Vec<String>,
        /// What exists in AWS now.
        left: String,
    },
    /// AWS accepted every change, and a property still differs.
    #[error("{what} still differs after AWS accepted the change: {differs}")]
    DoesNotConverge {
        what: String,
        /// Names of the properties, separated by commas.
        differs: String,
    },
    /// AWS accepted its creation and does not list it yet, or it is unknown whether AWS accepted it.
    #[error(
        "{what} may have been created but is not visible yet{}",
        .why.as_ref().map(|why| format!(" ({why})")).unwrap_or_default()
    )]
    NotVisible {
        what: String,
        /// Why it could not be read, if a read failed.
        why: Option<String>,
    },
    /// A stop was requested during an operation in AWS.
    #[error("stopped while {what} was {status}; AWS continues by itself")]
    Stopped { what: String, status: String },
    /// The journal cannot be written, so no mutation may be called.
    #[error(transparent)]
    Journal(#[from] StateError),
}

impl StepError {
    /// An instruction for the user.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Resource(error) => error.hint(),
            Self::Journal(error) => error.hint(),
            Self::NotVisible { .. } => Some(
                "rerun the same command: it checks first, and creates the resource only if it does not exist".into(),
            ),
            Self::EndedIn { .. } => {
                Some("fix the first cause, then rerun the same command; leftovers are cleaned up".into())
            }
            Self::Stopped { .. } => Some("rerun the same command: it waits for the operation in progress".into()),
            _ => None,
        }
    }
}

impl From<AwsError> for StepError {
    fn from(error: AwsError) -> Self {
        Self::Resource(ResourceError::Aws(error))
    }
}

//! Why a policy could not be read, or a request not be decided.

/// Why a document is not a valid policy, and where.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{path}: {reason}")]
pub struct PolicyError {
    path: String,
    reason: String,
}

impl PolicyError {
    pub fn new(path: &str, reason: String) -> Self {
        Self { path: path.to_owned(), reason }
    }
}

/// Why a request could not be decided.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum EvalError {
    #[error("invalid request: {0}")]
    Request(String),
    #[error("{policy} cannot be attached there: {error}")]
    Policy { policy: String, error: PolicyError },
    #[error("AWS leaves this open: {0}")]
    Open(String),
}

impl EvalError {
    /// Adds the policy and statement in which the error occurred.
    pub(super) fn at(self, place: &str) -> Self {
        match self {
            Self::Request(reason) => Self::Request(format!("{reason} ({place})")),
            Self::Open(reason) => Self::Open(format!("{reason} ({place})")),
            Self::Policy { .. } => self,
        }
    }
}

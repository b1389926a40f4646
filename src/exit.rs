//! How a run ends: one list of exit codes, and the error that carries one.

use sftpctl_engine::resources::resource::ResourceError;
use sftpctl_engine::run::Ending;
use sftpctl_engine::run::error::RunError;
use sftpctl_engine::state::error::StateError;

/// The exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: done, or nothing to do.
    Ok,
    /// 1: something failed in AWS.
    Failed,
    /// 2: usage or configuration.
    Usage,
    /// 3: refused: no confirmation, the wrong account, a protection.
    Refused,
    /// 4: `plan --exit-code` found changes, or `drift` drift.
    Changes,
    /// 5: another run holds the lock.
    Locked,
    /// 6: partly done; run again.
    Partly,
    /// 130: interrupted.
    Interrupted,
}

impl Exit {
    /// For the operating system.
    pub fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Refused => 3,
            Self::Changes => 4,
            Self::Locked => 5,
            Self::Partly => 6,
            Self::Interrupted => 130,
        }
    }
}

/// The list as help shows it.
pub const LIST: &str = "Exit codes:
  0    done, or nothing to do
  1    something failed in AWS
  2    usage or configuration
  3    refused: no confirmation, the wrong account, a protection
  4    plan --exit-code found changes, drift found drift
  5    another run works on the environment
  6    partly done: run again
  130  interrupted";

/// An error with its exit code.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct CliError {
    /// The exit code.
    pub exit: Exit,
    /// What went wrong, in one sentence or more lines.
    pub message: String,
    /// Why, outermost first.
    pub causes: Vec<String>,
    /// What to do.
    pub hint: Option<String>,
}

impl CliError {
    /// An error without causes.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), causes: Vec::new(), hint: None }
    }

    /// Adds what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// An error with the chain of its sources.
    pub fn from_error(exit: Exit, error: &(dyn std::error::Error + 'static), hint: Option<String>) -> Self {
        let mut causes = Vec::new();
        let mut source = error.source();
        while let Some(cause) = source {
            causes.push(cause.to_string());
            source = cause.source();
        }
        Self { exit, message: error.to_string(), causes, hint }
    }
}

/// The exit code for what went wrong with state.
fn of_state(error: &StateError) -> Exit {
    match error {
        StateError::Locked { .. } | StateError::Conflict { .. } => Exit::Locked,
        StateError::Fenced { .. } => Exit::Partly,
        StateError::Aws { .. } | StateError::Slow { .. } => Exit::Failed,
        StateError::Io { .. }
        | StateError::Unfit { .. }
        | StateError::Damaged { .. }
        | StateError::DamagedLock { .. }
        | StateError::Newer { .. }
        | StateError::Other { .. }
        | StateError::Moved { .. }
        | StateError::OnItsWay { .. } => Exit::Usage,
    }
}

/// The exit code for a run that could not begin or go on.
fn of_run(error: &RunError) -> Exit {
    match error {
        RunError::State(error) => of_state(error),
        RunError::Unsaved(_) => Exit::Partly,
        RunError::Package(_)
        | RunError::HostKeys(_)
        | RunError::Template(_)
        | RunError::Order(_)
        | RunError::UnknownRegion { .. }
        | RunError::NoSuchResource { .. }
        | RunError::ServerIdMissing { .. } => Exit::Usage,
        RunError::Connect(error) if error.is_credentials() => Exit::Usage,
        RunError::WrongAccount { .. }
        | RunError::NotDeployable { .. }
        | RunError::NotRemovable { .. }
        | RunError::NotAdoptable(_)
        | RunError::Unadoptable(ResourceError::Refused(_))
        | RunError::Adoption(ResourceError::Refused(_)) => Exit::Refused,
        RunError::Connect(_)
        | RunError::Unreadable { .. }
        | RunError::NotSearched { .. }
        | RunError::NotRebuilt { .. }
        | RunError::Undecided { .. }
        | RunError::Removal(_)
        | RunError::Unadoptable(_)
        | RunError::Adoption(_) => Exit::Failed,
        RunError::Interrupted { .. } => Exit::Interrupted,
        RunError::NoLock => Exit::Locked,
    }
}

impl From<StateError> for CliError {
    fn from(error: StateError) -> Self {
        Self::from_error(of_state(&error), &error, error.hint())
    }
}

impl From<RunError> for CliError {
    fn from(error: RunError) -> Self {
        let mut shown = Self::from_error(of_run(&error), &error, error.hint());
        shown.causes.extend(error.causes());
        shown
    }
}

impl From<Ending> for Exit {
    fn from(ending: Ending) -> Self {
        match ending {
            Ending::Done => Self::Ok,
            Ending::Failed => Self::Failed,
            Ending::Partly => Self::Partly,
            Ending::Interrupted => Self::Interrupted,
        }
    }
}

//! The error that ends a command, with its exit code, and how the engine's errors become one.

use serde::Serialize;

use crate::exit::Exit;
use sftpctl_aws::AwsError;
use sftpctl_core::plan::saved::StalePlan;
use sftpctl_core::shown::Text;
use sftpctl_core::spec::Faults;
use sftpctl_engine::resources::resource::ResourceError;
use sftpctl_engine::run::error::RunError;
use sftpctl_engine::state::error::StateError;

/// An error with its exit code.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct CliError {
    pub exit: Exit,
    /// What is wrong.
    pub message: String,
    /// The message as people see it, if it has more than one line.
    pub rendered: Option<Text>,
    /// The chain of sources, outermost first.
    pub causes: Vec<String>,
    pub hint: Option<String>,
    /// What it is, where a program decides by it.
    pub reason: Option<Reason>,
}

/// What an error is, for programs: its words may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The environment has no guard.
    NoGuard,
}

impl CliError {
    /// An error without causes and hint.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), rendered: None, causes: Vec::new(), hint: None, reason: None }
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    #[must_use]
    pub fn reason(mut self, reason: Reason) -> Self {
        self.reason = Some(reason);
        self
    }

    /// The faults of an environment file, each with its line.
    pub fn from_faults(faults: &Faults, color: bool) -> Self {
        let rendered = Some(Text::styled(&faults.render(color)));
        Self { rendered, ..Self::new(Exit::Usage, faults.render(false)) }
    }

    /// An error with the chain of its sources.
    pub fn from_error(exit: Exit, error: &(dyn std::error::Error + 'static), hint: Option<String>) -> Self {
        let mut causes = Vec::new();
        let mut source = error.source();
        while let Some(cause) = source {
            causes.push(cause.to_string());
            source = cause.source();
        }
        Self { exit, message: error.to_string(), rendered: None, causes, hint, reason: None }
    }
}

/// The exit code for an error of the state.
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
        | StateError::MoveInterrupted { .. } => Exit::Usage,
    }
}

/// The exit code for a run that could not start or continue.
fn of_run(error: &RunError) -> Exit {
    match error {
        RunError::State(error) => of_state(error),
        RunError::Unsaved(_) => Exit::Partly,
        RunError::Package(_)
        | RunError::HostKeys(_)
        | RunError::Template(_)
        | RunError::Order(_)
        | RunError::Network(_)
        | RunError::UnknownRegion { .. }
        | RunError::UnknownName { .. }
        | RunError::NoSuchResource { .. }
        | RunError::ServerIdMissing { .. } => Exit::Usage,
        RunError::Connect(error) if error.is_credentials() => Exit::Usage,
        RunError::RoleNotAssumed { error, .. } if error.is("AccessDenied") => Exit::Refused,
        RunError::WrongAccount { .. }
        | RunError::NotDeployable { .. }
        | RunError::Severed(_)
        | RunError::NotRemovable { .. }
        | RunError::NotAdoptable(_)
        | RunError::Unadoptable(ResourceError::Refused(_))
        | RunError::Adoption(ResourceError::Refused(_)) => Exit::Refused,
        RunError::Connect(_)
        | RunError::RoleNotAssumed { .. }
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

impl From<AwsError> for CliError {
    fn from(error: AwsError) -> Self {
        Self::from_error(Exit::Failed, &error, error.hint())
    }
}

impl From<StalePlan> for CliError {
    fn from(stale: StalePlan) -> Self {
        let mut error = Self::new(Exit::Refused, stale.to_string());
        error.causes = stale.differences;
        error
    }
}

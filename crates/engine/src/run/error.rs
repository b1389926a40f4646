//! Why a run could not begin, or not go on.

use sftpctl_aws::{AwsError, Caller};
use sftpctl_core::kind::NodeId;
use sftpctl_core::plan::graph::GraphError;
use sftpctl_core::template::TemplateError;

use crate::host_keys::HostKeyError;
use crate::package::PackageError;
use crate::resources::resource::ResourceError;
use crate::state::error::StateError;

/// Why a run could not begin, or not go on. Steps that fail are not among these: they are in the summary.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The state cannot be read or written, or another run holds the lock.
    #[error(transparent)]
    State(#[from] StateError),
    /// The run's work is done as its summary says, but the state could not be written.
    #[error(transparent)]
    Unsaved(StateError),
    /// The authorizer's package cannot be built.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// A host key cannot be used.
    #[error(transparent)]
    HostKeys(#[from] HostKeyError),
    /// The template cannot be rendered for this environment.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// The resources cannot be put in an order.
    #[error(transparent)]
    Order(#[from] GraphError),
    /// AWS did not say whose the credentials are.
    #[error(transparent)]
    Connect(AwsError),
    /// The credentials belong to another account.
    #[error("environment {environment} belongs to account {account}, but the credentials are of account {} ({})", .caller.account, .caller.arn)]
    WrongAccount {
        /// The environment.
        environment: String,
        /// The account that its file names.
        account: String,
        /// Whose the credentials are.
        caller: Caller,
    },
    /// A run was limited to a region that the environment does not have.
    #[error("environment {environment} has no region {region}")]
    UnknownRegion {
        /// The environment.
        environment: String,
        /// The region that was asked for.
        region: String,
        /// The regions of the environment.
        known: Vec<String>,
    },
    /// Somebody asked the run to stop before a step was in flight.
    #[error("{command} was interrupted")]
    Interrupted {
        /// The command.
        command: String,
    },
    /// Something would be changed without the lock.
    #[error("nothing is changed without the lock")]
    NoLock,
    /// A resource could not be read, and what is not seen may be in use.
    #[error("{id} could not be read: {error}")]
    Unreadable {
        /// The resource.
        id: NodeId,
        /// AWS's answer.
        error: AwsError,
    },
    /// Orphans could not be searched for, and what is not seen may be in use.
    #[error("{resource} could not be searched: {why}")]
    NotSearched {
        /// What was searched for, and where.
        resource: String,
        /// Why not.
        why: String,
    },
    /// State cannot be rebuilt while a resource cannot be read.
    #[error("{id} could not be read: {error}")]
    NotRebuilt {
        /// The resource.
        id: NodeId,
        /// AWS's answer.
        error: AwsError,
    },
    /// Nobody knows what came of an earlier run's creation.
    #[error("an earlier run may have made what cannot be looked for now")]
    Undecided {
        /// One line for each resource.
        resources: Vec<String>,
    },
    /// A deployment must not begin.
    #[error("environment {environment} cannot be deployed as it is")]
    NotDeployable {
        /// The environment.
        environment: String,
        /// Every reason, one sentence each.
        findings: Vec<String>,
        /// Resources that could be adopted.
        adoptable: Vec<String>,
    },
    /// A teardown must not begin.
    #[error("environment {environment} cannot be taken down as it is")]
    NotRemovable {
        /// The environment.
        environment: String,
        /// Every reason, one sentence each.
        refusals: Vec<String>,
    },
    /// A resource could not be looked into before its removal.
    #[error(transparent)]
    Removal(AwsError),
    /// The environment has no resource of this name.
    #[error("environment {environment} has no resource {id}")]
    NoSuchResource {
        /// The environment.
        environment: String,
        /// The name that was asked for.
        id: NodeId,
    },
    /// A server is to be adopted without its id.
    #[error("which server shall {id} be?")]
    ServerIdMissing {
        /// The server's node.
        id: NodeId,
    },
    /// A resource cannot be adopted.
    #[error("{0}")]
    NotAdoptable(String),
    /// A resource cannot be adopted as it is, or could not be looked into.
    #[error(transparent)]
    Unadoptable(ResourceError),
    /// A call of an adoption failed or was refused.
    #[error(transparent)]
    Adoption(ResourceError),
}

/// What to do after every interruption.
const RERUN: &str = "run the same command again: it goes on where this one stopped";

impl RunError {
    /// What a person can do.
    pub fn hint(&self) -> Option<String> {
        let nothing = || Some("nothing was changed".to_owned());
        match self {
            Self::State(error) | Self::Unsaved(error) => error.hint(),
            Self::Package(error) => Some(error.hint().to_owned()),
            Self::HostKeys(_) | Self::NotSearched { .. } | Self::NotRemovable { .. } | Self::NotAdoptable(_) => {
                nothing()
            }
            Self::Template(_) | Self::Order(_) | Self::NoLock => None,
            Self::Connect(error) | Self::Removal(error) => error.hint(),
            Self::Unreadable { error, .. } => Some(error.hint().unwrap_or_default()),
            Self::WrongAccount { .. } => Some("--profile chooses other credentials; nothing was changed".to_owned()),
            Self::UnknownRegion { known, .. } => Some(format!("its regions: {}", known.join(", "))),
            Self::Interrupted { .. } => Some(RERUN.to_owned()),
            Self::NotRebuilt { .. } => Some("the state is as it was; run again when it can be read".to_owned()),
            Self::Undecided { .. } => {
                Some("nothing was changed; run the same command again when AWS answers".to_owned())
            }
            Self::NotDeployable { environment, adoptable, .. } => match adoptable.is_empty() {
                true => nothing(),
                false => Some(format!(
                    "nothing was changed; what exists without our tag is never taken over, unless you say so: \
                     sftpctl import --env {environment} {}",
                    adoptable.join(" ")
                )),
            },
            Self::NoSuchResource { .. } => Some("`sftpctl status` lists every resource by its name".to_owned()),
            Self::ServerIdMissing { id } => Some(format!("say its id: {id}=s-0123456789abcdef0")),
            Self::Unadoptable(error) => error.hint().or_else(nothing),
            Self::Adoption(error) => error.hint(),
        }
    }

    /// Why, one line each, where that is more than the chain of [`std::error::Error::source`].
    pub fn causes(&self) -> Vec<String> {
        match self {
            Self::Undecided { resources } => resources.clone(),
            Self::NotDeployable { findings, .. } => findings.clone(),
            Self::NotRemovable { refusals, .. } => refusals.clone(),
            _ => Vec::new(),
        }
    }
}

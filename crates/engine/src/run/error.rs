//! Why a run could not begin or continue.

use std::collections::BTreeSet;

use sftpctl_aws::{AwsError, Caller, NetworkError};
use sftpctl_core::kind::NodeId;
use sftpctl_core::plan::graph::GraphError;
use sftpctl_core::plan::selection::Severed;
use sftpctl_core::template::TemplateError;

use crate::host_keys::HostKeyError;
use crate::package::PackageError;
use crate::resources::resource::ResourceError;
use crate::state::error::StateError;

/// Why a run could not begin or continue. Failed steps are not among these: they are in the summary.
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
    /// AWS did not report the owner of the credentials.
    #[error(transparent)]
    Connect(AwsError),
    /// A proxy or a certificate in the environment variables cannot be used.
    #[error(transparent)]
    Network(NetworkError),
    /// The role that the environment file names could not be assumed.
    #[error(
        "{} may not assume the role {}", .caller.as_ref().map_or("the caller", |caller| &caller.arn), .error.object
    )]
    RoleNotAssumed {
        /// The owner of the credentials; `None` if AWS did not report it.
        caller: Option<Caller>,
        #[source]
        error: Box<AwsError>,
    },
    /// The credentials belong to another AWS account.
    #[error(
        "environment {environment} belongs to account {account}, but the credentials belong to account {} ({})",
        .caller.account, .caller.arn
    )]
    WrongAccount {
        environment: String,
        /// The account in its file.
        account: String,
        caller: Caller,
    },
    /// A run was limited to a region that the environment does not have.
    #[error("environment {environment} has no region {region}")]
    UnknownRegion { environment: String, region: String, known: Vec<String> },
    /// `--only` or `--skip` names a resource that the environment does not have.
    #[error("nothing in environment {environment} is named {pattern}")]
    UnknownName {
        environment: String,
        pattern: String,
        /// What there is, one line each.
        known: Vec<String>,
    },
    /// A step of the selection needs one that is left out.
    #[error("{0}")]
    Severed(Severed),
    /// A stop was requested before a step was in flight.
    #[error("{command} was interrupted")]
    Interrupted { command: String },
    /// A change was attempted without the lock.
    #[error("nothing is changed without the lock")]
    NoLock,
    /// A resource could not be read, and may be in use.
    #[error("{id} could not be read: {error}")]
    Unreadable { id: NodeId, error: AwsError },
    /// Orphans could not be searched for, and resources that were not found may be in use.
    #[error("{resource} could not be searched: {why}")]
    NotSearched {
        /// The kind and the region of the search.
        resource: String,
        why: String,
    },
    /// The state cannot be rebuilt while a resource cannot be read.
    #[error("{id} could not be read: {error}")]
    NotRebuilt { id: NodeId, error: AwsError },
    /// The outcome of an earlier run's creation is unknown.
    #[error("an earlier run may have created resources that cannot be checked right now")]
    Undecided {
        /// One line for each resource.
        resources: Vec<String>,
    },
    /// A deployment must not begin.
    #[error("environment {environment} cannot be deployed as it is")]
    NotDeployable {
        environment: String,
        /// Every reason, one sentence each.
        findings: Vec<String>,
        /// Resources that could be adopted.
        adoptable: Vec<String>,
    },
    /// A teardown must not begin.
    #[error("environment {environment} cannot be taken down as it is")]
    NotRemovable {
        environment: String,
        /// Every reason, one sentence each.
        refusals: Vec<String>,
    },
    /// A resource could not be checked before its removal.
    #[error(transparent)]
    Removal(AwsError),
    /// The environment has no resource of this name.
    #[error("environment {environment} has no resource {id}")]
    NoSuchResource { environment: String, id: NodeId },
    /// The adoption of a server was requested without its ID.
    #[error("the server ID for {id} is missing")]
    ServerIdMissing { environment: String, id: NodeId },
    /// A resource cannot be adopted.
    #[error("{0}")]
    NotAdoptable(String),
    /// A resource cannot be adopted as it is, or could not be checked.
    #[error(transparent)]
    Unadoptable(ResourceError),
    /// A call of an adoption failed or was refused.
    #[error(transparent)]
    Adoption(ResourceError),
}

/// The hint for every interruption.
const RERUN: &str = "rerun the same command to resume";

/// AssumeRole does not say which of the conditions is not met.
fn role_hint(caller: Option<&Caller>, error: &AwsError) -> String {
    if !error.is_access_denied() {
        return error.hint().unwrap_or_else(|| "check `assume_role` in the environment file".to_owned());
    }
    let caller = caller.map_or("the caller", |caller| &caller.arn);
    format!(
        "check that the role exists, that its trust policy admits {caller} (with the `external_id` of the environment \
         file, if it asks for one), and that the caller's own policies allow `sts:AssumeRole` on it"
    )
}

fn severed_hint(severed: &Severed) -> String {
    if !severed.skip.is_empty() {
        let steps: BTreeSet<&NodeId> = severed.pairs.iter().map(|(step, _)| step).collect();
        let also: String = steps.into_iter().map(|step| format!(" --skip {step}")).collect();
        return format!("nothing was changed; do not skip it, or skip what needs it, too ({})", also.trim_start());
    }
    let add: String = severed.missing().into_iter().map(|need| format!(" --only {need}")).collect();
    format!("nothing was changed; select that, too ({}), or leave out what needs it", add.trim_start())
}

impl RunError {
    /// An instruction for the user.
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
            Self::Network(error) => Some(error.hint()),
            Self::RoleNotAssumed { caller, error } => Some(role_hint(caller.as_ref(), error)),
            Self::Unreadable { error, .. } => Some(error.hint().unwrap_or_default()),
            Self::WrongAccount { .. } => {
                Some("nothing was changed; choose other credentials with --profile".to_owned())
            }
            Self::UnknownRegion { known, .. } => Some(format!("its regions are {}", known.join(", "))),
            Self::UnknownName { .. } => Some(
                "nothing was changed; name a region, a kind, a resource, or the words of a step; * stands for any \
                 characters"
                    .to_owned(),
            ),
            Self::Severed(severed) => Some(severed_hint(severed)),
            Self::Interrupted { .. } => Some(RERUN.to_owned()),
            Self::NotRebuilt { .. } => {
                Some("the state was not changed; rerun when the resource can be read".to_owned())
            }
            Self::Undecided { .. } => Some("nothing was changed; rerun the same command when AWS responds".to_owned()),
            Self::NotDeployable { environment, adoptable, .. } => match adoptable.is_empty() {
                true => nothing(),
                false => Some(format!(
                    "nothing was changed; to adopt resources that exist without the environment's tag, run: \
                     sftpctl import --env {environment} {}",
                    adoptable.join(" ")
                )),
            },
            Self::NoSuchResource { .. } => Some("`sftpctl status` lists every resource by its name".to_owned()),
            Self::ServerIdMissing { environment, id } => {
                Some(format!("pass it: sftpctl import --env {environment} {id}=s-0123456789abcdef0"))
            }
            Self::Unadoptable(error) => error.hint().or_else(nothing),
            Self::Adoption(error) => error.hint(),
        }
    }

    /// Causes that are not in the chain of [`std::error::Error::source`], one line each.
    pub fn causes(&self) -> Vec<String> {
        match self {
            Self::Undecided { resources } => resources.clone(),
            Self::NotDeployable { findings, .. } => findings.clone(),
            Self::NotRemovable { refusals, .. } => refusals.clone(),
            Self::UnknownName { known, .. } => known.clone(),
            Self::Severed(severed) => severed.pairs.iter().map(|(step, need)| format!("{step} needs {need}")).collect(),
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use sftpctl_core::kind::Kind;

    use super::*;

    #[test]
    fn what_is_skipped_is_not_selected_again() {
        let (stack, role) = (NodeId::new("us-west-2", Kind::Stack), NodeId::new("global", Kind::UserRole));
        let hint = |skip: &[&str]| {
            let skip = skip.iter().map(ToString::to_string).collect();
            severed_hint(&Severed { pairs: vec![(stack.clone(), role.clone())], skip })
        };
        assert!(hint(&[]).contains("(--only global/user-role)"), "{}", hint(&[]));
        // `--skip` goes before `--only`: with both the plan would be empty.
        assert!(hint(&["user-role"]).contains("(--skip us-west-2/stack)"), "{}", hint(&["user-role"]));
        assert!(!hint(&["user-role"]).contains("--only"), "{}", hint(&["user-role"]));
    }
}

//! Role sessions of the local cloud: assumed with a look at the trust policy, remembered by their access key.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use crate::aws::{Aws, SessionCredentials};
use crate::local::iam::{Caller, Decision, Policy, Request, evaluate};

/// A session that somebody holds keys of.
#[derive(Clone)]
pub(crate) struct Session {
    /// ARN of the role.
    pub(crate) role_arn: String,
    /// Name of the session.
    pub(crate) name: String,
    /// Its secret key.
    pub(crate) secret: String,
    /// Its token.
    pub(crate) token: String,
}

/// The sessions whose keys may sign requests to an API.
#[derive(Default)]
pub(crate) struct Sessions(Mutex<HashMap<String, Session>>);

impl Sessions {
    /// Remembers a session.
    pub(crate) fn add(&self, access_key: &str, session: Session) {
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A session of AWS lasts an hour; a few thousand are more than an hour of log-ins on one machine.
        if sessions.len() >= 4096 {
            sessions.clear();
        }
        sessions.insert(access_key.to_owned(), session);
    }

    /// The session of an access key.
    pub(crate) fn get(&self, access_key: &str) -> Option<Session> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(access_key).cloned()
    }
}

/// Why a service cannot assume a role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotAssumed {
    /// No such role.
    #[error("the role {0} does not exist")]
    NoRole(String),
    /// Its trust policy does not admit the service for this server.
    #[error("{service} is not authorized to assume {role}: {reason}")]
    NotTrusted {
        /// `transfer.amazonaws.com`.
        service: &'static str,
        /// The role.
        role: String,
        /// Which statement, or that there is none.
        reason: String,
    },
    /// MiniStack refused, or a policy cannot be understood.
    #[error("{0}")]
    Failed(String),
}

/// Transfer Family.
pub(crate) const TRANSFER: &str = "transfer.amazonaws.com";

/// Assumes a role as Transfer Family does for a server: its trust policy must name the service, and what it says of
/// `aws:SourceAccount` and `aws:SourceArn` must hold for the server.
///
/// # Errors
/// See [`NotAssumed`].
pub(crate) async fn assume_for_server(
    aws: &Aws,
    account: &str,
    server_arn: &str,
    role_arn: &str,
    name: &str,
) -> Result<SessionCredentials, NotAssumed> {
    trusts(aws, account, server_arn, role_arn).await?;
    aws.assume_role(role_arn, name).await.map_err(|error| NotAssumed::Failed(error.to_string()))
}

/// Whether a role's trust policy admits Transfer Family for a server.
///
/// # Errors
/// See [`NotAssumed`].
pub(crate) async fn trusts(aws: &Aws, account: &str, server_arn: &str, role_arn: &str) -> Result<(), NotAssumed> {
    let not_there = || NotAssumed::NoRole(role_arn.to_owned());
    let role_name = role_arn.rsplit('/').next().unwrap_or(role_arn);
    let role = aws.iam().role(role_name).await.map_err(|error| NotAssumed::Failed(error.to_string()))?;
    let role = role.filter(|role| role.arn == role_arn).ok_or_else(not_there)?;
    let failed = |error: &dyn std::fmt::Display| NotAssumed::Failed(format!("the trust policy of {role_arn}: {error}"));
    let trust = Policy::parse(&role.trust).map_err(|error| failed(&error))?.named("the trust policy");
    let caller = Caller::service(TRANSFER).map_err(|error| failed(&error))?;
    let request = Request {
        caller: &caller,
        action: "sts:AssumeRole",
        resource: role_arn,
        resource_account: Some(account),
        context: BTreeMap::from([
            ("aws:SourceAccount".to_owned(), vec![account.to_owned()]),
            ("aws:SourceArn".to_owned(), vec![server_arn.to_owned()]),
        ]),
    };
    match evaluate(&request, &[], None, Some(&trust)).map_err(|error| failed(&error))? {
        Decision::Allow { .. } => Ok(()),
        Decision::ImplicitDeny { by } | Decision::ExplicitDeny { by } => {
            Err(NotAssumed::NotTrusted { service: TRANSFER, role: role_arn.to_owned(), reason: by })
        }
    }
}

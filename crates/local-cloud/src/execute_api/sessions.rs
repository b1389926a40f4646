//! Role sessions of the local cloud: assumed with a look at the trust policy, remembered by their access key.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use iam_model::{Caller, Decision, Policy, Request, evaluate};
use sftpctl_aws::{Aws, SessionCredentials};

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

/// How long keys are good for, where nobody asks for another time (API reference of STS, `DurationSeconds`).
const LIFE: Duration = Duration::from_secs(3600);
/// The most sessions that are remembered; the oldest go first.
const MOST: usize = 4096;

/// The sessions whose keys may sign requests to an API.
#[derive(Default)]
pub(crate) struct Sessions(Mutex<HashMap<String, (Instant, Session)>>);

/// Forgets a session when dropped.
pub(crate) struct Held<'a> {
    sessions: &'a Sessions,
    access_key: String,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.sessions.all().remove(&self.access_key);
    }
}

impl Sessions {
    fn all(&self) -> MutexGuard<'_, HashMap<String, (Instant, Session)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers a session until its keys are no longer good.
    pub(crate) fn add(&self, access_key: &str, session: Session) {
        let mut sessions = self.all();
        if sessions.len() >= MOST {
            sessions.retain(|_, (since, _)| since.elapsed() < LIFE);
        }
        if sessions.len() >= MOST {
            let oldest = sessions.iter().min_by_key(|(_, (since, _))| *since).map(|(key, _)| key.clone());
            oldest.map(|key| sessions.remove(&key));
        }
        sessions.insert(access_key.to_owned(), (Instant::now(), session));
    }

    /// Remembers a session as long as somebody holds what this returns.
    pub(crate) fn hold(&self, access_key: &str, session: Session) -> Held<'_> {
        self.add(access_key, session);
        Held { sessions: self, access_key: access_key.to_owned() }
    }

    /// The session of an access key.
    pub(crate) fn get(&self, access_key: &str) -> Option<Session> {
        let sessions = self.all();
        let (since, session) = sessions.get(access_key)?;
        (since.elapsed() < LIFE).then(|| session.clone())
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

#[cfg(test)]
mod tests {
    use super::*;

    fn session(name: &str) -> Session {
        Session { role_arn: "r".into(), name: name.into(), secret: "fake-secret".into(), token: "fake".into() }
    }

    #[test]
    fn a_session_in_use_outlives_thousands_that_come_after_it() {
        let sessions = Sessions::default();
        for number in 0..MOST {
            sessions.add(&format!("old-{number}"), session("old"));
        }
        let held = sessions.hold("mine", session("mine"));
        for number in 0..100 {
            sessions.add(&format!("new-{number}"), session("new"));
        }
        assert_eq!(sessions.all().len(), MOST);
        assert_eq!(sessions.get("mine").map(|session| session.name), Some("mine".to_owned()));
        assert!(sessions.get("new-99").is_some() && sessions.get("old-0").is_none());
        drop(held);
        assert!(sessions.get("mine").is_none());
    }
}

//! Role sessions of the local cloud: assumed if the trust policy allows it, and stored by access key.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use iam_model::{Caller, Decision, Policy, Request, evaluate};
use sftpctl_aws::{Aws, SessionCredentials};

/// A role session whose keys have been issued.
#[derive(Clone)]
pub(crate) struct Session {
    pub(crate) role_arn: String,
    pub(crate) name: String,
    pub(crate) secret: String,
    pub(crate) token: String,
    /// The session policy.
    pub(crate) policy: Option<String>,
    /// Policies of the session alone, of a role that does not exist.
    pub(crate) granted: Option<Arc<[Policy]>>,
}

impl Session {
    /// The account of the role.
    pub(crate) fn account(&self) -> &str {
        self.role_arn.split(':').nth(4).unwrap_or_default()
    }

    /// `arn:aws:sts::111111111111:assumed-role/ROLE/SESSION`.
    pub(crate) fn arn(&self) -> String {
        let account = self.account();
        let role = self.role_arn.rsplit('/').next().unwrap_or_default();
        format!("arn:aws:sts::{account}:assumed-role/{role}/{}", self.name)
    }
}

/// The result of a search by access key.
pub(crate) enum Found {
    Valid(Session),
    /// Its time is over.
    Expired,
    Unknown,
}

/// Default lifetime of keys (STS API reference, `DurationSeconds`).
const LIFE: Duration = Duration::from_secs(3600);
/// Maximum number of sessions kept; the oldest are dropped first.
const MAX_SESSIONS: usize = 4096;

/// A session, and when it began and ends.
struct Issued {
    since: Instant,
    until: Instant,
    session: Session,
}

/// The sessions whose keys may sign requests.
#[derive(Default)]
pub(crate) struct Sessions(Mutex<HashMap<String, Issued>>);

/// Removes a session when dropped.
pub(crate) struct SessionGuard<'a> {
    sessions: &'a Sessions,
    access_key: String,
}

impl Drop for SessionGuard<'_> {
    fn drop(&mut self) {
        self.sessions.all().remove(&self.access_key);
    }
}

impl Sessions {
    fn all(&self) -> MutexGuard<'_, HashMap<String, Issued>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stores a session, whose keys expire after `life`; without one, after STS's default.
    pub(crate) fn add(&self, access_key: &str, session: Session, life: Option<Duration>) {
        let mut sessions = self.all();
        let since = Instant::now();
        if sessions.len() >= MAX_SESSIONS {
            sessions.retain(|_, issued| issued.until > since);
        }
        if sessions.len() >= MAX_SESSIONS {
            let oldest = sessions.iter().min_by_key(|(_, issued)| issued.since).map(|(key, _)| key.clone());
            oldest.map(|key| sessions.remove(&key));
        }
        let until = since + life.unwrap_or(LIFE);
        sessions.insert(access_key.to_owned(), Issued { since, until, session });
    }

    /// Stores a session until the returned guard is dropped.
    pub(crate) fn hold(&self, access_key: &str, session: Session) -> SessionGuard<'_> {
        self.add(access_key, session, None);
        SessionGuard { sessions: self, access_key: access_key.to_owned() }
    }

    /// The session of an access key.
    pub(crate) fn get(&self, access_key: &str) -> Option<Session> {
        match self.find(access_key) {
            Found::Valid(session) => Some(session),
            Found::Expired | Found::Unknown => None,
        }
    }

    /// As [`Self::get`]; tells expired keys from unknown ones.
    pub(crate) fn find(&self, access_key: &str) -> Found {
        match self.all().get(access_key) {
            Some(issued) if issued.until > Instant::now() => Found::Valid(issued.session.clone()),
            Some(_) => Found::Expired,
            None => Found::Unknown,
        }
    }
}

/// Why a service cannot assume a role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotAssumed {
    #[error("the role {0} does not exist")]
    NoRole(String),
    /// The role's trust policy does not admit the service for this server.
    #[error("{service} is not authorized to assume {role}: {reason}")]
    NotTrusted {
        /// `transfer.amazonaws.com`.
        service: &'static str,
        role: String,
        /// The statement that denies it, or that no statement allows it.
        reason: String,
    },
    /// MiniStack refused, or a policy cannot be parsed.
    #[error("{0}")]
    Failed(String),
}

/// The service principal of Transfer Family.
pub(crate) const TRANSFER: &str = "transfer.amazonaws.com";

/// Assumes a role as Transfer Family does for a server: its trust policy must name the service, and its conditions on
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
    let missing = || NotAssumed::NoRole(role_arn.to_owned());
    let role_name = role_arn.rsplit('/').next().unwrap_or(role_arn);
    let role = aws.iam().role(role_name).await.map_err(|error| NotAssumed::Failed(error.to_string()))?;
    let role = role.filter(|role| role.arn == role_arn).ok_or_else(missing)?;
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
        let (secret, token) = ("fake-secret".into(), "fake".into());
        Session { role_arn: "r".into(), name: name.into(), secret, token, policy: None, granted: None }
    }

    #[test]
    fn held_session_survives_later_ones() {
        let sessions = Sessions::default();
        for number in 0..MAX_SESSIONS {
            sessions.add(&format!("old-{number}"), session("old"), None);
        }
        let guard = sessions.hold("mine", session("mine"));
        for number in 0..100 {
            sessions.add(&format!("new-{number}"), session("new"), None);
        }
        assert_eq!(sessions.all().len(), MAX_SESSIONS);
        assert_eq!(sessions.get("mine").map(|session| session.name), Some("mine".to_owned()));
        assert!(sessions.get("new-99").is_some() && sessions.get("old-0").is_none());
        drop(guard);
        assert!(sessions.get("mine").is_none());
    }
}

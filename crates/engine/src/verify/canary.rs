//! An account that is created to check a log-in, and removed again.
//!
//! It has a key that no customer has (a number below zero), a name and password of its own each time, and a home that
//! is never written to. A deployment holds the lock, so that one that an earlier deployment left behind is nobody's:
//! the next one takes it over, and removes it. One that a killed `verify` left behind is taken over ten minutes later.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::attempt::Attempt;
use super::login::{LoginCheck, check};
use crate::clock;
use crate::wait;
use sftp_authorizer::Account;
use sftp_authorizer::home::Home;
use sftpctl_accounts::Accounts;
use sftpctl_accounts::password::{self, GENERATED_LENGTH, HashError};
use sftpctl_aws::{Aws, AwsError};
use sftpctl_core::spec::model::Environment;
use sftpctl_core::spec::names;

/// Verifications that can run at once.
const SLOTS: i64 = 8;
/// The slot of deployments, of which there is one at a time.
const OF_DEPLOYMENTS: i64 = SLOTS + 1;
/// Later than any time of creation.
const END_OF_TIME: &str = "9999";
/// A canary of this age was left behind.
const STALE: Duration = Duration::from_secs(600);
/// How long an account may take to be everywhere; replication takes a second as a rule. And how long what was just made
/// may take to be known everywhere.
const SPREAD: Duration = Duration::from_secs(60);

/// Who sends a canary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sender {
    /// A deployment, which holds the lock. Where it has just made something, a canary is asked again for a while before
    /// a refusal counts.
    Deployment {
        /// Whether it has.
        fresh: bool,
        /// Ids of the servers by region, as far as it knows them: no listing need show what was made just now.
        servers: BTreeMap<String, String>,
    },
    /// A check without the lock, perhaps at the same time as others.
    Anybody,
}

/// Verification could not be done.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// AWS.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// Too many at once.
    #[error("{SLOTS} verifications of this environment are already running")]
    Busy,
    /// Nowhere to send a canary.
    #[error("the environment has no cluster")]
    NoCluster,
    /// The hasher failed.
    #[error(transparent)]
    Hash(#[from] HashError),
}

/// Logs a canary in at every server of these regions.
///
/// # Errors
/// See [`VerifyError`]. A canary that is refused is an answer.
pub async fn verify(
    aws: &Arc<Aws>,
    environment: &Environment,
    regions: &[String],
    sender: &Sender,
) -> Result<Vec<LoginCheck>, VerifyError> {
    let secret = password::random_text(GENERATED_LENGTH);
    let accounts = Accounts::new(Arc::clone(aws), environment);
    let canary = release(&accounts, environment, &secret, sender).await?;
    let mut checks = Vec::new();
    let attempt = Attempt { username: &canary.username, password: &secret, source_ip: "127.0.0.1" };
    for region in regions {
        checks.push(patiently(aws, environment, region, attempt, sender).await);
    }
    accounts.remove_canary(&canary).await?;
    Ok(checks)
}

/// Asks until the account has come to the region: the index and the replicas follow the table. A role or a function
/// that was just made is not known everywhere for some seconds: the invocation role cannot be assumed or may not invoke
/// (403, 500).
async fn patiently(
    aws: &Arc<Aws>,
    environment: &Environment,
    region: &str,
    attempt: Attempt<'_>,
    sender: &Sender,
) -> LoginCheck {
    let (fresh, known) = match sender {
        Sender::Deployment { fresh, servers } => (*fresh, servers.get(region).map(String::as_str)),
        Sender::Anybody => (false, None),
    };
    let start = Instant::now();
    loop {
        let check = check(aws, environment, region, known, attempt).await;
        let early = match check.status {
            Some(404) => true,
            Some(403 | 500) => fresh,
            // There is a server, and the question itself failed.
            None => fresh && check.server_id.is_some(),
            Some(_) => false,
        };
        if !early || start.elapsed() >= SPREAD {
            return check;
        }
        wait::for_poll(start.elapsed()).await;
    }
}

async fn release(
    accounts: &Accounts,
    environment: &Environment,
    secret: &str,
    sender: &Sender,
) -> Result<Account, VerifyError> {
    let cluster = environment.clusters.keys().next().ok_or(VerifyError::NoCluster)?;
    let now = jiff::Timestamp::now();
    let then = now - jiff::SignedDuration::try_from(STALE).unwrap_or_default();
    let stored = password::hash_random(secret)?;
    let (slots, stale) = match sender {
        Sender::Deployment { .. } => (OF_DEPLOYMENTS..=OF_DEPLOYMENTS, END_OF_TIME.to_owned()),
        Sender::Anybody => (1..=SLOTS, clock::rfc3339(then)),
    };
    for slot in slots {
        let canary = Account {
            org_id: -slot,
            username: format!("sftpctl-canary-{}", password::random_text(12).to_lowercase()),
            password: Some(stored.clone()),
            home: Home { bucket: names::upload_bucket(environment, cluster), folder: "sftpctl-canary".to_owned() },
            disabled: false,
            allowed: Vec::new(),
            public_keys: Vec::new(),
            created: Some(clock::rfc3339(now)),
            updated: None,
        };
        if accounts.put_canary(&canary, &stale).await? {
            return Ok(canary);
        }
    }
    Err(VerifyError::Busy)
}

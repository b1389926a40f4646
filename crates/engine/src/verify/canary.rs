//! Canaries: accounts that are created to check a log-in, and removed afterwards.
//!
//! Its key is a number below zero, which no customer has. It gets a new name and password each time, and nothing is
//! written to its home. A deployment holds the lock, so that a canary of an earlier deployment is no longer in use: the
//! next deployment replaces it, and removes it in the end. A canary that a killed `verify` left behind is replaced once
//! it is ten minutes old.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::attempt::Attempt;
use super::login::{LoginCheck, check};
use crate::clock;
use crate::wait;
use sftp_authorizer::Account;
use sftp_authorizer::account::{CANARY, CANARY_FOLDER};
use sftp_authorizer::home::Home;
use sftpctl_accounts::Accounts;
use sftpctl_accounts::password::{self, GENERATED_LENGTH, HashError};
use sftpctl_aws::{Aws, AwsError};
use sftpctl_core::spec::model::Environment;
use sftpctl_core::spec::names;

/// The number of `verify` commands that can run at once.
const SLOTS: i64 = 8;
/// The slot of deployments, of which only one runs at a time.
const DEPLOYMENT_SLOT: i64 = SLOTS + 1;
/// Later than any time of creation.
const END_OF_TIME: &str = "9999";
/// A canary of this age was left behind by a killed run.
const STALE: Duration = Duration::from_secs(600);
/// The time limit for an account to reach every replica (usually a second), and for a resource that was just created to
/// be known throughout AWS.
const PROPAGATION: Duration = Duration::from_secs(60);

/// The command that sends a canary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sender {
    /// A deployment, which holds the lock.
    Deployment {
        /// The deployment has just created resources: a refused log-in is retried for a while before it counts.
        fresh: bool,
        /// IDs of the servers by region, as far as the deployment knows them: a listing need not show a new server yet.
        servers: BTreeMap<String, String>,
    },
    /// `sftpctl verify`, which runs without the lock, and maybe several times at once.
    Verify,
}

/// The reason that no canary could be sent.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// Every slot has a canary that is in use.
    #[error("{SLOTS} verifications of this environment are already running")]
    Busy,
    /// The canary has no upload bucket for its home.
    #[error("the environment has no cluster")]
    NoCluster,
    #[error(transparent)]
    Hash(#[from] HashError),
}

/// Logs a canary in at the server of each of these regions.
///
/// # Errors
/// See [`VerifyError`]. A refused log-in is not an error, but a [`LoginCheck`].
pub async fn verify(
    aws: &Arc<Aws>,
    environment: &Environment,
    regions: &[String],
    sender: &Sender,
) -> Result<Vec<LoginCheck>, VerifyError> {
    let secret = password::random_text(GENERATED_LENGTH);
    let accounts = Accounts::new(Arc::clone(aws), environment);
    let canary = create_canary(&accounts, environment, &secret, sender).await?;
    let mut checks = Vec::new();
    let attempt = Attempt { username: &canary.username, password: &secret, source_ip: "127.0.0.1" };
    for region in regions {
        checks.push(check_with_retries(aws, environment, region, attempt, sender).await);
    }
    accounts.remove_canary(&canary).await?;
    Ok(checks)
}

/// Tries the log-in until the account has reached the region: the index and the replicas lag behind the table. A role
/// or a function that was just created is not known throughout AWS for some seconds: the invocation role cannot be
/// assumed or may not invoke, which is an error of the identity provider (any status but 200).
async fn check_with_retries(
    aws: &Arc<Aws>,
    environment: &Environment,
    region: &str,
    attempt: Attempt<'_>,
    sender: &Sender,
) -> LoginCheck {
    let (fresh, known) = match sender {
        Sender::Deployment { fresh, servers } => (*fresh, servers.get(region).map(String::as_str)),
        Sender::Verify => (false, None),
    };
    let start = Instant::now();
    loop {
        let check = check(aws, environment, region, known, attempt).await;
        let may_change = match check.status {
            _ if check.replicating => true,
            Some(200) => false,
            Some(_) => fresh,
            // There is a server, and `TestIdentityProvider` failed.
            None => fresh && check.server_id.is_some(),
        };
        if !may_change || start.elapsed() >= PROPAGATION {
            return check;
        }
        wait::for_poll(start.elapsed()).await;
    }
}

async fn create_canary(
    accounts: &Accounts,
    environment: &Environment,
    secret: &str,
    sender: &Sender,
) -> Result<Account, VerifyError> {
    let cluster = environment.clusters.keys().next().ok_or(VerifyError::NoCluster)?;
    let now = jiff::Timestamp::now();
    let stale_since = now - jiff::SignedDuration::try_from(STALE).unwrap_or_default();
    let stored = password::hash_random(secret)?;
    let (slots, stale) = match sender {
        Sender::Deployment { .. } => (DEPLOYMENT_SLOT..=DEPLOYMENT_SLOT, END_OF_TIME.to_owned()),
        Sender::Verify => (1..=SLOTS, clock::rfc3339(stale_since)),
    };
    for slot in slots {
        let canary = Account {
            org_id: -slot,
            username: format!("{CANARY}{}", password::random_text(12).to_lowercase()),
            password: Some(stored.clone()),
            home: Home { bucket: names::upload_bucket(environment, cluster), folder: CANARY_FOLDER.to_owned() },
            disabled: false,
            expires: None,
            allowed: Vec::new(),
            regions: Vec::new(),
            public_keys: Vec::new(),
            note: None,
            created: Some(clock::rfc3339(now)),
            updated: None,
        };
        if accounts.put_canary(&canary, &stale).await? {
            return Ok(canary);
        }
    }
    Err(VerifyError::Busy)
}

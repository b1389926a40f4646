//! Keys for `sftpctl` itself, with the permissions of the policies that it prints and no others, as a deployer has them
//! on AWS. The account's own keys, with which any other SDK signs here, may do everything.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use iam_model::Policy;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Front;
use super::manners;
use crate::execute_api::Session;
use crate::secret::Secret;

/// The role whose session the keys seem to be. It does not exist, so that it is in no list of roles.
const ROLE: &str = "sftpctl-on-the-local-cloud";

/// What is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Request {
    /// Twelve digits.
    account: String,
    /// What the policies are for.
    purpose: String,
    /// IAM's policy documents; `None` for everything.
    policies: Option<Vec<Value>>,
}

/// The answer.
#[derive(Debug, Serialize)]
pub(super) struct Granted {
    keys: Keys,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Keys {
    access_key: String,
    secret_key: String,
    token: String,
}

/// The policies of each account and purpose, and those before. When the environment file changes, the next deployment
/// also has the earlier ones: they are to be replaced after it, because it deletes by the old names
/// (docs/permissions.md).
#[derive(Debug, Default)]
pub(super) struct Grants(Mutex<HashMap<(String, String), Attached>>);

#[derive(Debug, Default)]
struct Attached {
    now: Vec<Value>,
    before: Vec<Value>,
}

impl Grants {
    /// Replaces the policies. Returns everything that the purpose has.
    fn attach(&self, request: &Request, policies: &[Value]) -> Vec<Value> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let attached = all.entry((request.account.clone(), request.purpose.clone())).or_default();
        if attached.now != policies {
            attached.before = std::mem::replace(&mut attached.now, policies.to_vec());
        }
        attached.now.iter().chain(&attached.before).cloned().collect()
    }
}

/// Issues keys that last as long as those of STS. The account's own, if no policies are given or the manner is off.
///
/// # Errors
/// A policy cannot be read, or the account ID does not have 12 digits.
pub(super) fn issue(front: &Front, request: &Request) -> Result<Granted, String> {
    let account = &request.account;
    if account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!("`{account}` is not an account ID: it has 12 digits"));
    }
    let given = request.policies.as_ref().filter(|_| front.manners.has(manners::PERMISSIONS));
    let Some(given) = given else {
        let secret_key = front.cloud.secret.as_str().to_owned();
        return Ok(Granted { keys: Keys { access_key: account.clone(), secret_key, token: String::new() } });
    };
    let policies = front.grants.attach(request, given);
    let parsed = policies.iter().map(|document| Policy::parse(&document.to_string()));
    let granted: Vec<Policy> = parsed.collect::<Result<_, _>>().map_err(|error| error.to_string())?;
    let random = || Secret::random().as_str().to_owned();
    let keys = Keys {
        access_key: format!("ASIA{}", random()[..16].to_ascii_uppercase()),
        secret_key: random(),
        token: random(),
    };
    let session = Session {
        role_arn: format!("arn:aws:iam::{account}:role/{ROLE}"),
        name: "sftpctl".to_owned(),
        secret: keys.secret_key.clone(),
        token: keys.token.clone(),
        policy: None,
        granted: Some(Arc::from(granted)),
    };
    front.cloud.sessions.add(&keys.access_key, session, None);
    Ok(Granted { keys })
}

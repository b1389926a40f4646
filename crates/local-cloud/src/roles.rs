//! A cache of the policies of roles.
//!
//! A log-in needs the policies of three roles. Changes made through the front invalidate the cache; other changes count
//! after two seconds. IAM itself takes longer than that to propagate a change.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use iam_model::Policy;
use sftpctl_aws::Aws;

/// Maximum age of cached policies.
const FRESH: Duration = Duration::from_secs(2);

#[derive(Default)]
pub(crate) struct Roles {
    changes: AtomicU64,
    read: Mutex<HashMap<(String, String), Read>>,
}

struct Read {
    at: Instant,
    /// The number of changes when reading began.
    changes: u64,
    policies: Option<RolePolicies>,
}

/// Everything that a role's own policies say.
#[derive(Clone)]
pub(crate) struct RolePolicies {
    /// Inline and attached.
    pub(crate) identity: Arc<[Policy]>,
    /// The permissions boundary.
    pub(crate) boundary: Option<Arc<Policy>>,
}

impl Roles {
    /// Invalidates the cache, because a role may have changed.
    pub(crate) fn changed(&self) {
        self.changes.fetch_add(1, Ordering::SeqCst);
    }

    /// Every policy of a role, inline and attached; `None` if the role does not exist.
    ///
    /// # Errors
    /// IAM does not answer, or a policy cannot be parsed.
    pub(crate) async fn policies(&self, aws: &Aws, account: &str, role: &str) -> Result<Option<Arc<[Policy]>>, String> {
        self.of(aws, account, role).await.map(|policies| policies.map(|policies| policies.identity))
    }

    /// As [`Self::policies`], with the permissions boundary.
    ///
    /// # Errors
    /// IAM does not answer, or a policy cannot be parsed.
    pub(crate) async fn of(&self, aws: &Aws, account: &str, role: &str) -> Result<Option<RolePolicies>, String> {
        let key = (account.to_owned(), role.to_owned());
        // Locked during the read, so that only one of many concurrent callers reads.
        let mut read = self.read.lock().await;
        let changes = self.changes.load(Ordering::SeqCst);
        if let Some(known) = read.get(&key)
            && known.changes == changes
            && known.at.elapsed() < FRESH
        {
            return Ok(known.policies.clone());
        }
        let at = Instant::now();
        let policies = read_policies(aws, role).await?;
        read.insert(key, Read { at, changes, policies: policies.clone() });
        Ok(policies)
    }
}

async fn read_policies(aws: &Aws, role: &str) -> Result<Option<RolePolicies>, String> {
    let unread = |error: &dyn std::fmt::Display| format!("a policy of {role}: {error}");
    let iam = aws.iam();
    let Some(facts) = iam.role(role).await.map_err(|error| error.to_string())? else { return Ok(None) };
    let documents = iam.role_policies(role).await.map_err(|error| error.to_string())?;
    let Some(documents) = documents else { return Ok(None) };
    let identity = documents.iter().map(|text| Policy::parse(text)).collect::<Result<_, _>>();
    let boundary = match facts.boundary {
        None => None,
        Some(arn) => {
            let policy = iam.policy(&arn).await.map_err(|error| error.to_string())?;
            // On AWS a boundary that has been deleted allows nothing.
            let (document, _) = policy.ok_or_else(|| unread(&format!("the boundary {arn} does not exist")))?;
            Some(Arc::new(Policy::parse(&document).map_err(|error| unread(&error))?))
        }
    };
    Ok(Some(RolePolicies { identity: identity.map_err(|error| unread(&error))?, boundary }))
}

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
    policies: Option<Arc<[Policy]>>,
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
        let documents = aws.iam().role_policies(role).await.map_err(|error| error.to_string())?;
        let parsed = documents.map(|documents| documents.iter().map(|text| Policy::parse(text)).collect());
        let policies = parsed.transpose().map_err(|error| format!("a policy of {role}: {error}"))?;
        read.insert(key, Read { at, changes, policies: policies.clone() });
        Ok(policies)
    }
}

//! Raising the writes that the table takes at once, before an import. DynamoDB charges for it, and never lowers it again.

use std::time::Duration;

use sftpctl_aws::{AwsError, Warm};

use crate::bulk::watch::{Progress, Watch};
use crate::store::Accounts;

/// Pauses between two looks at the table, in seconds.
const FIRST_PAUSE: u64 = 1;
const LONGEST_PAUSE: u64 = 15;
/// Looks at a table that stays as it is after it was to be raised: with the pauses, about ten minutes. An increase by a
/// single unit took DynamoDB more than six.
const LOOKS: u32 = 40;

/// How the wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The table and its indexes take as many writes at once.
    Warm,
    /// DynamoDB has accepted the request, and shows no effect of it.
    Unchanged,
    /// The user asked to stop; DynamoDB goes on if it has begun.
    Interrupted,
}

/// Write units a second that the table and all of its indexes take at once.
///
/// # Errors
/// The table cannot be described.
pub async fn warm(accounts: &Accounts) -> Result<u64, AwsError> {
    let warm = accounts.home().warm(accounts.table()).await?;
    Ok(warm.iter().map(|warm| warm.writes).min().unwrap_or_default())
}

/// Has the table and its indexes take so many write units a second at once, and waits until they do. What is being raised
/// already is waited for first, so that nothing is asked for twice.
///
/// # Errors
/// DynamoDB refuses.
pub async fn pre_warm(accounts: &Accounts, writes: u64, watch: &dyn Watch) -> Result<Ended, AwsError> {
    let (mut pause, mut is_asked, mut looks) = (FIRST_PAUSE, false, 0);
    loop {
        let now = accounts.home().warm(accounts.table()).await?;
        let low: Vec<&Warm> = now.iter().filter(|warm| warm.writes < writes).collect();
        if low.is_empty() {
            return Ok(Ended::Warm);
        }
        if watch.is_stopping() {
            return Ok(Ended::Interrupted);
        }
        watch.progress(Progress::Warming { writes });
        let is_rising = now.iter().any(|warm| warm.is_rising);
        if !is_rising && !is_asked {
            let of: Vec<Option<String>> = low.iter().map(|warm| warm.index.clone()).collect();
            accounts.home().raise_warm(accounts.table(), &of, writes).await?;
            is_asked = true;
            continue;
        }
        looks = if is_rising { 0 } else { looks + 1 };
        if looks > LOOKS {
            return Ok(Ended::Unchanged);
        }
        for _ in 0..pause {
            if watch.is_stopping() {
                return Ok(Ended::Interrupted);
            }
            #[expect(clippy::disallowed_methods, reason = "the pause between two looks at the table")]
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

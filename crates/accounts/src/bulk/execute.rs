//! Carries out statements until each has ended.

use std::time::Duration;

use sftpctl_aws::{Outcome, Statement};

use crate::store::Accounts;

/// Attempts of a batch: with the pauses between them about two minutes.
const ATTEMPTS: u32 = 14;

/// What became of a write in the end.
pub(crate) enum End {
    Done,
    /// The condition did not hold: another writer came first, or an earlier attempt of this one.
    Taken,
    Failed(String),
}

/// Carries out statements on different items until each has ended, and counts what was throttled.
pub(crate) async fn execute(accounts: &Accounts, statements: Vec<Statement>, throttled: &mut u64) -> Vec<End> {
    let mut ends: Vec<Option<End>> = statements.iter().map(|_| None).collect();
    let mut open: Vec<usize> = (0..statements.len()).collect();
    for attempt in 0..ATTEMPTS {
        if open.is_empty() {
            break;
        }
        if attempt > 0 {
            pause(attempt).await;
        }
        let batch: Vec<Statement> = open.iter().filter_map(|index| statements.get(*index).cloned()).collect();
        let outcomes = match accounts.home().execute_batch(accounts.table(), &batch).await {
            Ok(outcomes) => outcomes,
            Err(error) if error.is_transient() => batch.iter().map(|_| Outcome::Again(error.to_string())).collect(),
            Err(error) => batch.iter().map(|_| Outcome::Refused(error.to_string())).collect(),
        };
        let mut again = Vec::new();
        for (index, outcome) in open.into_iter().zip(outcomes) {
            let end = match outcome {
                Outcome::Done => End::Done,
                Outcome::Exists | Outcome::Changed => End::Taken,
                Outcome::Again(_) if attempt + 1 < ATTEMPTS => {
                    *throttled += 1;
                    again.push(index);
                    continue;
                }
                Outcome::Again(why) | Outcome::Refused(why) => End::Failed(why),
            };
            if let Some(place) = ends.get_mut(index) {
                *place = Some(end);
            }
        }
        open = again;
    }
    ends.into_iter().map(|end| end.unwrap_or_else(|| End::Failed("it was not carried out".to_owned()))).collect()
}

/// Waits before an attempt: from 25 to 50 ms, doubled each time, at most 15 s.
async fn pause(attempt: u32) {
    let most = (50_u64 << attempt.min(10)).min(15_000);
    #[expect(clippy::disallowed_methods, reason = "the pause between attempts of a throttled batch")]
    tokio::time::sleep(Duration::from_millis(fastrand::u64(most / 2..=most))).await;
}

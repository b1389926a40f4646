//! Carries out statements until each has ended.

use std::time::Duration;

use sftpctl_aws::{Outcome, Statement};

use crate::store::Accounts;

/// Attempts of a batch: with the pauses between them about two minutes.
pub(crate) const ATTEMPTS: u32 = 14;

/// What became of a write in the end.
pub(crate) enum End {
    Done,
    /// The condition did not hold: another writer came first, or an earlier attempt of this one.
    Taken,
    Failed(String),
}

/// How many writes were sent again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Resent {
    /// Because of throttling.
    pub(crate) throttled: u64,
    /// Because the answer was lost, AWS had a fault, or another writer was at the same item.
    pub(crate) repeated: u64,
}

impl Resent {
    pub(crate) fn add(&mut self, more: Self) {
        self.throttled += more.throttled;
        self.repeated += more.repeated;
    }

    /// All of them.
    pub(crate) fn all(self) -> u64 {
        self.throttled + self.repeated
    }
}

/// Carries out statements on different items until each has ended, and counts what was sent again.
pub(crate) async fn execute(accounts: &Accounts, statements: Vec<Statement>, resent: &mut Resent) -> Vec<End> {
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
            Err(error) if error.is_throttle() => batch.iter().map(|_| Outcome::Throttled(error.to_string())).collect(),
            Err(error) if error.is_transient() => batch.iter().map(|_| Outcome::Again(error.to_string())).collect(),
            Err(error) => batch.iter().map(|_| Outcome::Refused(error.to_string())).collect(),
        };
        let mut again = Vec::new();
        for (index, outcome) in open.into_iter().zip(outcomes) {
            let end = match outcome {
                Outcome::Done => End::Done,
                Outcome::Exists | Outcome::Changed => End::Taken,
                Outcome::Throttled(_) if attempt + 1 < ATTEMPTS => {
                    resent.throttled += 1;
                    again.push(index);
                    continue;
                }
                Outcome::Again(_) if attempt + 1 < ATTEMPTS => {
                    resent.repeated += 1;
                    again.push(index);
                    continue;
                }
                Outcome::Throttled(why) | Outcome::Again(why) | Outcome::Refused(why) => End::Failed(why),
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
pub(crate) async fn pause(attempt: u32) {
    let most = (50_u64 << attempt.min(10)).min(15_000);
    #[expect(clippy::disallowed_methods, reason = "the pause between attempts of a throttled batch")]
    tokio::time::sleep(Duration::from_millis(fastrand::u64(most / 2..=most))).await;
}

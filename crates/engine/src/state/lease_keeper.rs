//! Keeps a run's lease: renews it from the moment the lock was taken until it is released.

use std::sync::{Arc, OnceLock};

use tokio::task::JoinHandle;

use super::error::StateError;
use super::lease::{Held, Machine};
use super::lease_guard::LeaseGuard;
use super::writer::JournalWriter;
use crate::wait;

/// Retry delay after a failed renewal, as a fraction of the lease.
const RETRY_DELAY: u32 = 16;

/// Renews a lease in the background, and writes the lines that wait in the run's journal.
pub(super) struct Heartbeat {
    guard: Arc<LeaseGuard>,
    journal: Arc<OnceLock<Arc<JournalWriter>>>,
    task: JoinHandle<()>,
}

impl Heartbeat {
    /// Starts renewing at once.
    pub(super) fn new(held: Held, machine: Arc<dyn Machine>) -> Self {
        let (every, retry_delay) = (held.renew_every(), held.length() / RETRY_DELAY);
        let guard = Arc::new(LeaseGuard::new(held, machine));
        let journal: Arc<OnceLock<Arc<JournalWriter>>> = Arc::default();
        let (mine, lines) = (Arc::clone(&guard), Arc::clone(&journal));
        let task = tokio::spawn(async move {
            let renewals = async {
                let mut pause = every;
                while mine.lost().is_ok() {
                    wait::for_renewal(pause).await;
                    pause = match mine.renew().await {
                        Ok(()) | Err(StateError::Fenced { .. }) => every,
                        // It may be temporary; if it is not, the next mutation fails.
                        Err(error) => {
                            tracing::warn!(%error, "the lock was not renewed");
                            retry_delay
                        }
                    };
                }
            };
            // Apart from the renewals, so that a journal that hangs does not cost the lock.
            let outcomes = async {
                loop {
                    wait::for_renewal(every).await;
                    if let Some(journal) = lines.get()
                        && let Err(error) = journal.flush().await
                    {
                        tracing::debug!(%error, "the journal was not written");
                    }
                }
            };
            tokio::join!(renewals, outcomes);
        });
        Self { guard, journal, task }
    }

    /// The lease that is kept.
    pub(super) fn guard(&self) -> &Arc<LeaseGuard> {
        &self.guard
    }

    /// From now on writes the lines of this journal, too.
    pub(super) fn attach(&self, journal: Arc<JournalWriter>) {
        // One run has one journal.
        let _ = self.journal.set(journal);
    }

    /// Stops renewing and releases the lock.
    ///
    /// # Errors
    /// The lock cannot be written; it expires by itself then.
    pub(super) async fn release(mut self) -> Result<(), StateError> {
        self.task.abort();
        // Its last renewal must not follow the release.
        let _ = (&mut self.task).await;
        self.guard.release().await
    }
}

impl Drop for Heartbeat {
    /// Stops as a killed run does: the lock expires by itself.
    fn drop(&mut self) {
        self.task.abort();
    }
}

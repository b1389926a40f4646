//! Renews a run's lease from the moment the lock is taken until it is released.

use std::sync::{Arc, OnceLock};

use tokio::task::JoinHandle;

use super::error::StateError;
use super::lease::{HeldLease, Machine};
use super::lease_guard::LeaseGuard;
use super::writer::JournalWriter;
use crate::wait;

/// Retry delay after a failed renewal, as a fraction of the lease.
const RETRY_DELAY: u32 = 16;

/// Renews a lease in the background, and writes the waiting lines of the run's journal.
pub(super) struct Heartbeat {
    guard: Arc<LeaseGuard>,
    journal: Arc<OnceLock<Arc<JournalWriter>>>,
    task: JoinHandle<()>,
}

impl Heartbeat {
    /// Starts the background task.
    pub(super) fn new(held: HeldLease, machine: Arc<dyn Machine>) -> Self {
        let (every, retry_delay) = (held.renew_every(), held.length() / RETRY_DELAY);
        let guard = Arc::new(LeaseGuard::new(held, machine));
        let journal: Arc<OnceLock<Arc<JournalWriter>>> = Arc::default();
        let (renewed, written) = (Arc::clone(&guard), Arc::clone(&journal));
        let task = tokio::spawn(async move {
            let renewals = async {
                let mut pause = every;
                while renewed.check().is_ok() {
                    wait::for_renewal(pause).await;
                    pause = match renewed.renew().await {
                        Ok(()) | Err(StateError::Fenced { .. }) => every,
                        // The error may be temporary. If it is not, the next mutation fails.
                        Err(error) => {
                            tracing::warn!(%error, "the lock was not renewed");
                            retry_delay
                        }
                    };
                }
            };
            // Separate from the renewals, so that the lock is not lost if writing the journal hangs.
            let outcomes = async {
                loop {
                    wait::for_renewal(every).await;
                    if let Some(journal) = written.get()
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

    pub(super) fn guard(&self) -> &Arc<LeaseGuard> {
        &self.guard
    }

    /// Also writes the lines of this journal from now on.
    pub(super) fn attach(&self, journal: Arc<JournalWriter>) {
        // One run has one journal.
        let _ = self.journal.set(journal);
    }

    /// Stops renewing and releases the lock.
    ///
    /// # Errors
    /// The lock cannot be written; it then expires by itself.
    pub(super) async fn release(mut self) -> Result<(), StateError> {
        self.task.abort();
        // Awaited, so that its last renewal does not follow the release.
        let _ = (&mut self.task).await;
        self.guard.release().await
    }
}

impl Drop for Heartbeat {
    /// Stops renewing without releasing the lock, like a killed run: the lock expires by itself.
    fn drop(&mut self) {
        self.task.abort();
    }
}

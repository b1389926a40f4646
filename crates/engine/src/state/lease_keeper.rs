//! A run's hold on its lock: renewed from the moment the lock was taken until it is given back, and known to be over by
//! a clock that runs on while the machine sleeps.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;

use super::error::StateError;
use super::lease::{Held, Machine};
use super::writer::JournalWriter;
use crate::wait;

/// No attempt to renew takes longer than this part of the lease: one that hangs must leave time for others.
const ATTEMPT: u32 = 3;
/// After one that failed the next comes soon.
const SOON: u32 = 16;
/// So often a run that needs its lock now tries to renew it, before it gives up.
const TRIES: usize = 8;

/// The hold.
pub(super) struct LeaseGuard {
    machine: Arc<dyn Machine>,
    held: tokio::sync::Mutex<Held>,
    /// Whoever asks for certainty.
    asks: tokio::sync::Mutex<()>,
    length: Duration,
    renewals: AtomicU64,
    lost: OnceLock<String>,
    /// When the lease is over, by [`Machine::uptime`].
    over: Mutex<Duration>,
}

impl LeaseGuard {
    fn new(held: Held, machine: Arc<dyn Machine>) -> Self {
        let (length, over) = (held.length(), Mutex::new(held.over()));
        let renewals = AtomicU64::new(0);
        let asks = tokio::sync::Mutex::default();
        Self { machine, held: tokio::sync::Mutex::new(held), asks, length, renewals, lost: OnceLock::new(), over }
    }

    /// How often it was renewed, or tried to be: beside the run, which does not wait for it.
    pub(super) fn renewals(&self) -> u64 {
        self.renewals.load(Ordering::Relaxed)
    }

    /// Whether this run may change nothing any more: it lost its lock, or was paused for so long that it may have.
    pub(super) fn is_over(&self) -> bool {
        self.lost.get().is_some() || self.machine.uptime() >= *self.over.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nothing may be written any more. The first reason stays.
    pub(super) fn lose(&self, why: &str) -> StateError {
        StateError::Fenced { taken: self.lost.get_or_init(|| why.to_owned()).clone() }
    }

    /// That it was lost, if so.
    pub(super) fn lost(&self) -> Result<(), StateError> {
        self.lost.get().map_or(Ok(()), |taken| Err(StateError::Fenced { taken: taken.clone() }))
    }

    /// Renews the lease once.
    ///
    /// # Errors
    /// [`StateError::Fenced`] where another run has taken it; otherwise it may pass.
    async fn renew(&self) -> Result<(), StateError> {
        self.lost()?;
        let mut held = self.held.lock().await;
        self.renewals.fetch_add(1, Ordering::Relaxed);
        let limit = self.length / ATTEMPT;
        match tokio::time::timeout(limit, held.renew()).await {
            Ok(Ok(())) => *self.over.lock().unwrap_or_else(PoisonError::into_inner) = held.over(),
            Ok(Err(StateError::Fenced { taken })) => return Err(self.lose(&taken)),
            Ok(Err(error)) => return Err(error),
            Err(_) => return Err(StateError::Slow { address: held.address(), limit }),
        }
        Ok(())
    }

    /// Asks the place itself whether the lock is still held, by renewing it.
    ///
    /// # Errors
    /// As for a renewal, after a few.
    pub(super) async fn confirm(&self) -> Result<(), StateError> {
        let mut tries = 1;
        loop {
            match self.renew().await {
                Err(StateError::Slow { .. }) if tries < TRIES => tries += 1,
                other => return other,
            }
        }
    }

    /// Makes sure of it where the lease may be over: a run that was paused goes on where nobody has followed it. Of many
    /// steps that ask at once, one renews it for all.
    ///
    /// # Errors
    /// As for [`LeaseGuard::confirm`].
    pub(super) async fn sure(&self) -> Result<(), StateError> {
        let _one = self.asks.lock().await;
        self.lost()?;
        if self.is_over() { self.confirm().await } else { Ok(()) }
    }
}

/// Renews a lease, and writes what a journal has to say meanwhile.
pub(super) struct Heartbeat {
    grip: Arc<LeaseGuard>,
    journal: Arc<OnceLock<Arc<JournalWriter>>>,
    task: JoinHandle<()>,
}

impl Heartbeat {
    /// Begins at once.
    pub(super) fn new(held: Held, machine: Arc<dyn Machine>) -> Self {
        let (every, soon) = (held.renew_every(), held.length() / SOON);
        let grip = Arc::new(LeaseGuard::new(held, machine));
        let journal: Arc<OnceLock<Arc<JournalWriter>>> = Arc::default();
        let (mine, lines) = (Arc::clone(&grip), Arc::clone(&journal));
        let task = tokio::spawn(async move {
            let renewals = async {
                let mut pause = every;
                while mine.lost().is_ok() {
                    wait::for_renewal(pause).await;
                    pause = match mine.renew().await {
                        Ok(()) | Err(StateError::Fenced { .. }) => every,
                        // It may pass; if it doesn't, whatever wants to change something is told so.
                        Err(error) => {
                            tracing::warn!(%error, "the lock was not renewed");
                            soon
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
        Self { grip, journal, task }
    }

    /// The hold that it keeps.
    pub(super) fn grip(&self) -> &Arc<LeaseGuard> {
        &self.grip
    }

    /// Writes this journal's lines, too.
    pub(super) fn tell(&self, journal: Arc<JournalWriter>) {
        // One run has one journal.
        let _ = self.journal.set(journal);
    }

    /// Ends and gives the lock back.
    ///
    /// # Errors
    /// It cannot be written; the lock ends by itself then.
    pub(super) async fn release(mut self) -> Result<(), StateError> {
        self.task.abort();
        // Its last renewal must not come after what follows.
        let _ = (&mut self.task).await;
        self.grip.held.lock().await.release().await
    }
}

impl Drop for Heartbeat {
    /// Stops as a killed run does.
    fn drop(&mut self) {
        self.task.abort();
    }
}

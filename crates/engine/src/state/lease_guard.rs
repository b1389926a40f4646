//! The lease that a run holds: whether it still does, by a clock that runs on while the machine sleeps.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use super::error::StateError;
use super::lease::{Held, Machine};

/// The time limit of one renewal, as a fraction of the lease: one that hangs must leave time for others.
const TIME_LIMIT: u32 = 3;
/// Renewal attempts of a run that needs its lock now, before it gives up.
const ATTEMPTS: usize = 8;

/// The lease that a run holds, or has lost.
pub(super) struct LeaseGuard {
    machine: Arc<dyn Machine>,
    held: tokio::sync::Mutex<Held>,
    /// Held by the one caller that renews for all who ask at once.
    confirming: tokio::sync::Mutex<()>,
    length: Duration,
    renewals: AtomicU64,
    lost: OnceLock<String>,
    /// When the lease expires, by [`Machine::uptime`].
    over: Mutex<Duration>,
}

impl LeaseGuard {
    pub(super) fn new(held: Held, machine: Arc<dyn Machine>) -> Self {
        let (length, over) = (held.length(), Mutex::new(held.over()));
        let renewals = AtomicU64::new(0);
        let confirming = tokio::sync::Mutex::default();
        Self { machine, held: tokio::sync::Mutex::new(held), confirming, length, renewals, lost: OnceLock::new(), over }
    }

    /// The number of attempts to renew, which happen in the background.
    pub(super) fn renewals(&self) -> u64 {
        self.renewals.load(Ordering::Relaxed)
    }

    /// Whether this run must not change anything any more: it lost its lock, or was paused for so long that it may
    /// have.
    pub(super) fn is_over(&self) -> bool {
        self.lost.get().is_some() || self.machine.uptime() >= *self.over.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Marks the lease as lost: nothing may be written any more. The first reason is kept.
    pub(super) fn lose(&self, why: &str) -> StateError {
        StateError::Fenced { taken: self.lost.get_or_init(|| why.to_owned()).clone() }
    }

    /// Fails if the lease was lost.
    pub(super) fn lost(&self) -> Result<(), StateError> {
        self.lost.get().map_or(Ok(()), |taken| Err(StateError::Fenced { taken: taken.clone() }))
    }

    /// Renews the lease once.
    ///
    /// # Errors
    /// [`StateError::Fenced`] if another run has taken it; any other error may be temporary.
    pub(super) async fn renew(&self) -> Result<(), StateError> {
        self.lost()?;
        let mut held = self.held.lock().await;
        self.renewals.fetch_add(1, Ordering::Relaxed);
        let limit = self.length / TIME_LIMIT;
        match tokio::time::timeout(limit, held.renew()).await {
            Ok(Ok(())) => *self.over.lock().unwrap_or_else(PoisonError::into_inner) = held.over(),
            Ok(Err(StateError::Fenced { taken })) => return Err(self.lose(&taken)),
            Ok(Err(error)) => return Err(error),
            Err(_) => return Err(StateError::Slow { address: held.address(), limit }),
        }
        Ok(())
    }

    /// Makes sure that the lock is still held, by renewing it.
    ///
    /// # Errors
    /// Those of a renewal, after several attempts where it takes too long.
    pub(super) async fn confirm(&self) -> Result<(), StateError> {
        let mut attempt = 1;
        loop {
            match self.renew().await {
                Err(StateError::Slow { .. }) if attempt < ATTEMPTS => attempt += 1,
                other => return other,
            }
        }
    }

    /// Makes sure that the lock is still held if the lease may have expired: a run that was paused continues if no
    /// other run has taken the lock. Of many steps that ask at once, one renews the lease for all.
    ///
    /// # Errors
    /// As for [`LeaseGuard::confirm`].
    pub(super) async fn sure(&self) -> Result<(), StateError> {
        let _one = self.confirming.lock().await;
        self.lost()?;
        if self.is_over() { self.confirm().await } else { Ok(()) }
    }

    /// Releases the lock.
    ///
    /// # Errors
    /// The lock cannot be written; it expires by itself then.
    pub(super) async fn release(&self) -> Result<(), StateError> {
        self.held.lock().await.release().await
    }
}

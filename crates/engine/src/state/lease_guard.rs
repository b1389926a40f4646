//! Whether a run still holds its lease, by a clock that continues while the machine sleeps.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use super::error::StateError;
use super::lease::{HeldLease, Machine};

/// The time limit of one renewal, as a fraction of the lease: a renewal that hangs must leave time for retries.
const TIME_LIMIT: u32 = 3;
/// The number of attempts to renew before a run that needs its lock gives up.
const ATTEMPTS: usize = 8;

/// The lease that a run holds, or has lost.
pub(super) struct LeaseGuard {
    machine: Arc<dyn Machine>,
    held: tokio::sync::Mutex<HeldLease>,
    /// Locked by the caller that renews on behalf of all concurrent callers.
    confirming: tokio::sync::Mutex<()>,
    length: Duration,
    renewals: AtomicU64,
    lost: OnceLock<String>,
    /// The time at which the lease expires, by [`Machine::uptime`].
    expires_at: Mutex<Duration>,
}

impl LeaseGuard {
    pub(super) fn new(held: HeldLease, machine: Arc<dyn Machine>) -> Self {
        let (length, expires_at) = (held.length(), Mutex::new(held.expires_at()));
        let renewals = AtomicU64::new(0);
        let confirming = tokio::sync::Mutex::default();
        Self {
            machine,
            held: tokio::sync::Mutex::new(held),
            confirming,
            length,
            renewals,
            lost: OnceLock::new(),
            expires_at,
        }
    }

    /// The number of attempts to renew so far.
    pub(super) fn renewals(&self) -> u64 {
        self.renewals.load(Ordering::Relaxed)
    }

    /// Whether this run must not change anything any more: it lost its lock, or was paused for so long that it may have
    /// lost it.
    pub(super) fn may_be_lost(&self) -> bool {
        self.lost.get().is_some()
            || self.machine.uptime() >= *self.expires_at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Marks the lease as lost, so that this run stops writing. The first reason is kept.
    pub(super) fn lose(&self, why: &str) -> StateError {
        StateError::Fenced { taken: self.lost.get_or_init(|| why.to_owned()).clone() }
    }

    /// Fails if the lease was lost.
    pub(super) fn check(&self) -> Result<(), StateError> {
        self.lost.get().map_or(Ok(()), |taken| Err(StateError::Fenced { taken: taken.clone() }))
    }

    /// Renews the lease once.
    ///
    /// # Errors
    /// [`StateError::Fenced`] if another run has taken it; any other error may be temporary.
    pub(super) async fn renew(&self) -> Result<(), StateError> {
        self.check()?;
        let mut held = self.held.lock().await;
        self.renewals.fetch_add(1, Ordering::Relaxed);
        let limit = self.length / TIME_LIMIT;
        match tokio::time::timeout(limit, held.renew()).await {
            Ok(Ok(())) => *self.expires_at.lock().unwrap_or_else(PoisonError::into_inner) = held.expires_at(),
            Ok(Err(StateError::Fenced { taken })) => return Err(self.lose(&taken)),
            Ok(Err(error)) => return Err(error),
            Err(_) => return Err(StateError::Slow { address: held.address(), limit }),
        }
        Ok(())
    }

    /// Confirms that the lock is still held, by renewing it.
    ///
    /// # Errors
    /// As for [`LeaseGuard::renew`]. A renewal that takes too long is retried several times.
    pub(super) async fn confirm(&self) -> Result<(), StateError> {
        let mut attempt = 1;
        loop {
            match self.renew().await {
                Err(StateError::Slow { .. }) if attempt < ATTEMPTS => attempt += 1,
                other => return other,
            }
        }
    }

    /// Confirms that the lock is still held if the lease may have expired: a run that was paused continues if no other
    /// run has taken the lock. Of many concurrent callers, one renews the lease for all.
    ///
    /// # Errors
    /// As for [`LeaseGuard::confirm`].
    pub(super) async fn ensure_held(&self) -> Result<(), StateError> {
        let _confirming = self.confirming.lock().await;
        self.check()?;
        if self.may_be_lost() { self.confirm().await } else { Ok(()) }
    }

    /// Releases the lock.
    ///
    /// # Errors
    /// The lock cannot be written; it then expires by itself.
    pub(super) async fn release(&self) -> Result<(), StateError> {
        self.held.lock().await.release().await
    }
}

//! The lock on an environment: a document that its holder renews. Another run may take the lock if the document has not
//! changed for a whole lease.
//!
//! Clocks of two machines are never compared: a waiting run measures the lease with its own clock. Taking the lock
//! replaces exactly the version of the document that was read, so that a holder that has renewed it since keeps the
//! lock. A holder that was paused and continues finds its documents replaced ([`StateError::Fenced`]) and stops
//! writing.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::blob::{Blobs, Expect, Version};
use super::conditions;
use super::document;
use super::error::StateError;
use super::exclusive_doc::ExclusiveDoc;

/// The newest version of the document that this program reads.
const VERSION: u32 = 1;
/// Renewals within the length of a lease.
const RENEWALS: u32 = 4;

/// The run that holds a lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Holder {
    pub run: String,
    /// `deploy`, `teardown`, …
    pub command: String,
    pub user: String,
    pub host: String,
    /// The machine's boot ID and the namespace of its process IDs, so that two containers of one name differ.
    pub machine: String,
    pub process: i32,
    /// When that process started, in the machine's clock ticks: process IDs are reused.
    pub process_started: u64,
    /// When the run took the lease, RFC 3339.
    pub since: String,
}

impl Holder {
    /// Describes the holder for users who find the lock taken.
    pub fn describe(&self) -> String {
        format!("{} by {} on {}, process {}, since {}", self.command, self.user, self.host, self.process, self.since)
    }
}

/// Seconds of the longest lease; the environment file's `lease_seconds` takes no more.
const LONGEST: u64 = 900;

/// The content of the lock's document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Lease {
    /// The version that was read. A lease is written in the lowest version that has all of its members.
    pub version: u32,
    /// The number of writes, so that no two documents are the same.
    pub serial: u64,
    pub holder: Holder,
    /// Seconds from a renewal until it expires.
    pub seconds: u64,
    /// When it was last renewed, RFC 3339: for people, never compared.
    pub renewed: String,
    /// Released by its holder, or broken, so that the lock is free.
    pub released: bool,
}

impl Lease {
    pub(super) fn parse(address: &str, content: &[u8]) -> Result<Self, StateError> {
        let damaged = |reason| StateError::DamagedLock { address: address.to_owned(), reason };
        let lease: Self = document::parse(address, content, VERSION).map_err(|error| match error {
            StateError::Damaged { reason, .. } => damaged(reason),
            other => other,
        })?;
        // What no sftpctl writes would make others wait for years.
        if lease.seconds > LONGEST {
            return Err(damaged(format!("{} seconds are longer than a lease may be ({LONGEST})", lease.seconds)));
        }
        Ok(lease)
    }

    /// The lowest version that has all members of this lease.
    fn format(&self) -> u32 {
        // Without `..`: a new member does not compile until it is given a version here.
        let Self { version: _, serial: _, holder, seconds: _, renewed: _, released: _ } = self;
        let Holder { run: _, command: _, user: _, host: _, machine: _, process: _, process_started: _, since: _ } =
            holder;
        1
    }

    pub(super) fn write(&self) -> Vec<u8> {
        document::pretty(&Self { version: self.format(), ..self.clone() })
    }
}

/// The facts about the machine that taking a lease needs; injected, so that tests can fake them.
pub trait Machine: Send + Sync {
    /// The current time, RFC 3339.
    fn now(&self) -> String;
    /// The time since a fixed moment, by a clock that continues while the machine sleeps.
    fn uptime(&self) -> Duration;
    /// This process as the holder of a lease.
    fn holder(&self, run: &str, command: &str) -> Holder;
    /// Whether the holder's process certainly ran on this machine and has ended; `false` if in doubt.
    fn has_ended(&self, holder: &Holder) -> bool;
}

/// The terms on which a run takes a lease.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// How long the lease lasts without renewal.
    pub length: Duration,
    /// How long to wait for a holder that is alive.
    pub patience: Duration,
}

/// The lock of one environment in one place.
#[derive(Clone)]
pub struct Lock {
    blobs: Arc<dyn Blobs>,
    name: String,
    machine: Arc<dyn Machine>,
}

/// A lease that this run holds.
pub struct HeldLease {
    lock: Lock,
    lease: Lease,
    document: ExclusiveDoc,
    /// The time just before the last write was sent, by [`Machine::uptime`]: no other run can have seen the document
    /// unchanged for longer.
    sent: Duration,
}

impl Lock {
    /// The lock of `environment`.
    pub fn new(blobs: Arc<dyn Blobs>, environment: &str, machine: Arc<dyn Machine>) -> Self {
        Self { blobs, name: format!("{environment}.lock"), machine }
    }

    /// Reads the lease and its version; `None` if the lock was never taken.
    ///
    /// # Errors
    /// The lock cannot be read, is damaged, or was written by a newer sftpctl.
    pub async fn read(&self) -> Result<Option<(Lease, Version)>, StateError> {
        let Some(blob) = self.blobs.get(&self.name).await? else { return Ok(None) };
        Ok(Some((Lease::parse(&self.blobs.address(&self.name), &blob.content)?, blob.version)))
    }

    /// Takes the lock: at once if it is free, or if no other machine can use it and its holder's process has ended;
    /// otherwise when it was unchanged for a whole lease. If it waits, `on_wait` is called once, with a message that
    /// names the holder.
    ///
    /// # Errors
    /// [`StateError::Locked`] if the holder is still alive after `terms.patience`.
    pub async fn take(
        &self,
        (run, command): (&str, &str),
        terms: Terms,
        on_wait: &(dyn Fn(&str) + Sync),
    ) -> Result<HeldLease, StateError> {
        let holder = self.machine.holder(run, command);
        let start = Instant::now();
        let mut last_seen: Option<(Version, Instant)> = None;
        let mut reported = false;
        loop {
            let found = self.read().await?;
            let sent = self.machine.uptime();
            let lease = Lease {
                version: 1,
                serial: found.as_ref().map_or(1, |(lease, _)| document::next(lease.serial)),
                holder: holder.clone(),
                seconds: terms.length.as_secs().max(1),
                renewed: self.machine.now(),
                released: false,
            };
            let Some((current, version)) = found else {
                match self.write(&lease, Expect::Absent).await {
                    Ok(version) => return Ok(self.hold(lease, version, sent)),
                    Err(StateError::Conflict { .. }) => continue,
                    Err(error) => return Err(error),
                }
            };
            let unchanged =
                last_seen.as_ref().filter(|(before, _)| *before == version).map(|(_, since)| since.elapsed());
            let expired = unchanged.is_some_and(|time| time >= Duration::from_secs(current.seconds));
            // Clones of a virtual machine share their name, boot ID and process IDs. If they may share the documents,
            // only an expired lease shows that the holder has ended.
            let ended = || !self.blobs.is_shared() && self.machine.has_ended(&current.holder);
            if current.released || expired || ended() {
                match self.write(&lease, Expect::Is(&version)).await {
                    Ok(version) => return Ok(self.hold(lease, version, sent)),
                    // Another run was faster, or the holder is alive after all.
                    Err(StateError::Conflict { .. }) => continue,
                    Err(error) => return Err(error),
                }
            }
            // Renewed since the last read: the holder is alive.
            let renewed = last_seen.as_ref().is_some_and(|(before, _)| *before != version);
            if renewed && start.elapsed() >= terms.patience {
                return Err(StateError::Locked { holder: current.holder.describe() });
            }
            if unchanged.is_none() {
                last_seen = Some((version, Instant::now()));
            }
            if !std::mem::replace(&mut reported, true) {
                // Without patience it only waits for the sign of life that tells a holder from a dead one.
                let doing = match terms.patience.is_zero() {
                    true => "finding out whether the lock is still held",
                    false => "waiting for the lock",
                };
                on_wait(&format!("{doing}: {}", current.holder.describe()));
            }
            crate::wait::for_lock(Duration::from_secs(current.seconds) / RENEWALS / 4).await;
        }
    }

    /// Releases the lock if this process has taken it. An attempt to take it may have been ended after its write.
    pub(super) async fn release_own(&self) {
        let me = self.machine.holder("", "");
        let is_mine = |holder: &Holder| {
            (holder.process, holder.process_started, &holder.machine) == (me.process, me.process_started, &me.machine)
        };
        if let Ok(Some((lease, _))) = self.read().await
            && !lease.released
            && is_mine(&lease.holder)
            && let Err(error) = self.break_open(&lease.holder).await
        {
            tracing::warn!(%error, "the lock was not released; it expires by itself");
        }
    }

    /// Revokes `holder`'s lease, even if the lease is renewed meanwhile. A holder that is still alive stops writing.
    ///
    /// # Errors
    /// [`StateError::Locked`] if another run has taken it since.
    pub async fn break_open(&self, holder: &Holder) -> Result<(), StateError> {
        while let Some((lease, version)) = self.read().await?.filter(|(lease, _)| !lease.released) {
            if lease.holder.run != holder.run {
                return Err(StateError::Locked { holder: lease.holder.describe() });
            }
            let released = Lease { serial: document::next(lease.serial), released: true, ..lease };
            match self.write(&released, Expect::Is(&version)).await {
                Ok(_) => break,
                Err(StateError::Conflict { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Replaces a lock that cannot be read with a released one.
    ///
    /// # Errors
    /// [`StateError::Conflict`] if another run has replaced it first.
    pub async fn break_damaged(&self) -> Result<(), StateError> {
        let Some(blob) = self.blobs.get(&self.name).await? else { return Ok(()) };
        let lease = Lease {
            version: 1,
            serial: 1,
            // A random run ID, so that no two documents are the same.
            holder: self.machine.holder(&format!("{:016x}", fastrand::u64(..)), "lock break"),
            seconds: 1,
            renewed: self.machine.now(),
            released: true,
        };
        self.write(&lease, Expect::Is(&blob.version)).await.map(drop)
    }

    /// Checks that the place keeps conditions, by writes of `probe` that it must refuse.
    ///
    /// # Errors
    /// As for [`conditions::prove`].
    pub(super) async fn prove_conditions(&self, probe: &[u8]) -> Result<(), StateError> {
        conditions::prove(&*self.blobs, &self.name, probe).await
    }

    fn hold(&self, lease: Lease, version: Version, sent: Duration) -> HeldLease {
        let document = ExclusiveDoc::new(Arc::clone(&self.blobs), self.name.clone(), Some(version));
        HeldLease { lock: self.clone(), lease, document, sent }
    }

    async fn write(&self, lease: &Lease, expect: Expect<'_>) -> Result<Version, StateError> {
        self.blobs.put(&self.name, &lease.write(), expect).await
    }

    /// Describes the new holder of a lock that this run has lost.
    async fn taken_by(&self) -> String {
        match self.read().await {
            Ok(Some((lease, _))) if lease.released => "it was broken".to_owned(),
            Ok(Some((lease, _))) => lease.holder.describe(),
            Ok(None) => "it was deleted".to_owned(),
            Err(error) => error.to_string(),
        }
    }
}

impl HeldLease {
    /// The time that the lease lasts after a renewal.
    pub(super) fn length(&self) -> Duration {
        Duration::from_secs(self.lease.seconds)
    }

    /// The time at which the lease expires, by [`Machine::uptime`].
    pub(super) fn expires_at(&self) -> Duration {
        self.sent + self.length()
    }

    /// The time between two renewals.
    pub(super) fn renew_every(&self) -> Duration {
        self.length() / RENEWALS
    }

    /// The address that messages show.
    pub(super) fn address(&self) -> String {
        self.document.address()
    }

    /// The document that a release would write now.
    pub(super) fn as_released(&self) -> Vec<u8> {
        Lease { serial: document::next(self.lease.serial), released: true, ..self.lease.clone() }.write()
    }

    /// Renews the lease. Safe to cancel at any moment, and to retry.
    ///
    /// # Errors
    /// [`StateError::Fenced`] if another run has taken it.
    pub(super) async fn renew(&mut self) -> Result<(), StateError> {
        self.replace(false).await
    }

    /// Releases the lease.
    ///
    /// # Errors
    /// The document cannot be written; the lease then expires by itself.
    pub(super) async fn release(&mut self) -> Result<(), StateError> {
        match self.replace(true).await {
            Err(StateError::Fenced { .. }) => Ok(()),
            other => other,
        }
    }

    async fn replace(&mut self, released: bool) -> Result<(), StateError> {
        // Counted for every attempt, not only for every success: a document equal to one that was sent before would not
        // renew the lease, since waiting runs may have read it already.
        self.lease.serial = document::next(self.lease.serial);
        self.lease.renewed = self.lock.machine.now();
        let sent = self.lock.machine.uptime();
        match self.document.put(&Lease { released, ..self.lease.clone() }.write()).await {
            Ok(()) => {
                self.sent = sent;
                Ok(())
            }
            Err(StateError::Conflict { .. }) => Err(StateError::Fenced { taken: self.lock.taken_by().await }),
            Err(error) => Err(error),
        }
    }
}

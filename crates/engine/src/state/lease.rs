//! The lock on an environment: a document that its holder renews, and that another run may take when it has seen it
//! unchanged for the whole lease.
//!
//! Clocks of two machines are never compared: a waiting run measures the lease with its own clock, and taking the lock
//! replaces exactly the document that was seen, so that a holder that has renewed it since keeps it. A holder that was
//! paused and continues finds its documents replaced ([`StateError::Fenced`]) and writes no more.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::blob::{Blobs, Expect, Version};
use super::document;
use super::error::StateError;
use super::exclusive_doc::ExclusiveDoc;

/// The newest version of the document that this program reads.
const VERSION: u32 = 1;
/// Renewals within the length of a lease.
const RENEWALS: u32 = 4;

/// Who holds a lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Holder {
    pub run: String,
    /// `deploy`, `teardown`, …
    pub command: String,
    pub user: String,
    pub host: String,
    /// The machine's last start and the namespace of its process IDs: two containers of one name differ.
    pub machine: String,
    pub process: i32,
    /// When that process started, in the machine's clock ticks: process IDs are reused.
    pub process_started: u64,
    /// When the run took the lease, RFC 3339.
    pub since: String,
}

impl Holder {
    /// In words, for a person who finds the lock taken.
    pub fn describe(&self) -> String {
        format!("{} by {} on {}, process {}, since {}", self.command, self.user, self.host, self.process, self.since)
    }
}

/// The document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Lease {
    /// The version as it was read; a lease is written in the lowest that has all of its members.
    pub version: u32,
    /// Counts the writes, so that no two documents are the same.
    pub serial: u64,
    /// The last holder.
    pub holder: Holder,
    /// Seconds from a renewal until it expires.
    pub seconds: u64,
    /// When it was last renewed, RFC 3339: for people, never compared.
    pub renewed: String,
    /// Released by its holder, or broken: free to take.
    pub released: bool,
}

impl Lease {
    pub(super) fn parse(address: &str, content: &[u8]) -> Result<Self, StateError> {
        document::parse(address, content, VERSION).map_err(|error| match error {
            StateError::Damaged { address, reason } => StateError::DamagedLock { address, reason },
            other => other,
        })
    }

    /// The lowest version that has all members of this lease.
    fn format(&self) -> u32 {
        // Without `..`: a new member does not compile until it is given a version here.
        let Self { version: _, serial: _, holder, seconds: _, renewed: _, released: _ } = self;
        let Holder { run: _, command: _, user: _, host: _, machine: _, process: _, process_started: _, since: _ } =
            holder;
        1
    }

    /// The document.
    pub(super) fn write(&self) -> Vec<u8> {
        document::pretty(&Self { version: self.format(), ..self.clone() })
    }
}

/// What taking a lease needs to know of the machine; injected, so that tests can fake it.
pub trait Machine: Send + Sync {
    /// Now, RFC 3339.
    fn now(&self) -> String;
    /// The time since some fixed moment, by a clock that runs on while the machine sleeps.
    fn uptime(&self) -> Duration;
    /// This process as the holder of a lease.
    fn holder(&self, run: &str, command: &str) -> Holder;
    /// Whether the holder's process certainly ran on this machine and has ended.
    fn has_ended(&self, holder: &Holder) -> bool;
}

/// How to take a lease.
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

/// A lease that is held.
pub struct Held {
    lock: Lock,
    lease: Lease,
    document: ExclusiveDoc,
    /// By [`Machine::uptime`], a moment before the last write was sent: no other run can have seen it unchanged for
    /// longer.
    sent: Duration,
}

impl Lock {
    /// The lock of `environment`.
    pub fn new(blobs: Arc<dyn Blobs>, environment: &str, machine: Arc<dyn Machine>) -> Self {
        Self { blobs, name: format!("{environment}.lock"), machine }
    }

    /// Reads the lease; `None` if the lock was never taken.
    ///
    /// # Errors
    /// The lock cannot be read, is damaged, or was written by a newer sftpctl.
    pub async fn look(&self) -> Result<Option<(Lease, Version)>, StateError> {
        let Some(blob) = self.blobs.get(&self.name).await? else { return Ok(None) };
        Ok(Some((Lease::parse(&self.blobs.address(&self.name), &blob.content)?, blob.version)))
    }

    /// Takes the lock: at once if it is free, or if it is on a disk of this machine alone and its holder's process has
    /// ended; otherwise when it was unchanged for a whole lease. `tell` is called at most once, with whom it waits for.
    ///
    /// # Errors
    /// [`StateError::Locked`] if its holder is alive after `terms.patience`.
    pub async fn take(
        &self,
        (run, command): (&str, &str),
        terms: Terms,
        tell: &(dyn Fn(&str) + Sync),
    ) -> Result<Held, StateError> {
        let holder = self.machine.holder(run, command);
        let start = Instant::now();
        let mut seen: Option<(Version, Instant)> = None;
        let mut told = false;
        loop {
            let found = self.look().await?;
            let sent = self.machine.uptime();
            let lease = Lease {
                version: 1,
                serial: found.as_ref().map_or(1, |(lease, _)| lease.serial + 1),
                holder: holder.clone(),
                seconds: terms.length.as_secs().max(1),
                renewed: self.machine.now(),
                released: false,
            };
            let Some((theirs, version)) = found else {
                match self.write(&lease, Expect::Absent).await {
                    Ok(version) => return Ok(self.held(lease, version, sent)),
                    Err(StateError::Conflict { .. }) => continue,
                    Err(error) => return Err(error),
                }
            };
            let unchanged = seen.as_ref().filter(|(before, _)| *before == version).map(|(_, since)| since.elapsed());
            let silent = unchanged.is_some_and(|time| time >= Duration::from_secs(theirs.seconds));
            // Clones of a virtual machine share their name, boot and process IDs. Where they may share the documents,
            // only a lease without renewal shows that a holder is dead.
            let dead = || !self.blobs.is_shared() && self.machine.has_ended(&theirs.holder);
            if theirs.released || silent || dead() {
                match self.write(&lease, Expect::Is(&version)).await {
                    Ok(version) => return Ok(self.held(lease, version, sent)),
                    // Another run was faster, or the holder is alive after all.
                    Err(StateError::Conflict { .. }) => continue,
                    Err(error) => return Err(error),
                }
            }
            // Renewed since the first read: its holder is alive.
            let renewed = seen.as_ref().is_some_and(|(before, _)| *before != version);
            if renewed && start.elapsed() >= terms.patience {
                return Err(StateError::Locked { holder: theirs.holder.describe() });
            }
            if unchanged.is_none() {
                seen = Some((version, Instant::now()));
            }
            if !std::mem::replace(&mut told, true) {
                tell(&format!("waiting for the lock: {}", theirs.holder.describe()));
            }
            crate::wait::for_lock(Duration::from_secs(theirs.seconds) / RENEWALS / 4).await;
        }
    }

    /// Revokes `holder`'s lease even if it is renewed meanwhile; the caller has confirmed the holder. The holder, if
    /// alive, writes no more.
    ///
    /// # Errors
    /// [`StateError::Locked`] if another run has taken it since.
    pub async fn break_open(&self, holder: &Holder) -> Result<(), StateError> {
        while let Some((lease, version)) = self.look().await?.filter(|(lease, _)| !lease.released) {
            if lease.holder.run != holder.run {
                return Err(StateError::Locked { holder: lease.holder.describe() });
            }
            let free = Lease { serial: lease.serial + 1, released: true, ..lease };
            match self.write(&free, Expect::Is(&version)).await {
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
            // A name of its own, so that no two documents are the same.
            holder: self.machine.holder(&format!("{:016x}", fastrand::u64(..)), "lock break"),
            seconds: 1,
            renewed: self.machine.now(),
            released: true,
        };
        self.write(&lease, Expect::Is(&blob.version)).await.map(drop)
    }

    fn held(&self, lease: Lease, version: Version, sent: Duration) -> Held {
        let document = ExclusiveDoc::new(Arc::clone(&self.blobs), self.name.clone(), Some(version));
        Held { lock: self.clone(), lease, document, sent }
    }

    async fn write(&self, lease: &Lease, expect: Expect<'_>) -> Result<Version, StateError> {
        self.blobs.put(&self.name, &lease.write(), expect).await
    }

    /// Who has the lock now, in words.
    async fn taken_by(&self) -> String {
        match self.look().await {
            Ok(Some((lease, _))) if lease.released => "it was broken".to_owned(),
            Ok(Some((lease, _))) => lease.holder.describe(),
            Ok(None) => "it was deleted".to_owned(),
            Err(error) => error.to_string(),
        }
    }
}

impl Held {
    /// How long it lasts after a renewal.
    pub(super) fn length(&self) -> Duration {
        Duration::from_secs(self.lease.seconds)
    }

    /// When it expires, by [`Machine::uptime`].
    pub(super) fn over(&self) -> Duration {
        self.sent + self.length()
    }

    /// How often to renew it.
    pub(super) fn renew_every(&self) -> Duration {
        self.length() / RENEWALS
    }

    /// The address that messages show.
    pub(super) fn address(&self) -> String {
        self.document.address()
    }

    /// Renews it. Safe to cancel at any moment, and to retry.
    ///
    /// # Errors
    /// [`StateError::Fenced`] if another run has taken it.
    pub(super) async fn renew(&mut self) -> Result<(), StateError> {
        self.replace(false).await
    }

    /// Releases it.
    ///
    /// # Errors
    /// It cannot be written; it expires by itself then.
    pub(super) async fn release(&mut self) -> Result<(), StateError> {
        match self.replace(true).await {
            Err(StateError::Fenced { .. }) => Ok(()),
            other => other,
        }
    }

    async fn replace(&mut self, released: bool) -> Result<(), StateError> {
        // Counted for every attempt, not for every success: a document equal to one that was sent before does not renew
        // anything, since waiting runs may have seen that one already.
        self.lease.serial += 1;
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

//! The lock on an environment: a document that its holder renews, and that anyone may take who has seen it unchanged for
//! its whole length.
//!
//! Nobody compares clocks of two machines: whoever waits measures the length with its own, and taking is a replacement
//! of exactly what was seen, so that a holder who renewed in between keeps it. A holder who was paused and comes back
//! finds its documents replaced ([`StateError::Fenced`]) and writes no more.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::blob::{Blobs, Expect, Version};
use super::error::StateError;
use super::exclusive_doc::Owned;

/// Version of the document.
const VERSION: u32 = 1;
/// A lease is renewed this often within its length.
const RENEWALS: u32 = 4;

/// Who holds a lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Holder {
    /// Identifier of the run.
    pub run: String,
    /// `deploy`, `teardown`, …
    pub command: String,
    /// The user's name.
    pub user: String,
    /// The machine's name.
    pub host: String,
    /// The machine since its last start, and the space its process ids are from: two containers of one name are two.
    pub machine: String,
    /// The process on it.
    pub process: i32,
    /// When that process began, in the machine's ticks; tells a recycled process id.
    pub process_started: u64,
    /// When the run took the lease, RFC 3339.
    pub since: String,
}

impl Holder {
    /// In words, for whoever finds the lock taken.
    pub fn describe(&self) -> String {
        format!("{} by {} on {}, process {}, since {}", self.command, self.user, self.host, self.process, self.since)
    }
}

/// The document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Lease {
    /// Version of this format.
    pub version: u32,
    /// Counts the writes, so that no two are alike.
    pub serial: u64,
    /// The last holder.
    pub holder: Holder,
    /// Seconds that it is good for after each renewal.
    pub seconds: u64,
    /// When it was renewed last, RFC 3339: for people, never compared.
    pub renewed: String,
    /// Inputs back, or broken: free to take.
    pub released: bool,
}

impl Lease {
    fn parse(address: &str, content: &[u8]) -> Result<Self, StateError> {
        super::document::parse(address, content, VERSION).map_err(|error| match error {
            StateError::Damaged { address, reason } => StateError::DamagedLock { address, reason },
            other => other,
        })
    }
}

/// What taking a lease needs to know of the machine; injected, so that tests say what they mean.
pub trait Machine: Send + Sync {
    /// Now, RFC 3339.
    fn now(&self) -> String;
    /// How long ago some fixed moment was, by a clock that runs on while the machine sleeps.
    fn uptime(&self) -> Duration;
    /// This process as the holder of a lease.
    fn holder(&self, run: &str, command: &str) -> Holder;
    /// Whether it is certain that the holder's process was one of this machine and has ended.
    fn has_ended(&self, holder: &Holder) -> bool;
}

/// How to take a lease.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// How long it is good for without renewal.
    pub length: Duration,
    /// How long to wait for a holder who is alive.
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
    document: Owned,
    /// By the machine's own clock, a moment before the last write was sent: nobody can have seen it unchanged for longer.
    sent: Duration,
}

impl Lock {
    /// The lock of `environment`.
    pub fn new(blobs: Arc<dyn Blobs>, environment: &str, machine: Arc<dyn Machine>) -> Self {
        Self { blobs, name: format!("{environment}.lock"), machine }
    }

    /// Who holds it now, if anyone.
    ///
    /// # Errors
    /// It cannot be read.
    pub async fn look(&self) -> Result<Option<(Lease, Version)>, StateError> {
        let Some(blob) = self.blobs.get(&self.name).await? else { return Ok(None) };
        Ok(Some((Lease::parse(&self.blobs.address(&self.name), &blob.content)?, blob.version)))
    }

    /// Takes it: at once where it is free, or on a disk of this machine alone and its holder's process has ended; otherwise
    /// when it was seen unchanged for its whole length. `tell` is told once, in words, whom it waits for.
    ///
    /// # Errors
    /// [`StateError::Locked`] where its holder is alive and patience is over.
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
                version: VERSION,
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
            // Clones of a virtual machine have one name, one boot, and each other's process ids: where they may share the
            // documents, only silence tells that a holder is dead.
            let dead = || !self.blobs.is_shared() && self.machine.has_ended(&theirs.holder);
            if theirs.released || silent || dead() {
                match self.write(&lease, Expect::Is(&version)).await {
                    Ok(version) => return Ok(self.held(lease, version, sent)),
                    // Somebody was faster, or the holder lives after all.
                    Err(StateError::Conflict { .. }) => continue,
                    Err(error) => return Err(error),
                }
            }
            // Renewed while we looked: its holder is alive.
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

    /// Takes it from this holder, however often it renews meanwhile: whoever says so has seen who it is, and has had time
    /// to think. The holder, if alive, writes no more.
    ///
    /// # Errors
    /// [`StateError::Locked`] where another has it by now.
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

    /// Frees one that cannot be read: it is replaced by one that nobody holds.
    ///
    /// # Errors
    /// [`StateError::Conflict`] where somebody else was faster.
    pub async fn break_damaged(&self) -> Result<(), StateError> {
        let Some(blob) = self.blobs.get(&self.name).await? else { return Ok(()) };
        let lease = Lease {
            version: VERSION,
            serial: 1,
            // Its own name: no two documents are alike, whatever was there before.
            holder: self.machine.holder(&format!("{:016x}", fastrand::u64(..)), "lock break"),
            seconds: 1,
            renewed: self.machine.now(),
            released: true,
        };
        self.write(&lease, Expect::Is(&blob.version)).await.map(drop)
    }

    fn held(&self, lease: Lease, version: Version, sent: Duration) -> Held {
        let document = Owned::new(Arc::clone(&self.blobs), self.name.clone(), Some(version));
        Held { lock: self.clone(), lease, document, sent }
    }

    async fn write(&self, lease: &Lease, expect: Expect<'_>) -> Result<Version, StateError> {
        self.blobs.put(&self.name, &super::document::pretty(lease), expect).await
    }

    /// In words, who has it now.
    async fn taken_by(&self) -> String {
        match self.look().await {
            Ok(Some((lease, _))) if lease.released => "it was broken open".to_owned(),
            Ok(Some((lease, _))) => lease.holder.describe(),
            Ok(None) => "it is gone".to_owned(),
            Err(error) => error.to_string(),
        }
    }
}

impl Held {
    /// How long it is good for after a renewal.
    pub(super) fn length(&self) -> Duration {
        Duration::from_secs(self.lease.seconds)
    }

    /// Until when it is good, by [`Machine::uptime`].
    pub(super) fn over(&self) -> Duration {
        self.sent + self.length()
    }

    /// How often to renew it.
    pub(super) fn renew_every(&self) -> Duration {
        self.length() / RENEWALS
    }

    /// Where it is, for people.
    pub(super) fn address(&self) -> String {
        self.document.address()
    }

    /// Renews it. May be given up at any moment, and said again.
    ///
    /// # Errors
    /// [`StateError::Fenced`] where another run has taken it.
    pub(super) async fn renew(&mut self) -> Result<(), StateError> {
        self.replace(false).await
    }

    /// Gives it back.
    ///
    /// # Errors
    /// It cannot be written; it ends by itself then.
    pub(super) async fn release(&mut self) -> Result<(), StateError> {
        match self.replace(true).await {
            Err(StateError::Fenced { .. }) => Ok(()),
            other => other,
        }
    }

    async fn replace(&mut self, released: bool) -> Result<(), StateError> {
        // Counted for every attempt, not for every success: a renewal that looks like one that was sent before is none,
        // for whoever waits has seen it since then.
        self.lease.serial += 1;
        self.lease.renewed = self.lock.machine.now();
        let sent = self.lock.machine.uptime();
        match self.document.put(&super::document::pretty(&Lease { released, ..self.lease.clone() })).await {
            Ok(()) => {
                self.sent = sent;
                Ok(())
            }
            Err(StateError::Conflict { .. }) => Err(StateError::Fenced { taken: self.lock.taken_by().await }),
            Err(error) => Err(error),
        }
    }
}

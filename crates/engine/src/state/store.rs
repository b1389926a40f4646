//! The records of one environment in one place: its state, its journal, and the lock of the run that may change them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::blob::{Blobs, Expect, Version};
use super::document;
use super::error::StateError;
use super::exclusive_doc::ExclusiveDoc;
use super::journal::{Entry, Header, Journal};
use super::lease::{Lock, Machine, Terms};
use super::lease_keeper::Heartbeat;
use super::model::State;
use super::write_stats::WriteStats;
use super::writer::JournalWriter;
use sftpctl_core::kind::NodeId;

/// The records of an environment.
#[derive(Clone)]
pub struct Store {
    pub(super) blobs: Arc<dyn Blobs>,
    pub(super) machine: Arc<dyn Machine>,
    pub(super) environment: String,
    pub(super) account: String,
}

/// The content of the records.
#[derive(Clone, Debug)]
pub struct Remembered {
    /// The state, with the identities from the journal of a killed run.
    pub state: State,
    /// Intents of earlier runs without an outcome.
    pub unfinished: Vec<Entry>,
    /// Whether a state document exists.
    pub found: bool,
    /// All journal lines of the unfinished operations.
    carried: Vec<Entry>,
    version: Option<Version>,
    journal: Option<Version>,
}

impl Store {
    pub fn new(blobs: Arc<dyn Blobs>, environment: &str, account: &str, machine: Arc<dyn Machine>) -> Self {
        Self { blobs, machine, environment: environment.to_owned(), account: account.to_owned() }
    }

    pub fn lock(&self) -> Lock {
        Lock::new(Arc::clone(&self.blobs), &self.environment, Arc::clone(&self.machine))
    }

    pub(super) fn state_name(&self) -> String {
        format!("{}.json", self.environment)
    }

    pub(super) fn journal_name(&self) -> String {
        format!("{}.journal", self.environment)
    }

    /// The address of the state that messages show.
    pub fn address(&self) -> String {
        self.blobs.address(&self.state_name())
    }

    /// Fails if a document belongs to another environment or account.
    pub(super) fn check_owner(&self, name: &str, environment: &str, account: &str) -> Result<(), StateError> {
        if (environment, account) == (self.environment.as_str(), self.account.as_str()) {
            return Ok(());
        }
        let own = str::to_owned;
        Err(StateError::Other {
            address: self.blobs.address(name),
            environment: own(environment),
            account: own(account),
        })
    }

    /// Reads the records. If there are none, the state is empty.
    ///
    /// # Errors
    /// A document is damaged, written by a newer sftpctl, or of another environment or account.
    pub async fn load(&self) -> Result<Remembered, StateError> {
        let (state_name, journal_name) = (self.state_name(), self.journal_name());
        let (state, journal) = tokio::try_join!(self.blobs.get(&state_name), self.blobs.get(&journal_name))?;
        let found = state.is_some();
        let (mut state, version) = match state {
            None => (State::new(&self.environment, &self.account), None),
            Some(blob) => (State::read(&self.blobs.address(&state_name), &blob.content)?, Some(blob.version)),
        };
        self.check_owner(&state_name, &state.environment, &state.account)?;
        if let Some(place) = state.moved_to {
            return Err(match state.on_its_way {
                true => StateError::MoveInterrupted { environment: state.environment, from: place },
                false => StateError::Moved { environment: state.environment, to: place },
            });
        }
        let mut remembered = Remembered {
            state: State::default(),
            unfinished: Vec::new(),
            carried: Vec::new(),
            found,
            version,
            journal: None,
        };
        if let Some(blob) = journal {
            let journal = Journal::read(&self.blobs.address(&journal_name), &blob.content)?;
            self.check_owner(&journal_name, &journal.header().environment, &journal.header().account)?;
            for (node, identity) in journal.identities() {
                match identity {
                    Some(identity) => {
                        state.identities.insert(node.clone(), identity.to_owned());
                    }
                    None => state.forget(node),
                }
            }
            remembered.unfinished = journal.unfinished().into_iter().cloned().collect();
            remembered.carried = journal.open_lines().cloned().collect();
            remembered.journal = Some(blob.version);
        }
        Ok(Remembered { state, ..remembered })
    }

    /// Takes the lock, proves that the place keeps conditional writes, and renews the lock until it is released. Nothing
    /// but the lock is written before that proof.
    ///
    /// # Errors
    /// The lock is held, or cannot be read or written, or the place does not keep conditions.
    pub(super) async fn hold(
        &self,
        (run, command): (&str, &str),
        terms: Terms,
        on_wait: &(dyn Fn(&str) + Sync),
    ) -> Result<Heartbeat, StateError> {
        let lock = self.lock();
        let held = lock.take((run, command), terms, on_wait).await?;
        // If it is written after all, the lock is free at least.
        let probe = held.as_released();
        // Renewed meanwhile, so that a slow place does not cost the lock.
        let heartbeat = Heartbeat::new(held, Arc::clone(&self.machine));
        if let Err(error) = lock.prove_conditions(&probe).await {
            let _ = heartbeat.release().await;
            return Err(error);
        }
        Ok(heartbeat)
    }

    /// Releases the lock if this process holds it: a run that is interrupted while it begins may just have taken it.
    pub async fn release_own_lock(&self) {
        self.lock().release_own().await;
    }

    /// Begins a run: takes the lock, reads the records under it, and begins the run's journal with the unfinished
    /// operations of earlier ones.
    ///
    /// # Errors
    /// The lock is held, or the records cannot be used.
    pub async fn begin(
        &self,
        command: &str,
        terms: Terms,
        on_wait: &(dyn Fn(&str) + Sync),
    ) -> Result<(LockedStore, Remembered), StateError> {
        self.blobs.check().await?;
        let id = run_id();
        let heartbeat = self.hold((&id, command), terms, on_wait).await?;
        match self.open(&id, &heartbeat).await {
            Ok((remembered, state, journal)) => {
                heartbeat.attach(Arc::clone(&journal));
                let saved = remembered.state.identities.clone();
                Ok((LockedStore { journal, state, saved, heartbeat }, remembered))
            }
            Err(error) => {
                // So that the next run need not wait for a run that never began.
                let _ = heartbeat.release().await;
                Err(error)
            }
        }
    }

    /// Reads the records and replaces both documents, so that an earlier run that has lost its lock can write neither.
    async fn open(
        &self,
        run: &str,
        heartbeat: &Heartbeat,
    ) -> Result<(Remembered, ExclusiveDoc, Arc<JournalWriter>), StateError> {
        let write_stats = WriteStats::default();
        loop {
            let mut remembered = self.load().await?;
            // Confirmed between reading and writing: a run that was paused while another run took its lock would
            // otherwise replace that run's records.
            heartbeat.guard().confirm().await?;
            remembered.state.serial = document::next(remembered.state.serial);
            run.clone_into(&mut remembered.state.run);
            let mut journal = Journal::new(Header::new(&self.environment, &self.account, run));
            for entry in &remembered.carried {
                // Cannot fail: each line was read from a journal in which its operation was open.
                let _ = journal.add(entry.clone());
            }
            let exclusive =
                |name, version: &Option<Version>| ExclusiveDoc::new(Arc::clone(&self.blobs), name, version.clone());
            let mut state = exclusive(self.state_name(), &remembered.version);
            let mut lines = exclusive(self.journal_name(), &remembered.journal);
            // The state first: it has the identities of the old journal, which the new journal does not repeat.
            let written = match write_stats.time(state.put(&remembered.state.write())).await {
                Ok(()) => write_stats.time(lines.put(&journal.write())).await,
                error => error,
            };
            match written {
                Ok(()) => {
                    let (machine, guard) = (Arc::clone(&self.machine), Arc::clone(heartbeat.guard()));
                    let writer = JournalWriter::new(machine, guard, write_stats, journal, lines);
                    return Ok((remembered, state, Arc::new(writer)));
                }
                // A run that has just lost its lock wrote once more: read that, and retry.
                Err(StateError::Conflict { .. }) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The names of the environments that have state in this place.
    ///
    /// # Errors
    /// The place cannot be read.
    pub async fn environments(&self) -> Result<Vec<String>, StateError> {
        let names = self.blobs.names().await?;
        Ok(names.iter().filter_map(|name| name.strip_suffix(".json")).map(str::to_owned).collect())
    }

    /// Moves damaged documents to other names, so that new ones can be written, and returns their new addresses. A
    /// document that can be read is kept: even if the state is damaged, the journal has the unfinished operations of a
    /// killed run. Holds the lock meanwhile.
    ///
    /// # Errors
    /// The lock is held; the place cannot be read or written; or a document is not damaged, but was written by a newer
    /// sftpctl, or belongs to another environment or account.
    pub async fn put_aside(&self, terms: Terms, on_wait: &(dyn Fn(&str) + Sync)) -> Result<Vec<String>, StateError> {
        self.blobs.check().await?;
        let heartbeat = self.hold((&run_id(), "state rebuild"), terms, on_wait).await?;
        let aside = self.put_damaged_aside(&heartbeat).await;
        let released = heartbeat.release().await;
        aside.and_then(|aside| released.map(|()| aside))
    }

    async fn put_damaged_aside(&self, heartbeat: &Heartbeat) -> Result<Vec<String>, StateError> {
        let (state_name, journal_name) = (self.state_name(), self.journal_name());
        let (state, journal) = tokio::try_join!(self.blobs.get(&state_name), self.blobs.get(&journal_name))?;
        let mut damaged = Vec::new();
        if let Some(blob) = state {
            match State::read(&self.blobs.address(&state_name), &blob.content) {
                Ok(state) => self.check_owner(&state_name, &state.environment, &state.account)?,
                Err(StateError::Damaged { .. }) => {
                    damaged.push((state_name, blob, State::new(&self.environment, &self.account).write()));
                }
                Err(error) => return Err(error),
            }
        }
        if let Some(blob) = journal {
            match Journal::read(&self.blobs.address(&journal_name), &blob.content) {
                Ok(journal) => {
                    let Header { environment, account, .. } = journal.header();
                    self.check_owner(&journal_name, environment, account)?;
                }
                Err(StateError::Damaged { .. }) => {
                    let empty = Journal::new(Header::new(&self.environment, &self.account, "none"));
                    damaged.push((journal_name, blob, empty.write()));
                }
                Err(error) => return Err(error),
            }
        }
        heartbeat.guard().confirm().await?;
        let mut aside = Vec::new();
        for (name, blob, empty) in damaged {
            let to = format!("{name}.aside-{}", self.machine.now().replace(':', ""));
            match self.blobs.put(&to, &blob.content, Expect::Absent).await {
                Ok(_) | Err(StateError::Conflict { .. }) => {}
                Err(error) => return Err(error),
            }
            self.blobs.put(&name, &empty, Expect::Is(&blob.version)).await?;
            aside.push(self.blobs.address(&to));
        }
        Ok(aside)
    }
}

/// A random ID for a run.
pub(super) fn run_id() -> String {
    format!("{:016x}", fastrand::u64(..))
}

/// A run that holds the lock. If it is dropped without [`LockedStore::end`], it stops like a killed run: nothing more
/// is written or renewed, and the lock is free when its lease expires.
pub struct LockedStore {
    journal: Arc<JournalWriter>,
    state: ExclusiveDoc,
    /// The identities of the last written state.
    saved: BTreeMap<NodeId, String>,
    heartbeat: Heartbeat,
}

impl LockedStore {
    pub fn journal(&self) -> &Arc<JournalWriter> {
        &self.journal
    }

    /// Whether the identities of the state differ from those that were last written.
    pub fn lacks_identities(&self, state: &State) -> bool {
        self.saved != state.identities
    }

    /// Replaces the state.
    ///
    /// # Errors
    /// [`StateError::Fenced`] if another run has taken the lock; or the state cannot be written.
    pub async fn save(&mut self, state: &mut State) -> Result<(), StateError> {
        let guard = self.heartbeat.guard();
        guard.ensure_held().await?;
        state.serial = document::next(state.serial);
        self.journal.run().clone_into(&mut state.run);
        match self.journal.write_stats().time(self.state.put(&state.write())).await {
            Err(StateError::Conflict { address }) => Err(guard.lose(&format!("{address} was written by another run"))),
            Err(error) => Err(error),
            Ok(()) => {
                self.saved.clone_from(&state.identities);
                Ok(())
            }
        }
    }

    /// Ends the run: closes the journal and releases the lock.
    ///
    /// # Errors
    /// The last lines or the lock could not be written; the lock then expires by itself.
    pub async fn end(self) -> Result<(), StateError> {
        let closed = self.journal.close(&self.saved).await;
        let ((writes, time), renewals) = (self.journal.write_stats().sum(), self.heartbeat.guard().renewals());
        tracing::debug!(microseconds = time.as_micros(), writes, renewals, "journaled");
        let released = self.heartbeat.release().await;
        match closed {
            Err(StateError::Fenced { .. }) => released,
            Err(error) => Err(error),
            Ok(()) => released,
        }
    }
}

/// The terms on which commands take the lock, both in seconds.
pub fn terms(length: Option<u64>, patience: u64) -> Terms {
    Terms { length: length.map_or(super::machine::LEASE, Duration::from_secs), patience: Duration::from_secs(patience) }
}

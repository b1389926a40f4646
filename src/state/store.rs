//! The records of one environment in one place: what is remembered, and the run that may change it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::blob::{Blobs, Expect, Version};
use super::error::StateError;
use super::journal::{Entry, Header, Journal};
use super::lease::{Held, Lock, Machine, Terms};
use super::model::State;
use super::writer::JournalWriter;

/// The records of an environment.
#[derive(Clone)]
pub struct Store {
    pub(super) blobs: Arc<dyn Blobs>,
    machine: Arc<dyn Machine>,
    pub(super) environment: String,
    pub(super) account: String,
}

/// What the records tell.
#[derive(Clone, Debug)]
pub struct Remembered {
    /// The state, with what the journal of a killed run adds to it.
    pub state: State,
    /// Operations of earlier runs of which nobody knows what came.
    pub unfinished: Vec<Entry>,
    /// Whether there was a state at all.
    pub found: bool,
    version: Option<Version>,
    journal: Option<Version>,
}

impl Store {
    /// The records of `environment` in `account`.
    pub fn new(blobs: Arc<dyn Blobs>, environment: &str, account: &str, machine: Arc<dyn Machine>) -> Self {
        Self { blobs, machine, environment: environment.to_owned(), account: account.to_owned() }
    }

    /// The lock.
    pub fn lock(&self) -> Lock {
        Lock::new(Arc::clone(&self.blobs), &self.environment, Arc::clone(&self.machine))
    }

    pub(super) fn state_name(&self) -> String {
        format!("{}.json", self.environment)
    }

    pub(super) fn journal_name(&self) -> String {
        format!("{}.journal", self.environment)
    }

    /// Where the state is, for people.
    pub fn address(&self) -> String {
        self.blobs.address(&self.state_name())
    }

    pub(super) fn ours(&self, name: &str, environment: &str, account: &str) -> Result<(), StateError> {
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

    /// Reads what is remembered; nothing is an empty state.
    ///
    /// # Errors
    /// A document is damaged, of a newer version, or of another environment or account: it is never guessed at.
    pub async fn load(&self) -> Result<Remembered, StateError> {
        let (state_name, journal_name) = (self.state_name(), self.journal_name());
        let (state, journal) = tokio::try_join!(self.blobs.get(&state_name), self.blobs.get(&journal_name))?;
        let found = state.is_some();
        let (mut state, version) = match state {
            None => (State::new(&self.environment, &self.account), None),
            Some(blob) => (State::read(&self.blobs.address(&state_name), &blob.content)?, Some(blob.version)),
        };
        if let Some(to) = state.moved_to {
            return Err(StateError::Moved { environment: state.environment, to });
        }
        self.ours(&state_name, &state.environment, &state.account)?;
        let mut remembered =
            Remembered { state: State::default(), unfinished: Vec::new(), found, version, journal: None };
        if let Some(blob) = journal {
            let journal = Journal::read(&self.blobs.address(&journal_name), &blob.content)?;
            self.ours(&journal_name, &journal.header().environment, &journal.header().account)?;
            for (node, identity) in journal.identities() {
                match identity {
                    Some(identity) => state.identities.insert(node.clone(), identity.to_owned()),
                    None => state.identities.remove(node),
                };
            }
            remembered.unfinished = journal.unfinished().into_iter().cloned().collect();
            remembered.journal = Some(blob.version);
        }
        Ok(Remembered { state, ..remembered })
    }

    /// Begins a run: takes the lock, reads what is remembered under it, and begins the run's journal, which takes over
    /// what is unfinished.
    ///
    /// # Errors
    /// The lock is held, or the records cannot be used.
    pub async fn begin(
        &self,
        command: &str,
        terms: Terms,
        tell: &(dyn Fn(&str) + Sync),
    ) -> Result<(Run, Remembered), StateError> {
        self.blobs.check().await?;
        let id = format!("{:016x}", fastrand::u64(..));
        let held = self.lock().take((&id, command), terms, tell).await?;
        match self.open(&id).await {
            Ok((remembered, journal)) => {
                let run = Run::new(self.clone(), held, Arc::new(journal), remembered.version.clone());
                Ok((run, remembered))
            }
            Err(error) => {
                // The next one need not wait for a run that never began.
                let _ = held.release().await;
                Err(error)
            }
        }
    }

    async fn open(&self, run: &str) -> Result<(Remembered, JournalWriter), StateError> {
        loop {
            let remembered = self.load().await?;
            let mut journal = Journal::new(Header::new(&self.environment, &self.account, run));
            for entry in &remembered.unfinished {
                // Legal: each was read from a journal in which it was open.
                let _ = journal.add(entry.clone());
            }
            let writer = JournalWriter::new(
                Arc::clone(&self.blobs),
                Arc::clone(&self.machine),
                self.journal_name(),
                journal,
                remembered.journal.clone(),
            );
            match writer.flush().await {
                Ok(()) => return Ok((remembered, writer)),
                // The last words of a run that has just lost its lock: read them, and go on.
                Err(StateError::Fenced { .. }) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Environments that have state in this place.
    ///
    /// # Errors
    /// The place cannot be read.
    pub async fn environments(&self) -> Result<Vec<String>, StateError> {
        let names = self.blobs.names().await?;
        Ok(names.iter().filter_map(|name| name.strip_suffix(".json")).map(str::to_owned).collect())
    }

    /// Puts damaged or foreign records aside, under names that nobody reads, so that new ones can be written.
    ///
    /// # Errors
    /// The place cannot be read or written.
    pub async fn put_aside(&self) -> Result<Vec<String>, StateError> {
        let mut aside = Vec::new();
        for name in [self.state_name(), self.journal_name()] {
            let Some(blob) = self.blobs.get(&name).await? else { continue };
            let to = format!("{name}.aside-{}", self.machine.now().replace(':', ""));
            match self.blobs.put(&to, &blob.content, Expect::Absent).await {
                Ok(_) | Err(StateError::Conflict { .. }) => {}
                Err(error) => return Err(error),
            }
            let empty = if name == self.state_name() {
                State::new(&self.environment, &self.account).write()
            } else {
                Journal::new(Header::new(&self.environment, &self.account, "none")).write()
            };
            self.blobs.put(&name, &empty, Expect::Is(&blob.version)).await?;
            aside.push(self.blobs.address(&to));
        }
        Ok(aside)
    }
}

/// A run that holds the lock.
pub struct Run {
    store: Store,
    journal: Arc<JournalWriter>,
    version: Option<Version>,
    heart: Heart,
}

/// Renews the lease until it is told to stop.
struct Heart {
    stop: oneshot::Sender<()>,
    task: JoinHandle<Held>,
}

impl Run {
    fn new(store: Store, mut held: Held, journal: Arc<JournalWriter>, version: Option<Version>) -> Self {
        let (stop, mut stopped) = oneshot::channel();
        let writer = Arc::clone(&journal);
        writer.good_until(Instant::now() + held.length());
        let task = tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = &mut stopped => return held,
                    () = crate::execute::wait::for_renewal(held.renew_every()) => {}
                }
                let begun = Instant::now();
                match held.renew().await {
                    // From before the renewal was sent: nobody can have seen it unchanged for longer.
                    Ok(()) => writer.good_until(begun + held.length()),
                    Err(error @ StateError::Fenced { .. }) => writer.fence(&error.to_string()),
                    // It may pass; if it doesn't, the next write says so.
                    Err(error) => tracing::warn!(%error, "the lock was not renewed"),
                }
                if let Err(error) = writer.flush().await {
                    tracing::debug!(%error, "the journal was not written");
                }
            }
        });
        Self { store, journal, version, heart: Heart { stop, task } }
    }

    /// Its journal.
    pub fn journal(&self) -> &Arc<JournalWriter> {
        &self.journal
    }

    /// Replaces the state.
    ///
    /// # Errors
    /// [`StateError::Fenced`] where another run has taken the lock; or it cannot be written.
    pub async fn save(&mut self, state: &mut State) -> Result<(), StateError> {
        state.serial += 1;
        self.journal.run().clone_into(&mut state.run);
        let expect = Expect::found(self.version.as_ref());
        match self.store.blobs.put(&self.store.state_name(), &state.write(), expect).await {
            Ok(version) => self.version = Some(version),
            Err(StateError::Conflict { address }) => {
                return Err(StateError::Fenced { taken: format!("{address} was written by another run") });
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Stops as a killed run does: nothing is written, nothing given back.
    pub fn abandon(self) {
        self.heart.task.abort();
    }

    /// Ends it: closes the journal and gives the lock back.
    ///
    /// # Errors
    /// The last lines could not be written. The lock ends by itself then.
    pub async fn end(self) -> Result<(), StateError> {
        let closed = self.journal.close().await;
        // The task has ended only if it panicked; then there is nothing to give back.
        let _ = self.heart.stop.send(());
        let released = match self.heart.task.await {
            Ok(held) => held.release().await,
            Err(_) => Ok(()),
        };
        match closed {
            Err(StateError::Fenced { .. }) => released,
            Err(error) => Err(error),
            Ok(()) => released,
        }
    }
}

/// The terms on which commands take the lock.
pub fn terms(length: Option<u64>, patience: u64) -> Terms {
    Terms { length: length.map_or(super::machine::LEASE, Duration::from_secs), patience: Duration::from_secs(patience) }
}

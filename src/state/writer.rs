//! Writes a run's journal while it goes on: an intent is durable before its call, outcomes go with the next write.
//!
//! All steps of a run share one document, so their lines are written together: at most one write at a time, and what is
//! announced meanwhile goes into the next. Every write expects the one before, which is what stops a run that has lost
//! its lock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio::time::Instant;

use super::blob::{Blobs, Expect, Version};
use super::error::StateError;
use super::journal::{Entry, Event, Journal};
use super::lease::Machine;
use crate::resources::resource::{Action, NodeId};

/// The journal of a run that is under way.
pub struct JournalWriter {
    blobs: Arc<dyn Blobs>,
    machine: Arc<dyn Machine>,
    name: String,
    run: String,
    count: AtomicU64,
    queue: Mutex<Vec<Entry>>,
    document: tokio::sync::Mutex<Document>,
    fenced: OnceLock<String>,
    /// When the lease is over, by this machine's own clock.
    over: Mutex<Option<Instant>>,
}

struct Document {
    journal: Journal,
    version: Option<Version>,
    /// It has lines that are not written yet.
    behind: bool,
}

impl JournalWriter {
    /// A writer that replaces the document of this version.
    pub(super) fn new(
        blobs: Arc<dyn Blobs>,
        machine: Arc<dyn Machine>,
        name: String,
        journal: Journal,
        version: Option<Version>,
    ) -> Self {
        Self {
            blobs,
            machine,
            name,
            run: journal.header().run.clone(),
            count: AtomicU64::new(0),
            queue: Mutex::default(),
            document: tokio::sync::Mutex::new(Document { journal, version, behind: true }),
            fenced: OnceLock::new(),
            over: Mutex::default(),
        }
    }

    /// The run that writes it.
    pub(super) fn run(&self) -> &str {
        &self.run
    }

    /// Announces an operation, durably, and names it: letters, digits and dashes, as AWS takes client tokens.
    ///
    /// # Errors
    /// The journal cannot be written, or this run has lost its lock; then the operation must not be called.
    pub async fn intend(&self, node: &NodeId, action: Action, title: &str) -> Result<String, StateError> {
        let operation = format!("sftpctl-{}-{}", self.run, self.count.fetch_add(1, Ordering::Relaxed));
        self.queue(&operation, node, Event::Intent { action, title: title.to_owned() });
        self.flush().await?;
        Ok(operation)
    }

    /// It took effect: what AWS finds the resource by now, `None` for nothing.
    pub fn done(&self, operation: &str, node: &NodeId, identity: Option<&str>) {
        self.queue(operation, node, Event::Done { identity: identity.map(str::to_owned) });
    }

    /// It went wrong.
    pub fn failed(&self, operation: &str, node: &NodeId, error: &str) {
        self.queue(operation, node, Event::Failed { error: error.to_owned() });
    }

    fn queue(&self, operation: &str, node: &NodeId, event: Event) {
        let entry = Entry { operation: operation.to_owned(), node: node.clone(), at: self.machine.now(), event };
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
    }

    /// Writes everything that was said so far.
    ///
    /// # Errors
    /// As for [`JournalWriter::intend`].
    pub async fn flush(&self) -> Result<(), StateError> {
        let mut document = self.document.lock().await;
        let lines = std::mem::take(&mut *self.queue.lock().unwrap_or_else(PoisonError::into_inner));
        for line in lines {
            // Only a slip in this program could make it illegal, and the journal is no place to fail for it.
            match document.journal.add(line) {
                Ok(()) => document.behind = true,
                Err(reason) => tracing::error!(reason, "a line does not fit into the journal"),
            }
        }
        if let Some(taken) = self.fenced.get() {
            return Err(StateError::Fenced { taken: taken.clone() });
        }
        if !document.behind {
            return Ok(());
        }
        let expect = Expect::found(document.version.as_ref());
        match self.blobs.put(&self.name, &document.journal.write(), expect).await {
            Ok(version) => {
                document.version = Some(version);
                document.behind = false;
                Ok(())
            }
            Err(StateError::Conflict { address }) => {
                self.fence(&format!("{address} is another run's now"));
                Err(StateError::Fenced { taken: format!("{address} is another run's now") })
            }
            Err(error) => Err(error),
        }
    }

    /// The lease is good until then.
    pub(super) fn good_until(&self, over: Instant) {
        *self.over.lock().unwrap_or_else(PoisonError::into_inner) = Some(over);
    }

    /// Whether this run may change nothing any more: it lost its lock, or was paused for so long that it may have.
    pub fn is_over(&self) -> bool {
        let over = *self.over.lock().unwrap_or_else(PoisonError::into_inner);
        self.fenced.get().is_some() || over.is_some_and(|over| Instant::now() >= over)
    }

    /// Nothing may be written any more.
    pub(super) fn fence(&self, taken: &str) {
        // The first reason stays.
        let _ = self.fenced.set(taken.to_owned());
    }

    /// Writes everything, or an empty journal where nothing is open: what is finished needs no journal.
    pub(super) async fn close(&self) -> Result<(), StateError> {
        self.flush().await?;
        let mut document = self.document.lock().await;
        if document.journal.unfinished().is_empty() && !document.journal.entries().is_empty() {
            document.journal = Journal::new(document.journal.header().clone());
            document.behind = true;
        }
        drop(document);
        self.flush().await
    }
}
